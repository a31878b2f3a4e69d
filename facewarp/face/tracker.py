"""FaceTracker: follows faces through frames and registers each with the template, both ways."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.boxes import Box, centre_of, overlap, side_of, square_at
from facewarp.face.crop import Crop, to_grey
from facewarp.face.detector import Detection, FaceDetector
from facewarp.face.fitting import Face, Fitter, State, crop_of
from facewarp.face.template import Template

__all__ = ["Face", "FaceTracker", "State", "TrackerConfig"]

_FRAME_S = 1 / 25  # between frames that come without a time
_SAME_FACE = 0.35  # overlap of the boxes of one and the same face
_JUMP = 0.25  # of a face's side: steps longer than that say nothing about the next one
_NEAR = 3.0  # side of the window, in faces, in which a doubtful face is looked for
_FACES_PER_S = 4.0  # how many times its own size a face may move in a second unseen


@dataclass(frozen=True)
class TrackerConfig:
    """When the tracker believes, doubts and gives up.

    The confidences were chosen with weights of 2450 training steps on 70 photographs of Helen's
    test set, each registered on crops from exact to a whole face aside, up to twice too large
    or small, and turned, and on crops without a face: 2244 registrations. At 0.9 the landmarks
    were off by 2.6 % of the face's side in the median, at 0.8 by 4 %, at 0.7 by 6 %; below 0.55
    most were off by more than 15 %, below 0.5 three of four. Of the faces on good crops 95 %
    reach 0.89, of the crops without a face 95 % stay below 0.42
    (docs/decisions/0006-confidence.md).

    Attributes:
        faces: how many faces to follow at most.
        sure: confidence from which a face counts as tracked, and which a further face needs to
            be followed beside others.
        unsure: confidence below which the detector is asked whether there is a face at all.
        gone: confidence below which there is no face, whatever the detector says.
        patience: frames in a row that the detector may miss an unsure face before it is lost.
        look_every_s: how often to look over the frame for further faces while some are missing.
        search_every_s: how often to search it for small faces while there is none.
        remember_s: how long a lost face keeps its id.
    """

    faces: int = 5
    sure: float = 0.7
    unsure: float = 0.6
    gone: float = 0.45
    patience: int = 3
    look_every_s: float = 0.5
    search_every_s: float = 1.5
    remember_s: float = 5.0


@dataclass
class _Track:
    """What is remembered of a face between frames.

    Attributes:
        face: as last seen.
        seen: time of that, s.
        step: (2,) how its landmarks moved last, frame px.
        surprise: how far that was from the step before, in sides of the face.
        missed: frames in a row that the detector did not see it when it was asked.
    """

    face: Face
    seen: float
    step: NDArray[np.float64]
    surprise: float = 0.0
    missed: int = 0

    @property
    def lost(self) -> bool:
        return self.face.state == "lost"

    def move(self, face: Face, time: float) -> None:
        """Go on to where the face is by now."""
        moved = face.landmarks.mean(0) - self.face.landmarks.mean(0)
        side = side_of(face.box)
        self.surprise = float(np.linalg.norm(moved - self.step)) / side
        self.step = moved if np.linalg.norm(moved) < _JUMP * side else np.zeros(2)
        self.face, self.seen = replace(face, id=self.face.id), time

    def lose(self) -> None:
        """Keep the face as last seen, for when it comes back."""
        self.face = replace(self.face, state="lost", confidence=0.0)
        self.step, self.missed = np.zeros(2), 0

    def can_be(self, face: Face, time: float) -> bool:
        """Whether this lost face may be one found now: near enough, and of a like size."""
        sides = side_of(self.face.box), side_of(face.box)
        reach = max(sides) * (1 + _FACES_PER_S * (time - self.seen))
        return max(sides) < 2 * min(sides) and _distance(self.face, face) < reach


class FaceTracker:
    """One engine for live, video and pictures.

    A face is followed from frame to frame by its own landmarks. The detector is asked only for
    faces not followed yet, and about those that have come to fit the template badly.

    Args:
        template: a shipped template's name, a ``.npz`` file or a :class:`Template`.
        model: a shipped model's name, a weights file or a :class:`Model`.
        faces: how many faces to follow; None for what ``config`` says.
        device: where the model runs.
        config: further settings.
        detector: a detector to share; otherwise the tracker makes and closes its own.

    Attributes:
        template: what faces are registered with.
        model: what registers them.
        config: the settings.

    Raises:
        FacewarpError: no such template or model, or no face to follow.

    Example:
        >>> tracker = FaceTracker(template="average")
        >>> faces = tracker(image, time=0.0)  # doctest: +SKIP
    """

    def __init__(
        self,
        template: str | Path | Template = "average",
        model: str | Path | Model = "face",
        *,
        faces: int | None = None,
        device: str = "cpu",
        config: TrackerConfig | None = None,
        detector: FaceDetector | None = None,
    ) -> None:
        config = config or TrackerConfig()
        self.config = config if faces is None else replace(config, faces=faces)
        if self.config.faces < 1:
            raise FacewarpError(f"a tracker follows at least one face, not {self.config.faces}")
        self._fitter = Fitter(template, model, device, self.config.sure)
        self.template = self._fitter.template
        self.model = self._fitter.model
        self._detector = detector or FaceDetector()
        self._owns_detector = detector is None
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._time: float | None = None
        self._last_look = self._last_search = -math.inf

    def __call__(self, image: NDArray[np.generic], time: float | None = None) -> list[Face]:
        """Find and register the faces of the next frame.

        Args:
            image: H x W [x 1, 3 or 4] frame, RGB where it has colour.
            time: the frame's time in seconds; a step back starts anew. Without it, frames count
                as 1/25 s apart.

        Returns:
            The faces followed, lost ones included, by id; at most ``config.faces``.
        """
        if time is None:
            time = 0.0 if self._time is None else self._time + _FRAME_S
        if self._time is not None and time < self._time:
            self.reset()
        self._time = time
        grey = to_grey(image)
        self._follow(image, grey, time)
        self._search(image, grey, time)
        self._tracks = [t for t in self._tracks if time - t.seen <= self.config.remember_s]
        return sorted((track.face for track in self._tracks), key=lambda face: face.id)

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._tracks = []
        self._next_id = 0
        self._time = None
        self._last_look = self._last_search = -math.inf

    def register(self, image: NDArray[np.generic], crop: Crop) -> Face:
        """Register what a crop shows with the template, without following anything."""
        return self._fitter.fit(to_grey(image), [crop])[0]

    def close(self) -> None:
        """Free the detector, if it is the tracker's own."""
        if self._owns_detector:
            self._detector.close()

    def __enter__(self) -> Self:
        """Return the tracker itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _follow(self, image: NDArray[np.generic], grey: NDArray[np.uint8], time: float) -> None:
        """Register the faces followed so far, each where half its last step would bring it."""
        tracks = [track for track in self._tracks if not track.lost]
        crops = [crop_of(track.face.landmarks + 0.5 * track.step) for track in tracks]
        doubtful = []
        for track, face in zip(tracks, self._fitter.settle(grey, crops), strict=True):
            if face.confidence >= self.config.unsure:
                track.missed = 0
                track.move(face, time)
            else:
                doubtful.append((track, face))
        for track, face in doubtful:
            self._question(track, face, image, grey, time)
        for one, other in combinations([track for track in tracks if not track.lost], 2):
            if overlap(one.face.box, other.face.box) > _SAME_FACE:  # both have come to follow one
                max(one, other, key=lambda track: track.surprise).lose()

    def _question(
        self,
        track: _Track,
        face: Face,
        image: NDArray[np.generic],
        grey: NDArray[np.uint8],
        time: float,
    ) -> None:
        """Go on with a face that fits badly, where the detector sees it too, or for a while."""
        others = [t.face.box for t in self._tracks if t is not track and not t.lost]
        seen = self._look_near(image, track.face.box, others)
        track.missed = 0 if seen else track.missed + 1
        if seen:
            face = max(face, self._approach(grey, seen), key=lambda face: face.confidence)
        if face.confidence < self.config.gone or track.missed >= self.config.patience:
            track.lose()
        else:
            track.move(face, time)

    def _search(self, image: NDArray[np.generic], grey: NDArray[np.uint8], time: float) -> None:
        """Look for faces that are not followed yet, while there may be more."""
        followed = [track.face.box for track in self._tracks if not track.lost]
        is_due = time - self._last_look >= self.config.look_every_s
        if len(followed) >= self.config.faces or (followed and not is_due):
            return
        thorough: bool | None = False
        if not followed and time - self._last_search >= self.config.search_every_s:
            is_first = self._last_search == -math.inf
            thorough = True if is_first and self.config.faces > 1 else None
            self._last_search = time
        self._last_look = time
        for detection in self._detector.detect(image, thorough=thorough):
            if _is_among(_square(detection), followed):
                continue
            face = self._approach(grey, detection)
            least = self.config.sure if followed else self.config.gone  # a further face is no need
            if face.confidence >= least and not _is_among(face.box, followed):
                self._take(face, time)
                followed.append(face.box)
                if len(followed) >= self.config.faces:
                    return

    def _take(self, face: Face, time: float) -> None:
        """Follow a face: the nearest of the lost ones it can be, or a new one."""
        lost = [track for track in self._tracks if track.lost]
        known = [track for track in lost if track.can_be(face, time)]
        if known:
            nearest = min(known, key=lambda track: _distance(track.face, face))
            nearest.move(face, time)
            nearest.step = np.zeros(2)
            return
        if len(self._tracks) >= self.config.faces:
            self._tracks.remove(min(lost, key=lambda track: track.seen))
        self._tracks.append(_Track(replace(face, id=self._next_id), time, np.zeros(2)))
        self._next_id += 1

    def _look_near(
        self, image: NDArray[np.generic], box: Box, others: Sequence[Box]
    ) -> Detection | None:
        """The detection closest to where a face was last, if it is no other face's."""
        centre, reach = centre_of(box), 0.5 * _NEAR * side_of(box)
        low = np.floor(centre - reach).clip(0).astype(int)
        high = np.ceil(centre + reach).clip(0).astype(int)
        window = image[low[1] : high[1], low[0] : high[0]]
        if window.size == 0:
            return None
        found = [_moved(detection, low) for detection in self._detector.detect(window)]
        free = [detection for detection in found if not _is_among(_square(detection), others)]
        return min(free, key=lambda d: float(np.linalg.norm(d.center - centre)), default=None)

    def _approach(self, grey: NDArray[np.uint8], detection: Detection) -> Face:
        """Register the face of a detection."""
        centre, side = detection.square()
        return self._fitter.settle(grey, [Crop.around(centre, side, roll=detection.roll)])[0]


def _distance(one: Face, other: Face) -> float:
    return float(np.linalg.norm(one.landmarks.mean(0) - other.landmarks.mean(0)))


def _is_among(box: Box, boxes: Sequence[Box]) -> bool:
    return any(overlap(box, other) > _SAME_FACE for other in boxes)


def _square(detection: Detection) -> Box:
    """Where the detector expects the landmarks."""
    return square_at(*detection.square())


def _moved(detection: Detection, by: NDArray[np.integer]) -> Detection:
    """A detection in a window, in px of the frame that the window begins at (x, y) of."""
    return Detection.around(
        detection.center + by, detection.side, detection.score, detection.keypoints + by
    )
