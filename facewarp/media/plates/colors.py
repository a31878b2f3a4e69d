"""What the values of plates mean: their transfer, profile and primaries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from facewarp.media.colors.numbers import color_numbers
from facewarp.media.colors.profiles import is_like_srgb, profile_of, profile_told
from facewarp.media.frames import PLATE_SUFFIXES
from facewarp.media.gamut import BT709, CHROMATICITIES, matrix_between
from facewarp.media.transfer import Profile, Transfer

_SAME_PRIMARIES: Final = 0.01


def transfer_of(spec: Any, path: Path) -> Transfer:
    """Return what a plate's values are, by its kind and its header."""
    if path.suffix.lower() == ".exr":
        return "linear"
    told = spec.get_string_attribute("dpx:Transfer").lower()
    if "log" in told or "density" in told:
        return "log"
    return "linear" if told == "linear" else "display"


def plate_profile(spec: Any, path: Path, note: Callable[[str], None]) -> Profile | None:
    """Return what the color profile of a PNG or TIFF says; None where it says no more than sRGB."""
    if path.suffix.lower() in PLATE_SUFFIXES:
        return None
    icc = spec.getattribute("ICCProfile")
    if path.suffix.lower() == ".png":
        profile = _of_png(path)
    else:
        profile = None if icc is None else profile_of(bytes(icc))
    if profile is None:
        if icc is not None:
            note("its color profile can't be followed: taken for sRGB")
        return None
    return None if is_like_srgb(profile) else profile


def _of_png(path: Path) -> Profile | None:
    """Return what a PNG tells by numbers, a profile, or a gamma and primaries, in this order."""
    with PIL.Image.open(path) as picture:  # reads what stands before the pixels
        return profile_told(picture.info, color_numbers(path, "PNG"))


def loses_primaries(path: Path, profile: Profile | None) -> bool:
    """Return whether a copy of a PNG would have its codes, and not their primaries (cHRM).

    OpenImageIO writes color profiles, numbers of H.273 and gAMA again.
    """
    if profile is None or profile.icc is not None or path.suffix.lower() != ".png":
        return False
    with PIL.Image.open(path) as picture:
        return "chromaticity" in picture.info and color_numbers(path, "PNG") is None


def to_bt709(spec: Any, note: Callable[[str], None]) -> NDArray[np.float32] | None:
    """Return the matrix from a plate's own primaries (EXR's "chromaticities") to BT.709's."""
    told = spec.getattribute("chromaticities")
    if told is None or len(told) != 8:
        return None
    try:
        matrix = matrix_between(tuple(float(value) for value in told), CHROMATICITIES[BT709])
        finite = bool(np.isfinite(matrix).all() and np.isfinite(np.linalg.inv(matrix)).all())
    except (np.linalg.LinAlgError, ZeroDivisionError):
        finite = False
    if not finite:
        note("a plate's chromaticities are no set of primaries: its colors are taken for BT.709")
        return None
    if np.abs(matrix - np.eye(3)).max() < _SAME_PRIMARIES:
        return None
    return matrix.astype(np.float32)
