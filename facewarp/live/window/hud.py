"""Overlay of the live image: speed, latency, faces, recording, and messages.

Everything lies in a few small boxes; the rest of the image is not touched, and what is written
scales with it. Numbers change four times a second, so that they can be read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import Overlay, blend, put
from facewarp.drawing.palette import AMBER, DIM, GRAY, GREEN, INK, RED, STATE_COLORS, Color
from facewarp.drawing.text import LINE_EM, disc, em_of, panel, text_width, write
from facewarp.live.interfaces import Record
from facewarp.live.timing import LiveStats

_NUMBERS_S: Final = 0.25  # how long numbers stay as they are
_TOAST_S: Final = 2.6
_FACES_SHOWN: Final = 4


@dataclass(frozen=True)
class Item:
    """A piece of text in a bar, with a dot before it if it has a colour for one."""

    text: str
    color: Color = INK
    dot: Color | None = None
    bold: bool = False


@dataclass(frozen=True)
class _Toast:
    text: str
    dot: Color
    until: float


class Hud:
    """The overlay of a live image.

    Attributes:
        shown: whether speed and faces are written; recording, notices and messages always are.
    """

    def __init__(self) -> None:
        self.shown = True
        self._numbers: Mapping[str, Any] = {}
        self._numbers_until = -math.inf
        self._recorded_from: float | None = None
        self._toast: _Toast | None = None

    def say(self, text: str, now: float, *, is_error: bool = False) -> None:
        """Display a message for a moment.

        Args:
            text: one line.
            now: seconds of the clock that `draw` is given.
            is_error: whether something did not work.
        """
        seconds = _TOAST_S + 0.04 * max(len(text) - 30, 0)
        self._toast = _Toast(_sentence(text), RED if is_error else GREEN, now + seconds)

    def draw(
        self,
        image: NDArray[np.uint8],
        records: Sequence[Record],
        stats: LiveStats,
        now: float,
    ) -> None:
        """Draw the overlay onto an image, in place.

        Args:
            image: (H, W, 3) uint8 RGB.
            records: the faces of the frame; see `facewarp.media.track_records.FIELDS`.
            stats: the session's.
            now: seconds of any one clock.
        """
        em = em_of(image.shape)
        gap = round(0.7 * em)
        width, height = image.shape[1], image.shape[0]
        if now >= self._numbers_until:
            self._numbers, self._numbers_until = stats.snapshot(), now + _NUMBERS_S
        if self.shown:
            items = _faces(records) + _speed(self._numbers)
            blend(image, bar(_fitting(items, em, width - 2 * gap), em), gap, gap)
        recorded = self._recorded(stats, now)
        if recorded is not None:
            red = RED if recorded % 1.0 < 0.6 else GRAY
            label = bar((Item(f"REC {clock(recorded)}", dot=red, bold=True),), em)
            below = gap if not self.shown or width > 34 * em else 2 * gap + label.shape[0]
            blend(image, label, width - gap - label.shape[1], below)
        if stats.notice:
            large = round(1.25 * em)
            item = Item(_sentence(stats.notice), dot=GRAY if stats.paused else AMBER)
            card = bar((_shortened(item, large, width - 2 * gap),), large)
            place = (width - card.shape[1]) // 2, (height - card.shape[0]) // 2
            blend(image, card, *place)
        if self._toast is not None and now < self._toast.until:
            item = _shortened(Item(self._toast.text, dot=self._toast.dot), em, width - 2 * gap)
            label = bar((item,), em)
            place = (width - label.shape[1]) // 2, height - gap - label.shape[0]
            blend(image, label, *place)

    def _recorded(self, stats: LiveStats, now: float) -> float | None:
        """Return the seconds since the recording began; None if none is on."""
        if stats.recording is None:
            self._recorded_from = None
            return None
        if self._recorded_from is None:
            self._recorded_from = now
        return now - self._recorded_from


def clock(seconds: float) -> str:
    """Format a duration as 0:07, 12:03 or 1:00:00."""
    minutes, second = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


@lru_cache(maxsize=256)
def bar(items: tuple[Item, ...], em_px: int) -> Overlay:
    """Return pieces of text in a row on a round-ended panel, read-only."""
    inset, between = round(0.75 * em_px), round(1.1 * em_px)
    height = round(1.75 * em_px)
    width = 2 * inset + sum(_width(item, em_px) for item in items) + between * (len(items) - 1)
    overlay = panel(width, height, height // 2, edge=0.10).copy()
    x, y = inset, (height - round(LINE_EM * em_px)) // 2
    for item in items:
        start = x
        if item.dot is not None:
            mark = disc(_dot_px(em_px))
            put(overlay, mark, x, (height - mark.shape[0] + em_px // 10) // 2, item.dot)
            x += round(0.95 * em_px)
        write(overlay, item.text, x, y, em_px, item.color, item.bold)
        x = start + _width(item, em_px) + between
    overlay.flags.writeable = False
    return overlay


def _width(item: Item, em_px: int) -> int:
    return text_width(item.text, em_px, item.bold) + (round(0.95 * em_px) if item.dot else 0)


def _dot_px(em_px: int) -> int:
    return max(4, round(0.5 * em_px))


def _faces(records: Sequence[Record]) -> tuple[Item, ...]:
    """Return a dot and the confidence of each face; the state in words of a single face."""
    if not records:
        return (Item("no face", DIM, GRAY),)
    items = []
    for record in records[:_FACES_SHOWN]:
        state = str(record["state"])
        confidence = "" if state == "lost" else f"{record['confidence']:.0%}"
        words = f"{state} {confidence}".strip() if len(records) == 1 else confidence or state
        items.append(Item(words, INK, STATE_COLORS.get(state, GRAY)))
    if len(records) > _FACES_SHOWN:
        items.append(Item(f"+{len(records) - _FACES_SHOWN}", DIM))
    return tuple(items)


def _speed(numbers: Mapping[str, Any]) -> tuple[Item, ...]:
    fps, age, dropped = (numbers.get(name) for name in ("fps", "age_ms", "dropped"))
    items = [
        Item("- fps" if fps is None else f"{fps:.1f} fps"),
        Item("- ms" if age is None else f"{age:.0f} ms"),
    ]
    if dropped:
        items.append(Item(f"{dropped} dropped", AMBER))
    return tuple(items)


def _fitting(items: tuple[Item, ...], em_px: int, width: int) -> tuple[Item, ...]:
    """Return the first items, as many as fit into a width."""
    while len(items) > 1 and bar(items, em_px).shape[1] > width:
        items = items[:-1]
    return items


def _shortened(item: Item, em_px: int, width: int) -> Item:
    """Return an item whose bar fits into a width: its text loses its middle."""
    text, keep = item.text, len(item.text)
    while keep > 8 and bar((item,), em_px).shape[1] > width:
        keep -= 4
        item = Item(f"{text[: keep // 2]} ... {text[-(keep // 2) :]}", item.color, item.dot)
    return item


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
