"""Contact sheets of registered pairs of faces."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core import fields
from facewarp.face.parts import PART_COLORS
from facewarp.training.datasets.crops import FaceCrop
from facewarp.training.evaluation.faces import PairResult

COLUMNS = ("fixed", "moving", "moving, warped", "true parts", "moving's parts, warped", "own parts")
_CAPTION_PX = 22
_INK, _PAPER = (40, 40, 40), 255


@dataclass(frozen=True)
class PairPicture:
    """One row of a contact sheet.

    Attributes:
        caption: above the row.
        fixed: the fixed crop.
        moving: the moving crop.
        result: of the registration.
    """

    caption: str
    fixed: FaceCrop
    moving: FaceCrop
    result: PairResult


def sheet(rows: Sequence[PairPicture]) -> NDArray[np.uint8]:
    """Render pairs one below the other.

    Each row shows, in gray, the fixed, the moving and the warped image; then the fixed image in
    the colors of its true parts, of the moving image's warped parts, and of the network's
    segmentation.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    blocks = [_row(row) for row in rows]
    width = blocks[0].shape[1]
    tile = width // len(COLUMNS)
    header = np.full((_CAPTION_PX, width, 3), _PAPER, dtype=np.uint8)
    for index, name in enumerate(COLUMNS):
        _write(header, name, index * tile + 4)
    return np.concatenate([header, *blocks])


def colored(gray: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Color a gray image (H, W) by its part ids: (H, W, 3) uint8 RGB."""
    image = np.repeat(gray[..., None], 3, axis=2)
    tinted = cv2.addWeighted(image, 0.5, PART_COLORS[labels], 0.5, 0)
    return np.where(labels[..., None] > 0, tinted, image).astype(np.uint8)


def _row(row: PairPicture) -> NDArray[np.uint8]:
    moving = torch.from_numpy(row.moving.image).float()[None, None]
    warped = fields.warp(moving, row.result.field)[0, 0].round().numpy().astype(np.uint8)
    grays = [row.fixed.image, row.moving.image, warped]
    own = row.result.own_parts
    parts = [row.fixed.labels, row.result.labels, row.fixed.labels * 0 if own is None else own]
    tiles = [np.repeat(gray[..., None], 3, axis=2) for gray in grays]
    tiles += [colored(row.fixed.image, labels) for labels in parts]
    strip = np.concatenate(tiles, axis=1)
    caption = np.full((_CAPTION_PX, strip.shape[1], 3), _PAPER, dtype=np.uint8)
    _write(caption, row.caption, 4)
    return np.concatenate([caption, strip])


def _write(canvas: NDArray[np.uint8], text: str, x: int) -> None:
    plain = text.encode("ascii", "replace").decode()  # all that OpenCV's strokes can draw
    where = (x, canvas.shape[0] - 6)
    cv2.putText(canvas, plain, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
