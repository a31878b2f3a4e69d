"""Compare methods on the same pairs of faces: the paper's table of faces."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.system.machine import machine
from facewarp.training.comparison.base import (
    MeasuredMethod,
    MethodComparison,
    SkippedMethod,
    require_methods,
)
from facewarp.training.comparison.orderings import FACES
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
class MeasuredOnFaces(MeasuredMethod[PairScore]):
    """A method and its scores on pairs of faces."""

    def score_means(self) -> dict[str, Any]:
        """Return the means over the pairs, see `pair_means`."""
        return pair_means(self.scores)


@dataclass(frozen=True, eq=False)
class FaceComparison(MethodComparison[MeasuredOnFaces]):
    """Methods, compared on pairs of a dataset of faces.

    Attributes:
        dataset: its name.
        seed: of the crops.
    """

    dataset: str
    seed: int
    claims = FACES

    def protocol_record(self) -> dict[str, Any]:
        """Return dataset, split, seed and number of pairs."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "seed": self.seed,
            "n_pairs": self.pair_count,
        }

    def rows(self) -> list[dict[str, str | float]]:
        """Return a flat row for each method, Dice in percent, a column a part."""
        rows = []
        for method in self.methods:
            means = method.means()
            dice, contour = means.pop("dice_per_part"), means.pop("contour_per_part_px")
            row = {**means, **{f"dice_{part}": dice[part] for part in PARTS}}
            rows.append({**row, **{f"contour_{part}_px": contour[part] for part in PARTS}})
        return rows


def compare_on_faces(
    methods: Sequence[FaceMethod],
    skipped: Sequence[SkippedMethod],
    crops: Sequence[FaceCrop],
    dataset: str,
    *,
    split: str = "",
    seed: int = 0,
    advance: Callable[[str], None] = lambda name: None,
) -> FaceComparison:
    """Register every pair of crops by every method and score it.

    Args:
        methods: at least one.
        skipped: methods to record as not run.
        crops: annotated crops, in the order of the dataset.
        dataset: its name.
        split: which of its photographs these are.
        seed: of the crops, for the record.
        advance: called with the method's name after each pair.

    Raises:
        FacewarpError: nothing can be run, or there are fewer than two crops.
    """
    require_methods(methods, skipped)
    if len(crops) < 2:
        raise FacewarpError(f"pairs need 2 photographs, and there are {len(crops)}", split)
    measured = []
    for method in methods:
        method.register(crops[0].image, crops[1].image)  # warm up: not part of the times
        scores = []
        for fixed, moving in evaluation_pairs(len(crops)):
            result = register_pair(method, crops[fixed], crops[moving])
            scores.append(score_pair(crops[fixed], crops[moving], result))
            advance(method.name)
        measured.append(MeasuredOnFaces(method.name, scores, method.parameters, method.sha256))
    return FaceComparison(split, measured, list(skipped), machine(), dataset, seed)


def register_pair(method: FaceMethod, fixed: FaceCrop, moving: FaceCrop) -> PairResult:
    """Register a pair by a method, which sees no labels, and warp the labels of moving."""
    began = time.perf_counter()
    found = method.register(fixed.image, moving.image)
    seconds = time.perf_counter() - began
    labels = carried_labels(moving, found.field)
    return PairResult(found.field, labels, found.parts, seconds)
