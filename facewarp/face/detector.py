"""Face detection at several scales.

BlazeFace sees only small squares, so it looks through windows of the frame: first one that holds
all of it, then, if asked, windows about places that a smaller network proposes (`search`). What it
finds is a candidate only: each is looked at again, turned upright and filling a half and a quarter
of the window. A face keeps its score in both; a pattern that resembled one by chance does not. The
closer look also says more precisely where the face is.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.blazeface import SIZE, WINDOW, BlazeFace, FaceNetwork, Sighting
from facewarp.face.boxes import overlap
from facewarp.face.crop import Crop
from facewarp.face.image_formats import to_rgb
from facewarp.face.search.mosaic import (
    FIRST_SIGHT,
    FURTHER_SIGHTS,
    TILES,
    Sight,
    mosaics,
    place_in,
    tile_at,
)
from facewarp.face.search.proposals import Proposal, ProposalNetwork
from facewarp.face.search.windows import Pyramid, whole, window_at
from facewarp.face.similarity import rotation
from facewarp.system.closing import Closing
from facewarp.system.installation import install_command

BACKENDS: Final = ("auto", "openvino", "opencv", "mediapipe")
"""What can run the network; auto is OpenVINO where that is installed, else OpenCV."""

_CANDIDATE_SCORE = 0.35  # what scores less at first is not looked at again
# Window per face box, and how far the box must stay where it was (the box of a candidate that fills
# a tenth of its window can be twice too large). The pair of margins that best told faces apart.
_CLOSER_LOOKS = ((3.6, 0.2), (2.0, 0.4))
_SEARCH_ASKS_MORE = 0.1  # score on top of min_confidence: many looks give chance more tries
_TRIED_AGAIN = 0.5  # score of a proposal from which it is looked at from other distances too
_MOST_TRIED_AGAIN = 4
_MOST_LOOKED_AT = 14  # closer, of what is sighted then
_UNSURE = 0.8  # upright faces of Helen score less in one case of fifty
_SAME_FACE_IOU = 0.4
_LARGE = 0.5  # of the frame's shorter side: a face that the frame may cut off on all sides
_LARGE_SIGHTS = (1.0, 1.4)  # windows in which such a face is sighted, in longer sides of the frame

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
        """Make a detection from the centre and the side of its box, px of the frame."""
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
        steps: sightings in the whole frame, in that upside down, and at the places proposed.
        proposals: these places, once the steps are gone through.
    """

    pyramid: Pyramid
    steps: Iterable[Sequence[Detection]]
    proposals: Sequence[Proposal]


class FaceDetector(Closing):
    """Finds faces in frames; it may hold native memory, so close it or use ``with``.

    Example:
        >>> with FaceDetector() as detector:  # doctest: +SKIP
        ...     for face in detector.detect(image):
        ...         crop = Crop.around(*face.square(), roll=face.roll)

    Args:
        min_confidence: faces that score less are not reported; those that only a thorough search
            finds need 0.1 more. 0.6 keeps 99 of 100 portraits of Helen at any size from
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
        self._propose = make_proposals(backend)

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
                of its longer side. True also searches the whole frame upside down, and for faces
                from about a fiftieth of its longer side; where nothing is found, promising places
                are looked at from several distances. None does so step by step, and stops at the
                first step that finds anything.
            is_known: tells of a first, rough sight of a face whether it needs no closer looks,
                for instance since the face is followed already; it is not reported then.
            scan: of the same image, for a thorough search, if it was made before.

        Returns:
            The faces, best score first; empty if there are none.
        """
        scan = scan or self._scan_of(image, thorough)
        found: list[Detection] = []
        is_any_known = False
        for step, sighted in enumerate(scan.steps):
            least = self.min_confidence + (_SEARCH_ASKS_MORE if step > 0 else 0.0)
            for candidate in sighted:
                if is_known(candidate):
                    is_any_known = True
                elif not any(_same(candidate, face) for face in found):
                    found += self._confirm(scan.pyramid, candidate, least)
            if found and thorough is None:
                break
        if thorough and not (found or is_any_known):
            # Drawn, dark or half hidden faces score enough from one distance, and not from another.
            doubted = [one for one in scan.proposals if one.score >= _TRIED_AGAIN][
                :_MOST_TRIED_AGAIN
            ]
            sighted = self._sight(scan.pyramid, doubted, FURTHER_SIGHTS)
            least = self.min_confidence + _SEARCH_ASKS_MORE
            for candidate in sorted(sighted, key=lambda one: -one.score)[:_MOST_LOOKED_AT]:
                if not any(_same(candidate, face) for face in found):
                    found += self._confirm(scan.pyramid, candidate, least)
        return _suppress(found)

    def cut_off(self, image: NDArray[Any]) -> Detection | None:
        """Sight a face that fills the frame and is cut off by it, without the closer looks.

        Its score stays low in them, so that the registration has to tell whether it is a face.

        Args:
            image: see `detect`.
        """
        pyramid = Pyramid(to_rgb(image))
        height, width = pyramid.shape
        middle, longer = ((width - 1) / 2, (height - 1) / 2), max(height, width)
        windows = [window_at(middle, share * longer) for share in _LARGE_SIGHTS]
        sighted = [one for found in self._look(pyramid, windows) for one in found]
        large = [one for one in sighted if one.side > _LARGE * min(height, width)]
        return max(large, key=lambda one: one.score, default=None)

    def scan(self, image: NDArray[Any]) -> Scan:
        """Make the first part of a thorough search, which knows of no faces; in any thread."""
        scan = self._scan_of(image, thorough=True)
        return replace(scan, steps=list(scan.steps))

    def _scan_of(self, image: NDArray[Any], thorough: bool | None) -> Scan:
        """Return a scan whose steps are made when they are asked for."""
        pyramid, proposals = Pyramid(to_rgb(image)), list[Proposal]()

        def steps() -> Iterator[list[Detection]]:
            yield self._look(pyramid, [whole(pyramid.shape)])[0]
            if thorough is not False:
                yield self._look(pyramid, [whole(pyramid.shape, math.pi)])[0]
                proposals.extend(self._propose(pyramid))
                yield self._sight(pyramid, proposals, [FIRST_SIGHT])

        return Scan(pyramid, steps(), proposals)

    def _sight(
        self, pyramid: Pyramid, proposals: Sequence[Proposal], sights: Sequence[Sight]
    ) -> list[Detection]:
        """Look at the places that are proposed, four in one picture."""
        windows = [tile_at(proposal, sight) for proposal in proposals for sight in sights]
        found = []
        looked = self._network.look(mosaics(pyramid, windows))
        for start, sightings in zip(range(0, len(windows), TILES), looked, strict=True):
            for seen in sightings:
                index, corner = place_in(seen.center)
                if start + index < len(windows):
                    found.append(_in_frame(seen, windows[start + index], corner))
        return found

    def warm_up(self) -> None:
        """Prepare what runs the network, so that no frame waits for it."""
        self._network.warm_up()
        self._propose.warm_up()

    def close(self) -> None:
        """Free what runs the network; the detector can't be used afterwards. Twice is harmless."""
        self._network.close()

    def _look(self, pyramid: Pyramid, windows: Sequence[Crop]) -> list[list[Detection]]:
        """Run the network, as a batch, on what square windows show."""
        shown = (pyramid.cut(window, WINDOW // SIZE) for window in windows)  # as they are asked for
        return [
            [_in_frame(seen, window) for seen in sightings]
            for window, sightings in zip(windows, self._network.look(shown), strict=True)
        ]

    def _confirm(self, pyramid: Pyramid, candidate: Detection, least: float) -> list[Detection]:
        """Look closer at a candidate; the face as the closest look saw it, or nothing."""
        face = self._look_closer(pyramid, candidate, candidate.roll, least)
        if face is not None and face.score < _UNSURE:
            # Upside down, a mouth and a brow can pass for eyes, but never as well as eyes do.
            turned = self._look_closer(pyramid, candidate, candidate.roll + math.pi, face.score)
            face = turned or face
        return [] if face is None else [face]

    def _look_closer(
        self, pyramid: Pyramid, face: Detection, roll: float, least: float
    ) -> Detection | None:
        """Look at a face closer and closer: its lowest score counts, None if below least."""
        score = 1.0
        for margin, least_overlap in _CLOSER_LOOKS:
            window = window_at(face.center, margin * face.side, roll)
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
    if backend == "openvino" and usual_backend() != "openvino":
        raise FacewarpError(
            "the detector openvino needs the package openvino, which is not installed",
            fix=f"Use --detector auto, or {install_command(packages=['openvino'])}.",
        )
    return BlazeFace(min_score, "opencv" if backend == "opencv" else usual_backend())


def make_proposals(backend: str) -> ProposalNetwork:
    """Make what proposes places: on OpenVINO where that is installed and OpenCV not asked for."""
    return ProposalNetwork("opencv" if backend == "opencv" else usual_backend())


def usual_backend() -> Literal["openvino", "opencv"]:
    """Return what ``auto`` means here."""
    return "openvino" if find_spec("openvino") is not None else "opencv"


def _in_frame(seen: Sighting, window: Crop, corner: NDArray[np.float64] | float = 0.0) -> Detection:
    """Return what was sighted in a window, or in a mosaic from a corner on, in frame px."""
    return Detection.around(
        window.to_frame(seen.center - corner),
        window.scale * seen.side,
        seen.score,
        window.to_frame(seen.keypoints - corner),
    )


def _same(one: Detection, other: Detection) -> bool:
    return one.overlap(other) > _SAME_FACE_IOU


def _suppress(found: list[Detection]) -> list[Detection]:
    """Keep the best of those that show the same face, best first."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(_same(face, better) for better in kept):
            kept.append(face)
    return kept
