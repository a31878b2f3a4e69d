"""Step and RR interval: what is believed, what contradicts it, what is said."""

import math
from pathlib import Path
from typing import get_type_hints

import pytest

from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.io.timing import (
    HEART_RATES_BPM,
    TIME_STEPS_S,
    ReadOptions,
    covers_cycle,
    is_cycle,
    missing_phase,
    settle_timing,
)
from facewarp.cli.cine import InputOptions
from facewarp.errors import FacewarpError

PLACE = Path("scan")


def settle(step=0.07, phases=12, options=None, **cycles):
    return settle_timing(step, "trigger times", phases, cycles, PLACE, options or ReadOptions())


def test_without_an_rr_interval_the_phases_tell_the_step_alone():
    found = settle()
    assert (found.step_s, found.cycle_s, found.warnings) == (0.07, None, ())


def test_an_rr_interval_told_is_believed_before_the_span():
    found = settle(NominalInterval=1.2, HeartRate=60 / 50)
    assert found.cycle_s == 1.2
    assert found.cycle_from == "NominalInterval"
    (said,) = found.warnings
    assert "cover 70 % of the heartbeat" in said
    assert "1200 ms" in said
    assert not covers_cycle(found.step_s, 12, found.cycle_s)


def test_a_span_that_fits_the_rr_interval_says_nothing():
    found = settle(NominalInterval=0.85, HeartRate=60 / 71)
    assert found.warnings == ()
    assert covers_cycle(found.step_s, 12, found.cycle_s)


@pytest.mark.parametrize(
    ("cycles", "said"),
    [
        ({"NominalInterval": 1.0, "HeartRate": 0.8}, "60.0 beats a minute .* HeartRate 75.0"),
        ({"NominalInterval": 0.6}, "840 ms, longer than the heartbeat of 600 ms"),
    ],
)
def test_heart_rates_that_contradict_are_refused_with_a_way_out(cycles, said):
    with pytest.raises(FacewarpError, match=rf"{said}.*--heart-rate"):
        settle(**cycles)
    found = settle(options=ReadOptions(heart_rate_bpm=70), **cycles)
    assert found.cycle_s == pytest.approx(60 / 70)
    assert any("--heart-rate says 70" in text for text in found.warnings)


def test_intervals_that_no_heart_has_are_not_believed():
    found = settle(NominalInterval=9.9)
    assert found.cycle_s is None
    assert "9900 ms" in found.warnings[0]
    assert settle(NominalInterval=0.0).warnings == ()
    assert settle(step=1.0).step_s is None
    assert [is_cycle(s) for s in (0.25, 0.35, 1.9, 2.1)] == [False, True, True, False]


def test_a_step_given_is_used_and_the_other_one_said():
    found = settle(options=ReadOptions(time_step_s=0.035))
    assert found.step_s == 0.035
    assert "--time-step says 35 ms, trigger times 70 ms" in found.warnings[0]
    assert settle(step=None, options=ReadOptions(time_step_s=0.07)).step_s == 0.07


def test_a_step_twice_the_others_is_a_missing_phase():
    assert missing_phase([70.0 * t for t in range(12)]) == ""
    assert missing_phase([0, 1, 3]) == ""  # too few to tell
    told = missing_phase([70.0 * t for t in range(12) if t != 5])
    assert told == "from 280 to 420 is 2.0 times the usual step: phases may be missing there"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"heart_rate_bpm": 0}, "no heart rate is 0 beats.*Give 10 to 300"),
        ({"heart_rate_bpm": -60}, "no heart rate is -60"),
        ({"heart_rate_bpm": math.nan}, "no heart rate is nan"),
        ({"time_step_s": 0}, "a time step of 0 s"),
        ({"time_step_s": 33}, "33 s, which is 33000 ms.*5 to 500 ms"),
        ({"spacing_mm": (1.4, 1.4)}, r"spacing of \(1.4, 1.4\) mm is not three sizes"),
        ({"spacing_mm": 1.4}, "1.4 mm is not three sizes"),
        ({"spacing_mm": (1.4, 1.4, -8.0)}, "is not three sizes"),
        ({"spacing_mm": (1.4, 1.4, math.nan)}, "is not three sizes"),
    ],
)
def test_what_no_cine_has_is_refused_of_whoever_says_it(given, said):
    with pytest.raises(FacewarpError, match=said):
        ReadOptions(**given)


@pytest.mark.parametrize("given", [{"label_order": "acdc"}, {"label_names": "lv=1,wall=2,rv=3"}])
def test_what_is_said_of_labels_wants_labels(given):
    with pytest.raises(FacewarpError, match=f"{next(iter(given))} is given, and no labels are"):
        CineOptions(**given)


def test_the_command_takes_what_the_library_takes():
    options = get_type_hints(InputOptions, include_extras=True)
    rate, step = (options[name].__metadata__[0] for name in ("heart_rate", "time_step"))
    assert (rate.min, rate.max) == HEART_RATES_BPM
    assert (step.min, step.max) == tuple(1000 * s for s in TIME_STEPS_S)
