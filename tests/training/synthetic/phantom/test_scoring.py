"""Evaluation on phantoms: a result that knows the truth has no error, one that does not has it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cardiac.motion.cycle_registration import Motion
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.quantification.indices import indices, volumes_ml
from facewarp.cardiac.quantification.strain import measure_strain
from facewarp.cardiac.quantification.strain_intervals import StrainIntervals, intervals_of
from facewarp.errors import FacewarpError
from facewarp.training.synthetic.phantom.recipe import PhantomWishes, draw_recipe
from facewarp.training.synthetic.phantom.scoring import TARGETS, compare, evaluate_phantoms

WISHES = PhantomWishes(
    seed=2, ejection_fractions=(50.0,), infarct_segments=(9,), phases=3, slice_mm=8.0, pixel_mm=2.5,
    breath_mm=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def recipe():
    return draw_recipe(WISHES, 1)


@pytest.fixture(scope="module")
def labels(recipe):
    scan = recipe.scanner()
    points, motion = scan.grid_points(), scan.chest.motion
    return np.stack([scan.chest.parts(motion.unmoved(points, c)) for c in scan.contraction])


def result_with(recipe, labels, fields):
    """A result of the true labels and of fields from end-diastole."""
    shape, spacing = recipe.scan.shape, recipe.scan.spacing_mm
    grid = ModelGrid(shape, spacing, shape, np.eye(4))
    motion = Motion(grid, fields, fields, 0, np.zeros((3, *shape), np.float32))
    found = indices(volumes_ml(labels, float(np.prod(spacing)) / 1000), 0, 1)
    strain = measure_strain(motion, labels[0])
    return SimpleNamespace(
        ed=0, es=1, labels=labels, motion=motion, indices=found, strain=strain,
        strain_intervals=None,
        field=lambda phase: fields[phase],
    )  # fmt: skip


def fields_of(recipe):
    scan = recipe.scanner()
    return np.stack([scan.field(0.0, float(c)) for c in scan.contraction])


def test_the_true_motion_has_no_error(recipe, labels):
    score = compare(recipe, labels, result_with(recipe, labels, fields_of(recipe)))
    assert score.displacement_mm < 1e-3
    assert score.motion_mm > 2
    assert score.dice_ed == score.dice_es == 100
    assert score.moments_off == 0
    assert abs(score.ef - 50) < 2
    row = score.row()
    assert row["gcs_error_same_points"] < 0.6  # of sampling the field on voxels of 2.5 x 2.5 x 8 mm
    assert row["segment_error_same_points"] < 1.5
    assert row["gcs_error"] < 1.5
    assert abs(score.infarct_true) < 2
    assert abs(score.infarct) < 4
    assert set(TARGETS) <= set(row)


def test_a_result_without_motion_has_all_of_it_as_error(recipe, labels):
    still = np.zeros_like(fields_of(recipe))
    score = compare(recipe, labels, result_with(recipe, labels, still))
    assert score.displacement_mm == pytest.approx(score.motion_mm)
    assert score.gcs == pytest.approx(0, abs=1e-6)
    assert score.row()["gcs_error"] == pytest.approx(-score.gcs_true)
    assert score.gcs_same_points < -8


def test_missed_twist_is_an_error_along_the_wall(recipe, labels):
    untwisted = replace(recipe, motion=replace(recipe.motion, twist_degrees=(0.0, 0.0)))
    score = compare(recipe, labels, result_with(recipe, labels, fields_of(untwisted)))
    assert score.along_mm > 5 * score.across_mm > 0
    assert score.displacement_mm == pytest.approx(score.along_mm, rel=0.1)


def test_intervals_hold_the_truth_or_not(recipe, labels):
    """Wide ones do; those of copies that all say the same of a heart that does not move don't."""
    result = result_with(recipe, labels, fields_of(recipe))
    still = result_with(recipe, labels, np.zeros_like(fields_of(recipe)))
    result.strain_intervals = intervals_of(result.strain, [still.strain] * 4)
    wide = compare(recipe, labels, result)
    assert wide.gcs_held == wide.grs_held == 1
    assert wide.segments_held > 0.9
    assert wide.gcs_half_width > 10
    still.strain_intervals = StrainIntervals(still.strain, (still.strain,) * 4)
    assert compare(recipe, labels, still).gcs_held == 0


def test_no_phantom_is_an_error():
    with pytest.raises(FacewarpError, match="no phantom"):
        evaluate_phantoms(None, [])
