"""What ``facewarp live`` puts together: source, look, presenters, the loop, and its account."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.cli.faces.live_options import LiveOptions
    from facewarp.core.model import Model
    from facewarp.live.face_pipeline import FacePipeline
    from facewarp.live.interfaces import LiveSource, Presenter
    from facewarp.live.loop import LiveReport
    from facewarp.live.outputs.timing_log import TimingWriter
    from facewarp.live.session import Session
    from facewarp.live.timing import LiveStats
    from facewarp.live.web.page import WebPage

_STAGES = {
    "wait": "waiting for work",
    "detect": "detecting",
    "register": "registering",
    "render": "drawing",
    "present": "presenting",
    "age": "capture to present",
}
_FPS = 30.0  # of a page, which does not say
_SIZE = (1280, 720)  # of frames, where no size is asked for


def run_live(output: Output, options: "LiveOptions", size: tuple[int, int] | None) -> None:
    """Run a session from its options to its account.

    Args:
        output: Where it is told.
        options: What is asked for.
        size: (width, height) px to ask a camera for.

    Raises:
        FacewarpError: Something that was asked for can't be had.
        KeyboardInterrupt: It was ended by Ctrl-C; with a note of what is kept.
    """
    from facewarp.live.loop import LiveLoop
    from facewarp.live.outputs.memory_watch import MemoryWatch
    from facewarp.live.outputs.timing_log import TimingWriter
    from facewarp.live.session import Session
    from facewarp.live.timing import LiveStats

    if options.send == "-":
        output = replace(output, stdout=output.stderr)
    if not options.web and not options.headless:
        from facewarp.live.window.display import check_display

        check_display()
    stats = LiveStats()
    with ExitStack() as stack:
        open_source = _find_source(options, size)
        look = stack.enter_context(_make_look(options))
        look.warm_up(size or _SIZE)  # before a camera counts frames, or a page lets anybody in
        source: LiveSource
        page: WebPage | None = None
        if open_source is None:
            source = page = _make_page(options, look, stats)
        else:
            source = open_source()
            stack.callback(source.close)
        newest = getattr(source, "is_live", True)
        session = Session(
            stats,
            getattr(source, "fps", options.fps or _FPS),
            record=options.record,
            screenshots=options.screenshots,
            wait=not newest,
            inputs=() if options.source is None else (Path(options.source),),
            comment=look.note,
        )
        timings = TimingWriter(options.stats, perf_counter()) if options.stats else None
        stack.callback(timings.close if timings else lambda: None)
        with ExitStack() as early:  # what the loop closes once it runs
            presenters: list[Presenter] = []
            for presenter in _presenters(options, output, source, look, session, page):
                presenters.append(presenter)
                early.callback(presenter.close)
            memory = MemoryWatch()
            loop = LiveLoop(
                source,
                look,
                [*presenters, memory],
                stats,
                newest=newest,
                seconds=options.seconds,
                frames=options.frames,
                on_timing=timings,
            )
            session.attach(loop)
            early.pop_all()
        with _ended_by_signals(session) as signals:
            report = loop.run()
    account = _account(report, session, timings, memory.summary())
    account["truncated"] = getattr(source, "truncated", False)
    account["notes"] = getattr(source, "notes", [])
    output.emit_json(account)
    _tell(output, account)
    if signals:
        stop = KeyboardInterrupt()
        for file in (*account["recordings"], *filter(None, [account["stats"]])):
            stop.add_note(f"kept {file['frames']} frames in {file['file']}")
        raise stop
    if account["truncated"] and getattr(source, "kind", None) == "stream":
        what = "the stream broke off before its end; what came until then is kept"
        raise FacewarpError(what, source.name, "Look to the network, or download the file first.")


def _make_look(options: "LiveOptions") -> "FacePipeline":
    import cv2

    from facewarp.core.engines.base import share_cores
    from facewarp.core.model import load
    from facewarp.live.face_pipeline import FacePipeline

    model: Model | str = options.model
    if options.device == "cpu":
        model = load(options.model, engine=options.engine)
        share_cores(model.engine)
    cv2.setNumThreads(1)
    drawn = options.drawn
    further = {}
    if drawn.label in ("style", "each"):
        further[drawn.label] = drawn.make(model, False)
    mirror = options.source is None if options.mirror is None else options.mirror
    return FacePipeline(
        template=options.template,
        model=model,
        faces=options.faces,
        effect=drawn.label,
        texture=drawn.texture,
        opacity=drawn.opacity,
        further=further,
        smoothing=options.smooth,
        mirror=mirror,
        engine=options.engine,
        device=options.device,
    )


def _find_source(
    options: "LiveOptions", size: tuple[int, int] | None
) -> "Callable[[], LiveSource] | None":
    """What opens the camera or file; what can be known of it at once is raised at once."""
    if options.web:
        return None
    from facewarp.live.capture.open_live_source import find_camera_source, find_file_source

    if options.source is None:
        return find_camera_source(options.webcam, size=size, fps=options.fps, mjpg=options.mjpg)
    return find_file_source(
        options.source, realtime=options.realtime, repeat=options.repeat, fps=options.fps
    )


def _make_page(options: "LiveOptions", look: "FacePipeline", stats: "LiveStats") -> "WebPage":
    from facewarp.live.web.page import Certificate, WebPage

    certificate = None if options.certificate is None else Certificate(options.certificate)
    return WebPage(
        look,
        stats,
        host=options.host,
        port=options.port,
        allow_remote=options.allow_remote,
        certificate=certificate,
    )


def _presenters(
    options: "LiveOptions",
    output: Output,
    source: "LiveSource",
    look: "FacePipeline",
    session: "Session",
    page: "WebPage | None",
) -> Iterator["Presenter"]:
    """Where results go, what is seen first."""
    if page is not None:
        if output.quiet:  # nobody could find the page without its token
            output.line("open", page.address, "bold")
        output.say(f"Open [bold]{escape(page.address)}[/] in a browser. Ctrl-C ends it.")
        yield page
    elif not options.headless:
        from facewarp.live.window.window import Window

        yield Window(look, session, f"facewarp: {source.name}")
    yield session
    if options.virtual_camera:
        from facewarp.live.outputs.virtual_camera import VirtualCamera

        camera = VirtualCamera(
            getattr(source, "size", (1280, 720)), getattr(source, "fps", options.fps or _FPS)
        )
        output.say(f"virtual camera: {escape(camera.device)}")
        yield camera
    if options.send is not None:
        from facewarp.live.outputs.landmark_sender import open_sender

        yield open_sender(options.send)


@contextmanager
def _ended_by_signals(session: "Session") -> Iterator[list[int]]:
    """The first signal that ends a program ends the session instead; a second Ctrl-C raises."""
    met: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if met and number == signal.SIGINT:
            raise KeyboardInterrupt
        met.append(number)
        session.stop()

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two are of one system each
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _account(
    report: "LiveReport",
    session: "Session",
    timings: "TimingWriter | None",
    memory: dict[str, float | None],
) -> dict[str, Any]:
    """How the session went, for programs."""
    return {
        "source": report.source,
        **report.summary,
        "stopped": report.stopped,
        "recordings": [
            {"file": recorder.target, "frames": recorder.kept, "missed": recorder.missed}
            for recorder in session.recordings
            if recorder.kept
        ],
        "screenshots": session.pictures,
        "stats": None if timings is None else {"file": timings.target, "frames": timings.kept},
        "memory_mb": memory,
    }


def _tell(output: Output, account: dict[str, Any]) -> None:
    """The same for people."""
    source, presented = escape(str(account["source"])), account["presented"]
    if not presented:
        output.warn(f"no picture came from {account['source']}")
        return
    fps = "" if account["fps"] is None else f", {account['fps']:.1f} fps"
    output.say(
        f"[green]{source}[/]: {presented} frames in {account['seconds']:.1f} s{fps}, "
        f"{account['dropped']} dropped"
    )
    table = Table(box=None, pad_edge=False)
    for column in ("ms", "p50", "p95"):
        table.add_column(column, justify="left" if column == "ms" else "right")
    for stage, label in _STAGES.items():
        values = (account[name][stage] for name in ("p50_ms", "p95_ms"))
        table.add_row(label, *("-" if value is None else f"{value:.1f}" for value in values))
    output.say(table)
    moments = {"start": "at the start", "settled": "after 10 s", "end": "at the end"}
    sizes = [
        f"{account['memory_mb'][moment]:.0f} MB {when}"
        for moment, when in moments.items()
        if account["memory_mb"][moment] is not None
    ]
    if sizes:
        output.say(f"memory: {', '.join(sizes)}")
    for recording in account["recordings"]:
        output.say(
            f"recorded {recording['frames']} frames: [green]{escape(str(recording['file']))}[/]"
        )
    for picture in account["screenshots"]:
        output.say(f"screenshot: [green]{escape(str(picture))}[/]")
