"""Registration methods for two faces: the guided network and its variants, and baselines."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.arrays import ImageArray
from facewarp.core.geometry import resize_field, resize_image
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import FacePart

SMOOTHING_PX = 5  # of the parts that poly-affine maps are blended with, on the field's grid


@dataclass(frozen=True, eq=False)
class Found:
    """Result of a method on two crops.

    Attributes:
        field: ``(1, 2, 320, 260)`` float32 px of the crop, fixed to moving.
        parts: ``(320, 260)`` uint8 the method's own segmentation of fixed; None without.
    """

    field: Tensor
    parts: NDArray[np.uint8] | None = None


class FaceMethod(Protocol):
    """A registration method for faces, on two gray crops without labels."""

    name: str
    parameters: int
    sha256: str

    def register(self, fixed: ImageArray, moving: ImageArray) -> Found:
        """Register ``(320, 260)`` uint8 crops."""
        ...


class GuidedMethod:
    """The guided network, of any preset.

    Args:
        model: a face model.
        name: what to call it.
        combine: of the fields of successive steps, where not as in training.
        polyaffine: replace each field by the nearest poly-affine one, a map a part.

    Raises:
        FacewarpError: the model is not of faces.
    """

    def __init__(
        self, model: Model, name: str, *, combine: str | None = None, polyaffine: bool = False
    ) -> None:
        if model.config.n_classes != len(FacePart) or model.config.ndim != 2:
            kind = f"{model.config.kind!r} with {model.config.n_classes} classes"
            raise FacewarpError(f"this is no face model: {kind}", model.path, "Give a face model.")
        self.model = model if combine is None else _combining(model, combine)
        self.name = name
        self.polyaffine = polyaffine
        self.parameters = sum(p.numel() for p in model.net.parameters())
        self.sha256 = model.sha256

    def register(self, fixed: ImageArray, moving: ImageArray) -> Found:
        """See `FaceMethod`."""
        images = torch.from_numpy(np.stack([fixed, moving])).float().div(255)[:, None]
        seen = self.model.probabilities(images)
        field = self.model.fields(seen[:1], seen[1:])
        if self.polyaffine:
            field = polyaffine_by_parts(field, seen[:1])
        if not self.model.config.guided:
            return Found(resize_field(field, CROP_SHAPE).cpu())
        parts = resize_image(seen[:1].cpu(), CROP_SHAPE).argmax(1)[0].numpy().astype(np.uint8)
        return Found(resize_field(field, CROP_SHAPE).cpu(), parts)


class BaselineMethod:
    """A baseline: one function of two images.

    Args:
        name: what to call it.
        find: gives the field ``(2, 320, 260)`` px from fixed into moving.
        parameters: number of learnt parameters.
        sha256: of the weights file, "" without.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[ImageArray, ImageArray], NDArray[np.float32]],
        parameters: int = 0,
        sha256: str = "",
    ) -> None:
        self.name, self.parameters, self.sha256 = name, parameters, sha256
        self._find = find

    def register(self, fixed: ImageArray, moving: ImageArray) -> Found:
        """See `FaceMethod`."""
        return Found(torch.from_numpy(self._find(fixed, moving).astype(np.float32))[None])


def polyaffine_by_parts(field: Tensor, parts: Tensor) -> Tensor:
    """Return the nearest poly-affine field, with an affine map for each part.

    Args:
        field: ``(B, 2, *shape)`` px.
        parts: probabilities of the fixed image's parts ``(B, K, *any)``; smoothed by a mean over
            5 x 5 px, three times, they are the weights of the maps.
    """
    weights = resize_image(parts, (int(field.shape[2]), int(field.shape[3])))
    for _ in range(3):
        weights = F.avg_pool2d(weights, SMOOTHING_PX, 1, SMOOTHING_PX // 2, count_include_pad=False)
    return fields.polyaffine(field, weights)


def _combining(model: Model, combine: str) -> Model:
    if combine not in ("compose", "add"):
        raise FacewarpError(
            f"fields can't be put together by {combine!r}", fix="Give compose or add."
        )
    how = "compose" if combine == "compose" else "add"
    net = GuidedRegistration(replace(model.config, combine=how))  # type: ignore[arg-type]
    net.load_state_dict(model.net.state_dict())
    return Model(net, metadata=model.metadata, device=model.device)
