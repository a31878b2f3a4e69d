"""Many methods on the same pairs: the paper's table of faces, and what its figures show."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.system.machine import machine
from facewarp.training.comparison.orderings import FACES, orderings
from facewarp.training.comparison.result_table import Skipped
from facewarp.training.datasets.crops import FaceCrop, evaluation_pairs
from facewarp.training.evaluation.face_methods import FaceMethod
from facewarp.training.evaluation.faces import (
    PARTS,
    PairResult,
    PairScore,
    carried_labels,
    pair_means,
    score_pair,
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A method and its pairs.

    Attributes:
        name: of the method.
        scores: of the pairs, in their order.
        parameters: that it has learnt.
        weights_sha256: of the file they are in.
    """

    name: str
    scores: list[PairScore]
    parameters: int
    weights_sha256: str

    def means(self) -> dict[str, Any]:
        """What ``facewarp eval`` tells of one model, by the same names."""
        return {
            "method": self.name,
            **pair_means(self.scores),
            "parameters": self.parameters,
            "weights_sha256": self.weights_sha256,
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table of methods on one data set.

    Attributes:
        dataset: what it is called.
        split: which of its photographs these are.
        seed: of the crops.
        methods: in the table's order.
        skipped: those that could not be run.
        machine: what the times were measured on.
    """

    dataset: str
    split: str
    seed: int
    methods: list[Measured]
    skipped: list[Skipped]
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """As one JSON-ready object."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "seed": self.seed,
            "n_pairs": len(self.methods[0].scores),
            "methods": [method.means() for method in self.methods],
            "orderings": [one.to_dict() for one in orderings(self.methods, FACES)],
            "skipped": [asdict(one) for one in self.skipped],
            "machine": self.machine,
        }

    def pair_rows(self) -> list[dict[str, str | float]]:
        """A row for every pair of every method, Dice in percent."""
        return [
            {"method": method.name, **score.row()}
            for method in self.methods
            for score in method.scores
        ]

    def rows(self) -> list[dict[str, str | float]]:
        """A row a method, flat, Dice in percent."""
        rows = []
        for method in self.methods:
            means = method.means()
            dice, contour = means.pop("dice_per_part"), means.pop("contour_per_part_px")
            row = {**means, **{f"dice_{part}": dice[part] for part in PARTS}}
            rows.append({**row, **{f"contour_{part}_px": contour[part] for part in PARTS}})
        return rows


def compare(
    methods: Sequence[FaceMethod],
    skipped: Sequence[Skipped],
    crops: Sequence[FaceCrop],
    dataset: str,
    *,
    split: str = "",
    seed: int = 0,
    advance: Callable[[str], None] = lambda name: None,
) -> Comparison:
    """Register every pair by every method and score it.

    Args:
        methods: at least one.
        skipped: those that are to be named as not run.
        crops: annotated crops, in the data set's order.
        dataset: what to call it.
        split: which of its photographs these are.
        seed: of the crops, for the record.
        advance: called with the method's name after each pair.

    Raises:
        FacewarpError: nothing can be run, or there are fewer than two crops.
    """
    if not methods:
        fixes = "; ".join(one.fix for one in skipped)
        raise FacewarpError("none of these methods can be run yet", "--methods", f"First: {fixes}")
    if len(crops) < 2:
        raise FacewarpError(f"pairs need 2 photographs, and there are {len(crops)}", split)
    measured = []
    for method in methods:
        method.register(crops[0].image, crops[1].image)  # pays for what the others reuse
        scores = []
        for fixed, moving in evaluation_pairs(len(crops)):
            result = registered(method, crops[fixed], crops[moving])
            scores.append(score_pair(crops[fixed], crops[moving], result))
            advance(method.name)
        measured.append(Measured(method.name, scores, method.parameters, method.sha256))
    return Comparison(dataset, split, seed, measured, list(skipped), machine())


def registered(method: FaceMethod, fixed: FaceCrop, moving: FaceCrop) -> PairResult:
    """What a method makes of a pair; it sees no labels."""
    began = time.perf_counter()
    found = method.register(fixed.image, moving.image)
    seconds = time.perf_counter() - began
    labels = carried_labels(moving, found.field)
    return PairResult(found.field, labels, found.parts, seconds)
