"""Face parts and landmarks: ids, colors, and their permutation under mirroring."""

from enum import IntEnum
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

_Item = TypeVar("_Item", bound=np.generic)


class FacePart(IntEnum):
    """The paper's seven face parts and the background; left and right are the image's."""

    BACKGROUND = 0
    FACE = 1
    BROW_LEFT = 2
    BROW_RIGHT = 3
    EYE_LEFT = 4
    EYE_RIGHT = 5
    NOSE = 6
    MOUTH = 7


def _read_only(array: NDArray[_Item]) -> NDArray[_Item]:
    array.setflags(write=False)
    return array


LANDMARK_COUNT: Final = 68

#: RGB of every part, (8, 3) uint8; tones of Okabe and Ito, told apart by colour-blind people too.
PART_COLORS: Final[NDArray[np.uint8]] = _read_only(
    np.array(
        [
            (0, 0, 0),
            (86, 180, 233),
            (240, 228, 66),
            (230, 159, 0),
            (0, 158, 115),
            (0, 114, 178),
            (204, 121, 167),
            (213, 94, 0),
        ],
        dtype=np.uint8,
    )
)

#: What part each part becomes in a mirrored image: ``mirrored = MIRROR_PARTS[labels[:, ::-1]]``.
MIRROR_PARTS: Final[NDArray[np.uint8]] = _read_only(
    np.array(
        [
            FacePart.BACKGROUND,
            FacePart.FACE,
            FacePart.BROW_RIGHT,
            FacePart.BROW_LEFT,
            FacePart.EYE_RIGHT,
            FacePart.EYE_LEFT,
            FacePart.NOSE,
            FacePart.MOUTH,
        ],
        dtype=np.uint8,
    )
)

#: Order of the 68 iBUG landmarks after a mirror: ``mirrored = flipped_points[MIRROR_LANDMARKS]``.
MIRROR_LANDMARKS: Final[NDArray[np.intp]] = _read_only(
    np.array(
        [
            *range(16, -1, -1),  # jaw
            *range(26, 16, -1),  # brows
            *range(27, 31),  # ridge of the nose
            *range(35, 30, -1),  # base of the nose
            *(45, 44, 43, 42, 47, 46),  # eyes
            *(39, 38, 37, 36, 41, 40),
            *range(54, 47, -1),  # outer lip, above and below
            *range(59, 54, -1),
            *range(64, 59, -1),  # inner lip, above and below
            *range(67, 64, -1),
        ],
        dtype=np.intp,
    )
)


def mirrored_points(landmarks: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mirror landmarks (68, 2) of an image ``width`` px wide, and reorder them."""
    flipped = landmarks[MIRROR_LANDMARKS].copy()
    flipped[:, 0] = width - 1 - flipped[:, 0]
    return flipped
