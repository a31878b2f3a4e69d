"""Shading: estimate the light of a frame region and apply it to an overlay."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.face.matching.grain import SCALE, grain
from facewarp.face.matching.scene import Scene

Blend = Literal["paint", "tint", "mask", "glow"]
"""How a picture meets the frame: paint shows the light and the grain of the skin, tint keeps all of
them and changes the colour only, mask is a solid thing in the same light, glow shines by itself
whatever the light."""

BLENDS: Final[tuple[Blend, ...]] = ("paint", "tint", "mask", "glow")

LIGHT_SIZE_PX: Final = 48
"""Longer side of the small picture in which the shading of a face is measured."""

# Exponents of the large shading and of the fine grain of the frame.
_SHARES: Final[dict[Blend, tuple[float, float]]] = {
    "paint": (0.85, 0.65),
    "tint": (0.75, 1.0),
    "mask": (0.9, 0.12),
}
_BRIGHTEST: Final = 1.35  # a gain above which bright colors would lose their hue
_LEAST_SKIN: Final = 5.0  # mean weight, of 255, with which skin tells the light
_SIGMA_PX: Final = 3.0  # of the small picture
_REFERENCE_GRAY: Final = 128.0  # mean brightness at which a picture keeps its own colours
_EXPOSURE: Final = 0.5  # exponent of the light: a guess is followed half of the way,
_KNOWN_EXPOSURE: Final = 0.8  # what whites of eyes tell farther
_COLORLESS: Final = (0.03, 0.16)  # saturation of a face in a gray picture, and of pale skin
_LEAST_SATURATION: Final = 0.15  # share of a picture's own that it keeps in a gray frame
_LUMA: Final = (0.299, 0.587, 0.114)
_SAME_COLOR: Final = 0.01  # change of a channel that is not seen
_BY_FACTOR: Final = 0.25  # exponent: what of too much brightness goes by a factor
_THICK: Final = (0.5, 0.95)  # alpha from which on paint hides the skin, and where it does wholly
_STEP: Final = 4  # every so many px of the frame are looked at for the shading


@dataclass(frozen=True)
class Light:
    """Shading of a frame region.

    Attributes:
        gain: (h, w) uint8, the factor of the large shading times 128.
        shading: (h, w) uint8, the large shading itself, a brightness.
        grain: (256,) uint8, factor times 128 for brightness / shading times 128.
        saturation: 0..1, the share of its saturation that a picture keeps: less than all where the
            frame itself has hardly any color.
        scene: what else of the frame a picture takes on; None for nothing.
        noise: standard deviation of the grain that a picture lacks, in parts of its brightness.
        is_sheer: whether paint that is thin lets the skin through, and is never lighter than it.
    """

    gain: NDArray[np.uint8]
    shading: NDArray[np.uint8]
    grain: NDArray[np.uint8]
    saturation: float = 1.0
    scene: Scene | None = None
    noise: float = 0.0
    is_sheer: bool = False

    @classmethod
    def of(
        cls,
        region: NDArray[np.uint8],
        weight: NDArray[np.float32],
        room: float,
        blend: Blend,
        scene: Scene | None = None,
        skin: NDArray[np.float32] | None = None,
    ) -> "Light":
        """Estimate the shading of a region.

        The shading is a Gaussian mean of the brightness, weighted so that background and eyes do
        not count. Where it is known what is skin, the light is read off skin alone: lips, lashes
        and brows are dark in any light, and paint on them is no brighter or darker for it.

        Args:
            region: (h, w, 3) uint8, the part of the frame.
            weight: small (h', w') picture of how much each place of the region counts, 0..255.
            room: mean brightness of the whole frame: a dark face in a bright room is not in the
                dark, so the brighter of both tells the exposure.
            blend: "paint", "tint" or "mask".
            scene: what else of the frame counts; None for its brightness alone.
            skin: as `weight`, where skin is seen; None where that isn't known.
        """
        shading_share, grain_share = _SHARES[blend]
        colored = (
            np.ascontiguousarray(region[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP])
            if min(region.shape[:2]) > _STEP
            else region
        )
        sparse = cv2.cvtColor(colored, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(sparse, weight.shape[::-1], interpolation=cv2.INTER_AREA)
        small = small.astype(np.float32)
        mean, shading = _mean_and_shading(small, weight)
        base, light, share = shading, max(mean, room), _EXPOSURE
        if scene is not None and skin is not None and skin.mean() > _LEAST_SKIN:
            mean, base = _mean_and_shading(small, skin)
            mean = mean if math.isnan(scene.skin) else scene.skin
            light = scene.brightness_of_light(mean, room)
            share = _EXPOSURE if math.isnan(scene.eyes) else _KNOWN_EXPOSURE
        exposure = np.clip((light / _REFERENCE_GRAY) ** share, 0.35, 1.0)
        if scene is not None:
            exposure = min(exposure, scene.white)
        relative = np.clip((base / max(mean, 1.0)) ** shading_share, 0.4, _BRIGHTEST)
        size = region.shape[1::-1]
        gain, shading = (
            cv2.resize(np.rint(part).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
            for part in (128 * exposure * relative, np.minimum(shading, 255))
        )
        kept = _kept_saturation(cv2.resize(colored, weight.shape[::-1]), weight)
        if scene is None:
            return cls(gain, shading, _power_table(grain_share), kept)
        missing = scene.noise / max(mean, 16.0) * (1 - grain_share**2) ** 0.5
        return cls(
            gain,
            shading,
            _power_table(grain_share),
            min(kept, scene.saturation),
            scene,
            missing,
            blend == "tint",
        )

    def on(
        self,
        color: NDArray[np.uint8],
        alpha: NDArray[np.uint8],
        region: NDArray[np.uint8],
        rows: slice,
    ) -> NDArray[np.uint8]:
        """Apply the shading to the color of an overlay.

        Times ``exposure * (shading / mean)^a * (grey / shading)^b``.

        Args:
            color: (n, w, 3) uint8, premultiplied RGB, of some rows of the region.
            alpha: (n, w, 3) uint8, three times the alpha of each px.
            region: (n, w, 3) uint8, the same rows of the frame.
            rows: which rows these are.
        """
        if np.abs(self._mixing - np.eye(3)).max() > _SAME_COLOR:
            color = np.asarray(cv2.transform(color, self._mixing), np.uint8)
        gray = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY)
        ratio = cv2.divide(gray, self.shading[rows], scale=128)
        gain = cv2.multiply(self.gain[rows], cv2.LUT(ratio, self.grain), scale=1 / 128)
        excess = None
        if self.is_sheer:
            gain, excess = _sheer(gain, color, alpha, gray)
        if self.noise > 0 and self.scene is not None:
            noise = grain(gray.shape, self.scene.seed + rows.start)
            share = 128 * self.noise / SCALE
            gain = cv2.addWeighted(gain, 1, noise, share, -128 * share)
        lit = cv2.multiply(color, cv2.cvtColor(gain, cv2.COLOR_GRAY2RGB), scale=1 / 128)
        if excess is not None:
            lit = cv2.subtract(lit, cv2.cvtColor(excess, cv2.COLOR_GRAY2RGB))
        if self.scene is not None and self.scene.black >= 1:
            black = self.scene.black / 255
            lit = cv2.addWeighted(lit, 1 - black, alpha, black, 0)
        return np.asarray(cv2.min(lit, alpha))  # brighter than its alpha, a colour would shine

    @cached_property
    def _mixing(self) -> NDArray[np.float64]:
        """(3, 3) matrix that takes saturation off a color and puts the light's color on it."""
        mixed = self.saturation * np.eye(3) + (1 - self.saturation) * np.array([_LUMA] * 3)
        return mixed if self.scene is None else self.scene.light[:, None] * mixed


def _mean_and_shading(
    gray: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[float, NDArray[np.float32]]:
    """Mean brightness of a small picture (h, w) and its Gaussian mean (h, w), both weighted."""
    weight = weight + np.float32(0.01)
    top, bottom = (cv2.GaussianBlur(part, (0, 0), _SIGMA_PX) for part in (gray * weight, weight))
    return float((gray * weight).sum() / weight.sum()), np.maximum(top / bottom, np.float32(1))


def _sheer(
    gain: NDArray[np.uint8],
    color: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    gray: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Keep thin paint from being lighter than the skin below it.

    A thin layer of pigment takes light away and adds none; a thick one has a color of its own.
    Some of what is too light goes by a factor, the rest is taken off all channels alike: that
    keeps more of the color, as pigments for dark skin have it.

    Args:
        gain: (n, w) the factor of the light times 128.
        color: (n, w, 3) premultiplied RGB.
        alpha: (n, w, 3) three times the alpha of each px.
        gray: (n, w) brightness of the frame.

    Returns:
        The gain, and what has to be taken off the lit color.
    """
    thin = cv2.extractChannel(alpha, 0)
    lit = cv2.multiply(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY), gain, scale=1 / 128)
    most = cv2.multiply(thin, cv2.max(gray, cv2.LUT(thin, _thick_table())), scale=1 / 255)
    ratio = cv2.divide(most, cv2.max(lit, 1), scale=128)
    factor = cv2.LUT(ratio, _factor_table())
    excess = cv2.subtract(cv2.multiply(lit, factor, scale=1 / 128), most)
    lowered = cv2.multiply(gain, factor, scale=1 / 128)
    return np.asarray(lowered, np.uint8), np.asarray(excess, np.uint8)


def _kept_saturation(region: NDArray[np.uint8], weight: NDArray[np.float32]) -> float:
    """Share of its saturation that a picture keeps on a region (h, w, 3) of a frame."""
    if not weight.any():  # the face is too small or hidden: nothing is known of its skin
        return 1.0
    red, green, blue = cv2.split(region)
    high, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    high = high.astype(np.float32)
    saturation = float(((high - low) / np.maximum(high, 1) * weight).sum() / weight.sum())
    colored = float(smoothstep(*_COLORLESS, np.array(saturation, np.float32)))
    return _LEAST_SATURATION + (1 - _LEAST_SATURATION) * colored


@lru_cache(maxsize=1)
def _thick_table() -> NDArray[np.uint8]:
    """Brightness that paint may have by its alpha 0..255, however dark the skin is."""
    return np.rint(255 * smoothstep(*_THICK, np.arange(256) / 255)).astype(np.uint8)


@lru_cache(maxsize=1)
def _factor_table() -> NDArray[np.uint8]:
    """Table of the factor, times 128, for the limit over the brightness times 128."""
    return np.rint(128 * np.minimum(np.arange(256) / 128, 1) ** _BY_FACTOR).astype(np.uint8)


@lru_cache
def _power_table(exponent: float) -> NDArray[np.uint8]:
    """Table of 128 * (value / 128)^exponent, neither very dark nor very bright."""
    ratio = np.clip((np.arange(256) / 128) ** exponent, 0.5, _BRIGHTEST)
    return np.rint(ratio * 128).astype(np.uint8)
