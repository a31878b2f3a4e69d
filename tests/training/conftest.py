"""A drawn face whose 68 points are known, for tests without photographs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facewarp.face.parts import FacePart
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.datasets.photo import FacePhoto, box_of_masks, box_of_points

# Half a face around (0, 0), 180 px wide and 160 high; the other half mirrors it.
_JAW = [(-80 * np.cos(np.pi * i / 16), -10 + 110 * np.sin(np.pi * i / 16)) for i in range(17)]
_BROW = [(-64, -44), (-54, -52), (-42, -54), (-30, -52), (-18, -48)]
_NOSE = [(0, -25), (0, -8), (0, 8), (0, 25), (-16, 32), (-8, 35), (0, 37), (8, 35), (16, 32)]
_EYE = [(-50, -22), (-41, -28), (-31, -28), (-22, -22), (-31, -17), (-41, -17)]
_LIP = [(-28, 62), (-18, 56), (-7, 52), (0, 54), (7, 52), (18, 56), (28, 62)]
_LIP += [(18, 70), (7, 74), (0, 75), (-7, 74), (-18, 70)]
_INSIDE = [(-24, 62), (-8, 59), (0, 60), (8, 59), (24, 62), (8, 66), (0, 67), (-8, 66)]

# Grey of every part, the same for left and right, so that a mirror keeps it.
GRAYS = np.array([20, 80, 140, 140, 200, 200, 110, 240], dtype=np.uint8)


def drawn_points() -> np.ndarray:
    """(68, 2) points around (0, 0), symmetric."""
    right_brow = [(-x, y) for x, y in reversed(_BROW)]
    right_eye = [(-x, y) for x, y in (_EYE[3], _EYE[2], _EYE[1], _EYE[0], _EYE[5], _EYE[4])]
    rows = _JAW + _BROW + right_brow + _NOSE + _EYE + right_eye + _LIP + _INSIDE
    return np.array(rows, dtype=np.float64)


def drawn_photo(*, with_points: bool = True, scale: float = 1.0) -> FacePhoto:
    """A photograph of 420 x 400 px (times scale) that shows the parts as flat greys."""
    shape = (round(420 * scale), round(400 * scale))
    points = scale * (drawn_points() + np.array([205.0, 210.0]))
    labels = part_masks(points, shape)
    box = box_of_points(points) if with_points else box_of_masks(labels)
    assert box is not None
    return FacePhoto(
        name="drawn",
        path=Path("drawn.png"),
        image=np.asarray(cv2.GaussianBlur(GRAYS[labels], (0, 0), 0.7), dtype=np.uint8),
        masks=None if with_points else labels,
        landmarks=points if with_points else None,
        box_center=box[0],
        box_side=box[1],
    )


@pytest.fixture
def points() -> np.ndarray:
    return drawn_points() + np.array([205.0, 210.0])


@pytest.fixture
def photo() -> FacePhoto:
    return drawn_photo()


@pytest.fixture
def mask_photo() -> FacePhoto:
    return drawn_photo(with_points=False)


@pytest.fixture
def grays() -> np.ndarray:
    return GRAYS


@pytest.fixture
def labels(points: np.ndarray) -> np.ndarray:
    drawn = part_masks(points, (420, 400))
    assert set(np.unique(drawn)) == set(FacePart)
    return drawn
