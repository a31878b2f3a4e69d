"""Run `facewarp live`: put source, pipeline and presenters together, and print the result."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output
from facewarp.errors import FacewarpError
from facewarp.system.start import resume_collection

if TYPE_CHECKING:
    from facewarp.cli.faces.live_options import LiveOptions
    from facewarp.core.model import Model
    from facewarp.live.face_pipeline import FacePipeline
    from facewarp.live.interfaces import LiveSource, Presenter
    from facewarp.live.session import Session, SessionResult
    from facewarp.live.timing import LiveStats
    from facewarp.live.web.page import WebPage
    from facewarp.media.video.pixels.color_conversion import Color

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
    """Run a session from its options to its result.

    Args:
        output: where results are printed.
        options: what is asked for.
        size: (width, height) px to ask a camera for.

    Raises:
        FacewarpError: something that was asked for can't be had.
        KeyboardInterrupt: it was ended by Ctrl-C; with a note of what is kept.
    """
    from facewarp.live.session import Session, run_session
    from facewarp.live.timing import LiveStats
    from facewarp.system.memory import return_freed_memory, share_freed_memory

    share_freed_memory()
    outputs = options.outputs
    if "-" in (outputs.send or []):
        output = replace(output, stdout=output.stderr)
    if not outputs.web and not outputs.headless:
        from facewarp.live.window.display import check_display

        check_display()
    stats = LiveStats()
    with ExitStack() as stack:
        open_source = _find_source(options, size)
        pipeline = stack.enter_context(_make_pipeline(options))
        pipeline.warm_up(size or _SIZE)  # before a camera counts frames, or a page lets anybody in
        resume_collection()  # what is there now is not looked through again
        return_freed_memory()
        source: LiveSource
        page: WebPage | None = None
        if open_source is None:
            source = page = _make_page(options, pipeline, stats)
        else:
            source = open_source()
            stack.callback(source.close)
        frames = _ExpectedFrames.of(source, options)
        session = Session(
            stats,
            frames.fps,
            record=outputs.record,
            screenshots=outputs.screenshots,
            wait=not frames.is_live,
            inputs=() if options.source.source is None else (Path(options.source.source),),
            comment=lambda: pipeline.note,
            color=frames.color,
            size=frames.size,
        )
        result = run_session(
            session,
            source,
            pipeline,
            _presenters(options, output, source, frames, pipeline, session, page),
            stats,
            seconds=options.limits.seconds,
            frames=options.limits.frames,
            timings=outputs.stats,
        )
    _finish(output, result, source)


@dataclass(frozen=True)
class _ExpectedFrames:
    """What is known of a session's frames before the first one.

    Attributes:
        fps: frames a second.
        size: (width, height) px; None for those of a page, whose camera is the browser's.
        color: color tags; None for BT.709.
        is_live: whether they come by the clock, wanted or not.
    """

    fps: float
    size: tuple[int, int] | None = None
    color: "Color | None" = None
    is_live: bool = True

    @classmethod
    def of(cls, source: "LiveSource", options: "LiveOptions") -> "_ExpectedFrames":
        """Return what a source tells; a page is none of files or cameras and tells nothing."""
        from facewarp.media.frames import Source

        if not isinstance(source, Source):
            return cls(options.source.fps or _FPS)
        color = getattr(source, "color", None)  # cameras have none
        return cls(source.fps, source.size, color, source.is_live)


def _finish(output: Output, result: "SessionResult", source: "LiveSource") -> None:
    """Print the result of a session, and end the command as it ended.

    Raises:
        KeyboardInterrupt: it was ended by a signal; with a note of what is kept.
        FacewarpError: a stream broke off.
    """
    from facewarp.media.frames import Source

    account = result.to_dict()
    output.emit_json(account)
    _tell(output, account)
    if result.signals:
        stop = KeyboardInterrupt()
        for kept in (*account["recordings"], *filter(None, [account["stats"]])):
            stop.add_note(f"kept {kept['frames']} frames in {kept['file']}")
        if not hasattr(stop, "__notes__"):
            stop.add_note("nothing was recorded")
        raise stop
    if account["truncated"] and isinstance(source, Source) and source.kind == "stream":
        what = "the stream broke off before its end; what came until then is kept"
        raise FacewarpError(what, source.name, "Look to the network, or download the file first.")


def _make_pipeline(options: "LiveOptions") -> "FacePipeline":
    import cv2

    from facewarp.core.engines.base import share_cores
    from facewarp.core.model import load
    from facewarp.live.catalog import EffectChoice
    from facewarp.live.face_pipeline import FacePipeline

    tracking, effects = options.tracking(), options.effects
    model: Model | None = None
    if tracking.device == "cpu":
        model = load(tracking.model, engine=tracking.engine)
        share_cores(model.engine)
    cv2.setNumThreads(1)
    named = model or tracking.model
    further = {effects.label: effects.make(named, False)} if effects.each is not None else {}
    choice = EffectChoice(
        effects.label,
        texture=effects.texture,
        blend=effects.blend,
        match=effects.match,
        opacity=effects.opacity,
        style=effects.registered_style(named),
        style_mode=effects.style_mode or "full",
        further=further,
    )
    is_camera = options.source.source is None
    return FacePipeline(
        tracking,
        choice,
        mirror=is_camera if options.mirror is None else options.mirror,
        model=model,
        field_of_view=_field_of_view(options),
    )


def _field_of_view(options: "LiveOptions") -> float | None:
    """Return the camera's angle of view, if anything is sent that needs it."""
    from facewarp.face.expressions.pose import FIELD_OF_VIEW_DEG
    from facewarp.live.outputs.landmark_sender import needs_expressions

    if not any(map(needs_expressions, options.outputs.send or [])):
        return None
    return options.outputs.field_of_view or FIELD_OF_VIEW_DEG


def _find_source(
    options: "LiveOptions", size: tuple[int, int] | None
) -> "Callable[[], LiveSource] | None":
    """Return a function that opens the camera or file; None for a page. Early errors are raised."""
    if options.outputs.web:
        return None
    from facewarp.live.capture.open_live_source import find_camera_source, find_file_source

    chosen = options.source
    if chosen.source is None:
        return find_camera_source(chosen.webcam, size=size, fps=chosen.fps, mjpg=chosen.mjpg)
    return find_file_source(
        chosen.source, realtime=chosen.realtime, repeat=chosen.repeat, fps=chosen.fps
    )


def _make_page(options: "LiveOptions", pipeline: "FacePipeline", stats: "LiveStats") -> "WebPage":
    from facewarp.live.web.page import Certificate, WebPage

    outputs = options.outputs
    certificate = None if outputs.certificate is None else Certificate(outputs.certificate)
    return WebPage(
        pipeline,
        stats,
        host=outputs.host,
        port=outputs.port,
        token=outputs.token,
        allow_remote=outputs.allow_remote,
        certificate=certificate,
    )


def _presenters(
    options: "LiveOptions",
    output: Output,
    source: "LiveSource",
    frames: _ExpectedFrames,
    pipeline: "FacePipeline",
    session: "Session",
    page: "WebPage | None",
) -> Iterator["Presenter"]:
    """Yield the presenters, in the order in which they are given frames."""
    outputs = options.outputs
    if page is not None:
        if output.quiet:  # nobody could find the page without its token
            output.line("open", page.address, "bold")
        output.say(f"Open [bold]{escape(page.address)}[/] in a browser. Ctrl-C ends it.")
        output.say(f"The effect alone, for OBS: {escape(page.view_address)}")
        yield page
    elif not outputs.headless:
        from facewarp.live.window.window import Window

        yield Window(pipeline, session, f"facewarp: {source.name}")
    yield session
    if outputs.virtual_camera:
        from facewarp.live.outputs.virtual_camera import VirtualCamera

        camera = VirtualCamera(frames.size or _SIZE, frames.fps)
        output.say(f"virtual camera: {escape(camera.device)}")
        yield camera
    if outputs.output is not None:
        from facewarp.live.outputs.stream_output import StreamOutput

        yield StreamOutput(
            outputs.output, frames.fps, outputs.audio_source, lambda: pipeline.note, frames.color
        )
        output.say(f"streaming to {escape(outputs.output)}")
    if outputs.send:
        from facewarp.live.outputs.landmark_sender import open_sender

        yield from map(open_sender, outputs.send)


def _tell(output: Output, account: dict[str, Any]) -> None:
    """Print the result for people."""
    source, presented = escape(str(account["source"])), account["presented"]
    if not presented:
        output.warn(f"no picture came from {account['source']}")
        return
    fps = "" if account["fps"] is None else f", {account['fps']:.1f} fps"
    output.say(
        f"[green]{source}[/]: {presented} {'frame' if presented == 1 else 'frames'} "
        f"in {account['seconds']:.1f} s{fps}, "
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
