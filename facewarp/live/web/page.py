"""The web page of a live session: a browser's camera comes in, the pictures made of it go back.

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
    """What HTTPS needs, as PEM files.

    Attributes:
        chain: The certificate, with those that vouch for it.
        key: Its private key; None where the chain's file holds it too.
    """

    chain: Path
    key: Path | None = None


class WebPage:
    """Serves the page; a `LiveSource` of the browser's frames and a `Presenter` of the results.

    One browser page is served at a time. It may reload, and another one may take over.

    Args:
        controls: What the page's buttons change.
        stats: What the page shows.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        token: What the page's address must carry, 16 letters or more; by default a new one.
        allow_remote: Whether ``host`` may be reached from other machines.
        certificate: Serve HTTPS; without one, browsers give their camera to localhost only.

    Attributes:
        address: The page's address, token included: keep it as you would a password.

    Raises:
        FacewarpError: aiohttp or aiortc is missing, the host is not this machine's own and
            ``allow_remote`` is not given, the port is taken, or the certificate can't be read.
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
                fix=f"Install it with: {install_command('web')}",
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
    def notice(self) -> str | None:
        """Why no frames come: no page is open, or it has not started its camera."""
        return self._server.notice

    def __iter__(self) -> Iterator[Frame]:
        """The browser's frames, the newest each time, on one clock through all visits."""
        while not self._arrivals.ended:
            arrival = self._arrivals.take(_WAIT_S)
            frame = arrival.frame(self._clock) if arrival is not None else None
            if frame is not None:
                yield frame

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """Sends a result to the page that the frame came from, if it is still there."""
        self._server.present(frame, made)

    def idle(self, stats: LiveStats) -> None:
        """Nothing to do: the server has a thread of its own."""

    def close(self) -> None:
        """Says goodbye to the browser and ends the server; any number of times."""
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
    """Serves the page and works on what its browser sends, until stopped or interrupted.

    Args:
        work: From a frame to what goes back; runs in a thread of its own.
        controls: See `WebPage`, as for the next five.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        token: What the page's address must carry; by default a new one.
        allow_remote: Whether ``host`` may be reached from other machines.
        certificate: Serve HTTPS.
        presenters: Where else results go, such as a recording; closed at the end.
        stats: Where times are counted; by default new ones.
        seconds: When to stop; None for never.
        frames: After how many results to stop; None for never.
        on_timing: Called with every result's stamps.
        on_ready: Called with the page's address once it can be opened.
        stop: Ends the session when set; so does KeyboardInterrupt, which is raised on.

    Raises:
        FacewarpError: See `WebPage`; or work or a presenter met an error.
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
