"""Colors of overlays: panels, text, and the states of a tracked face. All are RGB."""

from collections.abc import Mapping
from typing import Final

Color = tuple[int, int, int]

INK: Final[Color] = (255, 255, 255)
DIM: Final[Color] = (196, 201, 212)
GREEN: Final[Color] = (96, 211, 148)
AMBER: Final[Color] = (245, 183, 49)
RED: Final[Color] = (255, 86, 86)
GRAY: Final[Color] = (150, 150, 150)
PAPER: Final[Color] = (15, 17, 22)
"""What panels are made of, at `PAPER_ALPHA`."""

PAPER_ALPHA: Final = 0.74
"""White letters on it keep a contrast of 7:1 over a white picture."""

STATE_COLORS: Final[Mapping[str, Color]] = {"tracking": GREEN, "uncertain": AMBER, "lost": GRAY}
"""Color of the dot that tells a face's state, in videos, in the window and on the page."""
