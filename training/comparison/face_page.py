"""A comparison as files: tables in Markdown, CSV and JSON, the paper's figures, one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from facewarp.system.atomic_files import write_csv
from facewarp.training.comparison.faces import Comparison, Measured
from facewarp.training.comparison.figures import draw_curves, draw_examples, draw_pairs, draw_parts
from facewarp.training.comparison.orderings import FACES, orderings
from facewarp.training.comparison.result_table import ResultTable, write_tables
from facewarp.training.datasets.crops import FaceCrop
from facewarp.training.evaluation.evaluation_json import number
from facewarp.training.evaluation.face_methods import FaceMethod
from facewarp.training.evaluation.faces import PARTS

ABOUT = {
    "dice-by-method.png": "Dice of every pair, from the best to the worst, method by method "
    "(as the paper's Figure 4 shows its variants).",
    "dice-by-part.png": "Dice of every pair, part by part (as its Figure 5).",
    "examples.png": "Pairs: fixed, moving, and moving carried onto fixed by each method "
    "(as its Figures 6 and 7).",
    "training-curves.png": "Validation Dice and training loss of the runs.",
}


def write_comparison(
    folder: Path,
    comparison: Comparison,
    methods: Sequence[FaceMethod],
    crops: Sequence[FaceCrop],
    runs: Path,
) -> list[Path]:
    """Write all of it into a folder; each file is whole or not there.

    Args:
        folder: made where it is not there.
        comparison: what was measured.
        methods: the same, to draw examples with.
        crops: the pairs' crops.
        runs: where the training curves are.

    Returns:
        The files, ``index.html`` last.
    """
    figures = [
        draw_pairs(folder / "dice-by-method.png", comparison.methods),
        draw_parts(folder / "dice-by-part.png", comparison.methods),
        draw_examples(folder / "examples.png", comparison, methods, crops),
    ]
    names = dict.fromkeys(method.name.split("+")[0] for method in comparison.methods)
    trained = {name: runs / f"helen-{name}" for name in names}
    curves = draw_curves(folder / "training-curves.png", trained, "photographs")
    if curves is not None:
        figures.append(curves)
    write_csv(folder / "pairs.csv", comparison.pair_rows())
    written = write_tables(
        folder, table_of(comparison), comparison.rows(), comparison.to_dict(), figures, ABOUT
    )
    return [folder / "pairs.csv", *written]


def header() -> list[str]:
    """The columns of the table."""
    parts = [part.replace("_", " ") for part in PARTS]
    ends = ["contour px", "std of J", "folds %", "ms a pair", "M parameters"]
    return ["method", "Dice %", *parts, *ends]


def line(method: Measured) -> list[str]:
    """A method's row of the table."""
    means = method.means()
    size = number(method.parameters / 1e6, 2) if method.parameters else "-"
    return [
        method.name,
        number(means["dice_mean"], 1),
        *(number(means["dice_per_part"][part], 1) for part in PARTS),
        number(means["contour_px"], 2),
        number(means["jacobian_std"], 3),
        number(means["folds_percent"], 2),
        number(1000 * means["seconds_per_pair"], 1),
        size,
    ]


def table_of(comparison: Comparison) -> ResultTable:
    """The table, with what it was measured on and what was not run."""
    return ResultTable(
        title=f"Faces, registered by {len(comparison.methods)} methods",
        heads=header(),
        rows=[line(method) for method in comparison.methods],
        about=about(comparison),
        skipped=comparison.skipped,
        remarks=[one.sentence() for one in orderings(comparison.methods, FACES)],
    )


def about(comparison: Comparison) -> str:
    """What the table was measured on, in a sentence."""
    return (
        f"{len(comparison.methods[0].scores)} pairs of {comparison.dataset} {comparison.split}, "
        f"crops of seed {comparison.seed}; {comparison.machine}."
    )
