"""`facewarp live`: render an effect onto every face of a camera, a file or a stream, live."""

from typing import Annotated

import typer

from facewarp.cli.console import output_of
from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.cli.faces.live_options import (
    LimitOptions,
    LiveOptions,
    OutputOptions,
    SourceOptions,
    check_usage,
)
from facewarp.cli.model_options import EngineOptions, FaceModelOptions, RefinementOptions
from facewarp.cli.option_groups import Panel, option_groups
from facewarp.system.machine import limit_blas

SOURCE = Panel("Where frames come from")
DRAWN = Panel("What is drawn")
OUTPUT = Panel("Where it goes")
LIMITS = Panel("How long, and on what")


@option_groups
def live(
    ctx: typer.Context,
    *,
    source: Annotated[SourceOptions, SOURCE],
    effects: Annotated[EffectSelection, DRAWN],
    models: Annotated[FaceModelOptions, DRAWN],
    faces: Annotated[
        int,
        typer.Option(min=1, max=64, metavar="COUNT", help="How many faces to track."),
        DRAWN,
    ] = 5,
    refinement: Annotated[RefinementOptions, DRAWN],
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Swap left and right, as in a mirror.",
            show_default="for cameras",
        ),
        DRAWN,
    ] = None,
    outputs: Annotated[OutputOptions, OUTPUT],
    limits: Annotated[LimitOptions, LIMITS],
    run: Annotated[EngineOptions, LIMITS],
) -> None:
    """Render labels, a mesh or a texture onto every face of a camera's image, live.

    In the window, h shows what the keys do. Ctrl-C ends it; recordings are finished then.

    Examples:
      facewarp live
      facewarp live --webcam logitech --effect texture --record show.mp4
      facewarp live --effect style --style painting.jpg
      facewarp live --source rtsp://192.168.1.20/stream --effect mesh
      facewarp live --source talk.mp4 --realtime --headless --stats times.jsonl
      facewarp live --web --effect texture
      facewarp live --output rtmp://127.0.0.1/live/me --audio-source alsa:default
      facewarp live --virtual-camera --send osc://127.0.0.1:9000
      facewarp live --headless --send vmc://127.0.0.1:39539
    """
    options = LiveOptions(
        source,
        effects,
        models,
        faces,
        refinement,
        mirror,
        outputs,
        limits,
        run,
    )
    output = output_of(ctx)
    if run.engine != "torch":
        limit_blas()
    size = check_usage(options, output)
    from facewarp.cli.faces.live_session import run_live

    run_live(output, options, size)
