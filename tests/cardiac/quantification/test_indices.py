import numpy as np
import pytest

from facewarp.cardiac.parts import PART_COLORS, PART_NAMES, HeartPart
from facewarp.cardiac.quantification.indices import (
    Ventricle,
    base_warnings,
    beats,
    count_beats,
    curve_base_warnings,
    find_ed,
    find_es,
    indices,
    is_open,
    refuse_no_heart,
    volumes_ml,
)
from facewarp.errors import FacewarpError


def test_parts_are_acdcs():
    assert [part.name for part in HeartPart] == ["BACKGROUND", "RV", "MYOCARDIUM", "LV"]
    assert [part.name.lower() for part in HeartPart] == list(PART_NAMES)
    assert PART_COLORS.shape == (4, 3)


def test_volumes_are_counted():
    labels = np.zeros((2, 3, 4, 5), np.uint8)
    labels[1, :, :2] = HeartPart.LV
    np.testing.assert_allclose(volumes_ml(labels, 0.5), [[30, 0, 0, 0], [15, 0, 0, 15]])


def test_indices_of_a_heart():
    volumes = np.array([[0, 160, 100, 150], [0, 100, 110, 90], [0, 80, 111, 60.0]])
    found = indices(volumes, 0, 2, heart_rate_bpm=60)
    assert (found.lv.edv_ml, found.lv.esv_ml, found.lv.sv_ml) == (150, 60, 90)
    assert found.lv.ef_percent == pytest.approx(60)
    assert found.lv.co_l_min == pytest.approx(5.4)
    assert found.rv.ef_percent == pytest.approx(50)
    assert found.lv_mass_g == pytest.approx(105)
    unknown = indices(volumes, 0, 2)
    assert unknown.lv.co_l_min is None
    assert unknown.heart_rate_bpm is None


def test_an_empty_ventricle_has_no_ejection_fraction():
    assert indices(np.zeros((2, 4)), 0, 1).lv.ef_percent is None


def test_end_diastole_and_systole_of_a_curve():
    curve = 100 + 40 * np.cos(2 * np.pi * (np.arange(20) - 18) / 20)
    assert (find_ed(curve, cyclic=True), find_es(curve, cyclic=True)) == (18, 8)
    spiky = curve.copy()
    spiky[11] = 55.0  # one phase that the model got wrong
    assert find_es(spiky, cyclic=True) == 8
    assert find_es(spiky, cyclic=False) == 11
    assert find_ed(np.array([70.0, 120.0]), cyclic=False) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_beats_of_a_curve_are_counted_wherever_it_begins(rng, count):
    for start in range(0, 24, 5):
        phase = 2 * np.pi * count * (np.arange(24) - start) / 24
        curve = 110 + 40 * np.cos(phase) + rng.normal(0, 2, 24)
        assert count_beats(curve, cyclic=True) == count
        if not start:
            assert count_beats(curve, cyclic=False) == count


BEAT = np.array([92.0, 72, 44, 38, 44, 69, 82, 90])


def test_of_few_phases_the_extremes_are_the_largest_and_the_smallest():
    """Smoothed, phase 8 would be the largest, since after phase 1 the curve falls steeply."""
    for start in range(8):
        curve = np.roll(BEAT, start)
        assert curve[find_ed(curve, cyclic=True)] == 92
        assert curve[find_es(curve, cyclic=True)] == 38


@pytest.mark.parametrize("start", range(0, 24, 3))
def test_end_systole_is_of_the_beat_that_follows_end_diastole(start):
    """An extra beat empties less, another one more; a smallest of all would mix two beats."""
    extra = np.array([90.0, 75, 52, 40, 53, 74, 85, 88])
    strong = np.array([91.0, 72, 41, 30, 44, 69, 82, 90])
    curve = np.roll(np.concatenate([BEAT, extra, strong]), start)
    told = sorted((curve[ed], curve[es]) for ed, es in beats(curve, cyclic=True))
    assert told == [(90, 40), (91, 30), (92, 38)]
    ed = find_ed(curve, cyclic=True)
    assert (curve[ed], curve[find_es(curve, True, ed)]) == (92, 38)
    assert curve[find_es(curve, True)] == 30
    given = int(np.flatnonzero(curve == 75)[0])  # in the extra beat
    assert curve[find_es(curve, True, given)] == 40


def test_a_beat_that_is_cut_off_is_none():
    curve = np.concatenate([BEAT[4:], BEAT, BEAT[:3]])  # ends before its end-systole
    ed, es = beats(curve, cyclic=False)[0]
    assert (curve[ed], curve[es]) == (92, 38)
    last = len(curve) - 3
    assert curve[find_es(curve, False, last)] in (38, 44)
    assert beats(BEAT[:6], cyclic=False) == []


def test_noise_of_a_heart_that_hardly_moves_is_no_beat(rng):
    assert count_beats(300 + rng.normal(0, 15, 30), cyclic=True) == 1
    assert count_beats(np.full(30, 120.0), cyclic=True) == 1
    assert count_beats(np.array([100, 50, 100, 50.0]), cyclic=True) == 1


def test_a_curve_of_half_a_heartbeat_is_open(rng):
    beat = 110 + 40 * np.cos(2 * np.pi * np.arange(24) / 24)
    for start in range(0, 24, 3):  # whole ones close, whichever phase is first
        assert not is_open(np.roll(beat, -start) + rng.normal(0, 1, 24))
    for phases in (10, 12, 14):
        assert is_open(beat[:phases] + rng.normal(0, 1, phases))
    assert is_open(np.array([110, 103, 88, 59, 55, 59.0]))  # a phantom's first half, 12 phases
    assert not is_open(beat[[0, 12]])
    assert not is_open(200 + rng.normal(0, 5, 20))


def test_a_doubtful_base_is_said_with_both_ejection_fractions():
    lv = Ventricle(120.0, 84.0, 36.0, 30.0, None)
    (said,) = base_warnings((2, 12.0), lv, 7)
    assert "slice 2 from the base may show the atrium at end-systole (phase 7)" in said
    assert "its 12 ml the ejection fraction is 30 %, without them 40 %" in said
    assert base_warnings(None, lv, 7) == []
    tiny = Ventricle(6.0, 2.0, 4.0, 67.0, None)  # the slice holds more than the labels told
    assert "without them 100 %" in base_warnings((1, 2.4), tiny, 3)[0]
    assert base_warnings((1, 2.0), lv, 7) == []  # less than two points of EF


def test_phases_with_a_doubtful_base_are_said():
    lv = Ventricle(120.0, 84.0, 36.0, 30.0, None)
    (said,) = curve_base_warnings({3: (1, 17.0), 4: (2, 1.0), 5: (1, 9.0)}, lv)
    assert said.startswith("in phases 3, 5 the slice nearest to the base")
    assert "up to 17 ml" in said
    assert curve_base_warnings({4: (2, 1.0)}, lv) == curve_base_warnings({}, lv) == []


def test_what_noise_gives_is_no_heart(tmp_path):
    with pytest.raises(FacewarpError, match=r"2\.8 ml at end-diastole, and none in 2 of 4 phases"):
        refuse_no_heart(np.array([2.8, 0, 1, 0.0]), 0, tmp_path)
    refuse_no_heart(np.array([2.8, 1, 1, 2.0]), 0, tmp_path)  # a small animal's
    refuse_no_heart(np.array([120.0, 0, 60, 90]), 0, tmp_path)  # said elsewhere
