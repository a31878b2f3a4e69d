"""Color profiles of pictures: what a screen shows of their codes, and codes of what it shows.

A profile of three primaries and a curve each (Display P3 of phones, Adobe RGB, ProPhoto RGB) is
followed both ways, so that a picture keeps its codes wherever nothing is painted. Others (CMYK of
printers, tables of scanners, gray) lead only to sRGB.
"""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from facewarp.media.frames import Image
from facewarp.media.gamut import BT709, CHROMATICITIES, gamut_matrix, matrix_between
from facewarp.media.transfer import Profile, codes_of, light_of

HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}
"""By H.273's number of the transfer."""

# The primaries of BT.709 as columns of XYZ, adapted to the white D50 of a profile's colors
_BT709_XYZ: Final = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_SAMPLES: Final = np.linspace(0, 1, 4096)  # at which a curve is known
_SAME: Final = 2.0 / 255  # codes that nobody tells apart
_NEAR_WHITE: Final = 0.05  # a profile's own white may be this far from D50
_USUAL_GAMMA: Final = 1 / 2.2  # of PNG's gAMA: what most programs write for sRGB
_NEAR_USUAL: Final = 0.05
_GAMMA_OF_VIDEO: Final = 1 / 1.961  # by which FFmpeg tells the codes of a clip of BT.709 or BT.601
_SAME_GAMMA: Final = 0.0005
_LINEAR: Final = 8  # transfer of H.273
_UNSPECIFIED: Final = 2  # primaries of H.273
_RGB: Final = ("RGB", "RGBA", "RGBX", "P", "PA")
_GRAY: Final = ("1", "L", "LA")
_DAMAGE: Final = (struct.error, ValueError, IndexError, KeyError, ZeroDivisionError)


def profile_of(icc: bytes) -> Profile | None:
    """Return an ICC profile of three primaries and their curves; None for others, and damaged ones.

    Args:
        icc: as a picture holds it.
    """
    try:
        tags = _tags(icc)
        if icc[16:24] != b"RGB XYZ " or b"A2B0" in tags:
            return None
        curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
        to_xyz = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        matrix = np.linalg.inv(_BT709_XYZ) @ to_xyz
        white = matrix.sum(1, keepdims=True)
        if np.abs(white - 1).max() > _NEAR_WHITE or not np.isfinite(curves).all():
            return None
        np.linalg.inv(matrix)
    except (*_DAMAGE, np.linalg.LinAlgError):
        return None
    return Profile(icc, curves.astype(np.float32), (matrix / white).astype(np.float32))


def told_profile(primaries: int, transfer: int) -> Profile | None:
    """Return the profile that H.273's numbers tell; None where the primaries are unknown."""
    if primaries not in CHROMATICITIES:
        return None
    codes = _SAMPLES.astype(np.float32)
    curve = codes if transfer == _LINEAR else light_of(codes)
    return Profile(None, np.stack([curve] * 3), gamut_matrix(primaries, BT709).astype(np.float32))


def gamma_profile(gamma: float, to_bt709: NDArray[np.floating] | None = None) -> Profile:
    """Return the profile of codes that are light to the power of a number (PNG's gAMA).

    Args:
        gamma: the number; those that stand for the codes of a screen or a video mean sRGB's curve.
        to_bt709: (3, 3), this light to that of BT.709's primaries; None for the same.
    """
    is_usual = gamma <= 0 or abs(gamma - _USUAL_GAMMA) < _NEAR_USUAL
    is_usual = is_usual or abs(gamma - _GAMMA_OF_VIDEO) < _SAME_GAMMA
    curve = light_of(_SAMPLES.astype(np.float32)) if is_usual else _SAMPLES ** (1 / gamma)
    matrix = np.eye(3) if to_bt709 is None else to_bt709
    return Profile(None, np.stack([curve.astype(np.float32)] * 3), matrix.astype(np.float32))


def profile_told(
    told: Mapping[Any, Any], numbers: tuple[int, int] | None, *, is_rgb: bool = True
) -> Profile | None:
    """Return the profile that a picture file tells in one way or another; None without any.

    Args:
        told: Pillow's `info` of it.
        numbers: its primaries and transfer by H.273, which go before all else; None if not told.
        is_rgb: whether a profile of RGB may be that of its pixels.
    """
    icc = told.get("icc_profile")
    if numbers is not None and numbers[0] != _UNSPECIFIED:
        return told_profile(*numbers)
    if icc or "srgb" in told:
        return profile_of(icc) if icc and is_rgb else None
    if "gamma" not in told and "chromaticity" not in told:
        return None
    has_primaries = is_rgb and "chromaticity" in told
    to_bt709 = _to_bt709(told["chromaticity"]) if has_primaries else None
    return gamma_profile(told.get("gamma", _USUAL_GAMMA), to_bt709)


def is_like_srgb(profile: Profile) -> bool:
    """Return whether codes look the same with a profile and as sRGB."""
    corners = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 3), -1).reshape(-1, 3)
    shown = profile.to_display(corners.astype(np.float32)).clip(0, 1)
    return bool(np.abs(shown - corners).max() < _SAME)


@dataclass(frozen=True, eq=False)
class Colors:
    """A picture whose colors are known.

    Attributes:
        picture: the pixels.
        profile: what its codes mean; None where that is sRGB, as far as anybody can tell.
        told: what a user should know of it.
    """

    picture: PIL.Image.Image
    profile: Profile | None = None
    told: str | None = None


def colors_of(picture: PIL.Image.Image, numbers: tuple[int, int] | None) -> Colors:
    """Find out what the codes of a decoded picture mean; bring to sRGB what leads nowhere else.

    Args:
        picture: decoded.
        numbers: its primaries and transfer by H.273, which go before a profile; None if not told.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):
        return Colors(picture)
    icc = picture.info.get("icc_profile")
    profile = profile_told(picture.info, numbers, is_rgb=picture.mode in _RGB)
    if profile is not None:
        return Colors(picture, None if is_like_srgb(profile) else profile)
    if icc and picture.mode in (*_RGB, *_GRAY, "CMYK"):
        shown = _by_tables(picture, icc)
        if shown is None:
            return Colors(picture, told="its color profile can't be followed: taken for sRGB")
        is_gray = picture.mode in _GRAY
        return Colors(shown, told=None if is_gray else "brought to sRGB by its color profile")
    if picture.mode == "CMYK":
        return Colors(picture, told="CMYK without a color profile: its colors are a guess")
    return Colors(picture)


def in_srgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a decoded picture in sRGB, with its alpha; as it is where nothing tells of others."""
    colors = colors_of(picture, None)
    if colors.profile is None:
        return colors.picture
    has_alpha = picture.has_transparency_data
    pixels = np.asarray(picture.convert("RGBA" if has_alpha else "RGB"))
    shown = shown_by(colors.profile, np.ascontiguousarray(pixels[..., :3]))
    return PIL.Image.fromarray(np.dstack([shown, pixels[..., 3]]) if has_alpha else shown)


def srgb_profile(picture: PIL.Image.Image) -> bytes | None:
    """Return a picture's color profile if it says no more than that its codes are sRGB, or nothing.

    One that nobody can read is carried along as it is.
    """
    icc = picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA") else None
    profile = profile_of(icc) if icc else None
    if profile is not None:
        return icc if is_like_srgb(profile) else None
    return None if icc is None or _is_readable(icc) else icc


def _to_bt709(told: tuple[float, ...]) -> NDArray[np.float64] | None:
    """Return the matrix from primaries told by PNG's cHRM: x, y of white, red, green and blue."""
    try:
        wx, wy, *others = map(float, told)
        rx, ry, gx, gy, bx, by = others
        matrix = matrix_between((rx, ry, gx, gy, bx, by, wx, wy), CHROMATICITIES[BT709])
        np.linalg.inv(matrix)
    except (TypeError, ValueError, ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return matrix if np.isfinite(matrix).all() else None


def _is_readable(icc: bytes) -> bool:
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return True


def _by_tables(picture: PIL.Image.Image, icc: bytes) -> PIL.Image.Image | None:
    """Return a picture in sRGB, by a profile of any kind; None where it can't be followed."""
    has_alpha = picture.has_transparency_data
    plain = (
        picture
        if picture.mode == "CMYK"
        else picture.convert("L" if picture.mode in _GRAY else "RGB")
    )
    try:
        shown = ImageCms.profileToProfile(
            plain,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if shown is not None and has_alpha:
        shown.putalpha(picture.convert("RGBA").getchannel("A"))
    return shown


def shown_by(profile: Profile, codes: Image) -> Image:
    """Return what a screen shows of codes (H, W, 3) uint8 of a profile, a few rows at a time."""
    steps = np.linspace(0, 1, 256)
    at = np.linspace(0, 1, profile.curves.shape[1])
    tables = [np.interp(steps, at, curve).astype(np.float32) for curve in profile.curves]
    light = np.linspace(0, 1, 1 << 16, dtype=np.float32)
    to_code = np.rint(255 * codes_of(light)).astype(np.uint8)
    shown = np.empty_like(codes)
    rows = max(1, 1_000_000 // max(codes.shape[1], 1))
    for top in range(0, codes.shape[0], rows):
        part = codes[top : top + rows]
        linear = np.stack([table[part[..., k]] for k, table in enumerate(tables)], axis=-1)
        bt709 = cv2.transform(linear, profile.to_bt709).clip(0, 1)
        shown[top : top + rows] = to_code[(65_535 * bt709 + 0.5).astype(np.uint16)]
    return shown


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """Return the data of a profile's tags by their names."""
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for index in range(min(count, 200)):
        name, start, size = struct.unpack_from(">4sII", icc, 132 + 12 * index)
        tags[name] = icc[start : start + size]
    return tags


def _xyz(data: bytes) -> NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", data, 8)) / 65_536


def _curve(data: bytes) -> NDArray[np.float64]:
    """Return light at `_SAMPLES`, of a curve of an ICC profile.

    Raises:
        ValueError: it is of no known kind.
    """
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count == 0:
            return _SAMPLES
        if count == 1:
            return np.asarray(_SAMPLES ** (struct.unpack_from(">H", data, 12)[0] / 256))
        table = np.array(struct.unpack_from(f">{count}H", data, 12)) / 65_535
        return np.interp(_SAMPLES, np.linspace(0, 1, count), table)
    if data[:4] != b"para":
        raise ValueError(data[:4])
    (kind,) = struct.unpack_from(">H", data, 8)
    count = (1, 3, 4, 5, 7)[kind]
    told = [value / 65_536 for value in struct.unpack_from(f">{count}i", data, 12)]
    gamma, a, b, c, d, e, f = told + [0.0] * (7 - count)
    if kind == 0:
        return np.asarray(_SAMPLES**gamma)
    if kind in (1, 2):  # c is added above -b/a, and alone below
        c, d, e, f = 0.0, -b / a, (c if kind == 2 else 0.0), (c if kind == 2 else 0.0)
    high = np.maximum(a * _SAMPLES + b, 0) ** gamma + e
    return np.asarray(np.where(d <= _SAMPLES, high, c * _SAMPLES + f))
