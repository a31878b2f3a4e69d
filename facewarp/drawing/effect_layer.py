"""An effect taken off its frame again, as a layer with alpha that can be laid over anything.

Effects draw on an opaque frame, lit by it. What they drew is ``out = frame + a (color - frame)``;
a is the coverage they tell, and color follows. Where no color of 0..255 would do, a is as much
larger as it needs to be: laid over the same frame, the layer always gives the drawn picture back.
Alpha is straight: not multiplied into the colors.
"""

from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
Shares = NDArray[np.float32]

_BLEED_PX: Final = 6.0  # how far colors go on beyond the layer, so that codecs leave no dark fringe


@dataclass(frozen=True, eq=False)
class EffectLayer:
    """The part of a frame that an effect changed.

    Attributes:
        box: x0, y0, x1, y1, x1 and y1 exclusive; empty where nothing was drawn.
        color: (h, w, 3) uint8, straight.
        alpha: (h, w) uint8.
    """

    box: Box
    color: NDArray[np.uint8]
    alpha: NDArray[np.uint8]

    @classmethod
    def between(
        cls,
        frame: NDArray[np.uint8],
        drawn: NDArray[np.uint8],
        coverage: NDArray[np.uint8],
    ) -> Self:
        """Take the layer off a drawn picture.

        Args:
            frame: (H, W, 3), before.
            drawn: (H, W, 3), after.
            coverage: (H, W), how much of each px the effect covers, as far as it tells.
        """
        changed = (coverage > 0) | (frame != drawn).any(-1)
        rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return cls((0, 0, 0, 0), np.zeros((0, 0, 3), np.uint8), np.zeros((0, 0), np.uint8))
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        window = np.s_[box[1] : box[3], box[0] : box[2]]
        before = frame[window].astype(np.float32)
        apart = drawn[window].astype(np.float32) - before
        room = np.where(apart > 0, 255 - before, before)
        needed = np.ceil(255 * np.abs(apart) / np.maximum(room, 1) - 1e-3).max(-1)
        alpha = np.maximum(coverage[window], np.minimum(needed, 255))
        color = before + apart * (255 / np.maximum(alpha, 1))[..., None]
        color = np.rint(color.clip(0, 255)).astype(np.uint8)
        return cls(box, color, np.rint(alpha).astype(np.uint8))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was drawn."""
        return self.alpha.size == 0

    def spread(self, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return color (H, W, 3) and alpha (H, W) of a whole picture (width, height) px.

        Colors go on a few px beyond the layer's edge under an alpha of 0, then black.
        """
        width, height = size
        color, alpha = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
        if self.is_empty:
            return color, alpha
        x0, y0, x1, y1 = self.box
        alpha[y0:y1, x0:x1] = self.alpha
        margin = int(2 * _BLEED_PX)
        left, top = max(x0 - margin, 0), max(y0 - margin, 0)
        right, bottom = min(x1 + margin, width), min(y1 + margin, height)
        color[y0:y1, x0:x1] = self.color
        window = np.s_[top:bottom, left:right]
        color[window] = _bled(color[window], alpha[window])
        return color, alpha

    def over(self, plate: NDArray[np.floating], white: float) -> NDArray[np.floating]:
        """Lay the layer over the same part of a plate, whose codes have a white of their own.

        Args:
            plate: (h, w, 3) of `box`, display codes.
            white: the code of 255.
        """
        share = self.alpha.astype(np.float32)[..., None] / np.float32(255)
        color = self.color.astype(np.float32) * np.float32(white / 255)
        return plate + share * (color - plate)


def cover(target: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Add a drawing's alpha to the coverage below it, in place; both (h, w)."""
    rest = cv2.multiply(cv2.bitwise_not(target), alpha, scale=1 / 255)
    cv2.add(target, rest, dst=rest)
    target[:] = rest


def _bled(color: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Carry colors on to where alpha is 0."""
    weight = alpha.astype(np.float32)
    spread = cv2.GaussianBlur(weight, (0, 0), _BLEED_PX / 2)
    soft = cv2.GaussianBlur(color * weight[..., None], (0, 0), _BLEED_PX / 2)
    near = np.rint(soft / np.maximum(spread, 1e-6)[..., None]).clip(0, 255).astype(np.uint8)
    near[spread < 0.05] = 0
    return np.asarray(np.where(alpha[..., None] > 0, color, near), np.uint8)
