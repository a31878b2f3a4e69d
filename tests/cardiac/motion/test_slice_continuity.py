"""Slices that do not fit those beside them: aside, or at another time."""

import numpy as np
import pytest

from facewarp.cardiac.motion.slice_continuity import (
    about_edges,
    about_slices,
    slices_aside,
    slices_late,
)
from facewarp.cardiac.parts import HeartPart

SPACING = (1.5, 1.5, 10.0)
BEAT = 1 - 0.3 * np.sin(np.pi * np.arange(12) / 12) ** 2  # of the cavity's radius


def drawn(aside_mm=(), late=(), beat=BEAT):
    """Labels ``(T, 9, 96, 96)`` of a leaning ventricle that narrows to the apex.

    Args:
        aside_mm: pairs of a slice and mm along x that it is moved by.
        late: pairs of a slice and phases that it comes later by.
    """
    y, x = np.indices((96, 96)) * 1.5
    labels = np.zeros((len(beat), 9, 96, 96), np.uint8)
    for z, phase in np.ndindex(9, len(beat)):
        cavity = 24 * np.sqrt(1 - (z / 9.5) ** 2) * beat[(phase - dict(late).get(z, 0)) % len(beat)]
        away = np.hypot(x - 60 - 2 * z - dict(aside_mm).get(z, 0), y - 70 - z)
        labels[phase, z][away < cavity + 8] = HeartPart.MYOCARDIUM
        labels[phase, z][away < cavity] = HeartPart.LV
    return labels


def test_a_leaning_ventricle_is_one():
    assert about_slices(drawn(), SPACING, (0, 6), closes=True) == []
    assert max(slices_aside(drawn(aside_mm=[(3, 6.0)]), SPACING).values(), default=0) == 0


def test_a_slice_that_lies_aside_is_told_with_its_millimeters():
    labels = drawn(aside_mm=[(3, 12.0)])
    assert slices_aside(labels[[0, 6]], SPACING) == {3: pytest.approx(12, abs=1)}
    (said,) = about_slices(labels, SPACING, (0, 6), closes=True)
    assert "in slice 4 (12 mm), as after another breath-hold" in said


def test_a_stack_that_jumps_is_told_on_both_sides():
    """As in patients whose slices were acquired in two rounds."""
    found = slices_aside(drawn(aside_mm=[(z, 20.0) for z in range(4, 9)])[[0, 6]], SPACING)
    assert found == {3: pytest.approx(10, abs=1), 4: pytest.approx(10, abs=1)}


@pytest.mark.parametrize("phases", [4, -4])
def test_a_slice_of_other_moments_is_told(phases):
    labels = drawn(late=[(4, phases)])
    assert slices_late(labels) == {4: phases}
    (said,) = about_slices(labels, SPACING, (0, 6), closes=True)
    when = "after" if phases > 0 else "before"
    assert f"in slice 5 the left ventricle is emptiest 33 % of a heartbeat {when} the" in said
    assert about_slices(labels, SPACING, (0, 6), closes=False) == []


def test_slices_that_hardly_move_or_are_few_tell_no_time():
    assert slices_late(drawn(late=[(4, 1)])) == {}  # a twelfth of a beat may be the heart's
    still = drawn()
    still[:, 4] = still[0, 4]  # an infarct
    assert slices_late(still) == {}
    assert slices_late(drawn(late=[(4, 2)], beat=BEAT[::2])) == {}


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("part", ["left ventricle", "right ventricle"])
def test_a_heart_that_reaches_the_edge_of_the_picture_is_told(axis, part):
    labels = drawn()
    if part == "right ventricle":
        labels[labels == HeartPart.LV] = HeartPart.RV
    assert about_edges(labels[[0, 6]], SPACING) == []
    middle = 40 if axis == 3 else 46
    cut = np.moveaxis(np.moveaxis(labels, axis, 0)[middle:], 0, axis)
    (said,) = about_slices(cut, SPACING, (0, 6), closes=True)
    assert "reaches the edge of the picture (" in said
    assert f"{part}, slice 1, 2, 3" in said
    around = [(0, 0), (0, 0), (3, 3), (3, 3)]
    assert about_edges(np.pad(cut, around), SPACING) == []
