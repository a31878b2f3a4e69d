"""A cine's result as one page that needs nothing else: for the screen, and for two sheets of A4."""

import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.label_order import ORDERS
from facewarp.cardiac.plots.figures import volume_chart
from facewarp.cardiac.plots.svg import Curve, hex_color, line_chart
from facewarp.cardiac.quantification.indices import Ventricle
from facewarp.cardiac.quantification.normal_values import NORMAL_VALUES, SOURCES
from facewarp.cardiac.quantification.strain import RegionStrain
from facewarp.cardiac.report.conventions import CYCLE_S
from facewarp.cardiac.report.page_images import SeenPictures, seen_pictures
from facewarp.cardiac.report.quality_flags import quality_flags, worst_verdict
from facewarp.cardiac.report.reference_indices import reference_of
from facewarp.cardiac.report.strain_sections import motion_section, strain_by_region, strain_section
from facewarp.core.weights import find_weights, shipped_weights
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.version import __version__

_RESEARCH: Final = "Research use, not for diagnosis."
_VERDICTS: Final = {
    "ok": "no check found anything odd",
    "look": "something is worth a look",
    "bad": "something is not to be trusted",
}

_COUNTED: Final = "Volumes by counting voxels of the labels."
_SUMMED: Final = (
    "Volumes are sums of the parts' probabilities, finer than voxels: counting those of the labels "
    "gives somewhat others."
)


def write_report(result: CineResult, path: Path, pictures: SeenPictures | None = None) -> None:
    """Write the page of a result.

    Args:
        result: what was found.
        path: the ``.html`` file.
        pictures: of what was seen, where they are made already.

    Raises:
        FacewarpError: it could not be written.
    """
    page = report_page(result, pictures)
    with written(path) as temporary:
        temporary.write_text(page, "utf-8", errors="backslashreplace")


def report_page(result: CineResult, pictures: SeenPictures | None = None) -> str:
    """Return the page's HTML; pictures, style and script are in it, and it asks for nothing else.

    Args:
        result: what was found.
        pictures: of what was seen, where they are made already.
    """
    name = escape(result.cine.name)
    shown = seen_pictures(result.seen) if pictures is None else pictures
    body = [
        f"<header><h1>{name}</h1><div class='sub'>{_scan(result)}</div></header>",
        f"<div class='warning'>{_RESEARCH} {_verdict(result)}</div>",
        _tiles(result),
        f"<div class='two'>{_index_table(result)}{_volume_curve(result)}</div>",
        strain_section(result),
        _contours(shown.contours),
        _film(result, shown.film),
        motion_section(result),
        _quality(result),
        strain_by_region(result),
        _sources(),
        _model(result),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{name}: heart report</title><style>{_asset('report.css')}</style></head>"
        f"<body><main>{''.join(body)}</main><script>{_asset('report.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return resources.files("facewarp.assets").joinpath("report", name).read_text("utf-8")


def _scan(result: CineResult) -> str:
    volume, cine = result.cine.volume, result.cine
    x, y, z = volume.spacing_mm
    rate = result.indices.heart_rate_bpm
    parts = [
        f"{len(cine.frames)} phases of {volume.shape[0]} slices",
        f"{x:.2f} × {y:.2f} × {z:.1f} mm",
        f"ED phase {cine.frames[result.ed]} ({result.found_by[0]})",
        f"ES phase {cine.frames[result.es]} ({result.found_by[1]})",
        f"{rate:.0f} beats a minute" if rate else "heart rate unknown",
    ]
    return escape(" · ".join(parts))


def _verdict(result: CineResult) -> str:
    flags = quality_flags(result)
    verdict = worst_verdict(flags)
    odd = ", ".join(flag.name for flag in flags if flag.verdict != "ok")
    said = f"Quality: {_VERDICTS[verdict]}{': ' + odd if odd else ''}."
    return f"<span class='verdict {verdict}'>{verdict}</span> {escape(said)}"


def _tiles(result: CineResult) -> str:
    lv = result.indices.lv
    whole = result.strain.region("global") if result.strain else None
    shown = [
        ("LV ejection fraction", _number(lv.ef_percent, 0), "%"),
        ("LV EDV", _number(lv.edv_ml, 0), "ml"),
        ("LV ESV", _number(lv.esv_ml, 0), "ml"),
        ("LV mass", _number(result.indices.lv_mass_g, 0), "g"),
        ("circumferential strain", _peak_of(whole, "circumferential_engineering", False), "%"),
        ("radial strain", _peak_of(whole, "radial_engineering", True), "%"),
    ]
    tiles = "".join(
        f"<div class='tile'><span>{name}</span><b>{value} <small>{unit}</small></b></div>"
        for name, value, unit in shown
    )
    return f"<div class='tiles'>{tiles}</div>"


def _peak_of(region: RegionStrain | None, name: str, largest: bool) -> str:
    if region is None:
        return "–"
    curve = getattr(region, name)
    return _number(float(curve.max() if largest else curve.min()), 1)


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _index_table(result: CineResult) -> str:
    found = result.indices
    rows = []

    def row(name: str, lv: str, rv: str, key: str = "") -> None:
        normal = NORMAL_VALUES.get(key)
        said = f"{escape(normal.text)}&nbsp;<sup>{normal.source}</sup>" if normal else ""
        cells = f"<td class='n'>{lv}</td><td class='n'>{rv}</td><td>{said}</td>"
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")

    def both(name: str, attribute: str, digits: int = 0) -> None:
        sides: tuple[Ventricle, Ventricle] = (found.lv, found.rv)
        lv, rv = (_number(getattr(side, attribute), digits) for side in sides)
        row(name, lv, rv, f"lv_{attribute}")

    both("EDV, ml", "edv_ml")
    both("ESV, ml", "esv_ml")
    both("stroke volume, ml", "sv_ml")
    both("ejection fraction, %", "ef_percent", 1)
    both("cardiac output, l/min", "co_l_min", 1)
    row("mass, g", _number(found.lv_mass_g, 0), "", "lv_mass_g")
    whole = result.strain.region("global") if result.strain else None
    around = _peak_of(whole, "circumferential_engineering", False)
    row("peak circumf. strain, %", around, "", "global_circumferential_percent")
    outwards = _peak_of(whole, "radial_engineering", True)
    row("peak radial strain, %", outwards, "", "global_radial_percent")
    row("peak wall thickening, %", _peak_of(whole, "thickening", True), "")
    head = "<th></th><th class='n'>LV</th><th class='n'>RV</th><th>healthy men / women, LV</th>"
    return (
        f"<section><h2>Indices</h2><table><tr>{head}</tr>{''.join(rows)}</table>"
        f"<p class='small'>{_COUNTED if result.is_counted else _SUMMED} Strain is engineering "
        "strain (change in length), the mean over the wall. Numbers refer to the sources below.</p>"
        "</section>"
    )


def _volume_curve(result: CineResult) -> str:
    chart = volume_chart(result.seen)
    curves = [Curve(line.name, line.values, hex_color(line.color)) for line in chart.lines]
    drawn = line_chart(chart.places, curves, chart.x_name, chart.y_name, chart.marks, (480, 270))
    return f"<section><h2>Volumes</h2>{drawn}</section>"


def _contours(picture: str) -> str:
    alt = "every slice at end-diastole and end-systole with the outlines of both ventricles"
    return (
        "<section><h2>Contours</h2>"
        f"<img src='{picture}' alt='{alt}'><p class='small'>Orange: cavity of the left ventricle; "
        "yellow: outer edge of its wall; blue: right ventricle.</p></section>"
    )


def _film(result: CineResult, frames: Sequence[str]) -> str:
    if not frames:
        return ""
    step = result.cine.volume.time_step_s or CYCLE_S / len(frames)
    held = json.dumps({"pictures": list(frames), "step_ms": max(round(1000 * step), 20)})
    return (
        "<section class='screen'><h2>Cine</h2>"
        f"<img id='cine' src='{frames[result.ed]}' alt='slices of the cine with outlines'>"
        "<div class='player'><button id='play' type='button'>Play</button>"
        f"<input id='phase' type='range' min='0' max='{len(frames) - 1}' value='{result.ed}' "
        "aria-label='phase'><span id='shown' class='small'></span></div>"
        f"<script type='application/json' id='frames'>{held}</script></section>"
    )


def _quality(result: CineResult) -> str:
    rows = "".join(
        f"<tr><td><span class='verdict {flag.verdict}'>{flag.verdict}</span></td>"
        f"<td>{escape(flag.name)}</td><td>{escape(flag.value)}</td>"
        f"<td>{escape(flag.meaning)}</td></tr>"
        for flag in quality_flags(result)
    )
    every = [*result.warnings, *reference_of(result).warnings]
    said = "".join(f"<li>{escape(text)}</li>" for text in every)
    warnings = f"<ul>{said}</ul>" if said else ""
    told = "; ".join(f"{name}: {source or 'not told'}" for name, source in result.inputs.items())
    inputs = f"<p class='small'>Where the inputs are from. {escape(told)}.</p>"
    return f"<section><h2>Quality</h2><table>{rows}</table>{warnings}{inputs}</section>"


def _sources() -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in SOURCES.values())
    return (
        "<section><h2>Sources of the values of healthy adults</h2>"
        f"<ol class='sources'>{items}</ol></section>"
    )


def _model(result: CineResult) -> str:
    card = _model_card(result)
    link = "<a href='#model-card'>model card</a>" if card else "no model card"
    held = (
        f"<section class='screen' id='model-card'><h2>Model card</h2><pre>{escape(card)}</pre>"
        "</section>"
        if card
        else ""
    )
    source = escape(str(result.cine.path.name))
    labels = "the model" if result.labels_by == "model" else "a reader's file"
    if result.label_order:
        labels += f" in the order of {escape(ORDERS[result.label_order].title)}"
    return (
        f"{held}<footer>facewarp {__version__} · model {escape(result.model or 'given')} "
        f"({result.model_sha256[:16]}) · {link} · {source} · labels of end-diastole by {labels} · "
        f"{_RESEARCH}</footer>"
    )


def _model_card(result: CineResult) -> str:
    """Return the card that lies beside the weights; "" where there is none."""
    try:
        weights = find_weights(result.model) if result.model else shipped_weights("heart")
        card = weights.with_name("README.md")
        return card.read_text("utf-8") if result.model and card.is_file() else ""
    except (FacewarpError, OSError):
        return ""
