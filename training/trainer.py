"""Trainer: seeded, exactly resumable, validated while it runs."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from facewarp.core.config import ModelConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import WEIGHTS, load_weights, save_weights
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_json
from facewarp.training import checkpoint
from facewarp.training.config.train_config import WHOLE_GRID, TrainConfig
from facewarp.training.dataloading.batches import SHOWN_AGAIN, Batch
from facewarp.training.distributed import ProcessGroup
from facewarp.training.interrupt import DeferredInterrupt
from facewarp.training.losses import (
    Targets,
    class_weights,
    consistency_loss,
    part_loss,
    registration_loss,
    roughness,
    steadiness_loss,
)
from facewarp.training.optimizer import learning_rate, make_optimizer, update_ema
from facewarp.training.run_log import RunLog

log = logging.getLogger(__name__)


class BatchSource(Protocol):
    """Source of batches; batch `step` depends on `step` alone."""

    start: int

    def batch(self, step: int) -> Batch:
        """Return batch number `step`."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over batches from `start` on, without end."""
        ...


@dataclass(frozen=True)
class StepReport:
    """Report of one optimization step.

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
    """Train a network; ``folder`` receives config, log, checkpoints and weights.

    ``folder`` holds ``config.json``, ``log.csv`` (a row per step), ``validation.csv``,
    TensorBoard events where the ``train`` extra is installed, ``checkpoint.safetensors`` (the
    whole state) and ``model.safetensors`` (the moving average, best on validation).

    Args:
        config: the run's settings.
        data: source of batches.
        folder: the run's folder; made by `run`.
        about: metadata of the weights file: training data, licence and the like.
        team: the processes that train together; ``config.batch`` pairs each, rows of the batches
            of ``data``. The first of them writes the files.
        device: of torch.

    Attributes:
        step: optimization steps done.
        best: best ``dice_mean`` of a validation, minus infinity before the first.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: BatchSource,
        folder: Path,
        about: Mapping[str, str],
        *,
        team: ProcessGroup | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.config, self.data, self.folder, self.about = config, data, folder, dict(about)
        self.team, self.device = team or ProcessGroup(), torch.device(device)
        torch.manual_seed(config.seed)
        self.net = _build(config.trained_model).to(self.device)
        self._layout = torch.channels_last if config.model.ndim == 2 else torch.channels_last_3d
        self.net.to(memory_format=self._layout)  # type: ignore[call-overload]
        self.average = _build(config.model).to(self.device)
        self.average.load_state_dict(self.net.state_dict())
        self.average.eval()
        self.team.share(self.net)
        _keep_precision(self.net.parts.classify)
        for step in self.net.steps:
            _keep_precision(step.get_submodule("head"))
        self.optimizer = make_optimizer(config, self.net)
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
            validate: called with the averaged network and the step, every ``validate_every`` steps
                and after the last; returns scores, ``dice_mean`` among them. Without it the last
                weights are kept.
            watch: called after every step.

        Raises:
            FacewarpError: the loss is not finite, or the folder can't be written to.
        """
        described = {**dataclasses.asdict(self.config), "about": self.about}
        if self.team.leads:
            write_json(self.folder / checkpoint.CONFIG, described)
        self.data.start = self.step
        batches = iter(self.data)
        record = RunLog(self.folder, self.step) if self.team.leads else nullcontext(None)
        with record as records, DeferredInterrupt() as interrupt:
            try:
                self._validate_if_due(validate, records, interrupt)  # what Ctrl-C left undone
                while self.step < self.config.steps:
                    began = time.perf_counter()
                    terms = self.train_step(self.team.rows(next(batches)))
                    seconds = time.perf_counter() - began
                    report = StepReport(self.step, self.lr(self.step - 1), terms, seconds)
                    if records is not None:
                        records.train(self.step, {"lr": report.lr, **terms})
                    if watch is not None:
                        watch(report)
                    self._validate_if_due(validate, records, interrupt)
                    if self.team.leads and self._is_due(self.config.checkpoint_every):
                        self.save_checkpoint()
                    interrupt.check(self.team.any)
                if self.team.leads and (validate is None or not (self.folder / WEIGHTS).is_file()):
                    self.save_model()
            except KeyboardInterrupt as stop:
                stop.add_note(self._keep())
                raise
            finally:
                if isinstance(batches, Generator):
                    batches.close()

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Take one optimization step, and return its loss terms."""
        self._settled = False
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr(self.step)
        self.net.train()
        self.optimizer.zero_grad(set_to_none=True)
        found = []
        for part in self._parts(batch):
            terms = self.loss(part)
            loss = torch.stack(list(terms.values())).sum()
            found.append(self.team.mean(torch.stack([loss, *terms.values()]).detach()))
            if not torch.isfinite(found[-1][0]):  # of all processes; before it reaches a gradient
                raise FacewarpError(
                    f"the loss is not finite at step {self.step + 1}",
                    self.folder,
                    "Lower lr (--set lr=...) and --resume from the last checkpoint.",
                )
            (loss / self.config.accumulate).backward()
        self.team.average_gradients(self.net)
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        self._update_average()
        self._settled = True
        return dict(zip(("loss", *terms), torch.stack(found).mean(0).tolist(), strict=True))

    @property
    def stage(self) -> Literal["parts", "fields", "all"]:
        """Which networks the next step trains: the features alone, the rest alone, or all."""
        if self.step < self.config.first_steps:
            return "parts"
        frozen = self.config.first_steps and self.config.parts_after == "freeze"
        return "fields" if frozen else "all"

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss terms of a batch of pairs; both directions share the features."""
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            return self._loss({name: rows.to(self.device) for name, rows in batch.items()})

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        config, loss = self.net.config, self.config.loss
        if not config.steps:
            images = batch["images"].contiguous(memory_format=self._layout)
            logits = self.net.features(images).float()
            terms = {
                "parts": part_loss(logits, batch["labels"], self.weights, loss, self.team.mean)
            }
            if loss.steadiness and "moved" in batch:
                steady = steadiness_loss(logits, batch["moved"], SHOWN_AGAIN)
                terms["steady"] = loss.steadiness * steady
            return terms
        images = torch.cat([batch["fixed"], batch["moving"]])
        images = images.contiguous(memory_format=self._layout)
        labels = torch.cat([batch["fixed_labels"], batch["moving_labels"]])
        points = None
        if loss.landmarks and "fixed_landmarks" in batch:
            points = torch.cat([batch["fixed_landmarks"], batch["moving_landmarks"]])
        if self.stage == "fields":
            self.net.parts.eval()
        with torch.set_grad_enabled(self.stage != "fields"):
            logits = self.net.features(images).float()
        shape = tuple(logits.shape[2:])
        label_shape = self.config.label_shape or config.field_shape
        truth = Targets.from_labels(labels, points, config.n_classes, label_shape, shape)
        terms = {"parts": part_loss(logits, truth.onehot, self.weights, loss, self.team.mean)}
        if self.stage == "parts":
            return {**terms, **dict.fromkeys(("align", "landmarks", "field"), logits.new_zeros(()))}

        half = len(images) // 2
        swap = list(range(half, 2 * half)) + list(range(half))
        sides = list(range(2 * half)) if self.config.both_directions else list(range(half))
        partners = swap[: len(sides)]
        guidance = self.net.guidance(logits)
        totals, _ = self.net.register(guidance[sides], guidance[partners])
        totals = [total.float() for total in totals]
        fixed, moving = truth.rows(sides), truth.rows(partners)
        terms |= registration_loss(totals, fixed, moving, self.weights, loss, config.field_spacing)
        if loss.roughness:
            terms["field"] = terms["field"] + loss.roughness * roughness(
                totals[-1], config.grid_shape
            )
        if loss.consistency and self.config.both_directions:
            terms["consistency"] = loss.consistency * consistency_loss(totals[-1], totals[-1][swap])
        return terms

    def _parts(self, batch: Batch) -> list[Batch]:
        """Split a batch into parts, for gradient accumulation."""
        n = self.config.accumulate
        if n == 1:
            return [batch]
        chunks = {name: rows.chunk(n) for name, rows in batch.items()}
        return [{name: rows[i] for name, rows in chunks.items()} for i in range(n)]

    def lr(self, step: int) -> float:
        """Return the learning rate of a step, see `optimizer.learning_rate`."""
        return learning_rate(self.config, step)

    def shipped_net(self) -> GuidedRegistration:
        """Return the network to validate and save: the moving average (of weight 1 without EMA)."""
        return self.average

    def save_model(self) -> None:
        """Write ``model.safetensors``: the averaged network and its metadata."""
        about = {**self.about, "preset": self.config.preset, "step": str(self.step)}
        about["view_shape"] = ",".join(map(str, self.config.view_shape)) or WHOLE_GRID
        if math.isfinite(self.best):
            about["validation_dice"] = f"{self.best:.2f}"
        save_weights(self.shipped_net(), self.folder / WEIGHTS, about)

    def save_checkpoint(self) -> None:
        """Write the whole state for exact resumption, atomically and without pickle."""
        progress = checkpoint.Progress(self.step, self.checked, self.best)
        path = self.folder / checkpoint.NAME
        checkpoint.save_checkpoint(path, self.net, self.average, self.optimizer, progress)

    def start_from(self, weights: Path) -> None:
        """Initialize with a trained network's weights in place of random ones.

        Args:
            weights: of a network of the same layers; steps it doesn't have stay random.

        Raises:
            FacewarpError: no such file, or its layers are others.
        """
        trained, _ = load_weights(weights)
        held, own = trained.state_dict(), self.net.state_dict()
        strange = [n for n, value in held.items() if n not in own or value.shape != own[n].shape]
        missing = [n for n in own if n not in held and not n.startswith("steps.")]
        if strange or missing or trained.config.classes != self.net.config.classes:
            what = (
                f"these weights are of another network, e.g. {[*strange, *missing, 'classes'][0]}"
            )
            raise FacewarpError(what, weights, "Train with the preset and settings they were.")
        for net in (self.net, self.average):
            net.load_state_dict(held, strict=False)

    def load_checkpoint(self) -> None:
        """Resume where `save_checkpoint` stopped: every later step is as it would have been.

        Raises:
            FacewarpError: there is no checkpoint, it is damaged, or of another network.
        """
        path = self.folder / checkpoint.NAME
        progress = checkpoint.load_checkpoint(path, self.net, self.average, self.optimizer)
        self.step, self.checked, self.best = progress.step, progress.checked, progress.best

    def _is_due(self, every: int) -> bool:
        return self.step == self.config.steps or (self.step > 0 and self.step % every == 0)

    def _validate_if_due(
        self, validate: Validate | None, records: RunLog | None, interrupt: DeferredInterrupt
    ) -> None:
        due = self.checked != self.step and self._is_due(self.config.validate_every)
        if validate is None or records is None or not due:
            return
        with interrupt.at_once():  # it takes long and changes nothing
            scores = validate(self.shipped_net(), self.step)
        self.checked = self.step
        records.validation(self.step, scores)
        if scores["dice_mean"] >= self.best:
            self.best = scores["dice_mean"]
            self.save_model()

    def _keep(self) -> str:
        """Save a checkpoint if no step is unfinished, and return a note for the user."""
        if not self.team.leads:
            return "the first process keeps what there is"
        if self._settled:
            self.save_checkpoint()
            return f"step {self.step} is kept in {self.folder}; --resume goes on from it"
        if (self.folder / checkpoint.NAME).is_file():
            return f"the last checkpoint is kept in {self.folder}; --resume goes on from it"
        return f"there was no checkpoint yet in {self.folder}"

    def _class_weights(self) -> Tensor:
        if not self.config.model.steps:
            return torch.ones(self.config.model.n_classes, device=self.device)
        labels = torch.cat([self.data.batch(i)["fixed_labels"] for i in range(4)])
        labels = labels.to(self.device)
        n = self.config.model.n_classes
        return class_weights(
            torch.movedim(torch.nn.functional.one_hot(labels.long(), n), -1, 1).float()
        )

    def _update_average(self) -> None:
        # A short memory at first: the average would otherwise hold on to random weights.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        update_ema(self.average, self.net, decay)


def _keep_precision(layer: nn.Module) -> None:
    """Make a layer compute in float32 under autocast: its output is positions in px."""
    forward = layer.forward

    def exact(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            found: Tensor = forward(x.float())
            return found

    layer.forward = exact


def _build(config: ModelConfig) -> GuidedRegistration:
    try:
        return GuidedRegistration(config)
    except (ValueError, RuntimeError, IndexError) as error:
        raise FacewarpError(
            f"no network can be built so: {error}", "model", "Change what was set of model."
        ) from error
