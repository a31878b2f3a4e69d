"""Validation of heart models during training: scores on held-out patients, contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facewarp.cardiac.motion.model_grid import model_input
from facewarp.core import fields
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.drawing.png import write_png
from facewarp.training.datasets.acdc import HeartPatient, labels_on
from facewarp.training.datasets.hearts import ReadPatient, load_patient
from facewarp.training.evaluation.heart_methods import ED, ES, GuidedMethod
from facewarp.training.evaluation.heart_protocols import PROTOCOLS, HeartProtocol
from facewarp.training.evaluation.hearts import PatientScore, score_means, score_patient
from facewarp.training.validation.heart_sheets import HeartPicture, sheet

SHOWN = (
    "dice_mean",
    "dice_initial",
    "dice_rv",
    "dice_myo",
    "dice_lv",
    "hd95_mm",
    "sdlogj",
    "sdlogj_strict",
    "jacobian_std",
    "folds_percent",
    "parts_dice",
)


class HeartValidator:
    """Score a network on the same patients each time, as `Trainer.run` calls it.

    Args:
        patients: patients that are held out of training, one at least.
        folder: where ``validation_STEP.png`` goes: the best, the median and the worst patient.
        protocol: how they are measured.
        whole: see `GuidedMethod`.
    """

    def __init__(
        self,
        patients: Sequence[HeartPatient],
        folder: Path,
        protocol: HeartProtocol = PROTOCOLS["memwarp"],
        *,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.patients = list(patients)
        self.folder = folder
        self.protocol = protocol

    def __call__(self, net: GuidedRegistration, step: int) -> dict[str, float]:
        """Return the scores `SHOWN` at a step; Dice in percent."""
        method = GuidedMethod(Model(net), whole=self.whole)
        scores = [score_patient(patient, method, self.protocol) for patient in self.patients]
        rows = [
            picture
            for index, rank in examples(scores).items()
            for picture in pictures(
                method, self.patients[index], scores[index], rank, self.protocol
            )
        ]
        write_png(self.folder / f"validation_{step}.png", sheet(rows))
        means = score_means(scores)
        return {name: means[name] for name in SHOWN}


def examples(scores: Sequence[PatientScore]) -> dict[int, str]:
    """Return the indices of the patients with the best, the median and the worst Dice."""
    ranked = sorted(range(len(scores)), key=lambda i: scores[i].dice_mean, reverse=True)
    return {ranked[0]: "best", ranked[len(ranked) // 2]: "median", ranked[-1]: "worst"}


def pictures_of(
    model: Model,
    folders: Sequence[Path],
    scores: Sequence[PatientScore],
    protocol: HeartProtocol,
    read: ReadPatient = load_patient,
) -> list[HeartPicture]:
    """Register these patients of an evaluation again for the contact sheet.

    Args:
        model: the model that was scored.
        folders: of the patients it was scored on.
        scores: the scores, in the patients' order.
        protocol: of the grid.
        read: reads a patient's folder.
    """
    method = GuidedMethod(model)
    return [
        picture
        for index, rank in examples(scores).items()
        for picture in pictures(method, read(folders[index]), scores[index], rank, protocol)
    ]


def pictures(
    method: GuidedMethod,
    patient: HeartPatient,
    score: PatientScore,
    rank: str,
    protocol: HeartProtocol,
) -> list[HeartPicture]:
    """Return the middle slice of a heart and one near each end, ES registered to ED."""
    caption = (
        f"{rank}: {score.name} {score.group}, Dice {100 * score.dice_mean:.1f} (unregistered "
        f"{100 * score.dice_initial:.1f}), HD95 {score.hd95_mm:.1f} mm, folds "
        f"{score.folds_percent:.2f} %"
    )
    grid = protocol.grid(patient.images[ED])
    truth = [labels_on(grid, volume) for volume in patient.labels]
    images = model_input(patient.stacked(), grid)
    pair = method.register(patient, grid, both=False)
    field = pair.fields[0]
    moving = torch.from_numpy(images[ES])[None, None]
    warped = fields.warp(moving, torch.from_numpy(field)[None])[0, 0].numpy()
    grays = np.stack([images[ED], images[ES], warped])
    own = truth[ED] * 0 if pair.parts is None else pair.parts[ED]
    parts = np.stack([truth[ED], protocol.carry(truth[ES], field), own])
    heart = np.flatnonzero(truth[ED].any(axis=(1, 2)))
    shown = np.unique(np.quantile(heart, (0.15, 0.5, 0.85)).round().astype(int)).tolist()
    captions = [caption, *[""] * len(shown)]
    return [HeartPicture(captions[i], grays[:, z], parts[:, z]) for i, z in enumerate(shown)]
