"""Several places of a frame in one picture, so that one look of the detector sees them all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.blazeface import SIZE, WINDOW
from facewarp.face.crop import Crop
from facewarp.face.search.proposals import Proposal
from facewarp.face.search.windows import Pyramid, window_at

TILES: Final = 4
"""Places in one picture, two beside two."""

_ACROSS: Final = 2
_TILE: Final = WINDOW // _ACROSS  # side of a tile in a window


@dataclass(frozen=True)
class Sight:
    """From where a proposal is looked at.

    Attributes:
        margin: side of the tile per side of the face.
        shift: how far left of the tile's middle the face lies, in sides of the face.
    """

    margin: float
    shift: float = 0.0


FIRST_SIGHT: Final = Sight(2.2)
"""How each proposal is looked at: a face fills its tile as it would one of an overlapping tile."""

FURTHER_SIGHTS: Final = (
    *(Sight(margin) for margin in (1.3, 1.5, 1.8, 2.6, 3.0, 3.5)),
    *(Sight(2.2, shift) for shift in (-0.15, 0.15)),
)
"""And those that are looked at again: overlapping tiles would show a face so many times too."""


def tile_at(proposal: Proposal, sight: Sight = FIRST_SIGHT) -> Crop:
    """Return the window about a proposal that one tile of a mosaic shows."""
    center = proposal.center + (sight.shift * proposal.side, 0.0)
    return window_at(center, sight.margin * proposal.side, size=_TILE)


def mosaics(pyramid: Pyramid, windows: Sequence[Crop]) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures (128, 128, 3), each of four windows in the order of reading.

    Args:
        pyramid: the frame.
        windows: of `tile_at`.
    """
    every = WINDOW // SIZE
    side = _TILE // every
    for start in range(0, len(windows), TILES):
        picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
        for index, window in enumerate(windows[start : start + TILES]):
            y, x = (side * place for place in divmod(index, _ACROSS))
            picture[y : y + side, x : x + side] = pyramid.cut(window, every)
        yield picture


def place_in(center: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """Return the tile that a place of a mosaic lies in, and the px of the window it begins at.

    Args:
        center: (x, y) px of a window of 256 a side.
    """
    x, y = np.clip((center + 0.5) // _TILE, 0, _ACROSS - 1).astype(int).tolist()
    return y * _ACROSS + x, np.array([x, y], np.float64) * _TILE
