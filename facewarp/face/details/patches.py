"""Patches of mouth and eyes: where they lie on a registered face, and how they are cut.

A patch lies in the face's own pose: turned and scaled by the similarity that takes the template's
landmarks to the face's, its middle where the registration has that of the mouth's or the eye's
points. Two pictures of 64 x 64 px are read: the mouth, and both eyes, one above the other, the
image-right one mirrored, so that the network sees one kind of eye.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.similarity import Affine, SimilarityFit

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
        reference = np.asarray(reference, np.float64)
        self._fit = SimilarityFit(reference)
        self._unit = float(np.linalg.norm(np.subtract(*reference[list(_FRAME_CORNERS)])))

    def frames(self, landmarks: Points) -> tuple[Affine, Affine, Affine]:
        """Return the maps from patch px to px of the landmarks: mouth, left and right eye.

        Args:
            landmarks: (68, 2) of the face, px of any picture.
        """
        points = np.asarray(landmarks, np.float64)
        (cos, _, _), (sin, _, _) = self._fit(points).tolist()
        turn = complex(cos, sin)
        mouth, left, right = _MIDDLES @ points
        wide, narrow = _MOUTH_WIDTH * self._unit, _EYE_WIDTH * self._unit
        return (
            _frame(turn, wide, mouth, PATCH_PX),
            _frame(turn, narrow, left, EYE_ROWS),
            _frame(turn, narrow, right, EYE_ROWS, is_mirrored=True),
        )


def cut_patches(
    gray: NDArray[np.uint8], frames: tuple[Affine, Affine, Affine]
) -> NDArray[np.float32]:
    """Cut the two pictures that the network reads, (2, 1, 64, 64) of mean 0.5.

    Args:
        gray: the picture.
        frames: see `PatchLayout.frames`.
    """
    mouth, left, right = frames
    pictures = np.empty((2, 1, PATCH_PX, PATCH_PX), np.float32)
    first, second = pictures[:, 0]
    for frame, picture in ((mouth, first), (left, second[:EYE_ROWS]), (right, second[EYE_ROWS:])):
        normalized(cut_patch(gray, frame, len(picture)), picture)
    return pictures


def cut_patch(gray: NDArray[np.uint8], frame: Affine, rows: int) -> NDArray[np.uint8]:
    """Cut one patch (rows, 64); where that shrinks the picture, it is averaged."""
    (a, b, x), (c, d, y) = frame.tolist()
    fine = math.hypot(a, c) > 1.2
    scale = 2 if fine else 1
    step, first = 1 / scale, (1 / scale - 1) / 2
    patch = cv2.warpAffine(
        gray,
        np.array(
            [
                [step * a, step * b, first * (a + b) + x],
                [step * c, step * d, first * (c + d) + y],
            ]
        ),
        (PATCH_PX * scale, rows * scale),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fine:
        patch = cv2.resize(patch, (PATCH_PX, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(patch, np.uint8)


def normalized(
    patch: NDArray[np.uint8], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Scale a patch to the same mean and contrast as any other, float32 0..1.

    Args:
        patch: gray values.
        out: where to; None makes an array.
    """
    mean, deviation = cv2.meanStdDev(patch)
    gain = _CONTRAST / max(float(deviation[0, 0]), _LEAST_CONTRAST)
    values = np.multiply(patch, np.float32(gain), out=out, dtype=np.float32)
    values += np.float32(_LEVEL - gain * float(mean[0, 0]))
    np.maximum(values, 0, out=values)
    return np.minimum(values, 1, out=values)


def _frame(
    turn: complex, width: float, middle: Points, rows: int, *, is_mirrored: bool = False
) -> Affine:
    """Return the map from patch px: a patch about a point (2,), ``width`` template px wide.

    Args:
        turn: the pose's turn and scale.
        width: see above.
        middle: of the patch.
        rows: of the patch.
        is_mirrored: whether the patch's x runs the other way.
    """
    (x, y), turn = middle.tolist(), turn * (width / PATCH_PX)
    start = complex(x, y) - turn * complex((PATCH_PX - 1) / 2, (rows - 1) / 2)
    across, down = turn, turn * 1j
    if is_mirrored:
        start, across = start + (PATCH_PX - 1) * turn, -turn
    return np.array([[across.real, down.real, start.real], [across.imag, down.imag, start.imag]])


_MIDDLES: Final = np.zeros((3, 68))
for _row, _part in zip(_MIDDLES, (MOUTH_POINTS, *EYE_POINTS), strict=True):
    _row[_part] = 1 / (_part.stop - _part.start)
