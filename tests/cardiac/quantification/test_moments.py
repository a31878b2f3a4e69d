"""End-diastole and end-systole by what is trusted most, and contradictions."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from facewarp.cardiac.io.label_order import ACDC
from facewarp.cardiac.io.label_reader import GivenLabels
from facewarp.cardiac.io.patient import Info
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.moments import (
    BY_CURVE,
    Moments,
    doubted_moments,
    phase_index,
    refuse_systole,
    settle_end_diastole,
    told_moments,
)
from facewarp.errors import FacewarpError

CURVE = np.array([100.0, 98.0, 60.0, 40.0, 70.0, 90.0])


@dataclass
class FakeCine:
    frames: tuple = (1, 2, 3, 4, 5, 6)
    info: Info | None = None
    is_whole: bool = True
    closes: bool = True
    path: str = "cine"
    labels: dict = field(default_factory=dict)


def labelled(sizes, filled=(), frame=None, moment=""):
    """Labels whose left ventricle has so many voxels in each phase."""
    data = np.zeros((len(sizes), 1, 1, 100), np.uint8)
    for phase, size in enumerate(sizes):
        data[phase, 0, 0, :size] = HeartPart.LV
    return GivenLabels("labels", data, filled, frame, moment, ACDC, "anatomy", ())


def moments(labels=None, ed=None, es=None, info=None, dice=None):
    cine = FakeCine(info=info)
    told = told_moments(cine, ed, es, labels)
    if told.ed is not None:
        return told
    return settle_end_diastole(told, cine, labels, CURVE, 0, dice)


def test_the_curve_speaks_where_nobody_else_does():
    found = moments()
    assert (found.ed, found.ed_by, found.es) == (None, "volume curve", None)
    fitting = moments(labelled([80]), dice=(0.9, 0.8, 0.5, 0.4, 0.5, 0.8))
    assert (fitting.ed, fitting.ed_by) == (None, "volume curve")


def test_the_user_is_believed_first_then_info():
    labels = labelled([0, 80, 0, 30, 0, 0], filled=(1, 3))
    found = moments(labels, ed=3, es=2, info=Info(2, 4))
    assert (found.ed, found.ed_by, found.es, found.es_by) == (3, "given", 2, "given")
    found = moments(labels, info=Info(2, 4))
    assert (found.ed, found.ed_by, found.es, found.es_by) == (1, "Info.cfg", 3, "Info.cfg")


def test_filled_phases_tell_both_moments():
    found = moments(labelled([0, 80, 0, 30, 0, 0], filled=(1, 3)))
    assert (found.ed, found.ed_by, found.es, found.es_by) == (1, "labels", 3, "labels")


def test_one_filled_phase_is_end_diastole():
    found = moments(labelled([0, 80, 0, 0, 0, 0], filled=(1,)))
    assert (found.ed, found.ed_by, found.es, found.es_by) == (1, "labels", None, "volume curve")


def test_labels_of_end_systole_alone_are_not_carried_from_there():
    """A segmentation or structure set of one phase tells it: EF was 0 for 60 %, and said."""
    es = 3
    drawn = labelled([40 * (phase == es) for phase in range(6)], filled=(es,))
    for labels in (drawn, labelled([40], frame=es + 1)):
        told = moments(labels)
        with pytest.raises(
            FacewarpError, match=rf"of frame {es + 1}, near .* of 60 %.*--ed {es + 1}"
        ):
            refuse_systole(told, FakeCine(), labels, CURVE)
        refuse_systole(moments(labels, ed=es), FakeCine(), labels, CURVE)


@pytest.mark.parametrize("ed", [0, 1, 5])
def test_labels_near_end_diastole_are_carried(ed):
    labels = labelled([80 * (phase == ed) for phase in range(6)], filled=(ed,))
    refuse_systole(moments(labels), FakeCine(), labels, CURVE)


def test_a_heart_that_hardly_beats_has_no_end_systole_to_refuse():
    labels = labelled([0, 0, 80, 0, 0, 0], filled=(2,))
    still = np.array([100.0, 99.0, 96.2, 96.0, 98.0, 99.0])
    refuse_systole(moments(labels), FakeCine(), labels, still)


def test_the_frame_in_a_name_is_end_diastole():
    found = moments(labelled([80], frame=2))
    assert (found.ed, found.ed_by, found.es) == (1, "labels", None)


def test_a_name_against_the_user_is_told_with_both():
    found = moments(labelled([80], frame=2), ed=0)
    assert found.ed == 0
    assert found.warnings == ("the labels' name says frame 2, --ed frame 1: --ed is followed",)
    assert "end-systole" in moments(labelled([80], moment="ES"), ed=0).warnings[0]


def test_labels_of_another_phase_than_infos_are_refused():
    with pytest.raises(FacewarpError, match=r"ED is frame 1 by Info.cfg, the labels are of 4"):
        moments(labelled([80], frame=4), info=Info(1, 4))


def test_labels_of_end_systole_are_no_end_diastole():
    with pytest.raises(FacewarpError, match="name says end-systole"):
        moments(labelled([80], moment="ES"), dice=(0.9, 0.8, 0.5, 0.4, 0.5, 0.8))


def test_labels_are_laid_where_they_fit_if_that_changes_little():
    """Phase 2 against 1: EF 59.2 against 60 %."""
    found = moments(labelled([80]), dice=(0.90, 0.93, 0.5, 0.4, 0.5, 0.8))
    assert (found.ed, found.ed_by) == (1, "labels")
    assert "fit frame 2 best (Dice 93.0 %)" in found.warnings[0]
    assert "largest in frame 1 (Dice 90.0 %)" in found.warnings[0]


def test_labels_that_fit_where_it_changes_much_are_refused():
    """Phase 5 against 1: EF 42.9 against 60 %."""
    with pytest.raises(FacewarpError, match=r"about 42.9 or 60.0 % .*--ed 5 or --ed 1"):
        moments(labelled([80]), dice=(0.6, 0.6, 0.5, 0.4, 0.9, 0.8))


@pytest.mark.parametrize(
    ("ed", "es", "info", "said"),
    [
        (0, 0, None, r"ED \(given\) and ES \(given\) are both frame 1"),
        (3, None, Info(1, 4), r"ED \(given\) and ES \(Info.cfg\) are both frame 4"),
        (None, 0, Info(1, 4), r"ED \(Info.cfg\) and ES \(given\) are both frame 1"),
    ],
)
def test_one_frame_for_both_moments_is_refused(ed, es, info, said):
    with pytest.raises(FacewarpError, match=said):
        moments(ed=ed, es=es, info=info)


def test_a_frame_that_is_not_there_is_named():
    with pytest.raises(FacewarpError, match="ED is said to be frame 7, but there are frames 1 to"):
        phase_index(FakeCine(), 7, "ED")


def test_a_heartbeat_that_runs_backwards_is_said():
    beat = np.array([100.0, 92, 75, 58, 50, 55, 68, 80, 86, 89, 92, 96])  # ES after a third
    by_curve = Moments(None, BY_CURVE, None, BY_CURVE)

    def said(curve, **cine):
        used = int(np.argmax(curve)), int(np.argmin(curve))
        whole = FakeCine(frames=tuple(range(1, len(curve) + 1)), **cine)
        return doubted_moments(by_curve, whole, curve, used)

    assert not said(beat)
    assert not said(np.roll(beat, 5))
    (sentence,) = said(beat[::-1])
    assert "67 % of a heartbeat after ED" in sentence
    assert "backwards in time" in sentence
    assert said(np.roll(beat[::-1], 5)) == [sentence]
    assert not said(beat[::-1], closes=False)
    assert not said(beat[::-2])
