"""The guided network and its afterthoughts, and which methods can be run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.geometry import pixel_grid
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training.comparison.face_registry import (
    ALL,
    FACE_METHODS,
    FaceSources,
)
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.evaluation.face_methods import (
    BaselineMethod,
    GuidedMethod,
    polyaffine_by_parts,
)

TINY = ModelConfig(
    classes=FACE_CLASSES,
    input_shape=(40, 33),
    field_shape=(40, 33),
    features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(8, 8), strides=(2,), control_level=1, box=3),) * 2,
)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    net = GuidedRegistration(TINY)
    for step in net.steps:
        torch.nn.init.normal_(step.head[-1].weight, std=1.0)
    return Model(net)


def crops() -> tuple[np.ndarray, np.ndarray]:
    fixed, moving = np.random.default_rng(0).integers(0, 256, (2, 320, 260), dtype=np.uint8)
    return fixed, moving


def test_a_method_gives_fields_and_parts_of_the_crop(model: Model) -> None:
    found = GuidedMethod(model, "paper").register(*crops())
    assert found.field.shape == (1, 2, 320, 260)
    assert found.parts is not None
    assert found.parts.shape == (320, 260)


def test_fields_can_be_added_instead(model: Model) -> None:
    plain, composed, added = (
        GuidedMethod(model, "paper", combine=how).register(*crops()).field
        for how in (None, "compose", "add")
    )
    torch.testing.assert_close(plain, composed)
    assert (added - composed).abs().max() > 0.01
    assert model.config.combine == "compose"
    with pytest.raises(FacewarpError, match="compose or add"):
        GuidedMethod(model, "paper", combine="multiply")


def test_an_affine_field_is_its_own_nearest_polyaffine_one() -> None:
    grid = pixel_grid((40, 33))
    linear = torch.tensor([[0.1, 0.03], [-0.05, 0.2]])
    affine = torch.einsum("ij,zjhw->zihw", linear, grid) + 2
    parts = torch.rand(1, 8, 20, 16).softmax(1)
    torch.testing.assert_close(polyaffine_by_parts(affine, parts), affine, atol=1e-3, rtol=1e-3)


def test_a_polyaffine_field_is_smoother(model: Model) -> None:
    rough, smooth = (
        GuidedMethod(model, "paper", polyaffine=poly).register(*crops()).field
        for poly in (False, True)
    )
    assert smooth.diff(dim=-1).square().mean() < rough.diff(dim=-1).square().mean()


def test_a_model_of_something_else_is_refused() -> None:
    other = Model(GuidedRegistration(ModelConfig(kind="heart", classes=("background", "rv"))))
    with pytest.raises(FacewarpError, match="no face model: 'heart'"):
        GuidedMethod(other, "heart")


def test_a_baseline_is_a_function() -> None:
    method = BaselineMethod("still", lambda fixed, moving: np.ones((2, *fixed.shape), np.float64))
    found = method.register(*crops())
    assert found.field.dtype == torch.float32
    assert found.parts is None


def test_all_methods_are_meant_by_all() -> None:
    assert FACE_METHODS.parse(" All ") == list(ALL)
    assert FACE_METHODS.parse("dis, paper+add,dis") == ["dis", "paper+add"]


@pytest.mark.parametrize("words", ["nope", "dis+add", "paper+blur", "acdc", "", " , "])
def test_methods_that_are_not_there_are_refused(words: str) -> None:
    with pytest.raises(FacewarpError, match=r"no method.*--methods"):
        FACE_METHODS.parse(words)


def test_untrained_methods_name_the_training_command(tmp_path: Path) -> None:
    names = [name for name in ALL if name != "facewarp"]
    found, skipped = FACE_METHODS.find(names, FaceSources(tmp_path))
    assert [method.name for method in found] == ["unregistered", "dis"]
    fixes = {one.name: one.fix for one in skipped}
    assert fixes["esr-cpd"].startswith("facewarp train baseline esr --data DIR --out")
    assert "--preset paper-shared" in fixes["paper-shared"]
    assert fixes["facemesh-tps"] == "--landmarker face_landmarker.task"


def test_a_landmark_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.task").write_bytes(b"nothing")
    with pytest.raises(FacewarpError, match="landmarker can't be loaded"):
        FACE_METHODS.find(
            ["facemesh-tps"], FaceSources(tmp_path, landmarker=tmp_path / "face.task")
        )
