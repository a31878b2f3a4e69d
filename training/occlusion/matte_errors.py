"""Where a matte is wrong: beside edges or far from them, missed or false, in few pictures or many.

And what is the most that a score can be: of an answer that knows everything, but not exactly where.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion.composite import Composite
from facewarp.training.occlusion.matte_data import Matte
from facewarp.training.occlusion.matte_scores import FREE, judged_px

Mask = NDArray[np.bool_]

_FAR_PX = 3.0  # from an edge: no matter of a contour
_BETWEEN: Final = (64, 191)  # alpha of 255: neither this nor that
_AROUND: Final = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class MatteErrors:
    """What the wrong px of a matte are, in percent of all of them, and what its IoU could be.

    Attributes:
        missed: hidden and not found; the others are false alarms.
        at_edge: within 1 px of an edge of what is hidden.
        far: more than 3 px away from one.
        between: of an alpha of 0.25 to 0.75.
        worst_tenth: in that tenth of the composites that has most.
        by_kind: of each kind of object.
        iou_but_edges: IoU in percent where what is wrong within 1 px of an edge counts as right.
        iou_of_truth: IoU in percent of the truth itself, ``"moved by 1 px"`` and in ``"cells of 2
            px"`` and 4, between which it is resized linearly.
    """

    missed: float
    at_edge: float
    far: float
    between: float
    worst_tenth: float
    by_kind: dict[str, float]
    iou_but_edges: float
    iou_of_truth: dict[str, float]


_BLURS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "moved by 1 px": lambda alpha: np.roll(alpha, 1, 1),
    "in cells of 2 px": lambda alpha: _in_cells(alpha, 2),
    "in cells of 4 px": lambda alpha: _in_cells(alpha, 4),
}


def errors_of(matte: Matte, composites: Sequence[Composite]) -> MatteErrors:
    """Split what a matte gets wrong, on the px that `matte_scores.scores_of` judges.

    Args:
        matte: to judge.
        composites: those without anything before the face are left out.
    """
    kinds: dict[str, int] = {}
    counts = np.zeros(5, int)  # missed, at an edge, far, between, all
    wrong_px, pairs = [], np.zeros((1 + len(_BLURS), 2), int)
    for one in composites:
        judged = judged_px(one)
        if one.kinds[0] in FREE or not judged.any():
            continue
        hidden, told = one.covered > 127, matte(one.image[None])[0] < 0.5
        wrong = (hidden != told) & judged
        edge = _edge(hidden)
        far = _from_edge(hidden) > _FAR_PX
        between = (one.covered >= _BETWEEN[0]) & (one.covered <= _BETWEEN[1])
        each = [wrong & where for where in (hidden, edge, far, between, judged)]
        counts += [int(px.sum()) for px in each]
        wrong_px.append(int(wrong.sum()))
        kinds[one.kinds[0]] = kinds.get(one.kinds[0], 0) + wrong_px[-1]
        answers = [np.where(edge, hidden, told), *(f(one.covered) > 127 for f in _BLURS.values())]
        for pair, answer in zip(pairs, answers, strict=True):
            pair += [int((q & judged).sum()) for q in (hidden & answer, hidden | answer)]
    whole = max(int(counts[-1]), 1)
    missed, at_edge, far_off, between_both = (100 * counts[:-1] / whole).tolist()
    most = sorted(wrong_px, reverse=True)[: max(len(wrong_px) // 10, 1)]
    but_edges, *truth = (100 * pairs[:, 0] / np.maximum(pairs[:, 1], 1)).tolist()
    return MatteErrors(
        missed,
        at_edge,
        far_off,
        between_both,
        100 * sum(most) / whole,
        {kind: 100 * count / whole for kind, count in sorted(kinds.items())},
        but_edges,
        dict(zip(_BLURS, truth, strict=True)),
    )


def _edge(hidden: Mask) -> Mask:
    """Px within 1 px of an edge, on both of its sides."""
    mask = hidden.astype(np.uint8)
    return np.asarray(cv2.dilate(mask, _AROUND) > cv2.erode(mask, _AROUND))


def _from_edge(hidden: Mask) -> NDArray[np.float32]:
    """Distance in px to the nearest px of the other sort."""
    inside, outside = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) for mask in (hidden, ~hidden)
    )
    return np.asarray(inside + outside, np.float32)


def _in_cells(alpha: NDArray[np.uint8], px: int) -> NDArray[np.uint8]:
    height, width = alpha.shape
    cells = cv2.resize(alpha, (width // px, height // px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (width, height)), np.uint8)
