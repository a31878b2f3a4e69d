r"""95 % intervals of strain, from measurements of perturbed copies of the same cine.

As a scan differs from the truth by chance, its ``N`` perturbed copies differ from it. With ``s``
the root mean square of ``copy - value`` the interval around the cine's own value is

    value +- sqrt((t s)^2 + b^2)

with Student's ``t`` for ``N`` degrees of freedom at 97.5 %. ``s`` is what noise, contrast and the
place of the pixels change, which is all that repeating can show. ``b`` is what repeating cannot:
errors that are the same in every copy, see `SYSTEMATIC`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from facewarp.cardiac.quantification.strain import RegionStrain, Strain
from facewarp.core.arrays import FloatArray

LEVEL: Final = 0.95

#: Student's t for eight phantoms at 97.5 % times the root-mean-square error on them (decision 125),
#: of the whole wall and of smaller regions, by the name of a `RegionStrain` curve.
SYSTEMATIC: Final[dict[str, tuple[float, float]]] = {
    "circumferential_engineering": (1.7, 7.0),
    "radial_engineering": (6.3, 13.0),
}


@dataclass(frozen=True, eq=False)
class StrainIntervals:
    """Strain of a cine and of its perturbed copies.

    Attributes:
        strain: of the cine.
        copies: of the copies in which a wall was seen.
    """

    strain: Strain
    copies: tuple[Strain, ...]

    def half_width(self, region: RegionStrain, name: str) -> FloatArray:
        """Return half the width of a curve's interval, ``(T,)``.

        NaN without two copies, and for curves whose error on phantoms is not known.

        Args:
            region: of the cine's strain.
            name: of one of its curves, e.g. ``"radial_engineering"``.
        """
        others = [copy.region(region.kind, region.number) for copy in self.copies]
        value = getattr(region, name)
        apart = np.array([getattr(one, name) - value for one in others if one is not None])
        if len(apart) < 2:
            return np.full(len(value), np.nan)
        spread = np.sqrt((apart**2).mean(axis=0))
        t = float(special.stdtrit(len(apart), (1 + LEVEL) / 2))
        whole, smaller = SYSTEMATIC.get(name, (np.nan, np.nan))
        rest = whole if region.kind == "global" else smaller
        half: FloatArray = np.hypot(t * spread, rest)
        return half


def intervals_of(strain: Strain | None, copies: Sequence[Strain | None]) -> StrainIntervals | None:
    """Return the intervals of a cine's strain; None without strain or copies."""
    seen = tuple(copy for copy in copies if copy is not None)
    return None if strain is None or not seen else StrainIntervals(strain, seen)
