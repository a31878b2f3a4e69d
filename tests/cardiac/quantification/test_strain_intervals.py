"""Intervals of strain: Student's t over repeated measurements, and what repeating cannot show."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cardiac.quantification import strain_intervals
from facewarp.cardiac.quantification.strain_intervals import StrainIntervals, intervals_of

NAME = "circumferential_engineering"


def strain_of(values):
    """A strain that has one region, whose curve is given."""
    region = SimpleNamespace(kind="global", number=0, **{NAME: np.asarray(values, float)})
    return SimpleNamespace(region=lambda kind, _number=0: region if kind == "global" else None)


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(strain_intervals, "SYSTEMATIC", {NAME: (0.0, 0.0)})


@pytest.mark.usefixtures("plain")
def test_the_interval_holds_the_truth_95_times_in_100(rng):
    """Where copies differ from the scan as the scan does from the truth."""
    held = []
    for _ in range(3000):
        value = rng.normal(-18, 2)
        copies = tuple(strain_of([copy]) for copy in rng.normal(value, 2, 5))
        intervals = StrainIntervals(strain_of([value]), copies)
        region = intervals.strain.region("global")
        held.append(abs(value + 18) <= intervals.half_width(region, NAME)[0])
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


@pytest.mark.usefixtures("plain")
def test_equal_copies_have_no_width_and_too_few_no_interval():
    one = strain_of([0.0, -10.0])
    region = one.region("global")
    same = StrainIntervals(one, (one, one, one))
    assert (same.half_width(region, NAME) == 0).all()
    alone = StrainIntervals(one, (one,))
    assert np.isnan(alone.half_width(region, NAME)).all()
    assert intervals_of(None, [one]) is None
    assert intervals_of(one, [None]) is None
    assert intervals_of(one, [None, one]).copies == (one,)


def test_what_repeating_cannot_show_widens_it(monkeypatch):
    monkeypatch.setattr(strain_intervals, "SYSTEMATIC", {NAME: (3.0, 5.0)})
    one = strain_of([-10.0])
    intervals = StrainIntervals(one, (one, one))
    assert intervals.half_width(one.region("global"), NAME) == pytest.approx([3.0])
    segment = SimpleNamespace(**{**vars(one.region("global")), "kind": "segment"})
    both = StrainIntervals(replace_region(one, segment), (replace_region(one, segment),) * 2)
    assert both.half_width(segment, NAME) == pytest.approx([5.0])


def test_what_was_not_measured_has_no_interval():
    region = SimpleNamespace(kind="segment", number=1, radial_green=np.array([20.0]))
    strain = SimpleNamespace(region=lambda *_args: region)
    intervals = StrainIntervals(strain, (strain,) * 4)
    assert np.isnan(intervals.half_width(region, "radial_green")).all()


def replace_region(strain, region):
    return SimpleNamespace(**{**vars(strain), "region": lambda *_args: region})
