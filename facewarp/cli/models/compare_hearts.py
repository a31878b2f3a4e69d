"""``facewarp eval acdc --methods ...``: many methods on the same patients."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output

if TYPE_CHECKING:
    from facewarp.training.comparison.hearts import HeartComparison
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

_LEFT_OUT = ("HD95 mm", "std of J", "SDlogJ", "M parameters")


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
) -> None:
    """Measure, write, tell."""
    from facewarp.system.atomic_files import write_csv
    from facewarp.training.comparison.heart_page import write_heart_comparison
    from facewarp.training.comparison.heart_registry import (
        HeartSources,
        chosen_heart_methods,
        find_heart_methods,
    )
    from facewarp.training.comparison.hearts import compare_on_hearts

    names = chosen_heart_methods(words)
    methods, skipped = find_heart_methods(names, HeartSources(runs, model))
    total = len(methods) * len(folders)
    with output.progress("comparing on acdc", total=total, unit="pairs") as advance:
        found = compare_on_hearts(
            methods,
            skipped,
            folders,
            protocol,
            split=split,
            advance=lambda name: advance(description=name),
        )
    written = []
    if out is not None:
        write_csv(out, found.patient_rows())
        written.append(out)
    if figures is not None:
        written += write_heart_comparison(figures, found, methods, folders, runs)[-1:]
    output.emit_json(found.to_dict())
    output.say(_table(found))
    for one in found.skipped:
        output.warn(f"{one.name} was not run, {one.reason}: {one.fix}")
    for path in written:
        output.say(f"Written: {escape(str(path))}")


def _table(found: "HeartComparison") -> Table:
    """What fits into a terminal; the rest is in the files and the JSON."""
    from facewarp.training.comparison.heart_page import about, header, line

    names = header()
    shown = [names.index(name) for name in names if name not in _LEFT_OUT]
    table = Table(caption=escape(about(found)))
    for index in shown:
        table.add_column(names[index], justify="right" if index else "left", no_wrap=not index)
    for method in found.methods:
        cells = line(method)
        table.add_row(*(cells[index] for index in shown))
    return table
