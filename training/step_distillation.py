"""Distill the registration steps of a face model into fewer.

``python -m facewarp.training.step_distillation --data helen --celebamask celebamask --keep 1,3
--out runs/two`` keeps the part network of the shipped face model as it is, leaves out its second
registration step, and trains the others to predict the field that all three predict together from
better parts: those of an image averaged with those of its mirror image. ``--keep 1,2,3`` leaves out
none, and lets them follow a part network that has learnt on (`part_distillation`). Half of the
pairs are of an image and the template, as in tracking. ``model.safetensors`` in the run's folder is
the moving average of the last validation; parts come from the model's 8-bit engine where it has
one.
"""

import argparse
import copy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from facewarp.core.engines.base import Engine, Floats
from facewarp.core.geometry import resize_image, spatial_shape
from facewarp.core.model import Model, load, template_guidance
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import WEIGHTS, save_weights
from facewarp.errors import FacewarpError
from facewarp.face.parts import MIRROR_PARTS
from facewarp.face.template.template import Template
from facewarp.system.atomic_files import write_csv
from facewarp.training.config.presets import preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch
from facewarp.training.dataloading.face_data import helen_training_data
from facewarp.training.losses import (
    Targets,
    class_weights,
    consistency_loss,
    field_penalty,
    registration_loss,
)
from facewarp.training.optimizer import learning_rate, make_optimizer, update_ema
from facewarp.training.trainer import Validate
from facewarp.training.validation.faces import Validator

_BACKGROUND_SHARE: Final = 0.3  # of a pixel off the face in the distance to the teacher's field
_ROUNDING: Final = 0.01  # px squared: the distance is smooth at 0


def with_steps(net: GuidedRegistration, kept: Sequence[int]) -> GuidedRegistration:
    """Return a copy of a network with some of its registration steps.

    Args:
        net: the network; its steps have weights of their own.
        kept: numbers of the steps to keep, from 1, in their order.

    Raises:
        FacewarpError: there are no such steps, or they are shared.
    """
    steps = net.config.steps
    rising = list(kept) == sorted(set(kept))
    if net.config.shared or not kept or not rising or not 1 <= kept[0] <= kept[-1] <= len(steps):
        what = f"steps {', '.join(map(str, kept)) or 'none'} can't be kept"
        raise FacewarpError(what, "--keep", f"Give numbers from 1 to {len(steps)}, rising.")
    config = replace(net.config, steps=tuple(steps[number - 1] for number in kept))
    fewer = GuidedRegistration(config)
    fewer.parts.load_state_dict(net.parts.state_dict())
    for step, number in zip(fewer.steps, kept, strict=True):
        step.load_state_dict(net.steps[number - 1].state_dict())
    return fewer.eval()


@dataclass(frozen=True)
class Pairs:
    """Pairs of part probabilities, and the fields that the teacher finds between them.

    Attributes:
        fixed: ``(N, K, *feature_shape)``: images, images with the template, the template.
        moving: likewise; every pair is there in both directions.
        fields: the teacher's, ``(N, 2, *field_shape)`` px of that grid.
        images: how many of the pairs are of two images; they come first.
    """

    fixed: Tensor
    moving: Tensor
    fields: Tensor
    images: int


class Teacher:
    """A model that gives parts of images, and fields from parts averaged with the mirror image's.

    Args:
        engine: that runs it.
        template: its guidance ``(1, K, *feature_shape)``.
    """

    def __init__(self, engine: Engine, template: Floats) -> None:
        self.engine, self.template = engine, template

    def pairs(self, images: Tensor, with_template: int) -> Pairs:
        """Pair images ``(2 B, 1, *grid_shape)``: the first B with the rest, some with the template.

        Args:
            images: in [0, 1].
            with_template: how many of them are registered with the template too.
        """
        shown = images.numpy()
        parts = self.engine.parts(shown)
        mirrored = self.engine.parts(np.ascontiguousarray(shown[..., ::-1]))
        both = (parts + mirrored[..., ::-1][:, MIRROR_PARTS]) * np.float32(0.5)
        fixed, moving = self._paired(parts, with_template)
        fields = self.engine.fields(*self._paired(both, with_template))
        tensors = [torch.from_numpy(array) for array in (fixed, moving, fields)]
        return Pairs(tensors[0], tensors[1], tensors[2], len(images))

    def _paired(self, parts: Floats, with_template: int) -> tuple[Floats, Floats]:
        swapped = np.roll(parts, len(parts) // 2, axis=0)
        some, template = parts[:with_template], np.repeat(self.template, with_template, axis=0)
        fixed = np.concatenate([parts, some, template])
        return fixed, np.concatenate([swapped, template, some])


class StepDistiller:
    """Train registration steps on the fields of a teacher and on true labels.

    Args:
        net: the network; its part network stays as it is.
        teacher: what it learns from.
        config: of the run: objective, optimizer, learning rate, average; `batch` pairs of images.
        with_template: images of a batch that are registered with the template too.
        weight: of the mean distance to the teacher's fields, px of the field's grid.

    Attributes:
        average: moving average of the network.
        step: optimization steps done.
    """

    def __init__(
        self,
        net: GuidedRegistration,
        teacher: Teacher,
        config: TrainConfig,
        with_template: int = 4,
        weight: float = 1.0,
    ) -> None:
        self.net, self.teacher, self.config = net, teacher, config
        self.with_template, self.weight = with_template, weight
        net.requires_grad_(True)
        net.parts.requires_grad_(False)
        self.average = copy.deepcopy(net).eval()
        self.optimizer = make_optimizer(config, net.steps)
        self.step = 0
        self._class_weights: Tensor | None = None

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Take one optimization step on a batch of `FaceBatches`, and return its loss terms."""
        self.net.steps.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        terms = self.loss(batch)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.net.steps.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        update_ema(self.average, self.net, decay)
        return {name: float(term.detach()) for name, term in terms.items()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss terms of a batch; ``distill`` is the distance to the teacher's fields."""
        loss, model = self.config.loss, self.net.config
        pairs = self.teacher.pairs(torch.cat([batch["fixed"], batch["moving"]]), self.with_template)
        n, half = pairs.images, pairs.images // 2
        swap = [*range(half, n), *range(half)]
        labels = torch.cat([batch["fixed_labels"], batch["moving_labels"]])
        points = torch.cat([batch["fixed_landmarks"], batch["moving_landmarks"]])
        label_shape = self.config.label_shape or model.field_shape
        shape = tuple(pairs.fixed.shape[2:])
        truth = Targets.from_labels(labels, points, model.n_classes, label_shape, shape)
        if self._class_weights is None:
            self._class_weights = class_weights(truth.onehot)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            totals, _ = self.net.register(*map(self.net.guidance_of, (pairs.fixed, pairs.moving)))
        totals = [total.float() for total in totals]
        terms = registration_loss(
            [total[:n] for total in totals], truth, truth.rows(swap), self._class_weights, loss
        )
        last = totals[-1]
        terms["consistency"] = loss.consistency * consistency_loss(last[:n], last[:n][swap])
        if self.with_template:
            there, back = last[n:].chunk(2)
            loops = consistency_loss(there, back) + consistency_loss(back, there)
            share = self.with_template / n
            terms["consistency"] = terms["consistency"] + loss.consistency * share * loops
            terms["field"] = terms["field"] + 2 * share * field_penalty(last[n:], loss)
        terms["distill"] = self.weight * field_distance(last, pairs.fields, pairs.fixed)
        return terms


def field_distance(field: Tensor, wanted: Tensor, parts: Tensor) -> Tensor:
    """Return the mean distance of two fields, px, in which pixels off the face count less.

    Args:
        field: ``(B, 2, *shape)`` px.
        wanted: likewise.
        parts: of the fixed images ``(B, K, *feature_shape)``, background first.
    """
    distance = ((field - wanted).square().sum(1) + _ROUNDING).sqrt()
    face = 1 - resize_image(parts[:, :1], spatial_shape(field))[:, 0]
    weight = _BACKGROUND_SHARE + (1 - _BACKGROUND_SHARE) * face
    each = (distance * weight).sum((1, 2)) / weight.sum((1, 2))
    return each.mean()


def distill(
    distiller: StepDistiller,
    batches: Iterator[Batch],
    validate: Validate,
    folder: Path,
    about: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run the training, and yield a line of scores at every validation.

    Args:
        distiller: of the run.
        batches: of `FaceBatches`.
        validate: scores a network at a step, see `Validator`.
        folder: receives ``model.safetensors`` and ``validation.csv``, anew at every validation.
        about: further metadata of the weights.
    """
    config, rows = distiller.config, []
    while distiller.step < config.steps:
        terms = distiller.train_step(next(batches))
        if distiller.step % config.validate_every and distiller.step < config.steps:
            continue
        scores = validate(distiller.average, distiller.step)
        rows.append({"step": float(distiller.step), **scores, **terms})
        write_csv(folder / "validation.csv", rows)
        told = {**(about or {}), "preset": config.preset, "step": str(distiller.step)}
        save_weights(distiller.average, folder / WEIGHTS, told)
        yield (
            f"step {distiller.step}: Dice {scores['dice_mean']:.2f}, landmarks "
            f"{scores['landmark_px']:.2f} px, folds {scores['folds_percent']:.3f} %"
        )


def run(given: argparse.Namespace) -> Iterator[str]:
    """Run the command line's training, and yield its lines."""
    if (given.out / WEIGHTS).exists():
        raise FacewarpError("a run is here already", given.out, "Choose another --out.")
    model = load(given.model)
    engine = quickest_engine(model)
    net = with_steps(model.net, given.keep)
    settings = {"steps": str(given.steps), "lr": str(given.lr), "ema": "0.996"}
    config = preset("face", {**settings, "precision": given.precision})
    objective = replace(config.loss, folds=given.folds, fold_margin=given.fold_margin)
    if len(given.keep) == 2:
        objective = replace(objective, step_weights=(0.4, 1.0))
    config = replace(config, model=net.config, loss=objective, batch=6, parts_first=0.0)
    config = replace(config, validate_every=800)
    data = helen_training_data(given.data, celebamask=given.celebamask, celebamask_share=0.35)
    template = template_guidance(model, Template.load().probabilities)
    distiller = StepDistiller(net, Teacher(engine, template), config)
    given.out.mkdir(parents=True, exist_ok=True)
    batches = iter(data.batches(config, 1))
    validate = Validator(data.held_out, given.out)
    yield from distill(distiller, batches, validate, given.out, {"started_from": model.sha256})


def quickest_engine(model: Model) -> Engine:
    """Return what a teacher runs on: the model's 8-bit weights where it has them."""
    try:
        return model.use("openvino-int8")
    except FacewarpError:
        return model.engine


def print_lines(parser: argparse.ArgumentParser, lines: Iterator[str], kept: str) -> None:
    """Print a training's lines as they come; end with a line where it fails or is stopped.

    Args:
        parser: of the command line, which ends it.
        lines: of the training.
        kept: what of it Ctrl-C leaves.
    """
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"stopped: {kept}\n")


def numbers(text: str) -> list[int]:
    """Parse whole numbers between commas."""
    return [int(number) for number in text.split(",")]


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="face", help="a shipped name or a weights file")
    parser.add_argument("--data", type=Path, required=True, help="Helen's photographs, as in train")
    parser.add_argument("--celebamask", type=Path, help="further photographs with masks")
    parser.add_argument(
        "--keep",
        type=numbers,
        required=True,
        help="numbers of the steps to keep, from 1: 1,3",
    )
    parser.add_argument("--steps", type=int, default=6000, help="optimization steps")
    parser.add_argument("--lr", type=float, default=0.003, help="highest learning rate")
    parser.add_argument("--folds", type=float, default=10.0, help="weight of the penalty on folds")
    parser.add_argument(
        "--fold-margin", type=float, default=0.25, help="determinant below which it applies"
    )
    parser.add_argument("--precision", default="float32", help="bfloat16 or float32")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    kept = "the weights of the last validation are in the run's folder"
    print_lines(parser, run(parser.parse_args(words)), kept)


if __name__ == "__main__":
    main()
