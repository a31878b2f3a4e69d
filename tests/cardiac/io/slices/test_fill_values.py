"""Voxels that hold no picture."""

import numpy as np
import pytest
from scipy import ndimage

from facewarp.cardiac.io.slices.fill_values import (
    about_overrun,
    as_picture,
    in_range,
    of_one_scale,
    without_fill,
)
from facewarp.errors import FacewarpError


@pytest.fixture
def scan(rng):
    return np.rint(rng.gamma(2, 150, (3, 4, 24, 24))).astype(np.float32)


@pytest.mark.parametrize("fill", [-1000, -32768, 20000])
def test_a_fill_becomes_as_dark_as_the_darkest(scan, fill):
    masked = scan.copy()
    masked[..., :5] = fill
    found, said = without_fill(masked)
    np.testing.assert_array_equal(found[..., 5:], scan[..., 5:])
    assert (found[..., :5] == scan[..., 5:].min()).all()
    assert f"21 % of the voxels hold {fill}" in said


@pytest.mark.parametrize("kind", ["plain", "air of 0", "spikes", "two values", "constant"])
def test_pictures_stay_as_they_are(scan, kind):
    if kind == "air of 0":
        scan[..., :5] = 0
    elif kind == "spikes":
        scan[0, 0, 0, :3] = 30000
    elif kind == "two values":
        scan = np.where(scan > 300, 1, 0).astype(np.float32)
    elif kind == "constant":
        scan[:] = 7
    found, said = without_fill(scan)
    assert found is scan
    assert said == ""


def heart_like(rng):
    """(2, 4, 60, 64) of 0 to 1400: bright disks on a darker ground, as soft as scans are."""
    y, x = np.mgrid[:60, :64]
    bright = sum(
        (np.hypot(y - 20 - 6 * k, x - 18 - 10 * k) < 9) * (500 + 150 * k) for k in range(3)
    )
    soft = ndimage.gaussian_filter(bright + 0.1 * y * x, 1.2)
    return np.rint(np.abs(soft + rng.normal(0, 15, (2, 4, 60, 64))))


@pytest.mark.parametrize("least", [33000, 60000])
def test_unsigned_values_read_as_signed_are_said(rng, least):
    """What a program does that takes uint16 for int16: 32768 becomes -32768."""
    bright = heart_like(rng)
    bright = (bright * least / np.quantile(bright, 0.99)).clip(0, 65535)
    cut = bright.astype(np.uint16).view(np.int16).astype(np.float32)
    said = about_overrun(cut)
    assert "cut to 16 bits, so that 32768 became -32768; read the values as unsigned" in said
    assert about_overrun(bright.astype(np.uint16).astype(np.float32)) == ""
    signed = np.rint(bright / bright.max() * 65535 - 32768).astype(np.float32)
    assert about_overrun(signed) == ""


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_values_cut_to_8_bits_are_said(rng, kind):
    """What astype does to larger values: 256 becomes 0."""
    cut = heart_like(rng).astype(np.int64).astype(kind).astype(np.float32)
    assert "cut to 8 bits" in about_overrun(cut)


def test_values_scaled_to_8_bits_or_limited_are_not_spoken_of(rng):
    image = heart_like(rng)
    for limit in (image.max(), np.percentile(image, 95), np.percentile(image, 70)):
        scaled = np.floor(np.minimum(image / limit, 1) * 255).astype(np.float32)
        assert about_overrun(scaled) == ""
    assert about_overrun(image.astype(np.float32)) == ""


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e12, 1e33])
def test_values_of_odd_scales_are_brought_to_a_usual_one(scan, scale):
    """Of 1e33 squares were infinite, and the motion nonsense."""
    odd = (scan * np.float32(scale / 1e3)) * np.float32(1e3)
    found, said = in_range(odd)
    assert 100 < np.quantile(found, 0.99) < 1e4
    assert "times as large" in said
    np.testing.assert_allclose(found / found.max(), odd / odd.max(), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e5])
def test_values_of_usual_scales_and_stray_ones_stay(scan, scale):
    usual = (scan * scale).astype(np.float32)
    usual[0, 0, 3, 3] = 1e30
    assert in_range(usual)[0] is usual
    assert in_range(np.zeros_like(scan))[1] == ""


def test_a_picture_is_one_for_every_command(scan, tmp_path):
    masked = scan.copy()
    masked[..., :5] = -1000
    found, said = as_picture(masked, tmp_path)
    assert found.min() >= 0
    assert len(said) == 1
    with pytest.raises(FacewarpError, match="looks like CT"):
        as_picture(np.where(masked < 0, scan / 5 - 1000, scan).astype(np.float32), tmp_path)
    with pytest.raises(FacewarpError, match="these are labels"):
        as_picture(np.rint(scan / scan.max() * 3), tmp_path)


@pytest.fixture
def chest(rng):
    """(5, 8, 48, 48) of tissue everywhere, a little darker from slice to slice."""
    tissue = ndimage.gaussian_filter(rng.uniform(50, 900, (8, 48, 48)), (0, 2, 2)) + 100
    beat = 1 + 0.05 * np.sin(2 * np.pi * np.arange(5) / 5)
    dimmer = 0.95 ** np.arange(8)
    return (tissue * beat[:, None, None, None] * dimmer[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("factor", [0.02, 0.4, 3.0])
def test_a_phase_or_slice_of_another_scale_is_brought_to_that_of_the_others(chest, factor):
    """Of a phase of a hundredth EF was 100 %, of a dark slice the right ventricle's 53 for 39 %."""
    assert of_one_scale(chest)[0] is chest
    odd = chest.copy()
    odd[:, 4] *= factor
    odd[2] *= factor
    found, said = of_one_scale(odd)
    np.testing.assert_allclose(found, chest, rtol=0.15)
    assert f"phase 3 ({factor:.2g}"[:9] in said
    assert "slice 5 (" in said


def test_a_picture_of_something_else_keeps_its_scale(chest):
    """Slices beyond a heart that was cut out, an implant, air: nothing is said of them."""
    for change in (
        lambda data: data[:, 4, :20, :20].__imul__(30),
        lambda data: data[:, :, :, :30].__imul__(0),
        lambda data: data[:, 0].__imul__(0),
    ):
        other = chest.copy()
        change(other)
        assert of_one_scale(other)[1] == ""
