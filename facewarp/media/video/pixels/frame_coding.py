"""From an upright RGB image to the picture that an encoder takes: turned, of even size, as YUV."""

from dataclasses import dataclass, replace
from typing import cast

import av
import cv2
import numpy as np

from facewarp.media.frames import Frame
from facewarp.media.orientation import Orientation, Pixels
from facewarp.media.video.pixels.color_conversion import (
    AlphaWriter,
    Color,
    DeepYUVWriter,
    TenBitWriter,
    YUVWriter,
    ten_bit_codes,
)
from facewarp.media.video.pixels.tone_mapping import HDRFormat, paint_codes, painted_hdr
from facewarp.media.yuv.codes import StoredCodes


@dataclass(frozen=True)
class StoredPictures:
    """What the pictures of a video are like as they are stored.

    Attributes:
        orientation: how they are turned.
        color: their tags.
        hdr: the HDR that they carry, in 10 bits; None for none.
        alpha: whether they have alpha.
        deep: whether they have more than 8 bits without HDR or alpha.
        chroma_location: where samples of chroma lie in 4:2:0, by FFmpeg's names; None for untold.
    """

    orientation: Orientation
    color: Color
    hdr: HDRFormat | None = None
    alpha: bool = False
    deep: bool = False
    chroma_location: str | None = None


class FrameCoder:
    """Makes the pictures of an encoder of frames; one of odd width or height grows by a pixel.

    Args:
        stored: what the pictures are like.
        pix_fmt: the encoder's pixel format.
    """

    def __init__(self, stored: StoredPictures, pix_fmt: str) -> None:
        self._stored_like, color = stored, stored.color
        self._to_yuv = YUVWriter(color)
        self._to_deep = None if stored.hdr is None else _hdr_writer(stored.hdr, pix_fmt)
        self._to_ten = TenBitWriter(color, pix_fmt) if stored.deep else None
        self._to_alpha = AlphaWriter(color, pix_fmt) if stored.alpha else None

    def tag(self, codec: av.VideoCodecContext) -> None:
        """Write the colors' tags into an encoder that is not open yet."""
        (self._to_alpha or self._to_deep or self._to_ten or self._to_yuv).tag(codec)
        location = self._stored_like.chroma_location
        if location is not None and "420p" in (codec.pix_fmt or ""):
            codec.options = {**codec.options, "chroma_sample_location": location}

    def own_codes(self, frame: Frame) -> av.VideoFrame | None:
        """Return a frame of a video with that video's codes where nothing was painted on it.

        None where they are not to be had, or not what is written.
        """
        codes = frame.codes
        is_plain = (self._to_alpha or self._to_deep or self._to_ten) is None
        if not is_plain or frame.alpha is not None or not isinstance(codes, StoredCodes):
            return None
        if codes.orientation != self._stored_like.orientation or not self._to_yuv.fits(codes):
            return None
        shown = frame.image if frame.shown is None else frame.shown
        return self._to_yuv.painted(codes, shown, frame.image)

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """Return a frame's picture; what is transparent is black where there is no alpha."""
        frame = replace(frame, image=np.asarray(frame.image))  # all of it, if it was a canvas
        if self._to_alpha is not None:
            alpha = frame.alpha
            if alpha is None:
                alpha = np.full(frame.image.shape[:2], 255, np.uint8)
            return self._to_alpha(self._stored(np.dstack([frame.image, alpha])))
        if frame.alpha is not None:
            return self._to_yuv(self._stored(frame.flattened()))
        if self._to_ten is not None:
            return self._to_ten(self._stored(ten_bit_codes(frame)))
        hdr = self._stored_like.hdr
        if hdr is None or self._to_deep is None:
            return self._to_yuv(self._stored(frame.image))
        tags = hdr.primaries, hdr.transfer
        if frame.hdr is None:
            codes = np.rint(65_535 * paint_codes(frame.image, *tags)).astype(np.uint16)
        else:
            codes = painted_hdr(frame.image, frame.hdr, *tags)
        return self._to_deep(self._stored(codes))

    def _stored(self, image: Pixels) -> Pixels:
        """Return a picture turned as it is stored, of even size."""
        image = cast(Pixels, np.ascontiguousarray(image))
        bottom, right = (size % 2 for size in image.shape[:2])
        if bottom or right:
            grown = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            image = cast(Pixels, grown)
        return self._stored_like.orientation.stored(image)


def _hdr_writer(coded: HDRFormat, pix_fmt: str) -> DeepYUVWriter | TenBitWriter:
    if pix_fmt == "yuv420p10le":
        return DeepYUVWriter(coded)
    return TenBitWriter(Color(coded.matrix, coded.primaries, coded.transfer), pix_fmt)
