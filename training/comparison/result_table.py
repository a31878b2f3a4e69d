"""Write a comparison of methods: tables as Markdown, CSV and JSON, and one HTML page."""

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from facewarp.system.atomic_files import write_csv, write_json, write_text
from facewarp.training.comparison.base import MeasuredMethod, MethodComparison, SkippedMethod

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}"
    "td,th{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}figcaption{color:#555}"
)


Comparison = TypeVar("Comparison", bound=MethodComparison[Any])
Measured = TypeVar("Measured", bound=MeasuredMethod[Any])


@dataclass(frozen=True)
class TableLayout(Generic[Comparison, Measured]):
    """How the table of a comparison is laid out.

    Attributes:
        subject: of the title: "Faces" or "Hearts".
        heads: names of the columns.
        cells: gives a method's cells as text, one a column.
        about: tells in a sentence what a comparison was measured on.
    """

    subject: str
    heads: Sequence[str]
    cells: Callable[[Measured], list[str]]
    about: Callable[[Comparison], str]

    def table(self, comparison: Comparison) -> "ResultTable":
        """Return the table of a comparison, with its orderings and what was not run."""
        return ResultTable(
            title=f"{self.subject}, registered by {len(comparison.methods)} methods",
            heads=self.heads,
            rows=[self.cells(method) for method in comparison.methods],
            about=self.about(comparison),
            skipped=comparison.skipped,
            remarks=[ordering.sentence() for ordering in comparison.orderings()],
        )


@dataclass(frozen=True)
class ResultTable:
    """The table of a comparison, as text.

    Attributes:
        title: of the page.
        heads: names of the columns.
        rows: a row a method.
        about: what was measured on, in a sentence.
        skipped: methods that were not run.
        remarks: orderings of the methods, a sentence each.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str
    skipped: Sequence[SkippedMethod]
    remarks: Sequence[str] = ()

    def markdown(self) -> str:
        """Return the table as Markdown, with what was not run."""
        lines = [f"| {' | '.join(self.heads)} |", f"|{'---|' * len(self.heads)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        lines += ["", self.about, *(["", *self._remarks()] if self.remarks else [])]
        lines += [f"- not run: {one.name}, {one.reason}: `{one.fix}`" for one in self.skipped]
        return "\n".join(lines) + "\n"

    def _remarks(self) -> list[str]:
        return [f"- {remark}" for remark in self.remarks]

    def page(self, figures: Sequence[Path], captions: Mapping[str, str]) -> str:
        """Return one HTML page that holds the figures.

        Args:
            figures: PNG files.
            captions: of the figures, by file name.
        """
        cells = [
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        ]
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in self.heads)
        missing = "".join(
            f"<li>{html.escape(one.name)}: {html.escape(one.reason)}, "
            f"<code>{html.escape(one.fix)}</code></li>"
            for one in self.skipped
        )
        images = "".join(_figure(path, captions[path.name]) for path in figures)
        not_run = f"<h2>Not run</h2><ul>{missing}</ul>" if missing else ""
        remarks = "".join(f"<li>{html.escape(remark)}</li>" for remark in self.remarks)
        orderings = f"<h2>Who is ahead of whom</h2><ul>{remarks}</ul>" if remarks else ""
        title = html.escape(self.title)
        return (
            f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
            f"<style>{_STYLE}</style><h1>{title}</h1>"
            f"<p>{html.escape(self.about)}</p><table><tr>{heads}</tr>{''.join(cells)}</table>"
            f"{orderings}{not_run}{images}</html>\n"
        )


def write_comparison(
    folder: Path,
    comparison: Comparison,
    layout: TableLayout[Comparison, Any],
    scores: str,
    figures: Sequence[Path],
    captions: Mapping[str, str],
) -> list[Path]:
    """Write the scores as CSV, ``table.md``, ``.csv``, ``.json`` and ``index.html``.

    Each file is written whole or not at all.

    Args:
        folder: made where it is not there.
        comparison: what was measured.
        layout: of the table.
        scores: name of the CSV file that holds every score.
        figures: PNG files that the page holds.
        captions: of the figures, by file name.

    Returns:
        All the files, figures among them, ``index.html`` last.
    """
    table = layout.table(comparison)
    write_csv(folder / scores, comparison.score_rows())
    write_text(folder / "table.md", table.markdown())
    write_csv(folder / "table.csv", comparison.rows())
    write_json(folder / "table.json", finite(comparison.to_dict()))
    write_text(folder / "index.html", table.page(figures, captions))
    names = (scores, "table.md", "table.csv", "table.json")
    return [*(folder / name for name in names), *figures, folder / "index.html"]


def finite(value: Any) -> Any:
    """Return a value with null in place of numbers that JSON can't hold (NaN, infinity)."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(path: Path, caption: str) -> str:
    text = html.escape(caption)
    image = base64.b64encode(path.read_bytes()).decode()
    return (
        f"<figure><img alt='{text}' src='data:image/png;base64,{image}'>"
        f"<figcaption>{text}</figcaption></figure>"
    )
