"""The paper's variants: what they differ in, and how they shrink."""

import dataclasses
from pathlib import Path

import pytest
import torch

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training.config.paper_variants import at_size
from facewarp.training.config.presets import PRESETS, preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.run import for_epochs, run_config

VARIANTS = [name for name in PRESETS if name.startswith("paper-")]


def differences(config: TrainConfig) -> set[str]:
    """Dotted names of the settings in which a preset is not ``paper``."""

    def flat(node: object, prefix: str = "") -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in vars(node).items():
            if dataclasses.is_dataclass(value):
                found |= flat(value, f"{prefix}{name}.")
            else:
                found[f"{prefix}{name}"] = value
        return found

    ours, papers = flat(config), flat(PRESETS["paper"])
    return {name for name, value in ours.items() if value != papers[name]} - {"preset"}


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("paper-unguided", {"loss.part_ce", "model.guided"}),
        ("paper-shared", {"model.shared"}),
        ("paper-single", {"model.steps", "loss.step_weights"}),
        ("paper-pretrained", {"parts_first", "parts_after"}),
        ("paper-diffeomorphic", {"model.diffeomorphic"}),
    ],
)
def test_a_variant_changes_only_the_named_settings(name: str, changed: set[str]) -> None:
    assert differences(preset(name)) == changed
    assert preset(name).preset == name


def test_hearts_have_an_unguided_variant_too() -> None:
    config = preset("acdc-paper-unguided")
    assert (config.loss.part_ce, config.model.guided, config.model.kind) == (0, False, "heart")


def test_every_variant_is_tested_here() -> None:
    assert len(VARIANTS) == 5


def parameters(name: str) -> int:
    return sum(p.numel() for p in GuidedRegistration(preset(name).model).parameters())


def test_parameter_counts_of_single_and_shared_steps() -> None:
    assert parameters("paper-single") == pytest.approx(parameters("paper"), rel=0.01)
    parts = sum(p.numel() for p in GuidedRegistration(preset("paper").model).parts.parameters())
    assert parameters("paper-shared") - parts == (parameters("paper") - parts) / 2


@pytest.mark.parametrize("name", ["paper", "paper-single", "paper-diffeomorphic"])
@pytest.mark.parametrize(("size", "features"), [("half", (80, 65)), ("quarter", (40, 33))])
def test_a_smaller_network_has_the_same_weights_and_control_points(
    name: str, size: str, features: tuple[int, int]
) -> None:
    whole = GuidedRegistration(preset(name).model)
    small = GuidedRegistration(at_size(preset(name).model, size)).eval()
    small.load_state_dict(whole.state_dict())
    image = torch.rand(1, 1, 320, 260)
    with torch.inference_mode():
        found = small(image, image.flip(-1))
    assert found.fields[-1].shape[2:] == found.logits_fixed.shape[2:] == features
    assert all(control.shape[2:] == (10, 8) for control in found.controls)
    assert small.config.grid_shape == (320, 260)


def test_filters_shrink_with_the_image_and_stay_odd() -> None:
    boxes = [[s.box for s in at_size(preset("paper").model, z).steps] for z in ("half", "quarter")]
    assert boxes == [[9, 5], [5, 3]]
    assert at_size(preset("face").model, "full") == preset("face").model


@pytest.mark.parametrize(("name", "size"), [("paper", "quarter"), ("acdc-paper", "half")])
def test_a_smaller_network_moves_as_far(name: str, size: str) -> None:
    whole, small = preset(name).model, at_size(preset(name).model, size)
    assert small.reach / small.feature_shape[0] == whole.reach / whole.feature_shape[0]


@pytest.mark.parametrize("name", ["paper", "acdc-paper"])
def test_outputs_count_about_half_extents_of_the_features(name: str) -> None:
    model = preset(name).model
    halves = [n / 2 for n in model.feature_shape]
    assert model.reach == pytest.approx(sum(halves) / len(halves), rel=0.03)


def test_hearts_shrink_too() -> None:
    small = at_size(preset("acdc-paper").model, "half")
    assert (small.input_shape, small.field_shape) == ((32, 64, 64), (16, 32, 32))
    assert small.grid_shape == (64, 128, 128)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [("face", "half", "deepest level"), ("paper", "third", "no size 'third'.*full, half, quarter")],
)
def test_sizes_that_cannot_be_are_refused(name: str, size: str, said: str) -> None:
    with pytest.raises(FacewarpError, match=said):
        at_size(preset(name).model, size)


def test_a_run_keeps_its_size(tmp_path: Path) -> None:
    started = run_config(tmp_path, "paper", {}, resume=False, size="half")
    assert started.model.input_shape == (160, 130)
    with pytest.raises(FacewarpError, match="keeps its size"):
        run_config(tmp_path, None, {}, resume=True, size="half")


def test_epochs_count_photographs_once_each() -> None:
    config = for_epochs(preset("paper"), 300, 2000)
    assert (config.steps, config.epochs) == (30000, 300)
    assert for_epochs(preset("paper"), 2, 1207, processes=2).steps == 60
    assert for_epochs(preset("paper"), 0.001, 10).steps == 1
