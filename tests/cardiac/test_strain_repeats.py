"""Strain on perturbed copies: what is asked of each, and what becomes of copies without a heart."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facewarp.cardiac import strain_repeats
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.strain_repeats import with_strain_intervals
from facewarp.errors import FacewarpError


@dataclass(frozen=True)
class Cine:
    volume: Any
    frames: tuple[int, ...] = (3, 4, 5)


@dataclass(frozen=True)
class Result:
    cine: Cine
    strain: Any
    ed: int = 1
    es: int = 2
    strain_intervals: Any = None


@pytest.fixture
def asked(monkeypatch):
    """What `analyse` is asked for, one after another; the second copy shows no heart."""
    calls = []

    def analyse(cine, model, options):
        calls.append((cine.volume, model, options))
        if len(calls) == 2:
            raise FacewarpError("the model sees no heart here")
        return SimpleNamespace(strain=f"strain {len(calls)}")

    monkeypatch.setattr(strain_repeats, "analyse", analyse)
    monkeypatch.setattr(strain_repeats, "perturbed", lambda volume, rng: (volume, rng.random()))
    return calls


def test_copies_keep_the_moments_and_settings_of_the_result(asked):
    done = []
    result = Result(Cine("volume"), "own strain")
    asked_for = CineOptions(labels="ed.nii.gz", label_order="mnms", refined=False)
    found = with_strain_intervals(result, "model", 3, asked_for, progress=done.append)
    assert found.strain_intervals.strain == "own strain"
    assert found.strain_intervals.copies == ("strain 1", "strain 3")
    assert found.cine is result.cine
    for _, model, options in asked:
        assert model == "model"
        assert options == replace(asked_for, ed=4, es=5)
    assert len({volume for volume, _, _ in asked}) == 3
    np.testing.assert_allclose(done, [1 / 3, 2 / 3, 1])


def test_the_copies_are_the_same_every_time(asked):
    for _ in range(2):
        with_strain_intervals(Result(Cine("volume"), "own"), "model", 2)
    first, _, third, _ = (volume for volume, _, _ in asked)
    assert first == third


def test_without_a_wall_there_is_no_interval(asked):
    assert with_strain_intervals(Result(Cine("volume"), None), "model", 2).strain_intervals is None
    assert len(asked) == 2
