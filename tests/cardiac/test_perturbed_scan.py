from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.perturbed_scan import noise_level, perturbed


@pytest.fixture
def volume(rng):
    """A smooth picture with noise of a known level."""
    y, x = np.meshgrid(np.arange(48.0), np.arange(50.0), indexing="ij")
    smooth = 300 + 200 * np.sin(x / 9) * np.cos(y / 11)
    data = smooth + rng.normal(0, 12, (3, 4, 48, 50))
    header = nib.Nifti1Header()
    return Volume(data.astype(np.float32), np.eye(4), None, (), header, Path("x.nii.gz"))


def test_the_noise_is_found(volume):
    assert noise_level(volume.data) == pytest.approx(12, rel=0.1)


def test_a_copy_is_another_look_at_the_same_picture(volume):
    copy = perturbed(volume, np.random.default_rng(1))
    assert copy.data.shape == volume.data.shape
    assert copy.affine is volume.affine
    assert np.corrcoef(copy.data.ravel(), volume.data.ravel())[0, 1] > 0.9
    assert np.abs(copy.data - volume.data).mean() > 5
    assert noise_level(copy.data) > 8
    again = perturbed(volume, np.random.default_rng(1))
    np.testing.assert_array_equal(again.data, copy.data)
    other = perturbed(volume, np.random.default_rng(2))
    assert np.abs(other.data - copy.data).mean() > 5


def test_an_empty_picture_stays_as_it_is(volume):
    from dataclasses import replace

    dark = replace(volume, data=np.zeros_like(volume.data))
    assert perturbed(dark, np.random.default_rng(1)) is dark
