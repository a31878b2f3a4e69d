"""When a run is told that half precision would be quicker."""

from dataclasses import replace

import pytest
import torch

from facewarp.training.config.presets import PRESETS
from facewarp.training.run import wastes_matrix_units

PLAIN = PRESETS["face"]


@pytest.mark.parametrize(
    ("has_units", "precision", "device", "told"),
    [
        (True, "float32", "cpu", True),
        (True, "bfloat16", "cpu", False),
        (True, "float32", "cuda", False),
        (False, "float32", "cpu", False),
    ],
)
def test_only_idle_matrix_units_are_told_of(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, precision: str, device: str, told: bool
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_units}, raising=False
    )
    assert wastes_matrix_units(replace(PLAIN, precision=precision), device) is told


def test_an_older_torch_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not wastes_matrix_units(PLAIN, "cpu")
