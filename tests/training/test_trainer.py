"""Training itself: it learns, it can be stopped anywhere, and goes on as if it had not been."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.weights import load_weights
from facewarp.errors import FacewarpError
from facewarp.training import checkpoint, run_log
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch
from facewarp.training.trainer import StepReport, Trainer, Watch

GRID = (32, 26)
CONFIG = TrainConfig(
    preset="face",
    model=ModelConfig(
        classes=("background", "disc", "spot"),
        grid_shape=GRID,
        input_shape=GRID,
        field_shape=GRID,
        features=FeatureConfig(channels=(4, 8, 8), strides=(2, 2), decoder=(8,)),
        steps=(
            StepConfig(channels=(8, 8, 16), strides=(2, 2), control_level=2, box=5),
            StepConfig(channels=(8, 8), strides=(2,), control_level=1, box=3, down="stride"),
        ),
        guidance="probabilities",
    ),
    batch=4,
    steps=12,
    lr=5e-3,
    warmup=2,
    ema=0.9,
    validate_every=5,
    checkpoint_every=5,
)
STEP = CONFIG.model.steps[-1]
MUON = replace(
    CONFIG,
    optimizer="muon",
    model=replace(
        CONFIG.model, features=FeatureConfig(channels=(16, 24, 24), strides=(2, 2), decoder=(16,))
    ),
)
PAPER = replace(CONFIG, optimizer="adam", ema=0.0, both_directions=False, clip=0.0, warmup=0)


class Discs:
    """Bright discs with a dark spot in them, somewhere else in fixed than in moving."""

    start = 0

    def batch(self, step: int) -> Batch:
        random = torch.Generator().manual_seed(1000 + step)
        return {**self._side("fixed", random), **self._side("moving", random)}

    def _side(self, role: str, random: torch.Generator) -> Batch:
        y, x = torch.meshgrid(*(torch.arange(n) for n in GRID), indexing="ij")
        center = (
            torch.rand(4, 2, 1, 1, generator=random) * 8 + torch.tensor([9.0, 12.0])[:, None, None]
        )
        away = ((x - center[:, 0]) ** 2 + (y - center[:, 1]) ** 2).sqrt()
        labels = (away < 7).to(torch.uint8) + (away < 3)
        gray = torch.tensor([0.1, 0.9, 0.4])[labels.long()]
        noise = 0.05 * torch.randn(gray.shape, generator=random)
        points = center.flatten(1)[:, None].expand(4, 68, 2).clone()
        return {
            role: (gray + noise)[:, None],
            f"{role}_labels": labels,
            f"{role}_landmarks": points,
        }

    def __iter__(self) -> Iterator[Batch]:
        step = self.start
        while True:
            yield self.batch(step)
            step += 1


@pytest.fixture(autouse=True)
def _without_tensorboard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tensorboard" not in request.node.name:  # it takes a second to import
        monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)


def trainer(folder: Path, config: TrainConfig = CONFIG, data: Discs | None = None) -> Trainer:
    return Trainer(config, data or Discs(), folder, {"training_data": "discs"})


def resumed(folder: Path, config: TrainConfig = CONFIG) -> Trainer:
    again = trainer(folder, config)
    again.load_checkpoint()
    return again


def scores(dice: float) -> dict[str, float]:
    return {"dice_mean": dice}


def at(step: int, what: Callable[[], object]) -> Watch:
    def watch(report: StepReport) -> None:
        if report.step == step:
            what()

    return watch


def interrupt() -> None:
    raise KeyboardInterrupt


def state(of: Trainer) -> dict[str, Tensor]:
    tensors = {f"net.{n}": t for n, t in of.net.state_dict().items()}
    tensors |= {f"average.{n}": t for n, t in of.average.state_dict().items()}
    for index, moments in of.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{n}": t for n, t in moments.items()}
    return tensors


def assert_same(a: Trainer, b: Trainer) -> None:
    assert a.step == b.step
    one, other = state(a), state(b)
    assert one.keys() == other.keys()
    assert not [name for name in one if not torch.equal(one[name], other[name])]


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_loss_falls_and_both_networks_learn(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=60, checkpoint_every=60)
    run = trainer(tmp_path, config)
    run.run()
    table = rows(tmp_path / "log.csv")
    assert [int(row["step"]) for row in table] == list(range(1, 61))
    for name in ("loss", "parts", "align", "landmarks"):
        values = [float(row[name]) for row in table]
        assert sum(values[-5:]) < 0.75 * sum(values[:5]), name
    assert all(float(row["loss"]) > 0 for row in table)


@pytest.mark.parametrize("config", [CONFIG, PAPER, MUON], ids=["adamw", "adam", "muon"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, config: TrainConfig) -> None:
    whole = trainer(tmp_path / "whole", config)
    whole.run(lambda net, step: scores(step))
    stopped = trainer(tmp_path / "stopped", config)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(lambda net, step: scores(step), at(7, interrupt))
    assert stopped.step == 7
    again = resumed(tmp_path / "stopped", config)
    assert_same(stopped, again)
    again.run(lambda net, step: scores(step))
    assert_same(whole, again)
    for name in ("log.csv", "validation.csv", "config.json"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "stopped"))
        assert one == other, name
    (net, about), (other_net, other_about) = (
        load_weights(tmp_path / folder / "model.safetensors") for folder in ("whole", "stopped")
    )
    assert about == other_about
    pairs = zip(net.state_dict().values(), other_net.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_batches_begin_where_the_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path).run(None, at(3, interrupt))
    again = resumed(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        again.run(None, at(4, interrupt))
    assert again.data.start == 3


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
import test_trainer
from facewarp.training import run_log

torch.set_num_threads(1)
run_log.open_tensorboard = lambda folder, step: None
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
test_trainer.trainer(Path(sys.argv[2])).run(None, test_trainer.at(9, kill))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path / "killed")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(rows(tmp_path / "killed" / "log.csv")) == 9
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    with open(tmp_path / "killed" / "log.csv", "a", encoding="utf-8") as file:
        file.write("1")  # the row of step 10, cut short: it must not be taken for step 1
    again = resumed(tmp_path / "killed")
    assert again.step == 5
    again.run()
    whole = trainer(tmp_path / "whole")
    whole.run()
    assert_same(whole, again)
    one, other = ((tmp_path / name / "log.csv").read_bytes() for name in ("whole", "killed"))
    assert one == other


def test_ctrl_c_finishes_the_step_and_keeps_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path)
    compute = run.loss

    def loss(batch: Batch) -> dict[str, Tensor]:
        if run.step == 2:
            signal.raise_signal(signal.SIGINT)
        return compute(batch)

    monkeypatch.setattr(run, "loss", loss)
    with pytest.raises(KeyboardInterrupt) as stop:
        run.run()
    assert run.step == 3
    assert stop.value.__notes__ == [f"step 3 is kept in {tmp_path}; --resume goes on from it"]
    assert_same(run, resumed(tmp_path))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("step", "said"), [(2, "there was no checkpoint yet"), (6, "the last checkpoint is kept")]
)
def test_a_second_ctrl_c_does_not_wait_and_keeps_no_half_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, said: str
) -> None:
    run = trainer(tmp_path)
    compute = run.loss

    def loss(batch: Batch) -> dict[str, Tensor]:
        if run.step == step:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return compute(batch)

    monkeypatch.setattr(run, "loss", loss)
    with pytest.raises(KeyboardInterrupt) as stop:
        run.run()
    assert said in stop.value.__notes__[0]
    path = tmp_path / checkpoint.NAME
    assert path.exists() == (step > 5)
    if path.exists():
        assert resumed(tmp_path).step == 5


def test_a_validation_that_was_interrupted_is_made_up_for(tmp_path: Path) -> None:
    def stop_at_last(net: torch.nn.Module, step: int) -> dict[str, float]:
        if step == CONFIG.steps:
            signal.raise_signal(signal.SIGINT)
        return scores(step)

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path).run(stop_at_last)
    again = resumed(tmp_path)
    assert again.step == CONFIG.steps
    again.run(lambda net, step: scores(step))
    assert [row["step"] for row in rows(tmp_path / "validation.csv")] == ["5", "10", "12"]
    assert load_weights(tmp_path / "model.safetensors")[1]["step"] == "12"


def test_the_best_weights_on_validation_are_kept(tmp_path: Path) -> None:
    config = replace(CONFIG, validate_every=4)
    dice = {4: 10.0, 8: 31.4159, 12: 20.0}
    kept = {}

    def validate(net: torch.nn.Module, step: int) -> dict[str, float]:
        kept[step] = {n: t.clone() for n, t in net.state_dict().items()}
        return scores(dice[step])

    run = trainer(tmp_path, config)
    run.run(validate)
    net, about = load_weights(tmp_path / "model.safetensors")
    assert run.best == 31.4159
    assert about["step"] == "8"
    assert about["validation_dice"] == "31.42"
    assert (about["preset"], about["training_data"]) == ("face", "discs")
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, kept[8][name], rtol=1e-3, atol=1e-5)


def test_weights_are_kept_even_if_no_validation_had_a_number(tmp_path: Path) -> None:
    trainer(tmp_path).run(lambda net, step: scores(float("nan")))
    assert load_weights(tmp_path / "model.safetensors")[1]["step"] == "12"


def test_without_an_average_the_last_weights_are_shipped(tmp_path: Path) -> None:
    run = trainer(tmp_path, PAPER)
    run.run()
    net, _ = load_weights(tmp_path / "model.safetensors")
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, run.net.state_dict()[name], rtol=1e-3, atol=1e-6)


def test_the_average_lags_behind_the_weights(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(CONFIG, ema=0.9))
    first = {n: t.clone() for n, t in run.average.state_dict().items()}
    run.train_step(run.data.batch(0))
    name = "parts.classify.weight"
    expected = first[name].lerp(run.net.state_dict()[name], 1 - 2 / 11)
    torch.testing.assert_close(run.average.state_dict()[name], expected)


def test_a_loss_not_finite_ends_the_run_with_its_checkpoint(tmp_path: Path) -> None:
    class Broken(Discs):
        def batch(self, step: int) -> Batch:
            made = super().batch(step)
            if step == 6:
                made["fixed"] *= torch.nan
            return made

    with pytest.raises(FacewarpError, match=r"not finite at step 7 .*--set lr.*--resume"):
        trainer(tmp_path, data=Broken()).run()
    again = resumed(tmp_path)
    assert again.step == 5
    assert all(torch.isfinite(t).all() for t in again.net.state_dict().values())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells open files on Linux alone")
@pytest.mark.parametrize("config", [CONFIG, MUON])
def test_a_resumed_run_does_not_hold_its_checkpoint_open(
    tmp_path: Path, config: TrainConfig
) -> None:
    """Windows replaces no file that is mapped into memory: the next checkpoint would fail."""
    trainer(tmp_path, replace(config, steps=1, checkpoint_every=1)).run()
    run = resumed(tmp_path, config)
    assert run.step == 1
    assert run.optimizer.state
    assert checkpoint.NAME not in Path("/proc/self/maps").read_text("utf-8")


def test_there_must_be_a_checkpoint_to_resume(tmp_path: Path) -> None:
    with pytest.raises(FacewarpError, match="no checkpoint to resume"):
        resumed(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / checkpoint.NAME).write_bytes(content)
    with pytest.raises(FacewarpError, match="not a readable checkpoint"):
        resumed(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path).save_checkpoint()
    wider = replace(CONFIG.model.features, channels=(6, *CONFIG.model.features.channels[1:]))
    other = replace(CONFIG, model=replace(CONFIG.model, features=wider))
    with pytest.raises(FacewarpError, match="of another network"):
        resumed(tmp_path, other)


def test_old_checkpoints_without_validations_are_read(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.train_step(run.data.batch(0))
    run.save_checkpoint()
    path = tmp_path / checkpoint.NAME
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["state"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del about["checked"]
    save_file(tensors, path, {"state": json.dumps(about)})
    assert (resumed(tmp_path).step, resumed(tmp_path).checked) == (1, 1)


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    run = trainer(tmp_path)
    run.save_checkpoint()
    run.train_step(run.data.batch(0))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with small_files(20_000):
            for save in (run.save_checkpoint, run.save_model):
                with pytest.raises(FacewarpError, match=r"no space is left.*Free some") as error:
                    save()
                assert "\n" not in str(error.value)
    finally:
        signal.signal(signal.SIGXFSZ, before)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
    assert resumed(tmp_path).step == 0


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(FacewarpError, match=r"is a file, not a folder.*run"):
        trainer(tmp_path / "run").run()


def test_settings_that_make_no_network_are_refused(tmp_path: Path) -> None:
    model = replace(CONFIG.model, features=FeatureConfig(channels=(4, 8), strides=(2, 2)))
    with pytest.raises(FacewarpError, match="no network can be built"):
        trainer(tmp_path, replace(CONFIG, model=model))


def test_the_learning_rate_warms_up_and_falls_to_nothing(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(CONFIG, steps=100, warmup=10, lr=1.0))
    rates = [run.lr(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_the_papers_learning_rate_decays_300_times(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(PAPER, steps=600, lr=1.0))
    assert run.lr(0) == 1.0
    assert run.lr(2) == pytest.approx(0.97)
    assert run.lr(600) == pytest.approx(0.97**300)


def test_the_runs_settings_are_written_down(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path).run(None, at(1, interrupt))
    text = (tmp_path / "config.json").read_text("utf-8")
    assert TrainConfig.from_json(text) == CONFIG
    assert json.loads(text)["about"] == {"training_data": "discs"}
    assert json.loads(text)["loss"] == json.loads(json.dumps(asdict(CONFIG.loss)))


def test_tensorboard_events_are_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = trainer(tmp_path, replace(CONFIG, steps=1))
    run.run(lambda net, step: scores(1.0))
    assert list((tmp_path / "tensorboard").glob("events.*"))


FIRST = replace(PAPER, parts_first=0.5, parts_after="freeze", steps=8)


def test_features_learn_first_and_then_stay(tmp_path: Path) -> None:
    run = trainer(tmp_path, FIRST)
    parts, steps = (lambda: clone(run.net.parts)), (lambda: clone(run.net.steps))
    start_parts, start_steps = parts(), steps()
    for step in range(4):
        assert run.stage == "parts"
        terms = run.train_step(run.data.batch(step))
        assert terms["align"] == terms["field"] == 0
    assert not equal(parts(), start_parts)
    assert equal(steps(), start_steps)
    middle_parts, middle_steps = parts(), steps()
    for step in range(4, 8):
        assert run.stage == "fields"
        assert run.train_step(run.data.batch(step))["align"] > 0
    assert equal(parts(), middle_parts), "the statistics of its norms too"
    assert not equal(steps(), middle_steps)


def test_features_may_go_on_learning(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(FIRST, parts_after="train"))
    run.step = 4
    before = clone(run.net.parts)
    run.train_step(run.data.batch(4))
    assert run.stage == "all"
    assert not equal(clone(run.net.parts), before)


def test_each_stage_has_the_whole_learning_rate(tmp_path: Path) -> None:
    run = trainer(tmp_path, FIRST)
    assert run.lr(0) == run.lr(4) == FIRST.lr
    assert run.lr(3) < run.lr(0)


def test_the_learning_rate_decays_by_epochs(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(PAPER, steps=100, epochs=10))
    assert run.lr(10) == pytest.approx(0.97 * PAPER.lr)
    assert run.lr(90) == pytest.approx(0.97**9 * PAPER.lr)


def test_a_batch_in_parts_has_the_gradient_of_their_mean(tmp_path: Path) -> None:
    batch = Discs().batch(0)
    twice = trainer(tmp_path, replace(PAPER, accumulate=2))
    whole = twice.train_step(batch)
    halves = [{name: rows[i : i + 2] for name, rows in batch.items()} for i in (0, 2)]
    alone = trainer(tmp_path, PAPER)
    alone.net.train()
    losses = [torch.stack(list(alone.loss(half).values())).sum() for half in halves]
    mean = torch.stack([loss.detach() for loss in losses]).mean().item()
    assert whole["loss"] == pytest.approx(mean, rel=1e-5)


def test_half_precision_learns_nearly_the_same(tmp_path: Path) -> None:
    batch = Discs().batch(0)
    exact = trainer(tmp_path, PAPER).train_step(batch)["loss"]
    coarse = trainer(tmp_path, replace(PAPER, precision="bfloat16")).train_step(batch)["loss"]
    assert coarse != exact
    assert coarse == pytest.approx(exact, rel=0.02)


def test_what_tells_positions_is_never_in_half_precision(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(PAPER, precision="bfloat16"))
    seen = []
    for layer in (run.net.parts.classify, run.net.steps[0].head, run.net.steps[0].down):
        layer.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    run.net.steps[0].down[0].register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output)
    )
    run.loss(Discs().batch(0))
    assert [output.dtype for output in seen] == [torch.float32, torch.bfloat16, torch.float32]


def test_a_run_starts_from_trained_weights(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first", CONFIG)
    first.train_step(Discs().batch(0))
    first.save_model()
    weights = tmp_path / "first" / "model.safetensors"
    more = replace(CONFIG, model=replace(CONFIG.model, steps=(*CONFIG.model.steps, STEP)))
    for config in (CONFIG, more):
        second = trainer(tmp_path / "second", config)
        fresh = clone(second.net)
        second.start_from(weights)
        kept = load_weights(weights)[0].state_dict()
        for net in (second.net, second.average):
            assert equal(kept, net.state_dict())
            rest = {n: v for n, v in net.state_dict().items() if n not in kept}
            assert equal(rest, fresh)
        assert second.step == 0


def test_weights_of_other_layers_are_no_start(tmp_path: Path) -> None:
    first = trainer(tmp_path / "first", MUON)
    first.save_model()
    second = trainer(tmp_path / "second", CONFIG)
    fresh = clone(second.net)
    with pytest.raises(FacewarpError, match="of another network"):
        second.start_from(tmp_path / "first" / "model.safetensors")
    assert equal(fresh, second.net.state_dict())


def shown_again() -> Batch:
    """Noise, and the last picture the one before it with other noise; nothing is known of parts."""
    images = torch.rand(4, 1, *GRID)
    images[3] = torch.roll(images[2], (1, -2), (1, 2)) + 0.1 * torch.randn(1, *GRID)
    moved = torch.zeros(4, 2, dtype=torch.int64)
    moved[3] = torch.tensor([-2, 1])
    return {"images": images, "labels": torch.rand(4, 3, *GRID), "moved": moved}


def test_parts_alone_learn_to_be_steady(tmp_path: Path) -> None:
    parts = replace(CONFIG.model, kind="face-occlusion", steps=())
    plain = replace(CONFIG, model=parts)
    assert set(trainer(tmp_path / "plain", plain).loss(shown_again())) == {"parts"}
    loss = replace(CONFIG.loss, part_ce=1e-6, part_dice=0.0, steadiness=1.0)
    steady = trainer(tmp_path / "steady", replace(plain, loss=loss, clip=0.0, warmup=0, lr=1e-2))
    found = [steady.train_step(shown_again())["steady"] for _ in range(40)]
    assert 0 < sum(found[-10:]) < 0.7 * sum(found[:10])


def clone(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)
