"""Options of `facewarp live`, and which of them exclude each other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from facewarp.cli.console import Output
from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.cli.model_options import (
    EngineOptions,
    FaceModelOptions,
    FieldOfView,
    RefinementOptions,
    tracker_options,
)
from facewarp.cli.option_groups import named_files
from facewarp.errors import FacewarpError
from facewarp.live.settings import DEFAULT_PORT

if TYPE_CHECKING:
    from facewarp.face.tracking.options import TrackerOptions


LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class SourceOptions:
    """Options of the source of frames."""

    webcam: Annotated[
        str | None,
        typer.Option(
            metavar="INDEX|NAME",
            help="Camera: its index, or part of its name (see facewarp cameras).",
            show_default="the first",
        ),
    ] = None
    source: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Instead of a camera: a video, images (a folder, shots/%04d.png), or a stream "
            "(rtsp://, http://).",
        ),
    ] = None
    realtime: Annotated[
        bool,
        typer.Option("--realtime", help="Play a file at camera pace; late frames drop out."),
    ] = False
    repeat: Annotated[bool, typer.Option("--repeat", help="Start a file again at its end.")] = False
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size to ask the camera for.", show_default="1280x720"),
    ] = None
    fps: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=1000.0,
            metavar="RATE",
            help="Frames a second to ask the camera for, or to play images at.",
            show_default="30",
        ),
    ] = None
    mjpg: Annotated[
        bool | None,
        typer.Option(
            "--mjpg/--no-mjpg",
            help="Ask the camera for compressed images.",
            show_default="as size and rate need",
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """Options of windows, pages, files and other outputs."""

    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Record what is shown: .mp4, .mkv, .webm."),
    ] = None
    screenshots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of screenshots.", show_default="the working folder"
        ),
    ] = None
    virtual_camera: Annotated[
        bool,
        typer.Option(
            "--virtual-camera", help="Send the image to a camera that other programs can open."
        ),
    ] = False
    send: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TARGET",
            help="Send faces to an avatar: vmc://HOST:PORT, osf://HOST:PORT, "
            "ifacialmocap://HOST:PORT; to programs: osc://HOST:PORT, json://HOST:PORT; "
            "landmarks alone: udp://HOST:PORT, FILE.jsonl or - (output). May be repeated.",
        ),
    ] = None
    field_of_view: FieldOfView = None
    output: Annotated[
        str | None,
        typer.Option(
            metavar="URL|FILE.ts",
            help="Stream what is shown to rtmp://, srt:// or udp://, or into a .ts file.",
        ),
    ] = None
    audio_source: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DEVICE",
            help="Sound of --output: a file, over and over, a device such as alsa:default, or "
            "silence.",
            show_default="none",
        ),
    ] = None
    web: Annotated[
        bool,
        typer.Option("--web", help="Serve a page that uses the browser's camera."),
    ] = False
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of the page; 0 for any that is free."),
    ] = DEFAULT_PORT
    host: Annotated[str, typer.Option(help="Address the page is served on.")] = LOOPBACK
    token: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET",
            envvar="FACEWARP_TOKEN",
            help="What the page's address ends with, to keep it the same: 16 letters or more.",
            show_default="a new one with every start",
        ),
    ] = None
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Let other machines reach --host."),
    ] = False
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Serve the page by HTTPS, with this certificate and key."),
    ] = None
    headless: Annotated[
        bool,
        typer.Option("--headless", help="Show nothing; record, send or count."),
    ] = False
    stats: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every frame's times as JSON lines."),
    ] = None


@dataclass(frozen=True)
class LimitOptions:
    """Options that end the session."""

    seconds: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="SECONDS", help="Stop after this time."),
    ] = None
    frames: Annotated[
        int | None,
        typer.Option(min=1, metavar="COUNT", help="Stop after this many frames."),
    ] = None


@dataclass(frozen=True)
class LiveOptions:
    """All options of `facewarp live`."""

    source: SourceOptions
    effects: EffectSelection
    models: FaceModelOptions
    faces: int
    refinement: RefinementOptions
    mirror: bool | None
    outputs: OutputOptions
    limits: LimitOptions
    run: EngineOptions

    def tracking(self) -> "TrackerOptions":
        """Return how faces are tracked, for the library."""
        return tracker_options(self.models, self.refinement, self.run, self.faces)

    @property
    def uses_camera(self) -> bool:
        """Whether frames come from a camera of this machine."""
        return self.source.source is None and not self.outputs.web


def check_usage(options: LiveOptions, output: Output) -> tuple[int, int] | None:
    """Check that the options go together.

    Returns:
        (width, height) to ask a camera for; None if none was asked for.

    Raises:
        typer.BadParameter: two options exclude each other.
        FacewarpError: a file that is read would be written, or two outputs are one file.
    """
    from facewarp.live.capture.camera_list import parse_size

    def refuse(option: str, why: str) -> None:
        raise typer.BadParameter(why, param_hint=option)

    source, outputs = options.source, options.outputs
    if source.source is not None and source.webcam is not None:
        refuse("--source", "frames come from --webcam or from --source, not from both.")
    if outputs.web and (source.source is not None or source.webcam is not None):
        refuse("--web", "the page brings the browser's camera; leave --webcam and --source out.")
    if outputs.web and outputs.headless:
        refuse("--web", "--headless shows nothing, also on no page.")
    if source.source is None:
        for name in ("realtime", "repeat"):
            if getattr(source, name):
                refuse(f"--{name}", "this is for files; give --source FILE.")
    if not options.uses_camera:
        for name, value in (("--size", source.size), ("--mjpg", source.mjpg)):
            if value is not None:
                refuse(name, "this is for cameras of this machine.")
    if not outputs.web:
        given = {
            "--port": outputs.port != DEFAULT_PORT,
            "--host": outputs.host != LOOPBACK,
            "--allow-remote": outputs.allow_remote,
            "--certificate": outputs.certificate is not None,
        }
        for name in (name for name, is_given in given.items() if is_given):
            refuse(name, "this is for the page; give --web, too.")
    send = outputs.send or []
    if outputs.screenshots is not None and outputs.headless:
        refuse("--screenshots", "with --headless there are no keys to take any with.")
    if outputs.field_of_view is not None and not send:
        refuse("--field-of-view", "this is for heads that are sent; give --send, too.")
    if "-" in send and output.json:
        refuse("--send", "standard output can carry --json or --send -, not both.")
    if len(set(send)) < len(send):
        refuse("--send", "a target is given twice.")
    if outputs.audio_source is not None and outputs.output is None:
        refuse("--audio-source", "this is the sound of --output; give that, too.")
    _check_files(options)
    if source.size is None:
        return None
    try:
        return parse_size(source.size)
    except FacewarpError as error:
        raise typer.BadParameter(str(error), param_hint="--size") from None


def _check_files(options: LiveOptions) -> None:
    """Check that nothing that is read is written, and nothing by two."""
    from facewarp.system.atomic_files import check_apart

    outputs = options.outputs
    named = (outputs.record, outputs.stats, outputs.output, *(outputs.send or []))
    read = named_files(
        options.source, options.effects, options.models, outputs.audio_source, outputs.certificate
    )
    written = (
        Path(one) for one in named if one is not None and one != "-" and "://" not in str(one)
    )
    check_apart(written, read)
