"""Color profiles: followed as lcms follows them, and back."""

import io

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from facewarp.media.colors.profiles import (
    colors_of,
    gamma_profile,
    in_srgb,
    is_like_srgb,
    profile_of,
    shown_by,
    srgb_profile,
    told_profile,
)
from tests.fixtures.profiles import ADOBE, P3, PROPHOTO, SRGB_CURVE, cmyk_profile, rgb_profile
from tests.fixtures.profiles import srgb_profile as lcms_srgb

WIDE = {
    "p3": rgb_profile(P3, SRGB_CURVE),
    "adobe": rgb_profile(ADOBE, 2.2),
    "prophoto": rgb_profile(PROPHOTO, 1.8),
}


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    muted = np.random.default_rng(5).integers(90, 170, (40, 50, 3))  # inside of sRGB's colors
    return muted.astype(np.uint8)


@pytest.mark.parametrize("name", WIDE)
def test_a_profile_is_followed_as_lcms_does(name: str, codes: np.ndarray) -> None:
    profile = profile_of(WIDE[name])
    assert profile is not None
    assert not is_like_srgb(profile)
    expected = ImageCms.profileToProfile(
        PIL.Image.fromarray(codes),
        ImageCms.ImageCmsProfile(io.BytesIO(WIDE[name])),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    apart = np.abs(shown_by(profile, codes).astype(int) - np.asarray(expected))
    assert apart.max() <= 1
    assert np.abs(codes.astype(int) - np.asarray(expected)).max() > 10


@pytest.mark.parametrize("name", WIDE)
def test_there_and_back_changes_nothing(name: str) -> None:
    profile = profile_of(WIDE[name])
    assert profile is not None
    values = np.random.default_rng(6).random((30, 40, 3), np.float32)
    back = profile.from_display(profile.to_display(values))
    assert np.abs(back - values).max() < 1 / 255


def test_curves_by_a_table_and_by_numbers_are_read(codes: np.ndarray) -> None:
    gray = np.repeat(codes[..., :1], 3, axis=2)
    expected = np.rint(255 * np.asarray(1.055 * (gray / 255.0) ** (1.8 / 2.4) - 0.055))
    kinds = (1.8, (0, (1.8,)), (1, (1.8, 1, 0)), (2, (1.8, 1, 0, 0)), (4, (1.8, 1, 0, 0, 0, 0, 0)))
    for curve in kinds:
        profile = profile_of(rgb_profile(PROPHOTO, curve))
        assert profile is not None
        assert np.abs(shown_by(profile, gray) - expected).max() <= 1, curve


def test_srgb_is_no_other_color() -> None:
    profile = profile_of(lcms_srgb())
    assert profile is not None
    assert is_like_srgb(profile)
    picture = PIL.Image.new("RGB", (4, 4))
    picture.info["icc_profile"] = lcms_srgb()
    assert srgb_profile(picture) == lcms_srgb()
    assert colors_of(picture, None).profile is None


def test_damaged_profiles_are_told_of_and_lead_nowhere() -> None:
    for cut in (0, 3, 130, 200, len(WIDE["p3"]) - 20):
        damaged = WIDE["p3"][:cut]
        assert profile_of(damaged) is None
        picture = PIL.Image.new("RGB", (4, 4), (10, 200, 30))
        picture.info["icc_profile"] = damaged
        found = colors_of(picture, None)
        assert np.array_equal(np.asarray(found.picture), np.asarray(picture))
        assert found.told is not None or not damaged


def test_ink_is_seen_as_its_profile_says() -> None:
    picture = PIL.Image.new("CMYK", (4, 4), (255, 255, 255, 0))  # black to whoever has no profile
    assert np.asarray(picture.convert("RGB")).max() == 0
    picture.info["icc_profile"] = cmyk_profile()
    found = colors_of(picture, None)
    assert np.asarray(found.picture).min() > 150
    assert found.told == "brought to sRGB by its color profile"
    del picture.info["icc_profile"]
    assert colors_of(picture, None).told == "CMYK without a color profile: its colors are a guess"


def test_numbers_and_gamma_tell_colors_too(codes: np.ndarray) -> None:
    told, by_profile = told_profile(12, 13), profile_of(WIDE["p3"])
    assert told is not None
    assert by_profile is not None
    assert np.abs(shown_by(told, codes).astype(int) - shown_by(by_profile, codes)).max() <= 1
    assert told_profile(3, 13) is None
    linear = shown_by(gamma_profile(1.0), np.full((2, 2, 3), 55, np.uint8))
    assert linear.min() == linear.max() == 128


def test_alpha_goes_along() -> None:
    picture = PIL.Image.new("RGBA", (4, 4), (200, 60, 60, 77))
    picture.info["icc_profile"] = WIDE["prophoto"]
    shown = np.asarray(in_srgb(picture))
    assert shown[0, 0, 3] == 77
    assert shown[0, 0, 0] == 255


@pytest.mark.parametrize(("gamma", "is_other"), [(0.45455, False), (0.5, False), (1.0, True)])
def test_the_gamma_that_most_png_tell_is_that_of_srgb(gamma: float, is_other: bool) -> None:
    picture = PIL.Image.new("RGB", (4, 4))
    picture.info["gamma"] = gamma
    assert (colors_of(picture, None).profile is not None) is is_other
    picture.info["srgb"] = 0
    assert colors_of(picture, None).profile is None
