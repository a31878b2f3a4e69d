"""The exact inverse of the field from a frame to the template, so that two ST maps undo each other.

The network registers both directions by themselves; they agree to about a pixel. A compositor who
unwraps a face, paints on it and wraps it back sees that pixel. So the field by which effects are
drawn is inverted, from the network's other direction as a first guess.
"""

import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import resized
from facewarp.face.face import Face
from facewarp.face.passes.sampling import bilinear, sample_grid

_ROUNDS = 12
_DONE_PX = 1e-3  # crop px
_LEAST_DETERMINANT = 0.05
_LONGEST_STEP_PX = 8.0


def inverse_field(face: Face) -> NDArray[np.float32]:
    """Invert a face's field at every px of the template, see `inverse_points`.

    Returns:
        (2, 320, 260) crop px, fixed = template, moving = the face's crop: c - t.
    """
    y, x = np.mgrid[: CROP_SHAPE[0], : CROP_SHAPE[1]].astype(np.float32)
    guess = resized(face.grid_field_from_template, CROP_SHAPE)
    return inverse_points(face, x, y, guess) - np.stack([x, y])


def inverse_points(
    face: Face,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    guess: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Invert a face's field at points of the template by Newton's method.

    Solves ``c + u(c) = t`` for c, with u the face's field. Where u folds there is no inverse: what
    was guessed stands there.

    Args:
        face: whose field it is.
        x: (...) template px.
        y: the same.
        guess: (2, ...) crop px, about c - t.

    Returns:
        (2, ...) crop px: c.
    """
    target = np.stack([x, y]).astype(np.float32).reshape(2, -1)
    first = target + np.asarray(guess, np.float32).reshape(2, -1)
    found = first.copy()
    active = np.arange(found.shape[1])
    jacobian = _jacobian(face)
    for _ in range(_ROUNDS):
        at = found[:, active]
        off = at + sample_grid(face.grid_field, *at) - target[:, active]
        far = np.abs(off).max(0) > _DONE_PX
        active, at, off = active[far], at[:, far], off[:, far]
        if not len(active):
            break
        xx, xy, yx, yy = bilinear(jacobian, *at)
        determinant = np.maximum(xx * yy - xy * yx, _LEAST_DETERMINANT)
        step = np.stack([yy * off[0] - xy * off[1], xx * off[1] - yx * off[0]]) / determinant
        length = np.maximum(np.hypot(*step) / _LONGEST_STEP_PX, 1)
        found[:, active] = at - step / length
    if len(active):
        off = found[:, active] + sample_grid(face.grid_field, *found[:, active])
        lost = active[np.abs(off - target[:, active]).max(0) > 20 * _DONE_PX]
        found[:, lost] = first[:, lost]
    return found.reshape(2, *np.shape(x))


def _jacobian(face: Face) -> NDArray[np.float32]:
    """(4, 320, 260): the derivatives xx, xy, yx, yy of ``c + u(c)``."""
    field = resized(face.grid_field, CROP_SHAPE)
    x_y, x_x = np.gradient(field[0])
    y_y, y_x = np.gradient(field[1])
    return np.stack([1 + x_x, x_y, y_x, 1 + y_y]).astype(np.float32)
