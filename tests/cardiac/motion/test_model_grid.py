from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import ModelGrid, model_input, normalize
from facewarp.cardiac.short_axis import short_axis_order, to_view

ISO = (9, 24, 20)  # D, H, W


def volume_of(data, affine, tmp_path):
    return Volume(data, np.asarray(affine, float), None, (), nib.Nifti1Header(), tmp_path)


def smooth(rng, shape):
    return ndimage.gaussian_filter(rng.standard_normal(shape), 1.5).astype(np.float32)


def turned(data, affine, order, signs):
    """The same volume stored with its axes (x, y, z) in another order and direction."""
    stored = data.transpose(*(2 - axis for axis in order[::-1]))  # z, y, x of the new one
    matrix = affine.copy()
    matrix[:3, :3] = affine[:3, order]
    for axis, sign in enumerate(signs):
        if sign < 0:
            stored = np.flip(stored, 2 - axis)
            matrix[:3, 3] += matrix[:3, axis] * (stored.shape[2 - axis] - 1)
            matrix[:3, axis] *= -1
    return np.ascontiguousarray(stored), matrix


@pytest.mark.parametrize("outside", ["zero", "edge"])
@pytest.mark.parametrize("order", ["linear", "nearest"])
def test_both_ways_of_resampling_agree_with_scipy(rng, tmp_path, order, outside):
    """Aligned axes are resampled one by one, others point by point: the same numbers."""
    data = smooth(rng, ISO)
    linear = np.diag([1.3, 0.9, 1.1])
    for matrix in (linear, linear + np.array([[0, 0.2, 0], [0, 0, 0.03], [0.02, 0, 0]])):
        to_volume = np.eye(4)
        to_volume[:3, :3], to_volume[:3, 3] = matrix, (-1.13, 2.21, 0.07)
        grid = ModelGrid((7, 15, 14), (1.0, 1.0, 1.0), ISO, to_volume)
        places = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij")[::-1])
        places = np.tensordot(matrix, places, 1) + to_volume[:3, 3].reshape(3, 1, 1, 1)
        expected = ndimage.map_coordinates(
            data, places[::-1], order=int(order == "linear"), mode="nearest"
        )
        sizes = np.array(ISO[::-1]).reshape(3, 1, 1, 1)
        inside = ((places >= -0.5) & (places <= sizes - 0.5)).all(axis=0)
        got = grid.sample(data, order)
        np.testing.assert_allclose(got, np.where(inside, expected, 0), atol=1e-5)
        back = ModelGrid(ISO, (1.0, 1.0, 1.0), grid.shape, np.linalg.inv(to_volume))
        there = back.to_volume_grid(data, order, outside)
        np.testing.assert_allclose(there[inside], expected[inside], atol=1e-5)
        assert (outside == "zero") == (not there[~inside].any())


@pytest.mark.parametrize("shift", [-40.0, -3.25, 0.0, 2.5, 40.0])
@pytest.mark.parametrize("step", [0.3, 1.0, 2.7, -1.5])
@pytest.mark.parametrize("outside", ["zero", "edge"])
def test_grids_within_around_and_beyond_a_volume_are_resampled(rng, shift, step, outside):
    """Only what lies between the ends is computed; the rest repeats them, whichever lies where."""
    values = rng.random((2, 1, 5, 9), dtype=np.float32)
    there = np.eye(4)
    there[[0, 1], [0, 1]], there[:2, 3] = step, shift
    shape, count = (3, 40, 33), np.arange(40)
    grid = ModelGrid((1, 5, 9), (1.0, 1.0, 1.0), shape, np.linalg.inv(there))
    found = grid.to_volume_grid(values, outside=outside)
    y, x = (step * count[: shape[axis]] + shift for axis in (1, 2))
    places = np.meshgrid(np.clip(y, 0, 4), np.clip(x, 0, 8), indexing="ij")
    for one, source in zip(found, values, strict=True):
        expected = ndimage.map_coordinates(source[0].astype(float), places, order=1)
        if outside == "zero":
            expected[(y < -0.5 - 1e-5) | (y > 4.5 + 1e-5)] = 0
            expected[:, (x < -0.5 - 1e-5) | (x > 8.5 + 1e-5)] = 0
        np.testing.assert_allclose(one[0], expected, atol=1e-5)
        np.testing.assert_array_equal(one[1], one[0] if outside == "edge" else 0 * one[0])


def test_leading_axes_are_carried_along(rng, tmp_path):
    data = smooth(rng, (2, 3, *ISO))
    volume = volume_of(data[0], np.diag([-2.0, -2.0, 8.0, 1.0]), tmp_path)
    grid = ModelGrid.around(volume, (10, 16, 16))
    assert grid.sample(data).shape == (2, 3, 10, 16, 16)
    np.testing.assert_allclose(grid.sample(data)[1, 2], grid.sample(data[1, 2]), atol=1e-6)


@pytest.mark.parametrize("slices", [6, 7, 8, 10, 13])
@pytest.mark.parametrize("depth", [12, 16])
def test_slices_of_the_right_distance_are_taken_as_they_are(rng, tmp_path, slices, depth):
    data = smooth(rng, (slices, 40, 40))
    for z in (10.0, -10.0):
        volume = volume_of(data, np.diag([-1.8, -1.8, z, 1.0]), tmp_path)
        grid = ModelGrid.around(volume, (depth, 40, 40))
        seen = grid.sample(data)
        filled = np.flatnonzero(seen.any(axis=(1, 2)))
        count = min(slices, depth)
        assert len(filled) == count
        assert abs(filled[0] + filled[-1] - (depth - 1)) <= 1  # in the middle
        kept = data[::-1] if z < 0 else data
        start = (slices - count + 1) // 2 if slices > depth else 0
        np.testing.assert_allclose(seen[filled], kept[start : start + count], atol=1e-6)


def test_a_model_sees_the_same_however_a_volume_is_stored(rng, tmp_path):
    """All 48 orders and directions of the axes; the slices are told by their distance."""
    data, affine = smooth(rng, (7, 30, 26)), np.diag([-1.4, -1.5, 9.0, 1.0])
    affine[:3, 3] = (12, -40, 55)
    expected = model_input(data, ModelGrid.around(volume_of(data, affine, tmp_path), (9, 24, 22)))
    assert expected.std() > 0.1
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        stored, matrix = turned(data, affine, list(order), signs)
        volume = volume_of(stored, matrix, tmp_path)
        grid = ModelGrid.around(volume, (9, 24, 22))
        np.testing.assert_allclose(model_input(stored, grid), expected, atol=1e-5)


def test_rotated_short_axes_get_the_usual_orientation():
    """Scanner coordinates of a short-axis stack, its axes stored in every order and direction."""
    angles = np.radians([42.0, -28.0])  # of the long axis: to the left, and down
    apex = np.array([-np.sin(angles[0]), np.cos(angles[0]), 0]) * np.cos(angles[1])
    apex[2] = np.sin(angles[1])
    right = np.cross(apex, [0, 0, 1.0])
    right *= np.sign(-right[0]) / np.linalg.norm(right)  # towards the left ventricle
    down = np.cross(right, apex)
    assert down[2] < 0
    affine = np.eye(4)
    affine[:3, :3] = np.stack([1.4 * right, 1.4 * down, 8.0 * apex], axis=-1)
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        matrix = affine.copy()
        matrix[:3, :3] = affine[:3, list(order)] * signs
        turn = short_axis_order(matrix, stack=order.index(2))
        back = (matrix[:3, :3] @ turn) / np.linalg.norm(matrix[:3, :3] @ turn, axis=0)
        np.testing.assert_allclose(back, affine[:3, :3] / [1.4, 1.4, 8.0], atol=1e-6)


@pytest.mark.parametrize("shear", [0.0, 0.15])
def test_a_shift_in_mm_is_that_shift_in_the_volume(rng, tmp_path, shear):
    affine = np.diag([-1.4, 1.1, 7.0, 1.0])
    affine[0, 2] = 7.0 * shear
    volume = volume_of(np.zeros((8, 60, 50), np.float32), affine, tmp_path)
    grid = ModelGrid.around(volume, (10, 32, 32), (2.0, 2.0, 7.0))
    shift = np.array([1.0, -2.0, 0.5])  # voxels of the grid
    field = np.broadcast_to(shift.reshape(3, 1, 1, 1), (3, *grid.shape))
    in_volume = grid.field_to_volume(field.astype(np.float32))
    assert in_volume.shape == (3, 8, 60, 50)
    world = np.tensordot(affine[:3, :3], in_volume, 1)
    assert np.ptp(world.reshape(3, -1), axis=1).max() < 1e-4  # beyond the window, too
    length = np.linalg.norm(world[:, 0, 0, 0])
    assert length == pytest.approx(np.linalg.norm(shift * grid.spacing_mm), rel=1e-4)
    back = grid.from_volume @ np.array([*in_volume[:, 4, 30, 25], 0.0])
    np.testing.assert_allclose(back[:3], shift, atol=1e-4)


def test_resized_and_part_grids_are_the_same_place(rng, tmp_path):
    data = smooth(rng, (8, 40, 40))
    volume = volume_of(data, np.diag([-1.4, -1.4, 8.0, 1.0]), tmp_path)
    grid = ModelGrid.around(volume, (8, 32, 32))
    half = grid.resized((8, 16, 16))
    assert half.spacing_mm == (3.6, 3.6, 10.0)
    center = np.array([15.5, 15.5, 3.5, 1.0])
    np.testing.assert_allclose(
        half.to_volume @ [7.5, 7.5, 3.5, 1.0], grid.to_volume @ center, atol=1e-9
    )
    box = (slice(None), slice(5, 30), slice(11, 37))
    values = rng.standard_normal(half.shape)
    np.testing.assert_allclose(
        half.on_part(box).to_volume_grid(values), half.to_volume_grid(values)[box], atol=1e-5
    )


def test_gray_values_become_0_to_1_of_what_is_inside(rng):
    data = rng.uniform(50, 150, (3, 4, 30, 30)).astype(np.float32)
    inside = np.ones((4, 30, 30), bool)
    inside[0] = False
    scaled = normalize(np.where(inside, data, 0), inside)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert not scaled[:, 0].any()
    assert abs(np.median(scaled[:, 1:]) - 0.5) < 0.05
    np.testing.assert_allclose(normalize(3 * data + 7), normalize(data), atol=1e-5)
    assert not normalize(np.full((2, 3, 3), 7.0, np.float32)).any()


@pytest.mark.parametrize("aside_mm", [1.0, 3.0, 6.0, 9.0, 15.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_slices_shifted_sideways_are_turned_by_whole_axes(tmp_path, rng, aside_mm, axis):
    affine = np.diag([-1.5, -1.5, 10.0, 1.0])
    affine[axis, 2] += aside_mm
    volume = volume_of(smooth(rng, (8, 30, 30)), affine, tmp_path)
    grid = ModelGrid.around(volume, (8, 24, 24), turn=short_axis_order(affine))
    np.testing.assert_array_equal(np.abs(grid.turn).sum(axis=0), 1)
    np.testing.assert_array_equal(np.abs(grid.turn).sum(axis=1), 1)
    assert to_view(volume.data, grid.turn).shape == volume.shape
