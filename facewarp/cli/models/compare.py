"""``facewarp eval helen|celebamask --methods ...``: many methods on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output

if TYPE_CHECKING:
    from facewarp.training.comparison.faces import Comparison
    from facewarp.training.datasets.crops import FaceCrop

Methods = Annotated[
    str | None,
    typer.Option(
        metavar="all|NAME,...",
        help="Compare methods: unregistered, esr-cpd, spline-flownet, flownets, flownetc, dis, "
        "facemesh-tps, facewarp, the paper's presets (also with +add or +polyaffine).",
    ),
]
Runs = Annotated[
    Path, typer.Option(help="With --methods: the folder of trained presets and rivals.")
]
Figures = Annotated[
    Path | None,
    typer.Option(help="With --methods: write tables, figures and a page into this folder."),
]
Landmarker = Annotated[
    Path | None, typer.Option(help="MediaPipe's face_landmarker.task, for facemesh-tps.")
]
FlowNet = Annotated[
    Path | None, typer.Option(help="A published checkpoint, for flownets or flownetc.")
]


@dataclass(frozen=True)
class Compared:
    """What the options say of a comparison."""

    methods: str
    runs: Path
    figures: Path | None
    landmarker: Path | None
    flownet: Path | None


def compare_faces(
    output: Output,
    options: Compared,
    crops: "Sequence[FaceCrop]",
    model: str,
    dataset: str,
    split: str,
    seed: int,
) -> None:
    """Measure, write, tell."""
    from facewarp.training.comparison.face_page import write_comparison
    from facewarp.training.comparison.face_registry import Sources, chosen_methods, find_methods
    from facewarp.training.comparison.faces import compare

    names = chosen_methods(options.methods)
    sources = Sources(options.runs, model, options.landmarker, options.flownet)
    methods, skipped = find_methods(names, sources)
    total = len(methods) * len(crops)
    with output.progress(f"comparing on {dataset}", total=total, unit="pairs") as advance:
        found = compare(
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
        written = write_comparison(options.figures, found, methods, crops, options.runs)
    output.emit_json(found.to_dict())
    output.say(_table(found))
    for one in found.skipped:
        output.warn(f"{one.name} was not run, {one.reason}: {one.fix}")
    for path in written[-1:]:
        output.say(f"Written: {escape(str(path))}")


def _table(found: "Comparison") -> Table:
    """What fits into a terminal; parts are in the files and the JSON."""
    from facewarp.training.comparison.face_page import about, header, line

    names = header()
    shown = [0, 1, *range(len(names) - 5, len(names) - 1)]
    table = Table(caption=escape(about(found)))
    for index in shown:
        table.add_column(names[index], justify="right" if index else "left")
    for method in found.methods:
        cells = line(method)
        table.add_row(*(cells[index] for index in shown))
    return table
