"""True strain against cases that can be written down by hand."""

import numpy as np
import pytest

from facewarp.cardiac.quantification.aha_segments import SEGMENT_NAMES
from facewarp.training.synthetic.phantom.motion import HeartMotion
from facewarp.training.synthetic.phantom.recipe import infarct_of
from facewarp.training.synthetic.phantom.true_strain import point_strain, true_strain

AROUND, OUTWARDS, ALONG = np.eye(3)[[1, 0, 2]]  # at points of the positive x axis


def engineering(gradient, way):
    return np.sqrt(1 + 2 * point_strain(gradient, way)) - 1


def test_strain_of_pure_contraction_is_that_of_the_formula():
    """Without shortening and twist: r'^2 = r^2 - (1 - s^2) inner^2."""
    motion = HeartMotion(shortening=0.0, twist_degrees=(0.0, 0.0), ejection_fraction=50.0)
    r, z = np.array([26.0, 29.0, 33.0]), 0.0
    share = 1 - motion.narrowing
    after = np.sqrt(r**2 - (1 - share**2) * motion.radius_mm**2)
    points = np.stack([r, 0 * r, z + 0 * r + 1e-2], axis=-1)
    gradient = motion.gradient(points, 1.0)
    np.testing.assert_allclose(engineering(gradient, AROUND), after / r - 1, atol=1e-4)
    np.testing.assert_allclose(engineering(gradient, OUTWARDS), r / after - 1, atol=1e-4)
    np.testing.assert_allclose(
        point_strain(gradient, AROUND), ((after / r) ** 2 - 1) / 2, atol=1e-4
    )


def test_pure_twist_shears_and_does_not_contract():
    motion = HeartMotion(
        shortening=0.0, ejection_fraction=0.0, twist_degrees=(-5.0, 12.0), squeeze=0
    )
    gradient = motion.gradient(np.array([[30.0, 0, 20]]), 1.0)
    assert engineering(gradient, AROUND) == pytest.approx(0, abs=1e-8)
    assert engineering(gradient, OUTWARDS) == pytest.approx(0, abs=1e-8)
    turned = 30 * np.radians(17) / motion.end_mm
    assert engineering(gradient, ALONG) == pytest.approx(np.hypot(1, turned) - 1, abs=1e-8)


def test_pure_shortening_thickens_by_what_it_loses():
    motion = HeartMotion(
        shortening=0.1, twist_degrees=(0.0, 0.0), ejection_fraction=10.0, squeeze=0
    )
    assert motion.narrowing < 0.02  # a tenth of the volume goes with a tenth of the length
    near_apex = np.array([[0.5, 0, motion.length_mm + 4.0]])
    gradient = motion.gradient(near_apex, 1.0)
    assert engineering(gradient, ALONG) == pytest.approx(-0.1, abs=1e-8)
    assert engineering(gradient, AROUND) == pytest.approx(np.sqrt(1 / 0.9) - 1, abs=1e-8)


@pytest.mark.parametrize("segment", [1, 9, 14])
def test_an_infarcts_segment_does_not_contract(segment):
    motion = HeartMotion(ejection_fraction=40.0, shortening=0.08, infarct=infarct_of(segment))
    regions = {r.number: r for r in true_strain(motion, np.array([0, 1.0])) if r.kind == "segment"}
    assert sorted(regions) == list(SEGMENT_NAMES)
    strains = {n: float(r.engineering["circumferential"][1]) for n, r in regions.items()}
    assert abs(strains[segment]) < 2
    assert max(strains, key=strains.__getitem__) == segment
    level = range(6 * ((segment - 1) // 6) + 1, 6 * ((segment - 1) // 6) + 7)
    others = [s for n, s in strains.items() if n != segment and n in level]
    assert np.mean(others) < -8
    assert all(
        r.green["circumferential"][0] == pytest.approx(0, abs=1e-7) for r in regions.values()
    )


def test_the_whole_is_the_mean_of_its_levels():
    regions = true_strain(HeartMotion(), np.array([0, 1.0]))
    whole, *levels = (r.engineering["radial"][1] for r in regions[:4])
    assert min(levels) < whole < max(levels)
    assert regions[0].thickness_mm[1] > regions[0].thickness_mm[0] + 2
