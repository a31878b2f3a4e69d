"""The report's sections on strain: curves, bull's eyes, arrows, and a table of every region."""

from html import escape
from typing import Final

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.plots.figures import volume_chart
from facewarp.cardiac.plots.svg import ABOUT_REST, RISING, Curve, bulls_eye, hex_color, line_chart
from facewarp.cardiac.plots.volume_chart import LINE_COLORS
from facewarp.cardiac.quantification.strain import Strain
from facewarp.cardiac.report.page_images import motion_arrows
from facewarp.cardiac.report.strain_table import peak

_LEVEL_COLORS: Final = ("#7b3294", "#2c8a8f", "#c28a00")


def strain_section(result: CineResult) -> str:
    """Curves over the cycle and bull's eyes of peaks; or that there is no wall to measure."""
    strain = result.strain
    if strain is None:
        return "<section><h2>Strain</h2><p>The labels show no closed wall.</p></section>"
    charts = "".join(
        f"<div>{_strain_curve(result, strain, name, title)}</div>"
        for name, title in (
            ("circumferential_engineering", "circumferential strain, %"),
            ("radial_engineering", "radial strain, %"),
        )
    )
    notes = "".join(f" {escape(note[0].upper() + note[1:])}." for note in strain.segments.notes)
    return (
        f"<section><h2>Strain of the left ventricle</h2><div class='two'>{charts}</div></section>"
        f"<section><h2>Segments</h2><div class='eyes'>{_eyes(result, strain)}</div>"
        f"<p class='small'>{escape(strain.segments.model)}: base outside, anterior wall at the "
        f"top, septum on the left.{notes}</p></section>"
    )


def motion_section(result: CineResult) -> str:
    """Where the wall's edges go from end-diastole to end-systole."""
    if result.strain is None:
        return ""
    figures = "".join(
        f"<figure>{svg}<figcaption>{escape(name)}</figcaption></figure>"
        for name, svg in motion_arrows(result, result.strain)
    )
    return (
        f"<section><h2>Motion of the wall</h2><div class='arrows'>{figures}</div>"
        "<p class='small'>End-diastole, with arrows to where the wall's inner (orange) and outer "
        "(yellow) edge are at end-systole, at true scale. Motion along the wall has no visible "
        "edge and is a guess.</p></section>"
    )


def strain_by_region(result: CineResult) -> str:
    """Peaks of every region, and when they are reached."""
    if result.strain is None:
        return ""
    step = _step_s(result)
    rows = []
    for region in result.strain.regions:
        around = peak(region.circumferential_engineering, False, result.ed, step)
        outwards = peak(region.radial_engineering, True, result.ed, step)
        cells = [
            f"{around.value:.1f}",
            _when(around.phase, around.time_s, result),
            f"{outwards.value:.1f}",
            _when(outwards.phase, outwards.time_s, result),
            f"{region.thickness_mm[result.ed]:.1f}",
            f"{region.thickening.max():.0f}",
        ]
        number = f"{region.number} " if region.kind == "segment" else ""
        shown = "".join(f"<td class='n'>{cell}</td>" for cell in cells)
        rows.append(f"<tr><td>{number}{escape(region.name)}</td>{shown}</tr>")
    head = "".join(
        f"<th class='n'>{name}</th>"
        for name in (
            "peak circ., %", "reached", "peak radial, %", "reached", "wall at ED, mm",
            "thickening, %",
        )
    )  # fmt: skip
    return (
        "<section style='break-inside:auto'><h2>Strain by region</h2>"
        f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"
        "<p class='small'>Engineering strain; Green-Lagrange strain and whole curves are in "
        "strain.csv.</p></section>"
    )


def _strain_curve(result: CineResult, strain: Strain, name: str, title: str) -> str:
    chart = volume_chart(result.seen)
    found = [strain.region("global"), *(strain.region("level", n) for n in (1, 2, 3))]
    colors = [hex_color(LINE_COLORS[3]), *_LEVEL_COLORS]  # type: ignore[index]
    curves = [
        Curve("all" if region.kind == "global" else region.name, getattr(region, name), color)
        for region, color in zip(found, colors, strict=True)
        if region is not None
    ]
    return line_chart(chart.places, curves, chart.x_name, title, chart.marks, (480, 240))


def _eyes(result: CineResult, strain: Strain) -> str:
    segments = [region for region in strain.regions if region.kind == "segment"]

    def peaks(name: str, largest: bool) -> dict[int, float]:
        curves = {region.number: getattr(region, name) for region in segments}
        return {n: float(c.max() if largest else c.min()) for n, c in curves.items()}

    around = peaks("circumferential_engineering", False)
    thick = {region.number: float(region.thickness_mm[result.ed]) for region in segments}
    when = {
        region.number: float(
            peak(region.circumferential_engineering, False, result.ed, _step_s(result)).time_s
            or 0.0
        )
        * 1000
        for region in segments
    }
    eyes = [
        bulls_eye(around, "peak circumferential", "%", (-30, 10), ABOUT_REST),
        bulls_eye(peaks("radial_engineering", True), "peak radial", "%", (0, 80), RISING),
        bulls_eye(thick, "wall at ED", "mm", (4, 16), RISING, 1),
    ]
    if _step_s(result) is not None:
        longest = max(100.0, 1000 * (_step_s(result) or 0) * len(result.cine.frames))
        eyes.append(bulls_eye(when, "time to peak circ.", "ms", (0, round(longest)), RISING))
    else:
        eyes.append(bulls_eye(peaks("thickening", True), "peak thickening", "%", (0, 80), RISING))
    return "".join(eyes)


def _when(phase: int, time_s: float | None, result: CineResult) -> str:
    if time_s is not None:
        return f"{1000 * time_s:.0f} ms"
    return f"phase {result.cine.frames[phase]}"


def _step_s(result: CineResult) -> float | None:
    return result.cine.volume.time_step_s if result.cine.is_whole else None
