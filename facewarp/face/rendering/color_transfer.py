"""Color transfer part by part: statistics in CIE Lab and the map between two faces."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import resized
from facewarp.face.parts import FacePart

COARSE: Final = (CROP_SHAPE[0] // 2, CROP_SHAPE[1] // 2)
"""Height and width of the grid on which colours are measured."""

GROUPS: Final = (
    (FacePart.FACE, FacePart.NOSE),
    (FacePart.BROW_LEFT, FacePart.BROW_RIGHT),
    (FacePart.EYE_LEFT, FacePart.EYE_RIGHT),
    (FacePart.MOUTH,),
)
"""Parts that share their colours."""

_LEAST_PX: Final = 12.0  # of a group, or the skin's colours stand in
_GAIN: Final = (0.55, 1.8)
_MOST_CONTRAST: Final = 1.25  # gain of the brightness, whose detail comes from the style anyway
_KNEES: Final = ((66.0, 94.0), (32.0, 5.0))  # L beyond which it is compressed, and its limit
_MOST_VIVID: Final = 1.7
_TONES: Final = (40.0, 1.5)  # what is added to L, and steps of the tables to 1
_SOFT_PX: Final = 2.4  # crop px over which colors of parts blend
_LIGHT_SHARE: Final = 0.75  # of the style's brightness; the rest is the frame's


@dataclass(frozen=True, eq=False)
class PartColors:
    """Mean and standard deviation of the parts' colors in Lab.

    Attributes:
        mean: (4, 3) Lab.
        spread: (4, 3) standard deviations.
        is_seen: (4,) whether a group is large enough to be measured.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    is_seen: NDArray[np.bool_]

    @classmethod
    def of(cls, picture: NDArray[np.float32], parts: NDArray[np.float32]) -> Self:
        """Measure a picture (h, w, 3) in Lab by its part probabilities (8, h, w)."""
        return cls.of_groups(picture, group_shares(parts))

    @classmethod
    def of_groups(cls, picture: NDArray[np.float32], shares: NDArray[np.float32]) -> Self:
        """Measure a picture (h, w, 3) in Lab by the shares of `GROUPS` (4, h, w) in each px."""
        weights = np.where(shares > 0.6, shares, 0).reshape(len(GROUPS), -1)
        pixels = picture.reshape(-1, 3)
        total = weights.sum(axis=1)
        safe = np.maximum(total, 1e-6)[:, None]
        mean = weights @ pixels / safe
        square = weights @ (pixels * pixels) / safe
        spread = np.sqrt(np.maximum(square - mean * mean, 0))
        return cls(
            mean.astype(np.float32), spread.astype(np.float32), np.asarray(total >= _LEAST_PX)
        )

    def toward(self, other: Self, share: float) -> Self:
        """Return the colors that lie a share of the way to others; groups not seen stay."""
        kept = self.is_seen & ~other.is_seen
        far = np.where(self.is_seen & other.is_seen, share, np.where(kept, 0, 1))[:, None]
        return type(self)(
            self.mean + far.astype(np.float32) * (other.mean - self.mean),
            self.spread + far.astype(np.float32) * (other.spread - self.spread),
            self.is_seen | other.is_seen,
        )


def group_color_map(
    seen: PartColors,
    wanted: PartColors,
    shares: NDArray[np.float32],
    most_vivid: float = _GAIN[1],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return gain and offset, (h, w, 3) each, that give each group of parts the wanted colors.

    Args:
        seen: colors that the face has.
        wanted: colors that it shall have.
        shares: (4, h, w) of `GROUPS` in each px.
        most_vivid: gain of the colors a and b, at most.

    Returns:
        So that ``gain * lab + offset`` has the wanted mean and, within bounds, spread. Where no
        group is, that of the skin goes on.
    """
    gain = np.clip(wanted.spread / np.maximum(seen.spread, 1.0), *_GAIN)
    gain[:, 0] = np.minimum(gain[:, 0], _MOST_CONTRAST)
    gain[:, 1:] = np.minimum(gain[:, 1:], most_vivid)
    mean = seen.mean + np.array([_LIGHT_SHARE, 1, 1]) * (wanted.mean - seen.mean)
    offset = mean - gain * seen.mean
    known = seen.is_seen & wanted.is_seen
    if not known[0]:
        ones = np.ones((*shares.shape[1:], 3), np.float32)
        return ones, np.zeros_like(ones)
    gain[~known], offset[~known] = gain[0], offset[0]
    weights = np.asarray(shares, np.float32).copy()
    weights[0] += np.maximum(1 - weights.sum(axis=0), 0)
    sigma = _SOFT_PX * shares.shape[2] / CROP_SHAPE[1]
    soft = cv2.GaussianBlur(cv2.merge(list(weights)), (0, 0), sigma)
    soft /= np.maximum(soft.sum(axis=2), 1e-6)[..., None]
    maps = [
        (soft.reshape(-1, len(GROUPS)) @ values.astype(np.float32)).reshape(*soft.shape[:2], 3)
        for values in (gain, offset)
    ]
    return maps[0], maps[1]


def toned(picture: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress the lightness of a Lab picture where it would be cut off, see `tone_curve`.

    Args:
        picture: (h, w, 3) Lab.
        share: (h, w), 0..1, how much.
    """
    lightness, *colors = cv2.split(picture)
    shift, steps = _TONES
    index = cv2.convertScaleAbs(cv2.add(lightness, shift), alpha=steps)
    change, vivid = (cv2.multiply(cv2.LUT(index, table), share) for table in _tone_tables())
    colors = [cv2.add(color, cv2.multiply(color, vivid)) for color in colors]
    return np.asarray(cv2.merge([cv2.add(lightness, change), *colors]), np.float32)


def tone_curve(
    lightness: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the lightness (L of Lab) that is shown, and the factor of the colors there.

    A line with a smooth shoulder and toe: ``limit - (limit - knee) exp(-(L - knee) / (limit -
    knee))`` beyond each knee, which goes on with the same slope. Highlights that get darker get
    more colorful as well: metal stays metal.
    """
    bent = np.asarray(lightness, np.float64)
    for (knee, limit), is_beyond in zip(
        _KNEES, (lightness > _KNEES[0][0], lightness < _KNEES[1][0]), strict=True
    ):
        room = limit - knee
        bent = np.where(is_beyond, limit - room * np.exp(-(lightness - knee) / room), bent)
    return bent, np.clip((lightness / np.maximum(bent, 1.0)) ** 2, 1, _MOST_VIVID)


@lru_cache(maxsize=1)
def _tone_tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tables of what is added to L, and of what the factor of the colors is above 1."""
    shift, steps = _TONES
    lightness = np.arange(256) / steps - shift
    bent, vivid = tone_curve(lightness)
    return (bent - lightness).astype(np.float32), (vivid - 1).astype(np.float32)


def group_shares(parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum part probabilities (8, h, w) to shares of `GROUPS` (4, h, w)."""
    return np.stack([parts[list(group)].sum(axis=0) for group in GROUPS])


def coarse_map(
    planes: NDArray[np.float32],
    field: NDArray[np.float32],
    shape: tuple[int, int] = COARSE,
) -> NDArray[np.float32]:
    """Planes (c, h, w) over one crop as they are carried by a field onto another.

    Args:
        planes: any size over the whole crop, (8, 320, 260) or coarser.
        field: (2, h, w) crop px, on any grid: what is at p here is at ``p + field(p)`` there.
        shape: (h, w) of what is wanted.

    Returns:
        (c, h, w).
    """
    (height, width), (rows, columns) = CROP_SHAPE, shape
    k = planes.shape[2] / width
    x = (np.arange(columns, dtype=np.float32) + 0.5) * (width / columns) - 0.5
    y = (np.arange(rows, dtype=np.float32) + 0.5) * (height / rows) - 0.5
    u, v = resized(field, shape)
    at_x, at_y = (x[None] + u + 0.5) * k - 0.5, (y[:, None] + v + 0.5) * k - 0.5
    carried = np.empty((len(planes), rows, columns), np.float32)
    for first in range(0, len(planes), 4):  # as many channels as OpenCV resamples at a time
        some = cv2.merge([np.ascontiguousarray(p, np.float32) for p in planes[first : first + 4]])
        there = cv2.remap(some, at_x, at_y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        carried[first : first + 4] = cv2.split(there)
    return carried


def lab(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """RGB (h, w, 3) uint8 as CIE Lab float32: L 0..100."""
    return np.asarray(
        cv2.cvtColor(np.ascontiguousarray(picture).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    )


def rgb(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """CIE Lab as RGB uint8."""
    color = cv2.cvtColor(picture, cv2.COLOR_LAB2RGB)
    return np.asarray(cv2.convertScaleAbs(cv2.max(color, 0.0), alpha=255), np.uint8)
