"""Two processes that train together do what one does with the double batch."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from facewarp.training.distributed import ProcessGroup

RUN = """
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.training import run_log
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.dataloading.face_data import FaceData
from facewarp.training.distributed import ProcessGroup
from facewarp.training.config.presets import FACE_CLASSES, PRESETS
from facewarp.training.run import prepare

run_log.open_tensorboard = lambda folder, step: None
torch.set_num_threads(1)
model = ModelConfig(
    classes=FACE_CLASSES,
    input_shape=(40, 33),
    field_shape=(40, 33),
    features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(8, 8), strides=(2,), control_level=1, box=3),) * 2,
)
photos = synthetic_faces(np.random.default_rng(0), 4)
data = FaceData([photos], sources=[("drawn", 4)])
config = replace(PRESETS["paper"], model=model, batch=int(sys.argv[2]), steps=6, ema=0.5)
team = ProcessGroup.join()
trainer = prepare(config, data, Path(sys.argv[1]), team=team)
told = []
trainer.run(None, lambda report: told.append(report.terms["loss"]))
assert team.any(team.rank == team.size - 1)
team.leave()
"""


def run(command: list[str], folder: Path, batch: int) -> None:
    script = folder.parent / "run.py"
    script.write_text(RUN)
    words = [sys.executable, *command, str(script), str(folder), str(batch)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr


def losses(folder: Path) -> list[float]:
    with open(folder / "log.csv", newline="", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_two_processes_are_one_with_the_double_batch(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run([], one, 4)
    run(["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"], two, 2)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert losses(one)[0] != losses(one)[-1]
    alone, together = (load_file(folder / "model.safetensors") for folder in (one, two))
    assert alone.keys() == together.keys(), "norms that are shared are saved as others are"
    for name, value in alone.items():
        if "running_var" in name:  # what all rows were like
            torch.testing.assert_close(together[name], value, rtol=0.02, atol=1e-3)


def test_a_team_of_one_changes_nothing() -> None:
    team = ProcessGroup.join()
    assert (team.rank, team.size, team.leads) == (0, 1, True)
    batch = {"fixed": torch.rand(4, 1)}
    assert torch.equal(team.rows(batch)["fixed"], batch["fixed"])
    assert team.mean(torch.tensor(3.0)) == 3
    assert team.any(True)
    assert not team.any(False)


def test_rows_are_dealt_out_once_each() -> None:
    batch = {"fixed": torch.arange(6)}
    dealt = torch.cat([ProcessGroup(rank, 3).rows(batch)["fixed"] for rank in range(3)])
    assert torch.equal(dealt, batch["fixed"])
