"""Trainer: seeded, resumable, and looked at while it runs."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor

from facewarp.core.config import ModelConfig
from facewarp.core.network import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.errors import FacewarpError
from facewarp.training import checkpoint
from facewarp.training.files import unwritable, write_json
from facewarp.training.interrupt import DeferredInterrupt
from facewarp.training.logs import RunLog
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
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


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
    """What one optimisation step reports.

    Attributes:
        step: its number, from 1.
        lr: its learning rate.
        terms: its loss terms, and their sum as ``loss``.
        seconds: its time, waiting for the batch included.
    """

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

    Args:
        config: the run's settings.
        data: where batches come from.
        folder: the run's folder; made by :meth:`run`.
        about: what the weights file says of itself: training data, licence and the like.

    Attributes:
        step: optimisation steps done.
        best: best ``dice_mean`` of a validation, minus infinity before the first.
    """

    def __init__(
        self, config: TrainConfig, data: BatchSource, folder: Path, about: Mapping[str, str]
    ) -> None:
        self.config, self.data, self.folder, self.about = config, data, folder, dict(about)
        torch.manual_seed(config.seed)
        self.net = _build(config.trained_model)
        self._layout = torch.channels_last if config.model.ndim == 2 else torch.channels_last_3d
        self.net.to(memory_format=self._layout)  # type: ignore[call-overload]
        self.average = _build(config.model)
        self.average.load_state_dict(self.net.state_dict())
        self.average.eval()
        self.optimizer = _optimizer(config, self.net)
        self.step = 0
        self.checked = 0
        self.best = -math.inf
        self.weights = self._class_weights()
        self._settled = True  # False in the middle of a step: no state to keep

    def run(self, validate: Validate | None = None, watch: Watch | None = None) -> None:
        """Train to the configured number of steps, from the first or where a checkpoint left off.

        Ctrl-C ends the step that is running, leaves a checkpoint and raises
        ``KeyboardInterrupt`` with a note that says so; a second Ctrl-C doesn't wait.

        Args:
            validate: called with the network that would be shipped and the step, every
                ``validate_every`` steps and after the last; returns scores, ``dice_mean`` among
                them. Without it the last weights are kept.
            watch: called after every step.

        Raises:
            FacewarpError: the loss is not finite, or the folder can't be written to.
        """
        described = {**dataclasses.asdict(self.config), "about": self.about}
        write_json(self.folder / CONFIG, described)
        self.data.start = self.step
        batches = iter(self.data)
        with RunLog(self.folder, self.step) as records, DeferredInterrupt() as interrupt:
            try:
                self._validate_if_due(validate, records, interrupt)  # what Ctrl-C left undone
                while self.step < self.config.steps:
                    began = time.perf_counter()
                    terms = self.train_step(next(batches))
                    seconds = time.perf_counter() - began
                    report = StepReport(self.step, self.lr(self.step - 1), terms, seconds)
                    records.train(self.step, {"lr": report.lr, **terms})
                    if watch is not None:
                        watch(report)
                    self._validate_if_due(validate, records, interrupt)
                    if self._is_due(self.config.checkpoint_every):
                        self.save_checkpoint()
                    interrupt.check()
                if validate is None or not (self.folder / WEIGHTS).is_file():
                    self.save_model()
            except KeyboardInterrupt as stop:
                stop.add_note(self._keep())
                raise
            finally:
                if isinstance(batches, Generator):
                    batches.close()

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimisation step; returns its loss terms."""
        self._settled = False
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr(self.step)
        self.net.train()
        terms = self.loss(batch)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise FacewarpError(
                f"the loss is not finite at step {self.step + 1}",
                self.folder,
                "Lower lr (--set lr=...) and --resume from the last checkpoint.",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        self._settled = True
        return {"loss": loss.item(), **{name: value.item() for name, value in terms.items()}}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a batch of pairs; both directions share one pass of the features."""
        config, loss = self.net.config, self.config.loss
        images = torch.cat([batch["fixed"], batch["moving"]])
        images = images.contiguous(memory_format=self._layout)
        labels = torch.cat([batch["fixed_labels"], batch["moving_labels"]])
        points = None
        if loss.landmarks and "fixed_landmarks" in batch:
            points = torch.cat([batch["fixed_landmarks"], batch["moving_landmarks"]])
        logits = self.net.features(images)
        shape = tuple(logits.shape[2:])
        label_shape = self.config.label_shape or config.field_shape
        truth = Targets.from_labels(labels, points, config.n_classes, label_shape, shape)
        terms = {"parts": part_loss(logits, truth.onehot, self.weights, loss)}

        half = len(images) // 2
        swap = list(range(half, 2 * half)) + list(range(half))
        sides = list(range(2 * half)) if self.config.both_directions else list(range(half))
        partners = swap[: len(sides)]
        guidance = self.net.guidance(logits)
        totals, _ = self.net.register(guidance[sides], guidance[partners])
        fixed, moving = truth.rows(sides), truth.rows(partners)
        terms |= registration_loss(totals, fixed, moving, self.weights, loss, config.field_spacing)
        if loss.consistency and self.config.both_directions:
            terms["consistency"] = loss.consistency * consistency_loss(totals[-1], totals[-1][swap])
        return terms

    def lr(self, step: int) -> float:
        """Learning rate: linear warm-up, then cosine decay (AdamW) or decay by epochs (Adam)."""
        config = self.config
        if step < config.warmup:
            return config.lr * (step + 1) / config.warmup
        if config.optimizer == "adamw":
            done = (step - config.warmup) / max(config.steps - config.warmup, 1)
            return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return config.lr * config.decay ** (300 * step / config.steps)

    def shipped_net(self) -> GuidedRegistration:
        """The network that is validated and saved: the moving average (of weight 1 without EMA)."""
        return self.average

    def save_model(self) -> None:
        """Write ``model.safetensors``: the network that is shipped, and what it says of itself."""
        about = {**self.about, "preset": self.config.preset, "step": str(self.step)}
        if math.isfinite(self.best):
            about["validation_dice"] = f"{self.best:.2f}"
        path = self.folder / WEIGHTS
        try:
            save_weights(self.shipped_net(), path, about)
        except (OSError, SafetensorError) as error:
            raise unwritable(path, error) from error

    def save_checkpoint(self) -> None:
        """Write all that exact resumption needs, atomically and without pickle."""
        progress = checkpoint.Progress(self.step, self.checked, self.best)
        path = self.folder / checkpoint.NAME
        checkpoint.save_checkpoint(path, self.net, self.average, self.optimizer, progress)

    def load_checkpoint(self) -> None:
        """Go on where :meth:`save_checkpoint` stopped: every later step is as it would have been.

        Raises:
            FacewarpError: there is no checkpoint, it is damaged, or of another network.
        """
        path = self.folder / checkpoint.NAME
        progress = checkpoint.load_checkpoint(path, self.net, self.average, self.optimizer)
        self.step, self.checked, self.best = progress.step, progress.checked, progress.best

    def _is_due(self, every: int) -> bool:
        return self.step == self.config.steps or (self.step > 0 and self.step % every == 0)

    def _validate_if_due(
        self, validate: Validate | None, records: RunLog, interrupt: DeferredInterrupt
    ) -> None:
        due = self.checked != self.step and self._is_due(self.config.validate_every)
        if validate is None or not due:
            return
        with interrupt.at_once():  # it takes long and changes nothing
            scores = validate(self.shipped_net(), self.step)
        self.checked = self.step
        records.validation(self.step, scores)
        if scores["dice_mean"] >= self.best:
            self.best = scores["dice_mean"]
            self.save_model()

    def _keep(self) -> str:
        """Leave a checkpoint if the state is that of a whole step; returns what to tell."""
        if self._settled:
            self.save_checkpoint()
            return f"step {self.step} is kept in {self.folder}; --resume goes on from it"
        if (self.folder / checkpoint.NAME).is_file():
            return f"the last checkpoint is kept in {self.folder}; --resume goes on from it"
        return f"there was no checkpoint yet in {self.folder}"

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


def _build(config: ModelConfig) -> GuidedRegistration:
    try:
        return GuidedRegistration(config)
    except (ValueError, RuntimeError, IndexError) as error:
        raise FacewarpError(
            f"no network can be built so: {error}", "model", "Change what was set of model."
        ) from error


def _optimizer(config: TrainConfig, net: GuidedRegistration) -> torch.optim.Optimizer:
    """AdamW or Adam; kernels decay, vectors (biases, norms, slopes) don't."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)
