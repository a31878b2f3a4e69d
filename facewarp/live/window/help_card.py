"""The help card of the window: what every key does and what is set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from facewarp.drawing.compositing import Overlay, put
from facewarp.drawing.palette import DIM, GREEN, INK, Color
from facewarp.drawing.text import LINE_EM, panel, rounded, text_width, write

_CAP: Final[Color] = (58, 63, 76)
_CAP_SET: Final[Color] = (34, 104, 72)
_LINE: Final[Color] = (70, 75, 88)

_COLUMN_EM: Final = 14.5
_ROW_EM: Final = 1.95
_INSET_EM: Final = 1.6


@dataclass(frozen=True)
class Row:
    """A line of the card.

    Attributes:
        keys: what to press, one cap each.
        does: what that does.
        value: what is set, written at the end of the line.
        is_set: whether it is what is on.
    """

    keys: tuple[str, ...]
    does: str
    value: str = ""
    is_set: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and its lines."""

    title: str
    rows: tuple[Row, ...]


@lru_cache(maxsize=16)
def help_card(columns: tuple[tuple[Section, ...], ...], title: str, em_px: int) -> Overlay:
    """Return the card as an overlay, read-only.

    Args:
        columns: sections of each column.
        title: in the top left.
        em_px: size of its text in px.
    """
    inset, column = round(_INSET_EM * em_px), round(_COLUMN_EM * em_px)
    head = round(2.6 * em_px)
    body = max(_height(sections, em_px) for sections in columns)
    width = 2 * inset + column * len(columns) + inset * (len(columns) - 1)
    height = round(1.5 * inset) + head + body
    card = panel(width, height, round(0.9 * em_px), alpha=0.86, edge=0.14).copy()
    write(card, title, inset, inset, round(1.25 * em_px), INK, bold=True)
    hint = "h or Esc closes this"
    small = round(0.85 * em_px)
    write(card, hint, width - inset - text_width(hint, small), inset + em_px // 3, small, DIM)
    rule = inset + round(2.05 * em_px)
    put(card, rounded(width - 2 * inset, max(1, em_px // 16), 0), inset, rule, _LINE)
    for index, sections in enumerate(columns):
        y = inset + head
        for section in sections:
            y = _draw_section(card, section, inset + index * (column + inset), y, column, em_px)
    card.flags.writeable = False
    return card


def fitting_em(
    columns: Sequence[Sequence[Section]], image_shape: tuple[int, ...], em_px: int
) -> int:
    """Return the size of text, at most `em_px`, with which the card fits onto an image."""
    width_em = _COLUMN_EM * len(columns) + _INSET_EM * (len(columns) + 1)
    height_em = max(_height(c, 100) for c in columns) / 100 + 1.5 * _INSET_EM + 2.6
    fits = min(0.96 * image_shape[1] / width_em, 0.96 * image_shape[0] / height_em)
    return max(5, min(em_px, int(fits)))


def _height(sections: Sequence[Section], em_px: int) -> int:
    rows = sum(len(section.rows) for section in sections)
    return round(em_px * (_ROW_EM * rows + 1.8 * len(sections) + 0.5 * (len(sections) - 1)))


def _draw_section(card: Overlay, section: Section, x: int, y: int, width: int, em_px: int) -> int:
    """Draw a section; return the y at which the next one begins."""
    small = round(0.85 * em_px)
    write(card, section.title, x, y, small, GREEN, bold=True)
    y += round(1.8 * em_px)
    line = round(LINE_EM * em_px)
    height = round(1.5 * em_px)
    indent = 3.9 if max(len(row.keys) for row in section.rows) > 1 else 2.3
    if any(len(key) > 1 for row in section.rows for key in row.keys):
        indent = 3.9
    for row in section.rows:
        left = x
        for key in row.keys:
            left += _draw_cap(card, key, left, y, height, em_px, row.is_set)
        left = max(left + round(0.3 * em_px), x + round(indent * em_px))
        middle = y + (height - line) // 2
        write(card, row.does, left, middle, em_px, INK, bold=row.is_set)
        if row.value:
            right = x + width - text_width(row.value, em_px)
            write(card, row.value, right, middle, em_px, GREEN if row.is_set else DIM)
        y += round(_ROW_EM * em_px)
    return y + round(0.5 * em_px)


def _draw_cap(
    card: Overlay, key: str, x: int, y: int, height: int, em_px: int, is_set: bool
) -> int:
    """Draw a key's cap; return how far the next one is."""
    small = round(0.9 * em_px)
    width = max(height, text_width(key, small) + round(0.9 * em_px))
    put(card, rounded(width, height, round(0.35 * em_px)), x, y, _CAP_SET if is_set else _CAP)
    left = x + (width - text_width(key, small)) // 2
    write(card, key, left, y + (height - round(LINE_EM * small)) // 2, small, INK)
    return width + round(0.3 * em_px)
