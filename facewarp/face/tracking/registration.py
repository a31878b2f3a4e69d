"""Register the template to face crops, and invert that.

One direction of the network is run: the field from the template carries landmarks and paint, and
its inverse, which carries labels and textures, is the field onto the face. The other direction of
the network would be a second opinion of that map, and is not what is drawn
(docs/decisions/0133-one-direction-of-the-network.md).
"""

import logging
import math
import threading
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.core.engines.base import share_cores
from facewarp.core.model import Model, load, template_guidance
from facewarp.errors import FacewarpError
from facewarp.face.boxes import box_around
from facewarp.face.crop import CROP_SHAPE, Crop, bounding_square, eye_roll
from facewarp.face.crop_fields import (
    inverted,
    jacobian_determinant,
    resized,
    sample_field,
)
from facewarp.face.details.network import DetailNetwork
from facewarp.face.face import Face, Later
from facewarp.face.occlusion.network import OcclusionNetwork
from facewarp.face.template.template import Template
from facewarp.face.tracking.augmented_inference import with_augmentation
from facewarp.face.tracking.confidence import Calibration, carried_dice, hard_parts

log = logging.getLogger(__name__)


# How a face may lie in its crop before it is registered again on a better one. Training shows
# faces off the crop's middle by up to 0.12 of their side and at margins of 1.6 to 2.4.
_MARGIN = 2.0
_OFF_CENTRE = 0.12
_SIZE_RATIO = 1.2
_TURN = math.radians(15)
# A better crop may be this much less sure: what is left of confidence above that is noise.
_LESS_SURE = 0.03
_ROUNDS = 3
_BATCH = 8


class FaceRegistrar:
    """Registers face crops to a template: a model, an engine and a template.

    Args:
        template: a shipped template's name, a ``.npz`` file or a `Template`.
        model: a shipped model's name, a weights file or a `Model`.
        device: where the model runs, if it is not loaded yet.
        sure: confidence from which a face's state is ``"tracking"``.
        engine: what runs the model, if it is not loaded yet.
        thorough: look at every crop four times, see `facewarp.face.tracking.augmented_inference`.
        details: look at eyes and mouths closely too, where the model has a detail network.
        occlusion: find what hides the faces, see `facewarp.face.occlusion`.

    Raises:
        FacewarpError: no such model, template or device, or the model is not one for faces, or
            what it says of its confidence is damaged.
    """

    def __init__(
        self,
        template: str | Path | Template,
        model: str | Path | Model,
        device: str,
        sure: float,
        engine: str = "auto",
        thorough: bool = False,
        details: bool = True,
        occlusion: bool = False,
    ) -> None:
        self.template = template if isinstance(template, Template) else Template.load(template)
        self.model = model if isinstance(model, Model) else load(model, device, engine)
        self._occlusion = OcclusionNetwork.beside(self.model) if occlusion else None
        if thorough:
            self.model = with_augmentation(self.model)
        self.sure = sure
        config = self.model.config
        if config.kind != "face" or tuple(config.grid_shape) != CROP_SHAPE:
            raise FacewarpError(
                f"a model of kind {config.kind!r} and {config.grid_shape} is not for face crops",
                self.model.path,
                "Choose a face model.",
            )
        self._calibration = Calibration.of_model(self.model)
        beside = self.model.details if details else None
        self._details = DetailNetwork(beside, self.template) if beside is not None else None
        self._guidance = template_guidance(self.model, self.template.probabilities)
        self._guidance.flags.writeable = False  # engines need not copy it each time
        self._hard_parts = hard_parts(self._guidance[0])

    def register_refined(self, frame: NDArray[np.generic], crops: Sequence[Crop]) -> list[Face]:
        """Register crops, and register again where a face is off-center, rotated or mis-sized.

        The new crop is cut around the landmarks found, at most three times; the new registration
        is kept unless its confidence fell by more than 0.03.

        Args:
            frame: see `register`.
            crops: likewise.
        """
        faces = self._registered(frame, crops)
        turning = list(range(len(faces)))
        for _ in range(_ROUNDS):
            turning = [i for i in turning if _is_askew(faces[i])]
            if not turning:
                break
            better = self._registered(frame, [crop_around(faces[i].landmarks) for i in turning])
            tried, turning = turning, []
            for i, face in zip(tried, better, strict=True):
                if face.confidence > faces[i].confidence - _LESS_SURE:
                    faces[i] = face
                    turning.append(i)
        return faces if self._occlusion is None else self._occlusion(frame, faces)

    def share_cores(self) -> None:
        """Set the engines' threads as for one stage of a pipeline."""
        for network in (self.model, self._details, self._occlusion):
            if network is not None:
                share_cores(network.engine, in_pipeline=True)

    @property
    def sees_details(self) -> bool:
        """Whether registered faces have `face.Details`."""
        return self._details is not None

    def warm_up(self) -> threading.Thread:
        """Warm up the engines in a thread, which is returned; `register` waits for them."""
        thread = threading.Thread(target=self._run_once, name="facewarp-warm-up")
        thread.start()
        return thread

    def _run_once(self) -> None:
        try:
            black = np.zeros((1, 1, *CROP_SHAPE), np.uint8)
            self.model.engine.from_template(black, self._guidance)
            if self._occlusion is not None:
                self._occlusion.warm_up()
            if self._details is not None:
                self._details([np.zeros(CROP_SHAPE, np.uint8)], [self.template.landmarks])
        except Exception as error:  # noqa: BLE001 - whoever needs the engine gets it again
            log.debug("warming up: %s", error)

    def register(self, frame: NDArray[np.generic], crops: Sequence[Crop]) -> list[Face]:
        """Register crops of a frame H x W [x 1 to 4] to the template, as one batch.

        Colour is made grey no further than the crops reach. The field onto the face is the inverse
        of the one from the template, which is the more accurate one. What hides the faces is found
        where that was asked for.
        """
        faces = self._registered(frame, crops)
        return faces if self._occlusion is None else self._occlusion(frame, faces)

    def _registered(self, frame: NDArray[np.generic], crops: Sequence[Crop]) -> list[Face]:
        """Register crops, and look at eyes and mouths."""
        if len(crops) > _BATCH:  # a crowd does not take the memory of all at once
            first = self._registered(frame, crops[:_BATCH])
            return first + self._registered(frame, crops[_BATCH:])
        if not crops:
            return []
        shown = np.stack([crop.extract_gray(frame) for crop in crops])
        parts, fields = self.model.engine.from_template(shown[:, None], self._guidance)
        back = fields * _scale(fields.shape[2:], CROP_SHAPE)
        coarse = [_on_grid(field, parts.shape[2:]) for field in fields]
        agreements = [
            carried_dice(*pair, self._hard_parts) for pair in zip(parts, coarse, strict=True)
        ]
        confidences = self._calibration(np.array(agreements)).tolist()
        faces = []
        for i, crop in enumerate(crops):
            points = self.template.landmarks
            landmarks = crop.to_frame(points + sample_field(back[i], points))
            faces.append(
                Face(
                    id=-1,
                    state="tracking" if confidences[i] >= self.sure else "uncertain",
                    confidence=confidences[i],
                    box=box_around(landmarks),
                    landmarks=landmarks,
                    crop=crop,
                    grid_field=Later(partial(inverted, back[i])),
                    grid_field_from_template=back[i],
                    probabilities=parts[i],
                    folds_percent=Later(partial(folds_percent, coarse[i], self._guidance[0])),
                    gray=shown[i],
                )
            )
        if self._details is not None:
            found = self._details(
                list(shown),
                [crop.to_crop(f.landmarks) for crop, f in zip(crops, faces, strict=True)],
            )
            faces = [face.changed(details=one) for face, one in zip(faces, found, strict=True)]
        return faces


def crop_around(landmarks: NDArray[np.float64]) -> Crop:
    """Return the crop on which a face with these landmarks (68, 2) is best registered."""
    return Crop.around_points(landmarks, margin=_MARGIN)


def folds_percent(field: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Return the percentage of the face's pixels whose Jacobian determinant is <= 0.

    Args:
        field: (2, h, w) px of that grid, from the template to the crop.
        labels: the template's soft labels (8, h, w).
    """
    inside = labels[0] < 0.5
    folded = (jacobian_determinant(field) <= 0) & inside
    return 100 * int(folded.sum()) / max(int(inside.sum()), 1)


def _on_grid(field: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a field (2, h, w) in px of its own grid, on another grid and in px of that."""
    if field.shape[1:] == shape:
        return field
    rows, columns = shape
    return resized(field, (rows, columns)) * _scale(field.shape[1:], shape)


@lru_cache(maxsize=8)
def _scale(source: tuple[int, ...], target: tuple[int, ...]) -> NDArray[np.float32]:
    """(2, 1, 1) factors, x first, by which lengths grow from a grid to another."""
    factors = np.divide(target[::-1], source[::-1], dtype=np.float32)
    return np.asarray(factors, np.float32)[:, None, None]


def _is_askew(face: Face) -> bool:
    """Return whether a face is off-center, rotated or mis-sized in its crop, unlike in training."""
    crop = face.crop
    center, side = bounding_square(crop.to_crop(face.landmarks))
    height, width = crop.shape
    off = np.linalg.norm(center - ((width - 1) / 2, (height - 1) / 2))
    turn = math.remainder(eye_roll(face.landmarks) - crop.roll, math.tau)
    ratio = _MARGIN * side / height
    return bool(
        off > _OFF_CENTRE * side or abs(turn) > _TURN or not 1 / _SIZE_RATIO < ratio < _SIZE_RATIO
    )
