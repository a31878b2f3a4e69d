"""Between values of pictures and what a screen shows: profiles, scene-linear light, Cineon's log.

Values above white stay above it, both ways, so that going there and back changes nothing.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Transfer = Literal["display", "linear", "log"]
"""What values are: codes as a screen takes them, light, or Cineon's log of light."""

_KNEE_CODE: Final = 0.04045
_KNEE_LIGHT: Final = 0.0031308
# Kodak, "Conversion of 10-bit log film data to 8-bit linear or video data", 1995
_LOG_WHITE, _LOG_BLACK, _LOG_STEP = 685 / 1023, 95 / 1023, 0.002 / 0.6 * 1023


def light_of(codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return light from sRGB codes (IEC 61966-2-1); 1 is white."""
    high = np.maximum((codes + 0.055) / 1.055, 0) ** 2.4
    return np.asarray(np.where(codes <= _KNEE_CODE, codes / 12.92, high), np.float32)


def codes_of(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sRGB codes from light; the inverse of `light_of`."""
    high = 1.055 * np.maximum(light, _KNEE_LIGHT) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(light <= _KNEE_LIGHT, light * 12.92, high), np.float32)


def to_display(values: NDArray[np.float32], transfer: Transfer) -> NDArray[np.float32]:
    """Return display codes, white at 1, of values whose white or full range is 1."""
    if transfer == "display":
        return values
    if transfer == "linear":
        return codes_of(values)
    black = 10 ** ((_LOG_BLACK - _LOG_WHITE) * _LOG_STEP)
    light = (10 ** ((values - _LOG_WHITE) * _LOG_STEP) - black) / (1 - black)
    return codes_of(np.asarray(light, np.float32))


def from_display(codes: NDArray[np.float32], transfer: Transfer) -> NDArray[np.float32]:
    """Return values from display codes; the inverse of `to_display`."""
    if transfer == "display":
        return codes
    light = light_of(codes)
    if transfer == "linear":
        return light
    black = 10 ** ((_LOG_BLACK - _LOG_WHITE) * _LOG_STEP)
    above = np.maximum(light * (1 - black) + black, 1e-6)
    return np.asarray(np.log10(above) / _LOG_STEP + _LOG_WHITE, np.float32)


@dataclass(frozen=True, eq=False)
class Profile:
    """What the codes of a picture with a color profile mean.

    Attributes:
        icc: the profile as the picture's file holds it; None where it was told in another way.
        curves: (3, N) light of red, green and blue at N evenly spaced codes, 0 to 1.
        to_bt709: (3, 3) this light to that of BT.709's primaries, white staying white.
    """

    icc: bytes | None
    curves: NDArray[np.float32]
    to_bt709: NDArray[np.float32]

    def to_display(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what a screen shows of values (..., 3), as sRGB codes; colors it lacks beyond it.

        Args:
            values: codes, 0 to 1.
        """
        at = np.linspace(0, 1, self.curves.shape[1], dtype=np.float32)
        light = np.stack([np.interp(values[..., k], at, self.curves[k]) for k in range(3)], axis=-1)
        return codes_of(np.asarray(light @ self.to_bt709.T, np.float32))

    def from_display(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values from sRGB codes (..., 3); the inverse of `to_display`."""
        at = np.linspace(0, 1, self.curves.shape[1], dtype=np.float32)
        light = light_of(codes) @ np.linalg.inv(self.to_bt709).T
        values = np.stack(
            [np.interp(light[..., k], np.maximum.accumulate(self.curves[k]), at) for k in range(3)],
            axis=-1,
        )
        return np.asarray(values, np.float32)
