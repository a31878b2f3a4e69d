"""Chart of the volume curves as an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import ImageArray

Color = tuple[int, int, int]

PAPER: Final[Color] = (250, 250, 248)
INK: Final[Color] = (35, 38, 46)
MARKER: Final[Color] = (210, 30, 60)
FAINT: Final[Color] = (205, 207, 212)
#: The parts' colours, dark enough for lines on white paper.
LINE_COLORS: Final[dict[HeartPart, Color]] = {
    HeartPart.RV: (40, 125, 190),
    HeartPart.MYOCARDIUM: (160, 130, 0),
    HeartPart.LV: (205, 85, 10),
}
_FINER: Final = 3  # drawn so much larger, then averaged down: smooth lines


@dataclass(frozen=True)
class Line:
    """One curve of a chart.

    Attributes:
        name: at its end.
        values: y, one for each x.
        color: RGB.
    """

    name: str
    values: Sequence[float]
    color: Color


@dataclass(frozen=True)
class Chart:
    """Curves over one axis, with marks.

    Attributes:
        places: x values, increasing.
        lines: the curves.
        x_name: title of the x axis, with unit.
        y_name: title of the y axis, with unit.
        marks: x value -> text of a mark.
    """

    places: Sequence[float]
    lines: Sequence[Line]
    x_name: str
    y_name: str
    marks: dict[float, str]

    def draw(self, width: int, height: int) -> ImageArray:
        """Render the chart as ``(height, width, 3)`` RGB."""
        canvas = Image.new("RGB", (width * _FINER, height * _FINER), PAPER)
        draw = ImageDraw.Draw(canvas)
        font = ImageFont.load_default(size=13 * _FINER)
        left, top, right, bottom = self._frame(width, height)
        y_step = round_step(self._highest, 4)
        for tick in np.arange(0, self._highest + 1e-9, y_step):
            y = self._y(float(tick), height) * _FINER
            draw.line([(left * _FINER, y), (right * _FINER, y)], FAINT, _FINER)
            draw.text(((left - 7) * _FINER, y), f"{tick:g}", INK, font, anchor="rm")
        first, last = self.places[0], self.places[-1]
        x_step = round_step(last - first, 6)
        for tick in np.arange(np.ceil(first / x_step) * x_step, last + 1e-9, x_step):
            x = self.x(float(tick), width) * _FINER
            draw.text((x, (bottom + 7) * _FINER), f"{tick:g}", INK, font, anchor="mt")
        for place, name in self.marks.items():
            x = self.x(place, width) * _FINER
            draw.line([(x, top * _FINER), (x, bottom * _FINER)], INK, _FINER)
            draw.text((x, (top - 4) * _FINER), name, INK, font, anchor="mb")
        ends = spread([self._y(line.values[-1], height) for line in self.lines], 15.0)
        for line, end in zip(self.lines, ends, strict=True):
            points = [
                (self.x(place, width) * _FINER, self._y(value, height) * _FINER)
                for place, value in zip(self.places, line.values, strict=True)
            ]
            draw.line(points, line.color, round(2.4 * _FINER), joint="curve")
            for x, y in points:
                radius = 2.6 * _FINER
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], line.color)
            draw.text(((right + 8) * _FINER, end * _FINER), line.name, line.color, font, "lm")
        middle = (left + right) / 2 * _FINER
        draw.text((middle, (height - 3) * _FINER), self.x_name, INK, font, anchor="mb")
        draw.text((6 * _FINER, 4 * _FINER), self.y_name, INK, font, anchor="lt")
        return np.asarray(canvas.resize((width, height), Image.Resampling.BOX))

    def x(self, place: float, width: int) -> float:
        """Return the position of an x value in an image of a width, px."""
        left, _, right, _ = self._frame(width, 0)
        first, last = self.places[0], self.places[-1]
        return left + (right - left) * (place - first) / max(last - first, 1e-9)

    def rows(self, height: int) -> tuple[int, int]:
        """Return top and bottom of the plot area in an image of a height, px."""
        _, top, _, bottom = self._frame(0, height)
        return top, bottom

    @property
    def _highest(self) -> float:
        return max(max(line.values) for line in self.lines) * 1.08 or 1.0

    def _y(self, value: float, height: int) -> float:
        _, top, _, bottom = self._frame(0, height)
        return bottom - (bottom - top) * value / self._highest

    @staticmethod
    def _frame(width: int, height: int) -> tuple[int, int, int, int]:
        return 52, 42, width - 96, height - 44


def round_step(span: float, count: int) -> float:
    """Return a step of 1, 2 or 5 times a power of ten that divides a span into about `count`."""
    rough = max(span, 1e-9) / count
    power = 10.0 ** np.floor(np.log10(rough))
    return float(power * min((1, 2, 5, 10), key=lambda factor: abs(factor - rough / power)))


def spread(places: Sequence[float], least: float) -> list[float]:
    """Move positions so that none is nearer to another than a distance."""
    order = np.argsort(places)
    moved = np.asarray(places, dtype=np.float64).copy()
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + least)
    return [float(place) for place in moved]
