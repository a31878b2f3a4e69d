"""Comparison of methods on hearts: which can run, their scores and their errors."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command
from facewarp.training.baselines.hearts import elastix
from facewarp.training.baselines.hearts.networks import build, train_config
from facewarp.training.baselines.network_training import BaselineSettings, save_network
from facewarp.training.comparison.heart_registry import (
    ALL,
    HEART_METHODS,
    HeartSources,
)
from facewarp.training.comparison.hearts import compare_on_hearts
from facewarp.training.config.presets import HEART_CLASSES
from facewarp.training.datasets.acdc import HeartPatient, load_acdc_patient
from facewarp.training.evaluation.heart_methods import BaselineMethod, GuidedMethod
from facewarp.training.evaluation.heart_protocols import PROTOCOLS
from facewarp.training.evaluation.hearts import score_patient
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

TINY = ModelConfig(
    kind="heart",
    classes=HEART_CLASSES,
    grid_shape=(8, 32, 32),
    spacing_mm=(4.0, 4.0, 12.0),
    input_shape=(8, 32, 32),
    field_shape=(8, 16, 16),
    features=FeatureConfig(channels=(4, 8), strides=((1, 2, 2),), decoder=()),
    steps=(StepConfig(channels=(8, 8), strides=((1, 2, 2),), control_level=1, box=3),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("acdc")
    return write_drawn_patient(place, 18, shape=(9, 80, 80), spacing_mm=(2.5, 2.5, 10.0))


@pytest.fixture(scope="module")
def patient(folder: Path) -> HeartPatient:
    return load_acdc_patient(folder)


def test_all_names_every_method_of_the_table() -> None:
    assert HEART_METHODS.parse("all") == list(ALL)
    assert {"unregistered", "lcc-demons", "elastix", "voxelmorph", "krebs"} < set(ALL)
    assert {"acdc-paper", "acdc-paper-unguided", "facewarp"} < set(ALL)
    assert HEART_METHODS.parse("krebs, facewarp,krebs") == ["krebs", "facewarp"]


@pytest.mark.parametrize("words", ["dis", "paper", "krebs+add", "", ","])
def test_names_of_no_heart_method_are_refused(words: str) -> None:
    with pytest.raises(FacewarpError, match="no method"):
        HEART_METHODS.parse(words)


def test_missing_methods_are_named_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastix, "is_installed", lambda: False)
    names = ["unregistered", "elastix", "krebs", "acdc-paper"]
    found, skipped = HEART_METHODS.find(names, HeartSources(tmp_path))
    assert [method.name for method in found] == ["unregistered"]
    fixes = {one.name: one.fix for one in skipped}
    assert fixes["elastix"] == install_command("rivals")
    assert fixes["krebs"].startswith("facewarp train baseline krebs --data DIR --out ")
    assert "--preset acdc-paper --out" in fixes["acdc-paper"]


def test_voxelmorph_without_monai_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facewarp.training.comparison.heart_registry.find_spec", lambda name: None)
    found, (skipped,) = HEART_METHODS.find(["voxelmorph"], HeartSources(tmp_path))
    assert not found
    assert "MONAI" in skipped.reason


def test_trained_methods_are_found_in_their_folders(tmp_path: Path) -> None:
    net = build("krebs", {"latent": 3})
    save_network(net, "krebs", tmp_path / "baseline-krebs" / "model.safetensors", {})
    save_weights(GuidedRegistration(TINY), tmp_path / "acdc-paper" / "model.safetensors", {})
    found, skipped = HEART_METHODS.find(["krebs", "acdc-paper"], HeartSources(tmp_path))
    assert not skipped
    assert [method.name for method in found] == ["krebs", "acdc-paper"]
    assert found[0].parameters == sum(p.numel() for p in net.parameters())
    assert len(found[0].sha256) == len(found[1].sha256) == 64


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
def test_demons_bring_a_beating_heart_together(patient: HeartPatient, protocol) -> None:
    (demons,), _ = HEART_METHODS.find(["lcc-demons"], HeartSources())
    score = score_patient(patient, demons, protocol)
    assert score.dice_mean > score.dice_initial + 0.1
    assert score.folds_percent < 0.05


@pytest.mark.slow
@pytest.mark.skipif(not elastix.is_installed(), reason="itk-elastix is not installed")
def test_elastix_brings_a_beating_heart_together(patient: HeartPatient) -> None:
    (method,), _ = HEART_METHODS.find(["elastix"], HeartSources())
    score = score_patient(patient, method, PROTOCOLS["paper"])
    assert score.dice_mean > score.dice_initial + 0.1


@pytest.mark.slow
@pytest.mark.skipif(not elastix.is_installed(), reason="itk-elastix is not installed")
def test_elastix_finds_a_shift_and_reports_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    nodes = torch.from_numpy(rng.normal(size=(1, 1, 8, 12, 12)).astype(np.float32))
    fixed = torch.nn.functional.interpolate(nodes, (24, 48, 48), mode="trilinear")[0, 0].numpy()
    field = elastix.elastix_field(fixed, np.roll(fixed, 2, axis=2), (2.0, 2.0, 4.0))
    inside = field[:, 6:18, 12:36, 12:36].mean(axis=(1, 2, 3))
    assert inside == pytest.approx([2, 0, 0], abs=0.15)
    monkeypatch.setattr(elastix, "__spec__", SimpleNamespace(name="no.such.module"))
    with pytest.raises(FacewarpError, match=r"elastix can't register these: .*no.such.module"):
        elastix.elastix_field(fixed, fixed, (2.0, 2.0, 4.0))


def test_missing_elastix_gives_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastix, "is_installed", lambda: False)
    volume = np.zeros((4, 4, 4), np.float32)
    with pytest.raises(FacewarpError, match="elastix") as error:
        elastix.elastix_field(volume, volume, (1.0, 1.0, 1.0))
    assert install_command("rivals") in str(error.value)


def test_fields_are_resampled_from_the_grid_of_a_baseline(patient: HeartPatient) -> None:
    """A shift of one voxel of 3.6 mm is a shift of two of 1.8 mm."""
    shift = np.zeros((3, 12, 48, 48), np.float32)
    shift[0] = 1.0
    method = BaselineMethod("shift", lambda *_: [shift], ((12, 48, 48), (3.6, 3.6, 10.0)))
    grid = PROTOCOLS["memwarp"].grid(patient.images[0])
    (field,) = method.register(patient, grid, both=False).fields
    assert field.shape == (3, *grid.shape)
    inside = field[:, 4:-4, 40:-40, 40:-40]
    assert inside[0] == pytest.approx(2.0, abs=1e-4)
    assert np.abs(inside[1:]).max() < 1e-4


def test_every_method_is_scored_on_every_patient(folder: Path) -> None:
    (still,), skipped = HEART_METHODS.find(["unregistered"], HeartSources())
    ours = GuidedMethod(Model(GuidedRegistration(TINY)))
    seen: list[str] = []
    found = compare_on_hearts(
        [still, ours], skipped, [folder], PROTOCOLS["memwarp"], split="drawn", advance=seen.append
    )
    assert seen == ["unregistered", "facewarp"]
    record = found.to_dict()
    assert (record["n_pairs"], record["directions"], record["split"]) == (1, 2, "drawn")
    first, second = record["methods"]
    assert first["dice_mean"] == pytest.approx(first["dice_initial"])
    assert first["folds_percent"] == first["jacobian_std"] == 0
    assert second["dice_initial"] == first["dice_initial"]
    assert second["parameters"] > 0
    assert [row["method"] for row in found.score_rows()] == ["unregistered", "facewarp"]


def test_nothing_to_measure_is_an_error(folder: Path, tmp_path: Path) -> None:
    found, skipped = HEART_METHODS.find(["krebs"], HeartSources(tmp_path))
    with pytest.raises(FacewarpError, match="none of these methods") as error:
        compare_on_hearts(found, skipped, [folder], PROTOCOLS["paper"])
    assert "facewarp train baseline krebs" in str(error.value)
    (still,), _ = HEART_METHODS.find(["unregistered"], HeartSources())
    with pytest.raises(FacewarpError, match="no patient"):
        compare_on_hearts([still], [], [], PROTOCOLS["paper"])


def test_baselines_train_with_our_settings_but_their_own_views() -> None:
    config = train_config("voxelmorph", BaselineSettings(steps=9, batch=2, lr=1e-3, seed=5))
    assert (config.steps, config.batch, config.lr, config.seed) == (9, 2, 1e-3, 5)
    assert config.view_shape
    assert not train_config("krebs", BaselineSettings()).view_shape
