"""Charts as SVG text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from facewarp.cardiac.plots.volume_chart import round_step, spread

_LEFT: Final = 46
_TOP: Final = 38
_RIGHT: Final = 96
_BOTTOM: Final = 38
_GRAY: Final = "#cdcfd4"
_INK: Final = "#23262e"
#: From below to above, for values that have no middle (after viridis, lightened).
RISING: Final = ("#f4f1de", "#b7dcb0", "#5fb89b", "#2c8a8f", "#2b5b84", "#3a2a63")
#: From shortening over rest to lengthening.
ABOUT_REST: Final = ("#1c4e80", "#4a86b8", "#a9cce3", "#f7f7f5", "#e9a98f", "#b33a2b")


@dataclass(frozen=True)
class Curve:
    """One curve of a chart: name, values, and color (``#rrggbb``)."""

    name: str
    values: Sequence[float]
    color: str


def line_chart(
    places: Sequence[float],
    curves: Sequence[Curve],
    x_name: str,
    y_name: str,
    marks: Mapping[float, str],
    size: tuple[int, int] = (520, 250),
) -> str:
    """Render curves over one axis.

    Args:
        places: x values, increasing.
        curves: of y values.
        x_name: title of the x axis, with unit.
        y_name: title of the y axis, with unit.
        marks: x value -> text of a mark.
        size: width and height, px.

    Returns:
        An ``<svg>`` element.
    """
    width, height = size
    right, bottom = width - _RIGHT, height - _BOTTOM
    values = np.concatenate([np.asarray(curve.values, dtype=float) for curve in curves])
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    margin = 0.06 * max(high - low, 1e-6)
    low, high = (low - margin if low < 0 else 0.0), (high + margin if high > 0 else 0.0)
    first, last = places[0], places[-1]

    def x_of(place: float) -> float:
        return _LEFT + (right - _LEFT) * (place - first) / max(last - first, 1e-9)

    def y_of(value: float) -> float:
        return bottom - (bottom - _TOP) * (value - low) / max(high - low, 1e-9)

    out = [svg_open(width, height, f"{y_name} over {x_name}")]
    step = round_step(high - low, 5)
    for tick in np.arange(np.ceil(low / step) * step, high + 1e-9, step):
        y = y_of(float(tick))
        color = _INK if abs(tick) < step / 1e3 else _GRAY
        out.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{color}" stroke-width=".7"/>')
        out.append(svg_text(_LEFT - 6, y + 4, f"{tick + 0.0:g}", "end"))
    step = round_step(last - first, 6)
    for tick in np.arange(np.ceil(first / step) * step, last + 1e-9, step):
        out.append(svg_text(x_of(float(tick)), bottom + 15, f"{tick:g}", "middle"))
    for place, name in marks.items():
        x = x_of(place)
        line = f'stroke="{_INK}" stroke-width=".8" stroke-dasharray="3 3"'
        out.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" {line}/>')
        out.append(svg_text(x, _TOP - 5, name, "middle"))
    ends = spread([y_of(curve.values[-1]) for curve in curves], 13.0)
    for curve, end in zip(curves, ends, strict=True):
        points = [f"{x_of(p):.1f} {y_of(v):.1f}" for p, v in zip(places, curve.values, strict=True)]
        style = f'fill="none" stroke="{curve.color}" stroke-width="2" stroke-linejoin="round"'
        out.append(f'<path d="M{"L".join(points)}" {style}/>')
        out.append(svg_text(right + 7, end + 4, curve.name, "start", curve.color))
    out.append(svg_text((_LEFT + right) / 2, height - 5, x_name, "middle"))
    out.append(svg_text(4, 12, y_name, "start"))
    return "".join([*out, "</svg>"])


def bulls_eye(
    values: Mapping[int, float],
    title: str,
    unit: str,
    scale: tuple[float, float],
    colors: Sequence[str] = RISING,
    digits: int = 0,
    size: int = 210,
) -> str:
    """Render the AHA bull's eye: base outside, anterior wall at the top, septum on the left.

    Args:
        values: segment (1 to 16) -> value; missing ones are gray.
        title: above.
        unit: of the values.
        scale: values of the first and the last color.
        colors: ``#rrggbb``, evenly over the scale.
        digits: decimal places.
        size: width, px.

    Returns:
        An ``<svg>`` element.
    """
    height = size + 44
    middle = (size / 2, 22 + size / 2)
    outermost = size / 2 - 3
    out = [svg_open(size, height, title), svg_text(size / 2, 14, title, "middle", weight=600)]
    for number in range(1, 17):
        ring, index, wide = _place(number)
        outer, inner = (outermost * (3.6 - ring - k) / 3.6 for k in (0, 1))
        center = (90.0 + 60 * index) if wide == 60 else (90.0 + 90 * index)
        known = number in values and np.isfinite(values[number])
        color = _shade(values[number], scale, colors) if known else "#e6e6e6"
        path = _sector(middle, inner, outer, center - wide / 2, center + wide / 2)
        out.append(f'<path d="{path}" fill="{color}" stroke="#fff" stroke-width="1.5"/>')
        x, y = _at(middle, (inner + outer) / 2, center)
        shown = f"{values[number]:.{digits}f}" if known else "–"
        ink = "#fff" if known and _is_dark(color) else _INK
        out.append(svg_text(x, y + 4, shown, "middle", ink))
    low, high = scale
    y = height - 12
    share = 100 / len(colors)
    for index, color in enumerate(colors):
        x = size / 2 - 50 + share * index
        out.append(f'<rect x="{x:.1f}" y="{y}" width="{share:.1f}" height="8" fill="{color}"/>')
    out.append(svg_text(size / 2 - 55, y + 8, f"{low:g}", "end"))
    out.append(svg_text(size / 2 + 55, y + 8, f"{high:g} {unit}", "start"))
    return "".join([*out, "</svg>"])


def _place(number: int) -> tuple[int, int, int]:
    """Return a segment's ring from outside, its start anticlockwise from the top, its width."""
    if number <= 12:
        return (number - 1) // 6, (number - 1) % 6, 60
    return 2, number - 13, 90


def _at(middle: tuple[float, float], radius: float, degrees: float) -> tuple[float, float]:
    angle = np.radians(degrees)
    return middle[0] + radius * float(np.cos(angle)), middle[1] - radius * float(np.sin(angle))


def _sector(
    middle: tuple[float, float], inner: float, outer: float, first: float, last: float
) -> str:
    (ax, ay), (bx, by) = (_at(middle, outer, degrees) for degrees in (first, last))
    (cx, cy), (dx, dy) = (_at(middle, inner, degrees) for degrees in (last, first))
    return (
        f"M{ax:.1f} {ay:.1f}A{outer:.1f} {outer:.1f} 0 0 0 {bx:.1f} {by:.1f}"
        f"L{cx:.1f} {cy:.1f}A{inner:.1f} {inner:.1f} 0 0 1 {dx:.1f} {dy:.1f}Z"
    )


def _shade(value: float, scale: tuple[float, float], colors: Sequence[str]) -> str:
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors])
    place = np.clip((value - scale[0]) / (scale[1] - scale[0]), 0, 1) * (len(colors) - 1)
    rgb = [np.interp(place, np.arange(len(colors)), stops[:, channel]) for channel in range(3)]
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in rgb)


def _is_dark(color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue < 140


def svg_open(width: float, height: float, name: str) -> str:
    """Return the opening tag of an image, with its accessible name."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(name)}" font-size="12">'
    )


def svg_text(
    x: float, y: float, text: str, anchor: str, color: str = _INK, weight: int = 400
) -> str:
    """Return text at a position; ``anchor`` is ``"start"``, ``"middle"`` or ``"end"``."""
    bold = "" if weight == 400 else f' font-weight="{weight}"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"{bold}>'
        f"{escape(text)}</text>"
    )


def hex_color(color: tuple[int, int, int]) -> str:
    """Return a color (r, g, b), 0 to 255, as ``#rrggbb``."""
    return "#" + "".join(f"{channel:02x}" for channel in color)
