"""A run: options that contradict one another, and what is said of it before it starts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from facewarp.errors import FacewarpError
from facewarp.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from facewarp.training.config.presets import PRESETS
from facewarp.training.run import RunOptions, plan_run, wastes_matrix_units

PLAIN = PRESETS["face"]


@pytest.mark.parametrize(
    ("has_units", "precision", "device", "advised"),
    [
        (True, "float32", "cpu", True),
        (True, "bfloat16", "cpu", False),
        (True, "float32", "cuda", False),
        (False, "float32", "cpu", False),
    ],
)
def test_bfloat16_is_advised_only_where_it_is_idle(
    monkeypatch: pytest.MonkeyPatch, has_units: bool, precision: str, device: str, advised: bool
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_units}, raising=False
    )
    assert wastes_matrix_units(replace(PLAIN, precision=precision), device) is advised


def test_an_older_torch_gives_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not wastes_matrix_units(PLAIN, "cpu")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"epochs": 2.0, "settings": {"steps": "9"}}, "--epochs"),
        ({"resume": True, "start_from": "face"}, "--start-from"),
    ],
)
def test_contradicting_options_are_refused_before_a_run(
    tmp_path: Path, options: dict, option: str
) -> None:
    with pytest.raises(FacewarpError) as error:
        plan_run(RunOptions(tmp_path / "run", **options))
    assert error.value.where == option
    assert not (tmp_path / "run").exists()


def test_each_kind_of_data_has_its_default_preset(tmp_path: Path) -> None:
    assert plan_run(RunOptions(tmp_path)).preset == "face"
    assert plan_run(RunOptions(tmp_path, kind="heart")).preset == "acdc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view_shape", "0,0"), ("label_shape", "0,0"), ("batch", "100000000000000000000"),
        ("decay", "1e300"), ("augment", "1000"), ("seed", str(2**64)), ("seed", "-1"),
        ("lr", "1e9"), ("model.features.entry_kernel", "0"), ("model.reach", "1e30"),
        ("model.input_shape", "320,1000000"),
    ],
)  # fmt: skip
def test_settings_that_no_machine_can_train_with_are_refused(
    tmp_path: Path, name: str, value: str
) -> None:
    with pytest.raises(FacewarpError):
        plan_run(RunOptions(tmp_path / "run", settings={name: value}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("epochs", [float("inf"), float("nan"), 0.0, -1.0])
def test_lengths_that_never_end_are_refused(tmp_path: Path, epochs: float) -> None:
    with pytest.raises(FacewarpError, match="can't be trained"):
        plan_run(RunOptions(tmp_path / "run", epochs=epochs))


def test_no_more_threads_than_the_machine_can_use(tmp_path: Path) -> None:
    with pytest.raises(FacewarpError, match="threads can't make batches"):
        plan_run(RunOptions(tmp_path / "run", workers=10**6))


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_a_damaged_configuration_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(FacewarpError, match="configuration"):
        plan_run(RunOptions(tmp_path, resume=True))


def stepped(path: Path) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A network and its optimizer after one step, saved as a checkpoint."""
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_checkpoint(path, net, net, optimizer, Progress(1, 0, 50.0))
    return net, optimizer


def test_a_checkpoint_is_never_of_weights_that_have_diverged(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    net, optimizer = stepped(path)
    kept = path.read_bytes()
    for value in (1e28, float("nan"), float("inf")):
        with torch.no_grad():
            net.weight[0, 0] = value
        with pytest.raises(FacewarpError, match="diverged"):
            save_checkpoint(path, net, net, optimizer, Progress(2, 0, 50.0))
    assert path.read_bytes() == kept
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("without", ["optimizer.", "average.", "state"])
def test_a_checkpoint_that_lacks_a_part_is_refused(tmp_path: Path, without: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    net, optimizer = stepped(path)
    tensors = {n: t for n, t in load_file(path).items() if not n.startswith(without)}
    state = {} if without == "state" else {"state": '{"step": 1, "checked": 0, "best": 1.0}'}
    save_file(tensors, path, state)
    with pytest.raises(FacewarpError, match="checkpoint"):
        load_checkpoint(path, net, net, optimizer)


@pytest.mark.parametrize(
    ("without", "counted"),
    [
        ("optimizer.0.exp_avg", True),
        ("optimizer.0.exp_avg", False),  # as checkpoints were before they said how many
        ("optimizer.0.step", False),
        ("optimizer.1.", True),  # of a whole parameter, which may never have had a gradient
    ],
)
def test_a_checkpoint_without_all_moments_is_refused(
    tmp_path: Path, without: str, counted: bool
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    net, optimizer = stepped(path)
    state = {"step": 1, "checked": 0, "best": 1.0} | ({"moments": 6} if counted else {})
    tensors = load_file(path)
    save_file(tensors, path, {"state": json.dumps(state)})
    assert load_checkpoint(path, net, net, optimizer).step == 1
    left = {n: t for n, t in tensors.items() if not n.startswith(without)}
    save_file(left, path, {"state": json.dumps(state)})
    with pytest.raises(FacewarpError, match="not all of it"):
        load_checkpoint(path, net, net, optimizer)
