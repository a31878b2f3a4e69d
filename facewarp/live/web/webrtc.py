"""WebRTC with a browser, by aiortc: its camera's video in, processed images back."""

import asyncio
import ipaddress
import logging
import re
from collections.abc import Callable
from fractions import Fraction
from time import perf_counter

import aiortc
import av
import cv2
import numpy as np
from aiortc.mediastreams import MediaStreamError

from facewarp.errors import FacewarpError
from facewarp.live.web.aiortc_tuning import START_BPS, hand_over_at_once
from facewarp.live.web.frame_link import Arrival, Link
from facewarp.media.frames import Image
from facewarp.media.video.pixels.color_conversion import Color, RGBReader, YUVWriter

_log = logging.getLogger(__name__)

_MAX_SDP = 64 << 10
_MAX_CANDIDATES = 32
_CODECS = ("video/vp8", "video/rtx", "video/h264")  # aiortc encodes VP8 in a fourth of the time
_PROTOCOL_ERRORS = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, OSError,
    RuntimeError, EOFError, OverflowError, RecursionError,
    aiortc.InvalidStateError, aiortc.exceptions.OperationError, aiortc.InvalidAccessError,
)  # fmt: skip  # aiortc's ways to refuse an offer


class _Returned(aiortc.MediaStreamTrack):
    """The track of images sent back: only the newest waits."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._newest: av.VideoFrame | None = None
        self._changed = asyncio.Event()

    def put(self, picture: av.VideoFrame) -> None:
        self._newest = picture
        self._changed.set()

    async def recv(self) -> av.VideoFrame:
        while self._newest is None:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        picture, self._newest = self._newest, None
        return picture

    def stop(self) -> None:
        super().stop()
        self._changed.set()


class PeerLink(Link):
    """A WebRTC connection with one video track each way, on addresses of this machine only.

    Args:
        arrive: called in the server's thread with each frame as it comes.
    """

    kind = "webrtc"

    def __init__(self, arrive: Callable[[Arrival], object]) -> None:
        super().__init__()
        self._arrive = arrive
        self._loop = asyncio.get_running_loop()
        self._peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self._returned = _Returned()
        self._receiving: asyncio.Task[None] | None = None
        self._to_rgb: tuple[tuple[int, int], RGBReader] | None = None
        self._to_yuv: tuple[Color, YUVWriter] | None = None
        self._color = Color()
        self._is_closed = False
        self._peer.on("track", self._begin)

    async def answer(self, offer: str) -> str:
        """Return the session description that answers a browser's.

        Raises:
            FacewarpError: the offer can't be understood, or is not of one video.
        """
        if len(offer) > _MAX_SDP or len(re.findall(r"^m=", offer, re.MULTILINE)) != 1:
            raise FacewarpError("an offer of one video is expected")
        try:
            await self._peer.setRemoteDescription(
                aiortc.RTCSessionDescription(with_addresses_only(offer), "offer")
            )
            self._peer.addTrack(self._returned)
            (transceiver,) = self._peer.getTransceivers()
            known = aiortc.RTCRtpSender.getCapabilities("video").codecs
            known = [codec for codec in known if codec.mimeType.lower() in _CODECS]
            known.sort(key=lambda codec: _CODECS.index(codec.mimeType.lower()))
            transceiver.setCodecPreferences(known)
            hand_over_at_once(transceiver.receiver)
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except _PROTOCOL_ERRORS as error:
            _log.debug("offer refused", exc_info=True)
            raise FacewarpError(
                f"the browser's offer is not understood: {type(error).__name__} {error}"
            ) from error
        return with_start_bitrate(self._peer.localDescription.sdp, START_BPS // 1000)

    def decode(self, picture: av.VideoFrame) -> Image:
        """See `Link.decode`."""
        size = (picture.width, picture.height)
        if self._to_rgb is None or self._to_rgb[0] != size:
            self._to_rgb = size, RGBReader(size)
        self._color = Color.of(picture)
        return self._to_rgb[1](picture)

    def deliver(self, image: Image, tick: int) -> None:
        """See `Link.deliver`."""
        if self._is_closed:
            return
        color = self._color
        if self._to_yuv is None or self._to_yuv[0] != color:
            self._to_yuv = color, YUVWriter(color)
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        picture = self._to_yuv[1](np.ascontiguousarray(image))
        # The encoder counts in microseconds and rounds down: rounded up here, the tick survives.
        picture.pts, picture.time_base = -(-tick * 100 // 9), Fraction(1, 1_000_000)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._returned.put, picture)

    async def close(self) -> None:
        """See `Link.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._returned.stop()
        await self._peer.close()
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)

    def _begin(self, track: aiortc.MediaStreamTrack) -> None:
        if track.kind == "video" and self._receiving is None:
            self._receiving = asyncio.ensure_future(self._receive(track))

    async def _receive(self, track: aiortc.MediaStreamTrack) -> None:
        """Take every frame at once: aiortc would queue them without limit."""
        try:
            while True:
                picture = await track.recv()
                if isinstance(picture, av.VideoFrame) and picture.pts is not None:
                    self._arrive(Arrival(self, picture, picture.pts, perf_counter()))
        except MediaStreamError:
            return


def with_addresses_only(sdp: str) -> str:
    """Return a session description without candidates that are no address of one machine.

    Browsers hide their addresses behind names of multicast DNS while no camera is allowed. They
    are not needed: the browser knows this machine's addresses and calls them, and is answered
    where it called from. Nothing is sent to groups of machines either, nor to more places than a
    browser has. The end of the candidates is left out too, since that one is still to come.
    """
    kept, candidates = [], 0
    for line in sdp.splitlines(keepends=True):
        name = line.strip().lower()
        if name.startswith("a=end-of-candidates"):
            continue
        if name.startswith("a=candidate:"):
            fields = line.split()
            candidates += 1
            if candidates > _MAX_CANDIDATES or len(fields) < 6 or not _is_machine(fields[4]):
                continue
        kept.append(line)
    return "".join(kept)


def _is_machine(text: str) -> bool:
    """Whether a text is the address of one machine, as digits."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    is_broadcast = text == "255.255.255.255"
    return not (address.is_multicast or address.is_unspecified or is_broadcast)


def with_start_bitrate(sdp: str, kbps: int) -> str:
    """Return an answer that asks Chromium to start at a bit rate, not at 640x360 and 0.3."""
    lines = []
    for line in sdp.splitlines():
        lines.append(line)
        codec = re.match(r"a=rtpmap:(\d+) (VP8|H264)/90000", line)
        if codec is None:
            continue
        format_line = f"a=fmtp:{codec[1]} "
        if format_line not in sdp:
            lines.append(f"{format_line}x-google-start-bitrate={kbps}")
    return (
        "\r\n".join(
            f"{line};x-google-start-bitrate={kbps}"
            if re.match(r"a=fmtp:\d+ .*packetization-mode", line)
            else line
            for line in lines
        )
        + "\r\n"
    )
