"""LCC-demons: on motions that are known, whatever the grey values have become."""

import numpy as np
import pytest
import torch

from facewarp.core import fields
from facewarp.core.metrics import dice_per_part
from facewarp.errors import FacewarpError
from facewarp.training.baselines.hearts.lcc_demons import (
    DemonsSettings,
    correlation_force,
    lcc_demons,
    velocity_field,
)
from facewarp.training.baselines.hearts.local_correlation import (
    box_window,
    gaussian_window,
    smooth,
    squared_correlation,
    squarings_for,
)

SHAPE = (12, 40, 40)
SPACING_MM = (2.0, 2.0, 4.0)
FAST = DemonsSettings(levels=(2, 1), iterations=(30, 20))


def ball(radius: float = 9.0) -> np.ndarray:
    """Labels of a cavity in a wall."""
    z, y, x = np.indices(SHAPE)
    away = np.sqrt((2 * (z - 5.5)) ** 2 + (y - 19.5) ** 2 + (x - 19.5) ** 2)
    return ((away < radius).astype(np.uint8) + (away < radius + 4)).astype(np.uint8)


def picture(labels: np.ndarray) -> np.ndarray:
    gray = np.array([0.1, 0.45, 0.9], np.float32)[labels]
    wave = 0.05 * np.sin(np.indices(SHAPE).sum(0) / 2.5)
    window = gaussian_window(SHAPE, (0.5, 1, 1))
    smoothed = smooth(torch.from_numpy((gray + wave).astype(np.float32))[None, None], window)
    return smoothed[0, 0].numpy().clip(0, 1)


@pytest.fixture(scope="module")
def found() -> torch.Tensor:
    """Velocities between a ball and a smaller one of other grey values."""
    fixed, moving = picture(ball(9)), picture(ball(6))
    return lcc_demons(fixed, 0.2 + 0.6 * moving, SPACING_MM, FAST)


@pytest.mark.slow
def test_a_shrinking_ball_is_followed_without_folds(found: torch.Tensor) -> None:
    fixed, moving = ball(9), ball(6)
    before = dice_per_part(moving, fixed, 3)
    field = velocity_field(found)
    carried = fields.warp_labels(torch.from_numpy(moving)[None], field, 3)[0].numpy()
    after = dice_per_part(carried.astype(np.uint8), fixed, 3)
    assert (after > before + 0.15).all()
    assert after.min() > 0.85
    assert fields.jacobian_determinant(field).min() > 0


@pytest.mark.slow
def test_both_directions_are_inverse(found: torch.Tensor) -> None:
    there, back = velocity_field(found), velocity_field(-found)
    rest = fields.compose(there, back)[..., 2:-2, 4:-4, 4:-4]
    assert there.abs().max() > 1.5
    assert rest.norm(dim=1).max() < 0.2


@pytest.mark.slow
def test_images_that_are_alike_stay() -> None:
    image = picture(ball())
    velocity = lcc_demons(image, image, SPACING_MM, FAST)
    assert velocity.abs().max() < 0.02


def test_the_force_points_up_the_correlation() -> None:
    fixed, moving = (torch.from_numpy(picture(ball(r)))[None, None] for r in (9, 8))
    window = gaussian_window(SHAPE, (1.5, 3, 3))
    update, before = correlation_force(fixed, moving, window, step_vox=0.5)
    assert update.norm(dim=1).max() <= 0.5 + 1e-5
    field = smooth(update, gaussian_window(SHAPE, (1, 2, 2)))
    _, after = correlation_force(
        fields.warp(fixed, -field / 2), fields.warp(moving, field / 2), window, step_vox=0.5
    )
    assert after > before


def test_flat_images_push_nothing() -> None:
    flat = torch.full((1, 1, *SHAPE), 0.4)
    update, alike = correlation_force(flat, flat, gaussian_window(SHAPE, (1, 2, 2)), 0.5)
    assert not update.any()
    assert alike == 0


@pytest.mark.parametrize(
    "window", [gaussian_window((6, 9, 8), (0, 2, 1)), box_window((6, 9, 8), (1, 5, 3))]
)
def test_windows_keep_what_is_constant(window: list[torch.Tensor]) -> None:
    constant = torch.full((1, 2, 6, 9, 8), 0.7)
    torch.testing.assert_close(smooth(constant, window), constant)


def test_correlation_is_blind_to_brightness_and_contrast() -> None:
    random = torch.Generator().manual_seed(1)
    a, other = torch.rand(2, 1, 1, 8, 16, 16, generator=random)
    window = box_window((8, 16, 16), (3, 7, 7))
    same = squared_correlation(a, 0.9 - 0.5 * a, window, floor=1e-9)
    torch.testing.assert_close(same, torch.ones_like(same), atol=1e-3, rtol=0)
    assert squared_correlation(a, other, window).mean() < 0.1


def test_halvings_are_as_many_as_a_velocity_needs() -> None:
    velocity = torch.zeros(1, 3, 4, 4, 4)
    assert squarings_for(velocity) == 0
    velocity[0, 0, 2, 2, 2] = 3.9
    assert squarings_for(velocity) == 3


def test_volumes_that_do_not_fit_are_refused() -> None:
    image = picture(ball())
    with pytest.raises(FacewarpError, match="can't be registered"):
        lcc_demons(image, image[1:], SPACING_MM)
    broken = image.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(FacewarpError, match="no numbers"):
        lcc_demons(image, broken, SPACING_MM)
