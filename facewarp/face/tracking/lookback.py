"""Lookback: a face found by a search is followed back over the frames before it, for files."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from facewarp.face.face import Face
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame

_MAX_BYTES: Final = 384 << 20  # of frames held back: half a second up to 4K at 30 a second
_AT_LEAST = 2
_ROUNDING_S: Final = 1e-6


@dataclass
class _Held:
    """A frame held back, with the faces known in it so far."""

    frame: Frame
    faces: list[Face]


@dataclass(frozen=True)
class _Alone:
    """Faces that nobody joins until a search.

    Attributes:
        ids: of the faces.
        until: time of the frame that is searched.
    """

    ids: frozenset[int]
    until: float

    def shown_by(self, faces: Sequence[Face]) -> bool:
        """Whether a frame shows these faces, all surely followed, and there are any."""
        sure = all(face.state == "tracking" for face in faces)
        return sure and bool(self.ids) and self.ids == {face.id for face in faces}

    def settles(self, one: _Held, looked: float) -> bool:
        """Whether a frame can change no more; `looked` is when it was last looked for faces."""
        return one.frame.time < self.until and one.frame.time <= looked and self.shown_by(one.faces)


class Lookback:
    """A tracker over the frames of a file in which nobody enters unseen.

    The tracker searches for small faces twice a second only. As many frames as lie between two
    searches are held back, and a face that a search finds is registered in them too, from the
    newest to the oldest, for as long as it is there.

    A clip's first frames need not wait so long where its second search has begun ahead: where that
    finds nobody but the faces of the first frame, and a frame shows the same faces and was looked
    over for large ones too, nobody is left to be followed back into it.

    Args:
        tracker: with the configuration `facewarp.face.tracking.track.OFFLINE`; nobody else uses it.
        max_bytes: of the frames held back. Where they are so large that fewer are held than lie
            between two searches, searches come sooner.

    Example:
        >>> for frame, faces in Lookback(tracker)(source):  # doctest: +SKIP
        ...     print(frame.time, len(faces))
    """

    def __init__(self, tracker: FaceTracker, max_bytes: int = _MAX_BYTES) -> None:
        self._tracker, self._max_bytes = tracker, max_bytes
        config = tracker.config
        self._span_s = max(config.search_every_s, config.search_beside_every_s)

    def __call__(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        """Yield every frame, in order, with its faces by id, as soon as they are final."""
        held: deque[_Held] = deque()
        since_search, frames = 0, iter(frames)
        ahead = self._read_ahead(frames)
        alone: _Alone | None = None
        for index, frame in enumerate(chain(_drained(ahead), frames)):
            room = self._room(frame)
            since_search += 1
            if since_search >= room - 1:
                self._tracker.search_soon()
                since_search = 0
            faces = self._tracker(frame.viewed, frame.time)
            frame = frame.packed()
            held.append(_Held(frame, faces))
            for gone, (last, since) in self._tracker.withdrawn.items():
                _take_back(gone, last, since, held)
            for entered in self._tracker.entered:
                self._go_back(entered, held)
            if index == 0 and ahead:
                alone = self._alone_until(ahead[-1], faces)
            while alone and held and alone.settles(held[0], self._tracker.looked):
                done = held.popleft()
                yield done.frame, done.faces
            final = frame.time - self._span_s + _ROUNDING_S  # searched, and all after it are held
            while len(held) > room or (len(held) > _AT_LEAST and held[0].frame.time <= final):
                done = held.popleft()
                yield done.frame, done.faces
        yield from ((one.frame, one.faces) for one in held)

    def _room(self, frame: Frame) -> int:
        """How many frames like this one may be held."""
        return max(_AT_LEAST, self._max_bytes // max(frame.packed().nbytes, 1))

    def _read_ahead(self, frames: Iterator[Frame]) -> deque[Frame]:
        """Read a clip's frames up to its second search, where searches begin early.

        Returns:
            The frames, packed; empty where the clip ends before, or too few may be held.
        """
        read: deque[Frame] = deque()
        if not self._tracker.searches_ahead:
            return read
        for frame in frames:
            read.append(frame.packed())
            if frame.time - read[0].time >= self._span_s or len(read) >= self._room(frame) - 1:
                break
        return read

    def _alone_until(self, later: Frame, faces: Sequence[Face]) -> _Alone | None:
        """Return the faces of a clip's first frame, if a later one's search finds nobody else."""
        found = _Alone(frozenset(face.id for face in faces), later.time)
        if not found.shown_by(faces):
            return None
        others = self._tracker.sees_others_ahead(later.viewed, later.time, faces)
        return None if others else found

    def _go_back(self, entered: int, held: deque[_Held]) -> None:
        """Follow a face found in the newest frame back, and smooth it from its first one on."""
        newest = held[-1]
        face = next(face for face in newest.faces if face.id == entered)
        before: list[tuple[Face, _Held]] = []
        later = face
        for one in list(held)[-2::-1]:
            there = [other for other in one.faces if other.state != "lost"]
            if any(other.id == entered for other in there):
                break
            boxes = [other.box for other in there]
            earlier = self._tracker.register_before(one.frame.viewed, later, boxes)
            if earlier is None:
                break
            before.insert(0, (earlier, one))
            later = earlier
        if not before:
            return
        times = [(earlier, one.frame.time) for earlier, one in before]
        smoothed = self._tracker.smooth_from(times, face, newest.frame.time)
        for one, found in zip([one for _, one in before] + [newest], smoothed, strict=True):
            others = [other for other in one.faces if other.id != entered]
            one.faces = sorted([*others, found], key=lambda face: face.id)


def _take_back(gone: int, last: Face, since: float, held: Sequence[_Held]) -> None:
    """Lose a track in the held frames in which it followed another face.

    Args:
        gone: its id.
        last: the last face that is surely its own.
        since: time of that, s.
        held: frames; the newest one is right already.
    """
    lost = last.changed(state="lost", confidence=0.0)
    for one in list(held)[:-1]:
        if one.frame.time > since:
            one.faces = [lost if face.id == gone else face for face in one.faces]


def _drained(frames: deque[Frame]) -> Iterator[Frame]:
    """Yield frames and let go of each."""
    while frames:
        yield frames.popleft()
