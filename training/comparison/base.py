"""Comparisons of methods, of faces and of hearts: names, skipped methods, scores, claims."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from facewarp.errors import FacewarpError
from facewarp.training.comparison.orderings import Claim, DiceScore, Ordering, orderings


class Score(DiceScore, Protocol):
    """The score of a registered pair."""

    def row(self) -> dict[str, str | float]:
        """Return the score as a row of a table, Dice in percent."""
        ...


Method = TypeVar("Method")
Sources = TypeVar("Sources")
AnyScore = TypeVar("AnyScore", bound=Score)


@dataclass(frozen=True)
class SkippedMethod:
    """A method that can't be run yet.

    Attributes:
        name: of the method.
        reason: what is missing.
        fix: the command or option that helps.
    """

    name: str
    reason: str
    fix: str

    @classmethod
    def untrained(cls, name: str, command: str) -> Self:
        """Return a method that has no weights until a command has trained them."""
        return cls(name, "not trained", command)


@dataclass(frozen=True, eq=False)
class MeasuredMethod(ABC, Generic[AnyScore]):
    """A method and its scores.

    Attributes:
        name: of the method.
        scores: of the pairs (faces) or patients (hearts), in the order of the dataset.
        parameters: number of learnt parameters.
        weights_sha256: of its weights file, "" without one.
    """

    name: str
    scores: list[AnyScore]
    parameters: int
    weights_sha256: str

    @abstractmethod
    def score_means(self) -> dict[str, Any]:
        """Return the means over the scores, by the names that ``facewarp eval`` uses."""

    def means(self) -> dict[str, Any]:
        """Return name, means, number of parameters and weights of the method."""
        return {
            "method": self.name,
            **self.score_means(),
            "parameters": self.parameters,
            "weights_sha256": self.weights_sha256,
        }


AnyMeasured = TypeVar("AnyMeasured", bound=MeasuredMethod[Any])


@dataclass(frozen=True, eq=False)
class MethodComparison(ABC, Generic[AnyMeasured]):
    """Methods, all measured on the same pairs.

    Attributes:
        split: which part of the dataset the pairs are from.
        methods: in the order of the table.
        skipped: methods that could not be run.
        machine: the machine that the times were measured on.
        claims: about the order of the methods, see `orderings`.
    """

    split: str
    methods: list[AnyMeasured]
    skipped: list[SkippedMethod]
    machine: str
    claims: ClassVar[Sequence[Claim]]

    @abstractmethod
    def protocol_record(self) -> dict[str, Any]:
        """Return what was measured on, and how, as the first keys of `to_dict`."""

    @property
    def pair_count(self) -> int:
        """How many pairs or patients each method was measured on."""
        return len(self.methods[0].scores)

    def orderings(self) -> list[Ordering]:
        """Return the claims whose methods were both measured, decided."""
        return orderings(self.methods, self.claims)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as one JSON-ready object."""
        return {
            **self.protocol_record(),
            "methods": [method.means() for method in self.methods],
            "orderings": [ordering.to_dict() for ordering in self.orderings()],
            "skipped": [asdict(method) for method in self.skipped],
            "machine": self.machine,
        }

    def rows(self) -> list[dict[str, str | float]]:
        """Return a flat row for each method, Dice in percent."""
        return [method.means() for method in self.methods]

    def score_rows(self) -> list[dict[str, str | float]]:
        """Return a row for each score of each method, Dice in percent."""
        return [
            {"method": method.name, **score.row()}
            for method in self.methods
            for score in method.scores
        ]


@dataclass(frozen=True)
class MethodRegistry(Generic[Method, Sources]):
    """The methods that can be compared on one kind of data.

    Attributes:
        names: of the methods that "all" stands for.
        check: raises FacewarpError for a name that is not known.
        make: makes a method from its name and the sources of learnt parameters, or says what it
            lacks; raises FacewarpError for a file that can't be used.
    """

    names: tuple[str, ...]
    check: Callable[[str], None]
    make: Callable[[str, Sources], Method | SkippedMethod]

    def parse(self, words: str) -> list[str]:
        """Parse the option ``--methods``: ``"all"``, or names separated by commas.

        Returns:
            The names, each once, in the order given.

        Raises:
            FacewarpError: a name is not known, or there is none.
        """
        if words.strip().lower() == "all":
            return list(self.names)
        names = list(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
        for name in names:
            self.check(name)
        if not names:
            fix = f"Give all, or {self.names[0]}, ..."
            raise FacewarpError("no method is named", "--methods", fix)
        return names

    def find(
        self, names: Sequence[str], sources: Sources
    ) -> tuple[list[Method], list[SkippedMethod]]:
        """Make the methods that can be run, and list those that lack something.

        Args:
            names: see `parse`.
            sources: where methods find their learnt parameters.

        Raises:
            FacewarpError: a file that is there can't be used.
        """
        runnable: list[Method] = []
        skipped: list[SkippedMethod] = []
        for method in (self.make(name, sources) for name in names):
            if isinstance(method, SkippedMethod):
                skipped.append(method)
            else:
                runnable.append(method)
        return runnable, skipped


def require_methods(methods: Sequence[object], skipped: Sequence[SkippedMethod]) -> None:
    """Raise FacewarpError, with what would help, where no method can be run."""
    if not methods:
        fixes = "; ".join(method.fix for method in skipped)
        raise FacewarpError("none of these methods can be run yet", "--methods", f"First: {fixes}")
