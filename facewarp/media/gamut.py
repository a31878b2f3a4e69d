"""Sets of primaries, and linear light from one to another with white staying white."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x, y of red, green, blue and white."""

_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)

BT709: Final = 1
BT2020: Final = 9

CHROMATICITIES: Final[dict[int, Chromaticities]] = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),  # NTSC of 1953
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),  # film with Wratten filters
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    10: (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3),  # CIE 1931 XYZ
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),  # DCI-P3
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),  # Display P3
}
"""By H.273's number of the primaries."""

_BRADFORD: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def gamut_matrix(source: int, target: int) -> FloatArray:
    """Return (3, 3): linear RGB of one set of primaries, as H.273 numbers it, to that of another.

    Example:
        >>> gamut_matrix(12, 1).sum(1)  # white stays white
    """
    return matrix_between(CHROMATICITIES[source], CHROMATICITIES[target])


@cache
def matrix_between(source: Chromaticities, target: Chromaticities) -> FloatArray:
    """Return (3, 3): linear RGB of one set of primaries to that of another (Bradford adapted).

    Raises:
        LinAlgError: primaries that lie on a line.
    """
    adapted = _adaptation(source[6:], target[6:])
    return np.asarray(np.linalg.inv(_to_xyz(target)) @ adapted @ _to_xyz(source))


def _to_xyz(points: Chromaticities) -> FloatArray:
    columns = np.array(
        [(x, y, 1 - x - y) for x, y in zip(points[0:6:2], points[1:6:2], strict=True)]
    ).T
    return np.asarray(columns * np.linalg.solve(columns, _white(points[6:])))


def _white(point: tuple[float, ...]) -> FloatArray:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(source: tuple[float, ...], target: tuple[float, ...]) -> FloatArray:
    share = (_BRADFORD @ _white(target)) / (_BRADFORD @ _white(source))
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(share) @ _BRADFORD)
