"""Charts of many patients as SVG text: histograms and Bland-Altman plots."""

from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.plots.svg import svg_open, svg_text
from facewarp.cardiac.plots.volume_chart import round_step
from facewarp.core.arrays import FloatArray

_GRAY: Final = "#cdcfd4"
_BAR: Final = "#2c8a8f"
_ODD: Final = "#b33a2b"
_LIMIT: Final = 3.5  # robust standard deviations from the median


def outliers(values: FloatArray) -> NDArray[np.bool_]:
    """Detect outliers: values over 3.5 robust standard deviations from the median.

    A robust standard deviation is 1.4826 times the median absolute deviation (Iglewicz and
    Hoaglin 1993). Fewer than five values have no outlier.
    """
    known = values[np.isfinite(values)]
    if len(known) < 5:
        return np.zeros(values.shape, dtype=bool)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    if spread == 0:
        return np.zeros(values.shape, dtype=bool)
    return np.asarray(np.isfinite(values) & (np.abs(values - middle) > _LIMIT * spread))


def limits_of_agreement(found: FloatArray, true: FloatArray) -> tuple[float, float]:
    """Return bias, found minus true, and 1.96 standard deviations of the differences.

    J. M. Bland, D. G. Altman, Lancet 1:307-310, 1986.
    """
    apart = found - true
    return float(apart.mean()), float(1.96 * apart.std(ddof=1)) if len(apart) > 1 else 0.0


def histogram(values: FloatArray, title: str, size: tuple[int, int] = (300, 170)) -> str:
    """Render a histogram over patients; outliers have another color.

    Args:
        values: of all patients, NaN where missing.
        title: of the values, with unit.
        size: width and height, px.
    """
    width, height = size
    left, right, top, bottom = 30, width - 10, 24, height - 26
    known = values[np.isfinite(values)]
    odd = values[outliers(values)]
    out = [svg_open(width, height, title), svg_text(4, 13, title, "start", weight=600)]
    if not known.size:
        return "".join([*out, svg_text(width / 2, height / 2, "none", "middle"), "</svg>"])
    low, high = float(known.min()), float(known.max())
    step = round_step(max(high - low, 1e-6), 10)
    edges = np.arange(np.floor(low / step), np.floor(high / step) + 2) * step
    counts, _ = np.histogram(known, edges)
    of_odd, _ = np.histogram(odd, edges)
    most = max(int(counts.max()), 1)
    bar = (right - left) / len(counts)
    for tick in sorted({0, most}):
        y = bottom - (bottom - top) * tick / most
        out.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{_GRAY}" stroke-width=".7"/>')
        out.append(svg_text(left - 4, y + 4, str(tick), "end"))
    for index, (count, strange) in enumerate(zip(counts, of_odd, strict=True)):
        for number, color in ((count, _BAR), (strange, _ODD)):
            tall = (bottom - top) * number / most
            place = f'x="{left + bar * index + 0.5:.1f}" y="{bottom - tall:.1f}"'
            out.append(f'<rect {place} width="{bar - 1:.1f}" height="{tall:.1f}" fill="{color}"/>')
    every = -(-len(edges) // 6)
    for index in range(0, len(edges), every):
        out.append(svg_text(left + bar * index, bottom + 15, f"{edges[index]:g}", "middle"))
    return "".join([*out, "</svg>"])


def bland_altman(
    found: FloatArray,
    true: FloatArray,
    names: list[str],
    title: str,
    size: tuple[int, int] = (300, 210),
) -> str:
    """Render a Bland-Altman plot: differences against means, bias, 95 % limits of agreement.

    Args:
        found: of each patient.
        true: by the reader's labels.
        names: of the patients, as tooltips.
        title: of the values, with unit.
        size: width and height, px.
    """
    width, height = size
    left, right, top, bottom = 42, width - 48, 26, height - 32
    mean, apart = (found + true) / 2, found - true
    bias, limit = limits_of_agreement(found, true)
    reach = 1.15 * max(float(np.abs(apart).max()), abs(bias) + limit, 1e-6)
    low, high = float(mean.min()), float(mean.max())
    margin = 0.06 * max(high - low, 1e-6)

    def x_of(value: float) -> float:
        return left + (right - left) * (value - low + margin) / (high - low + 2 * margin)

    def y_of(value: float) -> float:
        return (top + bottom) / 2 - (bottom - top) / 2 * value / reach

    out = [svg_open(width, height, f"Bland-Altman: {title}")]
    out.append(svg_text(4, 13, title, "start", weight=600))
    step = round_step(2 * reach, 4)
    for tick in np.arange(np.ceil(-reach / step) * step, reach, step):
        out.append(svg_text(left - 5, y_of(float(tick)) + 4, f"{tick + 0.0:g}", "end"))
    step = round_step(max(high - low, 1e-6), 4)
    for tick in np.arange(np.ceil(low / step) * step, high + 1e-9, step):
        out.append(svg_text(x_of(float(tick)), bottom + 14, f"{tick:g}", "middle"))
    for value, dash in ((0.0, ""), (bias, ""), (bias - limit, "4 3"), (bias + limit, "4 3")):
        color = _GRAY if value == 0.0 and dash == "" and bias != 0.0 else _ODD
        style = f'stroke="{color}" stroke-width="1" stroke-dasharray="{dash}"'
        out.append(f'<path d="M{left} {y_of(value):.1f}H{right}" {style}/>')
        if color == _ODD:
            out.append(svg_text(right + 4, y_of(value) + 4, f"{value:+.1f}", "start", _ODD))
    for x, y, name in zip(mean, apart, names, strict=True):
        place = f'cx="{x_of(float(x)):.1f}" cy="{y_of(float(y)):.1f}"'
        out.append(
            f'<circle {place} r="3" fill="{_BAR}" fill-opacity=".75">'
            f"<title>{escape(name)}: {y:+.1f}</title></circle>"
        )
    out.append(svg_text((left + right) / 2, height - 3, "mean of found and true", "middle"))
    return "".join([*out, "</svg>"])
