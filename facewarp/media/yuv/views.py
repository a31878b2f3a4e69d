"""Images of a video's codes that are made only where they are looked at, or painted on."""

from itertools import groupby
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.media.frames import Image

_TILE_PX: Final = 64  # side of the parts in which a canvas is made
_BESIDE: Final = 32  # part of a window's side made around it: the next one is often a bit larger

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px, x1 and y1 exclusive."""


class Windows(Protocol):
    """A picture of which parts are made, see `facewarp.media.yuv.codes.StoredCodes`."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        ...

    def window(self, box: Box) -> Image:
        """Return a box of it, (h, w, 3) RGB."""
        ...

    def sparse(self, rows: slice, columns: slice) -> Image:
        """Return every so many px of it, (h, w, 3) RGB."""
        ...


class ViewedImage:
    """The upright image (H, W, 3) RGB of codes, of which only what is looked at is made.

    It stands in for the array where windows of whole rows and columns are cut out: these are arrays
    of the same bytes, not to be changed. Anything else makes all of the image.

    Args:
        codes: Of the image.
    """

    def __init__(self, codes: Windows) -> None:
        width, height = codes.size
        self._codes, self.shape = codes, (height, width, 3)
        self.ndim, self.dtype = 3, np.dtype(np.uint8)
        self._made: tuple[Box, Image] = (0, 0, 0, 0), np.zeros((0, 0, 3), np.uint8)

    def __getitem__(self, key: Any) -> Image:
        box = _box_of(key, self.shape)
        if box is None:
            return np.asarray(np.asarray(self)[key])
        x0, y0, x1, y1 = box
        left, top, right, bottom = self._made[0]
        if x0 < left or y0 < top or x1 > right or y1 > bottom:
            beside = max(x1 - x0, y1 - y0) // _BESIDE
            left, top = max(x0 - beside, 0), max(y0 - beside, 0)
            right, bottom = min(x1 + beside, self.shape[1]), min(y1 + beside, self.shape[0])
            around = left, top, right, bottom
            self._made = around, self._codes.window(around)
        return self._made[1][y0 - top : y1 - top, x0 - left : x1 - left]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Image:
        image = self[:, :]
        return image.copy() if copy else np.asarray(image, dtype)


def _box_of(key: Any, shape: tuple[int, ...]) -> Box | None:
    """Box of a window that is cut out with all its channels; None for any other key."""
    edges = key if isinstance(key, tuple) else (key,)
    if len(edges) > 3 or not all(isinstance(edge, slice) for edge in edges):
        return None
    every = slice(None)
    rows, columns, channels = (
        edge.indices(size) for edge, size in zip((*edges, every, every)[:3], shape, strict=True)
    )
    if rows[2] != 1 or columns[2] != 1 or channels != (0, shape[2], 1):
        return None
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None
    return columns[0], rows[0], columns[1], rows[1]


class Canvas:
    """The upright image (H, W, 3) RGB of codes to be painted on, made where it is looked at.

    Windows of whole rows and columns that are cut out of it are parts of one array, as those of an
    image are: what is painted on them stays. Every so many px of it, and all of it, are what an
    image would give as well.

    Args:
        codes: Of the image before anything is painted.
    """

    def __init__(self, codes: Windows) -> None:
        width, height = codes.size
        self._codes, self.shape = codes, (height, width, 3)
        self.ndim, self.dtype = 3, np.dtype(np.uint8)
        self._image = np.empty(self.shape, np.uint8)
        self._is_made = np.zeros((-(-height // _TILE_PX), -(-width // _TILE_PX)), bool)
        self._before: list[tuple[Box, Image]] = []

    def __getitem__(self, key: Any) -> Image:
        box = _box_of(key, self.shape)
        if box is not None:
            self._make(box)
        elif (sparse := _sparse_of(key, self.shape)) is not None:
            return self._sparse(*sparse[:2])[(slice(None), slice(None), *sparse[2:])]
        else:
            self._make((0, 0, self.shape[1], self.shape[0]))
        return np.asarray(self._image[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._make(_box_of(key, self.shape) or (0, 0, self.shape[1], self.shape[0]))
        self._image[key] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Image:
        image = self[:, :]
        return image.copy() if copy else np.asarray(image, dtype)

    def pieces(self) -> list[tuple[Box, Image, Image]]:
        """Return each part that was made: its box of even px, as it was, and as it is now."""
        return [
            (box, before, self._image[box[1] : box[3], box[0] : box[2]])
            for box, before in self._before
        ]

    def _make(self, box: Box) -> None:
        """Convert those tiles of a box that are not yet."""
        x0, y0, x1, y1 = box
        top, left = y0 // _TILE_PX, x0 // _TILE_PX
        tiles = self._is_made[top : -(-y1 // _TILE_PX), left : -(-x1 // _TILE_PX)]
        if tiles.all():
            return
        for row, column, height, width in _blocks_of(~tiles):
            self._convert(top + row, left + column, height, width)
        tiles[:] = True

    def _convert(self, top: int, left: int, rows: int, columns: int) -> None:
        x0, y0 = left * _TILE_PX, top * _TILE_PX
        x1 = min(x0 + columns * _TILE_PX, self.shape[1])
        y1 = min(y0 + rows * _TILE_PX, self.shape[0])
        box = x0, y0, x1, y1
        before = self._codes.window(box)
        self._image[y0:y1, x0:x1] = before
        self._before.append((box, before))

    def _sparse(self, rows: slice, columns: slice) -> Image:
        """Every so many px, as they are painted by now."""
        found = self._codes.sparse(rows, columns)
        if not found.flags.writeable:
            found = found.copy()
        for (x0, y0, x1, y1), _ in self._before:
            (top, bottom), (left, right) = _steps_in(rows, y0, y1), _steps_in(columns, x0, x1)
            there = np.s_[
                rows.start + top * rows.step : y1 : rows.step,
                columns.start + left * columns.step : x1 : columns.step,
            ]
            found[top:bottom, left:right] = self._image[there][: bottom - top, : right - left]
        return found


def _blocks_of(wanted: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Return the first row and column, height and width of blocks that cover what is true.

    Runs of a row that the rows below have as well are one block: around a window that was made
    before lie four.
    """
    blocks: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}  # first column and the one after: first row
    rows = wanted.tolist()
    for row, tiles in enumerate([*rows, [False] * wanted.shape[1]]):
        runs, begun = set(), 0
        for is_wanted, alike in groupby(tiles):
            end = begun + len(list(alike))
            if is_wanted:
                runs.add((begun, end))
            begun = end
        for run in [run for run in growing if run not in runs]:
            first = growing.pop(run)
            blocks.append((first, run[0], row - first, run[1] - run[0]))
        for run in runs:
            growing.setdefault(run, row)
    return blocks


def _steps_in(steps: slice, low: int, high: int) -> tuple[int, int]:
    """Return the first of some steps at `low` or after it, and the first at `high` or after it."""
    count = len(range(steps.start, steps.stop, steps.step))
    first, last = (-(-(edge - steps.start) // steps.step) for edge in (low, high))
    return min(max(first, 0), count), min(max(last, 0), count)


def _sparse_of(key: Any, shape: tuple[int, ...]) -> tuple[Any, ...] | None:
    """Rows and columns of a key in steps upward, and what follows; None for any other key."""
    if not isinstance(key, tuple) or not 2 <= len(key) <= 3 or Ellipsis in key[2:]:
        return None
    if not all(isinstance(edge, slice) for edge in key[:2]):
        return None
    rows, columns = (slice(*edge.indices(size)) for edge, size in zip(key[:2], shape, strict=False))
    if min(rows.step, columns.step) < 1 or rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    return rows, columns, *key[2:]
