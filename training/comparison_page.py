"""A comparison as files: tables in Markdown, CSV and JSON, the paper's figures, one HTML page."""

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facewarp.training.compare import Comparison, Measured
from facewarp.training.comparison_figures import draw_curves, draw_examples, draw_pairs, draw_parts
from facewarp.training.datasets.crops import FaceCrop
from facewarp.training.evaluate import PARTS
from facewarp.training.face_methods import FaceMethod
from facewarp.training.files import write_csv, write_json, write_text
from facewarp.training.model_card import number

ABOUT = {
    "dice-by-method.png": "Dice of every pair, from the best to the worst, method by method "
    "(as the paper's Figure 4 shows its variants).",
    "dice-by-part.png": "Dice of every pair, part by part (as its Figure 5).",
    "examples.png": "Pairs: fixed, moving, and moving carried onto fixed by each method "
    "(as its Figures 6 and 7).",
    "training-curves.png": "Validation Dice and training loss of the runs.",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}"
    "td,th{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}figcaption{color:#555}"
)


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
        draw_pairs(folder / "dice-by-method.png", comparison),
        draw_parts(folder / "dice-by-part.png", comparison),
        draw_examples(folder / "examples.png", comparison, methods, crops),
    ]
    curves = draw_curves(folder / "training-curves.png", comparison, runs)
    if curves is not None:
        figures.append(curves)
    write_text(folder / "table.md", markdown(comparison))
    write_csv(folder / "table.csv", comparison.rows())
    write_json(folder / "table.json", _finite(comparison.to_dict()))
    write_text(folder / "index.html", page(comparison, figures))
    tables = [folder / f"table.{kind}" for kind in ("md", "csv", "json")]
    return [*tables, *figures, folder / "index.html"]


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


def markdown(comparison: Comparison) -> str:
    """The table as Markdown, with what it was measured on and what was not run."""
    names = header()
    rows = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    rows += [f"| {' | '.join(line(method))} |" for method in comparison.methods]
    rows += ["", about(comparison)]
    rows += [f"- not run: {one.name}, {one.reason}: `{one.fix}`" for one in comparison.skipped]
    return "\n".join(rows) + "\n"


def about(comparison: Comparison) -> str:
    """What the table was measured on, in a sentence."""
    return (
        f"{len(comparison.methods[0].scores)} pairs of {comparison.dataset} {comparison.split}, "
        f"crops of seed {comparison.seed}; {comparison.machine}."
    )


def page(comparison: Comparison, figures: Sequence[Path]) -> str:
    """One HTML page that needs no other file."""
    cells = [
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line(method)) + "</tr>"
        for method in comparison.methods
    ]
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in header())
    missing = "".join(
        f"<li>{html.escape(one.name)}: {html.escape(one.reason)}, "
        f"<code>{html.escape(one.fix)}</code></li>"
        for one in comparison.skipped
    )
    pictures = "".join(
        f"<figure><img alt='{html.escape(ABOUT[path.name])}' src='data:image/png;base64,"
        f"{base64.b64encode(path.read_bytes()).decode()}'>"
        f"<figcaption>{html.escape(ABOUT[path.name])}</figcaption></figure>"
        for path in figures
    )
    left_out = f"<h2>Not run</h2><ul>{missing}</ul>" if missing else ""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Faces, registered</title>"
        f"<style>{_STYLE}</style><h1>Faces, registered by {len(comparison.methods)} methods</h1>"
        f"<p>{html.escape(about(comparison))}</p><table><tr>{heads}</tr>{''.join(cells)}</table>"
        f"{left_out}{pictures}</html>\n"
    )


def _finite(value: Any) -> Any:
    """The same with null in place of numbers that JSON can't hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
