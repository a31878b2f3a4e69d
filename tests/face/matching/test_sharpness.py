"""Blur of known size is found again."""

import cv2
import numpy as np
import pytest

from facewarp.face.matching.sharpness import camera_blur_px, edge_blur_px


def shapes(size=(90, 200), k=8):
    """Dark ellipses on skin, drawn large and averaged, so that edges are sharp and not jagged."""
    picture = np.full((size[0] * k, size[1] * k), 170, np.uint8)
    for x, y, w, h in ((50, 30, 30, 6), (150, 30, 30, 6), (50, 55, 18, 8), (150, 55, 18, 8)):
        cv2.ellipse(picture, (x * k, y * k), (w * k, h * k), 8, 0, 360, 50, -1)
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("sigma", [0.8, 1.2, 1.8, 2.5])
def test_blur_of_edges_is_measured(sigma):
    blurred = cv2.GaussianBlur(shapes(), (0, 0), sigma)
    assert edge_blur_px(blurred) == pytest.approx(sigma, rel=0.15)


def test_noise_hardly_changes_it():
    blurred = cv2.GaussianBlur(shapes(), (0, 0), 1.8).astype(float)
    noisy = blurred + np.random.default_rng(0).normal(0, 4, blurred.shape)
    assert edge_blur_px(np.rint(noisy).clip(0, 255).astype(np.uint8)) == pytest.approx(1.8, rel=0.3)


def test_a_sharp_face_gives_none_and_a_soft_one_more_the_softer_it_is():
    assert camera_blur_px(shapes(), 130.0) == 0
    found = [camera_blur_px(cv2.GaussianBlur(shapes(), (0, 0), s), 130.0) for s in (1.5, 2.5, 4.0)]
    assert 0.8 < found[0] < found[1] < found[2] < 4.0


def test_large_faces_are_measured_at_a_smaller_size():
    large = cv2.GaussianBlur(shapes((270, 600)), (0, 0), 5.0)
    assert camera_blur_px(large, 500.0) == pytest.approx(0.85 * 4, rel=0.25)


@pytest.mark.parametrize("shape", [(0, 0), (5, 40), (60, 60)])
def test_no_edges_no_blur(shape):
    assert camera_blur_px(np.full(shape, 120, np.uint8), 60.0) == 0
