"""A reader's labels held against what the model sees."""

from pathlib import Path

import numpy as np
import pytest

from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.label_fit import check_fit
from facewarp.errors import FacewarpError

FILE = Path("labels.nii.gz")


def heart(height=40, width=40):
    """(6, H, W): a cone aside of the middle, with a right ventricle on one side of it."""
    ids = np.zeros((6, height, width), np.uint8)
    y, x = np.mgrid[:height, :width]
    for z in range(6):
        radius = 9 - z
        rv, lv = np.hypot(x - 10, y - 22), np.hypot(x - 21, y - 16)
        ids[z][rv < radius] = HeartPart.RV
        ids[z][lv < radius] = HeartPart.MYOCARDIUM
        ids[z][lv < radius - 3] = HeartPart.LV
    return ids


def test_labels_that_fit_are_not_spoken_of():
    moved = np.roll(heart(), 1, axis=2)
    assert check_fit(heart(), heart(), FILE, 1) == []
    assert check_fit(moved, heart(), FILE, 1) == []


def test_parts_that_a_reader_leaves_out_do_not_count():
    ids = heart()
    assert check_fit(np.where(ids == HeartPart.RV, 0, ids), ids, FILE, 1) == []


@pytest.mark.parametrize(
    ("laid", "told"),
    [
        (lambda ids: ids[::-1], "slices reversed"),
        (lambda ids: ids[:, ::-1], "rows reversed"),
        (lambda ids: ids[:, ::-1, ::-1], "rows and columns reversed"),
        (lambda ids: ids.swapaxes(1, 2), "rows and columns exchanged"),
        (lambda ids: ids.swapaxes(1, 2)[::-1], "rows and columns exchanged, slices reversed"),
    ],
)
def test_labels_in_another_order_of_voxels_are_refused(laid, told):
    with pytest.raises(FacewarpError, match=rf"with {told} to 100 %.*affine that tells") as caught:
        check_fit(laid(heart()), heart(), FILE, 1)
    assert str(FILE) in str(caught.value)


def round_heart():
    """(6, 40, 40): a wall around a cavity, nearly in the middle."""
    ids = np.zeros((6, 40, 40), np.uint8)
    y, x = np.mgrid[:40, :40]
    apart = np.hypot(x - 20.1, y - 19.5)
    ids[:, apart < 13] = HeartPart.MYOCARDIUM
    ids[:, apart < 8] = HeartPart.LV
    return ids


@pytest.mark.parametrize(
    "laid", [lambda ids: ids[:, :, ::-1], lambda ids: np.rot90(ids, 1, (1, 2))]
)
def test_a_turn_that_hardly_changes_a_heart_is_told(laid):
    ids = round_heart()
    (said,) = check_fit(laid(ids), ids, FILE, 1)
    assert "to 100 %: do they lie otherwise?" in said
    assert check_fit(ids, ids, FILE, 1) == []


def test_axes_are_exchanged_only_where_there_are_as_many_rows_as_columns():
    wide = heart(36, 40)
    with pytest.raises(FacewarpError, match="with columns reversed"):
        check_fit(wide[..., ::-1], wide, FILE, 1)


def test_labels_of_another_heart_are_told():
    elsewhere = np.roll(heart(), (12, -9), axis=(1, 2))
    (told,) = check_fit(elsewhere, heart(), FILE, 4)
    assert "in frame 4 agree to a Dice of" in told
    assert "of this patient" in told


@pytest.mark.parametrize(("without", "which"), [([0], "1"), ([0, 4], "1, 5")])
def test_slices_that_labels_leave_out_at_the_ends_are_told(without, which):
    """Labels of a part of the stack have a part of its volume, and may agree well elsewhere."""
    given = heart()
    given[without] = 0
    (told,) = check_fit(given, heart(), FILE, 1)
    assert f"leave out slice {which}, where the model sees" in told
    share = (heart()[without] == HeartPart.LV).sum() / (heart() == HeartPart.LV).sum()
    assert f"{share:.0%} of the left" in told


def test_a_little_cavity_that_a_reader_does_not_draw_is_not_spoken_of():
    given, seen = heart(), heart()
    seen[5] = np.where(
        np.hypot(*(np.mgrid[:40, :40] - [[[16]], [[21]]])) < 2, HeartPart.LV, seen[5]
    )
    assert check_fit(given, seen, FILE, 1) == []
