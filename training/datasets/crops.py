"""Crops and pairs of the face evaluation, the same for every method."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.datasets.photo import FacePhoto

MARGIN_RANGE = (1.7, 2.3)
SHIFT_RANGE = (-0.12, 0.12)


@dataclass(frozen=True)
class FaceCrop:
    """A photograph cropped to the model's input size.

    Attributes:
        name: the photograph's name.
        image: (320, 260) uint8 grey.
        labels: (320, 260) uint8 `FacePart` ids.
        landmarks: (68, 2) (x, y) px of the crop, or None.
        matrix: (2, 3) float64, maps crop px (x, y, 1) to px of the photograph.
    """

    name: str
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    landmarks: NDArray[np.float64] | None
    matrix: NDArray[np.float64]


def protocol_crop(photo: FacePhoto, rng: np.random.Generator) -> FaceCrop:
    """Crop a photograph by the evaluation protocol.

    The crop's height is 1.7 to 2.3 times the side of the square that bounds the 68 points, its
    centre that square's moved by up to 0.12 sides each way. Three uniform random numbers are
    used, in this order: height, shift in x, shift in y.

    Args:
        photo: the photograph; its parts are rasterized in the crop if it has landmarks, else
            resampled by the nearest pixel.
        rng: random generator.

    Returns:
        The crop; beyond the photograph's border its pixels are repeated, labels are background.
    """
    margin = rng.uniform(*MARGIN_RANGE)
    shift_x = rng.uniform(*SHIFT_RANGE)
    shift_y = rng.uniform(*SHIFT_RANGE)
    center = np.array(photo.box_center) + photo.box_side * np.array([shift_x, shift_y])
    return cut(photo, Crop.around(center, photo.box_side, margin=margin).matrix)


def load_test_crops(photos: Sequence[FacePhoto], seed: int = 0) -> list[FaceCrop]:
    """Crop all photographs by the protocol, in order, with one `default_rng(seed)`."""
    rng = np.random.default_rng(seed)
    return [protocol_crop(photo, rng) for photo in photos]


def evaluation_pairs(n: int) -> list[tuple[int, int]]:
    """Return the (fixed, moving) indices of n crops: each with the next, the last with the first.

    Raises:
        ValueError: fewer than two.
    """
    if n < 2:
        raise ValueError(f"pairs need at least 2 photographs, not {n}")
    return [(i, (i + 1) % n) for i in range(n)]


def cut(photo: FacePhoto, matrix: NDArray[np.float64]) -> FaceCrop:
    """Crop a photograph by a (2, 3) map of crop px to photograph px, resampling once."""
    size = (CROP_SHAPE[1], CROP_SHAPE[0])
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    image = photo.image
    if scale > 1:
        image = cv2.GaussianBlur(image, (0, 0), max(0.01, 0.5 * np.sqrt(scale**2 - 1)))
    image = cv2.warpAffine(
        image,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    landmarks = None
    if photo.landmarks is not None:
        landmarks = to_crop(photo.landmarks, matrix)
    if photo.masks is not None:
        labels = cv2.warpAffine(
            photo.masks, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        )
    else:
        assert landmarks is not None
        labels = part_masks(landmarks, CROP_SHAPE)
    return FaceCrop(
        photo.name,
        np.asarray(image, dtype=np.uint8),
        np.asarray(labels, dtype=np.uint8),
        landmarks,
        matrix,
    )


def to_crop(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (N, 2) photograph points to the crop of a (2, 3) crop-to-photograph map."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.asarray((points - matrix[:, 2]) @ inverse.T, dtype=np.float64)
