"""Fewer registration steps learn what all of them predicted; the part network stays as it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.engines.factory import make_engine
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import load_weights
from facewarp.errors import FacewarpError
from facewarp.face.parts import MIRROR_PARTS
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.step_distillation import (
    StepDistiller,
    Teacher,
    distill,
    field_distance,
    main,
    with_steps,
)

GRID = (32, 24)
MODEL = ModelConfig(
    classes=FACE_CLASSES,
    grid_shape=GRID,
    input_shape=GRID,
    field_shape=GRID,
    features=FeatureConfig((4, 6, 8), (2, 2), (6,), 0),
    steps=(
        StepConfig((8, 8), (2,), control_level=1, box=5),
        StepConfig((8, 8), (2,), control_level=1, box=3),
        StepConfig((8, 8), (2,), control_level=0, box=3, down="stride"),
    ),
    guidance="probabilities",
)


@pytest.fixture
def net():
    """A network whose steps do move."""
    torch.manual_seed(5)
    net = GuidedRegistration(MODEL).eval()
    for step in net.steps:
        torch.nn.init.normal_(step.head[-1].weight, std=0.5)
    return net


@pytest.fixture
def template():
    return torch.rand(1, len(FACE_CLASSES), 16, 12).softmax(1).numpy()


def batch(pairs=2):
    torch.manual_seed(pairs)
    views = {}
    for side in ("fixed", "moving"):
        views[side] = torch.rand(pairs, 1, *GRID)
        views[f"{side}_labels"] = torch.randint(0, 8, (pairs, *GRID), dtype=torch.uint8)
        views[f"{side}_landmarks"] = torch.full((pairs, 68, 2), float("nan"))
    return views


def test_kept_steps_are_those_of_the_network(net):
    guidance = torch.rand(2, 8, 16, 12).softmax(1)
    totals, _ = net.register(guidance, guidance.flip(0))
    first, _ = with_steps(net, [1]).register(guidance, guidance.flip(0))
    every, _ = with_steps(net, [1, 2, 3]).register(guidance, guidance.flip(0))
    assert torch.equal(first[0], totals[0])
    assert torch.equal(every[-1], totals[-1])
    assert with_steps(net, [1, 3]).config.steps == (MODEL.steps[0], MODEL.steps[2])


@pytest.mark.parametrize("kept", [[], [0, 1], [1, 4], [3, 1], [1, 1]])
def test_steps_that_are_not_there_are_refused(kept, net):
    with pytest.raises(FacewarpError, match="can't be kept"):
        with_steps(net, kept)


def test_a_teacher_averages_the_parts_of_mirror_images(net, template):
    teacher = Teacher(make_engine("torch", net), template)
    images = batch()["fixed"]
    images = torch.cat([images, images.flip(-1)])  # pairs of an image and its own mirror image
    pairs = teacher.pairs(images, with_template=1)
    assert pairs.images == 4
    assert len(pairs.fixed) == len(pairs.moving) == len(pairs.fields) == 6
    assert torch.equal(pairs.moving[:4], pairs.fixed[[2, 3, 0, 1]])
    assert torch.equal(pairs.moving[4:], pairs.fixed[[5, 4]])
    there, back = (teacher.engine.parts(x.numpy()) for x in (images, images.flip(-1)))
    both = (there + back[..., ::-1][:, MIRROR_PARTS]) / 2
    wanted = teacher.engine.fields(both[:1], both[2:3])
    np.testing.assert_allclose(pairs.fields[:1].numpy(), wanted, atol=1e-4)
    assert np.abs(both - there).max() > 0.01


def test_a_run_writes_its_average_and_a_row_at_every_validation(net, template, tmp_path):
    config = TrainConfig(preset="face", model=MODEL, batch=2, steps=3, validate_every=2)
    teacher = Teacher(make_engine("torch", net), template)
    distiller = StepDistiller(with_steps(net, [1, 3]), teacher, config, with_template=0)

    def scores(net, step):
        return {"dice_mean": 50.0 + step, "landmark_px": 5.0, "folds_percent": 0.0}

    lines = list(distill(distiller, iter(lambda: batch(), None), scores, tmp_path))
    assert [line.split(":")[0] for line in lines] == ["step 2", "step 3"]
    rows = (tmp_path / "validation.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["2", "52"], ["3", "53"]]
    kept, about = load_weights(tmp_path / "model.safetensors")
    assert about["step"] == "3"
    for name, value in kept.state_dict().items():
        held = distiller.average.state_dict()[name]
        torch.testing.assert_close(value, held, atol=2e-3, rtol=2e-3)


def test_a_run_of_the_folder_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(b"kept")
    words = ["--data", str(tmp_path), "--keep", "1,3", "--out", str(tmp_path)]
    with pytest.raises(SystemExit, match="1"):
        main(words)
    assert "a run is here already" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == b"kept"


def test_fewer_steps_learn_the_fields_of_all(net, template):
    config = TrainConfig(preset="face", model=MODEL, batch=2, lr=0.01, warmup=0, ema=0.5, steps=40)
    config = replace(config, loss=replace(config.loss, folds=0.0, landmarks=0.0))
    student = with_steps(net, [1, 3])
    before = {name: value.clone() for name, value in student.parts.state_dict().items()}
    teacher = Teacher(make_engine("torch", net), template)
    distiller = StepDistiller(student, teacher, config, with_template=1, weight=5.0)
    seen = batch()
    terms = [distiller.train_step(seen) for _ in range(40)]
    assert terms[-1]["distill"] < 0.6 * terms[0]["distill"]
    for own in (distiller.net.parts, distiller.average.parts):
        for name, value in own.state_dict().items():
            assert torch.equal(value, before[name])
    learnt = distiller.average.steps[0].state_dict()
    assert any(not torch.equal(v, net.steps[0].state_dict()[k]) for k, v in learnt.items())


def test_field_distances_count_less_off_the_face():
    parts = torch.zeros(1, 2, 4, 4)
    parts[:, 0, :, :2], parts[:, 1, :, 2:] = 1, 1
    field = torch.zeros(1, 2, 4, 4)
    assert float(field_distance(field, field, parts)) == pytest.approx(0.1)
    off, on = field.clone(), field.clone()
    off[:, :, :, :2], on[:, :, :, 2:] = 3, 3
    apart = [float(field_distance(field, moved, parts)) - 0.1 for moved in (off, on)]
    assert apart[0] == pytest.approx(0.3 * apart[1], rel=1e-3)
