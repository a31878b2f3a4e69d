"""Face detection at several scales.

BlazeFace sees only small squares, so it looks through windows of the frame: first one that holds
all of it, then, if asked, overlapping smaller ones. What it finds is a candidate only: each is
looked at again, turned upright and filling a half and a quarter of the window. A face keeps its
score in both; a pattern that resembled one by chance does not. The closer look also says more
precisely where the face is.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facewarp.errors import FacewarpError
from facewarp.face.blazeface import SIZE, WINDOW, BlazeFace, FaceNetwork
from facewarp.face.boxes import overlap
from facewarp.face.crop import Crop
from facewarp.face.image_formats import to_rgb
from facewarp.face.similarity import rotation
from facewarp.system.closing import Closing
from facewarp.system.installation import install_command

BACKENDS: Final = ("auto", "openvino", "opencv", "mediapipe")
"""What can run the network; auto is OpenVINO where that is installed, else OpenCV."""

_CANDIDATE_SCORE = 0.35  # what scores less at first is not looked at again
# Window per face box, and how far the box must stay where it was (the box of a candidate that fills
# a tenth of its window can be twice too large). The pair of margins that best told faces apart.
_CLOSER_LOOKS = ((3.6, 0.2), (2.0, 0.4))
_SMALLEST_TILE_PX = 128  # finds faces of about 20 px
_SMALLEST_TILE = 1 / 8  # of the frame's longer side
_LEVEL_PX = 32  # of which sides are multiples: the network, which sees every other px, wants 16
_LEVEL_MOST_PX = 4 * 400_000  # of which the network is shown a quarter
_PARTS_SHARE_PX = 96  # a third of a tile, in multiples of _LEVEL_PX
_TILE_STEP = 2 / 3  # of a tile's side: a face that fits a tile's third lies whole in one of them
_TILES_ASK_MORE = 0.1  # score on top of min_confidence: a hundred looks give chance more tries
_UNSURE = 0.8  # upright faces of Helen score less in one case of fifty
_SAME_FACE_IOU = 0.4

# The square that bounds the 68 landmarks, from the features of Detection.square_features(). Least
# squares on the photographs of Helen's training set and AFW, by
# training/release/calibrate_detector.py. On 229 other photographs of Helen the centre is off by 2.6
# % of the side (95th percentile 5.8), the side by 2.8 % (8.8).
_SQUARE_X = (0.1485, -0.2183, 0.1822, 0.0597, 0.2558)
_SQUARE_Y = (-0.0962, -0.0516, -0.2086, 0.2043, 0.6366, -0.0577, 0.0474)
_SQUARE_SIDE = (0.596, -2.1115, 0.7578, -1.3081, 0.6369, 1.7319, 0.1231)


@dataclass(frozen=True, eq=False)
class Detection:
    """A face found in a frame.

    Attributes:
        box: BlazeFace's square from brows to chin as (x0, y0, x1, y1) px of the frame, upright
            even where the face is rolled.
        score: 0..1, the lower of the scores of two closer looks.
        keypoints: (6, 2) px of the frame: eye at the image's left, eye at its right, tip of the
            nose, mouth, ear at the image's left, ear at its right (of an upright face).
    """

    box: tuple[float, float, float, float]
    score: float
    keypoints: NDArray[np.float64]

    @classmethod
    def around(
        cls, center: NDArray[np.float64], side: float, score: float, keypoints: NDArray[np.float64]
    ) -> Self:
        """Detection by the centre and the side of its box, px of the frame."""
        x, y = center.tolist()
        half = side / 2
        return cls((x - half, y - half, x + half, y + half), score, keypoints)

    @property
    def center(self) -> NDArray[np.float64]:
        """(2,) centre of the box, px of the frame."""
        x0, y0, x1, y1 = self.box
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2])

    @property
    def side(self) -> float:
        """Side of the box in px of the frame."""
        return self.box[2] - self.box[0]

    @property
    def roll(self) -> float:
        """Angle of the line through both eyes, radians, positive towards the frame's y axis."""
        dx, dy = self.keypoints[1] - self.keypoints[0]
        return math.atan2(dy, dx)

    def square(self) -> tuple[NDArray[np.float64], float]:
        """Estimate the square that bounds the 68 landmarks along axes turned by ``roll``.

        Returns:
            Its centre, (2,) px of the frame, and its side in px: what ``Crop.around`` asks for.
        """
        sideways, upright = self.square_features()
        offset = (float(sideways @ _SQUARE_X), float(upright @ _SQUARE_Y))
        center = self.center + self.side * (rotation(self.roll) @ offset)
        return center, self.side * float(upright @ _SQUARE_SIDE)

    def square_features(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Keypoints along the face's own axes, from the box's centre, in units of its side.

        Returns:
            (5,) features that change their sign when the face is mirrored, for the square's x:
            sum of the eyes' x, nose x, mouth x, sum of the ears' x, difference of the ears' y.
            (7,) that stay as they are, for its y and side: 1, distance of the eyes, sum of their
            y, nose y, mouth y, difference of the ears' x, sum of their y.
        """
        relative = (self.keypoints - self.center) @ rotation(self.roll) / self.side
        eye, other_eye, nose, mouth, ear, other_ear = relative
        eyes, ears = eye + other_eye, ear + other_ear
        between_eyes, between_ears = other_eye - eye, other_ear - ear
        return (
            np.array([eyes[0], nose[0], mouth[0], ears[0], between_ears[1]]),
            np.array([1, between_eyes[0], eyes[1], nose[1], mouth[1], between_ears[0], ears[1]]),
        )

    def overlap(self, other: "Detection") -> float:
        """Intersection over union of the two boxes, 0..1."""
        return overlap(self.box, other.box)


@dataclass(frozen=True, eq=False)
class Scan:
    """What a thorough search of a frame sights at first, before it looks closer.

    Attributes:
        pyramid: the frame.
        steps: sightings of each step, from the whole frame to its smallest parts.
    """

    pyramid: "Pyramid"
    steps: Sequence[Sequence[Detection]]


class FaceDetector(Closing):
    """Finds faces in frames; it may hold native memory, so close it or use ``with``.

    Example:
        >>> with FaceDetector() as detector:  # doctest: +SKIP
        ...     for face in detector.detect(image):
        ...         crop = Crop.around(*face.square(), roll=face.roll)

    Args:
        min_confidence: faces that score less are not reported; those that only the search of
            tiles finds need 0.1 more. 0.6 keeps 99 of 100 portraits of Helen at any size from
            24 px, and lets none of 95 frames of a cartoon without faces pass.
        backend: what runs the network, one of `BACKENDS`.

    Raises:
        FacewarpError: no such backend, or it is missing or does not load on this machine.
    """

    def __init__(self, min_confidence: float = 0.6, backend: str = "auto") -> None:
        if not 0 < min_confidence < 1:
            raise FacewarpError(f"min_confidence must lie between 0 and 1, got {min_confidence}")
        self.min_confidence = min_confidence
        self._network = make_network(backend, _CANDIDATE_SCORE)

    def detect(
        self,
        image: NDArray[Any],
        *,
        thorough: bool | None = False,
        is_known: Callable[[Detection], bool] = lambda candidate: False,
        scan: Scan | None = None,
    ) -> list[Detection]:
        """Find the faces of a frame.

        Args:
            image: RGB frame HxWx3, or anything else that ``crop.to_rgb`` takes.
            thorough: False looks once at the whole frame and sees faces wider than about a sixth
                of its longer side. True also searches the whole frame upside down and at
                two, four and eight times the size, and overlapping tiles of it where that finds
                nothing. None does so step by step, and
                stops at the first step that finds anything.
            is_known: tells of a first, rough sight of a face whether it needs no closer looks,
                for instance since the face is followed already; it is not reported then.
            scan: of the same image, for a thorough search, if it was made before.

        Returns:
            The faces, best score first; empty if there are none.
        """
        pyramid = Pyramid(to_rgb(image)) if scan is None else scan.pyramid
        by_tiles = not self._network.any_size
        found, is_any_known = self._searched(
            pyramid, thorough, is_known, by_tiles=by_tiles, scan=scan
        )
        if thorough and not (found or is_any_known or by_tiles):
            # Overlapping tiles show a face in several places, and drawn or dark ones in one of them
            found, _ = self._searched(pyramid, thorough, is_known, by_tiles=True)
        return _suppress(found)

    def scan(self, image: NDArray[Any]) -> Scan:
        """Make the first part of a thorough search, which knows of no faces; in any thread."""
        pyramid = Pyramid(to_rgb(image))
        steps = _search(pyramid.shape, whole_only=False, by_tiles=not self._network.any_size)
        return Scan(
            pyramid, [list(itertools.chain(*self._look(pyramid, windows))) for windows in steps]
        )

    def _searched(
        self,
        pyramid: "Pyramid",
        thorough: bool | None,
        is_known: Callable[[Detection], bool],
        *,
        by_tiles: bool,
        scan: Scan | None = None,
    ) -> tuple[list[Detection], bool]:
        """Search step by step; the faces, and whether known ones were seen."""
        found: list[Detection] = []
        is_any_known = False
        steps = _search(pyramid.shape, whole_only=thorough is False, by_tiles=by_tiles)
        for step, windows in enumerate(steps):
            least = self.min_confidence + (_TILES_ASK_MORE if step > 0 else 0.0)
            sighted: Iterable[Detection]
            if scan is None:
                sighted = itertools.chain(*self._look(pyramid, windows))
            else:
                sighted = scan.steps[step]
            for candidate in sighted:
                if is_known(candidate):
                    is_any_known = True
                elif not any(_same(candidate, face) for face in found):
                    found += self._confirm(pyramid, candidate, least)
            if found and thorough is None:
                break
        return found, is_any_known

    def warm_up(self) -> None:
        """Prepare what runs the network, so that no frame waits for it."""
        self._network.warm_up()

    def close(self) -> None:
        """Free what runs the network; the detector can't be used afterwards. Twice is harmless."""
        self._network.close()

    def _look(self, pyramid: "Pyramid", windows: Sequence[Crop]) -> list[list[Detection]]:
        """Run the network, as a batch, on what square windows show."""
        shown = (pyramid.cut(window, WINDOW // SIZE) for window in windows)  # as they are asked for
        return [
            [
                Detection.around(
                    window.to_frame(seen.center),
                    window.scale * seen.side,
                    seen.score,
                    window.to_frame(seen.keypoints),
                )
                for seen in sightings
            ]
            for window, sightings in zip(windows, self._network.look(shown), strict=True)
        ]

    def _confirm(self, pyramid: "Pyramid", candidate: Detection, least: float) -> list[Detection]:
        """Look closer at a candidate; the face as the closest look saw it, or nothing."""
        face = self._look_closer(pyramid, candidate, candidate.roll, least)
        if face is not None and face.score < _UNSURE:
            # Upside down, a mouth and a brow can pass for eyes, but never as well as eyes do.
            turned = self._look_closer(pyramid, candidate, candidate.roll + math.pi, face.score)
            face = turned or face
        return [] if face is None else [face]

    def _look_closer(
        self, pyramid: "Pyramid", face: Detection, roll: float, least: float
    ) -> Detection | None:
        """The face seen closer and closer, with the lowest of its scores; None if below least."""
        score = 1.0
        for margin, least_overlap in _CLOSER_LOOKS:
            window = _window(face.center, margin * face.side, roll)
            seen = max(self._look(pyramid, [window])[0], key=face.overlap, default=None)
            if seen is None or face.overlap(seen) < least_overlap:
                return None
            face, roll, score = seen, seen.roll, min(score, seen.score)
            if score < least:
                return None
        return Detection(face.box, score, face.keypoints)


def make_network(backend: str, min_score: float) -> FaceNetwork:
    """Make what runs the network.

    Args:
        backend: one of `BACKENDS`.
        min_score: sightings that score less are not reported.

    Raises:
        FacewarpError: no such backend, or it is not installed.
    """
    if backend not in BACKENDS:
        raise FacewarpError(
            f"there is no detector {backend!r}", fix=f"Detectors: {', '.join(BACKENDS)}."
        )
    if backend == "mediapipe":
        from facewarp.face.mediapipe_blazeface import MediaPipeBlazeFace

        return MediaPipeBlazeFace(min_score)
    has_openvino = find_spec("openvino") is not None
    if backend == "openvino" and not has_openvino:
        raise FacewarpError(
            "the detector openvino needs the package openvino, which is not installed",
            fix=f"Use --detector auto, or {install_command(packages=['openvino'])}.",
        )
    return BlazeFace(min_score, "openvino" if has_openvino and backend != "opencv" else "opencv")


class Pyramid:
    """A frame with its halvings, made when first needed, so that small windows stay cheap."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._levels = [image]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the frame."""
        return self._levels[0].shape[0], self._levels[0].shape[1]

    def cut(self, window: Crop, every: int = 1) -> NDArray[np.uint8]:
        """Extract a crop from the level whose px are at most as wide as the crop's.

        Args:
            window: the crop.
            every: 2 for every other of its px only.
        """
        wanted = max(0, math.floor(math.log2(window.scale)))
        while len(self._levels) <= wanted and min(self._levels[-1].shape[:2]) > 1:
            fine = self._levels[-1]
            half_h, half_w = fine.shape[0] // 2, fine.shape[1] // 2
            even = fine[: 2 * half_h, : 2 * half_w]
            self._levels.append(cv2.resize(even, (half_w, half_h), interpolation=cv2.INTER_AREA))
        level = min(wanted, len(self._levels) - 1)
        matrix = window.matrix / 2**level
        matrix[:, 2] += 0.5 / 2**level - 0.5
        return Crop(matrix, window.shape).extract(self._levels[level], every=every)


def _window(center: ArrayLike, side_px: float, roll: float = 0.0) -> Crop:
    return Crop.around(center, side_px, roll=roll, margin=1.0, shape=(WINDOW, WINDOW))


def _search(
    shape: tuple[int, int], *, whole_only: bool, by_tiles: bool = True
) -> Iterator[list[Crop]]:
    """Yield windows to look through, step by step from the whole frame to its smallest tiles.

    Args:
        shape: (height, width) of the frame.
        whole_only: the first step alone.
        by_tiles: tiles that overlap; else all tiles of a step as one large window or a few.
    """
    height, width = shape
    longer = max(shape)
    middle = ((width - 1) / 2, (height - 1) / 2)
    yield [_window(middle, longer)]
    if whole_only:
        return
    yield [_window(middle, longer, math.pi)]
    side = longer / 2
    while side >= max(_SMALLEST_TILE_PX, longer * _SMALLEST_TILE):
        if by_tiles:
            yield [
                _window((x, y), side)
                for y in _tile_centers(height, side)
                for x in _tile_centers(width, side)
            ]
        else:
            yield _level(shape, side)
        side /= 2


def _level(shape: tuple[int, int], side: float) -> list[Crop]:
    """The whole frame with its px as large as in a tile of so many px, from its upper left.

    A large one comes in parts, side by side along the longer side, that overlap as tiles do: the
    network holds tens of bytes for each px that it is shown.
    """
    scale = side / WINDOW
    size = [max(math.ceil(length / scale / _LEVEL_PX) * _LEVEL_PX, WINDOW) for length in shape]
    longer = int(size[1] >= size[0])
    length = size[longer]
    parts = math.ceil(size[0] * size[1] / _LEVEL_MOST_PX)
    if parts > 1:
        size[longer] = (
            math.ceil((length + (parts - 1) * _PARTS_SHARE_PX) / parts / _LEVEL_PX) * _LEVEL_PX
        )
    windows = []
    for part in range(parts):
        place = np.full(2, (scale - 1) / 2)
        if parts > 1:  # on the same grid of anchors
            steps = round(part * (length - size[longer]) / (parts - 1) / _LEVEL_PX)
            place[1 - longer] += steps * _LEVEL_PX * scale
        matrix = np.column_stack([scale * np.eye(2), place])
        windows.append(Crop(matrix, (size[0], size[1])))
    return windows


def _tile_centers(length: int, side: float) -> list[float]:
    if length <= side:
        return [(length - 1) / 2]
    steps = math.ceil((length - side) / (side * _TILE_STEP))
    return [side / 2 - 0.5 + (length - side) * i / steps for i in range(steps + 1)]


def _same(one: Detection, other: Detection) -> bool:
    return one.overlap(other) > _SAME_FACE_IOU


def _suppress(found: list[Detection]) -> list[Detection]:
    """Keep the best of those that show the same face, best first."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(_same(face, better) for better in kept):
            kept.append(face)
    return kept
