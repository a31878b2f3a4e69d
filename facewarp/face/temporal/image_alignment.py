"""Dense image alignment on a grid of control points: normal equations, motion models, shrinkage.

A reference picture R and a picture B of the same face in template space differ by small motions
d, one at each control point: R(q) = B(q + d(q)). With the gradients of R (the inverse compositional
form of Baker and Matthews, IJCV 2004) each control point has the normal equations ``A d = -b``,

    A = mean(grad R grad R^T),    b = mean(grad R (B - R)),

over its cell of 8 x 8 px. Cells are pooled by weighted means; where a cell has too little texture a
wider mean decides. Pictures have half the resolution of
the crop, motions are in px of the crop; all is (h, w, channels) float32 over the control points.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PICTURE_PX = 2
"""Crop px per px of the pictures compared."""
CELL_PX = 8
"""Crop px between control points."""

_LOCAL_PX = 13  # side of the window whose mean and contrast are taken as the light
_LEAST_CONTRAST = 6.0  # gray levels: below that contrast is noise
_POOL, _WIDE_POOL, _WIDE_SHARE = 0.6, 2.0, 0.1  # sigmas in control points, and the wider's share
_RIDGE = 0.002  # of A: motion that this little texture tells of is left out
_STEP_PX = 2.0
_LEAST_SIMILARITY = 1e-6 * np.eye(4)


def without_light(gray: NDArray[np.uint8]) -> Floats:
    """Halve a gray crop and normalize it by local mean and contrast: what a light leaves alone."""
    size = gray.shape[1] // PICTURE_PX, gray.shape[0] // PICTURE_PX
    picture = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    window = (_LOCAL_PX, _LOCAL_PX)
    mean = cv2.blur(picture, window)
    variance = cv2.max(cv2.sqrBoxFilter(picture, -1, window) - mean * mean, 0.0)
    return np.asarray((picture - mean) / np.sqrt(variance + _LEAST_CONTRAST**2), np.float32)


def to_8_bit(normalized: Floats) -> NDArray[np.uint8]:
    """Quantize what `without_light` returned, for optical flow."""
    return np.asarray(cv2.convertScaleAbs(normalized + np.float32(3.2), alpha=40.0), np.uint8)


def pooled(values: Floats, sigma: float) -> Floats:
    """Gaussian mean over control points."""
    return np.asarray(
        cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32
    )


def scaled(vectors: Floats, factors: Floats) -> Floats:
    """Vectors (h, w, 2 or 3) times factors (h, w), ten times as fast as numpy's broadcast."""
    return vectors * cv2.merge([factors] * vectors.shape[-1])


def in_cells(picture: Floats, cells: tuple[int, int]) -> Floats:
    """Mean of a picture over the cell of each control point."""
    return np.asarray(cv2.resize(picture, cells[::-1], interpolation=cv2.INTER_AREA), np.float32)


class NormalEquations:
    """The normal equations of a reference picture, for any picture to be aligned with it.

    Args:
        reference: R, (4h, 4w) px of pictures.
        cells: (h, w).
    """

    def __init__(self, reference: Floats, cells: tuple[int, int]) -> None:
        self.reference, self.cells = reference, cells
        self._slope_x = cv2.Sobel(reference, cv2.CV_32F, 1, 0, ksize=3, scale=1 / (8 * PICTURE_PX))
        self._slope_y = cv2.Sobel(reference, cv2.CV_32F, 0, 1, ksize=3, scale=1 / (8 * PICTURE_PX))
        x, y = self._slope_x, self._slope_y
        self.a = in_cells(cv2.merge([x * x, x * y, y * y]), cells)
        self.contrast = in_cells(reference * reference, cells)

    def right_side(self, picture: Floats) -> Floats:
        """B of each control point (h, w, 2)."""
        error = picture - self.reference
        return in_cells(cv2.merge([self._slope_x * error, self._slope_y * error]), self.cells)

    def similarity(self, b: Floats, weights: Floats) -> Floats:
        """Best motion (h, w, 2) px that is a shift, turn and zoom of all control points.

        Args:
            b: see `right_side`.
            weights: (h, w) how much each control point counts.
        """
        return _similarity(scaled(self.a, weights), scaled(b, weights))

    def after(self, b: Floats, motion: Floats) -> Floats:
        """B once a motion (h, w, 2) px has been made, to first order."""
        x, y = cv2.split(motion)
        a_xx, a_xy, a_yy = cv2.split(self.a)
        return b + cv2.merge([a_xx * x + a_xy * y, a_xy * x + a_yy * y])

    def local(self, b: Floats, weights: Floats) -> Floats:
        """Best motion (h, w, 2) px of each control point by itself, from cells around it."""
        a_xx, a_xy, a_yy, b_x, b_y = (
            one for values in (self.a, b) for one in cv2.split(self._pool(scaled(values, weights)))
        )
        a_xx, a_yy = a_xx + _RIDGE, a_yy + _RIDGE
        determinant = a_xx * a_yy - a_xy * a_xy
        motion = cv2.merge(
            [(a_xy * b_y - a_yy * b_x) / determinant, (a_xy * b_x - a_xx * b_y) / determinant]
        )
        return motion.clip(-_STEP_PX, _STEP_PX)

    def likeness(self, picture: Floats) -> Floats:
        """How much of R's contrast is in a picture aligned with it (h, w): 1 all, 0 none."""
        together = pooled(in_cells(self.reference * picture, self.cells), 0.8)
        return together / (pooled(self.contrast, 0.8) + np.float32(0.01))

    @staticmethod
    def _pool(values: Floats) -> Floats:
        near = pooled(values, _POOL)
        return near + np.float32(_WIDE_SHARE) * pooled(near, _WIDE_POOL)


def similarity_of(motion: Floats, weights: Floats) -> Floats:
    """Return the shift, turn and zoom (h, w, 2) px closest to a motion, with weights (h, w)."""
    none = np.zeros_like(weights)
    return _similarity(cv2.merge([weights, none, weights]), -scaled(motion, weights))


def _similarity(a: Floats, b: Floats) -> Floats:
    """Solve normal equations (h, w, 3) and (h, w, 2) for one similarity of all control points."""
    height, width = a.shape[:2]
    modes, products = _similarity_modes(height, width)
    matrix = (a.reshape(-1) @ products).reshape(4, 4).astype(np.float64) + _LEAST_SIMILARITY
    side = (modes @ b.reshape(-1)).astype(np.float64)
    factors = np.linalg.solve(matrix, -side).astype(np.float32)
    return np.asarray((factors @ modes).reshape(height, width, 2))


@lru_cache(maxsize=8)
def _similarity_modes(height: int, width: int) -> tuple[Floats, Floats]:
    """Shift along x and y, zoom and turn of control points, and what normal equations make of them.

    Returns:
        The motions (4, h * w * 2), and (h * w * 3, 16): by what each entry of A (xx, xy, yy) goes
        into the entries of the four motions' own normal equations.
    """
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = (x - x.mean()) / 8, (y - y.mean()) / 8
    one, none = np.ones_like(x), np.zeros_like(x)
    modes = np.stack([np.dstack(mode) for mode in ((one, none), (none, one), (x, y), (-y, x))])
    along, across = modes[..., 0].reshape(4, -1), modes[..., 1].reshape(4, -1)
    both = np.einsum("ip,jp->pij", along, across)
    products = np.stack(
        [
            np.einsum("ip,jp->pij", along, along),
            both + both.transpose(0, 2, 1),
            np.einsum("ip,jp->pij", across, across),
        ],
        axis=1,
    )
    return modes.reshape(4, -1), np.ascontiguousarray(products.reshape(-1, 16))


def shrunk(motion: Floats, noise_px: float, sigma: float = 1.5) -> Floats:
    """Hold motions (h, w, 2) back that are no larger than noise: Wiener's factor v^2 / (v^2 + n^2).

    What is held back is not lost: it is still there when the next frame is compared with the same
    reference. How large a motion is, a Gaussian mean of this ``sigma`` tells.
    """
    x, y = cv2.split(pooled(motion, sigma))
    energy = x * x + y * y
    return scaled(motion, energy / (energy + np.float32(noise_px**2)))
