"""One pair of images: how they enter a model, and the registration that comes out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from facewarp.core.geometry import FloatArray
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.generic]
Scalar = TypeVar("Scalar", bound=np.generic)
_LEAST_SHARE: Final = 1 / 15  # of an integer's range: 12 bits in 16 are on another scale, not dark
_MOST_EXACT: Final = 2**53  # of integers in float64
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what "grey" means for 8-bit RGB


@dataclass(frozen=True)
class Registration:
    """The result of registering one moving image to one fixed image.

    Attributes:
        field: ``(n, *fixed_shape)`` float32, channels ``(x, y[, z])``: a pixel ``p`` of fixed
            corresponds to ``p + field(p)`` in pixels of moving.
        labels_fixed: segmentation of fixed, part ids uint8 ``fixed_shape``.
        labels_moving: segmentation of moving, uint8 ``moving_shape``.
        classes: names of the part ids.

    Example:
        >>> found = facewarp.load("face").register(fixed, moving)
        >>> warped = found.warp(moving)  # moving, as it lies on fixed
        >>> masks = found.warp_labels(found.labels_moving)
        >>> there = found.warp_points(np.array([[130.0, 160.0]]))  # of fixed, to moving
        >>> folded = (found.jacobian() <= 0).mean()
    """

    field: npt.NDArray[np.float32]
    labels_fixed: npt.NDArray[np.uint8]
    labels_moving: npt.NDArray[np.uint8]
    classes: tuple[str, ...]

    def warp(self, image: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Warp an image of moving's size to fixed: ``moving(p + u(p))``, linear.

        Args:
            image: ``moving_shape``, in 2D also with channels last.

        Returns:
            ``fixed_shape`` of the same type: integers are rounded, and a mask of bool is set where
            half of a pixel or more is inside.

        Raises:
            FacewarpError: it is not of moving's size, or not of real numbers, or of integers beyond
                2^53, which floating point does not hold.
        """
        from facewarp.core import fields

        values, channels_last = self._as_moving(image)
        warped = fields.warp(values, self._field().to(values.dtype))[0].numpy()
        warped = np.moveaxis(warped, 0, -1) if channels_last else warped[0]
        kind = np.asarray(image).dtype
        if kind == np.bool_:
            warped = warped >= 0.5
        elif kind.kind in "iu":
            limits = np.iinfo(kind.str)
            warped = np.rint(warped).clip(limits.min, limits.max)
        found: npt.NDArray[Scalar] = np.asarray(warped, dtype=kind)
        return found

    def warp_labels(self, labels: Array) -> npt.NDArray[np.uint8]:
        """Warp part ids (0..255) of moving's size to fixed: one-hot, then argmax.

        Raises:
            FacewarpError: they are no ids, or not of moving's size.
        """
        import torch

        from facewarp.core import fields

        values, channels_last = self._as_moving(labels)
        if channels_last or ((values < 0) | (values > 255) | (values % 1 != 0)).any():
            what = "labels must be whole ids from 0 to 255 without channels"
            raise FacewarpError(what, fix="Give one id a pixel.")
        ids, dense = np.unique(labels, return_inverse=True)
        compact = torch.from_numpy(dense.reshape(np.shape(labels)))[None]
        warped = fields.warp_labels(compact, self._field(), max(len(ids), 2))[0].numpy()
        return np.asarray(ids[warped], dtype=np.uint8)

    def warp_points(self, points: FloatArray) -> FloatArray:
        """Map points ``(N, n)`` (x, y[, z]) of fixed to moving, px.

        Raises:
            FacewarpError: they are of another shape.
        """
        import torch

        from facewarp.core import fields

        shape, ndim = np.shape(points), len(self.field)
        if len(shape) != 2 or shape[1] != ndim:
            what = f"points have shape {shape}, where (N, {ndim}) is wanted"
            raise FacewarpError(what, fix=f"Give {'x, y' if ndim == 2 else 'x, y, z'} a row.")
        where = torch.as_tensor(np.asarray(points, dtype=np.float32))[None]
        moved: FloatArray = fields.warp_points(where, self._field())[0].numpy().astype(np.float64)
        return moved

    def jacobian(self) -> npt.NDArray[np.float32]:
        """Return the Jacobian determinant of ``I + grad u`` on fixed; values <= 0 are folds."""
        from facewarp.core import fields

        return np.asarray(fields.jacobian_determinant(self._field())[0].numpy(), np.float32)

    def _field(self) -> "Tensor":
        import torch

        return torch.from_numpy(self.field)[None]

    def _as_moving(self, image: Array) -> tuple["Tensor", bool]:
        """Return ``(1, C, *moving_shape)``, as exact as the image, and whether it has channels."""
        import torch

        array = _numbers(image, "the image")
        shape = self.labels_moving.shape
        channels_last = array.ndim == 3 and len(shape) == 2
        if array.shape[: len(shape)] != shape or array.ndim > len(shape) + channels_last:
            raise FacewarpError(
                f"the image has shape {array.shape}, but moving was {shape}",
                fix="Warp images on the grid of the moving image.",
            )
        is_wide = array.dtype.itemsize > 4 or (array.dtype.kind in "iu" and array.itemsize == 4)
        values = np.array(array, dtype=np.float64 if is_wide else np.float32)
        if array.dtype.kind in "iu" and is_wide and np.abs(values).max(initial=0) > _MOST_EXACT:
            what = f"the image has integers up to {array.max()}, which floating point does not hold"
            raise FacewarpError(what, fix="Scale it to less, or to floating point.")
        tensor = torch.from_numpy(values)
        return (tensor.movedim(-1, 0) if channels_last else tensor[None])[None], channels_last


def as_gray(image: Array, ndim: int, name: str = "image") -> "Tensor":
    """Convert an image or volume to a gray tensor ``(1, 1, *shape)`` in [0, 1].

    Raises:
        FacewarpError: see `Model.register`.
    """
    import torch

    array = _numbers(image, name)
    if ndim == 2 and array.ndim == 3 and array.shape[-1] in (1, 3, 4):
        color = array[..., :3].astype(np.float32)
        weights = np.asarray(LUMA if color.shape[-1] == 3 else (1.0,), dtype=np.float32)
        gray = color @ weights
    else:
        gray = array.astype(np.float32)
    if gray.ndim != ndim or gray.size == 0:
        raise FacewarpError(
            f"{name} has shape {array.shape}",
            fix="This model takes "
            + ("images H x W or H x W x 1, 3 or 4." if ndim == 2 else "volumes D x H x W."),
        )
    if not np.isfinite(gray).all():
        raise FacewarpError(
            f"{name} has values that are not finite", fix="Replace NaN and infinity."
        )
    if np.issubdtype(array.dtype, np.integer):
        most = np.iinfo(array.dtype.str).max
        low, high = int(array.min()), int(array.max())
        if low < 0 or (array.dtype.itemsize > 1 and 0 < high < most * _LEAST_SHARE):
            raise FacewarpError(
                f"{name} has values from {low} to {high}, where {array.dtype} counts to {most}: "
                "it would be seen as black",
                fix="Scale it to floating point of 0..1.",
            )
        gray = gray / most
    elif array.dtype == bool:
        gray = gray.astype(np.float32)
    elif gray.min() < 0 or gray.max() > 1:
        raise FacewarpError(
            f"{name} has values from {gray.min():g} to {gray.max():g}",
            fix="Scale floating-point images to 0..1.",
        )
    return torch.from_numpy(np.ascontiguousarray(gray))[None, None]


def _numbers(image: Array, name: str) -> Array:
    """Return an image, or a list of rows, as an array of real numbers.

    Raises:
        FacewarpError: it is something else.
    """
    array = np.asarray(image)
    if array.dtype.kind == "c":
        fix = "Give its magnitude (numpy.abs), or one part at a time."
        raise FacewarpError(f"{name} has complex values", fix=fix)
    if array.dtype.kind not in "buif":
        fix = "Give an array of numbers."
        if image is None:
            fix += " (OpenCV's imread returns None for a file that it cannot read.)"
        raise FacewarpError(f"{name} is no image, but of type {type(image).__name__}", fix=fix)
    return array
