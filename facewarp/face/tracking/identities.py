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
    Appearance,
    AppearanceMemory,
    AppearanceReader,
    Matte,
)
from facewarp.face.tracking.track import SAME_FACE, Track, is_among

_HEAD = 0.25  # of a face's box by which the head reaches beyond it
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
    """

    def __init__(
        self, most: int, landmarks: Points, new_filter: Callable[[], FaceFilter | None]
    ) -> None:
        self.tracks: list[Track] = []
        self.entered: list[int] = []
        self._most, self._new_filter = most, new_filter
        self._appearance = AppearanceReader(landmarks)
        self.reset()

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self.tracks, self.entered = [], []
        self._next_id, self._last_cut = 0, -math.inf

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
        appearance = self._appearance_of(face, image, self.boxes(but=track))
        return track.memory.has_changed(appearance, time)

    def is_another(self, track: Track, face: Face, image: NDArray[np.generic]) -> bool:
        """Return whether a face looks like another than a track's."""
        appearance = self._appearance_of(face, image, self.boxes(but=track))
        return track.memory.is_another(appearance)

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
        appearance = self._appearance_of(face, image, self.boxes())
        lost = [track for track in self.tracks if track.lost]
        known = self._that_can_be(face, appearance, lost, time)
        if known:
            likest = min(known, key=lambda t: (t.memory.distance(appearance), t.distance(face)))
            likest.find_again(face, time)
            likest.memory.note(appearance, time)
            self.entered.append(likest.face.id)
            return
        if len(self.tracks) >= self._most:
            self.tracks.remove(min(lost, key=lambda track: track.seen))
        self._begin(face, appearance, time)

    def take_all(self, faces: Iterable[Face], image: NDArray[np.generic], time: float) -> None:
        """Resume or begin a track of each face that none follows."""
        for face in faces:
            if not is_among(face.box, self.boxes()):
                self.take(face, image, time)

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
