"""Which right ventricles that hardly eject are taken for the heart's own, and which are flagged."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cardiac.motion.confidence import HeartConfidence
from facewarp.cardiac.quantification.indices import indices
from facewarp.cardiac.report import quality_flags as checks

SURE, UNSURE = HeartConfidence((0.96, 0.9, 0.95), 2.0), HeartConfidence((0.91, 0.9, 0.95), 2.0)


def verdicts(lv, rv, confidence=SURE, wall_ml=120.0):
    """Verdicts on plausible values and strokes of volumes at ED and ES, ml."""
    volumes = np.array([[0, *both] for both in zip(rv, (wall_ml, wall_ml), lv, strict=True)])
    result = SimpleNamespace(
        indices=indices(volumes, 0, 1), confidence=confidence, volumes_ml=volumes, ed=0, es=1
    )
    flags = {flag.name: flag for flag in checks._plausibility(result)}
    return flags["plausible values"].verdict, flags["stroke volumes"].verdict


def test_a_right_ventricle_as_weak_as_the_left_is_not_odd():
    assert verdicts((224, 185), (169, 163)) == ("ok", "ok")
    assert verdicts((224, 185), (169, 170)) == ("ok", "ok")  # nothing, to the error of measuring
    assert verdicts((224, 185), (169, 163), UNSURE) == ("bad", "bad")
    assert verdicts((224, 185), (169, 163), None) == ("bad", "bad")


def test_a_dilated_right_ventricle_that_hardly_ejects_is_not_odd():
    assert verdicts((94, 41), (165, 162)) == ("ok", "ok")
    assert verdicts((94, 41), (120, 117)) == ("bad", "bad")  # no larger than the left


@pytest.mark.parametrize("confidence", [SURE, UNSURE])
@pytest.mark.parametrize(
    ("name", "lv", "rv"),
    [
        ("still beside a strong left one", (150, 60), (150, 147)),
        ("grows", (224, 185), (169, 210)),
        ("lost at ES", (224, 185), (169, 10)),
        ("lost at ED", (224, 185), (20, 162)),
        ("dilated beside a stroke that it can't pass on", (190, 40), (270, 268)),
        ("phases swapped", (185, 224), (163, 169)),
    ],
)
def test_mistakes_stay_flagged_however_sure_the_model_is(name, lv, rv, confidence):
    assert "bad" in verdicts(lv, rv, confidence), name


def test_what_is_said_of_a_weak_right_ventricle():
    volumes = np.array([[0, 169.0, 120, 224], [0, 163.0, 120, 185]])
    heart = indices(volumes, 0, 1)
    assert checks.right_is_weak(heart, SURE)
    assert not checks.right_is_weak(heart, UNSURE)
    assert checks._strokes(heart.lv, heart.rv, True).value == (
        "85 % apart, 15 % of the larger ventricle: the right one is weak"
    )
    assert checks._strokes(heart.lv, heart.rv, False).value == "85 % apart"
