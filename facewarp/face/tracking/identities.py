"""Who is whom: the tracks of a clip, their ids, and faces that cuts exchange or bring back."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.boxes import Box, overlap, widened
from facewarp.face.face import Face, FaceFilter
from facewarp.face.matching.appearance import (
    ALIKE,
    Appearance,
    AppearanceMemory,
    AppearanceReader,
    Matte,
)
from facewarp.face.tracking.track import SAME_FACE, Track, is_among

_HEAD = 0.25  # of a face's box by which the head reaches beyond it
_SURELY = 0.12  # distance of appearances up to which a face that a cut moved is known at once
_CUT_S = 0.5  # after a cut, within which places tell nothing of faces that are found


class Identities:
    """The tracks of all faces: give ids, and find again whoever was lost.

    A lost face keeps its id for a while. It is found again where it can have gone and by how it
    looks; after a cut by its appearance alone.

    Args:
        most: how many faces are followed.
        landmarks: (68, 2) of the template, px of the crop.
        new_filter: makes what smooths and refines one face, if anything does.

    Attributes:
        tracks: of the faces followed, and of lost ones that are remembered.
        entered: ids of the faces that the last frame found, anew or again.
        withdrawn: by id, the last face and its time that are surely a track's which followed
            another face since, as the last frame showed.
    """

    def __init__(
        self, most: int, landmarks: Points, new_filter: Callable[[], FaceFilter | None]
    ) -> None:
        self.tracks: list[Track] = []
        self.entered: list[int] = []
        self.withdrawn: dict[int, tuple[Face, float]] = {}
        self._read: dict[int, Appearance | None] = {}  # in this frame, by face
        self._most, self._new_filter = most, new_filter
        self._appearance = AppearanceReader(landmarks)
        self.reset()

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self.tracks = []
        self.begin_frame()
        self._next_id, self._last_cut = 0, -math.inf

    def begin_frame(self) -> None:
        """Forget what the last frame found and took back."""
        self.entered, self.withdrawn, self._read = [], {}, {}

    def take_over(self, other: "Identities") -> None:
        """Take over another tracker's tracks and ids, with filters and memories of their own."""
        self.tracks = [
            replace(track, smoother=self._new_filter(), memory=AppearanceMemory())
            for track in other.tracks
        ]
        self._next_id = other._next_id

    @property
    def followed(self) -> list[Track]:
        """The tracks that are not lost."""
        return [track for track in self.tracks if not track.lost]

    @property
    def faces(self) -> list[Face]:
        """Faces as last seen, lost ones included, by id."""
        return sorted((track.face for track in self.tracks), key=lambda face: face.id)

    def boxes(self, but: Track | None = None) -> list[Box]:
        """Return the boxes of the faces followed, but for one track's."""
        return [track.face.box for track in self.followed if track is not but]

    def forget(self, time: float, remember_s: float) -> None:
        """Forget the faces that were not seen for longer than they are remembered."""
        self.tracks = [track for track in self.tracks if time - track.seen <= remember_s]

    def note_cut(self, time: float) -> None:
        """Note that other faces are where some were: for a while places tell nothing."""
        self._last_cut = time

    def is_exchanged(
        self, track: Track, face: Face, image: NDArray[np.generic], time: float
    ) -> bool:
        """Return whether a cut put another face where a track's was.

        Args:
            track: whose it was.
            face: as registered there now.
            image: the frame.
            time: of the frame, s.
        """
        if not track.memory.is_sudden:
            return False
        others = self.boxes(but=track)
        is_read = id(face) in self._read
        appearance = self._read[id(face)] if is_read else self._appearance_of(face, image, others)
        has_changed = track.memory.has_changed(appearance, time)
        if track.memory.doubted:
            track.doubt()
        elif appearance is not None:
            track.sure = None
        return has_changed

    def exchanged(
        self, pairs: Sequence[tuple[Track, Face]], image: NDArray[np.generic]
    ) -> list[Track]:
        """Return the tracks whose faces a cut gave to each other, or to tracks that were lost.

        Where several people look much alike, or one is back, none of their faces need be clearly
        another's than the track's in whose place it is: all are compared with all.

        Args:
            pairs: tracks and what is registered in their places now.
            image: the frame.
        """
        jumped = [(track, face) for track, face in pairs if track.memory.has_jumped]
        lost = [track for track in self.tracks if track.lost]
        if len(jumped) + len(lost) < 2 or not jumped:
            return []
        shown = []
        boxes = {id(track): track.face.box for track in self.followed}
        boxes |= {id(track): face.box for track, face in pairs}
        for track, face in jumped:
            others = [box for key, box in boxes.items() if key != id(track)]
            appearance = self._read[id(face)] = self._appearance_of(face, image, others)
            if appearance is not None and track.memory.appearance is not None:
                shown.append((track, appearance))
        if all(track.memory.distance(appearance) < ALIKE for track, appearance in shown):
            return []  # nothing can be nearer by that much
        apart = [
            (known.memory.distance(appearance), i, known)
            for i, (_, appearance) in enumerate(shown)
            for known in (*(track for track, _ in shown), *lost)
            if known.memory.appearance is not None
        ]
        given: dict[int, tuple[Track, float]] = {}
        for distance, i, known in sorted(apart, key=lambda one: one[0]):
            if i not in given and all(known is not other for other, _ in given.values()):
                given[i] = known, distance
        moved = []
        for i, (track, appearance) in enumerate(shown):
            known, distance = given.get(i, (track, 0.0))
            if known is track:
                continue
            gain = track.memory.distance(appearance) - distance
            may_be_light = known.lost and not track.memory.tells(appearance)
            if distance > _SURELY or gain < ALIKE or may_be_light:
                return []
            moved.append(track)
        return moved

    def withdraw(self, track: Track) -> None:
        """Lose a track that shows another face, and what it followed since that face came."""
        if track.sure is not None:
            self.withdrawn[track.face.id] = track.sure
        track.withdraw()

    def is_another(self, track: Track, face: Face, image: NDArray[np.generic]) -> bool:
        """Return whether a face looks like another than a track's, in one frame: not if hidden."""
        appearance = self._appearance_of(face, image, self.boxes(but=track))
        return track.memory.tells(appearance) and track.memory.is_another(appearance)

    def lose_duplicates(self) -> None:
        """Lose the more surprising of two tracks that have come to follow one face."""
        for one, other in combinations(self.followed, 2):
            if overlap(one.face.box, other.face.box) > SAME_FACE:
                max(one, other, key=lambda track: track.surprise).lose()

    def take(self, face: Face, image: NDArray[np.generic], time: float) -> None:
        """Resume the lost track that a face can be, or begin one.

        Of several the one of the likest appearance, of equally like ones the nearest.

        Args:
            face: that no track follows.
            image: the frame.
            time: of the frame, s.
        """
        self._take([(face, self._appearance_of(face, image, self.boxes()))], image, time)

    def take_all(self, faces: Iterable[Face], image: NDArray[np.generic], time: float) -> None:
        """Resume or begin a track of each face that none follows.

        Of faces that are found together those that are likest to a track come first.

        Args:
            faces: as registered.
            image: the frame.
            time: of the frame, s.
        """
        boxes = self.boxes()
        new = [face for face in faces if not is_among(face.box, boxes)]
        self._take([(face, self._appearance_of(face, image, boxes)) for face in new], image, time)

    def _take(
        self,
        found: Sequence[tuple[Face, Appearance | None]],
        image: NDArray[np.generic],
        time: float,
    ) -> None:
        """Resume or begin a track of each of several faces; of two in one place of the first.

        Whoever is seen elsewhere while their track shows somebody else takes it from them.
        """
        left, taken = list(found), list[Box]()
        while left:
            lost = [track for track in self.tracks if track.lost]
            doubted = [track for track in self.followed if track.memory.doubted]
            fits = [self._fit(*one, [*lost, *doubted], time) for one in left]
            first = min(range(len(left)), key=lambda i: fits[i][0])
            (face, appearance), (_, track) = left.pop(first), fits[first]
            if is_among(face.box, taken):
                continue
            taken.append(face.box)
            if track is not None:
                if not track.lost:
                    stranger = track.face.changed(id=-1)
                    self.withdraw(track)
                    self.note_cut(time)
                    left.append((stranger, self._appearance_of(stranger, image, taken)))
                self._resume(track, face, appearance, time)
                continue
            if len(self.tracks) >= self._most and lost:
                self.tracks.remove(min(lost, key=lambda track: track.seen))
            if len(self.tracks) < self._most:
                self._begin(face, appearance, time)

    def _fit(
        self,
        face: Face,
        appearance: Appearance | None,
        tracks: Sequence[Track],
        time: float,
    ) -> tuple[tuple[float, float], Track | None]:
        """Return how well a face fits the track it fits best (less is better), and that."""
        lost = [track for track in tracks if track.lost]
        known = self._that_can_be(face, appearance, lost, time)
        if appearance is not None:
            known += [
                track
                for track in tracks
                if not track.lost and track.memory.distance(appearance) <= _SURELY
            ]
        if not known:
            return (math.inf, math.inf), None
        is_cut = time - self._last_cut <= _CUT_S

        def apart(track: Track) -> tuple[float, float]:
            memory = track.memory
            like = memory.distance(appearance) if is_cut else memory.steps(appearance)
            return like, track.distance(face)

        best = min(known, key=apart)
        return apart(best), best

    def _resume(self, track: Track, face: Face, appearance: Appearance | None, time: float) -> None:
        """Go on with a lost track; by its place alone that is doubtful."""
        if appearance is None and track.memory.appearance is not None:
            track.doubt()
        track.find_again(face, time)
        track.memory.note(appearance, time)
        self.entered.append(track.face.id)

    def _that_can_be(
        self, face: Face, appearance: Appearance | None, lost: Sequence[Track], time: float
    ) -> list[Track]:
        is_cut = time - self._last_cut <= _CUT_S
        return [
            track
            for track in lost
            if (track.can_be(face, time) or (is_cut and track.memory.appearance is not None))
            and not track.memory.is_another(appearance)
        ]

    def _begin(self, face: Face, appearance: Appearance | None, time: float) -> None:
        track = Track(face.changed(id=self._next_id), time, self._new_filter(), confirmed=time)
        track.memory.note(appearance, time)
        if track.smoother is not None:
            track.face = track.smoother(track.face, time)
        self.tracks.append(track)
        self.entered.append(self._next_id)
        self._next_id += 1

    def _appearance_of(
        self, face: Face, image: NDArray[np.generic], others: Sequence[Box]
    ) -> Appearance | None:
        """Return the appearance of a face; None where another head may hide some of it."""
        if any(overlap(face.box, widened(other, _HEAD)) > 0 for other in others):
            return None
        matte = None
        if face.matte is not None:
            in_matte = (face.crop.to_crop(face.landmarks) - 0.5) / 2
            matte = Matte(face.matte, in_matte)
        return self._appearance(image, face.landmarks, matte)
