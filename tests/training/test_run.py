"""A run: options that contradict one another, and what is said of it before it starts."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facewarp.errors import FacewarpError
from facewarp.training.config.presets import PRESETS
from facewarp.training.run import RunOptions, plan_run, wastes_matrix_units

PLAIN = PRESETS["face"]


@pytest.mark.parametrize(
    ("has_units", "precision", "device", "advised"),
    [
        (True, "float32", "cpu", True),
        (True, "bfloat16", "cpu", False),
        (True, "float32", "cuda", False),
        (False, "float32", "cpu", False),
    ],
)
def test_bfloat16_is_advised_only_where_it_is_idle(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, precision: str, device: str, advised: bool
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_units}, raising=False
    )
    assert wastes_matrix_units(replace(PLAIN, precision=precision), device) is advised


def test_an_older_torch_gives_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not wastes_matrix_units(PLAIN, "cpu")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"epochs": 2.0, "settings": {"steps": "9"}}, "--epochs"),
        ({"resume": True, "start_from": "face"}, "--start-from"),
    ],
)
def test_contradicting_options_are_refused_before_a_run(
    tmp_path: Path, options: dict, option: str
) -> None:
    with pytest.raises(FacewarpError) as error:
        plan_run(RunOptions(tmp_path / "run", **options))
    assert error.value.where == option
    assert not (tmp_path / "run").exists()


def test_each_kind_of_data_has_its_default_preset(tmp_path: Path) -> None:
    assert plan_run(RunOptions(tmp_path)).preset == "face"
    assert plan_run(RunOptions(tmp_path, kind="heart")).preset == "acdc"
