"""Weights files: what they claim is checked before anything is built; names mean what ships."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.config_checks import estimate_parameters
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import (
    absolute_model,
    file_sha256,
    find_weights,
    holds_weights,
    int8_weights,
    load_weights,
    save_weights,
    shipped_weights,
)
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import PRESETS

SMALL = ModelConfig(
    classes=("background", "face"),
    grid_shape=(32, 32),
    input_shape=(32, 32),
    field_shape=(16, 16),
    features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(4, 8), strides=(2,), control_level=1, box=3),),
)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "small.safetensors"
    save_weights(GuidedRegistration(SMALL), path, {})
    return path


def rewritten(path, change):
    """The file with another configuration."""
    config = json.loads(SMALL.to_json())
    config = change(config) or config
    text = config if isinstance(config, str) else json.dumps(config)
    save_file(load_file(path), path, {"format": "facewarp-1", "config": text})
    return path


def at(*keys, value):
    """Set one value of a configuration."""

    def change(config):
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    return change


def test_what_is_saved_is_loaded(weights):
    net, metadata = load_weights(weights)
    assert net.config == SMALL
    assert metadata["format"] == "facewarp-1"


ODD = {f"{letter}{n}": f'"{n}"\n\t\\ é 心 \x01' for n in range(4) for letter in "zah"}


def test_the_same_weights_give_the_same_bytes(tmp_path):
    net = GuidedRegistration(SMALL)
    paths = [tmp_path / "one.safetensors", tmp_path / "other.safetensors"]
    hashes = {save_weights(net, path, ODD) for path in paths}
    hashes.add(save_weights(net, paths[0], dict(reversed(ODD.items()))))
    assert len(hashes) == 1
    raw = paths[0].read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert list(header["__metadata__"]) == sorted([*ODD, "format", "config"])
    assert {key: load_weights(paths[0])[1][key] for key in ODD} == ODD


def test_a_file_knows_the_weights_it_holds(weights):
    net, _ = load_weights(weights)
    assert holds_weights(weights, net, {})
    assert not holds_weights(weights, net, {"preset": "face"})
    assert not holds_weights(weights.with_name("none.safetensors"), net, {})
    with torch.no_grad():
        next(net.parameters()).add_(1)
    assert not holds_weights(weights, net, {})


@pytest.mark.parametrize(
    "change",
    [
        at("features", "refine", value=10**7),
        at("features", "refine", value=30),
        at("features", "channels", value=[4, 4000]),
        at("features", "channels", value=[4, 10**9]),
        at("features", "channels", value="48"),
        at("features", "strides", value=[0]),
        at("features", "entry_stride", value=[1, 1, 1]),
        at("features", "entry_kernel", value=0),
        at("features", "decoder", value=[10**6]),
        at("features", value=None),
        at("steps", value=[]),
        at("steps", value=[[]]),
        at("steps", 0, "box", value=0),
        at("steps", 0, "box", value=[3, 3, 3]),
        at("steps", 0, "control_level", value=2),
        at("steps", 0, "channels", value=[True, 8]),
        at("reach", value=float("nan")),
        at("reach", value=float("inf")),
        at("reach", value="1"),
        at("grid_shape", value=[32, 10**9]),
        at("input_shape", value=[32, 32, 32]),
        at("input_shape", value=[32, -32]),
        at("field_shape", value=16),
        at("spacing_mm", value=[float("inf"), 1]),
        at("classes", value=["one"]),
        at("classes", value=[1, 2]),
        at("border", value="round"),
        at("shared", value=1),
        at("more", value=1),
        lambda config: "[]",
        lambda config: "null",
        lambda config: "[" * 100_000,
        lambda config: "{",
    ],
)
def test_configurations_that_cannot_be_are_refused_at_once(weights, change):
    with pytest.raises(FacewarpError, match="do not fit their own configuration"):
        load_weights(rewritten(weights, change))


def test_weights_that_are_not_finite_are_named(weights):
    tensors = load_file(weights)
    name = next(name for name in tensors if tensors[name].ndim == 4)
    tensors[name].flatten()[3] = torch.nan
    save_file(tensors, weights, {"config": SMALL.to_json()})
    with pytest.raises(FacewarpError, match="not finite") as caught:
        load_weights(weights)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_estimate_of_parameters_holds_for_every_preset(name):
    config = PRESETS[name].model
    stored = sum(value.numel() for value in GuidedRegistration(config).state_dict().values())
    assert 0.8 * stored < estimate_parameters(config) < 4 * stored
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", ["face", "heart"])
def test_a_shipped_name_means_what_ships_whatever_lies_here(folder, weights, name):
    (folder / name).mkdir()
    shutil.copy(weights, folder / name / "model.safetensors")
    assert find_weights(name) == shipped_weights(name)
    assert find_weights(f"./{name}/model.safetensors").resolve().parent == folder / name
    assert find_weights(folder / name).parent == folder / name
    assert absolute_model(name) == name
    assert absolute_model(f"./{name}") == str(folder / name)


@pytest.fixture
def quantized(weights):
    place = weights.with_name("int8")
    place.mkdir()
    (place / "parts.bin").write_bytes(bytes(100))
    about = {
        "weights_sha256": file_sha256(weights),
        "files": {"parts.bin": file_sha256(place / "parts.bin")},
    }
    (place / "about.json").write_text(json.dumps(about))
    return weights


def test_sound_8_bit_weights_are_taken(quantized):
    assert int8_weights(quantized, file_sha256(quantized)) == quantized.with_name("int8")
    assert int8_weights(quantized, "another") is None


def test_damaged_8_bit_weights_are_refused(quantized):
    (quantized.with_name("int8") / "parts.bin").write_bytes(bytes(99) + b"\1")
    with pytest.raises(FacewarpError, match="8-bit weights do not match"):
        int8_weights(quantized, file_sha256(quantized))


@pytest.mark.parametrize("text", ["[]", "null", "{", '"x"', '{"weights_sha256": 3}', "[" * 100_000])
def test_an_odd_record_of_8_bit_weights_counts_as_none(quantized, text):
    (quantized.with_name("int8") / "about.json").write_text(text)
    assert int8_weights(quantized, file_sha256(quantized)) is None
