"""Hold a face's matte steady from frame to frame, and say honestly how much of it is seen.

The matte of the frame before goes along with the crop, which moves with the head. Where the picture
is the same as it was there the matte changes slowly; where it has changed, as under a hand that
comes in, the new one counts at once.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import GRID_PX, GRID_SHAPE, resized
from facewarp.face.face import Face, FaceFilter
from facewarp.face.occlusion.network import MATTE_SHAPE
from facewarp.face.parts import FacePart
from facewarp.face.similarity import Affine, compose_affine, inverse
from facewarp.face.template.template import Template

Floats = NDArray[np.float32]

_STEP: Final = MATTE_SHAPE[1] / GRID_SHAPE[1]  # px of a matte to a cell of the template
_HOLD_S: Final = 0.12  # time constant of a matte where the picture stays the same
_GAP_S: Final = 0.5  # between frames, after which nothing is carried on
_USUAL_S: Final = 1 / 30
_SAME: Final = (4.0, 14.0)  # gray levels of difference: noise, and another thing
_FREE: Final = 0.6  # share of the face that must be seen for its confidence to count in full


@dataclass
class _Past:
    """What is kept from the last frame: its time, the crop's matrix, its gray and its matte."""

    time: float
    matrix: Affine
    gray: Floats
    matte: Floats


class SteadyMatte:
    """Hold one face's matte steady, and lower the confidence of a face that is mostly hidden.

    Args:
        template: what the face is registered with.
        sure: confidence from which a face's state is ``"tracking"``.
        before: what filters the registration first.
    """

    def __init__(self, template: Template, sure: float, before: FaceFilter | None = None) -> None:
        self._sure, self._before = sure, before
        face = 1 - np.asarray(template.probabilities[FacePart.BACKGROUND], np.float32)
        self._face = cv2.resize(face, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)
        self._past: _Past | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._past = None
        if self._before is not None:
            self._before.reset()

    def __call__(self, face: Face, time: float) -> Face:
        """Filter the face of the next frame; one without a matte stays as it is.

        Args:
            face: as registered, on any crop.
            time: the frame's, s.

        Returns:
            The face with another matte, and no more confidence than it had.
        """
        if self._before is not None:
            face = self._before(face, time)
        if face.matte is None or face.gray is None:
            self._past = None
            return face
        gray = cv2.resize(face.gray, MATTE_SHAPE[::-1], interpolation=cv2.INTER_AREA)
        gray = cv2.GaussianBlur(gray, (0, 0), 1.0).astype(np.float32)
        matte = face.matte.astype(np.float32)
        past = self._past
        if past is not None and time - past.time < _GAP_S:
            dt = time - past.time if time > past.time else _USUAL_S
            matte = _carried_on(past, gray, matte, face.crop.matrix, dt)
        self._past = _Past(time, face.crop.matrix, gray, matte)
        face = face.changed(matte=np.rint(matte).astype(np.uint8))
        return self._judged(face)

    def _judged(self, face: Face) -> Face:
        """Return the face with the confidence that what is seen of it allows."""
        seen = float((seen_of_template(face) * self._face).sum() / self._face.sum())
        confidence = face.confidence * min(1.0, seen / _FREE)
        if confidence == face.confidence:
            return face
        sinks = face.state == "tracking" and confidence < self._sure
        return face.changed(confidence=confidence, state="uncertain" if sinks else face.state)


def seen_of_template(face: Face) -> Floats:
    """How much of each point of the template is seen, (80, 65) 0..1: a face's matte carried to it.

    Args:
        face: with a matte.
    """
    assert face.matte is not None
    field = resized(face.grid_field_from_template, GRID_SHAPE)
    there = _cells() + field * np.float32(_STEP / GRID_PX)
    found = cv2.remap(
        face.matte, there[0], there[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found, np.float32) / np.float32(255)


@lru_cache(maxsize=1)
def _cells() -> Floats:
    """(2, 80, 65) px of the matte, x first, at the middles of the template's cells."""
    y, x = np.mgrid[: GRID_SHAPE[0], : GRID_SHAPE[1]]
    return ((np.stack([x, y]) + 0.5) * _STEP - 0.5).astype(np.float32)


def _carried_on(past: _Past, gray: Floats, matte: Floats, matrix: Affine, dt: float) -> Floats:
    """Mix a matte with the last one, where the picture is the same."""
    back = compose_affine(inverse(past.matrix), matrix)  # px of this crop to px of the last
    scale = MATTE_SHAPE[1] / 260
    back = back.copy()
    back[:, 2] = (back[:, 2] + back[:, :2].sum(axis=1) * 0.5 - 0.5) * scale
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    before, shown = (
        cv2.warpAffine(one, back, MATTE_SHAPE[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for one in (past.matte, past.gray)
    )
    change = cv2.GaussianBlur(cv2.absdiff(gray, shown), (0, 0), 1.5)
    change = ((change - _SAME[0]) / (_SAME[1] - _SAME[0])).clip(0, 1)
    least = np.float32(-np.expm1(-dt / _HOLD_S))
    return np.asarray(before + (least + (1 - least) * change) * (matte - before), np.float32)
