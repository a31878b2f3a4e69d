"""Evaluation of face models on pairs of annotated photographs, by the published protocol."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.core import fields
from facewarp.core.geometry import resize_field, resize_image
from facewarp.core.model import Model
from facewarp.training.datasets.crops import FaceCrop, evaluation_pairs
from facewarp.training.metrics import (
    contour_distance_px,
    dice_per_part,
    jacobian_statistics,
    mean_over_present,
)


@dataclass(frozen=True)
class PairScore:
    """One registered pair: everything that is averaged over pairs.

    Attributes:
        fixed, moving: the photographs' names.
        dice_initial: mean Dice over the parts present, unregistered.
        dice: Dice of each foreground part, NaN where absent in both.
        contour_px: contour distance of each part, NaN where absent in either.
        contour_initial_px: mean contour distance, unregistered.
        landmark_px: mean distance of the 68 landmarks after registration, NaN without landmarks.
        jacobian_std: standard deviation of the Jacobian determinant.
        folds_percent: share of pixels whose determinant is not positive.
        parts_dice: mean Dice of the network's own parts of the fixed image.
        seconds: time of the registration, features of both images included.
    """

    fixed: str
    moving: str
    dice_initial: float
    dice: NDArray[np.float64]
    contour_px: NDArray[np.float64]
    contour_initial_px: float
    landmark_px: float
    jacobian_std: float
    folds_percent: float
    parts_dice: float
    seconds: float


@dataclass(frozen=True)
class FaceEvaluation:
    """Means over all pairs of a data set; Dice in percent, distances in px of the 320 x 260 crop."""

    dataset: str
    n_pairs: int
    seed: int
    dice_initial: float
    dice_mean: float
    dice_std: float
    dice_per_part: dict[str, float]
    contour_initial_px: float
    contour_px: float
    contour_per_part_px: dict[str, float]
    landmark_px: float
    jacobian_std: float
    folds_percent: float
    parts_dice: float
    seconds_per_pair: float
    parameters: int
    weights_sha256: str
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """As one JSON-ready object."""
        return asdict(self)


def evaluate_faces(
    model: Model,
    crops: Sequence[FaceCrop],
    dataset: str,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> tuple[FaceEvaluation, list[PairScore]]:
    """Register every crop's pair and score it.

    Args:
        model: the model.
        crops: annotated crops, in the data set's order.
        dataset: what to call it in the result.
        seed: the seed the crops were cut with, for the record.
        advance: called after each pair.

    Returns:
        Means over pairs, and the pairs.
    """
    scores = []
    for fixed, moving in evaluation_pairs(len(crops)):
        scores.append(score_pair(model, crops[fixed], crops[moving]))
        advance()
    return summarise(model, scores, dataset, seed), scores


def score_pair(model: Model, fixed: FaceCrop, moving: FaceCrop) -> PairScore:
    """Register one pair of crops and measure it at the crop's full resolution."""
    n = model.config.n_classes
    began = time.perf_counter()
    probabilities = model.probabilities(torch.cat([as_input(fixed), as_input(moving)]))
    small = model.fields(probabilities[:1], probabilities[1:])
    field = resize_field(small, fixed.labels.shape)
    seconds = time.perf_counter() - began

    field = field.cpu()
    moving_labels = torch.from_numpy(moving.labels)[None]
    warped = fields.warp_labels(moving_labels, field, n)[0].numpy().astype(np.uint8)
    own = resize_image(probabilities[:1].cpu(), fixed.labels.shape).argmax(1)[0].numpy()
    landmark_px = float("nan")
    if fixed.landmarks is not None and moving.landmarks is not None:
        points = torch.from_numpy(fixed.landmarks).float()[None]
        carried = fields.warp_points(points, field)[0].numpy()
        landmark_px = float(np.linalg.norm(carried - moving.landmarks, axis=1).mean())
    jacobian = jacobian_statistics(fields.jacobian_determinant(field).numpy())
    return PairScore(
        fixed=fixed.name,
        moving=moving.name,
        dice_initial=mean_over_present(dice_per_part(moving.labels, fixed.labels, n)),
        dice=dice_per_part(warped, fixed.labels, n),
        contour_px=contour_distance_px(warped, fixed.labels, n),
        contour_initial_px=mean_over_present(contour_distance_px(moving.labels, fixed.labels, n)),
        landmark_px=landmark_px,
        jacobian_std=jacobian.std,
        folds_percent=jacobian.folds_percent,
        parts_dice=mean_over_present(dice_per_part(own, fixed.labels, n)),
        seconds=seconds,
    )


def summarise(model: Model, scores: Sequence[PairScore], dataset: str, seed: int) -> FaceEvaluation:
    """Average pair scores; a pair's Dice is the mean over the parts present in it."""
    names = model.config.classes[1:]
    means = np.array([mean_over_present(score.dice) for score in scores])
    parts = _mean([score.dice for score in scores])
    contours = _mean([score.contour_px for score in scores])
    return FaceEvaluation(
        dataset=dataset,
        n_pairs=len(scores),
        seed=seed,
        dice_initial=100 * _scalar(score.dice_initial for score in scores),
        dice_mean=100 * float(np.nanmean(means)),
        dice_std=100 * float(np.nanstd(means)),
        dice_per_part={n: 100 * float(v) for n, v in zip(names, parts, strict=True)},
        contour_initial_px=_scalar(score.contour_initial_px for score in scores),
        contour_px=_scalar(mean_over_present(score.contour_px) for score in scores),
        contour_per_part_px={n: float(v) for n, v in zip(names, contours, strict=True)},
        landmark_px=_scalar(score.landmark_px for score in scores),
        jacobian_std=_scalar(score.jacobian_std for score in scores),
        folds_percent=_scalar(score.folds_percent for score in scores),
        parts_dice=100 * _scalar(score.parts_dice for score in scores),
        seconds_per_pair=float(np.median([score.seconds for score in scores])),
        parameters=sum(p.numel() for p in model.net.parameters()),
        weights_sha256=model.sha256,
        machine=machine(),
    )


def as_input(crop: FaceCrop) -> Tensor:
    """A crop's image as the model takes it, ``(1, 1, 320, 260)`` in [0, 1]."""
    return torch.from_numpy(crop.image).float().div(255)[None, None]


def machine() -> str:
    """Processor, cores used and torch version: what a time was measured on."""
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _mean(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    stacked = np.stack(rows)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(0)
    counts = known.sum(0)
    return np.divide(total, counts, out=np.full(stacked.shape[1], np.nan), where=counts > 0)


def _scalar(values: Any) -> float:
    return mean_over_present(np.array(list(values), dtype=np.float64))
