"""Contact sheets: images in rows and columns with captions."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_GAP: Final = 10
_CAPTION: Final = 30
_PAPER: Final = (250, 250, 248)
_INK: Final = (35, 38, 46)


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    height_px: int = 220,
) -> NDArray[np.uint8]:
    """Lay out images in a table with captions.

    Args:
        rows: images HxWx3 RGB, the same number in each row; they are scaled to one height, so the
            images of a column should have one aspect ratio.
        row_names: caption at the left of each row.
        column_names: caption above each column.
        height_px: height of each image.

    Returns:
        HxWx3 uint8 RGB.
    """
    scaled = [[_to_height(image, height_px) for image in row] for row in rows]
    widths = [max(row[i].shape[1] for row in scaled) for i in range(len(column_names))]
    margin = 92
    width = margin + sum(w + _GAP for w in widths)
    height = _CAPTION + len(scaled) * (height_px + _GAP)
    canvas = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=15)
    x = margin
    for name, column_width in zip(column_names, widths, strict=True):
        draw.text((x + column_width / 2, _CAPTION / 2), name, _INK, font, anchor="mm")
        x += column_width + _GAP
    for index, (name, row) in enumerate(zip(row_names, scaled, strict=True)):
        y = _CAPTION + index * (height_px + _GAP)
        draw.text((margin - _GAP, y + height_px / 2), name, _INK, font, anchor="rm")
        x = margin
        for image, column_width in zip(row, widths, strict=True):
            offset = (column_width - image.shape[1]) // 2
            canvas.paste(Image.fromarray(image), (x + offset, y))
            x += column_width + _GAP
    return np.asarray(canvas)


def tile_sheet(
    tiles: Sequence[tuple[str, NDArray[np.uint8]]], columns: int = 4, height_px: int = 300
) -> NDArray[np.uint8]:
    """Lay out captioned images row by row.

    Args:
        tiles: caption and image HxWx3 RGB; images are scaled to one height.
        columns: images in a row.
        height_px: height of each image.

    Returns:
        HxWx3 uint8 RGB.
    """
    if not tiles or columns < 1:
        raise ValueError("a sheet needs an image, and a column to put it in")
    scaled = [_to_height(image, height_px) for _, image in tiles]
    width = max(image.shape[1] for image in scaled)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = _GAP + columns * (width + _GAP), _GAP + rows * (height_px + _CAPTION + _GAP)
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=15)
    for index, ((caption, _), image) in enumerate(zip(tiles, scaled, strict=True)):
        x = _GAP + index % columns * (width + _GAP)
        y = _GAP + index // columns * (height_px + _CAPTION + _GAP)
        canvas.paste(Image.fromarray(image), (x + (width - image.shape[1]) // 2, y))
        middle = (x + width / 2, y + height_px + _CAPTION / 2)
        fitting = min(15.0, 15 * (width + _GAP) / max(font.getlength(caption), 1.0))
        draw.text(middle, caption, _INK, ImageFont.load_default(size=fitting), anchor="mm")
    return np.asarray(canvas)


def _to_height(image: NDArray[np.uint8], height_px: int) -> NDArray[np.uint8]:
    scale = height_px / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), height_px)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
