"""From a decoded picture to the upright RGB image that is shown: cropped, turned, in proportion."""

import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facewarp.media.frames import DeepImage, HDRImage, Image
from facewarp.media.orientation import Orientation, fit_within
from facewarp.media.video.container import fraction, open_container
from facewarp.media.video.pixels.color_conversion import RGBReader, stored_codes
from facewarp.media.video.stream_info import Crop
from facewarp.media.yuv.codes import StoredCodes
from facewarp.media.yuv.side_data import orientation_of

Stored = TypeVar("Stored", bound=NDArray[Any])
_log = logging.getLogger(__name__)

_SIZES_MAY_CHANGE = ("matroska,webm", "mpegts", "mpeg", "flv")
_CHANGING_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg2video", "mpeg4")
_LOOK_S = 3.0  # as long as it is looked for larger pictures in a file


class FrameConverter:
    """Decoded pictures of one stream to upright RGB images of one size, never out of proportion.

    Args:
        crop: What the container cuts off the stored pictures.
        aspect: Width of a stored pixel over its height, which images are scaled by; 1 to leave
            them as they are stored.
        size: (width, height) px of all images; pictures of other sizes get black borders. None
            for each its own.
    """

    def __init__(
        self,
        crop: Crop | None = None,
        aspect: Fraction = Fraction(1),
        *,
        size: tuple[int, int] | None,
    ) -> None:
        self._crop, self._aspect, self._size = crop or Crop(), aspect, size
        self._first_aspect = aspect
        self._readers: dict[tuple[int, int], RGBReader] = {}
        self._turn: tuple[tuple[float, int, int], Orientation] | None = None
        self._was_key = False

    def __call__(self, picture: av.VideoFrame) -> tuple[Image, Orientation]:
        """Return the image (H, W, 3) uint8 RGB, contiguous, and how it was stored."""
        stored = self._reader(picture)(picture)
        orientation = self._turn_of(picture)
        image = orientation.upright(self._cropped(stored))
        aspect = orientation.turned_aspect(self._aspect)
        image = resized(image, square_size((image.shape[1], image.shape[0]), aspect))
        return (image if self._size is None else fit_within(image, self._size)), orientation

    def change_aspect(self, change: Fraction) -> None:
        """Keep the proportions of pictures whose pixels are of another shape than the first one's.

        Args:
            change: Their width over their height, over that of the first picture's pixels.
        """
        self._aspect = self._first_aspect * change

    @property
    def has_other_aspect(self) -> bool:
        """Whether pixels are of another shape than the first picture's, see `change_aspect`."""
        return self._aspect != self._first_aspect

    def alpha(self, picture: av.VideoFrame) -> Image | None:
        """Return a picture's alpha as its image is, (H, W) uint8; None where it is opaque."""
        stored = self._reader(picture).alpha(picture)
        if stored is None:
            return None
        turn = self._turn_of(picture)
        upright = turn.upright(self._cropped(stored))
        size = self.size_of((picture.width, picture.height), turn)
        upright = resized(upright, size)
        return upright if self._size is None else fit_within(upright, self._size)

    def hdr(self, picture: av.VideoFrame, shown: Image) -> HDRImage | None:
        """Return an HDR picture before tone mapping; None where its size is not that shown."""
        codes = self._reader(picture).deep(picture)
        upright = self._turn_of(picture).upright(self._cropped(codes))
        is_same = upright.shape == shown.shape and not self.has_other_aspect
        return HDRImage(upright, shown) if is_same else None

    def deep(self, picture: av.VideoFrame, shown: Image) -> DeepImage | None:
        """Return a picture with all its bits; None where its size is not that shown."""
        codes = self._reader(picture).deep(picture)
        upright = self._turn_of(picture).upright(self._cropped(codes))
        is_same = upright.shape == shown.shape and not self.has_other_aspect
        return DeepImage(upright) if is_same else None

    def codes(self, picture: av.VideoFrame) -> StoredCodes | None:
        """Return the codes of which an image is made, if nothing but a turn lies between."""
        size, turn = (picture.width, picture.height), self._turn_of(picture)
        is_whole = self._aspect == 1 and self._crop.cropped_size(size) == size
        if not is_whole or self._size not in (None, turn.turned_size(size)):
            return None
        return stored_codes(picture, turn)

    def _turn_of(self, picture: av.VideoFrame) -> Orientation:
        """Return how a picture is turned, asking PyAV in full only where that may have changed.

        A picture whose `side_data` was read refers to itself: its memory is not freed until the
        garbage collector comes by, hundreds of pictures later.
        """
        seen = (picture.rotation, picture.width, picture.height)
        is_key = bool(picture.key_frame)
        if self._turn is None or self._turn[0] != seen or (is_key and not self._was_key):
            self._turn = seen, orientation_of(picture)
        self._was_key = is_key
        return self._turn[1]

    def _reader(self, picture: av.VideoFrame) -> RGBReader:
        size = (picture.width, picture.height)
        if size not in self._readers:
            self._readers = {size: RGBReader(size)}
        return self._readers[size]

    def size_of(self, stored_size: tuple[int, int], turn: Orientation) -> tuple[int, int]:
        """Return (width, height) of the image of a stored picture, before it is given borders."""
        size = self._crop.cropped_size(stored_size)
        return square_size(turn.turned_size(size), turn.turned_aspect(self._aspect))

    def _cropped(self, stored: Stored) -> Stored:
        height, width = stored.shape[:2]
        size = self._crop.cropped_size((width, height))
        if size == (width, height):
            return stored
        left, top = self._crop.left, self._crop.top
        inner = np.ascontiguousarray(stored[top : top + size[1], left : left + size[0]])
        return cast(Stored, inner)


def square_size(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """Return (width, height) for square pixels: the side that is too short grows, to be even.

    Args:
        size: (width, height) px as stored.
        aspect: Width of a stored pixel over its height.
    """
    if aspect == 1 or aspect <= 0:
        return size
    width, height = size
    if aspect > 1:
        return 2 * round(width * aspect / 2), height
    return width, 2 * round(height / aspect / 2)


def with_square_pixels(image: Image, aspect: Fraction) -> tuple[Image, tuple[float, float]]:
    """Return an image resized to square pixels, and by how much in x and y.

    Args:
        image: H x W x C.
        aspect: Width of its pixels over their height.
    """
    height, width = image.shape[:2]
    size = square_size((width, height), aspect)
    return resized(image, size), (size[0] / width, size[1] / height)


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Return an image scaled to (width, height), the same one where it has that size."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    shrinks = size[0] < width or size[1] < height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def sizes_in(
    path: Path, container: InputContainer, stream: VideoStream
) -> list[tuple[tuple[int, int], Orientation]]:
    """Return the (width, height) stored in a file, with their turns, by a look at its key pictures.

    Empty for formats whose pictures all have one size. Looking ends after three seconds.
    """
    format_name, codec = container.format.name, stream.codec_context.name
    if format_name not in _SIZES_MAY_CHANGE or codec not in _CHANGING_CODECS:
        return []
    sizes: dict[tuple[tuple[int, int], Orientation], None] = {}
    until = time.monotonic() + _LOOK_S
    for picture in _key_pictures(path, stream.index):
        sizes[(picture.width, picture.height), orientation_of(picture)] = None
        if time.monotonic() > until:
            break
    return list(sizes)


def _key_pictures(path: Path, index: int) -> Iterator[av.VideoFrame]:
    with open_container(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, VideoStream)
        stream.codec_context.skip_frame = "NONKEY"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                if packet.is_keyframe or packet.size == 0:
                    yield from stream.decode(packet)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: looking for sizes: %s", path, error)
                return


def pixel_aspect(stream: VideoStream) -> Fraction:
    """Return the width of a stored pixel over its height; 1 where nothing is said."""
    return fraction(stream.sample_aspect_ratio) or Fraction(1)
