"""Test-time augmentation of the part network, for `--thorough`."""

from functools import lru_cache

import torch
from torch import Tensor

from facewarp.core import fields
from facewarp.core.engines.base import Engine
from facewarp.core.geometry import Shape, pixel_grid, spatial_shape
from facewarp.core.model import Model
from facewarp.face.parts import MIRROR_PARTS

VIEWS = 4
_NEARER = 0.93  # the second pair of views shows so much of the crop


class AugmentedEngine:
    """Test-time augmentation: average part probabilities over four versions of the crop.

    The versions are the crop, the crop zoomed to 0.93, and both mirrored.

    Fields are found once, from these parts. Errors that differ between views average out; it
    takes about four times PartNet's time.

    Args:
        engine: what runs the network.

    Attributes:
        name: the engine's own.
        summary: likewise, and that there are four views.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.name
        self.summary = f"{engine.summary}, four views of each face"

    def parts(self, images: Tensor) -> Tensor:
        """See `Engine`."""
        nearer = _zoomed(images, _NEARER)
        views = torch.cat([images, images.flip(-1), nearer, nearer.flip(-1)])
        plain, mirrored, near, near_mirrored = self._engine.parts(views).chunk(VIEWS)
        near = (near + _mirror(near_mirrored)) / 2
        shown = _zoomed(near, 1 / _NEARER)
        both = (plain + _mirror(mirrored)) / 2
        inside = _inside(spatial_shape(near))
        return torch.lerp(both, shown, inside / 2)

    def fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """See `Engine`."""
        return self._engine.fields(fixed, moving)

    def both_ways(self, images: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """See `Engine`."""
        parts = self.parts(images)
        templates = template.expand(len(images), *[-1] * (template.ndim - 1))
        fixed, moving = torch.cat([parts, templates]), torch.cat([templates, parts])
        return parts, self._engine.fields(fixed, moving)

    def use_threads(self, count: int) -> None:
        """See `Engine`."""
        self._engine.use_threads(count)


def with_augmentation(model: Model) -> Model:
    """Return the same face model with test-time augmentation of its part network."""
    return model.run_by(AugmentedEngine(model.engine))


def _mirror(parts: Tensor) -> Tensor:
    """Mirror part probabilities back, and swap the parts' sides."""
    return parts.flip(-1)[:, MIRROR_PARTS.tolist()]


def _zoomed(images: Tensor, factor: float) -> Tensor:
    return fields.warp(images, _zoom(spatial_shape(images), factor).expand(len(images), -1, -1, -1))


@lru_cache(maxsize=8)
def _zoom(shape: Shape, factor: float) -> Tensor:
    """Field ``(1, n, *shape)`` px that shows so much of a picture, about its centre."""
    with torch.inference_mode(False):
        points = pixel_grid(shape)
        center = torch.tensor([(size - 1) / 2 for size in shape[::-1]])
        return (factor - 1) * (points - center.view(1, -1, *[1] * len(shape)))


@lru_cache(maxsize=8)
def _inside(shape: Shape) -> Tensor:
    """1 where the nearer view shows anything of the crop, ``(1, 1, *shape)``, else 0."""
    with torch.inference_mode(False):
        seen = pixel_grid(shape) + _zoom(shape, 1 / _NEARER)
        limits = torch.tensor(shape[::-1]).view(1, -1, *[1] * len(shape))
        within = (seen > -0.5) & (seen < limits - 0.5)
        return within.all(1, keepdim=True).float()
