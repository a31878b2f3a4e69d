"""Run the detail network on registered faces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.core.model import Model
from facewarp.face.details.outlines import boundaries_of
from facewarp.face.details.patches import CLASSES, KIND, PatchLayout, cut_patches
from facewarp.face.face import Details
from facewarp.face.template.template import Template


class DetailNetwork:
    """What sees mouths and eyes closely.

    Args:
        model: a detail network.
        template: what faces are registered with.

    Attributes:
        engine: what runs it.
    """

    def __init__(self, model: Model, template: Template) -> None:
        if model.config.kind != KIND or model.config.classes != CLASSES:
            raise ValueError(f"no detail network: {model.config.kind}, {model.config.classes}")
        self.engine, self._layout = model.engine, PatchLayout(template.landmarks)

    def __call__(
        self, grays: Sequence[NDArray[np.uint8]], landmarks: Sequence[Points]
    ) -> list[Details]:
        """Look at faces.

        Args:
            grays: the crops, (320, 260) each.
            landmarks: (68, 2) of each face, crop px, as registered.
        """
        frames = [self._layout.frames(points) for points in landmarks]
        pictures = [cut_patches(gray, one) for gray, one in zip(grays, frames, strict=True)]
        shares = self.engine.parts(np.concatenate(pictures))
        of_faces = shares.reshape(len(frames), 2, *shares.shape[1:])
        found = zip(*boundaries_of(of_faces), strict=True)
        return [Details(*one) for one in zip(of_faces, frames, found, strict=True)]
