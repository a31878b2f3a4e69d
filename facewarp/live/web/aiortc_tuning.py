"""Tune aiortc, which is made for calls, for images that come straight back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiortc import RTCRtpReceiver
from aiortc.codecs import h264, vpx
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

_log = logging.getLogger(__name__)

# aiortc begins at 0.5 Mbit/s and never leaves 1.5, at which 1280x720 is a blur. Much more costs
# time too: every packet is dealt with in Python.
START_BPS: Final = 2_500_000
MIN_BPS: Final = 600_000
MAX_BPS: Final = 4_000_000

_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_PACKETS = 512


@contextmanager
def raised_bitrates() -> Iterator[None]:
    """Let aiortc's encoders use `MIN_BPS` to `MAX_BPS`, for which it has no setting."""
    names = ("DEFAULT_BITRATE", "MIN_BITRATE", "MAX_BITRATE")
    before = {module: [getattr(module, name) for name in names] for module in (vpx, h264)}
    try:
        for module in before:
            for name, value in zip(names, (START_BPS, MIN_BPS, MAX_BPS), strict=True):
                setattr(module, name, value)
        yield
    finally:
        for module, values in before.items():
            for name, value in zip(names, values, strict=True):
                setattr(module, name, value)


class PromptBuffer(JitterBuffer):
    """Assemble frames from packets, and deliver each with its last packet.

    aiortc's own waits for the first packet of the next frame, which is one frame more to wait.
    The last packet of a frame carries a mark (RFC 3550, section 5.1).
    """

    def __init__(self) -> None:
        super().__init__(capacity=_PACKETS, is_video=True)

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; return whether frames were lost, and the frame it completes."""
        is_lossy, frame = super().add(packet)
        if frame is None and packet.marker:
            frame = self._up_to(packet)
        return is_lossy, frame

    def _up_to(self, last: RtpPacket) -> JitterFrame | None:
        """Return the frame that ends with a packet, if it comes next and is complete."""
        origin = self._origin
        assert origin is not None
        count = (last.sequence_number - origin) % (1 << 16) + 1
        if count > self.capacity:
            return None
        packets = [self._packets[(origin + i) % self.capacity] for i in range(count)]
        data = b""
        for packet in packets:
            if packet is None or packet.timestamp != last.timestamp:
                return None
            data += packet._data  # type: ignore[attr-defined]
        self.remove(count)
        return JitterFrame(data, last.timestamp)


def hand_over_at_once(receiver: RTCRtpReceiver) -> None:
    """Give a receiver that has not begun a `PromptBuffer`, if it is built as expected."""
    if hasattr(receiver, _BUFFER):
        setattr(receiver, _BUFFER, PromptBuffer())
    else:
        _log.debug("this aiortc keeps its packets elsewhere; frames take one frame longer")
