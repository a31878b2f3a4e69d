"""Hard frames: those of a clip in which effects are likeliest to look wrong.

Each frame is measured as it is tracked - how far the mouth is open, how the head is turned, how
much is hidden -, and of each measure the frame with the most of it is kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.expressions.pose import Camera, PoseSolver
from facewarp.face.face import Face
from facewarp.face.matching.light_color import LUMA
from facewarp.face.matching.scene import Scene

if TYPE_CHECKING:
    from facewarp.core.arrays import ImageArray
    from facewarp.face.template.template import Template
    from facewarp.face.tracking.tracker import FaceTracker

KINDS: Final = (
    "mouth open",
    "eyes shut",
    "hidden above",
    "hidden below",
    "tilted",
    "far",
    "dark",
    "bright",
    "turned left",
    "turned right",
    "colored light",
    "blurred",
)
"""What a frame can be hard by; left and right are the image's."""

_KEPT: Final = 6  # frames of each kind, in case other kinds take the best
_APART: Final = 8  # frames of one clip between two that are shown, where there are others
_OPENING: Final = ((61, 62, 63), (67, 66, 65))
_LIDS: Final = ((37, 38, 43, 44), (41, 40, 47, 46))
_EYE_WIDTHS: Final = ((36, 42), (39, 45))
_OUTER_EYES: Final = (36, 45)
_ABOVE: Final = (*range(17, 28), *range(36, 48))
_BELOW: Final = (*range(5, 12), *range(30, 36), *range(48, 60))


@dataclass(frozen=True, eq=False)
class HardFrame:
    """A frame of a clip, and a face in it.

    Attributes:
        kind: one of `KINDS`: what is hard about it.
        clip: name of the clip.
        number: of the frame, from 0.
        amount: of what it is hard by.
        image: (H, W, 3) uint8 RGB.
        face: as it was tracked; its id is -1, so that effects draw it without a past.
    """

    kind: str
    clip: str
    number: int
    amount: float
    image: "ImageArray"
    face: Face


class HardFrames:
    """Keeps the hardest frames of clips.

    Args:
        template: what faces are registered with.
    """

    def __init__(self, template: "Template") -> None:
        self._poses = PoseSolver(template)
        self._kept: dict[str, list[HardFrame]] = {kind: [] for kind in KINDS}

    def look_at(
        self, frames: Iterable[tuple["ImageArray", float]], clip: str, tracker: "FaceTracker"
    ) -> Iterator[int]:
        """Track a clip and keep its hardest frames; yields the number of each frame.

        Args:
            frames: pictures (H, W, 3) uint8 RGB and their times, s.
            clip: its name.
            tracker: what follows faces; reset before and after.
        """
        tracker.reset()
        for number, (image, time) in enumerate(frames):
            for face in tracker(image, time):
                if face.state != "lost":
                    self.add(image, face, clip, number)
            yield number
        tracker.reset()

    def add(self, image: "ImageArray", face: Face, clip: str, number: int) -> None:
        """Measure a face of a frame and keep it where it is among the hardest."""
        alone = face.changed(id=-1)
        kept_image: ImageArray | None = None
        for kind, amount in self._amounts(image, face).items():
            kept = self._kept[kind]
            if len(kept) >= _KEPT and amount <= kept[-1].amount:
                continue
            kept_image = image.copy() if kept_image is None else kept_image
            kept.append(HardFrame(kind, clip, number, amount, kept_image, alone))
            kept.sort(key=lambda frame: -frame.amount)
            self._kept[kind] = _spread(kept)

    def chosen(self) -> list[HardFrame]:
        """Return a frame of each kind, the hardest that shows no other kind already."""
        chosen: list[HardFrame] = []
        for kind in KINDS:
            fresh = [f for f in self._kept[kind] if not any(_is_near(f, c) for c in chosen)]
            chosen += (fresh or self._kept[kind])[:1]
        return chosen

    def _amounts(self, image: "ImageArray", face: Face) -> dict[str, float]:
        """How hard a face is by each of `KINDS`."""
        points = face.landmarks
        eyes = max(_mean_distance(points, (_OUTER_EYES[0],), (_OUTER_EYES[1],)), 1.0)
        across = np.subtract(*points[list(_OUTER_EYES)[::-1]])
        pose = self._poses.solve(face, Camera((image.shape[1], image.shape[0])))
        yaw = 0.0 if pose is None else pose.angles_deg[1]
        scene = Scene.of(image, face)
        brightness = _brightness(image, face)
        lids = _mean_distance(points, *_LIDS) / max(_mean_distance(points, *_EYE_WIDTHS), 1.0)
        return {
            "mouth open": _mean_distance(points, *_OPENING) / eyes,
            "eyes shut": -lids,
            "turned left": -yaw,
            "turned right": yaw,
            "hidden above": _hidden(face, _ABOVE),
            "hidden below": _hidden(face, _BELOW),
            "tilted": abs(float(np.arctan2(across[1], across[0]))),
            "far": -face.crop.scale,
            "dark": -brightness,
            "bright": brightness,
            "colored light": float(np.abs(np.log(scene.light)).max()),
            "blurred": scene.blur_px / eyes,
        }


def _mean_distance(
    points: NDArray[np.floating], some: tuple[int, ...], others: tuple[int, ...]
) -> float:
    return float(np.linalg.norm(points[list(some)] - points[list(others)], axis=1).mean())


def _hidden(face: Face, landmarks: tuple[int, ...]) -> float:
    """Share of some landmarks that something is before; 0 without a matte."""
    if face.matte is None:
        return 0.0
    rows, columns = face.matte.shape
    at = np.rint(face.crop.to_crop(face.landmarks[list(landmarks)]) / 2).astype(int)
    x, y = at[:, 0].clip(0, columns - 1), at[:, 1].clip(0, rows - 1)
    return 1 - float(face.matte[y, x].mean()) / 255


def _brightness(image: "ImageArray", face: Face) -> float:
    x0, y0, x1, y1 = (max(round(v), 0) for v in face.box)
    inside = image[y0:y1, x0:x1]
    if not inside.size:
        return 128.0
    small = cv2.resize(np.ascontiguousarray(inside), (16, 16), interpolation=cv2.INTER_AREA)
    return float((small @ np.array(LUMA)).mean())


def _is_near(one: HardFrame, other: HardFrame) -> bool:
    return one.clip == other.clip and abs(one.number - other.number) < _APART


def _spread(frames: list[HardFrame]) -> list[HardFrame]:
    """Keep the first of frames that are near each other, and no more than are needed."""
    kept: list[HardFrame] = []
    for frame in frames:
        if len(kept) < _KEPT and not any(_is_near(frame, other) for other in kept):
            kept.append(frame)
    return kept
