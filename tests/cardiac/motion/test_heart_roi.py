from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.heart_roi import stack_roi
from facewarp.cardiac.motion.orientation import find_heart_roi
from facewarp.cardiac.parts import PART_NAMES
from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError


class SeesBright:
    """A model that takes for heart what is bright."""

    def __init__(self, shape=(16, 128, 128), kind="heart"):
        spacing = (1.8, 1.8, 10.0) if kind == "heart" else ()
        self.config = ModelConfig(
            kind=kind, classes=PART_NAMES, grid_shape=shape, spacing_mm=spacing,
            input_shape=shape, field_shape=shape,
        )  # fmt: skip

    def on_grid(self, shape):
        return SeesBright(tuple(shape))

    def rough(self):
        return None

    def probabilities(self, images):
        halved = torch.nn.functional.avg_pool3d(images, (1, 2, 2))
        heart = (halved > 0.6).float()
        return torch.cat([1 - heart, heart * 0.2, heart * 0.3, heart * 0.5], 1)


def chest(shape, spacing, center_mm, radius_mm=40.0, affine=None):
    """A bright ball in a dim chest; the centre in mm from the stack's middle."""
    z, y, x = np.indices(shape)
    middle = (np.array(shape[::-1]) - 1) / 2
    away = [
        (axis - m) * s - c
        for axis, m, s, c in zip((x, y, z), middle, spacing, center_mm, strict=True)
    ]
    data = np.where(sum(a**2 for a in away) < radius_mm**2, 1.0, 0.2).astype(np.float32)
    data[:, 0, 0] = 0.1  # no slice is of one value
    matrix = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]) if affine is None else affine
    return Volume(data[None], matrix, None, (), nib.Nifti1Header(), "chest.nii.gz")


@pytest.mark.parametrize("center_mm", [(0, 0), (55, -40), (-90, 80), (130, 0)])
def test_a_heart_is_found_off_the_middle(center_mm):
    volume = chest((10, 230, 240), (1.5, 1.5, 10.0), (*center_mm, 0.0))
    grid = find_heart_roi(SeesBright(), volume)
    middle = grid.to_volume @ [(grid.shape[2] - 1) / 2, (grid.shape[1] - 1) / 2, 0, 1]
    found = (middle[:2] - (np.array([240, 230]) - 1) / 2) * 1.5
    np.testing.assert_allclose(found, center_mm, atol=4.0)
    assert grid.shape[0] == 12  # ten slices and one beyond each end
    assert grid.shape[1:] == (96, 96)  # 80 mm and a margin
    assert grid.inside.any(axis=(1, 2)).sum() == 10


def test_a_large_heart_gets_a_larger_window_up_to_the_models():
    for radius, size in ((70, 112), (95, 128)):
        volume = chest((12, 200, 200), (1.8, 1.8, 10.0), (0, 0, 0), radius)
        assert find_heart_roi(SeesBright(), volume).shape[1:] == (size, size)


def test_the_largest_of_several_bright_things_is_the_heart():
    volume = chest((10, 200, 200), (1.5, 1.5, 10.0), (-30, 10, 0), 35)
    volume.data[:, 3:6, 5:15, 5:15] = 1.0
    grid = find_heart_roi(SeesBright(), volume)
    middle = grid.to_volume @ [(grid.shape[2] - 1) / 2, (grid.shape[1] - 1) / 2, 0, 1]
    np.testing.assert_allclose((middle[:2] - 99.5) * 1.5, (-30, 10), atol=4.0)


def test_thin_slices_are_all_in_the_window():
    volume = chest((60, 100, 100), (1.8, 1.8, 2.0), (0, 0, 0))
    grid = find_heart_roi(SeesBright(), volume)
    ends = [grid.from_volume @ [50, 50, z, 1] for z in (0, 59)]
    assert all(0 <= end[2] <= grid.shape[0] - 1 for end in ends)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (0, 9), (14, 0)])
def test_slices_without_a_picture_are_not_in_the_window(before, after):
    """The heart is looked for in the middle of those that have one."""
    volume = chest((10, 200, 200), (1.5, 1.5, 10.0), (-30, 10, 0), 35)
    own = find_heart_roi(SeesBright(), volume)
    padded = np.pad(volume.data, ((0, 0), (before, after), (0, 0), (0, 0)))
    grid = find_heart_roi(SeesBright(), replace(volume, data=padded))
    assert grid.shape == own.shape
    moved = own.to_volume.copy()
    moved[2, 3] += before
    np.testing.assert_allclose(grid.to_volume, moved, atol=1e-6)


def test_a_window_is_one_that_a_coarser_network_can_be_laid_on():
    model = SeesBright((64, 128, 128))
    model.config = replace(model.config, field_shape=(16, 32, 32))
    for slices in (50, 52, 53):
        volume = chest((slices, 100, 100), (1.8, 1.8, 10.0), (0, 0, 0))
        shape = find_heart_roi(model, volume).shape
        model.config.on_grid(shape)
        assert slices + 2 <= shape[0] < slices + 2 + 4


def test_without_a_heart_the_file_is_named():
    volume = chest((10, 100, 100), (1.8, 1.8, 10.0), (0, 0, 0), radius_mm=8.0)
    with pytest.raises(FacewarpError, match=r"no heart here \(chest"):
        find_heart_roi(SeesBright(), volume)


def test_a_face_model_is_refused():
    volume = chest((10, 100, 100), (1.8, 1.8, 10.0), (0, 0, 0))
    with pytest.raises(FacewarpError, match="kind 'face'"):
        find_heart_roi(SeesBright(kind="face"), volume)


def test_a_heart_model_without_voxel_sizes_is_named_as_such():
    volume = chest((10, 100, 100), (1.8, 1.8, 10.0), (0, 0, 0))
    model = SeesBright()
    model.config = replace(model.config, spacing_mm=())
    with pytest.raises(FacewarpError, match="this heart model tells 0 voxel sizes"):
        find_heart_roi(model, volume)


def test_a_window_of_given_depth():
    volume = chest((10, 100, 100), (1.8, 1.8, 10.0), (0, 0, 0))
    grid = stack_roi(volume, (96, 96), (1.8, 1.8, 10.0), (40.0, 50.0, 0.0), depth=16)
    assert grid.shape == (16, 96, 96)
    assert grid.inside.any(axis=(1, 2)).sum() == 10
