"""Limits on connections: strangers can't take the places of the page's own."""

import asyncio
from typing import Final

from aiohttp import web

MOST: Final = 64
"""Connections at a time; a browser has six and a WebSocket."""
STRANGER_S: Final = 20.0
"""How long a connection may take to show that it knows the page's secret."""


class Connections:
    """A factory of protocols for `asyncio`'s server that counts them and ends the idle ones.

    Where there are as many as there may be, the oldest that has not shown the secret makes room.

    Args:
        server: What answers requests.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._open: dict[int, _Watched] = {}

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return _Watched(self._server(), self._open)

    def admit(self, request: web.Request) -> None:
        """Note that a request's connection has shown the secret."""
        watched = self._open.get(id(request.protocol))
        if watched is not None:
            watched.is_stranger = False


class _Watched(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, and aborts strangers that stay.

    Attributes:
        is_stranger: whether no request of the connection has shown the secret yet.
    """

    def __init__(self, handler: web.RequestHandler, others: "dict[int, _Watched]") -> None:
        self.is_stranger = True
        self._handler, self._others = handler, others
        self._transport: asyncio.Transport | None = None
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handler.connection_made(transport)
        self._others[id(self._handler)] = self
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(STRANGER_S, self._end_stranger)
        if len(self._others) > MOST:
            next((one for one in self._others.values() if one.is_stranger), self).end()

    def connection_lost(self, error: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if self._limit is not None:
            self._limit.cancel()
        self._others.pop(id(self._handler), None)
        self._handler.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        self._handler.eof_received()
        return None

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._handler.resume_writing()

    def end(self) -> None:
        """Cut the connection."""
        self._others.pop(id(self._handler), None)
        if self._transport is not None:
            self._transport.abort()

    def _end_stranger(self) -> None:
        if self.is_stranger:
            self.end()
