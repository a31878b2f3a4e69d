"""The heart rate of a cine, and what its volume curve says of its phases."""

import nibabel as nib
import numpy as np
import pytest

from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.quantification.heart_rate import closed_as_seen, rate_by_curve
from facewarp.cardiac.quantification.indices import find_ed

BEAT = np.array([92.0, 90, 82, 72, 60, 44, 40, 38, 41, 44, 48, 62, 69, 73, 78, 82, 86, 89, 91, 92])


def cine_of(curve, step_s=0.04, cycle_s=None):
    data = np.zeros((len(curve), 1, 1, 1), np.float32)
    volume = Volume(data, np.eye(4), step_s, (), nib.Nifti1Header(), "scan", cycle_s=cycle_s)
    return Cine("scan", "scan", volume, tuple(range(1, len(curve) + 1)), None, {})


def test_a_curve_that_ends_early_is_not_closed():
    """Closed, end-diastole was the second phase, beside which the last one seemed to lie."""
    early = BEAT[:12]
    seen = closed_as_seen(cine_of(early), early)
    assert cine_of(early).closes
    assert not seen.closes
    assert find_ed(early, seen.closes) == 0
    rate, (said,) = rate_by_curve(seen, early, None)
    assert rate is None
    assert "begins with 92 ml and ends with 62 ml" in said
    untimed = closed_as_seen(cine_of(early, step_s=None), early)
    assert "the cycle is not closed" in rate_by_curve(untimed, early, None)[1][0]
    assert rate_by_curve(seen, early, 70.0)[0] == 70


@pytest.mark.parametrize("start", [0, 5, 13])
def test_whole_heartbeats_are_closed_and_tell_their_rate(start):
    curve = np.roll(BEAT, start)
    seen = closed_as_seen(cine_of(curve), curve)
    assert seen.closes
    assert rate_by_curve(seen, curve, None) == (pytest.approx(75), [])


def test_times_that_cover_the_heartbeat_are_believed():
    early = BEAT[:12]
    assert closed_as_seen(cine_of(early, 0.04, 0.48), early).closes


def test_ejection_fractions_of_several_beats_are_told():
    weak = 92 - 0.85 * (92 - BEAT[::2])
    curve = np.concatenate([BEAT[::2], weak, BEAT[::2]])
    seen = closed_as_seen(cine_of(curve), curve)
    rate, (said,) = rate_by_curve(seen, curve, None)
    assert rate is None
    assert "has 3 beats, as of real-time imaging, of ejection fractions of 57, 48, 57 %" in said
