"""Show what is drawn to programs that mix pictures: `/view`, a page with nothing else on it.

A viewer opens `/api/view` and keeps it open. Each binary message is one picture: its size and where
the part that follows lies in it, six numbers of two bytes (big endian: width, height, x0, y0, x1,
y1 in px), then that part as PNG with straight alpha, or as JPEG where all of it is sent. An empty
part (x0 = x1) leaves nothing to be seen. A viewer that is slow gets the newest picture, not all.
"""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final, Literal

import cv2
import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.live.interfaces import ProcessedFrame
from facewarp.media.frames import Frame, Image

Kind = Literal["effect", "picture"]
"""What a viewer is shown: the effect alone, with alpha, or the whole picture."""

_HEAD: Final = struct.Struct("!6H")
_MOST: Final = 4
_FULL: Final = 4003
_HEARTBEAT_S: Final = 10.0
_CLOSE_S: Final = 1.0
_JPEG_QUALITY: Final = 90
_PNG_LEVEL: Final = 1  # a fifth larger than at 9, in a tenth of the time
_STALE_S: Final = 3.0
_BLANK: Final = _HEAD.pack(0, 0, 0, 0, 0, 0)


class Viewers:
    """The viewers of a session; all but `present`, `idle` and `clear` in the server's thread.

    Args:
        want_layer: told whether anybody needs the effect's own layer, which costs time.
    """

    def __init__(self, want_layer: Callable[[bool], None]) -> None:
        self._want_layer = want_layer
        self._sockets: dict[web.WebSocketResponse, Kind] = {}
        self._loop = asyncio.get_running_loop()
        self._newest: _Newest | None = None
        self._changed = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one viewer from beginning to end."""
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=1 << 10, compress=False, timeout=_CLOSE_S
        )
        await socket.prepare(request)
        if len(self._sockets) >= _MOST:
            await socket.close(code=_FULL, message=b"there are as many viewers as can be")
            return socket
        self._sockets[socket] = "picture" if "picture" in request.query else "effect"
        self._tell()
        sending = asyncio.create_task(self._send(socket, self._sockets[socket]))
        try:
            async for message in socket:
                if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                    break  # viewers have nothing to say
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            del self._sockets[socket]
            self._tell()
        return socket

    def present(self, frame: Frame, made: ProcessedFrame) -> None:
        """Take a result, in place of one that is still waiting; callable from any thread."""
        if self._sockets:
            self._put(_Newest(frame.image.shape == made.image.shape, made))

    def idle(self) -> None:
        """Show nothing once no picture has come for a while; callable from any thread."""
        if self._newest is not None and perf_counter() - self._newest.stamp > _STALE_S:
            self.clear()

    def clear(self) -> None:
        """Show nothing: pictures have ended; callable from any thread."""
        if self._sockets:
            self._put(None)

    async def close(self) -> None:
        """End all of them because the program ends."""
        for socket in list(self._sockets):
            with suppress(ConnectionError):
                await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the program has ended")

    def _put(self, newest: "_Newest | None") -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, newest)

    def _take(self, newest: "_Newest | None") -> None:
        self._newest = newest
        self._loop.create_task(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _tell(self) -> None:
        if not self._sockets:
            self._newest = None  # the next viewer has no business with it
        self._want_layer("effect" in self._sockets.values())

    def _has_changed(self, before: "_Newest | None") -> bool:
        return self._newest is not before

    async def _send(self, socket: web.WebSocketResponse, kind: Kind) -> None:
        """Send the newest picture, and the next only when that one has gone (backpressure)."""
        before: _Newest | None = None
        while True:
            async with self._changed:
                await self._changed.wait_for(partial(self._has_changed, before))
            before = self._newest
            message = _BLANK if before is None else await before.message(kind)
            if message is not None:
                await socket.send_bytes(message)


class _Newest:
    """A result, encoded once for each kind of viewer, in a thread.

    Args:
        is_of_frame: whether it has the frame's size, so that the effect can be taken off it.
        made: the result.

    Attributes:
        stamp: when it came, in seconds of `time.perf_counter`.
    """

    def __init__(self, is_of_frame: bool, made: ProcessedFrame) -> None:
        self._is_of_frame, self._made = is_of_frame, made
        self.stamp = perf_counter()
        self._encoding: dict[Kind, asyncio.Task[bytes | None]] = {}

    async def message(self, kind: Kind) -> bytes | None:
        """Return the message; None where the layer was not asked for in time."""
        if kind not in self._encoding:
            encoding = asyncio.to_thread(self._encode, kind)
            self._encoding[kind] = asyncio.create_task(encoding)
        return await asyncio.shield(self._encoding[kind])

    def _encode(self, kind: Kind) -> bytes | None:
        if kind == "picture" or not self._is_of_frame:
            return picture_message(self._made.image)
        layer = self._made.layer
        return None if layer is None else layer_message(layer, self._made.image.shape[:2])


def picture_message(image: Image) -> bytes:
    """Return the message of a whole picture (H, W, 3) RGB."""
    height, width = image.shape[:2]
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    return _HEAD.pack(width, height, 0, 0, width, height) + jpeg.tobytes()


def layer_message(layer: EffectLayer, shape: tuple[int, ...]) -> bytes:
    """Return the message of an effect's layer in a picture of a shape (height, width)."""
    height, width = shape
    head = _HEAD.pack(width, height, *layer.box)
    if layer.is_empty:
        return head
    bgra = cv2.cvtColor(np.dstack([layer.color, layer.alpha]), cv2.COLOR_RGBA2BGRA)
    _, png = cv2.imencode(".png", bgra, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    return head + png.tobytes()
