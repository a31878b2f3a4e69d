"""``facewarp live``: a camera, a file or a stream with a template on every face, as it happens."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from facewarp.cli.console import output_of
from facewarp.cli.faces.effect_options import (
    EACH_HELP,
    MAKEUP_HELP,
    PLUGIN_HELP,
    EffectSelection,
)
from facewarp.cli.faces.live_options import LiveOptions, check_usage
from facewarp.face.effects.options import (
    DEFAULT_STYLE,
    DEFAULT_TEXTURE,
    EFFECT_NAMES,
    EFFECT_OPTIONS,
    EffectName,
    StyleMode,
)

PORT = 8765

_NAMES = {field.name for field in fields(LiveOptions)}

SOURCE = "Where frames come from"
DRAWN = "What is drawn"
OUTPUT = "Where it goes"
LIMITS = "How long, and on what"


def live(
    ctx: typer.Context,
    webcam: Annotated[
        str | None,
        typer.Option(
            metavar="INDEX|NAME",
            help="Camera: its index, or part of its name (see facewarp cameras).",
            show_default="the first",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Instead of a camera: a video, pictures (a folder, shots/%04d.png), or a stream "
            "(rtsp://, http://).",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    realtime: Annotated[
        bool,
        typer.Option(
            "--realtime",
            help="Play a file at camera pace; late frames drop out.",
            rich_help_panel=SOURCE,
        ),
    ] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Begin a file anew at its end.", rich_help_panel=SOURCE)
    ] = False,
    effect: Annotated[
        EffectName,
        typer.Option(
            metavar="NAME", help=f"What to draw: {', '.join(EFFECT_NAMES)}.", rich_help_panel=DRAWN
        ),
    ] = EFFECT_NAMES[0],
    texture: Annotated[
        str | None,
        typer.Option(
            help=EFFECT_OPTIONS["texture"].help,
            show_default=DEFAULT_TEXTURE,
            rich_help_panel=DRAWN,
        ),
    ] = None,
    makeup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART=COLOUR:STRENGTH",
            help=MAKEUP_HELP,
            show_default=False,
            rich_help_panel=DRAWN,
        ),
    ] = None,
    opacity: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help=EFFECT_OPTIONS["opacity"].help,
            rich_help_panel=DRAWN,
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help=EFFECT_OPTIONS["style"].help,
            show_default=DEFAULT_STYLE,
            rich_help_panel=DRAWN,
        ),
    ] = None,
    style_mode: Annotated[
        StyleMode | None,
        typer.Option(
            help=EFFECT_OPTIONS["style_mode"].help, show_default="full", rich_help_panel=DRAWN
        ),
    ] = None,
    each: Annotated[
        str | None,
        typer.Option(
            metavar="EFFECT,...", help=EACH_HELP, show_default=False, rich_help_panel=DRAWN
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help=PLUGIN_HELP, show_default=False, rich_help_panel=DRAWN),
    ] = None,
    template: Annotated[
        str,
        typer.Option(
            help="Template to register to: a shipped name or a .npz file.", rich_help_panel=DRAWN
        ),
    ] = "average",
    model: Annotated[
        str, typer.Option(help="Model: a shipped name or a weights file.", rich_help_panel=DRAWN)
    ] = "face",
    faces: Annotated[
        int,
        typer.Option(
            min=1, max=64, metavar="COUNT", help="How many faces to follow.", rich_help_panel=DRAWN
        ),
    ] = 5,
    smooth: Annotated[
        bool,
        typer.Option("--smooth/--no-smooth", help="Take the trembling out.", rich_help_panel=DRAWN),
    ] = True,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Swap left and right, as in a mirror.",
            show_default="for cameras",
            rich_help_panel=DRAWN,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Size to ask the camera for.",
            show_default="1280x720",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=1000.0,
            metavar="RATE",
            help="Frames a second to ask the camera for, or to play pictures at.",
            show_default="30",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    mjpg: Annotated[
        bool | None,
        typer.Option(
            "--mjpg/--no-mjpg",
            help="Ask the camera for compressed pictures.",
            show_default="as size and rate need",
            rich_help_panel=SOURCE,
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Record what is shown: .mp4, .mkv, .webm.", rich_help_panel=OUTPUT
        ),
    ] = None,
    screenshots: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of screenshots.",
            show_default="the working folder",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    virtual_camera: Annotated[
        bool,
        typer.Option(
            "--virtual-camera",
            help="Be a camera that other programs can choose.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    send: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Send landmarks to udp://HOST:PORT, osc://HOST:PORT, FILE.jsonl or - (output).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    web: Annotated[
        bool,
        typer.Option(
            "--web", help="Serve a page that uses the browser's camera.", rich_help_panel=OUTPUT
        ),
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the page; 0 for any that is free.",
            rich_help_panel=OUTPUT,
        ),
    ] = PORT,
    host: Annotated[
        str, typer.Option(help="Address the page is served on.", rich_help_panel=OUTPUT)
    ] = "127.0.0.1",
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Let --host be reached from other machines.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM",
            help="Serve the page by HTTPS, with this certificate and key.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    headless: Annotated[
        bool,
        typer.Option(
            "--headless", help="Show nothing; record, send or count.", rich_help_panel=OUTPUT
        ),
    ] = False,
    stats: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every frame's times as JSON lines.", rich_help_panel=OUTPUT
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.0, metavar="SECONDS", help="Stop after so long.", rich_help_panel=LIMITS
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="COUNT", help="Stop after so many frames.", rich_help_panel=LIMITS
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What runs the model: auto, torch, onnx, openvino, openvino-int8.",
            rich_help_panel=LIMITS,
        ),
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="Where the model runs: cpu, cuda, mps.", rich_help_panel=LIMITS)
    ] = "cpu",
) -> None:
    """Carry labels, a mesh or a texture onto every face of a camera's picture, as it happens.

    In the window, h shows what the keys do. Ctrl-C ends it; recordings are finished then.

    Examples:
      facewarp live
      facewarp live --webcam logitech --effect texture --record show.mp4
      facewarp live --effect style --style painting.jpg
      facewarp live --source rtsp://192.168.1.20/stream --effect mesh
      facewarp live --source talk.mp4 --realtime --headless --stats times.jsonl
      facewarp live --web --effect texture
      facewarp live --virtual-camera --send osc://127.0.0.1:9000
    """
    drawn = EffectSelection(effect, texture, makeup, opacity, style, style_mode, each, plugin)
    options = LiveOptions(**{name: value for name, value in locals().items() if name in _NAMES})
    output = output_of(ctx)
    asked = check_usage(options, output)
    from facewarp.cli.faces.live_session import run_live

    run_live(output, options, asked)
