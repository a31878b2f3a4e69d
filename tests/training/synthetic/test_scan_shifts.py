"""Made shifts are what they say: amounts, places and labels that stay true."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError
from facewarp.training.synthetic import scan_shifts
from facewarp.training.synthetic.beating_heart import BeatingHeart, beating_cine
from facewarp.training.synthetic.scan_shifts import SHIFTS, STRENGTHS, Scan, chosen_shifts

SPACING_MM = (2.0, 2.5, 10.0)


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A drawn heart at two phases, in the middle of other numbers than 1 and 0."""
    cine = beating_cine(BeatingHeart(), 2, (8, 64, 72), SPACING_MM, seed=3)
    affine = np.diag([-2.0, -2.5, 10.0, 1.0])
    affine[:3, 3] = 30.0, 40.0, -20.0
    images = (600 * cine.images).astype(np.float32)
    return Scan(images, cine.labels, affine)


def places_mm(scan: Scan) -> dict[int, np.ndarray]:
    """Sorted places in the world of the voxels of each part, in every phase."""
    found = {}
    for part in (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV):
        _, z, y, x = np.nonzero(scan.labels == part)
        points = np.stack([x, y, z, np.ones_like(x)]).T @ scan.affine.T
        found[part] = np.array(sorted(np.round(points[:, :3], 6).tolist()))
    return found


@pytest.mark.parametrize("kind", SHIFTS)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_shift_is_pure_and_repeats_with_its_seed(scan, kind, strength) -> None:
    before = scan.images.copy(), scan.labels.copy(), scan.affine.copy()
    first, again = SHIFTS[kind](scan, strength, 5), SHIFTS[kind](scan, strength, 5)
    for kept, now in zip(before, (scan.images, scan.labels, scan.affine), strict=True):
        np.testing.assert_array_equal(kept, now)
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.images.shape == first.labels.shape
    assert (first.images.dtype, first.labels.dtype) == (np.float32, np.uint8)
    assert np.isfinite(first.images).all()
    if SHIFTS[kind].keeps_place:
        assert first.images.shape == scan.images.shape
        np.testing.assert_array_equal(first.affine, scan.affine)
    changed = first.images.shape != scan.images.shape or (first.images != scan.images).any()
    assert changed


@pytest.mark.parametrize("kind", ["bias", "noise", "ghosting", "blur", "contrast", "matrix"])
def test_labels_stay_where_only_gray_values_change(scan, kind) -> None:
    np.testing.assert_array_equal(SHIFTS[kind](scan, "strong").labels, scan.labels)


@pytest.mark.parametrize("snr", [20.0, 5.0])
def test_noise_has_the_signal_to_noise_ratio_asked_for(scan, snr) -> None:
    flat = replace(scan, images=np.full_like(scan.images, 400.0))
    noisy = scan_shifts.noise(flat, snr, np.random.default_rng(1)).images
    assert 400 / noisy.std() == pytest.approx(snr, rel=0.03)
    air = replace(scan, images=np.where(scan.labels > 0, scan.images, 0).astype(np.float32))
    background = scan_shifts.noise(air, snr, np.random.default_rng(1)).images[scan.labels == 0]
    sigma = scan_shifts.blood_signal(air) / snr
    assert background.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)  # Rayleigh


@pytest.mark.parametrize("ratio", [1.5, 4.0])
def test_a_bias_field_is_smooth_positive_and_has_its_ratio(scan, ratio) -> None:
    flat = replace(scan, images=np.ones_like(scan.images))
    field = scan_shifts.bias_field(flat, ratio, np.random.default_rng(2)).images
    assert field.max() / field.min() == pytest.approx(ratio, rel=0.02)
    np.testing.assert_array_equal(field[0], field[1])
    steps = np.abs(np.diff(np.log(field[0]), axis=2))
    assert steps.max() < 2 * np.log(ratio) / field.shape[-1]


def test_ghosts_are_copies_of_the_share_asked_for(scan) -> None:
    point = np.zeros_like(scan.images)
    point[:, :, 20, 30] = 100.0
    ghosts = scan_shifts.ghosting(replace(scan, images=point), 0.2, np.random.default_rng(0)).images
    row = ghosts[0, 0, :, 30]
    assert row[20] == pytest.approx(100, rel=0.05)
    row = np.delete(row, 20)
    assert np.sort(row)[-2:].sum() == pytest.approx(2 * 20, rel=0.3)
    assert (ghosts[0, 0, :, 29] < 1e-3).all()


def test_blur_has_its_width_in_mm_along_both_axes(scan) -> None:
    point = np.zeros_like(scan.images)
    point[:, :, 32, 36] = 1.0
    spread = scan_shifts.blur(replace(scan, images=point), 4.0, np.random.default_rng(0)).images
    y, x = np.indices(spread.shape[2:])
    for axis, size_mm in ((x - 36, 2.0), (y - 32, 2.5)):
        assert np.sqrt((spread[0, 0] * axis**2).sum()) * size_mm == pytest.approx(4.0, rel=0.05)


def test_less_contrast_brings_muscle_nearer_to_blood(scan) -> None:
    def ratio(images: np.ndarray) -> float:
        wall, blood = (images[scan.labels == p].mean() for p in (2, 3))
        return float(blood / wall)

    ratios = [ratio(SHIFTS["contrast"](scan, strength).images) for strength in STRENGTHS]
    assert ratio(scan.images) > ratios[0] > ratios[1] > ratios[2] > 1


def test_a_coarse_matrix_keeps_no_finer_detail_than_its_pixels(scan) -> None:
    coarse = scan_shifts.coarse_matrix(scan, 6.0, np.random.default_rng(0)).images
    x = np.arange(72)
    fine, broad = (np.cos(2 * np.pi * x * 2.0 / mm) for mm in (8.0, 24.0))
    waves = np.broadcast_to(3 + fine + broad, scan.images.shape).astype(np.float32)
    seen = scan_shifts.coarse_matrix(replace(scan, images=waves), 6.0, np.random.default_rng(0))
    assert seen.images.max() == pytest.approx(4, abs=0.05)  # the wave of 8 mm is gone
    assert coarse.mean() == pytest.approx(scan.images.mean(), rel=0.01)


@pytest.mark.parametrize("strength", ["mild", "middle"])
def test_turned_axes_leave_the_heart_where_it_is(scan, strength) -> None:
    turned = SHIFTS["axes"](scan, strength)
    for part, places in places_mm(scan).items():
        np.testing.assert_allclose(places_mm(turned)[part], places, atol=1e-6)
    assert not np.array_equal(turned.affine, scan.affine)


def test_a_silent_affine_mirrors_the_heart(scan) -> None:
    lying = SHIFTS["axes"](scan, "strong")
    told = scan_shifts.turned(scan, swap=True)
    np.testing.assert_array_equal(lying.images, told.images)
    assert np.linalg.det(lying.affine[:3, :3]) * np.linalg.det(told.affine[:3, :3]) < 0
    assert lying.spacing_mm == pytest.approx(told.spacing_mm)


@pytest.mark.parametrize("flip", [False, True])
def test_missing_ends_are_those_of_base_and_apex(scan, flip) -> None:
    given = scan_shifts.turned(scan, flips=(False, False, flip))
    shown = np.flatnonzero((given.labels == HeartPart.LV).any(axis=(0, 2, 3)))
    sizes = [(given.labels[:, z] == HeartPart.LV).sum() for z in shown]
    base_first = sizes[0] > sizes[-1]
    for strength, at_base, count in (("mild", 0, 1), ("middle", 1, 1), ("strong", 1, 2)):
        cut = SHIFTS["coverage"](given, strength)
        kept = (cut.labels == HeartPart.LV).any(axis=(0, 2, 3)).sum()
        assert kept == len(shown) - count
        first_moved = not np.allclose(cut.affine, given.affine)
        assert first_moved == (base_first == bool(at_base))
        mine, whole = places_mm(cut)[HeartPart.LV], places_mm(given)[HeartPart.LV]
        assert set(map(tuple, mine)) < set(map(tuple, whole))


def test_thick_slices_keep_volumes_and_places(scan) -> None:
    thick = SHIFTS["thick"](scan, "strong")
    assert thick.images.shape[1] == scan.images.shape[1] // 2
    assert thick.spacing_mm[2] == pytest.approx(20)
    assert thick.images.mean() == pytest.approx(scan.images.mean(), rel=1e-4)
    before, after = (
        (one.labels == HeartPart.LV).sum() * np.prod(one.spacing_mm) for one in (scan, thick)
    )
    assert after == pytest.approx(before, rel=0.2)
    z = [np.average(places_mm(one)[HeartPart.LV][:, 2]) for one in (scan, thick)]
    assert z[1] == pytest.approx(z[0], abs=5)


def test_one_slice_moves_with_its_labels_in_both_phases(scan) -> None:
    moved = SHIFTS["slice"](scan, "strong", 4)
    changed = np.flatnonzero((moved.labels != scan.labels).any(axis=(0, 2, 3)))
    assert len(changed) == 1
    index = int(changed[0])
    for phase in range(2):
        before, after = (
            np.array(ndimage.center_of_mass(one.labels[phase, index] == HeartPart.LV))
            for one in (scan, moved)
        )
        assert np.linalg.norm((after - before) * (2.5, 2.0)) == pytest.approx(15, abs=1.7)
        blood = scan.images[phase, index][scan.labels[phase, index] == HeartPart.LV]
        again = moved.images[phase, index][moved.labels[phase, index] == HeartPart.LV]
        np.testing.assert_array_equal(np.sort(blood), np.sort(again))


def test_chosen_shifts_are_kinds_with_strengths() -> None:
    assert len(chosen_shifts(None)) == len(SHIFTS) * 3 == 30
    assert chosen_shifts(["noise:mild", "noise", "noise:mild"])[0] == ("noise", "mild")
    assert len(chosen_shifts(["noise:mild", "noise"])) == 3
    assert chosen_shifts(["all:strong"]) == [(kind, "strong") for kind in SHIFTS]
    for wrong in ("fog", "noise:loud", ""):
        with pytest.raises(FacewarpError, match=r"Choose from|no shift"):
            chosen_shifts([wrong])


def test_no_name_of_a_shift_is_told_as_such() -> None:
    with pytest.raises(FacewarpError, match=r"no shift is named.*or all"):
        chosen_shifts([""])
