"""Model: weights ready for registration, of a pair of arrays or of batches of tensors."""

import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from facewarp.core.config import ModelConfig
from facewarp.core.engines.base import Engine, Floats
from facewarp.core.engines.factory import make_engine
from facewarp.core.geometry import (
    FloatArray,
    Shape,
    pixel_grid,
    resize_field,
    resize_image,
    resize_points,
)
from facewarp.core.registration import Array, Registration, as_gray
from facewarp.core.weights import (
    DETAILS,
    SLICES,
    Network,
    StoredNetwork,
    file_sha256,
    find_weights,
    int8_weights,
    network_of,
    weights_beside,
)
from facewarp.errors import FacewarpError
from facewarp.system.machine import has_bfloat16

if TYPE_CHECKING:  # what is given and returned as tensors imports torch itself, when it is asked
    import torch
    from torch import Tensor

    from facewarp.core.networks.guided_registration import GuidedRegistration


_ENGINE: Final = "engine"  # by name, in what is pickled
_MADE_ANEW: Final = ("_engine", "slices", "details")


def engine_beside(path: Path, name: str) -> str:
    """Return the engine of a part network beside a model that engine `name` runs.

    The same one; in float where it has no 8-bit weights.

    Args:
        path: the part network's weights.
        name: one of `facewarp.core.engines.base.ENGINES`.
    """
    if name == "openvino-int8" and int8_weights(path, file_sha256(path)) is None:
        return "openvino"
    return name


class Model:
    """A trained network with its configuration, its origin and its inference engine.

    It may be used by several threads, and pickled: the other process makes the engine anew.

    Args:
        net: the network, or the weights file that it is built from when it is needed.
        path: the weights file, if it came from one.
        metadata: of the weights file.
        device: of torch.
        engine: of the inference, see `make_engine`.

    Attributes:
        config: its configuration.
        path: the weights file, if it came from one.
        sha256: the file's hash, "" without a file.
        metadata: of the weights file.

    Raises:
        FacewarpError: no such engine, or it can't run this network here.

    Example:
        >>> model = facewarp.load("face")
        >>> found = model.register(fixed, moving)  # two crops, numpy, gray or RGB
        >>> found.field.shape
        (2, 320, 260)
    """

    def __init__(
        self,
        net: Network,
        *,
        path: Path | None = None,
        metadata: dict[str, str] | None = None,
        device: "str | torch.device" = "cpu",
        engine: str = "torch",
    ) -> None:
        self._device = str(device)
        self._network = net if isinstance(net, StoredNetwork) else net.eval()
        self.config: ModelConfig = net.config
        self.path = path
        self.sha256 = file_sha256(path) if path else ""
        self.metadata = metadata or {}
        self.int8 = int8_weights(path, self.sha256) if path else None
        self.use(engine)

    def __copy__(self) -> "Model":
        """Return a model that shares network and engine."""
        model = object.__new__(type(self))
        vars(model).update(vars(self))
        return model

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name not in _MADE_ANEW}
        return {**kept, _ENGINE: self._engine.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        engine = state.pop(_ENGINE)
        vars(self).update(state)
        self.use(engine)

    @property
    def net(self) -> "GuidedRegistration":
        """The network, in evaluation mode; what runs is a copy made for speed."""
        return network_of(self._network)

    @property
    def device_name(self) -> str:
        """Where torch runs the network, by name: no need of torch to ask."""
        return self._device

    @property
    def device(self) -> "torch.device":
        """Where torch runs the network."""
        import torch

        return torch.device(self._device)

    @property
    def engine(self) -> Engine:
        """The inference engine."""
        return self._engine

    def use(self, engine: str) -> Engine:
        """Switch to another engine, by name, and return it."""
        self._engine = make_engine(
            engine, self._network, device=self._device, key=self.sha256, int8=self.int8
        )
        return self._engine

    @cached_property
    def slices(self) -> "Model | None":
        """The part network of slices that lies beside a heart model's weights; None without."""
        if self.path is None or self.config.kind != "heart":
            return None
        file = weights_beside(self.path, SLICES)
        return None if file is None else load(file, self._device)

    @cached_property
    def details(self) -> "Model | None":
        """The part network of eyes and mouth beside a face model's weights; None without one."""
        if self.path is None or self.config.kind != "face":
            return None
        file = weights_beside(self.path, DETAILS)
        if file is None:
            return None
        found = load(file, self._device, engine_beside(file, self.engine.name))
        if found.engine.name != "torch":
            found.engine.use_threads(1)  # so small that more would wait for one another
        return found

    def release(self) -> None:
        """Give memory back that engines make again when they next run, see `Engine`."""
        self._engine.release()
        beside: Model | None = self.__dict__.get("slices")
        if beside is not None:
            beside.release()

    def run_by(self, engine: Engine) -> "Model":
        """Return the same model with an engine that exists already."""
        model = copy.copy(self)
        model._engine = engine
        return model

    def on_grid(self, shape: Shape) -> "Model":
        """Return the model on a grid of another size, with pixels of the same size.

        Raises:
            ValueError: see `on_grid`.
        """
        if tuple(shape) == tuple(self.config.grid_shape):
            return self
        from facewarp.core.engines.torch_engine import TorchEngine

        config, engine = self.config.on_grid(shape), self._engine
        if not isinstance(engine, TorchEngine):
            engine = TorchEngine(self.net, self.device)
        model = self.run_by(engine.with_config(config))
        model._network, model.config, model.int8 = self._network.with_config(config), config, None
        return model

    def rough(self) -> "Model | None":
        """Return a model of volumes that finds about the same in less time, in bf16.

        For choices that are then looked at closely, and fields that are refined. None where torch
        does not run it on a processor with instructions for bf16.
        """
        if self._device != "cpu" or self.config.ndim != 3:
            return None
        from facewarp.core.engines.torch_engine import TorchEngine

        engine = self._engine
        if not isinstance(engine, TorchEngine) or not has_bfloat16():
            return None
        return self.run_by(engine.in_bfloat16())

    def probabilities(self, images: "Tensor") -> "Tensor":
        """Segment gray images ``(B, 1, *grid_shape)``: probabilities ``(B, K, *feature_shape)``."""
        return _tensor(self._engine.parts(_array(images)))

    def fields(self, fixed: "Tensor", moving: "Tensor") -> "Tensor":
        """Predict fields ``(B, n, *field_shape)``, px of the field's grid, from part probabilities.

        Args:
            fixed: probabilities of the fixed images ``(B, K, *feature_shape)``.
            moving: probabilities of the moving images.
        """
        return _tensor(self._engine.fields(_array(fixed), _array(moving)))

    def both_ways(self, images: "Tensor", template: "Tensor") -> "tuple[Tensor, Tensor]":
        """Segment images and register them to a template in both directions, in one call.

        Args:
            images: ``(B, 1, *grid_shape)`` in [0, 1].
            template: the template's soft labels ``(1, K, *feature_shape)``.

        Returns:
            Probabilities ``(B, K, *feature_shape)``, and fields ``(2 B, n, *field_shape)``: B
            with the image fixed and the template moving, then B of the other direction.
        """
        parts, fields = self._engine.both_ways(_array(images), _array(template))
        return _tensor(parts), _tensor(fields)

    def register(self, fixed: Array, moving: Array) -> Registration:
        """Register a pair of images or volumes.

        Both are resized to the model's grid: for faces give crops with the aspect ratio of
        ``config.grid_shape``; for hearts volumes that cover what ``config.spacing_mm`` and the
        grid do, their 1st to 99th percentile scaled to 0 to 1. `facewarp.analyse_cine` and
        ``facewarp register`` see to all that.

        Args:
            fixed: ``H x W [x 1|3|4]`` or ``D x H x W``; integers count from 0 to their type's
                maximum, floats from 0 to 1.
            moving: likewise; its size may differ.

        Returns:
            The field on the pixels of fixed, pointing into those of moving, and both
            segmentations.

        Raises:
            FacewarpError: wrong number of axes, empty, not finite, or on another scale; or the
                model is a part network alone.
        """
        import torch

        if not self.config.steps:
            what = f"this is a part network ({self.config.kind}): it registers nothing"
            raise FacewarpError(what, self.path, "Give a face or a heart model.")
        ndim = self.config.ndim
        images = [
            as_gray(image, ndim, name) for image, name in ((fixed, "fixed"), (moving, "moving"))
        ]
        shapes = [tuple(image.shape[2:]) for image in images]
        grid = torch.cat([resize_image(image, self.config.grid_shape) for image in images])
        parts = self.probabilities(grid)
        u = resize_field(self.fields(parts[:1], parts[1:]), shapes[0])
        if shapes[0] != shapes[1]:  # from pixels of fixed to pixels of moving
            own = pixel_grid(shapes[0])
            points = (own + u).movedim(1, -1).numpy()
            carried = resize_points(points, shapes[0], shapes[1])
            u = torch.from_numpy(carried).movedim(-1, 1).float() - own
        labels = [
            resize_image(one[None], shape).argmax(1)[0].numpy().astype(np.uint8)
            for one, shape in zip(parts, shapes, strict=True)
        ]
        field = np.ascontiguousarray(u[0].numpy(), dtype=np.float32)
        return Registration(field, labels[0], labels[1], self.config.classes)


def load(model: str | Path, device: "str | torch.device" = "cpu", engine: str = "torch") -> Model:
    """Load a model by its shipped name (``"face"``) or from a ``.safetensors`` file.

    Args:
        model: the name or the file.
        device: where torch runs it.
        engine: what runs it: ``"torch"``, which every figure is measured with, another of
            `ENGINES`, or ``"auto"`` for the quickest here.

    Raises:
        FacewarpError: there is no such device, model or engine here.

    Example:
        >>> model = facewarp.load("face", engine="auto")
        >>> model.config.grid_shape
        (320, 260)
    """
    if str(device) != "cpu":
        from facewarp.core.engines.torch_engine import present_device

        device = present_device(device)
    stored = StoredNetwork(find_weights(model))
    return Model(stored, path=stored.path, metadata=stored.metadata, device=device, engine=engine)


def template_guidance(model: Model, probabilities: FloatArray) -> Floats:
    """Resize a template's soft labels to the size of the model's features ``(1, 8, h, w)``.

    Means over pixels where they shrink by whole factors, as `geometry.resize_image`; anything else
    is linear interpolation.
    """
    soft = np.ascontiguousarray(probabilities, np.float32)
    source, shape = soft.shape[1:], model.config.feature_shape
    if source == shape:
        return soft[None]
    (rows, over_y), (columns, over_x) = map(divmod, source, shape)
    if not over_y and not over_x:
        sums = np.zeros((len(soft), *shape), np.float32)
        for y, x in np.ndindex(rows, columns):  # in torch's order: equal to the last bit
            sums += soft[:, y::rows, x::columns]
        return sums[None] / np.float32(rows * columns)
    size = shape[::-1]
    small = [cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in soft]
    return np.stack(small).astype(np.float32, copy=False)[None]


def _array(tensor: "Tensor") -> Floats:
    """Return a tensor as an engine takes it."""
    array: Floats = tensor.detach().cpu().float().numpy()
    return array


def _tensor(array: Floats) -> "Tensor":
    """Return what an engine gives, as a tensor."""
    import torch

    return torch.from_numpy(array)
