"""Variants of a photographed face that hide nothing: shut eyes and mouths, brows, skin of any tone.

Photographs show open eyes and smiles. Where an eye or mouth opens, the skin above and below is
stretched over it, column by column: what was the edge of a lid becomes the line of its lashes.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion.canvas import Floats
from facewarp.training.occlusion.faces import SHAPE, BaseFace, Detail
from facewarp.training.occlusion.hands import TONES

Rng = np.random.Generator

_SHUT_EYES, _SHUT_MOUTH, _BROWS, _LINER, _TONE = 0.3, 0.3, 0.25, 0.15, 0.2  # shares of faces
_UPPER_LID, _UPPER_LIP = 0.9, 0.5  # share of the way that the upper one goes
_LASHES: Final = 0.7  # share of shut eyes
_FEWEST = 12  # px of an opening
_SMOOTH = 2.0  # px along an edge


def varied(base: BaseFace, rng: Rng) -> BaseFace:
    """Change a face as people's faces differ and move: all of it is the face that it was.

    Args:
        base: the face.
        rng: random generator.
    """
    if rng.random() < _TONE:
        base = toned(base, np.asarray(TONES[rng.integers(len(TONES))]) * rng.uniform(0.8, 1.15))
    unit = base.place.unit
    if rng.random() < _BROWS:
        base = _darkened(base, base.details == Detail.BROW, unit * rng.uniform(0, 0.06), rng)
    if rng.random() < _LINER:
        eyes = (base.details == Detail.EYE).astype(np.uint8)
        around = cv2.dilate(eyes, np.ones((3, 3), np.uint8), iterations=2) > eyes
        base = _darkened(base, around, 0, rng)
    if rng.random() < _SHUT_EYES:
        share = rng.choice([1.0, rng.uniform(0.4, 1)])
        base = shut(base, Detail.EYE, share, _UPPER_LID, rng)
    if rng.random() < _SHUT_MOUTH:
        base = shut(base, Detail.MOUTH, rng.choice([1.0, rng.uniform(0.5, 1)]), _UPPER_LIP, rng)
    return base


@dataclass(frozen=True, eq=False)
class _Opening:
    """Edges of an eye or mouth, for each column of the picture: y px, equal where it has none."""

    top: Floats
    bottom: Floats


def shut(base: BaseFace, part: Detail, share: float, upper: float, rng: Rng) -> BaseFace:
    """Shut eyes or mouth by `share`, the upper lid or lip going `upper` of the way.

    Args:
        base: the face.
        part: `Detail.EYE` or `Detail.MOUTH`.
        share: 0 leaves them as they are, 1 shuts them.
        upper: what the upper one does of it.
        rng: random generator, for lashes.
    """
    for opening in _openings(base.details == part):
        base = _shut_one(base, opening, share, upper, rng)
    if share == 1:
        base = replace(base, details=np.where(base.details == part, 0, base.details))
    return base


def toned(base: BaseFace, tone: NDArray[np.floating]) -> BaseFace:
    """Give the skin another color, and what has the color of skin.

    Args:
        base: the face.
        tone: (3,) RGB 0..1.
    """
    skin = base.place.skin
    hue = np.log(base.image.clip(0.02)) - np.log(skin.clip(0.02))
    off = hue - hue.mean(-1, keepdims=True)
    alike = np.exp(-np.square(off).sum(-1) / 0.08 - np.square(hue.mean(-1)) / 0.8)
    alike = np.maximum(alike, 0.8 * base.visible)[..., None]
    gain = np.asarray(tone, np.float32) / skin.clip(0.05)
    image = base.image * (1 + alike * (gain - 1))
    place = replace(base.place, skin=np.asarray(tone, np.float32))
    return replace(base, image=np.asarray(image.clip(0, 1), np.float32), place=place)


def _openings(mask: NDArray[np.bool_]) -> list[_Opening]:
    """Edges of each region of a mask."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    found = []
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] < _FEWEST:
            continue
        inside = regions == i
        first, wide = stats[i, cv2.CC_STAT_LEFT], stats[i, cv2.CC_STAT_WIDTH]
        columns = np.arange(first, first + wide)
        top = inside[:, columns].argmax(0)
        bottom = SHAPE[0] - inside[::-1, columns].argmax(0)
        ends = [top[0] / 2 + bottom[0] / 2, top[-1] / 2 + bottom[-1] / 2]
        everywhere = np.interp(np.arange(SHAPE[1]), columns[[0, -1]], ends)
        edges = []
        for edge in (top, bottom):
            line = everywhere.copy()
            line[columns] = edge
            edges.append(cv2.GaussianBlur(line[None].astype(np.float32), (0, 0), _SMOOTH)[0])
        found.append(_Opening(*edges))
    return found


def _shut_one(base: BaseFace, opening: _Opening, share: float, upper: float, rng: Rng) -> BaseFace:
    """Stretch what is above and below an opening over it."""
    top, bottom = opening.top, opening.bottom
    gap = (bottom - top).clip(0) * np.float32(share)
    above, below = top + upper * gap, bottom - (1 - upper) * gap
    reach = np.float32(0.2 * base.place.unit + 1)
    y, x = np.indices(SHAPE, dtype=np.float32)
    start, end = top - reach, bottom + reach
    down = start + (y - start) * reach / (above - start)
    up = end - (end - y) * reach / (end - below)
    source = np.where((y > start) & (y <= above), down, y)
    source = np.where((y >= below) & (y < end) & (y > above), up, source).astype(np.float32)
    names = ("image", "visible", "known", "hair")
    moved = {name: cv2.remap(getattr(base, name), x, source, cv2.INTER_LINEAR) for name in names}
    if rng.random() < _LASHES:
        width = np.float32(rng.uniform(0.5, 1.6))
        near = np.exp(-np.square((y - above) / width)) * (gap > 0.15 * gap.max())
        shade = cv2.GaussianBlur(near.astype(np.float32), (0, 0), 0.6) * rng.uniform(0.2, 0.85)
        moved["image"] = np.asarray(moved["image"] * (1 - shade)[..., None], np.float32)
    return replace(base, **moved)


def _darkened(base: BaseFace, where: NDArray[np.bool_], wider: float, rng: Rng) -> BaseFace:
    """Draw brows or lashes darker or in another color, `wider` px wider."""
    mask = where.astype(np.uint8)
    size = round(wider)
    if size:
        mask = cv2.dilate(mask, np.ones((2 * size + 1, 2 * size + 1), np.uint8))
    cover = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.8, 2.5))
    cover = cover * base.visible * np.float32(rng.uniform(0.2, 0.9))
    dark = base.place.hair * np.float32(rng.uniform(0.3, 1))
    dark = base.image * 0.4 + 0.6 * dark if rng.random() < 0.5 else dark * (1 + 0 * base.image)
    return replace(base, image=np.asarray(base.image + cover[..., None] * (dark - base.image)))
