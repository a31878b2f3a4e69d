"""The face crop: the upright gray window that the network works on, and its transform.

A crop is a similarity (scale, roll, shift) between the pixels of a small upright picture and the
pixels of the frame. Everything that is found inside of the crop (points, fields, labels) goes back
to the frame through the same 2x3 matrix. Pixel centres are at integer coordinates on both sides.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facewarp.errors import FacewarpError
from facewarp.face.image_formats import to_gray, to_rgb
from facewarp.face.similarity import rotation

CROP_SHAPE = (320, 260)
"""Height and width of a face crop in px."""

_Window = tuple[int, int, int, int]

FRAME_PER_CROP_ANTIALIAS = 1.5
"""Frame px per crop px above which a crop is averaged instead of sampled."""

_RIGHT_EYE = slice(36, 42)  # iBUG order: the eye at the image's left
_LEFT_EYE = slice(42, 48)


@dataclass(frozen=True, eq=False)
class Crop:
    """Similarity from crop pixels to frame pixels, with the crop's shape.

    Attributes:
        matrix: (2, 3) float64; frame xy = matrix @ (x, y, 1) of the crop.
        shape: (height, width) of the crop in px.
    """

    matrix: NDArray[np.float64]
    shape: tuple[int, int] = CROP_SHAPE

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
            raise FacewarpError(f"a crop needs a finite 2x3 matrix, got shape {matrix.shape}")
        if _determinant(matrix) <= 0:
            raise FacewarpError("a crop needs a positive scale", fix="Check the box of the face.")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def around(
        cls,
        center_xy: ArrayLike,
        side_px: float,
        *,
        roll: float = 0.0,
        margin: float = 2.0,
        shape: tuple[int, int] = CROP_SHAPE,
    ) -> Self:
        """Crop centred on a face.

        Args:
            center_xy: (2,) centre of the face in frame px; it falls on the centre of the crop.
            side_px: side, in frame px, of the square that bounds the 68 landmarks.
            roll: radians; positive turns the crop's x axis towards the frame's y axis.
            margin: the crop's height covers ``margin * side_px`` of the frame.
            shape: (height, width) of the crop.
        """
        height, width = shape
        scale = margin * float(side_px) / height
        with np.errstate(invalid="ignore"):  # an infinite side is refused below
            linear = scale * rotation(roll)
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        shift = np.asarray(center_xy, dtype=np.float64) - linear @ middle
        return cls(np.column_stack([linear, shift]), shape)

    @classmethod
    def around_points(
        cls,
        points: ArrayLike,
        *,
        roll: float | None = None,
        margin: float = 2.0,
        shape: tuple[int, int] = CROP_SHAPE,
    ) -> Self:
        """Crop around the square that bounds the landmarks, measured along the rolled axes.

        Args:
            points: (N, 2) frame px; the 68 iBUG landmarks unless ``roll`` is given.
            roll: radians; None levels the eyes, 0 keeps the frame's axes.
            margin: the crop's height covers ``margin`` times the square's side.
            shape: (height, width) of the crop.
        """
        points = np.asarray(points, dtype=np.float64)
        if roll is None:
            roll = eye_roll(points)
        center, side = bounding_square(points, roll)
        return cls.around(center, side, roll=roll, margin=margin, shape=shape)

    @property
    def scale(self) -> float:
        """Frame px per crop px."""
        return math.sqrt(_determinant(self.matrix))

    @property
    def roll(self) -> float:
        """Angle of the crop's x axis in the frame, radians, positive towards the frame's y axis."""
        return math.atan2(self.matrix[1, 0], self.matrix[0, 0])

    def to_frame(self, points_crop: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) of the crop in frame px."""
        points = np.asarray(points_crop, dtype=np.float64)
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_crop(self, points_frame: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) of the frame in crop px; the inverse of `to_frame`."""
        points = np.asarray(points_frame, dtype=np.float64)
        (a, b, _), (c, d, _) = self.matrix.tolist()
        back = np.array([[d, -c], [-b, a]]) / _determinant(self.matrix)  # the inverse, transposed
        return (points - self.matrix[:, 2]) @ back

    def extract(
        self, image: NDArray[Any], *, interpolation: int = cv2.INTER_LINEAR, every: int = 1
    ) -> NDArray[Any]:
        """Cut the crop out of a frame in one resampling.

        Outside of the frame the border is replicated. Where the crop shrinks the frame (scale
        above 1.5) the frame is first averaged over cells of whole pixels, so nothing aliases;
        with ``cv2.INTER_NEAREST`` (label images) it is only sampled.

        Args:
            image: HxW or HxWxC (C up to 4), uint8, uint16 or float32.
            interpolation: OpenCV's flag for sampling the frame.
            every: n for every nth px of every nth row of the crop only.

        Returns:
            (height, width[, C]) of the image's dtype.
        """
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise FacewarpError(f"a crop needs a picture HxW or HxWxC, got shape {image.shape}")
        return self._sample(image, interpolation, np.asarray, every)

    def extract_rgb(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Cut the crop out of a frame as RGB; only the pixels it needs are converted.

        Args:
            image: anything `to_rgb` takes.

        Returns:
            (height, width, 3) uint8.
        """
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise FacewarpError(f"a crop needs a picture HxW or HxWxC, got shape {image.shape}")
        return np.asarray(self._sample(image, cv2.INTER_LINEAR, to_rgb), np.uint8)

    def extract_gray(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Cut the crop out of a frame as gray; only the pixels it needs are converted.

        Args:
            image: anything `to_gray` takes.

        Returns:
            (height, width) uint8.
        """
        if image.ndim not in (2, 3) or 0 in image.shape:
            raise FacewarpError(f"a crop needs a picture HxW or HxWxC, got shape {image.shape}")
        return np.asarray(self._sample(image, cv2.INTER_LINEAR, to_gray), np.uint8)

    def _sample(
        self,
        image: NDArray[Any],
        interpolation: int,
        prepare: Callable[[NDArray[Any]], NDArray[Any]],
        every: int = 1,
    ) -> NDArray[Any]:
        """Apply ``prepare`` to the window of the frame that the crop covers, and resample it."""
        cell = 1
        if self.scale > FRAME_PER_CROP_ANTIALIAS and interpolation != cv2.INTER_NEAREST:
            cell = min(max(2, int(self.scale + 0.25)), *image.shape[:2])
        x0, y0, x1, y1 = self._window(image.shape, cell)
        window = prepare(image[y0:y1, x0:x1])
        if min(window.strides) < 0:
            window = np.ascontiguousarray(window)
        window = _averaged(window, cell)
        # Pixel x of the frame lies at (x - x0 + 0.5) / cell - 0.5 of the window.
        matrix = self.matrix * [every / cell, every / cell, 1 / cell]
        matrix[0, 2] += (0.5 - x0) / cell - 0.5
        matrix[1, 2] += (0.5 - y0) / cell - 0.5
        height, width = (-(-size // every) for size in self.shape)
        sampled: NDArray[Any] = cv2.warpAffine(
            window,
            matrix,
            (width, height),
            flags=interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return sampled

    def _window(self, frame_shape: tuple[int, ...], cell: int) -> _Window:
        """Whole cells of the frame around the crop's outline, at least one, and a margin."""
        outline = self.outline()
        low = (outline.min(axis=0) - 2 * cell).tolist()
        high = (outline.max(axis=0) + 2 * cell).tolist()
        box = []
        for start, stop, size in zip(low, high, frame_shape[1::-1], strict=True):
            first = min(max(math.floor(start), 0), size - cell)
            count = min(max(math.ceil((stop - first) / cell), 1), (size - first) // cell)
            box.append((first, first + count * cell))
        (x0, x1), (y0, y1) = box
        return x0, y0, x1, y1

    def outline(self) -> NDArray[np.float64]:
        """(4, 2) frame px of the crop's corners (outer pixel edges), clockwise from top-left."""
        height, width = self.shape
        right, bottom = width - 0.5, height - 0.5
        return self.to_frame([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)])

    def frame_box(self, frame_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Smallest box of whole frame pixels that holds the crop's outline, clipped to the frame.

        Args:
            frame_shape: shape of the frame, (height, width, ...).

        Returns:
            (x0, y0, x1, y1), x1 and y1 exclusive, ready for ``frame[y0:y1, x0:x1]``; an empty box
            (x0 == x1 or y0 == y1) when the crop lies outside of the frame.
        """
        height, width = frame_shape[:2]
        outline = self.outline() + 0.5  # pixel edges at whole numbers
        x0, y0 = np.floor(np.round(outline.min(axis=0), 6)).astype(int)
        x1, y1 = np.ceil(np.round(outline.max(axis=0), 6)).astype(int)
        clip_x, clip_y = np.clip([x0, x1], 0, width), np.clip([y0, y1], 0, height)
        return int(clip_x[0]), int(clip_y[0]), int(clip_x[1]), int(clip_y[1])


def _determinant(matrix: NDArray[np.float64]) -> float:
    """Of the linear part of a (2, 3) matrix: three times as fast as numpy's own."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return float(a * d - b * c)


def _averaged(picture: NDArray[Any], cell: int) -> NDArray[Any]:
    """Average a picture over cells of so many px squared, which divide it.

    Prime by prime: OpenCV averages four px ten times as fast as others, and a running mean of which
    all but the cells' middles are thrown away is quicker than its means of 3 and of 5.
    """
    for factor in (2, 3, 5):
        while cell % factor == 0:
            cell //= factor
            if factor == 2:
                size = (picture.shape[1] // 2, picture.shape[0] // 2)
                picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            else:
                middle = slice(factor // 2, None, factor)
                picture = cv2.blur(picture, (factor, factor))[middle, middle]
    if cell > 1:
        size = (picture.shape[1] // cell, picture.shape[0] // cell)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return picture


def eye_roll(points: ArrayLike) -> float:
    """Roll of a face from its 68 iBUG landmarks: angle of the line through both eyes, radians."""
    points = np.asarray(points, dtype=np.float64)
    if points.shape != (68, 2):
        raise FacewarpError(
            f"the roll of a face needs its 68 landmarks, got an array of shape {points.shape}",
            fix="Give the roll in radians.",
        )
    dx, dy = points[_LEFT_EYE].mean(axis=0) - points[_RIGHT_EYE].mean(axis=0)
    return math.atan2(dy, dx)


def bounding_square(points: ArrayLike, roll: float = 0.0) -> tuple[NDArray[np.float64], float]:
    """Square that bounds points along axes turned by ``roll``.

    Args:
        points: (N, 2) px.
        roll: radians, positive turns the square's x axis towards +y.

    Returns:
        The centre of the bounding box, (2,) in px of the unturned axes, and the longer of its two
        sides in px.
    """
    points = np.asarray(points, dtype=np.float64)
    axes = rotation(roll)
    rolled = points @ axes
    low, high = rolled.min(axis=0), rolled.max(axis=0)
    return axes @ ((low + high) / 2), float((high - low).max())
