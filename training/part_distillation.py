"""Train the part network of a face model on, from labels and from what it sees looking four times.

``python -m facewarp.training.part_distillation --data helen --celebamask celebamask --minutes 60
--out runs/parts`` goes on from the shipped face model. Its part network learns the labels of each
view and, as much, the parts that the shipped one finds in four versions of that view (the mean of
the view, a nearer one, and both mirrored; `facewarp.face.tracking.augmented_inference`). The
registration steps stay as they are. ``model.safetensors`` in the run's folder is the moving average
of the last validation; a run that was stopped goes on where it was.
"""

import argparse
import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from facewarp.core.engines.base import Engine
from facewarp.core.geometry import resize_image
from facewarp.core.metrics import dice_per_part, mean_over_present
from facewarp.core.model import Model, load
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import WEIGHTS, load_weights, save_weights
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.tracking.augmented_inference import AugmentedEngine
from facewarp.system.atomic_files import write_csv
from facewarp.training import checkpoint
from facewarp.training.config.presets import preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch
from facewarp.training.dataloading.face_data import FaceData, helen_training_data
from facewarp.training.datasets.crops import FaceCrop, load_test_crops
from facewarp.training.evaluation.faces import as_input
from facewarp.training.losses import part_loss, soft_labels
from facewarp.training.optimizer import make_optimizer, update_ema
from facewarp.training.step_distillation import print_lines, quickest_engine
from facewarp.training.trainer import BatchSource

VALIDATION: Final = "validation.csv"
HOLD_OUT_EVERY: Final = 16  # of the photographs with masks


class PartDistiller:
    """Train a part network on labels and on a teacher's parts.

    Args:
        net: the network; its registration steps stay as they are.
        teacher: what it learns from, beside labels.
        config: of the run: objective, optimizer, learning rate, average; `batch` pairs of views.
        weight: of the divergence from the teacher's parts.

    Attributes:
        average: moving average of the network.
        step: optimization steps done.
    """

    def __init__(
        self, net: GuidedRegistration, teacher: Engine, config: TrainConfig, weight: float = 1.0
    ) -> None:
        self.net, self.teacher, self.config, self.weight = net, teacher, config, weight
        net.requires_grad_(False)
        net.parts.requires_grad_(True)
        net.parts.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(net).eval()
        self.optimizer = make_optimizer(config, net.parts)
        self.step = 0

    def train_step(self, batch: Batch, lr: float) -> dict[str, float]:
        """Take one optimization step on a batch of `FaceBatches`, and return its loss terms."""
        self.net.parts.train()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        terms = self.loss(batch)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.net.parts.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        update_ema(self.average.parts, self.net.parts, decay)
        return {name: float(term.detach()) for name, term in terms.items()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss terms of a batch; ``teacher`` is the divergence from its parts."""
        images = torch.cat([batch["fixed"], batch["moving"]])
        labels = torch.cat([batch["fixed_labels"], batch["moving_labels"]])
        config = self.net.config
        wanted = torch.from_numpy(self.teacher.parts(images.numpy()))
        half = self.config.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = self.net.features(images.contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        truth = soft_labels(labels, config.n_classes, self.config.label_shape)
        plain = torch.ones(config.n_classes)
        learnt = nn.functional.kl_div(logits.log_softmax(1), wanted, reduction="none").sum(1)
        return {
            "parts": part_loss(logits, truth, plain, self.config.loss),
            "teacher": self.weight * learnt.mean(),
        }


class PartValidator:
    """Score a network's own parts on photographs held out, a set at a time.

    Args:
        sets: annotated photographs' crops by the name of their set.
    """

    def __init__(self, sets: dict[str, list[FaceCrop]]) -> None:
        self.sets = sets

    def __call__(self, net: GuidedRegistration) -> dict[str, float]:
        """Return the Dice of each set, percent, and their mean as ``dice_mean``."""
        model = Model(net)
        scores = {name: _parts_dice(model, crops) for name, crops in self.sets.items()}
        return {**scores, "dice_mean": sum(scores.values()) / len(scores)}


def _parts_dice(model: Model, crops: Sequence[FaceCrop]) -> float:
    found = []
    for crop in crops:
        probabilities = resize_image(model.probabilities(as_input(crop)), CROP_SHAPE)
        seen = probabilities.argmax(1)[0].numpy().astype(np.uint8)
        n = model.config.n_classes
        found.append(mean_over_present(dice_per_part(seen, crop.labels, n)))
    return 100 * float(np.mean(found))


def held_out(data: FaceData) -> PartValidator:
    """Take photographs of the second set (with masks) out of the training, beside those held out.

    Returns:
        What scores a network on both.
    """
    sets = {"helen": load_test_crops(data.held_out, 0)}
    if len(data.sets) > 1:
        kept = data.sets[1][::HOLD_OUT_EVERY]
        data.sets[1] = [p for i, p in enumerate(data.sets[1]) if i % HOLD_OUT_EVERY]
        sets["celebamask"] = load_test_crops(kept, 0)
    return PartValidator(sets)


@dataclass(frozen=True)
class Run:
    """Where a run keeps its files, and how long it is.

    Attributes:
        folder: receives ``model.safetensors``, ``validation.csv`` and ``checkpoint.safetensors``,
            anew at every validation.
        seconds: of training, those before a resumption included.
        clock: seconds, rising.
        about: further metadata of the weights.
    """

    folder: Path
    seconds: float
    clock: Callable[[], float] = time.perf_counter
    about: Mapping[str, str] = field(default_factory=dict)


def distill(
    distiller: PartDistiller, source: BatchSource, validate: PartValidator, run: Run
) -> Iterator[str]:
    """Train by one cosine of the clock, from where a checkpoint left off; yield lines of scores.

    Args:
        distiller: of the run.
        source: of batches of `FaceBatches`.
        validate: scores a network, every ``validate_every`` steps and at the end.
        run: its folder and length.

    Raises:
        FacewarpError: the folder's checkpoint is damaged or of another network, or its run
            started from other weights.
    """
    config = distiller.config
    rows = _go_on(distiller, run)
    spent = rows[-1]["seconds"] if rows else 0.0
    began = run.clock() - spent
    source.start = distiller.step
    batches = iter(source)
    share = spent / run.seconds
    while share < 1:
        lr = _rate(config, distiller.step, share)
        terms = distiller.train_step(next(batches), lr)
        seconds = run.clock() - began
        share = seconds / run.seconds
        if distiller.step % config.validate_every and share < 1:
            continue
        scores = validate(distiller.average)
        rows.append({"step": float(distiller.step), "seconds": seconds, **scores, **terms})
        write_csv(run.folder / VALIDATION, rows)
        about = {**run.about, "preset": config.preset, "step": str(distiller.step)}
        save_weights(distiller.average, run.folder / WEIGHTS, about)
        now = checkpoint.Progress(distiller.step, distiller.step, scores["dice_mean"])
        nets = (distiller.net, distiller.average, distiller.optimizer)
        checkpoint.save_checkpoint(run.folder / checkpoint.NAME, *nets, now)
        each = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
        yield f"{seconds / 60:.1f} min, step {distiller.step}: {each}"


def _go_on(distiller: PartDistiller, run: Run) -> list[dict[str, float]]:
    """Load a folder's checkpoint, if there is one; return the validations until then."""
    place = run.folder / checkpoint.NAME
    if not place.is_file():
        return []
    fix = "Choose another --out, or go on with the --model that it began with."
    _, about = load_weights(run.folder / WEIGHTS)
    if any(about.get(name) != value for name, value in run.about.items()):
        raise FacewarpError("the run in this folder started from other weights", run.folder, fix)
    nets = (distiller.net, distiller.average, distiller.optimizer)
    distiller.step = checkpoint.load_checkpoint(place, *nets).step
    table = run.folder / VALIDATION
    try:
        with open(table, newline="", encoding="utf-8") as file:
            rows = [{name: float(row[name]) for name in row} for row in csv.DictReader(file)]
        until = [row for row in rows if row["step"] <= distiller.step]
        if not until or "seconds" not in until[-1]:
            raise ValueError("no row of the checkpoint")
    except (OSError, ValueError, TypeError, KeyError) as error:
        what = "the checkpoint lacks its table of validations, which tells how long it ran"
        raise FacewarpError(what, table, "Choose another --out and train anew.") from error
    return until


def _rate(config: TrainConfig, step: int, share: float) -> float:
    """Return the learning rate: linear warm-up by steps, then a cosine by the share of time."""
    warm = min(1.0, (step + 1) / max(config.warmup, 1))
    return config.lr * warm * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def run(given: argparse.Namespace) -> Iterator[str]:
    """Run the command line's training, and yield its lines."""
    if given.minutes <= 0:
        raise FacewarpError(f"a training of {given.minutes:g} minutes", "--minutes", "Give more.")
    model = load(given.model)
    engine = quickest_engine(model)
    engine.use_threads(1)
    settings = {"precision": given.precision, "lr": str(given.lr), "parts_first": "0"}
    config = preset("face", settings)
    data = helen_training_data(given.data, celebamask=given.celebamask, celebamask_share=0.35)
    validate = held_out(data)
    net = copy.deepcopy(model.net)
    before = ", ".join(f"{name} {value:.2f}" for name, value in validate(net).items())
    yield f"before: {before}"
    distiller = PartDistiller(net, AugmentedEngine(engine), config, given.weight)
    given.out.mkdir(parents=True, exist_ok=True)
    plan = Run(given.out, 60 * given.minutes, about={"started_from": model.sha256})
    yield from distill(distiller, data.batches(config, 1), validate, plan)


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="face", help="a shipped name or a weights file")
    parser.add_argument("--data", type=Path, required=True, help="Helen's photographs, as in train")
    parser.add_argument("--celebamask", type=Path, help="further photographs with masks")
    parser.add_argument("--minutes", type=float, default=60, help="of training (default: 60)")
    parser.add_argument("--lr", type=float, default=0.01, help="highest learning rate")
    parser.add_argument("--weight", type=float, default=1.0, help="of the teacher's parts")
    parser.add_argument("--precision", default="bfloat16", help="bfloat16 or float32")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    kept = "the state of the last validation is in the run's folder"
    print_lines(parser, run(parser.parse_args(words)), kept)


if __name__ == "__main__":
    main()
