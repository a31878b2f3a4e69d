"""Compare methods on the same patients: the paper's table of hearts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.system.machine import machine
from facewarp.training.comparison.base import (
    MeasuredMethod,
    MethodComparison,
    SkippedMethod,
    require_methods,
)
from facewarp.training.comparison.orderings import HEARTS
from facewarp.training.datasets.hearts import ReadPatient, load_patient
from facewarp.training.evaluation.heart_methods import ED, HeartMethod
from facewarp.training.evaluation.heart_protocols import HeartProtocol
from facewarp.training.evaluation.hearts import PatientScore, score_means, score_patient


@dataclass(frozen=True, eq=False)
class MeasuredOnHearts(MeasuredMethod[PatientScore]):
    """A method and its scores on patients."""

    def score_means(self) -> dict[str, str | float]:
        """Return the means over the patients, with the spread of Dice and the median time."""
        means = score_means(self.scores)
        del means["seconds"]
        return {
            **means,
            "dice_std": 100 * float(np.nanstd([score.dice_mean for score in self.scores])),
            "seconds_per_pair": float(np.median([score.seconds for score in self.scores])),
        }


@dataclass(frozen=True, eq=False)
class HeartComparison(MethodComparison[MeasuredOnHearts]):
    """Methods, compared on patients of one data set.

    Attributes:
        protocol: how it was measured.
        dataset: whose patients they are.
    """

    protocol: HeartProtocol
    dataset: str = "acdc"
    claims = HEARTS

    def protocol_record(self) -> dict[str, Any]:
        """Return dataset, protocol, split, number of patients and of directions."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol.name,
            "split": self.split,
            "n_pairs": self.pair_count,
            "directions": 2 if self.protocol.both_directions else 1,
        }


def compare_on_hearts(
    methods: Sequence[HeartMethod],
    skipped: Sequence[SkippedMethod],
    folders: Sequence[Path],
    protocol: HeartProtocol,
    *,
    split: str = "",
    read: ReadPatient = load_patient,
    advance: Callable[[str], None] = lambda name: None,
) -> HeartComparison:
    """Register every patient by every method and score it.

    Args:
        methods: at least one.
        skipped: methods to record as not run.
        folders: of the patients.
        protocol: how to measure.
        split: which patients these are.
        read: reads a patient's folder.
        advance: called with the method's name after each patient.

    Raises:
        FacewarpError: nothing can be run, there are no patients, or one can't be read.
    """
    require_methods(methods, skipped)
    if not folders:
        raise FacewarpError("there is no patient to measure on", split or None)
    scores: list[list[PatientScore]] = [[] for _ in methods]
    for index, folder in enumerate(folders):
        patient = read(folder)
        for method, found in zip(methods, scores, strict=True):
            if not index and method.parameters:  # warm up networks: not part of the times
                method.register(patient, protocol.grid(patient.images[ED]), both=False)
            found.append(score_patient(patient, method, protocol))
            advance(method.name)
    measured = [
        MeasuredOnHearts(method.name, found, method.parameters, method.sha256)
        for method, found in zip(methods, scores, strict=True)
    ]
    dataset = patient.dataset
    return HeartComparison(split, measured, list(skipped), machine(), protocol, dataset)
