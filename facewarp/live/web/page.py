"""The web page of a live session: a browser's camera in, processed images back.

`WebPage` is both ends of a `LiveLoop`: the source of the frames and a presenter of the results.

    page = WebPage(controls, stats, host="127.0.0.1", port=8765)
    print(page.address)                                  # with the token that opens it
    LiveLoop(page, work, [page, *others], stats).run()   # closes the page at the end

The server, one thread with an event loop of its own, runs from the construction of the page to its
`close`. This module itself needs neither aiohttp nor aiortc; where they are missing, `WebPage` says
what to install.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import Controls, ProcessedFrame
from facewarp.live.settings import DEFAULT_PORT
from facewarp.live.timing import LiveStats
from facewarp.live.web.frame_link import Arrival, SessionClock
from facewarp.media.frames import Frame
from facewarp.system.installation import install_command

_WAIT_S = 0.2


@dataclass(frozen=True)
class Certificate:
    """PEM files for HTTPS.

    Attributes:
        chain: the certificate, with those that vouch for it.
        key: its private key; None where the chain's file holds it too.
    """

    chain: Path
    key: Path | None = None


class WebPage:
    """Serve the page: a `LiveSource` of the browser's frames and a `Presenter` of the results.

    One browser page is served at a time. It may reload, and another one may take over.

    Args:
        controls: what the page's buttons change.
        stats: what the page shows.
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        token: what the page's address must carry, 16 letters or more; by default a new one.
        allow_remote: whether `host` may be reached from other machines.
        certificate: serve HTTPS; without one, browsers give their camera to localhost only.

    Attributes:
        address: the page's address, token included: keep it as you would a password.

    Raises:
        FacewarpError: aiohttp or aiortc is missing, the host is not this machine's own and
            `allow_remote` is not given, the port is taken, or the certificate can't be read.
    """

    name = "the browser"

    def __init__(
        self,
        controls: Controls,
        stats: LiveStats,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        token: str | None = None,
        allow_remote: bool = False,
        certificate: Certificate | None = None,
    ) -> None:
        try:
            from facewarp.live.web.server import WebServer
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("facewarp"):
                raise
            raise FacewarpError(
                f"the web page needs {error.name}, which is not installed",
                fix=f"Install it: {install_command('web')}",
            ) from error
        self._arrivals: FrameQueue[Arrival] = FrameQueue(drop_oldest=True)
        self._clock = SessionClock()
        self._server = WebServer(
            self._arrivals,
            controls,
            stats,
            host=host,
            port=port,
            token=token,
            allow_remote=allow_remote,
            certificate=(certificate.chain, certificate.key) if certificate else None,
        )
        self.address = self._server.start()

    @property
    def view_address(self) -> str:
        """Address of `/view`, what is drawn and nothing else, token included."""
        return self.address.replace("/?", "/view?", 1)

    @property
    def notice(self) -> str | None:
        """Why no frames come: no page is open, or it has not started its camera."""
        return self._server.notice

    def __iter__(self) -> Iterator[Frame]:
        """Yield the browser's newest frames, on one clock through all visits."""
        while not self._arrivals.ended:
            arrival = self._arrivals.take(_WAIT_S)
            frame = arrival.frame(self._clock) if arrival is not None else None
            if frame is not None:
                yield frame

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """Send a result to the page that the frame came from, if it is still there."""
        self._server.present(frame, made)

    def idle(self, stats: LiveStats) -> None:
        """See `Presenter.idle`. The server has a thread of its own."""
        self._server.idle()

    def close(self) -> None:
        """Tell the browser, and end the server. Idempotent."""
        self._arrivals.close()
        self._server.close()
