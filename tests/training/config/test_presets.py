import dataclasses
import json

import pytest

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training.config.overrides import parse_settings, with_overrides
from facewarp.training.config.presets import PRESETS, preset
from facewarp.training.config.train_config import TrainConfig


@pytest.mark.parametrize(
    ("name", "millions"), [("face", 2.54), ("paper", 2.52), ("acdc", 3.49), ("acdc-paper", 0.81)]
)
def test_presets_build_networks_of_their_size(name: str, millions: float) -> None:
    net = GuidedRegistration(preset(name).model)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


def test_the_papers_settings() -> None:
    paper = preset("paper")
    assert (paper.optimizer, paper.lr, paper.batch, paper.decay) == ("adam", 1e-3, 20, 0.97)
    assert paper.loss.roughness == pytest.approx(1e-3 * 20**0.5)  # of one image, not of 20
    hearts = preset("acdc-paper")
    assert hearts.loss.roughness == pytest.approx(1e-3 * hearts.batch**0.5)
    assert (paper.loss.part_ce, paper.loss.warp_l1) == (1.0, 1 / 8)
    assert [step.box for step in paper.model.steps] == [19, 11]
    assert paper.model.border == "zero"


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(FacewarpError, match=r"no training preset 'nope'\. Choose .*face, paper"):
        preset("nope")


def test_settings_change_what_they_name_and_nothing_else() -> None:
    settings = {
        "steps": "20",
        "lr": "1e-4",
        "both_directions": "false",
        "optimizer": "adam",
        "loss.landmarks": "0",
        "loss.step_weights": "0,1",
        "model.input_shape": "80,65",
        "model.guidance": "logits",
    }
    changed = preset("face", settings)
    before = PRESETS["face"]
    assert (changed.steps, changed.lr, changed.both_directions) == (20, 1e-4, False)
    assert changed.loss == dataclasses.replace(before.loss, landmarks=0.0, step_weights=(0.0, 1.0))
    model = dataclasses.replace(before.model, input_shape=(80, 65), guidance="logits")
    assert changed.model == model
    assert before == PRESETS["face"]


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("nope", "1", r"no setting 'nope' \(--set\)\. Settings here: .*loss.*steps"),
        ("loss.nope", "1", "no setting 'loss.nope'.*warp_l1"),
        ("steps.nope", "1", "steps has no parts"),
        ("steps", "2.5", "'2.5' is no value for 'steps'.*a whole number"),
        ("lr", "fast", "'fast' is no value for 'lr'.*a number"),
        ("lr", "nan", "'nan' is no value"),
        ("both_directions", "maybe", "true or false"),
        ("loss.step_weights", "1,", "numbers with commas"),
        ("view_shape", "a", "numbers with commas between them, like 12,96,96"),
        ("optimizer", "sgd", "one of muon, adamw, adam"),
        ("model.combine", "multiply", "one of compose, add"),
        ("model", "big", "'model' can't be set"),
        ("model.steps", "3", "'model.steps' can't be set"),
        ("preset", "paper", "no setting 'preset'"),
        ("batch", "0", "batch is 0. Give at least 1"),
        ("clip", "-1", "clip is -1.0. Give at least 0"),
        ("ema", "1", "ema is 1.0. Give less than 1"),
        ("parts_first", "1", "parts_first is 1.0. Give less than 1"),
        ("accumulate", "5", "a batch of 8 can't be worked through in 5 parts"),
        ("precision", "float16", "one of float32, bfloat16"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(key: str, text: str, said: str) -> None:
    with pytest.raises(FacewarpError, match=said) as error:
        preset("face", {key: text})
    assert "\n" not in str(error.value)


def test_a_size_that_was_not_set_can_be() -> None:
    assert preset("acdc-paper").view_shape == ()
    assert preset("acdc-paper", {"view_shape": "32,64,64"}).trained_model.field_shape == (
        16,
        32,
        32,
    )


def test_settings_are_read_from_words() -> None:
    words = ["steps=3", " lr = 1e-3 ", "loss.step_weights=0,1", "steps=4"]
    expected = {"steps": "4", "lr": "1e-3", "loss.step_weights": "0,1"}
    assert parse_settings(words) == expected


@pytest.mark.parametrize("word", ["steps", "=3", ""])
def test_a_word_that_is_no_setting_is_refused(word: str) -> None:
    with pytest.raises(FacewarpError, match=r"is not a setting \(--set\).*key=value"):
        parse_settings([word])


@pytest.mark.parametrize("name", PRESETS)
def test_a_runs_configuration_is_read_back(name: str) -> None:
    config = with_overrides(PRESETS[name], {"loss.step_weights": "1", "seed": "7"})
    written = json.dumps({**dataclasses.asdict(config), "about": {"data": "helen"}})
    assert TrainConfig.from_json(written) == config


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preset": "face", "model": {}}'])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(FacewarpError, match="not a run's configuration"):
        TrainConfig.from_json(text)
