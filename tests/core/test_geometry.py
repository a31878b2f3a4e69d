import numpy as np
import pytest
import torch

from facewarp.core.geometry import Grid, pixel_grid, resize_field, resize_image, resize_points


def test_pixel_grid_channels_are_x_then_y_then_z():
    grid = pixel_grid((2, 3, 4))
    assert grid.shape == (1, 3, 2, 3, 4)
    assert grid[0, :, 1, 2, 3].tolist() == [3, 2, 1]


@pytest.mark.parametrize("shape", [(8, 6), (4, 8, 6)])
def test_resizing_a_ramp_agrees_with_resizing_its_points(shape):
    """Pixel values that say where they are must still say so on the resized grid."""
    target = tuple(2 * n for n in shape)
    ramp = resize_image(pixel_grid(shape), target)
    inner = (0, slice(None), *[slice(2, -2)] * len(shape))
    points = pixel_grid(target)[inner].movedim(0, -1).numpy()
    expected = resize_points(points, target, shape)
    np.testing.assert_allclose(ramp[inner].movedim(0, -1).numpy(), expected, atol=1e-5)


def test_shrinking_by_whole_factors_averages():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert resize_image(image, (2, 2))[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_resize_field_scales_values_by_axis():
    field = torch.ones(1, 2, 4, 4)
    resized = resize_field(field, (8, 12))
    assert resized[0, 0].unique().tolist() == [3.0]
    assert resized[0, 1].unique().tolist() == [2.0]
    assert resize_field(field, (4, 4)) is field


@pytest.mark.parametrize(
    "axes",
    [
        np.diag([1.5, 1.5, 8.0]),  # RAS
        np.diag([-1.5, -1.5, 8.0]),  # LPS
        np.array([[1.2, 0.4, 0.0], [-0.4, 1.2, 0.3], [0.1, -0.2, 6.0]]),  # oblique
    ],
)
def test_a_resized_grid_covers_the_same_place_in_the_world(axes):
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = (10, -20, 30)
    grid = Grid((4, 6, 8), affine)
    points = np.array([[0.0, 0, 0], [3.5, 2, 1]])
    half = grid.resized((2, 3, 4))
    moved = resize_points(points, grid.shape, half.shape)
    places = (np.column_stack([one, [1, 1]]) for one in (points, moved))
    there, there_in_half = (p @ g.affine.T for p, g in zip(places, (grid, half), strict=True))
    np.testing.assert_allclose(there_in_half, there, atol=1e-9)
    np.testing.assert_allclose(half.spacing, 2 * grid.spacing)


@pytest.mark.parametrize(
    ("shape", "affine"),
    [((4,), None), ((0, 4), None), ((4, 4), np.zeros((3, 3))), ((4, 4), np.eye(4))],
)
def test_bad_grids_are_refused(shape, affine):
    with pytest.raises(ValueError, match=r"grid|affine"):
        Grid(shape, affine if affine is not None else np.eye(3))
