"""Patches of mouth and eyes: where they lie on a registered face, and how they are cut.

A patch lies in the face's own pose: turned and scaled by the similarity that takes the template's
landmarks to the face's, its middle where the registration has that of the mouth's or the eye's
points. Two pictures of 64 x 64 px are read: the mouth, and both eyes, one above the other, the
image-right one mirrored, so that the network sees one kind of eye.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.similarity import Affine, compose_affine, fit_similarity

KIND: Final = "face-details"
"""Kind of the detail networks' configurations."""
CLASSES: Final = ("other", "upper_lip", "inner_mouth", "lower_lip", "eye", "hidden")
"""What a detail network tells apart; `hidden` is what lies before the face."""
PATCH_PX: Final = 64
EYE_ROWS: Final = 32
"""Height of an eye's patch; its width is `PATCH_PX`."""
CELL_PX: Final = 2
"""Patch px a cell of what the network says, along either side."""
EYE_RIM_PX: Final = 1.5
"""Patch px around an eye's outline that count as eye: the line where shut lids meet stays."""

MOUTH_POINTS: Final = slice(48, 68)  # iBUG
EYE_POINTS: Final = (slice(36, 42), slice(42, 48))  # at the image's left and right

_MOUTH_WIDTH, _EYE_WIDTH = 1.09, 0.51  # of a patch, in distances of the outer eye corners
_LEVEL, _CONTRAST = 0.5, 0.2  # mean and standard deviation of a patch's gray values
_LEAST_CONTRAST = 4.0  # gray levels
_FRAME_CORNERS = (36, 45)


class PatchLayout:
    """Where the patches of a face lie.

    Args:
        reference: the template's landmarks (68, 2).
    """

    def __init__(self, reference: Points) -> None:
        self._reference = np.asarray(reference, np.float64)
        self._unit = float(np.linalg.norm(np.subtract(*self._reference[list(_FRAME_CORNERS)])))

    def frames(self, landmarks: Points) -> tuple[Affine, Affine, Affine]:
        """Return the maps from patch px to px of the landmarks: mouth, left and right eye.

        Args:
            landmarks: (68, 2) of the face, px of any picture.
        """
        points = np.asarray(landmarks, np.float64)
        pose = fit_similarity(self._reference, points)[:, :2]
        mouth = _frame(pose, _MOUTH_WIDTH * self._unit, points[MOUTH_POINTS], PATCH_PX)
        left, right = (
            _frame(pose, _EYE_WIDTH * self._unit, points[part], EYE_ROWS) for part in EYE_POINTS
        )
        return mouth, left, compose_affine(right, _MIRROR)


def cut_patches(
    gray: NDArray[np.uint8], frames: tuple[Affine, Affine, Affine]
) -> NDArray[np.float32]:
    """Cut the two pictures that the network reads, (2, 1, 64, 64) of mean 0.5.

    Args:
        gray: the picture.
        frames: see `PatchLayout.frames`.
    """
    mouth, left, right = frames
    eyes = [normalized(cut_patch(gray, frame, EYE_ROWS)) for frame in (left, right)]
    pictures = [normalized(cut_patch(gray, mouth, PATCH_PX)), np.concatenate(eyes)]
    return np.stack(pictures)[:, None]


def cut_patch(gray: NDArray[np.uint8], frame: Affine, rows: int) -> NDArray[np.uint8]:
    """Cut one patch (rows, 64); where that shrinks the picture, it is averaged."""
    fine = float(np.hypot(*frame[:, 0])) > 1.2
    scale = 2 if fine else 1
    inside = np.array([[1 / scale, 0, (1 / scale - 1) / 2], [0, 1 / scale, (1 / scale - 1) / 2]])
    patch = cv2.warpAffine(
        gray,
        compose_affine(frame, inside),
        (PATCH_PX * scale, rows * scale),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fine:
        patch = cv2.resize(patch, (PATCH_PX, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, np.uint8)


def normalized(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale a patch to the same mean and contrast as any other, float32 0..1."""
    mean, deviation = cv2.meanStdDev(patch)
    gain = _CONTRAST / max(float(deviation[0, 0]), _LEAST_CONTRAST)
    values = patch.astype(np.float32) * np.float32(gain)
    return (values + np.float32(_LEVEL - gain * float(mean[0, 0]))).clip(0, 1)


def _frame(pose: NDArray[np.float64], width: float, points: Points, rows: int) -> Affine:
    """The map from patch px: a patch about points, ``width`` template px wide."""
    linear = pose * (width / PATCH_PX)
    middle = np.array([(PATCH_PX - 1) / 2, (rows - 1) / 2])
    return np.column_stack([linear, points.mean(axis=0) - linear @ middle])


_MIRROR: Affine = np.array([[-1.0, 0.0, PATCH_PX - 1.0], [0.0, 1.0, 0.0]])
