"""The pictures of a video file decoded, and what of it could not be."""

import logging
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from facewarp.media.video.container import is_flush
from facewarp.media.video.timeline import Timeline

_log = logging.getLogger(__name__)

_ALPHA_CHANNEL_INFO = b"\x4e\x01\xa5"  # HEVC: a SEI unit of the base layer, payload type 165


class PictureDecoder:
    """Decode the pictures of an open file in the order shown, whatever is damaged.

    Args:
        path: of the file.
        container: the file.
        stream: its pictures.
        timeline: its clock, onto which their times are moved.

    Attributes:
        faults: what could not be read or decoded, but where recordings were joined.
        last: the packet read last; None before the first.
        is_at_joint: whether that lies where recordings were joined, as incomplete ones often do.
    """

    def __init__(
        self, path: Path, container: InputContainer, stream: VideoStream, timeline: Timeline
    ) -> None:
        self._path, self._timeline = path, timeline
        self._packets = container.demux(stream)
        self._decoder = alpha_decoder(stream) or stream
        self._jpeg = JpegDecoder(stream) if stream.codec_context.name == "mjpeg" else None
        self.faults = self._packets_read = self._decoded = self._before_key = 0
        self.last: Packet[VideoStream] | None = None
        self.is_at_joint = False
        self._has_key = False

    def pictures(self, first_byte: int = 0) -> Iterator[av.VideoFrame]:
        """Yield every picture that can be had.

        Args:
            first_byte: of the file, before which packets are passed over.
        """
        on_clock = self._timeline.corrector()
        was_flushed = False
        while not was_flushed:
            try:
                packet = next(self._packets, None)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: demuxing: %s", self._path, error)
                self.faults += 1
                packet = None  # no more will come, but the decoder still holds pictures
            was_flushed = packet is None or is_flush(packet)
            if packet is not None and packet.size == 0 and not was_flushed:
                continue  # decoders refuse it
            self.is_at_joint = packet is not None and self._timeline.is_joint(packet)
            try:
                if packet is not None and packet.size:
                    if (packet.pos or 0) < first_byte:
                        continue
                    self._note(packet)
                    on_clock(packet)
                pictures = (self._jpeg or self._decoder).decode(packet)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: decoding: %s", self._path, error)
                self.faults += not self.is_at_joint
                continue
            self.faults += bool(self._jpeg and self._jpeg.has_half)
            self._decoded += len(pictures)
            yield from pictures

    @property
    def lead(self) -> int:
        """Pictures of the beginning that could not be decoded, for want of a key picture.

        Known once all are decoded. Files that mark no key pictures have no such beginning.
        """
        missing = self._packets_read - self._decoded
        return self._before_key if self._has_key and missing >= self._before_key else 0

    def _note(self, packet: "Packet[VideoStream]") -> None:
        self.last = packet
        self.faults += packet.is_corrupt and not self.is_at_joint
        self._has_key = self._has_key or packet.is_keyframe
        self._before_key += not self._has_key
        self._packets_read += 1


class JpegDecoder:
    """Decode Motion JPEG, and tell of pictures of which only the upper part came.

    FFmpeg gives them like whole ones, not marked as corrupt: what is missing is green, or of an
    earlier picture. Told to be strict, it refuses those that lack a few bits, too, as every picture
    of some cameras does; so what it refuses is decoded once more, from a clean slate.

    Args:
        stream: of a file that is open, and of which nothing is decoded yet.

    Attributes:
        has_half: whether more than an eighth is missing of what was decoded last.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        stream.codec_context.options = {"err_detect": "explode"}
        stream.codec_context.thread_count = 1  # else an error is told with a later packet
        self.has_half = False

    def decode(self, packet: "Packet[VideoStream] | None") -> list[av.VideoFrame]:
        """Decode a packet, or what is held back where there is none.

        Raises:
            av.FFmpegError: nothing of it can be decoded.
        """
        self.has_half = False
        try:
            return self._stream.decode(packet)
        except av.error.InvalidDataError:
            if packet is None:
                raise
            slate = av.CodecContext.create("mjpeg", "r")
            assert isinstance(slate, av.VideoCodecContext)
            pictures = [*slate.decode(packet), *slate.decode(None)]
            if not pictures:
                raise
            self.has_half = any(map(_ends_bare, pictures))
            return pictures


def _ends_bare(picture: av.VideoFrame) -> bool:
    """Whether the last eighth of a picture has no values: Y = U = V = 0, a green no color has."""
    if len(picture.planes) < 3 or not picture.format.components[0].is_luma:
        return False
    bare = []
    for plane in picture.planes[:3]:
        codes = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        bare.append(not codes[plane.height - plane.height // 8 : plane.height].any())
    return all(bare)


def alpha_decoder(stream: VideoStream) -> av.VideoCodecContext | None:
    """Return a decoder of VP8 or VP9 with alpha, which FFmpeg's own decoders leave out."""
    has_alpha = stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if not has_alpha or name not in av.codecs_available:
        return None
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    return decoder


def has_unread_alpha(stream: VideoStream) -> bool:
    """Whether a video is HEVC with an alpha layer, which PyAV's decoder leaves out without a word.

    Told by the SEI message "alpha channel information" among the parameter sets (ISO/IEC 23008-2,
    F.14.2.8), as phones, editors and x265 write it, unless its first bit cancels it.
    """
    extradata = stream.codec_context.extradata
    if stream.codec_context.name != "hevc" or extradata is None:
        return False
    told = bytes(extradata).partition(_ALPHA_CHANNEL_INFO)[2]
    return len(told) > 1 and told[0] > 0 and not told[1] & 0x80
