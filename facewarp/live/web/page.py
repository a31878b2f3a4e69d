"""The web page of a live session: a browser's camera in, processed images back.

`WebPage` is both ends of a `LiveLoop`: the source of the frames and a presenter of the results.

    page = WebPage(controls, stats, host="127.0.0.1", port=8765)
    print(page.address)                                  # with the token that opens it
    LiveLoop(page, work, [page, *others], stats).run()   # closes the page at the end

`serve` does these three lines. The server, one thread with an event loop of its own, runs from the
construction of the page to its `close`. This module itself needs neither aiohttp nor aiortc; where
they are missing, `WebPage` says what to install.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import Controls, FrameProcessor, Presenter, ProcessedFrame
from facewarp.live.loop import LiveLoop, LiveReport
from facewarp.live.settings import DEFAULT_PORT
from facewarp.live.timing import LiveStats, Timing
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


class _StopOn:
    """A presenter that ends the loop once an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event
        self.loop: LiveLoop | None = None

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        self.idle(stats)

    def idle(self, stats: LiveStats) -> None:
        if self._event.is_set() and self.loop is not None:
            self.loop.stop()

    def close(self) -> None:
        return


def serve(
    work: FrameProcessor,
    controls: Controls,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    token: str | None = None,
    allow_remote: bool = False,
    certificate: Certificate | None = None,
    presenters: Sequence[Presenter] = (),
    stats: LiveStats | None = None,
    seconds: float | None = None,
    frames: int | None = None,
    on_timing: Callable[[Timing], None] | None = None,
    on_ready: Callable[[str], None] = lambda address: None,
    stop: threading.Event | None = None,
) -> LiveReport:
    """Serve the page and process what its browser sends, until stopped or interrupted.

    Args:
        work: from a frame to what goes back; runs in a thread of its own.
        controls: see `WebPage`, as for the next five.
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        token: what the page's address must carry; by default a new one.
        allow_remote: whether `host` may be reached from other machines.
        certificate: serve HTTPS.
        presenters: where else results go, such as a recording; closed at the end.
        stats: where times are counted; by default new ones.
        seconds: when to stop; None for never.
        frames: after how many results to stop; None for never.
        on_timing: called with every result's stamps.
        on_ready: called with the page's address once it can be opened.
        stop: ends the session when set; so does KeyboardInterrupt, which is raised on.

    Raises:
        FacewarpError: see `WebPage`; or work or a presenter met an error.
    """
    stats = stats or LiveStats()
    page = WebPage(
        controls,
        stats,
        host=host,
        port=port,
        token=token,
        allow_remote=allow_remote,
        certificate=certificate,
    )
    watch = _StopOn(stop or threading.Event())
    loop = LiveLoop(
        page,
        work,
        [page, watch, *presenters],
        stats,
        seconds=seconds,
        frames=frames,
        on_timing=on_timing,
    )
    watch.loop = loop
    try:
        on_ready(page.address)
        return loop.run()
    finally:
        page.close()
