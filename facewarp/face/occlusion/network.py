"""The occlusion network: what of a crop is face, and what hair, a hand, glasses or a thing hide.

It sees the crop in color at half its size and knows nothing of the registration, so that it is not
wrong where that is. The pictures it learnt from: docs/training.md.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.core.engines.base import Engine
from facewarp.core.model import Model, engine_beside, load
from facewarp.core.weights import find_weights, ships
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.face import Face

OCCLUSION: Final = "face-occlusion"
"""Kind of the network's configuration, and the name of the weights that ship."""

MATTE_SHAPE: Final = (CROP_SHAPE[0] // 2, CROP_SHAPE[1] // 2)
"""(H, W) of a matte: half the crop's."""

WINDOW_SHAPE: Final = (MATTE_SHAPE[0], MATTE_SHAPE[1] + 2)
"""(H, W) of what the network sees."""

_BESIDE_PX: Final = 2  # crop px on either side: the network halves its picture five times
_BATCH: Final = 8


def wide_crop(crop: Crop, every: int = 2) -> Crop:
    """Return the window that the network looks through: a crop and a little on both sides.

    Args:
        crop: of the face.
        every: crop px per px of the window.
    """
    step = np.diag([float(every), every, 1])
    step[:2, 2] = (every - 1) / 2
    step[0, 2] -= _BESIDE_PX
    height, width = crop.shape
    return Crop(crop.matrix @ step, (height // every, (width + 2 * _BESIDE_PX) // every))


class OcclusionNetwork:
    """Runs the occlusion network on faces.

    Args:
        model: the network.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @classmethod
    def beside(cls, model: Model) -> "OcclusionNetwork | None":
        """Load the network that ships, run by a face model's engine; None where none ships."""
        if not ships(OCCLUSION):
            return None
        if model.device_name != "cpu":
            return cls(load(OCCLUSION, model.device))
        return cls(
            load(OCCLUSION, engine=engine_beside(find_weights(OCCLUSION), model.engine.name))
        )

    @property
    def engine(self) -> Engine:
        """What runs it."""
        return self._model.engine

    def __call__(self, frame: NDArray[np.generic], faces: Sequence[Face]) -> list[Face]:
        """Return the faces of a frame H x W [x 1 to 4] with their mattes."""
        done: list[Face] = []
        for start in range(0, len(faces), _BATCH):
            some = faces[start : start + _BATCH]
            pictures = [wide_crop(face.crop).extract_rgb(frame) for face in some]
            mattes = self.mattes(np.stack(pictures))
            done += [face.changed(matte=one) for face, one in zip(some, mattes, strict=True)]
        return done

    def warm_up(self) -> None:
        """Get the engine ready."""
        self.mattes(np.zeros((1, *WINDOW_SHAPE, 3), np.uint8))

    def mattes(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mattes (N, 160, 130) of pictures (N, 160, 132, 3) RGB; 255 where the face is seen."""
        beside = _BESIDE_PX // 2
        return self.engine.mattes(pictures)[:, :, beside:-beside]
