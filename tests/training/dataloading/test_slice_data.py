"""A part network of slices: its patients, a training through the command, its validation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.core.engines.torch_engine import TorchEngine
from facewarp.core.model import load
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.training import run_log
from facewarp.training.config.presets import PRESETS
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.slice_data import SliceData, slice_stacks, slice_training_data
from facewarp.training.datasets.hearts import load_patient
from facewarp.training.losses import soft_dice
from facewarp.training.synthetic.acdc_folders import write_drawn_patient
from facewarp.training.trainer import Trainer

SMALL = {
    "model.grid_shape": "32,32",
    "model.input_shape": "32,32",
    "model.field_shape": "32,32",
    "model.spacing_mm": "5,5",
    "model.features.channels": "8,8,8,8",
    "model.features.decoder": "8,8,8",
    "batch": "4",
}


def small() -> TrainConfig:
    config = PRESETS["acdc-slices"]
    features = replace(
        config.model.features, channels=(16, 16, 16), strides=(2, 2), decoder=(16, 16)
    )
    shape = (32, 32)
    model = replace(
        config.model, grid_shape=shape, input_shape=shape, field_shape=shape,
        spacing_mm=(5.0, 5.0), features=features,
    )  # fmt: skip
    return replace(config, model=model, batch=4, steps=8, warmup=2, ema=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("acdc")
    for number in (1, 17, 18, 101):
        write_drawn_patient(place, number)
    return place


@pytest.fixture(scope="module")
def data(folder: Path) -> SliceData:
    return slice_training_data(folder)


def test_memwarps_split_is_kept(data: SliceData, folder: Path) -> None:
    assert data.patients == [1, 17]
    assert [patient.name for patient in data.held_out] == ["patient018"]
    assert "1, 17 (2 patients)" in data.description
    assert len(data.stacks) == 4  # both phases
    other = slice_training_data(folder, held_out=range(1, 18))
    assert (other.patients, len(other.held_out)) == ([18], 2)
    with pytest.raises(FacewarpError, match="no patients to train on"):
        slice_training_data(folder, held_out=range(1, 20))
    with pytest.raises(FacewarpError, match="no patients to validate with: 5, 6"):
        slice_training_data(folder, held_out=range(5, 7))


def test_stacks_begin_at_the_base_whichever_way_they_were_scanned(folder: Path) -> None:
    patient = load_patient(folder / "patient001")
    turned = replace(
        patient,
        images=tuple(replace(one, data=one.data[::-1].copy()) for one in patient.images),
        labels=tuple(replace(one, data=one.data[::-1].copy()) for one in patient.labels),
    )
    for one, other in zip(slice_stacks(patient), slice_stacks(turned), strict=True):
        np.testing.assert_allclose(one.images, other.images, atol=1e-6)
        np.testing.assert_array_equal(one.shares, other.shares)
        areas = (one.shares[..., 0] == 0).sum((1, 2))
        assert areas[np.flatnonzero(areas)[0]] > areas[np.flatnonzero(areas)[-1]]
        assert one.thickness_mm == patient.images[0].spacing_mm[2]


def test_overlaps_over_the_batch_count_what_is_seen_where_nothing_is() -> None:
    target = torch.zeros(2, 2, 4, 4)
    target[0, 1], target[1, 0] = 1, 1
    right = soft_dice(target, target, pooled=True)
    wrong = target.clone()
    wrong[1] = wrong[1].flip(0)  # the second image has none of the part
    assert right < 0.01
    assert soft_dice(wrong, target) < 0.01
    assert soft_dice(wrong, target, pooled=True) == pytest.approx(1 - 33 / 49)


def test_it_learns_and_what_runs_is_what_was_learnt(data: SliceData, tmp_path: Path) -> None:
    config = small()
    batches = data.batches(config, 1)
    trainer = Trainer(config, batches, tmp_path, {})
    batch = batches.batch(0)
    losses = [trainer.train_step(batch)["loss"] for _ in range(8)]
    assert losses[-1] < 0.8 * losses[0]
    net: GuidedRegistration = trainer.shipped_net()
    found = TorchEngine(net, "cpu").parts(batch["images"].numpy())
    with torch.no_grad():
        expected = net.features(batch["images"]).softmax(1).numpy()
    assert found.shape == (4, 4, 32, 32)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_the_command_trains_validates_and_resumes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)
    run = tmp_path / "run"
    settings = [w for name, value in SMALL.items() for w in ("--set", f"{name}={value}")]
    words = ["train", "acdc", "--data", folder, "--preset", "acdc-slices", "--out", run]
    for wrong in ("0-3", "3-1", "1-20", "all"):
        told = CliRunner().invoke(app, [str(w) for w in [*words, "--held-out", wrong]])
        assert told.exit_code == 2
        assert "is not a part of 1-20" in " ".join(told.stderr.split())
    words += ["--held-out", "18"]
    told = CliRunner().invoke(app, [str(w) for w in [*words, "--steps", "2", *settings]])
    assert told.exit_code == 0, told.stderr
    assert "1, 17 (2 patients)" in told.stdout
    assert "LV EDV" in told.stderr
    assert (run / "validation_2.png").stat().st_size > 1000
    words = ["train", "acdc", "--data", folder, "--resume", "--out", run, "--steps", "3", "-q"]
    told = CliRunner().invoke(app, [str(w) for w in words])
    assert told.exit_code == 0, told.stderr
    model = load(run)
    assert model.config.kind == "heart-slices"
    assert model.probabilities(torch.rand(2, 5, 32, 32)).shape == (2, 4, 32, 32)
    with pytest.raises(FacewarpError, match="registers nothing"):
        model.register(np.zeros((32, 32)), np.zeros((32, 32)))
    told = CliRunner().invoke(app, ["eval", "acdc", "--data", str(folder), "--model", str(run)])
    assert told.exit_code == 1
    assert "no heart model" in told.stderr
