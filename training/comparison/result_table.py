"""A table of methods as files: Markdown, CSV, JSON, and a page that needs no other file."""

import base64
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from facewarp.system.atomic_files import write_csv, write_json, write_text

Method = TypeVar("Method")

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}"
    "td,th{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}img{max-width:100%}figcaption{color:#555}"
)


@dataclass(frozen=True)
class Skipped:
    """A method that can't be run yet.

    Attributes:
        name: of the method.
        reason: what is missing.
        fix: the command or option that helps.
    """

    name: str
    reason: str
    fix: str


def sorted_out(methods: Iterable[Method | Skipped]) -> tuple[list[Method], list[Skipped]]:
    """Methods that can be run, and those that can't yet."""
    found: list[Method] = []
    skipped: list[Skipped] = []
    for method in methods:
        if isinstance(method, Skipped):
            skipped.append(method)
        else:
            found.append(method)
    return found, skipped


@dataclass(frozen=True)
class ResultTable:
    """What is shown of a comparison.

    Attributes:
        title: of the page.
        heads: names of the columns.
        rows: a row a method, cells as text.
        about: what it was measured on, in a sentence.
        skipped: methods that were not run.
        remarks: what the rows tell of one another, a sentence each.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str
    skipped: Sequence[Skipped]
    remarks: Sequence[str] = ()

    def markdown(self) -> str:
        """As Markdown, with what was not run."""
        lines = [f"| {' | '.join(self.heads)} |", f"|{'---|' * len(self.heads)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        lines += ["", self.about, *(["", *self._remarks()] if self.remarks else [])]
        lines += [f"- not run: {one.name}, {one.reason}: `{one.fix}`" for one in self.skipped]
        return "\n".join(lines) + "\n"

    def _remarks(self) -> list[str]:
        return [f"- {remark}" for remark in self.remarks]

    def page(self, figures: Sequence[Path], captions: Mapping[str, str]) -> str:
        """One HTML page with the figures in it; captions go by the figures' names."""
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
        pictures = "".join(_figure(path, captions[path.name]) for path in figures)
        left_out = f"<h2>Not run</h2><ul>{missing}</ul>" if missing else ""
        remarks = "".join(f"<li>{html.escape(remark)}</li>" for remark in self.remarks)
        told = f"<h2>Who is ahead of whom</h2><ul>{remarks}</ul>" if remarks else ""
        title = html.escape(self.title)
        return (
            f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
            f"<style>{_STYLE}</style><h1>{title}</h1>"
            f"<p>{html.escape(self.about)}</p><table><tr>{heads}</tr>{''.join(cells)}</table>"
            f"{told}{left_out}{pictures}</html>\n"
        )


def write_tables(
    folder: Path,
    table: ResultTable,
    rows: Sequence[Mapping[str, str | float]],
    found: Mapping[str, Any],
    figures: Sequence[Path],
    captions: Mapping[str, str],
) -> list[Path]:
    """Write ``table.md``, ``.csv``, ``.json`` and ``index.html``, each whole or not there.

    Args:
        folder: made where it is not there.
        table: what is shown.
        rows: of the CSV file.
        found: of the JSON file.
        figures: PNG files that the page holds.
        captions: of the figures, by name.

    Returns:
        All the files, figures among them, ``index.html`` last.
    """
    write_text(folder / "table.md", table.markdown())
    write_csv(folder / "table.csv", rows)
    write_json(folder / "table.json", finite(found))
    write_text(folder / "index.html", table.page(figures, captions))
    tables = [folder / f"table.{kind}" for kind in ("md", "csv", "json")]
    return [*tables, *figures, folder / "index.html"]


def finite(value: Any) -> Any:
    """The same with null in place of numbers that JSON can't hold."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(path: Path, caption: str) -> str:
    said = html.escape(caption)
    picture = base64.b64encode(path.read_bytes()).decode()
    return (
        f"<figure><img alt='{said}' src='data:image/png;base64,{picture}'>"
        f"<figcaption>{said}</figcaption></figure>"
    )
