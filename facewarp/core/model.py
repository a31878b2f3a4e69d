"""Model: weights ready to register. One pair of arrays, or batches of tensors."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facewarp.core import fields
from facewarp.core.config import ModelConfig
from facewarp.core.geometry import (
    FloatArray,
    pixel_grid,
    resize_field,
    resize_image,
    resize_points,
)
from facewarp.core.layers import fold_batch_norms
from facewarp.core.network import GuidedRegistration
from facewarp.core.weights import file_sha256, find_weights, load_weights
from facewarp.errors import FacewarpError

Array = npt.NDArray[np.generic]
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what "grey" means for 8-bit RGB


@dataclass(frozen=True)
class Registration:
    """The result of registering one moving image to one fixed image.

    Attributes:
        field: ``(n, *fixed_shape)`` float32, channels ``(x, y[, z])``: a pixel ``p`` of fixed
            corresponds to ``p + field(p)`` in pixels of moving.
        labels_fixed: part ids the model sees in fixed, uint8 ``fixed_shape``.
        labels_moving: part ids it sees in moving, uint8 ``moving_shape``.
        classes: names of the part ids.
    """

    field: npt.NDArray[np.float32]
    labels_fixed: npt.NDArray[np.uint8]
    labels_moving: npt.NDArray[np.uint8]
    classes: tuple[str, ...]

    def warp(self, image: Array) -> Array:
        """Carry an image of moving's size onto fixed: ``moving(p + u(p))``, linear.

        Args:
            image: ``moving_shape``, in 2D also with channels last. Integer types come back
                rounded in the same type.
        """
        values, channels_last = self._as_moving(image)
        warped = fields.warp(values, self._field())[0].numpy()
        warped = np.moveaxis(warped, 0, -1) if channels_last else warped[0]
        if np.issubdtype(image.dtype, np.integer):
            limits = np.iinfo(image.dtype.str)
            warped = np.rint(warped).clip(limits.min, limits.max)
        return np.asarray(warped, dtype=image.dtype)

    def warp_labels(self, labels: Array) -> npt.NDArray[np.uint8]:
        """Carry part ids (0..255) of moving's size onto fixed: one-hot, then argmax."""
        values, channels_last = self._as_moving(labels)
        if channels_last or values.min() < 0 or values.max() > 255:
            raise FacewarpError("labels must be ids from 0 to 255 without channels")
        ids, dense = np.unique(labels, return_inverse=True)
        compact = torch.from_numpy(dense.reshape(labels.shape))[None]
        warped = fields.warp_labels(compact, self._field(), max(len(ids), 2))[0].numpy()
        return np.asarray(ids[warped], dtype=np.uint8)

    def warp_points(self, points: FloatArray) -> FloatArray:
        """Carry points ``(N, n)`` (x, y[, z]) of fixed into moving, px."""
        where = torch.as_tensor(np.asarray(points, dtype=np.float32))[None]
        moved: FloatArray = fields.warp_points(where, self._field())[0].numpy().astype(np.float64)
        return moved

    def jacobian(self) -> npt.NDArray[np.float32]:
        """Determinant of ``I + grad u`` on fixed; values <= 0 are folds."""
        return np.asarray(fields.jacobian_determinant(self._field())[0].numpy(), np.float32)

    def _field(self) -> Tensor:
        return torch.from_numpy(self.field)[None]

    def _as_moving(self, image: Array) -> tuple[Tensor, bool]:
        shape = self.labels_moving.shape
        channels_last = image.ndim == 3 and len(shape) == 2
        if image.shape[: len(shape)] != shape or image.ndim > len(shape) + channels_last:
            raise FacewarpError(
                f"the image has shape {image.shape}, but moving was {shape}",
                fix="warp images on the grid of the moving image",
            )
        values = torch.from_numpy(np.array(image, dtype=np.float32))
        return (values.movedim(-1, 0) if channels_last else values[None])[None], channels_last


class Model:
    """A trained network with its configuration, origin and device.

    Attributes:
        net: the network, in evaluation mode; what runs is a copy made for speed.
        config: its configuration.
        path: the weights file, if it came from one.
        sha256: the file's hash, "" without a file.
        metadata: what else the file says of itself.
        device: where it runs.
    """

    def __init__(
        self,
        net: GuidedRegistration,
        *,
        path: Path | None = None,
        metadata: dict[str, str] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.net = net.to(self.device).eval()
        self._fast = fold_batch_norms(self.net)
        if net.config.ndim == 2:  # what CPU and GPU convolutions are quickest on
            self._fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config: ModelConfig = net.config
        self.path = path
        self.sha256 = file_sha256(path) if path else ""
        self.metadata = metadata or {}

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, *feature_shape)`` of grey images ``(B, 1, *grid_shape)``."""
        return self._fast.features(images.to(self.device)).softmax(1)

    @torch.inference_mode()
    def fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fields ``(B, n, *field_shape)``, px of the field's grid, from part probabilities.

        Args:
            fixed: probabilities of the fixed images ``(B, K, *feature_shape)``.
            moving: probabilities of the moving images.
        """
        if self.config.guidance == "logits":
            fixed, moving = fixed.clamp(min=1e-6).log(), moving.clamp(min=1e-6).log()
        totals, _ = self._fast.register(fixed.to(self.device), moving.to(self.device))
        return totals[-1]

    @torch.inference_mode()
    def register(self, fixed: Array, moving: Array) -> Registration:
        """Register a pair of images or volumes.

        Both are stretched to the model's own grid: for faces give crops of the face in the
        proportions of ``config.grid_shape``.

        Args:
            fixed: ``H x W [x 1|3|4]`` or ``D x H x W``; integers count from 0 to their type's
                maximum, floats from 0 to 1.
            moving: likewise; its size may differ.

        Raises:
            FacewarpError: wrong number of axes, empty, or not finite.
        """
        ndim = self.config.ndim
        images = [
            as_grey(image, ndim, name) for image, name in ((fixed, "fixed"), (moving, "moving"))
        ]
        shapes = [tuple(image.shape[2:]) for image in images]
        grid = torch.cat([resize_image(image, self.config.grid_shape) for image in images])
        logits = self._fast.features(grid.to(self.device))
        guidance = self._fast.guidance(logits)
        totals, _ = self._fast.register(guidance[:1], guidance[1:])
        u = resize_field(totals[-1].cpu(), shapes[0])
        if shapes[0] != shapes[1]:  # from pixels of fixed to pixels of moving
            own = pixel_grid(shapes[0])
            points = (own + u).movedim(1, -1).numpy()
            carried = resize_points(points, shapes[0], shapes[1])
            u = torch.from_numpy(carried).movedim(-1, 1).float() - own
        labels = [
            resize_image(one.softmax(0)[None].cpu(), shape).argmax(1)[0].numpy().astype(np.uint8)
            for one, shape in zip(logits, shapes, strict=True)
        ]
        field = np.ascontiguousarray(u[0].numpy(), dtype=np.float32)
        return Registration(field, labels[0], labels[1], self.config.classes)


def load(model: str | Path, device: str | torch.device = "cpu") -> Model:
    """A model by its shipped name (``"face"``) or from a ``.safetensors`` file."""
    path = find_weights(model)
    net, metadata = load_weights(path)
    return Model(net, path=path, metadata=metadata, device=device)


def as_grey(image: Array, ndim: int, name: str = "image") -> Tensor:
    """An image or volume as a grey tensor ``(1, 1, *shape)`` in [0, 1]."""
    array = np.asarray(image)
    if ndim == 2 and array.ndim == 3 and array.shape[-1] in (1, 3, 4):
        colour = array[..., :3].astype(np.float32)
        weights = np.asarray(LUMA if colour.shape[-1] == 3 else (1.0,), dtype=np.float32)
        grey = colour @ weights
    else:
        grey = array.astype(np.float32)
    if grey.ndim != ndim or grey.size == 0:
        raise FacewarpError(
            f"{name} has shape {array.shape}",
            fix="this model takes "
            + ("images H x W or H x W x 1, 3 or 4" if ndim == 2 else "volumes D x H x W"),
        )
    if not np.isfinite(grey).all():
        raise FacewarpError(
            f"{name} has values that are not finite", fix="replace NaN and infinity"
        )
    if np.issubdtype(array.dtype, np.integer):
        grey = grey / np.iinfo(array.dtype.str).max
    elif array.dtype == bool:
        grey = grey.astype(np.float32)
    elif grey.min() < 0 or grey.max() > 1:
        raise FacewarpError(
            f"{name} has values from {grey.min():g} to {grey.max():g}",
            fix="scale floating-point images to 0..1",
        )
    return torch.from_numpy(np.ascontiguousarray(grey))[None, None]
