"""RGB from and to the YUV of videos, without a shift.

What a video's tags leave open, players guess differently. So nothing is guessed here: a copy is
written with the matrix and the tags it was read with, and looks in every player as its original
does. Full range becomes limited range, which all players know and the tag says. HDR and wide gamut
become BT.709 (see `tone_mapping`), in which effects are painted.
"""

from dataclasses import dataclass
from typing import Final, TypeVar, cast

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from facewarp.media.frames import Frame, Image
from facewarp.media.orientation import Orientation
from facewarp.media.video.pixels.tone_mapping import (
    HDRFormat,
    ToneMapper,
    describe,
    key_of,
    needs_mapping,
)
from facewarp.media.yuv.codes import StoredCodes
from facewarp.media.yuv.conversion import UNTAGGED, WEIGHTS, codes_of, from_rgb_matrix, rgb_of
from facewarp.media.yuv.side_data import side_data

# Without these swscale takes a short cut that darkens every channel by 1 to 1.5 of 255 and
# repeats chroma instead of interpolating it; planar RGB is its quickest way with them.
_TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_BT2020 = 9

_Code = TypeVar("_Code", np.uint8, np.uint16)


@dataclass(frozen=True)
class Color:
    """A video's colour tags, numbered as in ITU-T H.273 and by FFmpeg; 2 is untagged."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "Color":
        """Return the tags of what is read from a picture; BT.709 for what is mapped to it."""
        if _is_mapped(picture):
            return cls()
        primaries, transfer = int(picture.color_primaries), int(picture.color_trc)
        if picture.format.is_rgb or picture.colorspace not in WEIGHTS:
            told = (tag if tag != UNTAGGED else 1 for tag in (primaries, transfer))
            return cls(1, *told)
        return cls(int(picture.colorspace), primaries, transfer)

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Write these and limited range into an encoder that is not open yet."""
        codec.color_range = ColorRange.MPEG
        codec.colorspace = self.matrix
        codec.color_primaries = self.primaries
        codec.color_trc = self.transfer

    def tagged(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return a picture with these and limited range.

        ProRes tells the tags of its pictures, whatever those of the encoder are.
        """
        picture.color_range = ColorRange.MPEG
        picture.colorspace = self.matrix
        picture.color_primaries = self.primaries
        picture.color_trc = self.transfer
        return picture


class RGBReader:
    """Decoded pictures to RGB of one size.

    8-bit YUV 4:2:0, which nearly all videos are, is converted by OpenCV: as exact as swscale's
    exact way, and quicker. swscale does the rest, and keeps its tables between calls.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()
        self._mapper: ToneMapper | None = None
        self._deep_reformatter, self._alpha_reformatter = VideoReformatter(), VideoReformatter()

    def __call__(self, picture: av.VideoFrame) -> Image:
        """(H, W, 3) uint8 RGB, contiguous, from a picture of any format."""
        if _is_mapped(picture):
            if self._mapper is None or self._mapper.key != key_of(picture):
                self._mapper = ToneMapper(picture)
            return _merged(self._mapper(picture))
        codes = stored_codes(picture)
        if codes is not None and (picture.width, picture.height) == self._size:
            return rgb_of(codes.planes, codes.matrix, codes.is_full)
        return self._by_swscale(picture)

    def alpha(self, picture: av.VideoFrame) -> Image | None:
        """(H, W) uint8, 255 = opaque; None where a picture has none or is opaque all over."""
        if not any(component.is_alpha for component in picture.format.components):
            return None
        width, height = self._size
        planar = self._alpha_reformatter.reformat(picture, width, height, "gbrap", threads=1)
        alpha = _pixels(planar.planes[3])
        return None if alpha.min() == 255 else alpha.copy()

    def deep(self, picture: av.VideoFrame) -> NDArray[np.uint16]:
        """(H, W, 3) R'G'B' codes of the picture's own transfer and primaries, full range."""
        width, height = self._size
        planar = self._deep_reformatter.reformat(
            picture, width, height, "gbrp16le", interpolation=_TO_RGB, threads=1
        )
        green, blue, red = (_deep_pixels(plane) for plane in planar.planes)
        codes = cast(NDArray[np.uint16], cv2.merge((red, green, blue)))
        return _full_range(codes, picture) if _is_limited_gray(picture) else codes

    def _by_swscale(self, picture: av.VideoFrame) -> Image:
        width, height = self._size
        planar = self._reformatter.reformat(
            picture, width, height, "gbrp", interpolation=_TO_RGB, threads=1
        )
        image = _merged(planar)
        return _full_range(image, picture) if _is_limited_gray(picture) else image


def _is_limited_gray(picture: av.VideoFrame) -> bool:
    """Whether a picture has luma alone and says that it goes from 16 to 235.

    swscale takes gray for full range whatever its tag says (`findings/ffmpeg-gray-range.sh`).
    """
    return picture.format.name.startswith("gray") and picture.color_range == ColorRange.MPEG


def _full_range(codes: NDArray[_Code], picture: av.VideoFrame) -> NDArray[_Code]:
    """Return luma codes of the limited range, scaled to their type, as full-range ones."""
    bits = picture.format.components[0].bits
    most, whole = np.iinfo(codes.dtype).max, 2**bits - 1
    black, white = (level * 2 ** (bits - 8) * most / whole for level in (16, 235))
    table = (np.arange(most + 1) - black) * (most / (white - black))
    return np.asarray(np.rint(table.clip(0, most)).astype(codes.dtype)[codes])


class YUVWriter:
    """RGB to limited-range yuv420p pictures with the tags of `color`."""

    def __init__(self, color: Color) -> None:
        self._color = color

    def __call__(self, image: Image) -> av.VideoFrame:
        """From (H, W, 3) uint8 RGB of even size; the image is only read."""
        height, width = image.shape[:2]
        picture = av.VideoFrame(width, height, "yuv420p")
        luma, chroma = codes_of(image, self._color.matrix, is_full=False)
        for plane, codes in zip(picture.planes, (luma, *chroma), strict=True):
            _pixels(plane)[:] = codes
        return self._color.tagged(picture)

    def fits(self, codes: StoredCodes) -> bool:
        """Whether these are codes as they are written here."""
        return codes.matrix == self._color.matrix and not codes.is_full

    def painted(self, codes: StoredCodes, shown: Image, image: Image) -> av.VideoFrame:
        """From codes that fit, the upright image of them, and the same with paint on it."""
        height, width = codes.planes[0].shape
        picture = av.VideoFrame(width, height, "yuv420p")
        codes.painted([_pixels(plane) for plane in picture.planes], shown, image)
        return self._color.tagged(picture)

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Write the tags into an encoder that is not open yet."""
        self._color.tag(codec)


class _SwscaleWriter:
    """Planar RGB to limited-range pictures of any format, with the tags of `color`, by swscale.

    Args:
        color: The tags.
        pix_fmt: The format of the pictures.
    """

    def __init__(self, color: Color, pix_fmt: str) -> None:
        self._color, self._pix_fmt = color, pix_fmt
        self._reformatter = VideoReformatter()

    def _converted(self, planar: av.VideoFrame) -> av.VideoFrame:
        picture = self._reformatter.reformat(
            planar,
            format=self._pix_fmt,
            dst_colorspace=self._color.matrix,
            dst_color_range=ColorRange.MPEG,
            interpolation=_TO_RGB,
            threads=1,
        )
        return self._color.tagged(picture)

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Write the tags into an encoder that is not open yet."""
        self._color.tag(codec)


class AlphaWriter(_SwscaleWriter):
    """RGB with alpha to pictures of a format that holds both, with the tags of `color`."""

    def __call__(self, rgba: Image) -> av.VideoFrame:
        """From (H, W, 4) uint8 RGB and straight alpha, of even size."""
        height, width = rgba.shape[:2]
        planar = av.VideoFrame(width, height, "gbrap")
        for plane, channel in zip(planar.planes, (1, 2, 0, 3), strict=True):
            _pixels(plane)[:] = rgba[..., channel]
        return self._converted(planar)


class TenBitWriter(_SwscaleWriter):
    """RGB of 16 bits to limited-range YUV of 10 bits, at any chroma resolution.

    Args:
        color: The tags.
        pix_fmt: The format of the pictures.
    """

    def __call__(self, codes: NDArray[np.uint16]) -> av.VideoFrame:
        """From (H, W, 3) R'G'B' codes of even size, full range."""
        height, width = codes.shape[:2]
        planar = av.VideoFrame(width, height, "gbrp16le")
        for plane, channel in zip(planar.planes, (1, 2, 0), strict=True):
            _deep_pixels(plane)[:] = codes[..., channel]
        return self._converted(planar)


def ten_bit_codes(frame: Frame) -> NDArray[np.uint16]:
    """Return a frame's codes (H, W, 3) of 16 bits, on black where it has alpha."""
    if frame.deep is None:
        return frame.flattened().astype(np.uint16) * 257
    if frame.alpha is None and frame.deep.is_display and frame.deep.codes.dtype == np.uint16:
        return cast(NDArray[np.uint16], frame.deep.codes)
    shown = frame.deep.display(np.s_[:, :])
    if frame.alpha is not None:
        shown = shown * (frame.alpha.astype(np.float32) / np.float32(255))[..., None]
    return np.rint(65_535 * np.nan_to_num(shown).clip(0, 1)).astype(np.uint16)


class DeepYUVWriter:
    """HDR codes to limited-range yuv420p10le pictures with the tags of `coded`."""

    def __init__(self, coded: HDRFormat) -> None:
        self._color = Color(coded.matrix, coded.primaries, coded.transfer)
        matrix = coded.matrix if coded.matrix in WEIGHTS else _BT2020
        eight_bits = from_rgb_matrix(matrix, is_full=False)
        self._from_rgb = 4 * eight_bits * [255 / 65_535, 255 / 65_535, 255 / 65_535, 1]

    def __call__(self, codes: NDArray[np.uint16]) -> av.VideoFrame:
        """From (H, W, 3) R'G'B' codes of even size, full range."""
        height, width = codes.shape[:2]
        picture = av.VideoFrame(width, height, "yuv420p10le")
        values = codes.astype(np.float32)
        half = cv2.resize(values, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        fine, coarse = (cv2.transform(rgb, self._from_rgb) for rgb in (values, half))
        for channel, plane in enumerate(picture.planes):
            rounded = np.rint((coarse if channel else fine)[..., channel])
            _deep_pixels(plane)[:] = np.clip(rounded, 4, 1019)
        return self._color.tagged(picture)

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Write the tags into an encoder that is not open yet."""
        self._color.tag(codec)


def stored_codes(
    picture: av.VideoFrame, orientation: Orientation | None = None
) -> StoredCodes | None:
    """Return a decoded picture's own codes, not a copy; None if they are not 8-bit 4:2:0.

    Args:
        picture: As it was decoded.
        orientation: How it is turned; None for upright.
    """
    if (
        picture.format.name not in ("yuv420p", "yuvj420p")
        or picture.width % 2
        or picture.height % 2
        or picture.colorspace not in WEIGHTS
        or _is_mapped(picture)
        or any(plane.line_size < 0 for plane in picture.planes)  # see `combs.lines_of`
    ):
        return None
    is_full = picture.format.name == "yuvj420p" or picture.color_range == ColorRange.JPEG
    planes = tuple(_pixels(plane) for plane in picture.planes)
    return StoredCodes(planes, int(picture.colorspace), is_full, orientation or Orientation())


_DYNAMIC: Final = {"DYNAMIC_HDR_PLUS": "HDR10+", "DYNAMIC_HDR_VIVID": "HDR Vivid"}
"""Metadata of pictures as they were, by PyAV's names."""


def description_of(picture: av.VideoFrame, *, keeps_hdr: bool = False) -> str | None:
    """Return how the colours of a picture are changed by reading it; None where they are not."""
    bits = max(component.bits for component in picture.format.components)
    if _is_mapped(picture):
        name = describe(int(picture.color_primaries), int(picture.color_trc))
        if keeps_hdr:
            told = f"the video is {name}: read as BT.709, painted and written in its own colors"
            left = [title for key, title in _DYNAMIC.items() if side_data(picture, key)]
            of_scenes = f"; {' and '.join(left)}, brightness told scene by scene, is left out"
            return told + of_scenes if left else told
        return f"the video is {name}: read as BT.709, tone-mapped, with 8 bits a channel"
    if bits > 8:
        return f"the video has {bits} bits a channel: read and written with 8"
    return None


def is_deep(picture: av.VideoFrame) -> bool:
    """Return whether a picture has more than 8 bits a channel that are not tone-mapped."""
    bits = max(component.bits for component in picture.format.components)
    return bits > 8 and not _is_mapped(picture)


def _is_mapped(picture: av.VideoFrame) -> bool:
    return needs_mapping(int(picture.color_primaries), int(picture.color_trc))


def _merged(planar: av.VideoFrame) -> Image:
    """(H, W, 3) from a picture of the format "gbrp"."""
    green, blue, red = (_pixels(plane) for plane in planar.planes)
    return cv2.merge((red, green, blue))


def _pixels(plane: VideoPlane) -> NDArray[np.uint8]:
    """Return the (H, W) bytes of a plane themselves, not a copy."""
    values = np.frombuffer(cast("memoryview[int]", plane), np.uint8)
    return values.reshape(plane.height, plane.line_size)[:, : plane.width]


def _deep_pixels(plane: VideoPlane) -> NDArray[np.uint16]:
    """Return the same for planes of 16-bit values."""
    values = np.frombuffer(cast("memoryview[int]", plane), np.uint16)
    return values.reshape(plane.height, plane.line_size // 2)[:, : plane.width]
