"""Patches lie in the face's own pose, and look alike in any light."""

import cv2
import numpy as np
import pytest

from facewarp.face.details.patches import EYE_ROWS, PATCH_PX, PatchLayout, cut_patches
from facewarp.face.similarity import inverse, rotation


@pytest.fixture
def layout(template):
    return PatchLayout(template.landmarks)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_patches_turn_and_grow_with_the_face(template, layout, angle):
    points = 0.7 * template.landmarks @ rotation(angle).T + (40, 90)
    for frame, part, rows in zip(
        layout.frames(points),
        (slice(48, 68), slice(36, 42), slice(42, 48)),
        (PATCH_PX, EYE_ROWS, EYE_ROWS),
        strict=True,
    ):
        inside = cv2.transform(points[None, part], inverse(frame))[0]
        np.testing.assert_allclose(inside.mean(0), [(PATCH_PX - 1) / 2, (rows - 1) / 2], atol=1e-6)
        assert inside.min() > 2
        assert inside[:, 0].max() < PATCH_PX - 3
        assert inside[:, 1].max() < rows - 3


def test_both_eyes_look_like_one_kind_of_eye(template, layout):
    points = template.landmarks
    _, left, right = layout.frames(points)
    eyes = [
        cv2.transform(points[None, part], inverse(frame))[0]
        for part, frame in (([36, 37, 38, 39, 40, 41], left), ([45, 44, 43, 42, 47, 46], right))
    ]
    np.testing.assert_allclose(*eyes, atol=0.3)


def test_light_changes_nothing(template, layout, rng):
    gray = cv2.GaussianBlur(rng.uniform(0, 255, (320, 260)).astype(np.float32), (0, 0), 4)
    gray = cv2.normalize(gray, None, 20, 120, cv2.NORM_MINMAX)
    frames = layout.frames(template.landmarks)
    dark, bright = (
        cut_patches((gain * gray).round().astype(np.uint8), frames) for gain in (1.0, 2.0)
    )
    assert dark.shape == (2, 1, PATCH_PX, PATCH_PX)
    np.testing.assert_allclose(dark, bright, atol=0.05)
