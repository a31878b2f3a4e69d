"""Test-time augmentation of the part network, for `--thorough`."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facewarp.core.engines.base import (
    Engine,
    Floats,
    Images,
    from_gray,
    from_pictures,
    mattes_of,
)
from facewarp.core.model import Model
from facewarp.face.crop_fields import warp_maps
from facewarp.face.parts import MIRROR_PARTS

VIEWS = 4
_HALF = np.float32(0.5)
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

    def parts(self, images: Floats) -> Floats:
        """See `Engine`."""
        nearer = _zoomed(images, _NEARER)
        views = np.concatenate([images, images[..., ::-1], nearer, nearer[..., ::-1]])
        plain, mirrored, near, near_mirrored = np.split(self._engine.parts(views), VIEWS)
        near = _HALF * (near + _mirror(near_mirrored))
        shown = _zoomed(near, 1 / _NEARER)
        both = _HALF * (plain + _mirror(mirrored))
        return np.where(_inside(*near.shape[2:]), _HALF * (both + shown), both)

    def mattes(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Engine`."""
        return mattes_of(self.parts(from_pictures(pictures)))

    def fields(self, fixed: Floats, moving: Floats) -> Floats:
        """See `Engine`."""
        return self._engine.fields(fixed, moving)

    def both_ways(self, images: Floats, template: Floats) -> tuple[Floats, Floats]:
        """See `Engine`."""
        parts = self.parts(images)
        templates = np.repeat(template, len(images), axis=0)
        fixed, moving = np.concatenate([parts, templates]), np.concatenate([templates, parts])
        return parts, self._engine.fields(fixed, moving)

    def from_template(self, images: Images, template: Floats) -> tuple[Floats, Floats]:
        """See `Engine`."""
        parts = self.parts(from_gray(images))
        return parts, self._engine.fields(np.repeat(template, len(images), axis=0), parts)

    def use_threads(self, count: int) -> None:
        """See `Engine`."""
        self._engine.use_threads(count)

    def release(self) -> None:
        """See `Engine`."""
        self._engine.release()

    def compile_aside(self, wanted: bool) -> None:
        """See `Engine`."""
        self._engine.compile_aside(wanted)


def with_augmentation(model: Model) -> Model:
    """Return the same face model with test-time augmentation of its part network."""
    return model.run_by(AugmentedEngine(model.engine))


def _mirror(parts: Floats) -> Floats:
    """Mirror part probabilities back, and swap the parts' sides."""
    return parts[..., ::-1][:, MIRROR_PARTS]


def _zoomed(images: Floats, factor: float) -> Floats:
    """Return what a view of so much of images (B, C, h, w), about their center, shows."""
    zoom = _zoom(*images.shape[2:], factor)
    return np.stack([warp_maps(image, zoom) for image in images])


@lru_cache(maxsize=8)
def _zoom(height: int, width: int, factor: float) -> Floats:
    """Field (2, height, width) px that shows so much of a picture, about its center."""
    y, x = (np.arange(size, dtype=np.float32) - (size - 1) / 2 for size in (height, width))
    field = np.stack(np.broadcast_arrays(x[None], y[:, None])) * np.float32(factor - 1)
    return np.asarray(field, np.float32)


@lru_cache(maxsize=8)
def _inside(height: int, width: int) -> NDArray[np.bool_]:
    """Whether the nearer view shows anything of a place of the crop, (height, width)."""
    y, x = np.mgrid[:height, :width] + _zoom(height, width, 1 / _NEARER)[::-1]
    return np.asarray((x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5))
