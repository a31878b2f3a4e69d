"""What the values of plates mean: their transfer, profile and primaries."""

import re
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
_TELLS_TRANSFER: Final = (62, 28)  # libavcodec of FFmpeg 8.1


def _nobody(text: str) -> None:
    """Tell nobody."""


def transfer_of(spec: Any, path: Path, note: Callable[[str], None] = _nobody) -> Transfer:
    """Return what a plate's values are, by its kind and its header.

    FFmpeg up to 8.0 tells linear light of every DPX, and has light in its EXR only where it is
    asked for it (`findings/ffmpeg-dpx-says-linear.sh`).
    """
    if path.suffix.lower() == ".exr":
        if spec.get_string_attribute("writer") == "lavc":
            note(
                "an EXR by FFmpeg: taken for linear light, as of any EXR; where FFmpeg was given a "
                "clip without -vf zscale=t=linear it holds the clip's codes: write PNG or DPX then"
            )
        return "linear"
    told = spec.get_string_attribute("dpx:Transfer").lower()
    if "log" in told or "density" in told:
        return "log"
    if told == "linear" and _tells_all_linear(spec):
        note("a DPX by FFmpeg, which tells linear light of all: taken as a screen shows its codes")
        return "display"
    return "linear" if told == "linear" else "display"


def _tells_all_linear(spec: Any) -> bool:
    """Return whether a DPX is by an FFmpeg that tells linear light whatever its codes are."""
    found = re.match(r"Lavc(\d+)\.(\d+)", str(spec.get_string_attribute("Software")))
    return found is not None and (int(found[1]), int(found[2])) < _TELLS_TRANSFER


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
