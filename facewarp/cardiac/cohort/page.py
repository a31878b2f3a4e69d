"""Cohort page: distributions, outliers, agreement with readers, failures."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import numpy as np

from facewarp.cardiac.plots.svg_statistics import (
    bland_altman,
    histogram,
    limits_of_agreement,
    outliers,
)
from facewarp.version import __version__

if TYPE_CHECKING:
    from facewarp.batch.jobs import Batch

Row = dict[str, Any]

#: What distributions are shown of, and how they are called.
SHOWN: Final[dict[str, str]] = {
    "lv_edv_ml": "LV EDV, ml",
    "lv_esv_ml": "LV ESV, ml",
    "lv_ef_percent": "LV EF, %",
    "lv_mass_g": "LV mass, g",
    "rv_edv_ml": "RV EDV, ml",
    "rv_ef_percent": "RV EF, %",
    "peak_circumferential_engineering_percent": "peak circumf. strain, %",
    "peak_radial_engineering_percent": "peak radial strain, %",
    "lowest_agreement_percent": "lowest agreement, %",
}
_TRUE: Final = (
    "lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_ef_percent",
)  # fmt: skip
_TABLE: Final = (
    ("lv_edv_ml", "LV EDV"),
    ("lv_esv_ml", "ESV"),
    ("lv_ef_percent", "EF"),
    ("lv_mass_g", "mass"),
    ("rv_edv_ml", "RV EDV"),
    ("rv_ef_percent", "EF"),
    ("peak_circumferential_engineering_percent", "circ. strain"),
    ("peak_radial_engineering_percent", "radial"),
    ("lowest_agreement_percent", "agreement"),
)


def cohort_page(cohort: "Batch", rows: Sequence[Row]) -> str:
    """Return the page's HTML, self-contained; patients' own pages are linked.

    Args:
        cohort: outcomes of the patients.
        rows: of ``cohort.csv``, in the same order.
    """
    pages = {o.name for o in cohort.outcomes if (o.target / "report.html").is_file()}
    good = [row for row in rows if row["status"] != "failed"]
    counts = {status: len(cohort.of(status)) for status in ("done", "skipped", "failed")}
    head = (
        f"{len(rows)} patients: {counts['done']} done now, {counts['skipped']} finished before, "
        f"{counts['failed']} failed"
    )
    style = resources.files("facewarp.assets").joinpath("report", "report.css").read_text("utf-8")
    body = [
        f"<header><h1>Cohort</h1><div class='sub'>{head}</div></header>",
        "<div class='warning'>Research use, not for diagnosis.</div>",
        _failed(rows),
        _distributions(good),
        _outliers(good, pages),
        _agreement(good),
        _patients(good, pages),
        f"<footer>facewarp {__version__}</footer>",
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Hearts of {len(rows)} patients</title><style>{style}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _failed(rows: Sequence[Row]) -> str:
    failed = [row for row in rows if row["status"] == "failed"]
    if not failed:
        return ""
    items = "".join(
        f"<tr><td>{escape(row['patient'])}</td><td>{escape(row['error'])}</td></tr>"
        for row in failed
    )
    return f"<section><h2>Failed</h2><table>{items}</table></section>"


def _distributions(rows: Sequence[Row]) -> str:
    charts = "".join(f"<div>{histogram(_column(rows, n), t)}</div>" for n, t in SHOWN.items())
    return (
        f"<section><h2>Distributions</h2><div class='arrows'>{charts}</div>"
        "<p class='small'>Patients by value; those that stand out in red.</p></section>"
    )


def _outliers(rows: Sequence[Row], pages: set[str]) -> str:
    said: dict[str, list[str]] = {}
    for name, title in SHOWN.items():
        values = _column(rows, name)
        middle = float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0
        for index in np.flatnonzero(outliers(values)).tolist():
            text = f"{title} {values[index]:.0f} (median {middle:.0f})"
            said.setdefault(rows[index]["patient"], []).append(text)
    for row in rows:
        if "repeats" in row:
            text = f"{row['repeats']}: one scan under two names counts twice here"
            said.setdefault(row["patient"], []).append(text)
        if row["quality"] == "bad":
            said.setdefault(row["patient"], []).append(f"quality: {row['odd']}")
    items = "".join(
        f"<tr><td>{_link(name, pages)}</td><td>{escape('; '.join(texts))}</td></tr>"
        for name, texts in sorted(said.items())
    )
    listed = f"<table>{items}</table>" if items else "<p>None.</p>"
    return (
        f"<section style='break-inside:auto'><h2>Who stands out</h2>{listed}"
        "<p class='small'>Over 3.5 robust standard deviations from the median, or a check of "
        "quality that came out bad.</p></section>"
    )


def _agreement(rows: Sequence[Row]) -> str:
    charts, lines = [], []
    for name in _TRUE:
        found, true = _column(rows, name), _column(rows, f"true_{name}")
        both = np.isfinite(found) & np.isfinite(true)
        if both.sum() < 2:
            continue
        names = [rows[index]["patient"] for index in np.flatnonzero(both).tolist()]
        title = SHOWN[name]
        charts.append(f"<div>{bland_altman(found[both], true[both], names, title)}</div>")
        bias, limit = limits_of_agreement(found[both], true[both])
        error = float(np.abs(found[both] - true[both]).mean())
        cells = [f"{error:.1f}", f"{bias:+.1f}", f"{bias - limit:+.1f} to {bias + limit:+.1f}"]
        shown = "".join(f"<td class='n'>{cell}</td>" for cell in [int(both.sum()), *cells])
        lines.append(f"<tr><td>{title}</td>{shown}</tr>")
    if not charts:
        return ""
    head = "".join(
        f"<th class='n'>{name}</th>"
        for name in ("patients", "mean absolute error", "bias", "95 % limits of agreement")
    )
    return (
        "<section style='break-inside:auto'><h2>Found against readers' labels</h2>"
        f"<div class='arrows'>{''.join(charts)}</div>"
        f"<table><tr><th></th>{head}</tr>{''.join(lines)}</table></section>"
    )


def _patients(rows: Sequence[Row], pages: set[str]) -> str:
    lines = []
    for row in rows:
        cells = "".join(f"<td class='n'>{_shown(row.get(name, ''))}</td>" for name, _ in _TABLE)
        verdict = f"<td><span class='verdict {row['quality']}'>{row['quality']}</span></td>"
        lines.append(f"<tr><td>{_link(row['patient'], pages)}</td>{verdict}{cells}</tr>")
    head = "".join(f"<th class='n'>{title}</th>" for _, title in _TABLE)
    return (
        "<section style='break-inside:auto'><h2>Patients</h2>"
        f"<table><tr><th></th><th></th>{head}</tr>{''.join(lines)}</table></section>"
    )


def _link(patient: str, pages: set[str]) -> str:
    if patient not in pages:
        return escape(patient)
    return f"<a href='{quote(patient)}/report.html'>{escape(patient)}</a>"


def _shown(value: Any) -> str:
    return "–" if value == "" else f"{value:.0f}"


def _column(rows: Sequence[Row], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = [row[name] if row.get(name, "") != "" else np.nan for row in rows]
    return np.array(values, dtype=np.float64)
