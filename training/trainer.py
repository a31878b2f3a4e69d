"""Trainer: seeded, resumable, and looked at while it runs."""

import csv
import dataclasses
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from facewarp.core.network import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.errors import FacewarpError
from facewarp.training.losses import (
    Targets,
    class_weights,
    consistency_loss,
    part_loss,
    registration_loss,
)
from facewarp.training.presets import TrainConfig

log = logging.getLogger(__name__)
Batch = dict[str, Tensor]


class BatchSource(Protocol):
    """Where batches come from: batch ``step`` depends on ``step`` alone."""

    start: int

    def batch(self, step: int) -> Batch:
        """Batch number ``step``."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """Batches from ``start`` on, without end."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What one optimisation step reports: its number, learning rate and loss terms."""

    step: int
    lr: float
    terms: dict[str, float]
    seconds: float


Validate = Callable[[GuidedRegistration, int], dict[str, float]]
Watch = Callable[[StepReport], None]


class Trainer:
    """Trains a network; ``folder`` receives config, log, checkpoints and weights.

    ``folder`` holds ``config.json``, ``log.csv`` (a row per step), ``validation.csv``,
    TensorBoard events where the ``train`` extra is installed, ``checkpoint.safetensors`` (all
    that is needed to go on) and ``model.safetensors`` (the moving average, best on validation).
    """

    def __init__(
        self, config: TrainConfig, data: BatchSource, folder: Path, about: dict[str, str]
    ) -> None:
        self.config, self.data, self.folder, self.about = config, data, folder, about
        torch.manual_seed(config.seed)
        self.net = GuidedRegistration(config.model).to(memory_format=torch.channels_last)
        self.average = GuidedRegistration(config.model)
        self.average.load_state_dict(self.net.state_dict())
        self.average.eval()
        decay, plain = [], []
        for parameter in self.net.parameters():
            (decay if parameter.ndim > 1 else plain).append(parameter)
        groups = [
            {"params": decay, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(groups, lr=config.lr)
            if config.optimizer == "adamw"
            else torch.optim.Adam(groups, lr=config.lr)
        )
        self.step = 0
        self.best = -math.inf
        self.weights = self._class_weights()

    def run(self, validate: Validate | None = None, watch: Watch | None = None) -> None:
        """Train to the configured number of steps; on Ctrl-C a checkpoint is left behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        described = {**dataclasses.asdict(self.config), "about": self.about}
        (self.folder / "config.json").write_text(json.dumps(described, indent=1), "utf-8")
        self.data.start = self.step
        rows = TableLog(self.folder / "log.csv", self.step)
        checks = TableLog(self.folder / "validation.csv", self.step)
        board = open_tensorboard(self.folder, self.step)
        batches = iter(self.data)
        try:
            while self.step < self.config.steps:
                began = time.perf_counter()
                terms = self.train_step(next(batches))
                report = StepReport(
                    self.step, self.lr(self.step - 1), terms, time.perf_counter() - began
                )
                rows.write({"step": self.step, "lr": report.lr, **terms})
                if board is not None:
                    for name, value in terms.items():
                        board.add_scalar(f"train/{name}", value, self.step)
                if watch is not None:
                    watch(report)
                last = self.step == self.config.steps
                if validate is not None and (last or self.step % self.config.validate_every == 0):
                    scores = validate(self.shipped_net(), self.step)
                    checks.write({"step": self.step, **scores})
                    if board is not None:
                        for name, value in scores.items():
                            board.add_scalar(f"validation/{name}", value, self.step)
                    if scores["dice_mean"] >= self.best:
                        self.best = scores["dice_mean"]
                        self._save_model()
                if last or self.step % self.config.checkpoint_every == 0:
                    self.save_checkpoint()
            if validate is None:
                self._save_model()
        except KeyboardInterrupt:
            self.save_checkpoint()
            raise
        finally:
            batches.close()  # type: ignore[attr-defined]
            rows.close()
            checks.close()
            if board is not None:
                board.close()

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimisation step; returns its loss terms."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr(self.step)
        self.net.train()
        terms = self.loss(batch)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise FacewarpError(
                f"the loss is not finite at step {self.step}",
                self.folder,
                "lower lr (--set lr=...) and --resume from the last checkpoint",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        return {"loss": loss.item(), **{name: value.item() for name, value in terms.items()}}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a batch of pairs; both directions share one pass of the features."""
        config, loss = self.config.model, self.config.loss
        images = torch.cat([batch["fixed"], batch["moving"]])
        images = images.contiguous(memory_format=torch.channels_last)
        labels = torch.cat([batch["fixed_labels"], batch["moving_labels"]])
        points = None
        if loss.landmarks and "fixed_landmarks" in batch:
            points = torch.cat([batch["fixed_landmarks"], batch["moving_landmarks"]])
        logits = self.net.features(images)
        shape = tuple(logits.shape[2:])
        truth = Targets.from_labels(labels, points, config.n_classes, config.field_shape, shape)
        terms = {"parts": part_loss(logits, truth.onehot_small, self.weights, loss)}

        half = len(images) // 2
        swap = list(range(half, 2 * half)) + list(range(half))
        sides = list(range(2 * half)) if self.config.both_directions else list(range(half))
        partners = swap[: len(sides)]
        guidance = self.net.guidance(logits)
        totals, _ = self.net.register(guidance[sides], guidance[partners])
        fixed, moving = _pick(truth, sides), _pick(truth, partners)
        terms |= registration_loss(totals, fixed, moving, self.weights, loss)
        if loss.consistency and self.config.both_directions:
            terms["consistency"] = loss.consistency * consistency_loss(totals[-1], totals[-1][swap])
        return terms

    def lr(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then cosine decay (AdamW) or by epochs (Adam)."""
        config = self.config
        if step < config.warmup:
            return config.lr * (step + 1) / config.warmup
        if config.optimizer == "adamw":
            done = (step - config.warmup) / max(config.steps - config.warmup, 1)
            return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return config.lr * config.decay ** (300 * step / config.steps)

    def shipped_net(self) -> GuidedRegistration:
        """The network that is validated and saved: the moving average, or the last weights."""
        return self.average if self.config.ema else self.net.eval()

    def save_checkpoint(self) -> None:
        """Write all that exact resumption needs, atomically and without pickle."""
        tensors = {f"net.{n}": t for n, t in self.net.state_dict().items()}
        tensors |= {f"average.{n}": t for n, t in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{n}": torch.as_tensor(v) for n, v in state.items()}
        tensors = {
            n: t.contiguous(memory_format=torch.contiguous_format) for n, t in tensors.items()
        }
        tensors = {n: t.clone() for n, t in tensors.items()}
        target = self.folder / "checkpoint.safetensors"
        temporary = target.with_suffix(".part")
        state = {"step": self.step, "best": self.best, "model": self.config.model.to_json()}
        save_file(tensors, temporary, {"state": json.dumps(state)})
        os.replace(temporary, target)

    def load_checkpoint(self) -> None:
        """Go on where :meth:`save_checkpoint` stopped."""
        path = self.folder / "checkpoint.safetensors"
        if not path.is_file():
            raise FacewarpError("there is no checkpoint to resume", path, "train without --resume")
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if state["model"] != self.config.model.to_json():
            raise FacewarpError(
                "the checkpoint is of another network",
                path,
                "resume with the same preset and --set",
            )
        self.net.load_state_dict(_under(tensors, "net."))
        self.average.load_state_dict(_under(tensors, "average."))
        saved: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer.").items():
            index, key = name.split(".", 1)
            saved.setdefault(int(index), {})[key] = value
        current = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": saved, "param_groups": current["param_groups"]})
        self.step, self.best = int(state["step"]), float(state["best"])

    def _class_weights(self) -> Tensor:
        labels = torch.cat([self.data.batch(i)["fixed_labels"] for i in range(4)])
        n = self.config.model.n_classes
        return class_weights(
            torch.movedim(torch.nn.functional.one_hot(labels.long(), n), -1, 1).float()
        )

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short memory at first: the average would otherwise hold on to random weights.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True)
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _save_model(self) -> None:
        about = {**self.about, "preset": self.config.preset, "step": str(self.step)}
        save_weights(self.shipped_net(), self.folder / "model.safetensors", about)


class TableLog:
    """A CSV file of steps; on resuming, rows after the checkpoint are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        kept: list[dict[str, str]] = []
        if step and path.is_file():
            with open(path, newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self._file = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer: csv.DictWriter[str] | None = None
        for row in kept:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Append a row; the first one's keys are the columns."""
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(row), restval="", extrasaction="ignore")
            self._writer.writeheader()
        self._writer.writerow(
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
        )
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_tensorboard(folder: Path, step: int) -> Any | None:
    """A TensorBoard writer, or None where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("tensorboard is not installed; the CSV log has everything")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)


def _pick(truth: Targets, rows: list[int]) -> Targets:
    points = None if truth.landmarks is None else truth.landmarks[rows]
    return Targets(truth.onehot[rows], truth.onehot_small[rows], points)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
