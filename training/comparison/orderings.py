"""Order methods by paired differences of Dice: the claims of the paper's tables and others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

Claim = tuple[str, str, str]  # in words, the method claimed to be ahead, the other
FACES: tuple[Claim, ...] = (
    ("guided over unguided", "paper", "paper-unguided"),
    ("two steps over one", "paper", "paper-single"),
    ("separate over shared weights", "paper", "paper-shared"),
    ("end to end over a U-Net trained before", "paper", "paper-pretrained"),
    ("displacements over velocities", "paper", "paper-diffeomorphic"),
    ("ours over shape regression", "paper", "esr-cpd"),
    ("ours over a B-spline FlowNet", "paper", "spline-flownet"),
    ("ours over flow without labels", "paper", "flownets"),
    ("ours over flow without labels", "paper", "flownetc"),
    ("ours over flow without labels", "paper", "dis"),
)
HEARTS: tuple[Claim, ...] = (
    ("guided over unguided", "acdc-paper", "acdc-paper-unguided"),
    ("ours over LCC-demons", "acdc-paper", "lcc-demons"),
    ("ours over VoxelMorph", "acdc-paper", "voxelmorph"),
    ("ours over Krebs et al.", "acdc-paper", "krebs"),
)
SURE = 2.0  # standard errors


class Scored(Protocol):
    """A method and its scores."""

    @property
    def name(self) -> str:
        """Of the method."""
        ...

    @property
    def scores(self) -> Sequence["DiceScore"]:
        """Of the pairs, in the same order for every method."""
        ...


class DiceScore(Protocol):
    """The score of a pair."""

    @property
    def dice_mean(self) -> float:
        """Mean Dice over the parts present, 0 to 1."""
        ...


@dataclass(frozen=True)
class Ordering:
    """One claim, tested on the pairs that were measured.

    Attributes:
        claim: in words.
        ahead, behind: the methods, as the claim orders them.
        difference: of their Dice, points, mean over pairs; positive where the claim holds.
        error: standard error of that mean.
        verdict: ``"holds"`` or ``"does not hold"`` by two standard errors or more, otherwise
            ``"not decided"``.
    """

    claim: str
    ahead: str
    behind: str
    difference: float
    error: float
    verdict: str

    def sentence(self) -> str:
        """Return the ordering as a line of text."""
        return (
            f"{self.claim} ({self.ahead}, {self.behind}): {self.difference:+.1f} ± "
            f"{self.error:.1f} points of Dice, {self.verdict}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the ordering as one JSON-ready object."""
        return asdict(self)


def orderings(methods: Sequence[Scored], claims: Sequence[Claim]) -> list[Ordering]:
    """Decide the claims whose methods were both measured.

    Args:
        methods: all on the same pairs.
        claims: words, the method claimed to be ahead, the other.
    """
    known: Mapping[str, Scored] = {method.name: method for method in methods}
    return [
        _ordering(claim, known[ahead], known[behind])
        for claim, ahead, behind in claims
        if ahead in known and behind in known
    ]


def _ordering(claim: str, ahead: Scored, behind: Scored) -> Ordering:
    pairs = zip(ahead.scores, behind.scores, strict=True)
    by_pair = np.array([100 * (a.dice_mean - b.dice_mean) for a, b in pairs])
    by_pair = by_pair[np.isfinite(by_pair)]
    if len(by_pair) < 2:
        return Ordering(claim, ahead.name, behind.name, math.nan, math.nan, "not decided")
    mean, error = float(by_pair.mean()), float(by_pair.std(ddof=1) / len(by_pair) ** 0.5)
    verdict = "not decided"
    if abs(mean) > SURE * error:
        verdict = "holds" if mean > 0 else "does not hold"
    return Ordering(claim, ahead.name, behind.name, mean, error, verdict)
