"""`facewarp eval helen|celebamask --methods ...`: compare methods on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output
from facewarp.cli.option_groups import existing

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from facewarp.training.comparison.base import MethodComparison
    from facewarp.training.comparison.result_table import TableLayout
    from facewarp.training.datasets.crops import FaceCrop

Runs = Annotated[
    Path, typer.Option(help="With --methods: the folder of trained presets and baselines.")
]


@dataclass(frozen=True)
class ComparisonOptions:
    """Options of a comparison of methods; without `methods` there is none."""

    methods: Annotated[
        str | None,
        typer.Option(
            metavar="all|NAME,...",
            help="Compare methods: unregistered, esr-cpd, spline-flownet, flownets, flownetc, dis, "
            "facemesh-tps, facewarp, the paper's presets (also with +add or +polyaffine).",
        ),
    ] = None
    runs: Runs = Path("runs")
    figures: Annotated[
        Path | None,
        typer.Option(help="With --methods: write tables, figures and a page into this folder."),
    ] = None
    landmarker: Annotated[
        Path | None,
        typer.Option(callback=existing, help="MediaPipe's face_landmarker.task, for facemesh-tps."),
    ] = None
    flownet: Annotated[
        Path | None,
        typer.Option(callback=existing, help="A published checkpoint, for flownets or flownetc."),
    ] = None


def check_outputs(files: Sequence[Path | None], folder: Path | None) -> None:
    """Check before hours of measuring that files and a folder can be written; touch nothing.

    Args:
        files: of results, None where not asked for.
        folder: of figures.

    Raises:
        FacewarpError: one of them can't be written where it is said to be.
    """
    from facewarp.system.atomic_files import check_target
    from facewarp.system.atomic_folder import check_folder

    for file in files:
        if file is not None:
            check_target(file)
    if folder is not None:
        check_folder(folder)


def compare_faces(
    output: Output,
    options: ComparisonOptions,
    crops: "Sequence[FaceCrop]",
    model: str,
    dataset: str,
    split: str,
    seed: int,
) -> None:
    """Measure all methods on the same pairs, write and show the comparison."""
    from facewarp.training.comparison.face_page import FACE_TABLE, write_face_comparison
    from facewarp.training.comparison.face_registry import (
        FACE_METHODS,
        FaceSources,
    )
    from facewarp.training.comparison.faces import compare_on_faces

    assert options.methods is not None
    names = FACE_METHODS.parse(options.methods)
    sources = FaceSources(options.runs, model, options.landmarker, options.flownet)
    methods, skipped = FACE_METHODS.find(names, sources)
    total = len(methods) * len(crops)
    with output.progress(f"comparing on {dataset}", total=total, unit="pairs") as advance:
        found = compare_on_faces(
            methods,
            skipped,
            crops,
            dataset,
            split=split,
            seed=seed,
            advance=lambda name: advance(description=name),
        )
    written = []
    if options.figures is not None:
        written = write_face_comparison(options.figures, found, methods, crops, options.runs)
    parts = FACE_TABLE.heads[2:-5]  # they would not fit into a terminal
    show_comparison(output, found, FACE_TABLE, [*parts, "M parameters"], written[-1:])


def show_comparison(
    output: Output,
    found: "MethodComparison[Any]",
    layout: "TableLayout[Any, Any]",
    hidden: Sequence[str],
    written: Sequence[Path],
) -> None:
    """Print a comparison: as JSON or as a table, what was not run, and what was written.

    Args:
        output: where to.
        found: what was measured.
        layout: of its table.
        hidden: columns that are in the files and the JSON only.
        written: files to name.
    """
    shown = [index for index, head in enumerate(layout.heads) if head not in hidden]
    table = Table(caption=escape(layout.about(found)))
    for index in shown:
        justify: JustifyMethod = "right" if index else "left"
        table.add_column(layout.heads[index], justify=justify, no_wrap=not index)
    for method in found.methods:
        cells = layout.cells(method)
        table.add_row(*(cells[index] for index in shown))
    output.emit_json(found.to_dict())
    output.say(table)
    for one in found.skipped:
        output.warn(f"{one.name} was not run, {one.reason}: {one.fix}")
    for path in written:
        output.say(f"Written: {escape(str(path))}")
