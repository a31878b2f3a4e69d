"""Parts of a heart: ids and colours."""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class HeartPart(IntEnum):
    """The parts of a short-axis heart and the background, in ACDC's order."""

    BACKGROUND = 0
    RV = 1
    MYOCARDIUM = 2
    LV = 3


#: Names of the parts by id, as the heart model's classes and the output's columns spell them.
PART_NAMES: Final = ("background", "rv", "myocardium", "lv")

#: The same in sentences.
WORDS: Final = ("background", "right ventricle", "wall", "left ventricle")

#: RGB of every part, (4, 3) uint8; tones of Okabe and Ito, told apart by colour-blind people too
#: and light enough to be seen on a grey picture.
PART_COLORS: Final[NDArray[np.uint8]] = np.array(
    [(0, 0, 0), (86, 180, 233), (240, 228, 66), (232, 105, 20)], dtype=np.uint8
)
PART_COLORS.setflags(write=False)
