"""Hearts that a part network sees differently in mirrored slices are looked at from four sides."""

import numpy as np
import pytest
import torch

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.evidence import SecondLooks
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.several_looks import (
    doubt_warnings,
    in_doubt,
    looks_apart_percent,
    seen_from_all_sides,
)
from facewarp.cardiac.motion.slice_parts import REACH, EdgeOffsets, SliceParts
from facewarp.cardiac.parts import HeartPart

SHAPE = (3, 32, 48)
GRID = ModelGrid(SHAPE, (1.0, 1.0, 10.0), SHAPE, np.eye(4))


class Seeing:
    """A part network that takes bright for right ventricle, but not in a half of the picture."""

    sha256 = ""

    def __init__(self, blind: bool) -> None:
        self.blind = blind

    def on_grid(self, shape):
        return self

    def probabilities(self, images):
        rv = (images[:, REACH : REACH + 1] > 0.5).float()
        if self.blind:
            rv[..., : rv.shape[-1] // 2] = 0
        return torch.cat([1 - rv, rv, 0 * rv, 0 * rv], 1)


@pytest.fixture
def volume() -> Volume:
    """Two phases with a bright square in their left half, which gets smaller."""
    data = np.zeros((2, *SHAPE), np.float32)
    data[0, :, 4:24, 2:22] = data[1, :, 4:14, 2:22] = 1
    return Volume(data, np.eye(4), None, (), None, None)


def seen(volume: Volume, model: Seeing) -> SliceParts:
    shown = np.repeat(volume.data[:, :, None], 2 * REACH + 1, axis=2)
    found = [model.probabilities(torch.from_numpy(one)).numpy().swapaxes(0, 1) for one in shown]
    return SliceParts(GRID, np.stack(found), EdgeOffsets(rv_mm=0.5))


def rv_share(parts: SliceParts) -> np.ndarray:
    return parts.probabilities[:, HeartPart.RV].sum(axis=(1, 2, 3)) / (3 * 400)


def test_the_mean_of_four_looks_is_of_the_same_places(volume, monkeypatch) -> None:
    monkeypatch.setattr(
        "facewarp.cardiac.motion.several_looks.slice_input", lambda one, grid: one.data
    )
    blind, sound = Seeing(blind=True), Seeing(blind=False)
    first = seen(volume, blind)
    assert rv_share(first).tolist() == [0, 0]
    mean = seen_from_all_sides(blind, volume, first)
    assert rv_share(mean) == pytest.approx([0.5, 0.25])  # two of the four sides see all of it
    bright = mean.probabilities[:, HeartPart.RV] > 0
    np.testing.assert_array_equal(bright, volume.data > 0)
    assert mean.edges == first.edges
    whole = seen_from_all_sides(sound, volume, seen(volume, sound))
    np.testing.assert_array_equal(whole.probabilities, seen(volume, sound).probabilities)


def test_looks_apart_are_told_in_percent_of_end_diastole(volume) -> None:
    blind, sound = seen(volume, Seeing(blind=True)), seen(volume, Seeing(blind=False))
    coarse = np.zeros((2, 4, 1, 1, 1), np.float32)
    apart = looks_apart_percent(SecondLooks((0, 1), coarse, sound.probabilities), blind)
    assert apart[:, HeartPart.RV] == pytest.approx([100, 50], rel=0.01)
    assert not apart[:, [HeartPart.MYOCARDIUM, HeartPart.LV]].any()
    assert in_doubt(apart)
    same = looks_apart_percent(SecondLooks((0, 1), coarse, sound.probabilities), sound)
    assert not in_doubt(same)


def test_what_is_said_of_a_heart_in_doubt() -> None:
    ed_ml, apart = np.array([0.0, 90.0, 100.0, 120.0]), np.zeros((2, 4))
    assert doubt_warnings(None, (1, 9), ed_ml) == doubt_warnings(apart, (1, 9), ed_ml) == []
    apart[:, HeartPart.RV], apart[1, HeartPart.LV] = (-10, 20), 5
    (said,) = doubt_warnings(apart, (1, 9), ed_ml)
    assert "in phase 9 the model sees 18 ml more of the right ventricle in mirrored" in said
