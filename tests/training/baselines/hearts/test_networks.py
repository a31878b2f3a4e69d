"""VoxelMorph and the autoencoder of Krebs et al.: what they learn, and that they go on learning."""

import csv
import json
from pathlib import Path

import pytest
import torch

from facewarp.core.fields import compose, exponential, jacobian_determinant
from facewarp.core.geometry import resize_field
from facewarp.errors import FacewarpError
from facewarp.training.baselines import network_training
from facewarp.training.baselines.hearts import networks
from facewarp.training.baselines.hearts.krebs import SQUARINGS, KrebsAutoencoder, normal_divergence
from facewarp.training.baselines.hearts.networks import HEART_NETWORKS, train_config
from facewarp.training.baselines.network_training import BaselineSettings, save_network
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.heart_batches import HeartBatches
from facewarp.training.dataloading.heart_data import HeartData
from facewarp.training.datasets.acdc import heart_case, load_acdc_patient
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

GRID = (8, 32, 32)


class FewHearts(HeartData):
    """Drawn patients in views of a small grid."""

    def batches(self, config: TrainConfig, workers: int) -> HeartBatches:
        return HeartBatches(self.cases, config.batch, GRID, seed=config.seed, workers=workers)


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> FewHearts:
    place = tmp_path_factory.mktemp("acdc")
    patients = [load_acdc_patient(write_drawn_patient(place, number)) for number in (1, 2)]
    return FewHearts([heart_case(p, (10, 40, 40), (4.0, 4.0, 12.0)) for p in patients])


SLOW_TO_IMPORT = pytest.param("voxelmorph", marks=pytest.mark.slow)  # MONAI takes seconds


def small(name: str) -> networks.HeartNetwork:
    torch.manual_seed(0)
    if name == "voxelmorph":
        pytest.importorskip("monai")
        return networks.build(name, {"channels": (4, 8, 8, 8, 8, 8), "window": (3, 5, 5)})
    return networks.build(name, {"shape": GRID, "latent": 4})


def test_the_divergence_of_equal_normals_is_none() -> None:
    assert not normal_divergence(torch.zeros(2, 5), torch.zeros(2, 5)).any()
    random = torch.Generator().manual_seed(2)
    mean, log_variance = torch.randn(2, 3, 4, generator=random)
    mine = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    standard = torch.distributions.Normal(torch.zeros(3, 4), torch.ones(3, 4))
    expected = torch.distributions.kl_divergence(mine, standard)
    torch.testing.assert_close(normal_divergence(mean, log_variance), expected)


def test_numbers_may_tell_a_little_for_nothing() -> None:
    net = small("krebs")
    assert isinstance(net, KrebsAutoencoder)
    image = torch.rand(1, 1, *GRID, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        net.mean.weight.zero_()
        net.log_variance.bias.fill_(-0.5)
        little = net.terms(image, image)["divergence"]
        net.log_variance.bias.zero_()
        nothing = net.terms(image, image)["divergence"]
        net.log_variance.bias.fill_(-4)
        much = net.terms(image, image)["divergence"]
    assert little == nothing > 0
    assert much > little


def test_velocities_are_integrated_both_ways() -> None:
    net = small("krebs")
    assert isinstance(net, KrebsAutoencoder)
    numbers = torch.randn(1, 4, generator=torch.Generator().manual_seed(3))
    velocity = net.decode(numbers, torch.rand(1, 1, *GRID)).detach()
    velocity = velocity / velocity.abs().max()
    there, back = exponential(velocity, SQUARINGS), exponential(-velocity, SQUARINGS)
    rest = compose(there, back)[..., 1:-1, 3:-3, 3:-3]
    assert rest.abs().max() < 0.1
    assert jacobian_determinant(resize_field(there, GRID)).min() > 0


@pytest.mark.parametrize("name", [SLOW_TO_IMPORT, "krebs"])
def test_it_begins_as_the_identity(name: str) -> None:
    net = small(name)
    fixed, moving = torch.rand(2, 1, 1, *GRID)
    assert net(fixed, moving).shape == (1, 3, *GRID)
    assert net(fixed, moving).abs().max() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", HEART_NETWORKS.names)
def test_its_loss_falls_on_a_pair(name: str, hearts: FewHearts) -> None:
    net = small(name)
    batch = HeartBatches(hearts.cases, 1, GRID).batch(0)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        random = torch.Generator().manual_seed(0)
        loss = torch.stack(list(net.terms(batch["fixed"], batch["moving"], random).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.03


@pytest.mark.slow
@pytest.mark.parametrize("name", HEART_NETWORKS.names)
def test_a_resumed_run_equals_an_uninterrupted_one(
    name: str, hearts: FewHearts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_training, "_CHECKPOINT_EVERY", 5)
    settings = BaselineSettings(steps=12, lr=1e-3, seed=4)
    whole = HEART_NETWORKS.train(small(name), name, hearts, tmp_path / "whole", settings)

    class Killed(Exception):
        pass

    def die(step: int, loss: float) -> None:
        if step == 11:
            raise Killed

    with pytest.raises(Killed):
        HEART_NETWORKS.train(small(name), name, hearts, tmp_path / "parts", settings, advance=die)
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    with pytest.raises(FacewarpError, match="a run is here already"):
        HEART_NETWORKS.train(small(name), name, hearts, tmp_path / "parts", settings)
    parts = HEART_NETWORKS.train(
        small(name), name, hearts, tmp_path / "parts", settings, resume=True
    )
    first, second = (
        HEART_NETWORKS.load(whole, name).state_dict(),
        HEART_NETWORKS.load(parts, name).state_dict(),
    )
    assert all(torch.equal(first[key], second[key]) for key in first)
    with open(parts.parent / "log.csv", newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == [str(n) for n in range(1, 13)]
    said = json.loads((parts.parent / "config.json").read_text("utf-8"))
    assert (said["baseline"], said["steps"], said["seed"]) == (name, 12, 4)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    net = small("krebs")
    path = tmp_path / "model.safetensors"
    save_network(net, "krebs", path, {})
    assert HEART_NETWORKS.load(path, "krebs").state_dict().keys() == net.state_dict().keys()
    for name, place in (("voxelmorph", path), ("krebs", tmp_path / "none.safetensors")):
        with pytest.raises(FacewarpError, match=f"these are no weights of {name}"):
            HEART_NETWORKS.load(place, name)


def test_grids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FacewarpError, match="can't be halved"):
        KrebsAutoencoder((16, 100, 128))
    net = small("krebs")
    with pytest.raises(FacewarpError, match="were learnt"):
        net(torch.rand(1, 1, 8, 40, 32), torch.rand(1, 1, 8, 40, 32))


@pytest.mark.slow
def test_voxelmorph_takes_sides_it_can_halve() -> None:
    net = small("voxelmorph")
    with pytest.raises(FacewarpError, match="can't be halved so often"):
        net(torch.rand(1, 1, 8, 36, 32), torch.rand(1, 1, 8, 36, 32))


def test_a_width_is_refused() -> None:
    with pytest.raises(FacewarpError, match="krebs takes no --width"):
        networks.new_network("krebs", BaselineSettings(), 8)


@pytest.mark.parametrize("name", [SLOW_TO_IMPORT, "krebs"])
def test_half_precision_changes_little(name: str) -> None:
    net = small(name).eval()
    fixed, moving = torch.rand(2, 1, 1, *GRID, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact = net.terms(fixed, moving)
        for layer in net.for_half_precision:
            network_training._in_half_precision(layer)
        found = net.terms(fixed, moving)
    for key, value in exact.items():
        assert found[key].dtype == torch.float32
        torch.testing.assert_close(found[key], value, rtol=0.02, atol=2e-3)


def test_batches_are_those_of_our_own_trainer(hearts: FewHearts) -> None:
    config = train_config("krebs", BaselineSettings(batch=2))
    batches: Batches = hearts.batches(config, 1)
    batch: Batch = batches.batch(3)
    assert batch["fixed"].shape == batch["moving"].shape == (2, 1, *GRID)
