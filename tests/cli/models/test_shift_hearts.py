"""``facewarp eval acdc --shift``: what it prints, keeps and refuses; the measuring is stood in."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facewarp.cardiac.motion.evidence import Evidence
from facewarp.cli.app import app
from facewarp.training.evaluation import heart_shifts
from facewarp.training.evaluation.heart_shifts import ShiftCase, model_names
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

GOOD = (0.96, 0.93, 0.97)


@pytest.fixture(scope="module")
def acdc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("acdc")
    for number in (18, 19):
        write_drawn_patient(place, number)
    return place


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kinds and strengths that were measured; after six the user presses Ctrl-C."""
    found: list[str] = []

    def measure(model, patient, protocol, kind, strength="", seed=0, **_):
        if len(found) == 6:
            raise KeyboardInterrupt
        found.append(f"{patient.name} {kind} {strength}".strip())
        lower = tuple(d - 0.1 * (kind == "noise") for d in GOOD)
        evidence = Evidence(lower, lower, lower, lower, 1.0, 0.5, 0.5, 0.8, 0.1)
        case = ShiftCase(
            *(patient.name, "DCM", kind, strength, model_names(model), lower, lower),
            *(50.0, 52.0, 45.0, 44.0, (), evidence),
        )
        return replace(case, ef=62.0, flags=("contours: bad",)) if kind == "noise" else case

    monkeypatch.setattr(heart_shifts, "measure_case", measure)
    monkeypatch.setattr(heart_shifts, "_orientation", lambda *_: None)
    return found


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_shifts_are_told_beside_the_scans_as_they_are(acdc, asked, tmp_path) -> None:
    words = ("eval", "acdc", "--data", acdc, "--shift", "noise:strong")
    out = ("--out", tmp_path / "rows.csv", "--figures", tmp_path / "plots")
    result = invoke(*words, *out, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    clean, noise = told["shifts"]
    assert (clean["kind"], noise["kind"], noise["n"]) == ("clean", "noise", 2)
    assert noise["parts_fall"] == pytest.approx(10)
    assert (noise["ef_error"], noise["flagged_percent"]) == (12, 100)
    assert told["warned"]["n_far_off"] == told["warned"]["far_off_flagged"] == 2
    assert told["warned"]["near_flagged"] == 0
    assert noise["expected_dice"] < clean["expected_dice"]
    assert "of 2 flagged" in " ".join(result.stderr.split())
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert (tmp_path / "plots" / "heart-reliability.png").is_file()


def test_an_interrupted_evaluation_goes_on_where_it_stopped(acdc, asked, tmp_path) -> None:
    words = ("eval", "acdc", "--data", acdc, "--shift", "noise:strong,blur,matrix:mild")
    out = ("--out", tmp_path / "rows.csv")
    result = invoke(*words, *out)
    assert result.exit_code == 130
    assert "the same command goes on" in " ".join(result.stderr.split())
    assert len(asked) == 6
    before = list(asked)
    asked.clear()
    assert invoke(*words, *out).exit_code == 0
    assert asked
    assert not set(asked) & set(before)
    assert len(before) + len(asked) == 2 * (1 + 1 + 3 + 1)
    asked.clear()
    other = invoke("eval", "acdc", "--data", acdc, "--shift", "noise", "--seed", "2", *out)
    assert other.exit_code == 1
    assert "other weights or settings" in " ".join(other.stderr.split())
    assert not asked


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shift", "fog"), "no shift is called 'fog'"),
        (("--shift", "noise:loud"), "no strength is called 'loud'"),
        (("--shift", "all", "--methods", "all"), "--methods does not go with --shift"),
        (("--shift", "all", "--picture", "a.png"), "--picture does not go with --shift"),
    ],
)
def test_what_does_not_go_with_shifts_is_refused(acdc, asked, words, said) -> None:
    result = invoke("eval", "acdc", "--data", acdc, *words)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert not asked


def test_a_face_model_is_refused(acdc, asked) -> None:
    result = invoke("eval", "acdc", "--data", acdc, "--shift", "noise", "--model", "face")
    assert result.exit_code == 1
    assert "this is no heart model: 'face'" in " ".join(result.stderr.split())
    assert not asked


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        ("--out", "file/rows.csv", "part of the path is a file"),
        ("--out", "", "the output is a folder"),
        ("--figures", "file", "part of the path is a file"),
        ("--figures", "file/plots", "part of the path is a file"),
    ],
)
def test_results_without_a_place_are_told_first(acdc, asked, tmp_path, option, name, said) -> None:
    (tmp_path / "file").touch()
    words = ("eval", "acdc", "--data", acdc, "--shift", "noise", option, tmp_path / name)
    result = invoke(*words)
    assert result.exit_code == 1
    assert said in " ".join(result.stderr.split())
    assert not asked
