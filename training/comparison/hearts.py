"""Many methods on the same patients: the paper's table of hearts, and what its figures show."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.system.machine import machine
from facewarp.training.comparison.orderings import HEARTS, orderings
from facewarp.training.comparison.result_table import Skipped
from facewarp.training.datasets.acdc import load_patient
from facewarp.training.evaluation.heart_methods import ED, HeartMethod
from facewarp.training.evaluation.heart_protocols import HeartProtocol
from facewarp.training.evaluation.hearts import PatientScore, score_means, score_patient


@dataclass(frozen=True, eq=False)
class MeasuredOnHearts:
    """A method and its patients.

    Attributes:
        name: of the method.
        scores: of the patients, in their order.
        parameters: that it has learnt.
        weights_sha256: of the file they are in.
    """

    name: str
    scores: list[PatientScore]
    parameters: int
    weights_sha256: str

    def means(self) -> dict[str, str | float]:
        """What ``facewarp eval acdc`` tells of one model, by the same names."""
        means = score_means(self.scores)
        del means["seconds"]
        return {
            "method": self.name,
            **means,
            "dice_std": 100 * float(np.nanstd([score.dice_mean for score in self.scores])),
            "seconds_per_pair": float(np.median([score.seconds for score in self.scores])),
            "parameters": self.parameters,
            "weights_sha256": self.weights_sha256,
        }


@dataclass(frozen=True, eq=False)
class HeartComparison:
    """A table of methods on ACDC.

    Attributes:
        protocol: whose measurements.
        split: which patients.
        methods: in the table's order.
        skipped: those that could not be run.
        machine: what the times were measured on.
    """

    protocol: HeartProtocol
    split: str
    methods: list[MeasuredOnHearts]
    skipped: list[Skipped]
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """As one JSON-ready object."""
        return {
            "dataset": "acdc",
            "protocol": self.protocol.name,
            "split": self.split,
            "n_pairs": len(self.methods[0].scores),
            "directions": 2 if self.protocol.both_directions else 1,
            "methods": [method.means() for method in self.methods],
            "orderings": [one.to_dict() for one in orderings(self.methods, HEARTS)],
            "skipped": [asdict(one) for one in self.skipped],
            "machine": self.machine,
        }

    def rows(self) -> list[dict[str, str | float]]:
        """A row a method, Dice in percent."""
        return [method.means() for method in self.methods]

    def patient_rows(self) -> list[dict[str, str | float]]:
        """A row for every patient of every method."""
        return [
            {"method": method.name, **score.row()}
            for method in self.methods
            for score in method.scores
        ]


def compare_on_hearts(
    methods: Sequence[HeartMethod],
    skipped: Sequence[Skipped],
    folders: Sequence[Path],
    protocol: HeartProtocol,
    *,
    split: str = "",
    advance: Callable[[str], None] = lambda name: None,
) -> HeartComparison:
    """Register every patient by every method and score it.

    Args:
        methods: at least one.
        skipped: those that are to be named as not run.
        folders: of the patients.
        protocol: how to measure.
        split: which patients these are.
        advance: called with the method's name after each patient.

    Raises:
        FacewarpError: nothing can be run, there are no patients, or one can't be read.
    """
    if not methods:
        fixes = "; ".join(one.fix for one in skipped)
        raise FacewarpError("none of these methods can be run yet", "--methods", f"First: {fixes}")
    if not folders:
        raise FacewarpError("there is no patient to measure on", split or None)
    scores: list[list[PatientScore]] = [[] for _ in methods]
    for index, folder in enumerate(folders):
        patient = load_patient(folder)
        for method, found in zip(methods, scores, strict=True):
            if not index and method.parameters:  # what has learnt pays for what it reuses
                method.register(patient, protocol.grid(patient.images[ED]), both=False)
            found.append(score_patient(patient, method, protocol))
            advance(method.name)
    measured = [
        MeasuredOnHearts(method.name, found, method.parameters, method.sha256)
        for method, found in zip(methods, scores, strict=True)
    ]
    return HeartComparison(protocol, split, measured, list(skipped), machine())
