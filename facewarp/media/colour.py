"""RGB from and to the YUV of videos, without a shift.

What a video's tags leave open, players guess differently. So nothing is guessed here: a copy is
written with the matrix and the tags it was read with, and looks in every player as its original
does. Only full range becomes limited range, which all players know and the tag says.
"""

from dataclasses import dataclass
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from facewarp.media.sources import Image

# Without these swscale takes a short cut that darkens every channel by 1 to 1.5 of 255 and
# repeats chroma instead of interpolating it; planar RGB is its quickest way with them.
_TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_TO_YUV = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP

_UNTAGGED = 2
# Matrix tag (H.273) -> swscale's number for it. Tags that are not here stand for RGB or for
# matrices swscale can't write.
_SWSCALE_MATRIX = {1: 1, 2: 5, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}


@dataclass(frozen=True)
class Colour:
    """A video's colour tags, numbered as in ITU-T H.273 and by FFmpeg; 2 is untagged."""

    matrix: int = 1
    primaries: int = 1
    transfer: int = 1

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "Colour":
        """The tags of a decoded picture; BT.709 for those that are not YUV."""
        if picture.format.is_rgb or picture.colorspace not in _SWSCALE_MATRIX:
            return cls()
        return cls(int(picture.colorspace), int(picture.color_primaries), int(picture.color_trc))


class RGBReader:
    """Decoded pictures to RGB of one size; keeps the converter's tables between calls."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()

    def __call__(self, picture: av.VideoFrame) -> Image:
        """(H, W, 3) uint8 RGB, contiguous, from a picture of any format."""
        width, height = self._size
        planar = self._reformatter.reformat(
            picture, width, height, "gbrp", interpolation=_TO_RGB, threads=1
        )
        green, blue, red = (
            np.frombuffer(cast("memoryview[int]", plane), np.uint8).reshape(height, -1)[:, :width]
            for plane in planar.planes
        )
        return cv2.merge((red, green, blue))


class YUVWriter:
    """RGB to limited-range yuv420p pictures with the tags of `colour`."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._reformatter = VideoReformatter()

    def __call__(self, image: Image) -> av.VideoFrame:
        """From (H, W, 3) uint8 RGB, contiguous, of even size; the image is only read."""
        packed = av.VideoFrame.from_numpy_buffer(image, format="rgb24")
        picture = self._reformatter.reformat(
            packed,
            format="yuv420p",
            dst_colorspace=_SWSCALE_MATRIX[self._colour.matrix],
            dst_color_range=ColorRange.MPEG,
            interpolation=_TO_YUV,
            threads=1,
        )
        picture.colorspace = self._colour.matrix
        return picture

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Writes the tags into an encoder that is not open yet."""
        codec.color_range = ColorRange.MPEG
        codec.colorspace = self._colour.matrix
        codec.color_primaries = self._colour.primaries
        codec.color_trc = self._colour.transfer
