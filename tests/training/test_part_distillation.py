"""A part network learns on from labels and from what it sees looking four times."""

import itertools

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.engines.factory import make_engine
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import load_weights
from facewarp.errors import FacewarpError
from facewarp.training.checkpoint import NAME
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.face_data import FaceData
from facewarp.training.part_distillation import PartDistiller, Run, distill, held_out, main

GRID = (32, 24)
CONFIG = TrainConfig(
    preset="face",
    model=ModelConfig(
        classes=FACE_CLASSES,
        grid_shape=GRID,
        input_shape=GRID,
        field_shape=GRID,
        features=FeatureConfig((8, 16, 24), (2, 2), (16,), 0),
        steps=(StepConfig((8, 8), (2,), control_level=1, box=5),),
        guidance="probabilities",
    ),
    batch=2,
    lr=5e-3,
    warmup=2,
    ema=0.9,
    validate_every=3,
    label_shape=GRID,
)


class Views:
    """Pictures whose gray tells the part, another one a step."""

    start = 0

    def batch(self, step):
        random = np.random.default_rng(step)
        views = {}
        for side in ("fixed", "moving"):
            labels = random.integers(0, 8, (2, *(n // 8 for n in GRID)))
            labels = np.kron(labels, np.ones((8, 8), int)).astype(np.uint8)
            views[side] = torch.from_numpy(labels[:, None].astype(np.float32) / 8)
            views[f"{side}_labels"] = torch.from_numpy(labels)
        return views

    def __iter__(self):
        return map(self.batch, itertools.count(self.start))


@pytest.fixture
def net():
    torch.manual_seed(5)
    return GuidedRegistration(CONFIG.model).eval()


def distiller(net, weight=0.0):
    return PartDistiller(net, make_engine("torch", net), CONFIG, weight)


def scores(net):
    return {"helen": 50.0, "dice_mean": 50.0}


def clock(seconds_each=1.0):
    return itertools.count(0.0, seconds_each).__next__


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def test_parts_are_learnt_and_steps_stay(net):
    before = state(net)
    learning = distiller(net)
    views = list(itertools.islice(Views(), 40))
    told = [learning.train_step(batch, 3e-3)["parts"] for batch in views]
    assert np.mean(told[-5:]) < 0.7 * np.mean(told[:5])
    for name, value in state(learning.net).items():
        assert torch.equal(value, before[name]) == name.startswith("steps."), name


def test_the_teachers_parts_are_learnt_too(net):
    """Where it already sees what its teacher does, nothing is left to learn from it."""
    torch.manual_seed(6)
    other = GuidedRegistration(CONFIG.model).eval()

    class Once:
        def parts(self, images):
            return make_engine("torch", self.net).parts(images)

    itself, another = Once(), Once()
    batch = Views().batch(0)
    itself.net, another.net = net, other
    terms = [PartDistiller(net, t, CONFIG).loss(batch)["teacher"] for t in (itself, another)]
    assert abs(terms[0].item()) < 1e-5 < 1e-3 < terms[1].item()


def test_a_run_goes_on_where_it_was(net, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for folder in (whole, halves):
        folder.mkdir()
    start = state(net)
    lines = list(distill(distiller(net), Views(), scores, Run(whole, 9.0, clock())))
    assert [line.split(":")[0].split(", ")[1] for line in lines] == ["step 3", "step 6", "step 9"]
    net.load_state_dict(start)
    stopped = distill(distiller(net), Views(), scores, Run(halves, 9.0, clock()))
    next(stopped)
    next(stopped)
    again = distiller(GuidedRegistration(CONFIG.model).eval())
    assert len(list(distill(again, Views(), scores, Run(halves, 9.0, clock())))) == 1
    rows = [(f / "validation.csv").read_text("utf-8").splitlines() for f in (whole, halves)]
    assert [[row.split(",")[0] for row in one] for one in rows] == [["step", "3", "6", "9"]] * 2
    kept, again_kept = (load_weights(f / "model.safetensors")[0] for f in (whole, halves))
    for name, value in kept.state_dict().items():
        torch.testing.assert_close(again_kept.state_dict()[name], value, atol=2e-2, rtol=2e-2)


def test_what_can_not_be_gone_on_with_is_refused(net, tmp_path):
    began = Run(tmp_path, 3.0, clock(), {"started_from": "a"})
    assert list(distill(distiller(net), Views(), scores, began))

    def refused(run):
        with pytest.raises(FacewarpError) as end:
            list(distill(distiller(net), Views(), scores, run))
        return str(end.value)

    assert "started from other weights" in refused(Run(tmp_path, 9.0, about={"started_from": "b"}))
    table = tmp_path / "validation.csv"
    told = table.read_text("utf-8")
    for text in ("", "step,seconds\n", told.replace("step", "stop")):
        table.write_text(text, "utf-8")
        assert "lacks its table of validations" in refused(Run(tmp_path, 9.0))
    table.unlink()
    assert "lacks its table of validations" in refused(Run(tmp_path, 9.0))
    (tmp_path / NAME).write_bytes(b"none")
    assert "not a readable checkpoint" in refused(Run(tmp_path, 9.0))


def test_a_training_takes_time(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--data", str(tmp_path), "--minutes", "0", "--out", str(tmp_path / "run")])
    assert end.value.code == 1
    assert "--minutes" in capsys.readouterr().err


def test_photographs_held_out_are_not_trained_on(photo):
    data = FaceData([[photo] * 3, [photo] * 33], held_out=[photo] * 2)
    validate = held_out(data)
    assert [len(photos) for photos in data.sets] == [3, 30]
    assert {name: len(crops) for name, crops in validate.sets.items()} == {
        "helen": 2,
        "celebamask": 3,
    }
    assert list(held_out(FaceData([[photo]], held_out=[photo])).sets) == ["helen"]


def test_what_is_missing_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "run")])
    assert end.value.code == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
