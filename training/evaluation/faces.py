"""Evaluate face models on pairs of annotated photographs, by the published protocol."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.core import fields
from facewarp.core.geometry import resize_field, resize_image
from facewarp.core.metrics import (
    contour_distance_px,
    dice_per_part,
    jacobian_statistics,
    mean_over_present,
)
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import FacePart
from facewarp.system.atomic_files import write_csv
from facewarp.system.machine import machine
from facewarp.training.datasets.crops import FaceCrop, evaluation_pairs
from facewarp.training.evaluation.part_score import PartScore

PARTS = tuple(part.name.lower() for part in FacePart if part)


@dataclass(frozen=True)
class PairResult:
    """Registration of one pair of crops, at the crop's full resolution.

    Attributes:
        field: ``(1, 2, 320, 260)`` px, fixed to moving.
        labels: ``(320, 260)`` uint8 true parts of moving, warped to fixed.
        own_parts: ``(320, 260)`` uint8 the method's own segmentation of fixed; None without.
        seconds: time of the registration, including the features of both images.
    """

    field: Tensor
    labels: NDArray[np.uint8]
    own_parts: NDArray[np.uint8] | None
    seconds: float


@dataclass(frozen=True)
class PairScore(PartScore):
    """Scores of one registered pair.

    Attributes:
        fixed, moving: the photographs' names.
        dice_initial: mean Dice over the parts present, unregistered, 0 to 1.
        dice: Dice of each foreground part, NaN where absent in both.
        contour_px: contour distance of each part, NaN where absent in either.
        contour_initial_px: mean contour distance, unregistered.
        landmark_px: mean distance of the 68 landmarks after registration, NaN without landmarks.
        jacobian_std: standard deviation of the Jacobian determinant.
        folds_percent: share of pixels whose determinant is not positive.
        parts_dice: mean Dice of the network's own parts of the fixed image.
        seconds: time of the registration, including the features of both images.
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

    def row(self) -> dict[str, str | float]:
        """Return the score as a row of a table, Dice in percent."""
        return {
            "fixed": self.fixed,
            "moving": self.moving,
            **self.dice_columns(PARTS),
            "contour_initial_px": self.contour_initial_px,
            "contour_px": mean_over_present(self.contour_px),
            **{f"contour_{n}_px": float(v) for n, v in zip(PARTS, self.contour_px, strict=True)},
            "landmark_px": self.landmark_px,
            "jacobian_std": self.jacobian_std,
            "folds_percent": self.folds_percent,
            "parts_dice": 100 * self.parts_dice,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class FaceEvaluation:
    """Means over all pairs of a dataset.

    Dice in percent: the mean over the parts present of each pair, then over pairs; a part's own
    is its mean over the pairs that show it. Distances in px of the 320 x 260 crop. The time is
    the median of a pair.
    """

    dataset: str
    split: str
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
        """Return the evaluation as one JSON-ready object."""
        return asdict(self)


def evaluate_faces(
    model: Model,
    crops: Sequence[FaceCrop],
    dataset: str,
    seed: int = 0,
    *,
    split: str = "",
    advance: Callable[[], None] = lambda: None,
) -> tuple[FaceEvaluation, list[PairScore]]:
    """Register every crop's pair and score it.

    Args:
        model: the model.
        crops: annotated crops, in the order of the dataset.
        dataset: its name in the result.
        seed: the seed the crops were cut with, for the record.
        split: which of its photographs these are, for the record.
        advance: called after each pair.

    Returns:
        Means over pairs, and the pairs.

    Raises:
        FacewarpError: fewer than two crops, or a model of something else than faces.
    """
    if model.config.n_classes != len(FacePart) or model.config.ndim != 2:
        kind = f"{model.config.kind!r} with {model.config.n_classes} classes"
        raise FacewarpError(f"this is no face model: {kind}", model.path, "Give a face model.")
    if len(crops) < 2:
        raise FacewarpError(
            f"pairs need at least 2 photographs, and there are {len(crops)}", split or dataset
        )
    register_crops(model, crops[0], crops[1])  # the first call pays for what the others reuse
    scores = []
    for fixed, moving in evaluation_pairs(len(crops)):
        result = register_crops(model, crops[fixed], crops[moving])
        scores.append(score_pair(crops[fixed], crops[moving], result))
        advance()
    return summarise(model, scores, dataset, seed, split), scores


def register_crops(model: Model, fixed: FaceCrop, moving: FaceCrop) -> PairResult:
    """Register one pair of crops."""
    images = torch.cat([as_input(fixed), as_input(moving)])
    began = time.perf_counter()
    probabilities = model.probabilities(images)
    small = model.fields(probabilities[:1], probabilities[1:])
    field = resize_field(small, CROP_SHAPE).cpu()
    seconds = time.perf_counter() - began
    own = None
    if model.config.guided:
        seen = resize_image(probabilities[:1].cpu(), CROP_SHAPE).argmax(1)
        own = seen[0].numpy().astype(np.uint8)
    return PairResult(field, carried_labels(moving, field), own, seconds)


def carried_labels(moving: FaceCrop, field: Tensor) -> NDArray[np.uint8]:
    """Warp the true parts of a crop to another by a field ``(1, 2, 320, 260)``."""
    carried = fields.warp_labels(torch.from_numpy(moving.labels)[None], field, len(FacePart))
    return np.asarray(carried[0].numpy(), dtype=np.uint8)


def score_pair(fixed: FaceCrop, moving: FaceCrop, result: PairResult) -> PairScore:
    """Measure one registered pair at the crop's full resolution."""
    n = len(FacePart)
    landmark_px = float("nan")
    if fixed.landmarks is not None and moving.landmarks is not None:
        points = torch.from_numpy(fixed.landmarks).float()[None]
        carried = fields.warp_points(points, result.field)[0].numpy()
        landmark_px = float(np.linalg.norm(carried - moving.landmarks, axis=1).mean())
    own = float("nan")
    if result.own_parts is not None:
        own = mean_over_present(dice_per_part(result.own_parts, fixed.labels, n))
    jacobian = jacobian_statistics(fields.jacobian_determinant(result.field).numpy())
    return PairScore(
        fixed=fixed.name,
        moving=moving.name,
        dice_initial=mean_over_present(dice_per_part(moving.labels, fixed.labels, n)),
        dice=dice_per_part(result.labels, fixed.labels, n),
        contour_px=contour_distance_px(result.labels, fixed.labels, n),
        contour_initial_px=mean_over_present(contour_distance_px(moving.labels, fixed.labels, n)),
        landmark_px=landmark_px,
        jacobian_std=jacobian.std,
        folds_percent=jacobian.folds_percent,
        parts_dice=own,
        seconds=result.seconds,
    )


def summarise(
    model: Model, scores: Sequence[PairScore], dataset: str, seed: int, split: str = ""
) -> FaceEvaluation:
    """Average pair scores; NaN is left out of a mean."""
    return FaceEvaluation(
        dataset=dataset,
        split=split,
        n_pairs=len(scores),
        seed=seed,
        **pair_means(scores),
        parameters=sum(p.numel() for p in model.net.parameters()),
        weights_sha256=model.sha256,
        machine=machine(),
    )


def pair_means(scores: Sequence[PairScore]) -> dict[str, Any]:
    """Return the means of `FaceEvaluation` over pairs, by its names."""
    means = np.array([score.dice_mean for score in scores])
    parts = _columns_mean([score.dice for score in scores])
    contours = _columns_mean([score.contour_px for score in scores])
    return {
        "dice_initial": 100 * _mean(score.dice_initial for score in scores),
        "dice_mean": 100 * _mean(means),
        "dice_std": 100 * float(means[~np.isnan(means)].std()),
        "dice_per_part": {n: 100 * float(v) for n, v in zip(PARTS, parts, strict=True)},
        "contour_initial_px": _mean(score.contour_initial_px for score in scores),
        "contour_px": _mean(mean_over_present(score.contour_px) for score in scores),
        "contour_per_part_px": {n: float(v) for n, v in zip(PARTS, contours, strict=True)},
        "landmark_px": _mean(score.landmark_px for score in scores),
        "jacobian_std": _mean(score.jacobian_std for score in scores),
        "folds_percent": _mean(score.folds_percent for score in scores),
        "parts_dice": 100 * _mean(score.parts_dice for score in scores),
        "seconds_per_pair": float(np.median([score.seconds for score in scores])),
    }


def write_pairs_csv(path: Path, scores: Sequence[PairScore]) -> None:
    """Write a row per pair, in the order of the pairs; empty where there is no number."""
    write_csv(path, [score.row() for score in scores])


def as_input(crop: FaceCrop) -> Tensor:
    """Convert a crop's image to the model's input, ``(1, 1, 320, 260)`` in [0, 1]."""
    return torch.from_numpy(crop.image).float().div(255)[None, None]


def _columns_mean(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array([mean_over_present(column) for column in np.stack(rows).T])


def _mean(values: Iterable[float]) -> float:
    return mean_over_present(np.array(list(values), dtype=np.float64))
