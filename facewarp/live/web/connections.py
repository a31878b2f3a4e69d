"""Serve one browser page at a time, from the opening of its WebSocket to its end.

The page opens `/api/live?page=ID` and keeps it open. JSON goes both ways, each object with a
`type`:

    page     offer {sdp}     asks for WebRTC, any number of times; answered by `answer {sdp}`
             pictures {}     asks to send JPEGs over this connection; answered by `pictures {}`
             ping {id}       answered by `pong {id}`
    program  stats {...}     five times a second: `LiveStats.snapshot`, `settings`, `faces`, `size`
             refused {text}  what was asked for could not be done, or a JPEG was not taken

Binary messages are JPEGs, see `frame_link.PictureLink`. When the connection ends, so does all that
belongs to the visit. It is closed with a code of its own where another page's images are being
worked on (`BUSY`) or another page has taken over (`TAKEN`), and 1001 when the program ends.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from facewarp.errors import FacewarpError
from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import Controls, ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.live.web.frame_link import Arrival, Link, PictureLink, WebFrame
from facewarp.live.web.webrtc import PeerLink

_log = logging.getLogger(__name__)

BUSY: Final = 4001
TAKEN: Final = 4002

_TELL_S = 0.2
_HEARTBEAT_S = 10.0
_CLOSE_S = 1.0
_END_S = 1.0
_MAX_MESSAGE = 4 << 20


class Visits:
    """The pages of a session, one at a time.

    Args:
        arrivals: where frames of the visit go.
        controls: whose settings the page is sent.
        stats: statistics that the page is sent.
        on_end: called at the end of a visit that no other one follows.
    """

    def __init__(
        self,
        arrivals: FrameQueue[Arrival],
        controls: Controls,
        stats: LiveStats,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._arrivals = arrivals
        self._controls = controls
        self._stats = stats
        self._on_end = on_end
        self._current: _Visit | None = None
        self._changing = asyncio.Lock()
        self._faces: Sequence[Mapping[str, Any]] = ()
        self._size = (0, 0)

    @property
    def notice(self) -> str | None:
        """Why no frames come; None while they should."""
        visit = self._current
        if visit is None:
            return "waiting for a browser to open the page"
        return None if visit.link is not None else "waiting for the page to start its camera"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one page from beginning to end."""
        page = request.query.get("page", "")
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_MAX_MESSAGE, compress=False, timeout=_CLOSE_S
        )
        await socket.prepare(request)
        visit = _Visit(page, socket, self._arrivals, request.transport)
        async with self._changing:
            before = self._current
            if before is not None:
                is_other = before.page != page and before.link is not None
                if is_other and request.query.get("take_over") != "1":
                    await socket.close(code=BUSY, message=b"another page is being served")
                    return socket
                await before.end(TAKEN, b"another page has taken over")
            self._current = visit
        telling = asyncio.create_task(self._tell(visit))
        try:
            with suppress(ConnectionError):  # the page has gone in the middle of an answer
                await visit.listen()
        finally:
            await _ended(telling)
            await visit.close()
            if self._current is visit:
                self._current = None
                self._on_end()
            self._controls.forget()
        return socket

    def note(self, frame: WebFrame, made: ProcessedFrame) -> None:
        """Store what the page is sent of the newest result; callable from any thread."""
        self._size = (made.image.shape[1], made.image.shape[0])
        self._faces = [
            {name: record.get(name) for name in ("face", "state", "confidence")}
            for record in made.records
        ]

    async def close(self) -> None:
        """End the visit because the program ends."""
        if self._current is not None:
            await self._current.end(WSCloseCode.GOING_AWAY, b"the program has ended")

    async def _tell(self, visit: "_Visit") -> None:
        """Send statistics to the page; wait for a slow page (backpressure)."""
        while True:
            stats = self._stats.snapshot()
            notice = stats.get("notice") or (self.notice if visit.link is None else None)
            message = {
                **stats,
                "type": "stats",
                "notice": notice,
                "settings": dict(self._controls.settings()),
                "faces": [_plain_face(face) for face in self._faces],
                "size": self._size,
            }
            await visit.socket.send_json(message, dumps=partial(json.dumps, default=str))
            await asyncio.sleep(_TELL_S)


class _Visit:
    """One page and what it has asked for.

    Attributes:
        page: what it calls itself; the same after a reload.
        socket: its WebSocket.
        link: how its frames come; None before it has asked.
    """

    def __init__(
        self,
        page: str,
        socket: web.WebSocketResponse,
        arrivals: FrameQueue[Arrival],
        transport: asyncio.Transport | None,
    ) -> None:
        self.page = page
        self.socket = socket
        self._transport = transport
        self.link: Link | None = None
        self._arrivals = arrivals
        self._over = asyncio.Event()
        self._jpeg: bytes | None = None
        self._refusal: str | None = None
        self._answer_ready = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Handle messages until the connection ends."""
        async for message in self.socket:
            if message.type == WSMsgType.BINARY:
                self._take_jpeg(message.data)
            elif message.type == WSMsgType.TEXT:
                try:
                    await self._answer(_parsed(message.data))
                except FacewarpError as error:
                    await self.socket.send_json({"type": "refused", "text": str(error)})

    async def end(self, code: int, reason: bytes) -> None:
        """Close the connection, within two seconds, and free what belongs to the visit."""
        try:
            async with asyncio.timeout(_END_S):
                await self.socket.close(code=code, message=reason)
        except TimeoutError:  # a connection that stalls takes no goodbye, for minutes
            _log.debug("a page's connection stalls and is cut")
        if self._transport is not None:
            self._transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._over.wait()

    async def close(self) -> None:
        """Free what belongs to the visit."""
        await self._change_link(None)
        self._over.set()

    async def _answer(self, message: Mapping[str, Any]) -> None:
        kind = message.get("type")
        if kind == "ping":
            await self.socket.send_json({"type": "pong", "id": message.get("id")})
        elif kind == "offer" and isinstance(message.get("sdp"), str):
            await self._call(message["sdp"])
        elif kind == "pictures":
            link = PictureLink(asyncio.get_running_loop(), self._put_jpeg, self._put_refusal)
            await self._change_link(link)
            self._sending = asyncio.create_task(self._send_answers())
            await self.socket.send_json({"type": "pictures"})
        else:
            raise FacewarpError("this message is not understood")

    async def _call(self, offer: str) -> None:
        peer = PeerLink(self._arrivals.put)
        await self._change_link(peer)
        try:
            answer = await peer.answer(offer)
        except FacewarpError:
            await self._change_link(None)
            raise
        await self.socket.send_json({"type": "answer", "sdp": answer})

    async def _change_link(self, link: Link | None) -> None:
        before, self.link = self.link, link
        if self._sending is not None:
            await _ended(self._sending)
            self._sending = None
        if before is not None:
            await before.close()

    def _take_jpeg(self, message: bytes) -> None:
        if isinstance(self.link, PictureLink):
            arrival = self.link.arrival(message)
            if arrival is not None:
                self._arrivals.put(arrival)

    def _put_jpeg(self, jpeg: bytes) -> None:
        self._jpeg = jpeg
        self._answer_ready.set()

    def _put_refusal(self, text: str) -> None:
        self._refusal = text
        self._answer_ready.set()

    async def _send_answers(self) -> None:
        """Send the newest image, or why there is none, and the next only when it has gone."""
        while True:
            await self._answer_ready.wait()
            self._answer_ready.clear()
            jpeg, self._jpeg = self._jpeg, None
            refusal, self._refusal = self._refusal, None
            if refusal is not None:
                await self.socket.send_json({"type": "refused", "text": refusal})
            if jpeg is not None:
                await self.socket.send_bytes(jpeg)


async def _ended(task: "asyncio.Task[None]") -> None:
    """End a task of a visit, which may have ended because the page has gone."""
    task.cancel()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(result, asyncio.CancelledError | ConnectionError):
        _log.error("a part of the web page has failed: %s", result)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise FacewarpError("this message is not understood")
    return message


def _plain_face(face: Mapping[str, Any]) -> dict[str, Any]:
    """Return a face as plain JSON values, not NumPy's."""
    confidence = face.get("confidence")
    return {
        "id": None if face.get("face") is None else int(face["face"]),
        "state": str(face.get("state")),
        "confidence": None if confidence is None else round(float(confidence), 3),
    }
