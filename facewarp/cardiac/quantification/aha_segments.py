"""The American Heart Association's segments of the left ventricle.

M. D. Cerqueira et al., Standardized myocardial segmentation and nomenclature for tomographic
imaging of the heart, Circulation 105:539-542, 2002: six segments of 60 degrees in the basal and
in the middle third, four of 90 in the apical one, laid out from where the right ventricle joins
the wall. The 17th, the cap beyond the cavity, has no radial direction in short-axis slices and is
never given here.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.quantification.lv_wall import Wall

SEGMENT_NAMES: Final[dict[int, str]] = {
    1: "basal anterior",
    2: "basal anteroseptal",
    3: "basal inferoseptal",
    4: "basal inferior",
    5: "basal inferolateral",
    6: "basal anterolateral",
    7: "mid anterior",
    8: "mid anteroseptal",
    9: "mid inferoseptal",
    10: "mid inferior",
    11: "mid inferolateral",
    12: "mid anterolateral",
    13: "apical anterior",
    14: "apical septal",
    15: "apical inferior",
    16: "apical lateral",
}
LEVEL_NAMES: Final = ("basal", "mid", "apical")

_SIXTHS: Final = np.array([2, 1, 6, 5, 4, 3])  # from the septum's middle over the anterior wall on
_QUARTERS: Final = np.array([14, 13, 16, 15])  # from 45 degrees before it


@dataclass(frozen=True, eq=False)
class Segments:
    """The AHA segment of each point of a wall.

    Attributes:
        ids: ``(S, A)`` segment of each slice and angle, 1 to 16.
        levels: ``(S,)`` 0 basal, 1 mid, 2 apical.
        numbers: of the segments present.
        model: its name.
        notes: assumptions where the stack does not show all, one sentence each.
    """

    ids: NDArray[np.int64]
    levels: NDArray[np.int64]
    numbers: tuple[int, ...]
    model: str
    notes: tuple[str, ...]


def aha_segments(wall: Wall) -> Segments:
    """Assign the segments of a wall.

    Its slices are cut into thirds from base to apex; a stack that ends where the cavity is still
    wide shows no apical third, and is cut into halves. In each slice the segments are laid out
    from the middle of the septum, the mean over all slices that show the right ventricle beside
    the wall, so that segments 2 and 3 (8 and 9) meet there and 14 lies around it.

    Args:
        wall: at end-diastole.
    """
    count = len(wall.slices)
    halves = wall.apex_missing or count < 3
    middles = (np.arange(count) + 0.5) / count
    levels = np.floor((2 if halves else 3) * middles).astype(np.int64)
    if count == 1:
        levels[:] = 1
    turn = np.degrees(wall.angles - wall.septum) % 360
    sixths = _SIXTHS[(turn // 60).astype(int)]
    quarters = _QUARTERS[(((turn + 45) % 360) // 90).astype(int)]
    ids = np.stack([quarters if n == 2 else sixths + 6 * n for n in levels])
    numbers = tuple(int(n) for n in np.unique(ids))
    notes = []
    if wall.apex_missing:
        notes.append(
            "the stack ends where the cavity is still wide: its slices are cut into a basal and a "
            "middle half, and there are no apical segments"
        )
    elif halves:
        notes.append(f"{count} slices show a closed wall: too few for three levels")
    if wall.base_cut:
        notes.append(
            "the stack begins with the ventricle: levels are shares of what it shows, which may "
            "begin below the base"
        )
    if not np.isfinite(wall.insertions).any():
        notes.append(
            "no right ventricle lies beside the wall: the septum is taken to be on the left of "
            "the usual view"
        )
    name = f"{len(numbers)} of AHA's 17 segments"
    return Segments(ids, levels, numbers, name, tuple(notes))
