"""Which axes of a volume are those of a short-axis stack, and its usual view.

A turn is a signed permutation (3, 3): ``volume_direction @ turn`` are the stack's axes x, from the
right ventricle to the left, y, down, and z, along the slices.
"""

from itertools import permutations, product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import orthonormal
from facewarp.core.arrays import FloatArray

_PLAIN: Final = np.diag([-1.0, -1.0, 1.0])
"""World directions (columns, RAS) of x, y, z in files that were never given the scanner's."""
_SHORT_AXIS: Final = np.array([[-0.71, 0.29, -0.64], [-0.70, -0.41, 0.58], [0.07, -0.86, -0.50]])
"""The same in a patient: x from right to left ventricle, y down in the usual view, z to the apex;
the usual angulation of the long axis, 45 degrees to the left and 30 degrees down."""
_PLAIN_WEIGHTS: Final = np.array([1.0, 1.0, 0.1])  # such files run from base to apex or back
_ALIGNED: Final = 1e-3  # directions nearer to one of the world's axes than this run along it


def short_axis_order(affine: FloatArray, stack: int = 2) -> FloatArray:
    """Which of a volume's axes a short-axis stack's x, y and z are, by its affine alone.

    Of all orders and directions that keep the slices together, the one that fits the affine best;
    see `told_fit`.

    Args:
        affine: of the volume.
        stack: the axis along which its slices lie.

    Returns:
        (3, 3) signed permutation ``P``: ``volume_direction @ P`` are the stack's axes.
    """
    turns = stack_turns(stack)
    fits = [told_fit(affine, turn) for turn in turns]
    return turns[int(np.argmax(np.round(fits, 6)))]


def stack_turns(stack: int = 2) -> list[FloatArray]:
    """All 16 orders and directions of axes with the slices along one of them."""
    turns = []
    for order in permutations(range(3)):
        if order[2] != stack:
            continue
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[list(order), range(3)] = signs
            turns.append(turn)
    return turns


def told_fit(affine: FloatArray, turn: FloatArray) -> float:
    """How well an order and direction of axes fits what an affine tells of the patient.

    Returns:
        -3 to 3, the sum of `told_cosines`.
    """
    return float(told_cosines(affine, turn).sum())


def told_cosines(affine: FloatArray, turn: FloatArray) -> FloatArray:
    """Compare an order and direction of axes with what an affine tells of the patient.

    An affine that runs along the world's axes is that of a file which knows no patient: it is held
    against the plain order, x to the left and y to the back, and tells next to nothing of z. Any
    other is a scanner's, and held against the usual place of the short axis in a patient.

    Returns:
        (3,) cosines of the stack's axes x, y, z with their usual directions, less where less is
        told.
    """
    directions = orthonormal(affine[:3, :3])
    aligned = bool((np.sort(np.abs(directions), axis=0)[1] < _ALIGNED).all())
    cosines = np.sum(directions @ turn * (_PLAIN if aligned else _SHORT_AXIS), axis=0)
    return np.asarray(cosines * (_PLAIN_WEIGHTS if aligned else np.ones(3)))


def to_view(array: NDArray[Any], turn: FloatArray) -> NDArray[Any]:
    """Turn the last three axes ``(D, H, W)`` into those of the usual short-axis view.

    Args:
        array: ``(..., D, H, W)`` in the file's order.
        turn: from `short_axis_order`.
    """
    lead = array.ndim - 3
    files = [int(np.abs(turn[:, axis]).argmax()) for axis in range(3)]  # of the view's x, y, z
    turned = array.transpose(*range(lead), *(lead + 2 - files[axis] for axis in (2, 1, 0)))
    flips = tuple(lead + 2 - axis for axis in range(3) if turn[files[axis], axis] < 0)
    return np.flip(turned, flips)
