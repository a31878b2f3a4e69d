"""Contours of the template's parts."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.parts import FacePart

_FINE: Final = 4
_AROUND_PX: Final = 8  # template px beside a part that interpolation and smoothing reach at most


def part_contours(probabilities: NDArray[np.float32], part: FacePart) -> list[NDArray[np.float64]]:
    """Extract closed contours (N, 2) in template px around a part; for FACE around all parts.

    Found at four times the resolution where the part is likelier than every other, smoothed, with
    a point about every 1.5 px; islands below 12 px of length are left out.
    """
    if part == FacePart.FACE:
        margin = 1 - 2 * probabilities[FacePart.BACKGROUND]
    else:
        margin = probabilities[part] - np.delete(probabilities, part, axis=0).max(axis=0)
    rows, columns = (np.flatnonzero((margin > 0).any(axis)) for axis in (1, 0))
    if not len(rows):
        return []
    top, left = max(rows[0] - _AROUND_PX, 0), max(columns[0] - _AROUND_PX, 0)
    near = margin[top : rows[-1] + _AROUND_PX, left : columns[-1] + _AROUND_PX]
    fine = cv2.resize(near, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC)
    mask = (cv2.GaussianBlur(fine, (0, 0), 2) > 0).astype(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contours = []
    for chain in found:
        points = (chain[:, 0].astype(np.float64) + 0.5) / _FINE - 0.5 + (left, top)
        if len(points) < 48:
            continue
        kernel = np.hanning(15)[1:-1]
        wrapped = np.concatenate([points[-6:], points, points[:6]])
        smooth = [np.convolve(axis, kernel / kernel.sum(), "valid") for axis in wrapped.T]
        contours.append(np.stack(smooth, axis=-1)[::6])
    return contours
