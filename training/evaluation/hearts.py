"""Evaluate cardiac registration between end-diastole and end-systole, by both protocols."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.parts import PART_NAMES, HeartPart
from facewarp.core import fields
from facewarp.core.metrics import dice_per_part, jacobian_statistics, mean_over_present
from facewarp.core.model import Model
from facewarp.core.surface_distance import robust_hausdorff_mm
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_csv
from facewarp.system.machine import machine
from facewarp.training.datasets.acdc import HeartPatient, labels_on
from facewarp.training.datasets.hearts import ReadPatient, load_patient
from facewarp.training.evaluation.heart_methods import ED, ES, OURS, GuidedMethod, HeartMethod
from facewarp.training.evaluation.heart_protocols import SDLOGJ, SDLOGJ_STRICT, HeartProtocol
from facewarp.training.evaluation.heart_volumes import HeartVolumes, VolumeErrors, measure_volumes
from facewarp.training.evaluation.part_score import PartScore

PARTS = PART_NAMES[1:]
_INTERIOR = 2  # voxels that MemWarp's code leaves out at each side of a Jacobian
_LOG_SHIFT = 3.0


@dataclass(frozen=True)
class PatientScore(PartScore):
    """Scores of one registered patient: means over the protocol's directions.

    Attributes:
        name: the patient's folder.
        group: the diagnosis.
        dice_initial: mean Dice over the parts present, unregistered, 0 to 1.
        dice: Dice of each part, NaN where absent in both phases.
        hd95_mm: 95 % Hausdorff distance, mean over the parts present in both phases.
        hd95_initial_mm: the same, unregistered.
        jacobian_std: standard deviation of the Jacobian determinant.
        folds_percent: share of voxels whose determinant is not positive.
        heart_folds_percent: the same within the heart of the fixed phase.
        heart_digital_folds_percent: likewise by the criterion of `smallest_jacobian`.
        wall_inverse_error_mm: mean inverse-consistency error over the wall; NaN for one direction.
        sdlogj: see `SDLOGJ`.
        sdlogj_strict: see `SDLOGJ_STRICT`.
        parts_dice: mean Dice of the method's own segmentation; NaN without.
        own_dice: that Dice of each part, NaN where absent in both phases.
        seconds: time of the registration.
    """

    name: str
    group: str
    dice_initial: float
    dice: NDArray[np.float64]
    hd95_mm: float
    hd95_initial_mm: float
    jacobian_std: float
    folds_percent: float
    sdlogj: float
    sdlogj_strict: float
    parts_dice: float
    own_dice: NDArray[np.float64]
    seconds: float
    heart_folds_percent: float = float("nan")
    heart_digital_folds_percent: float = float("nan")
    wall_inverse_error_mm: float = float("nan")

    def row(self) -> dict[str, str | float]:
        """Return the score as a row of a table, Dice in percent."""
        return {
            "patient": self.name,
            "group": self.group,
            **self.dice_columns([short(part) for part in PARTS]),
            "hd95_initial_mm": self.hd95_initial_mm,
            "hd95_mm": self.hd95_mm,
            "jacobian_std": self.jacobian_std,
            "folds_percent": self.folds_percent,
            "heart_folds_percent": self.heart_folds_percent,
            "heart_digital_folds_percent": self.heart_digital_folds_percent,
            "wall_inverse_error_mm": self.wall_inverse_error_mm,
            "sdlogj": self.sdlogj,
            "sdlogj_strict": self.sdlogj_strict,
            "parts_dice": 100 * self.parts_dice,
            **{
                f"parts_dice_{short(part)}": 100 * float(value)
                for part, value in zip(PARTS, self.own_dice, strict=True)
            },
            "seconds": self.seconds,
        }


def short(part: str) -> str:
    """Return a part's name in columns: ``myo`` for the myocardium."""
    return "myo" if part == "myocardium" else part


def score_patient(
    patient: HeartPatient, method: HeartMethod, protocol: HeartProtocol
) -> PatientScore:
    """Register one patient's phases and measure the result on the protocol's grid."""
    grid = protocol.grid(patient.images[ED])
    truth = [labels_on(grid, volume) for volume in patient.labels]
    pair = method.register(patient, grid, protocol.both_directions)
    sides = [
        _score_direction(truth[fixed], truth[1 - fixed], field, protocol)
        for fixed, field in zip((ED, ES), pair.fields, strict=False)
    ]
    n = len(HeartPart)
    own, own_dice = float("nan"), np.full(n - 1, np.nan)
    if pair.parts is not None:
        seen = [dice_per_part(a, b, n) for a, b in zip(pair.parts, truth, strict=True)]
        own = float(np.mean([mean_over_present(dice) for dice in seen]))
        own_dice = np.array([mean_over_present(part) for part in np.array(seen).T])
    return PatientScore(
        name=patient.name,
        group=patient.info.group,
        dice_initial=mean_over_present(dice_per_part(truth[ED], truth[ES], n)),
        dice=np.array([mean_over_present(part) for part in np.array([s[0] for s in sides]).T]),
        hd95_initial_mm=hd95_mm(truth[ES], truth[ED], truth[ES], protocol),
        **{key: float(np.mean([side[1][key] for side in sides])) for key in sides[0][1]},
        parts_dice=own,
        own_dice=own_dice,
        seconds=pair.seconds,
        wall_inverse_error_mm=_inverse_error_mm(pair.fields, truth, grid.spacing_mm),
    )


def _score_direction(
    fixed: NDArray[np.uint8],
    moving: NDArray[np.uint8],
    field: NDArray[np.float32],
    protocol: HeartProtocol,
) -> tuple[NDArray[np.float64], dict[str, float]]:
    carried = protocol.carry(moving, field)
    jacobian = fields.jacobian_determinant(torch.from_numpy(field)[None])[0].numpy()
    whole, heart = jacobian_statistics(jacobian), fixed > 0
    least = fields.smallest_jacobian(torch.from_numpy(field)[None])[0].numpy()
    inner = jacobian[(slice(_INTERIOR, -_INTERIOR),) * 3]
    numbers = {
        "hd95_mm": hd95_mm(carried, fixed, moving, protocol),
        "jacobian_std": whole.std,
        "folds_percent": whole.folds_percent,
        "heart_folds_percent": _share_percent(jacobian[heart] <= 0),
        "heart_digital_folds_percent": _share_percent(least[heart] <= 0),
        "sdlogj": jacobian_statistics(inner, log_shift=_LOG_SHIFT).sdlogj,
        "sdlogj_strict": whole.sdlogj,
    }
    return dice_per_part(carried, fixed, len(HeartPart)), numbers


def _share_percent(held: NDArray[np.bool_]) -> float:
    return 100 * float(held.mean()) if held.size else float("nan")


def _inverse_error_mm(
    pair: Sequence[NDArray[np.float32]],
    truth: Sequence[NDArray[np.uint8]],
    spacing_mm: Sequence[float],
) -> float:
    """Return the mean of ``|u(p) + v(p + u(p))|`` over the walls of both phases, mm."""
    if len(pair) < 2:
        return float("nan")
    both = torch.from_numpy(np.stack(pair))
    left = fields.compose(both.flip(0), both) * torch.tensor(spacing_mm).view(1, 3, 1, 1, 1)
    wall = torch.from_numpy(np.stack(truth) == HeartPart.MYOCARDIUM)
    found = left.norm(dim=1)[wall]
    return float(found.mean()) if len(found) else float("nan")


def hd95_mm(
    carried: NDArray[np.uint8],
    fixed: NDArray[np.uint8],
    moving: NDArray[np.uint8],
    protocol: HeartProtocol,
) -> float:
    """Return MemWarp's HD95: mean over the parts of both phases; a lost part counts unmoved."""
    found = []
    for part in range(1, len(HeartPart)):
        here, before = carried == part, moving == part
        if before.any() and (fixed == part).any():
            mask = here if here.any() else before
            found.append(robust_hausdorff_mm(fixed == part, mask, protocol.spacing_mm[::-1]))
    return float(np.mean(found)) if found else float("nan")


@dataclass(frozen=True)
class HeartEvaluation:
    """Means over all patients.

    Dice in percent: the mean over parts and directions of each patient, then over patients; a
    part's own is its mean over the patients that have it. The time is the median of a patient's,
    features of both phases and every direction of the protocol included. Volumes are those that
    ``facewarp cine`` reports against those of the true labels, see `VolumeErrors`.

    Attributes:
        by_group: the same means and errors of the patients of each diagnosis.
        slices_sha256: hash of the part network of slices; "" without.
    """

    dataset: str
    protocol: str
    split: str
    method: str
    n_pairs: int
    directions: int
    dice_initial: float
    dice_mean: float
    dice_std: float
    dice_rv: float
    dice_myo: float
    dice_lv: float
    hd95_initial_mm: float
    hd95_mm: float
    sdlogj: float
    sdlogj_definition: str
    sdlogj_strict: float
    sdlogj_strict_definition: str
    jacobian_std: float
    folds_percent: float
    heart_folds_percent: float
    heart_digital_folds_percent: float
    wall_inverse_error_mm: float
    refined: bool
    parts_dice: float
    parts_dice_rv: float
    parts_dice_myo: float
    parts_dice_lv: float
    volumes: VolumeErrors
    by_group: dict[str, dict[str, float]]
    seconds_per_pair: float
    parameters: int
    weights_sha256: str
    slices_sha256: str
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as one JSON-ready object, including the volumes' errors."""
        found = asdict(self)
        volumes = found.pop("volumes")
        return {**found, **volumes}


def evaluate_hearts(
    model: Model,
    folders: Sequence[Path],
    protocol: HeartProtocol,
    *,
    split: str = "",
    refined: bool = True,
    read: ReadPatient = load_patient,
    advance: Callable[[], None] = lambda: None,
) -> tuple[HeartEvaluation, list[PatientScore], list[HeartVolumes]]:
    """Register every patient's phases, score them, and measure the volumes of the ventricles.

    Args:
        model: a heart model.
        folders: the patients' folders.
        protocol: how to measure.
        split: which patients these are, for the record.
        refined: as ``facewarp cine`` does: see `GuidedMethod`; otherwise the network's fields.
        read: reads a patient's folder.
        advance: called after each patient.

    Returns:
        Means over patients, the patients, and their volumes.

    Raises:
        FacewarpError: no patients, one that can't be read, or a model of something else.
    """
    method = GuidedMethod(model, refined=refined)
    if not folders:
        raise FacewarpError("there is no patient to measure on", split or None)
    first = read(folders[0])
    method.register(first, protocol.grid(first.images[ED]), protocol.both_directions)  # warm-up
    scores, volumes = [], []
    for folder in folders:
        patient = read(folder)
        scores.append(score_patient(patient, method, protocol))
        volumes.append(measure_volumes(patient, model, refined=refined))
        advance()
    found = summarise(model, scores, volumes, protocol, split, first.dataset, refined=refined)
    return found, scores, volumes


def score_means(scores: Sequence[PatientScore]) -> dict[str, float]:
    """Return means over patients, Dice in percent; NaN is left out of a mean."""
    rows = [score.row() for score in scores]
    names = [name for name, value in rows[0].items() if not isinstance(value, str)]
    return {name: mean_over_present([float(row[name]) for row in rows]) for name in names}


def summarise(
    model: Model,
    scores: Sequence[PatientScore],
    volumes: Sequence[HeartVolumes],
    protocol: HeartProtocol,
    split: str = "",
    dataset: str = "acdc",
    *,
    refined: bool = False,
) -> HeartEvaluation:
    """Average patients' scores; NaN is left out of a mean."""
    means = score_means(scores)
    del means["seconds"]
    return HeartEvaluation(
        dataset=dataset,
        protocol=protocol.name,
        split=split,
        method=OURS,
        n_pairs=len(scores),
        directions=2 if protocol.both_directions else 1,
        **means,
        refined=refined,
        dice_std=100 * float(np.nanstd([score.dice_mean for score in scores])),
        sdlogj_definition=SDLOGJ,
        sdlogj_strict_definition=SDLOGJ_STRICT,
        volumes=VolumeErrors.of(volumes),
        by_group=means_by_group(scores, volumes),
        seconds_per_pair=float(np.median([score.seconds for score in scores])),
        parameters=sum(p.numel() for p in model.net.parameters()),
        weights_sha256=model.sha256,
        slices_sha256="" if model.slices is None else model.slices.sha256,
        machine=machine(),
    )


def means_by_group(
    scores: Sequence[PatientScore], volumes: Sequence[HeartVolumes]
) -> dict[str, dict[str, float]]:
    """Return means over the patients of each diagnosis, with the errors of their volumes."""
    groups: dict[str, dict[str, float]] = {}
    for group in sorted({score.group for score in scores}):
        own = [score for score in scores if score.group == group]
        errors = VolumeErrors.of([one for one in volumes if one.group == group])
        groups[group] = {"n_pairs": len(own), **score_means(own), **asdict(errors)}
    return groups


def write_patients_csv(
    path: Path, scores: Sequence[PatientScore], volumes: Sequence[HeartVolumes]
) -> None:
    """Write a row per patient, in their order; empty where there is no number."""
    pairs = zip(scores, volumes, strict=True)
    write_csv(path, [{**score.row(), **volume.row()} for score, volume in pairs])
