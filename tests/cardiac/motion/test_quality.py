"""Checks of a heart's contours, folds and loop look at the wall, not at the blood in it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facewarp.cardiac.motion.cycle_registration import Motion
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.quality import (
    length_of_width,
    measure_quality,
    open_slices,
    proportion_warnings,
    quality_warnings,
)
from facewarp.cardiac.parts import HeartPart

SHAPE = (6, 40, 40)
GRID = ModelGrid(SHAPE, (1.8, 1.8, 10.0), SHAPE, np.eye(4))


def heart() -> np.ndarray:
    """Rings of wall around a cavity, and a right ventricle beside it, ``(D, H, W)``."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    distance = np.hypot(y - 20, x - 22)
    ids = np.zeros(SHAPE, np.uint8)
    ids[:, (np.hypot(y - 20, x - 12) < 8) & (distance >= 11)] = HeartPart.RV
    ids[:, distance < 11] = HeartPart.MYOCARDIUM
    ids[:, distance < 7] = HeartPart.LV
    ids[[0, -1]] = HeartPart.BACKGROUND
    return ids


def measured(labels: np.ndarray, displacement: np.ndarray):
    """Quality of two phases, the second displaced by ``(3, D, H, W)``."""
    fields = np.stack([displacement * 0, displacement]).astype(np.float32)
    motion = Motion(GRID, fields, -fields, 0, np.zeros((2, *SHAPE), np.float32))
    both = np.stack([labels, labels])
    parts = np.stack([labels == part for part in HeartPart]).astype(np.float32)
    return measure_quality(motion, labels, both, both, np.stack([parts, parts]))


def two_ways(carried: np.ndarray, seen: np.ndarray):
    """Quality of phases in which nothing moves, from labels ``(T, D, H, W)`` by both ways."""
    count = len(seen)
    fields = np.zeros((count, 3, *SHAPE), np.float32)
    motion = Motion(GRID, fields, fields, 0, np.zeros((count, *SHAPE), np.float32))
    parts = np.stack([heart() == part for part in HeartPart]).astype(np.float32)
    return measure_quality(motion, carried[0], carried, seen, np.stack([parts] * count))


def test_a_part_lost_in_a_phase_between_is_told_of_that_phase_and_part() -> None:
    """A right ventricle of 36 ml for 67 hid behind two parts that agreed: 90 % of all three."""
    seen = np.stack([heart()] * 4)
    seen[2, 2:4][seen[2, 2:4] == HeartPart.RV] = HeartPart.BACKGROUND  # two slices of four
    carried = np.stack([heart()] * 4)
    found = two_ways(carried, seen)
    assert found.agreement[2] > 0.8
    assert found.part_agreement[2] == pytest.approx((2 / 3, 1, 1))
    assert found.volume_apart_percent[2] == pytest.approx((50, 0, 0))
    assert not np.any(found.volume_apart_percent[:2])
    volumes = np.tile([0.0, 80, 100, 120], (4, 1))
    (said,) = (
        one for one in quality_warnings(found, (1, 2, 3, 4), heart(), volumes) if "doubtful" in one
    )
    assert said.startswith("in phase 3 the volume of the right ventricle is doubtful: labels")
    assert "have 40 ml more than those seen in phase 3 alone" in said
    fine = two_ways(carried, carried)
    assert "doubtful" not in " ".join(quality_warnings(fine, (1, 2, 3, 4), heart(), volumes))


def test_a_readers_other_habit_is_no_doubt() -> None:
    """A reader who leaves out a slice in every phase tells another volume, but the same curve."""
    seen, carried = np.stack([heart()] * 3), np.stack([heart()] * 3)
    carried[:, 1][carried[:, 1] == HeartPart.RV] = HeartPart.BACKGROUND
    assert not np.any(two_ways(carried, seen).volume_apart_percent)


def test_a_part_that_a_reader_leaves_out_is_no_doubt() -> None:
    seen, carried = np.stack([heart()] * 3), np.stack([heart()] * 3)
    seen[1, 2][seen[1, 2] == HeartPart.RV] = HeartPart.BACKGROUND  # it contracts
    carried[carried == HeartPart.RV] = HeartPart.BACKGROUND
    found = two_ways(carried, seen)
    assert not np.any(found.volume_apart_percent)
    volumes = np.tile([0.0, 0, 100, 120], (3, 1))
    assert "doubtful" not in " ".join(quality_warnings(found, (1, 2, 3), heart(), volumes))


def test_a_closed_ventricle_has_no_open_slices() -> None:
    assert not open_slices(heart()).any()


def test_another_chamber_taken_for_the_ventricle_is_told() -> None:
    ids = heart()
    ids[4][ids[4] == HeartPart.RV] = HeartPart.LV  # a second piece
    ids[3][:, 22:][ids[3][:, 22:] == HeartPart.MYOCARDIUM] = HeartPart.BACKGROUND  # half a wall
    np.testing.assert_array_equal(np.flatnonzero(open_slices(ids)), [3, 4])
    quality = measured(ids, np.zeros((3, *SHAPE)))
    assert 40 < quality.open_cavity_percent < 70
    volumes = np.ones((2, 4))
    said = " ".join(quality_warnings(quality, (1, 2), ids, volumes))
    assert "not one piece closed in by wall (at end-diastole 4, 5)" in said
    fine = measured(heart(), np.zeros((3, *SHAPE)))
    assert "closed in by wall" not in " ".join(quality_warnings(fine, (1, 2), heart(), volumes))


def test_contours_are_those_of_the_labels_that_volumes_are_of() -> None:
    torn = heart()
    torn[2:5][torn[2:5] == HeartPart.MYOCARDIUM] = HeartPart.BACKGROUND  # as a field carries them
    fields = np.zeros((2, 3, *SHAPE), np.float32)
    motion = Motion(GRID, fields, fields, 0, np.zeros((2, *SHAPE), np.float32))
    parts = np.stack([heart() == part for part in HeartPart]).astype(np.float32)[None]
    carried, seen = np.stack([heart(), torn]), np.stack([heart(), heart()])
    given = (motion, heart(), carried, seen, np.repeat(parts, 2, 0))
    assert measure_quality(*given).open_cavity_percent > 50
    assert measure_quality(*given, seen).open_cavity_percent == 0


def test_contours_count_where_volumes_are_told_of() -> None:
    """The base passes through a slice between: true labels of phantoms were 18 % open there."""
    passing = heart()
    passing[1, 20:][passing[1, 20:] == HeartPart.MYOCARDIUM] = HeartPart.BACKGROUND
    labels = np.stack([heart(), passing, heart()])
    fields = np.zeros((3, 3, *SHAPE), np.float32)
    motion = Motion(GRID, fields, fields, 0, np.zeros((3, *SHAPE), np.float32))
    parts = np.stack([heart() == part for part in HeartPart]).astype(np.float32)[None]
    given = (motion, heart(), labels, labels, np.repeat(parts, 3, 0), labels)
    assert measure_quality(*given, (0, 2)).open_cavity_percent == 0
    assert measure_quality(*given, (0, 1)).open_cavity_percent > 20
    assert measure_quality(*given).open_cavity_percent > 20


@pytest.mark.parametrize("phases", [4, 16])
def test_a_longer_loop_of_equally_good_fields_is_no_worse(phases) -> None:
    fields = np.zeros((phases, 3, *SHAPE), np.float32)
    fields[1:, 1] = 0.2
    motion = Motion(GRID, fields, 0 * fields, 0, np.zeros((phases, *SHAPE), np.float32))
    labels = np.stack([heart()] * phases)
    parts = np.stack([heart() == part for part in HeartPart]).astype(np.float32)
    quality = measure_quality(motion, heart(), labels, labels, np.stack([parts] * phases))
    assert quality.wall_loop_p95_mm == pytest.approx((phases - 1) * 0.36, rel=0.01)
    assert quality.wall_round_trip_mm == pytest.approx(0.36, rel=0.01)


@pytest.mark.parametrize(("row", "column", "harms"), [(20, 22, False), (20, 31, True)])
def test_folds_count_in_the_wall_and_not_in_the_cavity(row, column, harms) -> None:
    displacement = np.zeros((3, *SHAPE))
    displacement[0, 2:4, row, column] = 1.6  # one voxel beyond its neighbor
    quality = measured(heart(), displacement)
    assert (quality.wall_folds_percent > 0) is harms


@pytest.mark.parametrize(("radius", "harms"), [(5, False), (11, True)])
def test_a_loop_that_stays_open_counts_in_the_wall(radius, harms) -> None:
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    swirls = np.hypot(y - 20, x - 22) < radius
    fields = np.zeros((2, 3, *SHAPE), np.float32)
    fields[1, 0][:, swirls] = 3.0
    motion = Motion(GRID, fields, fields, 0, np.zeros((2, *SHAPE), np.float32))
    both = np.stack([heart(), heart()])
    parts = np.stack([heart() == part for part in HeartPart]).astype(np.float32)
    quality = measure_quality(motion, heart(), both, both, np.stack([parts, parts]))
    assert quality.loop_p95_mm > 5  # blood swirls there
    assert (quality.wall_loop_p95_mm > 3) is harms


def tube(slices: int, radius_px: float, pixel: tuple[float, float]) -> NDArray[np.uint8]:
    """(8, 64, 64): a ventricle of equal round slices, its wall in the outer half."""
    y, x = np.mgrid[:64, :64] - 31.5
    far = np.hypot(x * pixel[0], y * pixel[1])
    slice_ = np.where(far < radius_px / 2, HeartPart.LV, HeartPart.MYOCARDIUM)
    ids = np.zeros((8, 64, 64), np.uint8)
    ids[:slices] = np.where(far < radius_px, slice_, 0)
    return ids


def test_length_over_width_counts_slices_and_pixels_in_mm() -> None:
    ids = tube(6, 30.0, (1.5, 2.0))
    assert length_of_width(ids, (1.5, 2.0, 10.0)) == pytest.approx(1.0, rel=0.01)
    ids[ids == HeartPart.MYOCARDIUM] = 0  # a cavity alone has other proportions
    assert length_of_width(ids, (1.5, 2.0, 10.0)) == 0


@pytest.mark.parametrize(
    ("apart_mm", "said"), [(5.0, "missing"), (9.0, ""), (14.0, ""), (20.0, "nearer together")]
)
def test_a_ventricle_too_short_or_long_for_its_width_is_told(apart_mm: float, said: str) -> None:
    """As where slices were taken out of a stack whose file tells the distance of before."""
    told = proportion_warnings(tube(6, 30.0, (1.5, 2.0)), (1.5, 2.0, apart_mm))
    assert (said in told[0] and f"{apart_mm:g} mm" in told[0]) if said else told == []
