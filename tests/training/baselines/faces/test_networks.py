"""FlowNets in training: what they learn, that they go on learning, and in half precision."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facewarp.errors import FacewarpError
from facewarp.training.baselines import network_training
from facewarp.training.baselines.faces import networks
from facewarp.training.baselines.faces.flownet import flow_field
from facewarp.training.baselines.faces.networks import FACE_NETWORKS, build, new_network
from facewarp.training.baselines.network_training import BaselineSettings, begun_with, save_network
from facewarp.training.dataloading.face_data import FaceData
from facewarp.training.synthetic.drawn_face import synthetic_faces

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def faces() -> FaceData:
    data = FaceData()
    data.add("drawn", synthetic_faces(np.random.default_rng(0), 4))
    return data


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spline-flownet", "flownets"])
def test_its_loss_falls_on_a_batch(name: str, faces: FaceData) -> None:
    settings = BaselineSettings(batch=2)
    net = new_network(name, settings, 4)
    batches = faces.batches(networks.train_config(name, settings), 1)
    terms, batch = networks.objective(net, batches), batches.batch(0)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = torch.stack(list(terms(batch, torch.Generator().manual_seed(1)).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


@pytest.mark.slow
@pytest.mark.parametrize("name", FACE_NETWORKS.names)
def test_a_resumed_run_equals_an_uninterrupted_one(
    name: str, faces: FaceData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Often(BaselineSettings):
        def train_config(self, *given):  # type: ignore[no-untyped-def]
            return network_training.replace(super().train_config(*given), checkpoint_every=2)

    settings = Often(steps=3, batch=1, precision="bfloat16", seed=4)
    whole = FACE_NETWORKS.train(
        new_network(name, settings, 2), name, faces, tmp_path / "whole", settings
    )

    class Killed(Exception):
        pass

    def die(step: int, loss: float) -> None:
        if step == 3:
            raise Killed

    parts, options = tmp_path / "parts", {"advance": die}
    with pytest.raises(Killed):
        FACE_NETWORKS.train(new_network(name, settings, 2), name, faces, parts, settings, **options)
    assert not (parts / WEIGHTS).exists()
    with pytest.raises(FacewarpError, match="a run is here already"):
        FACE_NETWORKS.train(new_network(name, settings, 2), name, faces, parts, settings)
    kept, network = begun_with(parts, name)
    assert (kept.steps, kept.batch, kept.precision, kept.seed) == (3, 1, "bfloat16", 4)
    FACE_NETWORKS.train(build(name, network), name, faces, parts, settings, resume=True)
    first, second = (
        FACE_NETWORKS.load(folder / WEIGHTS, name).state_dict() for folder in (whole.parent, parts)
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    with open(parts / "log.csv", newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]


@pytest.mark.parametrize("name", FACE_NETWORKS.names)
def test_half_precision_changes_little_and_gives_float32(name: str) -> None:
    net = new_network(name, FACE_NETWORKS.defaults, 4).eval()
    fixed, moving = torch.rand(2, 1, 1, 320, 260, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        if name == "spline-flownet":  # begins at rest: there would be nothing to compare
            torch.nn.init.normal_(net.head[-1].weight)  # type: ignore[union-attr]
        exact = net.field(fixed, moving)
        for layer in net.for_half_precision:
            network_training._in_half_precision(layer)
        found = net.field(fixed, moving)
    assert found.dtype == torch.float32
    assert 0 < (found - exact).abs().max() < 0.05 * exact.abs().max()


def test_weights_are_read_back_and_those_of_others_refused(tmp_path: Path) -> None:
    path = tmp_path / WEIGHTS
    net = new_network("flownets", FACE_NETWORKS.defaults, 2).eval()
    save_network(net, "flownets", path, {})
    a, b = (np.full((320, 260), value, np.uint8) for value in (30, 90))
    again = FACE_NETWORKS.load(path, "flownets")
    np.testing.assert_array_equal(flow_field(again, a, b), flow_field(net, a, b))
    with pytest.raises(FacewarpError, match="no weights of flownetc"):
        FACE_NETWORKS.load(path, "flownetc")


@pytest.mark.parametrize("field", ["optimizer", "precision"])
def test_words_that_are_not_there_are_refused(field: str) -> None:
    with pytest.raises(FacewarpError, match=r"there is no \w+ 'sgd'"):
        BaselineSettings(**{field: "sgd"})  # type: ignore[arg-type]


def test_runs_of_others_are_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(FacewarpError, match="there is no run to resume"):
        begun_with(tmp_path, "flownets")
    said = {**FACE_NETWORKS.defaults.__dict__, "baseline": "flownetc", "network": {"width": 2}}
    (tmp_path / "config.json").write_text(json.dumps(said), "utf-8")
    with pytest.raises(FacewarpError, match="the run is of flownetc"):
        begun_with(tmp_path, "flownets")
    settings, network = begun_with(tmp_path, "flownetc", steps=9)
    assert (settings.steps, settings.batch, network) == (
        9,
        FACE_NETWORKS.defaults.batch,
        {"width": 2},
    )
