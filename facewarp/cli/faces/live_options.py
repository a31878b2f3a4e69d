"""What ``facewarp live`` can be asked for, and what of it does not go together."""

from dataclasses import dataclass
from pathlib import Path

import typer

from facewarp.cli.console import Output
from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.errors import FacewarpError


@dataclass(frozen=True)
class LiveOptions:
    """The options of ``facewarp live``, as `live` takes them."""

    webcam: str | None
    source: str | None
    realtime: bool
    repeat: bool
    drawn: EffectSelection
    template: str
    model: str
    faces: int
    smooth: bool
    mirror: bool | None
    size: str | None
    fps: float | None
    mjpg: bool | None
    record: Path | None
    screenshots: Path | None
    virtual_camera: bool
    send: str | None
    web: bool
    port: int
    host: str
    allow_remote: bool
    certificate: Path | None
    headless: bool
    stats: Path | None
    seconds: float | None
    frames: int | None
    engine: str
    device: str

    @property
    def uses_camera(self) -> bool:
        """Whether frames come from a camera of this machine."""
        return self.source is None and not self.web


def check_usage(options: LiveOptions, output: Output) -> tuple[int, int] | None:
    """See that the options go together.

    Returns:
        (width, height) to ask a camera for; None if none was asked for.
    """
    from facewarp.live.capture.camera_list import parse_size

    def refuse(option: str, why: str) -> None:
        raise typer.BadParameter(why, param_hint=option)

    if options.source is not None and options.webcam is not None:
        refuse("--source", "frames come from --webcam or from --source, not from both.")
    if options.web and (options.source is not None or options.webcam is not None):
        refuse("--web", "the page brings the browser's camera; leave --webcam and --source out.")
    if options.web and options.headless:
        refuse("--web", "--headless shows nothing, also on no page.")
    if options.source is None:
        for name in ("realtime", "repeat"):
            if getattr(options, name):
                refuse(f"--{name}", "this is for files; give --source FILE.")
    if not options.uses_camera:
        for name, value in (("--size", options.size), ("--mjpg", options.mjpg)):
            if value is not None:
                refuse(name, "this is for cameras of this machine.")
    if options.send == "-" and output.json:
        refuse("--send", "standard output can carry --json or --send -, not both.")
    if options.size is None:
        return None
    try:
        return parse_size(options.size)
    except FacewarpError as error:
        raise typer.BadParameter(str(error), param_hint="--size") from None
