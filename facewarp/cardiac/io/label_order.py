"""Which id of a label map is which part: known conventions, and what anatomy says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

AUTO: Final = "auto"
_CLOSED: Final = 0.6  # share of the cavity's edge, within slices, that is wall
_CLEARER: Final = 0.15  # by so much more closed than any other label
_APART: Final = 0.1  # share of a right ventricle's edge that may touch the left cavity


@dataclass(frozen=True)
class LabelOrder:
    """A convention of label ids.

    Attributes:
        name: as ``--label-order`` takes it.
        title: whose it is, for messages.
        parts: part of each id that this program uses.
        others: ids of parts that it does not use.
    """

    name: str
    title: str
    parts: Mapping[int, HeartPart]
    others: frozenset[int] = field(default_factory=frozenset)

    @property
    def text(self) -> str:
        """Ids and parts in words: ``1 LV, 2 myocardium, 3 RV``."""
        names = {HeartPart.LV: "LV", HeartPart.MYOCARDIUM: "myocardium", HeartPart.RV: "RV"}
        return ", ".join(f"{one} {names[part]}" for one, part in sorted(self.parts.items()))

    def apply(self, ids: NDArray[Any]) -> NDArray[np.uint8]:
        """Turn ids into part ids; what is no part of the three becomes background."""
        found = np.zeros(ids.shape, dtype=np.uint8)
        for one, part in self.parts.items():
            found[ids == one] = part
        return found


def _order(name: str, title: str, lv: int, wall: int, rv: int, *others: int) -> LabelOrder:
    parts = {rv: HeartPart.RV, wall: HeartPart.MYOCARDIUM, lv: HeartPart.LV}
    return LabelOrder(name, title, MappingProxyType(parts), frozenset(others))


ACDC: Final = _order("acdc", "ACDC", 3, 2, 1)
MNMS: Final = _order("mnms", "M&Ms, M&Ms-2, UK Biobank and MONAI", 1, 2, 3)
#: By name. TotalSegmentator's are those of ``heartchambers_highres`` and of its first version's
#: ``total``; MM-WHS' are shared by MyoPS and MS-CMRSeg, which write the wall as 200.
ORDERS: Final[Mapping[str, LabelOrder]] = MappingProxyType(
    {
        order.name: order
        for order in (
            ACDC,
            MNMS,
            _order("totalsegmentator", "TotalSegmentator", 3, 1, 5, 2, 4, 6, 7),
            _order("totalsegmentator-v1", "TotalSegmentator 1", 46, 44, 48, 45, 47, 49),
            _order("mmwhs", "MM-WHS", 500, 205, 600, 420, 550, 820, 850),
            _order("mscmr", "MS-CMRSeg and MyoPS", 500, 200, 600, 1220, 2221),
        )
    }
)
_NAMED: Final = (
    (re.compile(r"_frame\d+(_gt)?$", re.IGNORECASE), ACDC),
    (re.compile(r"_sa(_e[ds])?_gt$|^(label|seg)_sa", re.IGNORECASE), MNMS),
)


def order_named(name: str) -> LabelOrder:
    """Return the convention of a name.

    Raises:
        FacewarpError: there is none of this name.
    """
    if name not in ORDERS:
        known = ", ".join([*ORDERS, AUTO])
        raise FacewarpError(f"there is no label order {name!r}", "--label-order", f"Give {known}.")
    return ORDERS[name]


def order_by_file_name(path: Path) -> LabelOrder | None:
    """Return the convention that files of such a name have, where a data set names files so."""
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    return next((order for pattern, order in _NAMED if pattern.search(name)), None)


def order_by_anatomy(ids: NDArray[Any]) -> LabelOrder | None:
    """Tell the convention of a label map from how the parts lie.

    The left ventricle is what another label, the myocardium, closes around within the slices;
    the right ventricle is what touches the myocardium from outside.

    Args:
        ids: ``(D, H, W)`` whole numbers, slices along D.

    Returns:
        A known convention; one of no name where the parts are clear and no convention has them
        so; None where no label is closed in by another, or a label is no part of such a heart.
    """
    known, coded = np.unique(ids, return_inverse=True)
    if len(known) < 3 or known[0] != 0:
        return None
    touching = _contacts(coded.reshape(ids.shape), len(known))
    edges = np.maximum(touching.sum(axis=1), 1)
    closed = touching / edges[:, None]
    pairs = sorted(
        ((float(closed[a, b]), a, b) for a, b in permutations(range(1, len(known)), 2)),
        reverse=True,
    )
    share, lv, wall = pairs[0]
    rivals = [other for other, a, b in pairs[1:] if (a, b) != (wall, lv)]
    if share < _CLOSED or (rivals and share - rivals[0] < _CLEARER):
        return None
    outside = [one for one in range(1, len(known)) if one not in (lv, wall)]
    beside = [one for one in outside if touching[one, wall] > 0 and closed[one, lv] < _APART]
    rv = max(beside, key=lambda one: touching[one, wall], default=None)
    return _matching(known, lv, wall, rv)


def _contacts(coded: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """How often labels lie side by side within slices, ``(K, K)``, 0 for a label and itself."""
    touching = np.zeros((count, count), dtype=np.int64)
    for one, other in ((coded[:, 1:], coded[:, :-1]), (coded[:, :, 1:], coded[:, :, :-1])):
        pairs = np.bincount((one * count + other).ravel(), minlength=count * count)
        touching += pairs.reshape(count, count)
    touching += touching.T
    np.fill_diagonal(touching, 0)
    return touching


def _matching(known: NDArray[Any], lv: int, wall: int, rv: int | None) -> LabelOrder | None:
    """Return the convention that has the parts so; one of no name where none does."""
    ids = {int(known[lv]): HeartPart.LV, int(known[wall]): HeartPart.MYOCARDIUM}
    if rv is not None:
        ids[int(known[rv])] = HeartPart.RV
    rest = {int(one) for one in known if one != 0} - set(ids)
    for order in ORDERS.values():
        if ids.items() <= order.parts.items() and rest <= order.others:
            return order
    if rest:
        return None
    return LabelOrder("", "these labels", MappingProxyType(ids))
