"""Write a comparison on faces: tables, the paper's figures, one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from facewarp.training.comparison.faces import FaceComparison, MeasuredOnFaces
from facewarp.training.comparison.figures import draw_curves, draw_examples, draw_pairs, draw_parts
from facewarp.training.comparison.result_table import TableLayout, write_comparison
from facewarp.training.datasets.crops import FaceCrop
from facewarp.training.evaluation.evaluation_json import number
from facewarp.training.evaluation.face_methods import FaceMethod
from facewarp.training.evaluation.faces import PARTS

CAPTIONS = {
    "dice-by-method.png": "Dice of every pair, from the best to the worst, method by method "
    "(as the paper's Figure 4 shows its variants).",
    "dice-by-part.png": "Dice of every pair, part by part (as its Figure 5).",
    "examples.png": "Pairs: fixed, moving, and moving carried onto fixed by each method "
    "(as its Figures 6 and 7).",
    "training-curves.png": "Validation Dice and training loss of the runs.",
}


def write_face_comparison(
    folder: Path,
    comparison: FaceComparison,
    methods: Sequence[FaceMethod],
    crops: Sequence[FaceCrop],
    runs: Path,
) -> list[Path]:
    """Write tables, figures and page into a folder; each file is whole or not there.

    Args:
        folder: made where it is not there.
        comparison: what was measured.
        methods: the same methods, to draw the examples with.
        crops: the crops of the pairs.
        runs: the folder of the training runs, for their curves.

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
    return write_comparison(folder, comparison, FACE_TABLE, "pairs.csv", figures, CAPTIONS)


def _cells(method: MeasuredOnFaces) -> list[str]:
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


def _about(comparison: FaceComparison) -> str:
    return (
        f"{comparison.pair_count} pairs of {comparison.dataset} {comparison.split}, "
        f"crops of seed {comparison.seed}; {comparison.machine}."
    )


FACE_TABLE = TableLayout(
    subject="Faces",
    heads=[
        *("method", "Dice %", *(part.replace("_", " ") for part in PARTS)),
        *("contour px", "std of J", "folds %", "ms a pair", "M parameters"),
    ],
    cells=_cells,
    about=_about,
)
