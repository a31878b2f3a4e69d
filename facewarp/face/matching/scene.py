"""Scene: light, contrast, blur and grain of a frame around a face, for paint to take on."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.matching.grain import noise_level
from facewarp.face.matching.light_color import (
    LINEAR,
    LUMA,
    chroma,
    kept_saturation,
    light_gains,
)
from facewarp.face.matching.sharpness import camera_blur_px
from facewarp.face.parts import FacePart
from facewarp.face.similarity import sampled

if TYPE_CHECKING:
    from facewarp.face.face import Face

_LOOKED_AT: Final = 1000  # px of the frame, about, that its colors are measured at
_SKIN_SHAPE: Final = (40, 32)  # rows and columns of the crop at which skin is looked at
_IS_SKIN: Final = 0.9
_DARKEST: Final = 0.5  # percentile of brightness that is the frame's black
_BLACK: Final = (8.0, 0.5, 24.0)  # level of a usual black, share of more that is added, most
_WHITE: Final = (225.0, 0.6)  # level that is a usual white, and the least of it
_ABOVE_SKIN: Final = 1.4  # brightness of white over that of bright skin
_NOISE_PX: Final = 128  # side of the window in which noise is measured
_BROWS_AND_EYES: Final = (*range(17, 27), *range(36, 48))
_NOSE: Final = slice(27, 36)
_EYE_CORNERS: Final = (36, 45)
_LIDS: Final = (slice(36, 42), slice(42, 48))
_LEAST_EYE_PX: Final = 3.0  # height of an opening, crop px, in which the white of an eye is seen
_LEAST_SCALE: Final = 0.6  # frame px a crop px, below which it is blurred with lids and iris
_BRIGHT_OF_EYES: Final = 90  # percentile of an eye's brightness that is its white
_EYES_OVER_LIGHT_SKIN: Final = 1.1


@dataclass(frozen=True, eq=False)
class Scene:
    """What paint takes on of a frame.

    Attributes:
        light: (3,) factors of red, green and blue; 1, 1, 1 in neutral light.
        saturation: 0..1, share that it keeps of its own.
        black: 0..255, how bright its black is.
        white: 0..1, how bright its white is.
        blur_px: sigma of a Gaussian, px of the frame.
        noise: standard deviation of the frame's noise, levels.
        skin: mean brightness of the skin that is seen; NaN where none is.
        eyes: brightness of the whites of eyes; NaN where none is seen.
        seed: of the grain.
    """

    light: NDArray[np.float64]
    saturation: float = 1.0
    black: float = 0.0
    white: float = 1.0
    blur_px: float = 0.0
    noise: float = 0.0
    skin: float = math.nan
    eyes: float = math.nan
    seed: int = 0

    @classmethod
    def of(cls, frame: NDArray[np.uint8], face: "Face") -> Self:
        """Measure a frame (H, W, 3) uint8 RGB around a face in it."""
        step = max(1, round((frame.shape[0] * frame.shape[1] / _LOOKED_AT) ** 0.5))
        thumbnail = np.ascontiguousarray(frame[step // 2 :: step, step // 2 :: step])
        saturation = kept_saturation(thumbnail)
        pixels = thumbnail.reshape(-1, 3)
        luma = pixels @ np.array(LUMA)
        skin = _skin_of(frame, face)
        light, bright, mean = np.ones(3), 0.0, math.nan
        if skin is not None:
            brightness = skin @ np.array(LUMA)
            low, high = np.percentile(brightness, (25, 90))
            between = skin[(brightness >= low) & (brightness <= high)]
            light = light_gains(
                chroma(LINEAR[between].mean(axis=0)),
                chroma(LINEAR[pixels].mean(axis=0)),
                saturation,
            )
            bright, mean = float(high), float(brightness.mean())
        black, white = np.percentile(luma, (_DARKEST, 99))
        usual, share, most = _BLACK
        return cls(
            light,
            saturation,
            float(np.clip(share * (black - usual), 0, most)),
            float(np.clip(max(white, _ABOVE_SKIN * bright) / _WHITE[0], _WHITE[1], 1)),
            blur_px(frame, face),
            noise_level(_below(face, frame)),
            mean,
            _whites_of_eyes(frame, face),
            int(pixels.sum()),
        )

    def brightness_of_light(self, skin: float, room: float) -> float:
        """Estimate how bright light skin would be in the light that falls on a face.

        Dark skin in a bright room is not in the dark, and a face before a bright wall is not in
        the light. The whites of eyes, alike in people of every tone, tell one from the other; where
        they are not seen, the room does.

        Args:
            skin: mean brightness of the face.
            room: of the whole frame.
        """
        if math.isnan(self.eyes):
            return max(skin, room)
        return max(skin, min(room, _EYES_OVER_LIGHT_SKIN * self.eyes))


def blur_px(frame: NDArray[np.uint8], face: "Face") -> float:
    """Estimate what a frame's focus and motion blur a face: sigma of a Gaussian, px."""
    corners = face.landmarks[list(_EYE_CORNERS)]
    edges = _around(face.landmarks[list(_BROWS_AND_EYES)], frame)
    return camera_blur_px(edges, float(np.linalg.norm(corners[0] - corners[1])))


def _skin_of(frame: NDArray[np.uint8], face: "Face") -> NDArray[np.uint8] | None:
    """Return pixels (N, 3) of the skin that is seen; None if they are too few."""
    steps = np.array(CROP_SHAPE[::-1]) / _SKIN_SHAPE[::-1]
    matrix = face.crop.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (0.5 * steps - 0.5)
    matrix[:, :2] *= steps
    size = _SKIN_SHAPE[::-1]
    small = sampled(frame, matrix, size)
    face_part, nose = (
        cv2.resize(face.probabilities[part], size, interpolation=cv2.INTER_NEAREST)
        for part in (FacePart.FACE, FacePart.NOSE)
    )
    is_skin = np.asarray(face_part + nose > _IS_SKIN)
    if face.matte is not None:
        is_skin &= cv2.resize(face.matte, size) > 200
    return np.asarray(small[is_skin]) if is_skin.sum() >= 12 else None


def _whites_of_eyes(frame: NDArray[np.uint8], face: "Face") -> float:
    """Return the brightness of the whites of the brighter eye; NaN where both are shut or small."""
    found = math.nan
    if face.crop.scale < _LEAST_SCALE:
        return found
    for lids in _LIDS:
        points = face.crop.to_crop(face.landmarks[lids])
        if np.linalg.norm(points[[1, 2]] - points[[5, 4]], axis=1).mean() < _LEAST_EYE_PX:
            continue
        corner = np.floor(points.min(axis=0))
        width, height = np.ceil(np.ptp(points, axis=0)).astype(int) + 1
        matrix = face.crop.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ corner
        shown = sampled(frame, matrix, (int(width), int(height)))
        inside = np.zeros(shown.shape[:2], np.uint8)
        cv2.fillPoly(inside, [np.rint(points - corner).astype(np.int32)], 1)
        bright = np.percentile(shown[inside > 0] @ np.array(LUMA), _BRIGHT_OF_EYES)
        found = float(np.fmax(found, bright))
    return found


def _around(points: NDArray[np.floating], frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray window of a frame around points (N, 2)."""
    height, width = frame.shape[:2]
    x0, y0 = np.floor(points.min(axis=0)).clip(0, (width, height)).astype(int)
    x1, y1 = np.ceil(points.max(axis=0)).clip(0, (width, height)).astype(int)
    window = frame[y0:y1, x0:x1]
    if not window.size:
        return np.zeros((0, 0), np.uint8)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(window), cv2.COLOR_RGB2GRAY), np.uint8)


def _below(face: "Face", frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray window of nose and cheeks, no more of it than noise is measured in."""
    center = face.landmarks[_NOSE].mean(axis=0)
    reach = min(_NOISE_PX, 0.8 * float(np.ptp(face.landmarks[:, 0]))) / 2
    return _around(center + [(-reach, -reach), (reach, reach)], frame)
