"""Figures of a cine's result: the contact sheet, and the frames of the movie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facewarp.cardiac.cine_result import CineResult, SeenCine
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.plots.short_axis_view import HeartView
from facewarp.cardiac.plots.volume_chart import (
    INK,
    LINE_COLORS,
    MARKER,
    PAPER,
    Chart,
    Color,
    Line,
)
from facewarp.core.arrays import ImageArray

_GAP: Final = 6
_MARGIN: Final = 46
_CAPTION: Final = 24
_HEAD: Final = 44
_CHART: Final = 300
_TABLE: Final = 330
_WIDEST: Final = 10  # slices beside each other
_FILM_SLICES: Final = 6
_FILM_PX: Final = 220  # height of a slice in it
_TABLE_PX: Final = 190  # of one in the table
_NAMES: Final = {HeartPart.LV: "LV", HeartPart.RV: "RV", HeartPart.MYOCARDIUM: "myocardium"}


def sheet(result: CineResult, table: ImageArray) -> ImageArray:
    """Render the contact sheet: each slice at ED and ES with contours, volume curve, indices.

    Args:
        result: what was found.
        table: of the slices, see `contour_tables`.

    Returns:
        ``(H, W, 3)`` RGB.
    """
    total = max(table.shape[1], _MARGIN + _TABLE + 480)
    canvas = Image.new("RGB", (total, table.shape[0] + _CHART), PAPER)
    canvas.paste(Image.fromarray(table), (0, 0))
    curve = volume_chart(result.seen).draw(total - _TABLE - _MARGIN, _CHART - 10)
    canvas.paste(Image.fromarray(curve), (_GAP, table.shape[0]))
    _write_indices(ImageDraw.Draw(canvas), result, total - _TABLE, table.shape[0] + 22)
    return np.asarray(canvas)


def contour_tables(seen: SeenCine, titles: Sequence[str]) -> list[ImageArray]:
    """Render each slice at ED and ES with contours, once for each title that stands above."""
    rows = {"ED": seen.ed, "ES": seen.es}
    pictures = _slices_of(heart_view(seen, _TABLE_PX), rows)
    return [_table_of(pictures, rows, title) for title in titles]


def slice_table(view: HeartView, rows: Mapping[str, int], title: str) -> ImageArray:
    """Render each slice of some phases with contours, one row a phase.

    Args:
        view: of the heart.
        rows: the name of each row and its phase.
        title: written above.
    """
    return _table_of(_slices_of(view, rows), rows, title)


def _slices_of(view: HeartView, rows: Mapping[str, int]) -> list[list[ImageArray]]:
    return [[view.picture(phase, z) for phase in rows.values()] for z in range(view.slices)]


def _table_of(
    pictures: Sequence[Sequence[ImageArray]], rows: Mapping[str, int], title: str
) -> ImageArray:
    height, width = pictures[0][0].shape[:2]
    columns = min(len(pictures), _WIDEST)
    blocks = -(-len(pictures) // columns)
    block = _CAPTION + len(rows) * (height + _GAP)
    margin = _MARGIN + max(0, *(9 * (len(name) - 2) for name in rows))
    total = margin + columns * (width + _GAP) + _GAP
    canvas = Image.new("RGB", (total, _HEAD + blocks * block), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP + 4, _HEAD / 2), title, INK, _font(22), anchor="lm")
    for z, column in enumerate(pictures):
        x = margin + (z % columns) * (width + _GAP)
        top = _HEAD + (z // columns) * block
        draw.text(
            (x + width / 2, top + _CAPTION / 2), _caption(z, len(pictures)), INK, _font(13), "mm"
        )
        for row, (name, picture) in enumerate(zip(rows, column, strict=True)):
            y = top + _CAPTION + row * (height + _GAP)
            canvas.paste(Image.fromarray(picture), (x, y))
            if z % columns == 0:
                draw.text((margin - 10, y + height / 2), name, INK, _font(15), anchor="rm")
    return np.asarray(canvas)


def _caption(z: int, count: int) -> str:
    """Return a slice's caption: its number, and whether it is the base or the apex."""
    end = ", base" if z == 0 else ", apex" if z == count - 1 else ""
    return f"slice {z + 1}{end}"


def volume_chart(seen: SeenCine) -> Chart:
    """Render the volumes of all parts over the phases, or over time where the file has it."""
    step = seen.cine.volume.time_step_s
    known = step is not None and seen.cine.is_whole
    frames = seen.cine.frames
    places = [1000 * (f - 1) * step if known and step else float(f) for f in frames]
    lines = [
        Line(name, seen.volumes_ml[:, part].tolist(), LINE_COLORS[part])
        for part, name in _NAMES.items()
    ]
    marks = {places[seen.ed]: "ED", places[seen.es]: "ES"}
    return Chart(places, lines, "time, ms" if known else "phase", "ml", marks)


def film_slices(seen: SeenCine) -> Iterator[ImageArray]:
    """Render some slices of every phase with contours, see `mosaic`."""
    view = heart_view(seen, _FILM_PX)
    return (mosaic(view, phase) for phase in range(len(seen.cine.frames)))


def film(seen: SeenCine, pictures: Iterable[ImageArray]) -> Iterator[ImageArray]:
    """Render a movie frame a phase: slices from base to apex with contours, and the curve.

    Args:
        seen: what was seen.
        pictures: of `film_slices`.
    """
    chart = volume_chart(seen)
    tall = 2 * (_FILM_PX // 2)
    top, bottom = chart.rows(tall)
    curve = None
    for slices, place in zip(pictures, chart.places, strict=True):
        total = slices.shape[1]
        curve = chart.draw(total, tall) if curve is None else curve
        strip = curve.copy()
        at = round(chart.x(place, total) * 16)
        line = ((at, top * 16), (at, bottom * 16))
        cv2.line(strip, *line, MARKER, 1, cv2.LINE_AA, 4)
        yield np.concatenate([slices, strip])


def mosaic(view: HeartView, phase: int, rows: int = 2) -> ImageArray:
    """Render some slices of one phase with contours, from base to apex."""
    slices = view.heart_slices
    if len(slices) > _FILM_SLICES:
        chosen = np.linspace(0, len(slices) - 1, _FILM_SLICES + 2)[1:-1]
        slices = tuple(slices[round(i)] for i in chosen)
    columns = -(-len(slices) // rows)
    shown = [view.picture(phase, z) for z in slices]
    height, width = shown[0].shape[:2]
    frame = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, picture in enumerate(shown):
        y, x = index // columns * height, index % columns * width
        frame[y : y + height, x : x + width] = picture
    return frame


def heart_view(seen: SeenCine, size_px: int) -> HeartView:
    """Return the view of the heart that was seen, with its labels."""
    return HeartView(seen.cine.volume, seen.labels, seen.turn, size_px, seen.gray_levels)


def _write_indices(draw: ImageDraw.ImageDraw, result: CineResult, x: int, y: int) -> None:
    found = result.indices
    rows: list[Sequence[str]] = [("", "LV", "RV")]
    for name, unit, digits in (
        ("edv", "ml", 1), ("esv", "ml", 1), ("sv", "ml", 1), ("ef", "percent", 1),
        ("co", "l_min", 2),
    ):  # fmt: skip
        values = [getattr(side, f"{name}_{unit}") for side in (found.lv, found.rv)]
        shown = ["-" if value is None else f"{value:.{digits}f}" for value in values]
        label = {"percent": "%", "l_min": "l/min"}.get(unit, unit)
        rows.append((f"{name.upper()}, {label}", *shown))
    rows.append(("LV mass, g", f"{found.lv_mass_g:.1f}", ""))
    if found.heart_rate_bpm is not None:
        rows.append(("heart rate, bpm", f"{found.heart_rate_bpm:.0f}", ""))
    rows.append(("agreement at ES, %", f"{100 * result.quality.agreement[result.es]:.0f}", ""))
    for index, (name, left, right) in enumerate(rows):
        middle = y + 26 * index
        draw.text((x, middle), name, INK, _font(15), anchor="lm")
        draw.text((x + 225, middle), left, _shade(index, HeartPart.LV), _font(15), anchor="rm")
        draw.text((x + 300, middle), right, _shade(index, HeartPart.RV), _font(15), anchor="rm")


def _shade(row: int, part: HeartPart) -> Color:
    return LINE_COLORS[part] if row == 0 else INK


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
