"""The server of the live page: a thread with an event loop, from `start` to `close`."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from facewarp.errors import FacewarpError
from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import Controls, ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.live.web.access import AccessPolicy, is_loopback
from facewarp.live.web.aiortc_tuning import raised_bitrates
from facewarp.live.web.connection_limits import Connections
from facewarp.live.web.connections import Visits
from facewarp.live.web.frame_link import Arrival, WebFrame
from facewarp.live.web.routes import Routes
from facewarp.live.web.viewers import Viewers
from facewarp.media.frames import Frame

_log = logging.getLogger(__name__)
_HTTP_LOG = logging.getLogger(f"{__name__}.http")
_HTTP_LOG.setLevel(logging.CRITICAL)

_SHUTDOWN_S = 0.5
_JOIN_S = 5.0
_ANY_ADDRESS = ("", "0.0.0.0", "::")


class WebServer:
    """Serve the page; see `WebPage` for the arguments.

    Args:
        arrivals: where the browser's frames go.
        controls: what requests change.
        stats: statistics that the page is sent.
        host: address to listen on.
        port: port, 0 for any.
        token: of the page's address; None for a new one.
        allow_remote: whether other machines may reach `host`.
        certificate: chain and key files of HTTPS; None for HTTP.
    """

    def __init__(
        self,
        arrivals: FrameQueue[Arrival],
        controls: Controls,
        stats: LiveStats,
        *,
        host: str,
        port: int,
        token: str | None,
        allow_remote: bool,
        certificate: tuple[Path, Path | None] | None,
    ) -> None:
        if not is_loopback(host) and not allow_remote:
            raise FacewarpError(
                "other machines could reach this address, and see the camera",
                host,
                "Say --allow-remote if that is wanted, or use 127.0.0.1 and an SSH tunnel.",
            )
        self._arrivals = arrivals
        self._controls = controls
        self._stats = stats
        self._host, self._port = host, port
        self._tls = None if certificate is None else _tls(*certificate)
        self._policy = AccessPolicy(host, token, secure=certificate is not None)
        self._visits: Visits | None = None
        self._viewers: Viewers | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> str:
        """Listen; return the page's address with its token.

        Raises:
            FacewarpError: the port is taken or the address is not this machine's.
        """
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        if not is_loopback(self._host):
            _log.warning(
                "other machines can reach the page; whoever has its address sees the camera%s",
                ""
                if self._tls
                else ". Browsers elsewhere give their camera to HTTPS only: "
                "use --certificate, or an SSH tunnel to 127.0.0.1 instead",
            )
        name = socket.gethostname() if self._host in _ANY_ADDRESS else self._host
        name = f"[{name}]" if ":" in name else name
        return f"{self._policy.scheme}://{name}:{self._policy.port}/?token={self._policy.token}"

    @property
    def notice(self) -> str | None:
        """See `Visits.notice`."""
        return None if self._visits is None else self._visits.notice

    def present(self, frame: Frame, made: ProcessedFrame) -> None:
        """Send a result back to where its frame came from."""
        if isinstance(frame, WebFrame) and self._visits is not None:
            self._visits.note(frame, made)
            frame.link.deliver(made.image, frame.tick)
        if self._viewers is not None:
            self._viewers.present(frame, made)

    def idle(self) -> None:
        """Show viewers nothing where pictures have stopped."""
        if self._viewers is not None:
            self._viewers.idle()

    def close(self) -> None:
        """End the visit and the server. Idempotent."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._stopping.set)
            except RuntimeError:  # it has just ended
                _log.debug("the server had ended already")
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            _log.warning("the thread of the web page hangs")

    def _run(self) -> None:
        try:
            with raised_bitrates():
                asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised by start, or logged
            if self._ready.is_set():
                _log.error("the web page has failed: %s", error, exc_info=error)
            self._error = error
        finally:
            self._arrivals.close()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        app = web.Application(middlewares=[self._policy.admit])
        self._viewers = Viewers(self._controls.want_layer)
        self._visits = Visits(self._arrivals, self._controls, self._stats, self._viewers.clear)
        app.router.add_get("/api/live", self._visits.handle)
        app.router.add_get("/api/view", self._viewers.handle)
        Routes(self._policy, self._controls).add_to(app)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_SHUTDOWN_S,
            logger=_HTTP_LOG,  # what strangers send is not worth a traceback each
        )
        await runner.setup()
        assert runner.server is not None
        connections = Connections(runner.server)
        self._policy.on_admitted = connections.admit
        try:
            listening = await self._listen(connections)
            self._ready.set()
            await self._stopping.wait()
            await _within(self._visits.close(), _SHUTDOWN_S)
            await _within(self._viewers.close(), _SHUTDOWN_S)
            listening.close()
        finally:
            await runner.cleanup()

    async def _listen(self, connections: Connections) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                connections, self._host, self._port, ssl=self._tls, backlog=128
            )
        except OSError as error:
            raise FacewarpError(
                f"can't listen here: {error.strerror or error}",
                f"{self._host}:{self._port}",
                "Give another --port, 0 for any that is free, or another --host.",
            ) from error
        self._policy.port = server.sockets[0].getsockname()[1]
        return server


async def _within(step: Coroutine[Any, Any, None], seconds: float) -> None:
    try:
        await asyncio.wait_for(step, seconds)
    except TimeoutError:
        _log.debug("a visit did not end in time")


def _tls(chain: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (chain, key):
        if path is not None and not path.is_file():
            raise FacewarpError("there is no such certificate or key", path, "Check the path.")
    try:
        context.load_cert_chain(chain, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise FacewarpError(
            f"the certificate can't be used: {error}",
            chain,
            "Give the PEM files of a certificate and its key, without a passphrase.",
        ) from error
    return context
