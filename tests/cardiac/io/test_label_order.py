"""Conventions of label ids, told by how the parts of a beating heart lie."""

from pathlib import Path

import numpy as np
import pytest

from facewarp.cardiac.io.label_order import (
    ACDC,
    MNMS,
    ORDERS,
    order_by_anatomy,
    order_by_file_name,
    order_named,
)
from facewarp.cardiac.parts import HeartPart
from facewarp.cli.cine import LabelOrderName
from facewarp.errors import FacewarpError


def written_in(order, labels):
    """Part ids as a file of a convention holds them."""
    ids = np.zeros(labels.shape, np.int32)
    for one, part in order.parts.items():
        ids[labels == part] = one
    return ids


@pytest.mark.parametrize("name", list(ORDERS))
@pytest.mark.parametrize("phase", [0, 2])
def test_every_convention_is_told_from_anatomy(beating, name, phase):
    ids = written_in(ORDERS[name], beating.labels[phase])
    assert order_by_anatomy(ids) == ORDERS[name]
    np.testing.assert_array_equal(ORDERS[name].apply(ids), beating.labels[phase])


def test_a_heart_without_right_ventricle_is_told(beating):
    left = np.where(beating.labels[0] == HeartPart.RV, 0, beating.labels[0])
    assert order_by_anatomy(written_in(MNMS, left)) == MNMS


def test_atria_beside_totalsegmentators_ventricles_do_not_disturb(beating):
    order = ORDERS["totalsegmentator"]
    ids = written_in(order, beating.labels[0])
    ids[0, :12, :12] = 2  # left atrium
    ids[0, -9:, -9:] = 6  # aorta
    assert order_by_anatomy(ids) == order
    assert not order.apply(ids)[0, :12, :12].any()


def test_ids_that_no_convention_has_are_told_by_anatomy_alone(beating):
    ids = np.array([0, 9, 4, 7])[beating.labels[0]]  # RV, myocardium, LV
    order = order_by_anatomy(ids)
    assert order.name == ""
    np.testing.assert_array_equal(order.apply(ids), beating.labels[0])


def test_a_scar_in_the_wall_is_no_right_ventricle(beating):
    """EMIDEC's labels: 1 cavity, 2 wall, 3 infarct, which touches the cavity."""
    labels = beating.labels[0]
    ids = np.array([0, 0, 2, 1])[labels]
    columns = np.indices(labels.shape)[2]
    cavity = columns[labels == HeartPart.LV].mean()
    ids[(labels == HeartPart.MYOCARDIUM) & (columns > cavity + 10)] = 3
    assert order_by_anatomy(ids) is None


@pytest.mark.parametrize("ids", [(0, 0, 0, 3), (0, 1, 0, 3), (1, 2, 2, 3)])
def test_without_a_wall_around_a_cavity_nothing_is_told(beating, ids):
    assert order_by_anatomy(np.array(ids)[beating.labels[0]]) is None


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("patient001_frame12_gt.nii.gz", ACDC),
        ("A0S9V9_sa_gt.nii.gz", MNMS),
        ("001_SA_ED_gt.nii.gz", MNMS),
        ("label_sa_ED.nii.gz", MNMS),
        ("seg_sa_ES.nii.gz", MNMS),
        ("mine.nii.gz", None),
    ],
)
def test_data_sets_are_known_by_their_files_names(name, order):
    assert order_by_file_name(Path(name)) == order


def test_the_command_line_has_every_convention():
    assert [name.value for name in LabelOrderName] == ["auto", *ORDERS]
    with pytest.raises(FacewarpError, match="no label order 'scd'"):
        order_named("scd")
