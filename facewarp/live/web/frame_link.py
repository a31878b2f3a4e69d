"""Transport between a browser and the loop: its frames in, processed images back.

A link is WebRTC (`facewarp.live.web.webrtc`), or, where the browser can't be reached by UDP, JPEGs
over the page's own connection (`PictureLink`). Neither ever holds more than the newest image of
each direction. Every frame has a tick, 1/90000 s on the browser's clock, and the image made of
it goes back under the same one: that is how the page tells how long the round took.
"""

import logging
import struct
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import cv2

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import CapturedFrame
from facewarp.media.frames import Image
from facewarp.media.images.decoding import read_frame

_log = logging.getLogger(__name__)

TICKS_PER_S: Final = 90_000
_JPEG_QUALITY = 88
_TICK = struct.Struct("!I")


@dataclass(frozen=True, eq=False, kw_only=True)
class WebFrame(CapturedFrame):
    """A frame that knows where its image goes back to.

    Attributes:
        link: the link it came by.
        tick: 1/90000 s on the link's own clock.
    """

    link: "Link"
    tick: int


class SessionClock:
    """One monotonic clock for the frames of all links; used in the capturing thread."""

    def __init__(self) -> None:
        self._zero = perf_counter()
        self._last_s = 0.0
        self._count = 0

    def stamp(self, link: "Link", tick: int) -> tuple[float, int] | None:
        """Return time (s) and index of a frame; None where it is not after the one before."""
        if link.origin_s is None:
            now = perf_counter() - self._zero
            link.origin_s = max(now, self._last_s + 1e-3) - tick / TICKS_PER_S
        time = link.origin_s + tick / TICKS_PER_S
        if self._count and time <= self._last_s:
            return None
        self._last_s = time
        self._count += 1
        return time, self._count - 1


class Link(ABC):
    """One transport between a page and the loop.

    Attributes:
        kind: what the page calls it.
        origin_s: where tick 0 is on the session's clock; None until the first frame.
    """

    kind: str

    def __init__(self) -> None:
        self.origin_s: float | None = None

    @abstractmethod
    def decode(self, picture: Any) -> Image:
        """Decode an image of this link as (H, W, 3) uint8 RGB; in the capturing thread.

        Raises:
            FacewarpError: it can't be read.
        """

    @abstractmethod
    def deliver(self, image: Image, tick: int) -> None:
        """Send an image back, in place of one still waiting; in the presenting thread."""

    def refuse(self, error: FacewarpError) -> None:
        """Tell the page, where it can, that a frame is not taken; in the capturing thread."""
        _log.debug("a frame is not taken: %s", error)

    @abstractmethod
    async def close(self) -> None:
        """Close the link; in the server's thread."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """A frame as it arrived, not decoded.

    Attributes:
        link: the link it came by.
        image: as the link has it: decoded by aiortc, or an encoded JPEG.
        tick: see `WebFrame`.
        stamp: when it came, in seconds of `time.perf_counter`.
    """

    link: Link
    picture: Any
    tick: int
    stamp: float

    def frame(self, clock: SessionClock) -> WebFrame | None:
        """Decode the frame; None where it can't be read or is not after the last one."""
        stamp = clock.stamp(self.link, self.tick)
        if stamp is None:
            return None
        try:
            image = self.link.decode(self.picture)
        except FacewarpError as error:
            self.link.refuse(error)
            return None
        time, index = stamp
        return WebFrame(image, time, index, captured=self.stamp, link=self.link, tick=self.tick)


class PictureLink(Link):
    """JPEGs over the page's WebSocket, each after its tick (4 bytes, big endian).

    Args:
        loop: the server's.
        send: called in the server's thread with what is ready to be sent, newest first served.
        say: called there with why frames are not taken, once for the same reason in a row.
    """

    kind = "pictures"

    def __init__(
        self,
        loop: AbstractEventLoop,
        send: Callable[[bytes], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._send, self._say, self._said = send, say, ""
        self._last_tick = -1
        self._is_closed = False

    def arrival(self, message: bytes) -> Arrival | None:
        """Return what came in one message; None if it is too short or out of order."""
        if len(message) <= _TICK.size:
            return None
        (tick,) = _TICK.unpack_from(message)
        if tick <= self._last_tick:
            return None
        self._last_tick = tick
        return Arrival(self, message[_TICK.size :], tick, perf_counter())

    def decode(self, picture: bytes) -> Image:
        """See `Link.decode`."""
        return read_frame(picture)

    def deliver(self, image: Image, tick: int) -> None:
        """See `Link.deliver`."""
        if self._is_closed:
            return
        settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
        message = _TICK.pack(tick) + jpeg.tobytes()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._send, message)

    def refuse(self, error: FacewarpError) -> None:
        """See `Link.refuse`."""
        before, self._said = self._said, str(error)
        if self._said != before and not self._is_closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._say, self._said)

    async def close(self) -> None:
        """See `Link.close`."""
        self._is_closed = True
