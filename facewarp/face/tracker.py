"""FaceTracker: follows faces through frames and registers each with the template, both ways."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.core import fields
from facewarp.core.geometry import resize_field
from facewarp.core.model import Model, load
from facewarp.errors import FacewarpError
from facewarp.face.crop import Crop, to_grey
from facewarp.face.detector import Detection, FaceDetector
from facewarp.face.groupwise import template_guidance
from facewarp.face.template import Template

State = Literal["tracking", "uncertain", "lost"]
FloatField = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    Attributes:
        id: the same for the same face from frame to frame.
        state: ``"tracking"``; ``"uncertain"`` when the face fits the template badly; ``"lost"``
            when it is not there any more: landmarks and fields are then those last seen.
        confidence: agreement of the template's warped labels with the parts the network sees in
            the frame, 0 to 1; 0 when lost.
        box: (x0, y0, x1, y1) of the landmarks, frame px.
        landmarks: (68, 2) frame px.
        crop: the window of the frame that was registered.
        field: (2, 320, 260) crop px; fixed = frame, moving = template: what the crop shows at p
            the template has at ``p + field(p)``.
        field_from_template: (2, 320, 260) crop px; fixed = template, moving = frame.
        probabilities: (8, h, w) the network's own part probabilities of the crop.
        folds_percent: share of the face's pixels where ``field`` folds.
    """

    id: int
    state: State
    confidence: float
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]
    crop: Crop
    field: FloatField
    field_from_template: FloatField
    probabilities: FloatField
    folds_percent: float


@dataclass(frozen=True)
class TrackerConfig:
    """When the tracker believes, doubts and gives up.

    Attributes:
        faces: how many faces to follow at most.
        margin: the crop's height in sides of the square around the landmarks (training: 1.6-2.4).
        sure: confidence from which a face counts as tracked.
        unsure: confidence below which the detector is asked whether there is a face at all.
        gone: confidence below which a result is not a face.
        search_every_s: how often to look for further faces while some are missing.
        remember_s: how long a lost face keeps its id.
    """

    faces: int = 5
    margin: float = 2.0
    sure: float = 0.62
    unsure: float = 0.52
    gone: float = 0.40
    search_every_s: float = 0.5
    remember_s: float = 5.0


@dataclass
class _Track:
    """What is remembered of a face between frames."""

    id: int
    face: Face
    seen: float
    shift: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    misses: int = 0

    @property
    def lost(self) -> bool:
        return self.face.state == "lost"


class FaceTracker:
    """One engine for live, video and pictures.

    Args:
        template: a shipped template's name, a ``.npz`` file or a :class:`Template`.
        model: a shipped model's name, a weights file or a :class:`Model`.
        faces: how many faces to follow.
        device: where the model runs.
        config: further settings; ``faces`` overrides its own.
        detector: a detector to share; otherwise the tracker makes and closes its own.

    Example:
        >>> tracker = FaceTracker(template="average")
        >>> faces = tracker(image, time=0.0)  # doctest: +SKIP
    """

    def __init__(
        self,
        template: str | Path | Template = "average",
        model: str | Path | Model = "face",
        *,
        faces: int = 5,
        device: str = "cpu",
        config: TrackerConfig | None = None,
        detector: FaceDetector | None = None,
    ) -> None:
        if faces < 1:
            raise FacewarpError(f"a tracker follows at least one face, not {faces}")
        self.config = replace(config or TrackerConfig(), faces=faces)
        self.template = template if isinstance(template, Template) else Template.load(template)
        self.model = model if isinstance(model, Model) else load(model, device)
        if self.model.config.kind != "face":
            raise FacewarpError(
                f"the model registers {self.model.config.kind}s, not faces",
                self.model.path,
                "choose a face model",
            )
        self._guidance = template_guidance(self.model, self.template.probabilities)
        self._detector = detector or FaceDetector()
        self._owns_detector = detector is None
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._last_search = -math.inf
        self._last_time = -math.inf

    def __call__(self, image: NDArray[np.generic], time: float = 0.0) -> list[Face]:
        """Find and register the faces of the next frame.

        Args:
            image: H x W [x 1, 3 or 4] frame, RGB where it has colour.
            time: the frame's time in seconds; a step back starts anew.

        Returns:
            The faces followed, lost ones included, by id.
        """
        if time < self._last_time:
            self.reset()
        self._last_time = time
        grey = to_grey(image)
        active = [track for track in self._tracks if not track.lost]
        crops = [self._next_crop(track) for track in active]
        found = self._register(grey, crops)
        for track, face in zip(active, found, strict=True):
            self._update(track, face, time)
        self._search(image, grey, time)
        self._tracks = [t for t in self._tracks if time - t.seen <= self.config.remember_s]
        return [track.face for track in sorted(self._tracks, key=lambda track: track.id)]

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._tracks = []
        self._next_id = 0
        self._last_search = self._last_time = -math.inf

    def register(self, image: NDArray[np.generic], crop: Crop) -> Face:
        """Register what a crop shows with the template, without following anything."""
        return self._register(to_grey(image), [crop])[0]

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

    def _next_crop(self, track: _Track) -> Crop:
        """Where the face should be by now: its last landmarks, moved on by half its last step."""
        points = track.face.landmarks + 0.5 * track.shift
        return Crop.around_points(points, margin=self.config.margin)

    def _update(self, track: _Track, face: Face, time: float) -> None:
        if face.confidence < self.config.gone:
            track.misses += 1
            track.shift = np.zeros(2)
            uncertain = replace(track.face, state="uncertain", confidence=face.confidence)
            track.face = uncertain if track.misses < 3 else _lost(track.face)
            return
        track.misses = 0
        moved = face.landmarks.mean(0) - track.face.landmarks.mean(0)
        reach = 0.25 * (face.box[2] - face.box[0])
        track.shift = moved if np.linalg.norm(moved) < reach else np.zeros(2)
        track.face = replace(face, id=track.id)
        track.seen = time

    def _search(self, image: NDArray[np.generic], grey: NDArray[np.uint8], time: float) -> None:
        """Ask the detector when a face is doubtful, missing, or may have come in."""
        doubtful = [t for t in self._tracks if not t.lost and self._doubtful(t)]
        sure = len(self._tracks) - len(doubtful) - sum(t.lost for t in self._tracks)
        if sure >= self.config.faces:
            return
        due = time - self._last_search >= self.config.search_every_s
        nobody = sure == 0
        if not (nobody or due):
            return
        if due:
            self._last_search = time
        detections = self._detector.detect(image, thorough=None if nobody and due else False)
        for detection in detections:
            self._take(detection, grey, time)
        for track in doubtful:
            confirmed = any(_covers(d, track.face) for d in detections)
            if not confirmed and track.face.confidence < self.config.unsure:
                track.face = _lost(track.face)

    def _doubtful(self, track: _Track) -> bool:
        return track.misses > 0 or track.face.confidence < self.config.unsure

    def _take(self, detection: Detection, grey: NDArray[np.uint8], time: float) -> None:
        """Give a detection to the track it belongs to, or start a new one."""
        followed = [t for t in self._tracks if not t.lost and _covers(detection, t.face)]
        if any(not self._doubtful(t) for t in followed):
            return
        face = self._approach(grey, detection)
        if face is None:
            return
        near = [t for t in self._tracks if not t.lost and _overlap(t.face.box, face.box) > 0.3]
        if any(not self._doubtful(t) and t not in followed for t in near):
            return
        if followed:
            if face.confidence > followed[0].face.confidence:
                self._update(followed[0], face, time)
            return
        lost = [t for t in self._tracks if t.lost]
        if lost:
            nearest = min(lost, key=lambda t: _distance(t.face, face))
            nearest.face = replace(face, id=nearest.id)
            nearest.shift, nearest.misses, nearest.seen = np.zeros(2), 0, time
        elif len(self._tracks) < self.config.faces:
            self._tracks.append(_Track(self._next_id, replace(face, id=self._next_id), time))
            self._next_id += 1

    def _approach(self, grey: NDArray[np.uint8], detection: Detection) -> Face | None:
        """Register a detection, and again on the crop that the first result suggests."""
        centre, side = detection.square()
        crop = Crop.around(centre, side, roll=detection.roll, margin=self.config.margin)
        face = self._register(grey, [crop])[0]
        if face.confidence < 0.5 * self.config.gone:
            return None
        again = Crop.around_points(face.landmarks, margin=self.config.margin)
        face = self._register(grey, [again])[0]
        return face if face.confidence >= self.config.gone else None

    @torch.inference_mode()
    def _register(self, grey: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Face]:
        if not crops:
            return []
        cut = np.stack([crop.extract(grey) for crop in crops])
        parts = self.model.probabilities(torch.from_numpy(cut).float()[:, None] / 255)
        template = self._guidance.expand(len(crops), -1, -1, -1)
        both = self.model.fields(torch.cat([parts, template]), torch.cat([template, parts])).cpu()
        onto, back = both.chunk(2)
        warped = fields.warp(template, resize_field(onto, tuple(parts.shape[2:])))
        confidences = agreement(warped, parts.cpu())
        folds = face_folds(onto, warped)
        start = torch.from_numpy(self.template.landmarks).float()[None].expand(len(crops), -1, -1)
        shape = self.model.config.grid_shape
        onto, back = resize_field(onto, shape), resize_field(back, shape)
        points = fields.warp_points(start, back).double().numpy()
        faces = []
        for i, crop in enumerate(crops):
            landmarks = crop.to_frame(points[i])
            low, high = landmarks.min(0), landmarks.max(0)
            confidence = float(confidences[i])
            faces.append(
                Face(
                    id=-1,
                    state="tracking" if confidence >= self.config.sure else "uncertain",
                    confidence=confidence,
                    box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
                    landmarks=landmarks,
                    crop=crop,
                    field=np.ascontiguousarray(onto[i].numpy()),
                    field_from_template=np.ascontiguousarray(back[i].numpy()),
                    probabilities=np.ascontiguousarray(parts[i].cpu().numpy()),
                    folds_percent=float(folds[i]),
                )
            )
        return faces


def agreement(warped: Tensor, parts: Tensor) -> Tensor:
    """Confidence of registrations: mean soft Dice of the parts, template's against the frame's.

    Args:
        warped: the template's labels carried onto the crop ``(B, 8, h, w)``.
        parts: the network's part probabilities of the crop, same shape.

    Returns:
        ``(B,)`` in 0..1; parts that the template does not show in the crop do not count.
    """
    overlap = torch.minimum(warped, parts).sum((2, 3))[:, 1:]
    total = (warped + parts).sum((2, 3))[:, 1:]
    dice = 2 * overlap / total.clamp(min=1e-6)
    there = warped.sum((2, 3))[:, 1:] > 1
    return (dice * there).sum(1) / there.sum(1).clamp(min=1)


def face_folds(field: Tensor, warped: Tensor) -> Tensor:
    """Percent of the face's pixels ``(B,)`` whose Jacobian determinant is not positive."""
    shape = tuple(warped.shape[2:])
    folds = (fields.jacobian_determinant(resize_field(field, shape)) <= 0) & (warped[:, 0] < 0.5)
    return 100 * folds.sum((1, 2)) / (warped[:, 0] < 0.5).sum((1, 2)).clamp(min=1)


def _lost(face: Face) -> Face:
    return replace(face, state="lost", confidence=0.0)


def _covers(detection: Detection, face: Face) -> bool:
    return _overlap(detection.box, face.box) > 0.2


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)


def _distance(a: Face, b: Face) -> float:
    return float(np.linalg.norm(a.landmarks.mean(0) - b.landmarks.mean(0)))
