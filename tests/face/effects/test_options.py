"""The table of effects: makers, commands and the live page go by it."""

from typing import get_args

import pytest
import typer

from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.errors import FacewarpError
from facewarp.face.effects.factory import EFFECTS, make_effect
from facewarp.face.effects.options import (
    EFFECT_NAMES,
    EFFECT_OPTIONS,
    BlendName,
    is_opacity,
    options_of,
    takes,
    unfit_option,
)
from facewarp.face.rendering.shading import BLENDS

VALUES = {
    "texture": "tiger", "blend": "glow", "match": "brightness", "inset": True,
    "style": "bronze", "style_mode": "color", "opacity": 0.5,
}  # fmt: skip
PAIRS = [(effect, option) for effect in EFFECT_NAMES for option in EFFECT_OPTIONS]


def test_every_effect_has_a_maker():
    assert list(EFFECTS) == list(EFFECT_NAMES)


def test_every_option_is_tested():
    assert list(VALUES) == list(EFFECT_OPTIONS)


@pytest.mark.parametrize(("effect", "option"), PAIRS)
def test_make_effect_takes_what_the_table_says(effect, option):
    if takes(effect, option):
        make_effect(effect, **{option: VALUES[option]})
    else:
        with pytest.raises(FacewarpError, match=f"'{effect}' takes no {option}"):
            make_effect(effect, **{option: VALUES[option]})


@pytest.mark.parametrize(
    ("effect", "option"), [pair for pair in PAIRS if pair[1] not in ("blend", "inset")]
)
def test_commands_take_what_the_table_says(effect, option):
    given = {option: VALUES[option]}
    if takes(effect, option):
        assert EffectSelection(effect=effect, **given).label == effect
    else:
        with pytest.raises(typer.BadParameter, match=f"--effect {effect} .*say --effect"):
            EffectSelection(effect=effect, **given)


def test_added_effects_take_an_opacity_alone():
    assert options_of("an effect of one's own") == ["opacity"]


def test_what_is_none_or_off_is_not_given():
    assert unfit_option("labels", {"texture": None, "inset": False, "annotate": True}) is None
    assert unfit_option("labels", {"inset": True}) == "inset"
    assert unfit_option("canonical", {"opacity": 0.0}) == "opacity"


@pytest.mark.parametrize("value", [0, 1, 0.5])
def test_opacities_are_numbers_within_zero_and_one(value):
    assert is_opacity(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "1", True, None])
def test_other_values_are_no_opacity(value):
    assert not is_opacity(value)


def test_blends_are_those_of_the_renderer():
    assert get_args(BlendName) == BLENDS
