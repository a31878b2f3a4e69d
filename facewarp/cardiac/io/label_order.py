"""Which id of a label map is which part: known conventions, and what anatomy says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
_WITHIN: Final = 0.6  # of an id's edge, that makes it a piece of what is there: 0.44 at most of RV
_HALF: Final = 0.4  # likewise, from which it may be a piece of it
_SMALL: Final = 0.05  # of the part that it may be a piece of: less is left out
_APART: Final = 0.1  # share of a right ventricle's edge that may touch the left cavity
_NAMES: Final = {HeartPart.LV: "LV", HeartPart.MYOCARDIUM: "myocardium", HeartPart.RV: "RV"}


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
        return ", ".join(f"{one} {_NAMES[part]}" for one, part in sorted(self.parts.items()))

    @property
    def sick(self) -> frozenset[int]:
        """Ids of the wall where it has several, as of scars."""
        wall = [one for one, part in self.parts.items() if part == HeartPart.MYOCARDIUM]
        return frozenset(wall) if len(wall) > 1 else frozenset()

    def apply(self, ids: NDArray[Any]) -> NDArray[np.uint8]:
        """Turn ids into part ids; what is no part of the three becomes background."""
        found = np.zeros(ids.shape, dtype=np.uint8)
        for one, part in self.parts.items():
            found[ids == one] = part
        return found


def _order(
    name: str, title: str, lv: int, wall: int, rv: int, *others: int, sick: tuple[int, ...] = ()
) -> LabelOrder:
    """Return a convention; ``sick`` are ids of wall that is not healthy, which others leave out."""
    parts = dict.fromkeys(sick, HeartPart.MYOCARDIUM)
    parts |= {rv: HeartPart.RV, wall: HeartPart.MYOCARDIUM, lv: HeartPart.LV}
    return LabelOrder(name, title, MappingProxyType(parts), frozenset(others))


ACDC: Final = _order("acdc", "ACDC", 3, 2, 1)
MNMS: Final = _order("mnms", "M&Ms, M&Ms-2, UK Biobank and MONAI", 1, 2, 3)
#: By name. MyoPS' edema and scar, 1220 and 2221, are wall. TotalSegmentator's are those of
#: ``heartchambers_highres`` and of its first version's ``total``; MM-WHS' are shared by MyoPS and
#: MS-CMRSeg, which write the wall as 200.
ORDERS: Final[Mapping[str, LabelOrder]] = MappingProxyType(
    {
        order.name: order
        for order in (
            ACDC,
            MNMS,
            _order("totalsegmentator", "TotalSegmentator", 3, 1, 5, 2, 4, 6, 7),
            _order("totalsegmentator-v1", "TotalSegmentator 1", 46, 44, 48, 45, 47, 49),
            _order("mmwhs", "MM-WHS", 500, 205, 600, 420, 550, 820, 850),
            _order("mscmr", "MS-CMRSeg and MyoPS", 500, 200, 600, sick=(1220, 2221)),
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
    beside = [
        one
        for one in outside
        if touching[one, wall] > 0 and closed[one, lv] < _APART and closed[one, wall] < _WITHIN
    ]
    rv = max(beside, key=lambda one: touching[one, wall], default=None)
    return _matching(known, lv, wall, rv)


def with_pieces(order: LabelOrder, ids: NDArray[Any], path: Path) -> tuple[LabelOrder, list[str]]:
    """Count ids that a convention does not have to the parts that they lie in.

    A scar has an id of its own in some labels, papillary muscles in others: without them the wall
    or the cavity would have a hole.

    Args:
        order: the convention of the ids.
        ids: ``(T, D, H, W)`` whole numbers.
        path: the file, for messages.

    Returns:
        The convention with these ids, and what is to be said of them.

    Raises:
        FacewarpError: one of them lies in part in the left ventricle and is large.
    """
    known, touching, sizes = _edges(ids)
    extra = [int(one) for one in known if one and one not in order.parts]
    extra = [one for one in extra if one not in order.others]
    parts, said = dict(order.parts), []
    while found := {one: part for one in extra if (part := _home(one, parts, known, touching)[0])}:
        parts |= found
        extra = [one for one in extra if one not in found]
    for one in [one for one in parts if one not in order.parts]:
        said.append(f"label {one} lies in the {_NAMES[parts[one]]} and is counted to it")
    wall = sum(sizes[one] for one in parts if parts[one] == HeartPart.MYOCARDIUM and one in sizes)
    for one in extra:
        inside, share = _home(one, parts, known, touching)[1], sizes[one] / max(wall, 1)
        if inside >= _HALF and share > _SMALL:
            what = (
                f"label {one} is none of {order.title} ({order.text}), and {inside:.0%} of its "
                "edge is on the left ventricle: without it the wall or the cavity may lack "
                f"{share:.0%} of the wall's size"
            )
            fix = "Give it the id of the part that it belongs to, or 0 if it is none."
            raise FacewarpError(what, path, fix)
        said.append(f"label {one} is none of {order.title} ({order.text}): it is left out")
    return replace(order, parts=MappingProxyType(parts)), said


def refuse_right_within(order: LabelOrder, ids: NDArray[Any], path: Path) -> None:
    """Refuse a scar that would be taken for the right ventricle: it lies in the left one.

    Args:
        order: the convention of the ids, which anatomy does not confirm.
        ids: ``(D, H, W)`` whole numbers.
        path: the file, for messages.

    Raises:
        FacewarpError: the right ventricle's edge is on the left one.
    """
    known, touching, _ = _edges(ids)
    part_of = [order.parts.get(int(one)) for one in known]
    left = [part in (HeartPart.LV, HeartPart.MYOCARDIUM) for part in part_of]
    for at, one in enumerate(known.tolist()):
        inside = float(touching[at][left].sum() / max(touching[at].sum(), 1))
        if part_of[at] == HeartPart.RV and inside >= _WITHIN:
            what = (
                f"label {one} is the right ventricle in {order.title} ({order.text}), and "
                f"{inside:.0%} of its edge is on the left one, as of a scar"
            )
            fix = "Give a scar the id of the wall, or say another order: --label-order."
            raise FacewarpError(what, path, fix)


def _edges(ids: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], dict[int, int]]:
    """Return the ids ``(K,)``, how often they lie side by side ``(K, K)``, and their sizes."""
    known, coded = np.unique(ids, return_inverse=True)
    touching = _contacts(coded.reshape(-1, *ids.shape[-2:]), len(known))
    sizes = np.bincount(coded.ravel()).tolist()
    return known, touching, dict(zip(known.tolist(), sizes, strict=True))


def _home(
    one: int, parts: Mapping[int, HeartPart], known: NDArray[Any], touching: NDArray[np.int64]
) -> tuple[HeartPart | None, float]:
    """Return the part that an id lies in, if any, and the share of its edge on the left ventricle.

    Its edge on other ids that are no part counts for nothing: edema may surround a scar.
    """
    edge = dict(zip(known.tolist(), touching[int(np.searchsorted(known, one))], strict=True))
    on = dict.fromkeys(HeartPart, 0)
    for other, length in edge.items():
        if other == 0 or other in parts:
            on[parts.get(other, HeartPart.BACKGROUND)] += int(length)
    total = max(sum(on.values()), 1)
    left = (on[HeartPart.LV] + on[HeartPart.MYOCARDIUM]) / total
    for part in (HeartPart.LV, HeartPart.RV):
        if on[part] >= _WITHIN * total:
            return part, left
    return (HeartPart.MYOCARDIUM if left >= _WITHIN else None), left


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
        if ids.items() <= order.parts.items() and rest <= order.others | order.sick:
            return order
    if rest:
        return None
    return LabelOrder("", "these labels", MappingProxyType(ids))
