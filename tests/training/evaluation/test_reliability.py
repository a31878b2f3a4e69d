"""Confidence against truth, and errors by group."""

import dataclasses
import json

import numpy as np
import PIL.Image
import pytest
from fixtures.points import write_pts

from facewarp.core.model import load
from facewarp.errors import FacewarpError
from facewarp.face.tracking.confidence import Calibration
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.training.evaluation import face_groups, reliability
from facewarp.training.evaluation.faces import PairScore
from facewarp.training.evaluation.reliability import (
    EDGES,
    Registration,
    binned,
    calibrated,
    calibration_error,
)


def test_registrations_are_counted_by_confidence():
    found = [Registration(0.92, 0.9, 2.0), Registration(0.91, 0.8, 4.0), Registration(1.0, 0.95, 1)]
    found += [Registration(0.1, 0.3, 40.0)]
    bins = binned(found)
    assert sum(b.count for b in bins) == len(found)
    assert [(b.low, b.high, b.count) for b in bins] == [(0.1, 0.2, 1), (0.9, 1, 3)]
    assert bins[1].dice == pytest.approx((0.9 + 0.8 + 0.95) / 3)
    assert bins[1].error_percent == pytest.approx(2.0)
    assert [b.far_off_percent for b in bins] == [100, 0]
    assert [b.count for b in binned(found, (0.0, 0.92, 1.0))] == [2, 2]
    assert (EDGES[0], EDGES[-1]) == (0, 1)


def test_calibration_error_is_zero_for_true_confidences():
    sure = [Registration(c, c, 1.0) for c in np.linspace(0.05, 0.98, 40)]
    assert calibration_error(binned(sure)) < 1e-9
    boastful = [Registration(r.confidence, r.dice - 0.04, 1.0) for r in sure]
    assert calibration_error(binned(boastful)) == pytest.approx(0.04)


@pytest.mark.slow
def test_bad_crops_have_less_confidence_and_less_truth(photo):
    fitter = FaceRegistrar("average", load("face"), "cpu", 0.7)
    found = reliability.registrations(fitter, [photo])
    assert len(found) >= 15
    table = np.array([dataclasses.astuple(r) for r in found])
    assert ((table[:, :2] >= 0) & (table[:, :2] <= 1)).all()
    best = table[table[:, 0].argmax()]
    worst = table[table[:, 0].argmin()]
    assert best[1] > worst[1]
    assert best[2] < worst[2]
    again = reliability.registrations(fitter, [photo])
    assert [r.confidence for r in again] == pytest.approx([r.confidence for r in found])


def test_the_curve_is_what_agreement_was_worth(photo, monkeypatch):
    rng = np.random.default_rng(0)
    agreements = rng.uniform(0.05, 0.99, 800)
    truth = 0.9 * agreements**2
    found = [Registration(a, t, 1.0) for a, t in zip(agreements, truth, strict=True)]
    monkeypatch.setattr(reliability, "registrations", lambda fitter, photos: found)
    model = load("face")
    curve = calibrated(model, [photo])
    assert np.abs(curve(agreements) - truth).max() < 0.04
    kept = Calibration.from_text(curve.to_text())
    assert kept(agreements) == pytest.approx(curve(agreements), abs=2e-3)
    told = [Registration(c, t, 1.0) for c, t in zip(curve(agreements), truth, strict=True)]
    assert calibration_error(binned(told)) < 0.01 < calibration_error(binned(found))


def test_too_few_photographs_tell_no_curve(photo, monkeypatch):
    few = [Registration(0.9, 0.8, 1.0)] * 20
    monkeypatch.setattr(reliability, "registrations", lambda fitter, photos: few)
    with pytest.raises(FacewarpError, match=r"1 photographs are too few.*Give some dozens"):
        calibrated(load("face"), [photo])


def score(fixed, dice, contour=2.0):
    return PairScore(
        fixed=fixed, moving="m", dice_initial=0.2, dice=np.full(7, dice), contour_initial_px=9.0,
        contour_px=np.full(7, contour), landmark_px=3.0, jacobian_std=0.3, folds_percent=0.0,
        parts_dice=0.8, seconds=0.01,
    )  # fmt: skip


def test_groups_are_compared_with_all_the_others_worst_first():
    rng = np.random.default_rng(0)
    scores = [
        score(f"p{i}", 0.8 + 0.01 * rng.standard_normal() - 0.1 * (i < 10)) for i in range(40)
    ]
    kinds = {f"p{i}": {"turned far" if i < 10 else "from the front"} for i in range(40)}
    kinds["p39"].add("rare")
    found = face_groups.grouped(scores, kinds)
    assert [(g.name, g.count) for g in found] == [
        ("all", 40), ("turned far", 10), ("from the front", 30),
    ]  # fmt: skip
    assert found[1].difference == pytest.approx(-10, abs=1)
    assert found[1].difference == pytest.approx(-found[2].difference)
    assert 0 < found[1].standard_error < 1
    assert found[0].dice == pytest.approx((10 * found[1].dice + 30 * found[2].dice) / 40)


def turned(points, share):
    """The points of a face that turns its nose towards one side of its jaw."""
    moved = points.copy()
    middle = (points[0] + points[16]) / 2
    moved[27:36] += share * (points[16] - middle)
    return moved


def test_pose_and_expression_come_from_the_points(photo):
    points = photo.landmarks
    open_mouth, shut = points.copy(), points.copy()
    open_mouth[66] += 0.5 * (open_mouth[66] - open_mouth[33])
    for eye in (slice(36, 42), slice(42, 48)):
        shut[eye, 1] = shut[eye, 1].mean()
    tell = face_groups._pose_and_expression
    assert "from the front" in tell(points)
    assert "turned far" in tell(turned(points, 0.8))
    assert "turned a little" in tell(turned(points, 0.25))
    assert "mouth open" in tell(open_mouth)
    assert "eyes shut" in tell(shut)
    assert "eyes shut" not in tell(points)
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    assert "head on one side" in tell(points @ np.array([[cos, sin], [-sin, cos]]))


@pytest.mark.parametrize(
    ("color", "kind"),
    [
        ((225, 190, 170), "skin looks light (ITA above 41 degrees)"),
        ((90, 55, 40), "skin looks dark (ITA below 10 degrees)"),
    ],
)
def test_skin_and_light_come_from_the_image(photo, tmp_path, color, kind):
    shape = photo.image.shape
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(np.full((*shape, 3), color, np.uint8)).save(path)
    shown = dataclasses.replace(
        photo, path=path, image=np.full(shape, int(np.mean(color)), np.uint8)
    )
    kinds = face_groups.kinds_of(shown)
    assert kind in kinds
    assert ("dim light" in kinds) == (np.mean(color) < 80)
    assert "blurred" in kinds
    masks = np.zeros(shape, np.uint8)
    masks[:60, :60] = 3
    assert "glasses" in face_groups.kinds_of(shown, masks)
    assert "glasses" not in kinds


@pytest.mark.slow
def test_the_commands_print_tables_and_json(photo, tmp_path, capsys):
    (tmp_path / "set").mkdir()
    for index in range(12):
        picture = PIL.Image.fromarray(np.rint(photo.image * (0.5 + index / 24)).astype(np.uint8))
        picture.save(tmp_path / "set" / f"{index:02d}.jpg")
        write_pts(tmp_path / "set" / f"{index:02d}.pts", photo.landmarks)
    reliability.main(
        ["--data", str(tmp_path / "set"), "--limit", "1", "--plot", f"{tmp_path}/r.png"]
    )
    assert "| confidence |" in capsys.readouterr().out
    assert PIL.Image.open(tmp_path / "r.png").width > 800
    face_groups.main(["--data", str(tmp_path / "set"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["groups"][0]["name"] == "all"
    assert told["groups"][0]["count"] == 12
    with pytest.raises(SystemExit) as stop:
        face_groups.main(["--data", str(tmp_path / "none")])
    assert stop.value.code == 1
