"""`facewarp eval acdc --methods ...`: compare methods on the same patients."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facewarp.cli.console import Output
from facewarp.cli.models.compare import show_comparison

if TYPE_CHECKING:
    from facewarp.training.datasets.hearts import ReadPatient
    from facewarp.training.evaluation.heart_protocols import HeartProtocol

HeartMethods = Annotated[
    str | None,
    typer.Option(
        "--methods",
        metavar="all|NAME,...",
        help="Compare methods: unregistered, lcc-demons, elastix, voxelmorph, krebs, facewarp, "
        "acdc-paper, acdc-paper-unguided.",
    ),
]

_HIDDEN = ("HD95 mm", "std of J", "SDlogJ", "M parameters")


def compare_hearts(
    output: Output,
    words: str,
    runs: Path,
    model: str,
    folders: Sequence[Path],
    protocol: "HeartProtocol",
    split: str,
    out: Path | None,
    figures: Path | None,
    read: "ReadPatient",
) -> None:
    """Measure all methods on the same patients, write and show the comparison."""
    from facewarp.system.atomic_files import write_csv
    from facewarp.training.comparison.heart_page import HEART_TABLE, write_heart_comparison
    from facewarp.training.comparison.heart_registry import (
        HEART_METHODS,
        HeartSources,
    )
    from facewarp.training.comparison.hearts import compare_on_hearts

    names = HEART_METHODS.parse(words)
    methods, skipped = HEART_METHODS.find(names, HeartSources(runs, model))
    total = len(methods) * len(folders)
    with output.progress("comparing on hearts", total=total, unit="pairs") as advance:
        found = compare_on_hearts(
            methods,
            skipped,
            folders,
            protocol,
            split=split,
            read=read,
            advance=lambda name: advance(description=name),
        )
    written = []
    if out is not None:
        write_csv(out, found.score_rows())
        written.append(out)
    if figures is not None:
        written += write_heart_comparison(figures, found, methods, folders, runs, read)[-1:]
    show_comparison(output, found, HEART_TABLE, _HIDDEN, written)
