"""`facewarp cameras`: list the cameras of this machine and their modes."""

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import output_of

if TYPE_CHECKING:
    from facewarp.live.capture.camera import Camera


def cameras(
    ctx: typer.Context,
    modes: Annotated[
        bool, typer.Option("--modes/--no-modes", help="Find out sizes and frames a second.")
    ] = True,
) -> None:
    """List the cameras of this machine: index, name, backend, modes, and what each gave last.

    What is in the columns index or name can be given to facewarp live --webcam. What a camera gave
    is size, rate and format as it was last opened, whatever it was asked for. On Windows and
    macOS each camera is opened for a moment to find out its modes.

    Examples:
      facewarp cameras
      facewarp cameras --no-modes --json
    """
    from facewarp.live.capture.camera_list import find_camera, given_before, list_cameras

    output = output_of(ctx)
    found = list_cameras(modes=modes)
    given = [given_before(camera) for camera in found]
    output.emit_json(
        [asdict(camera) | {"given": last} for camera, last in zip(found, given, strict=True)]
    )
    if not found:
        find_camera("0", found)
    table = Table(box=None, pad_edge=False)
    table.add_column("index", justify="right")
    for column in ("name", "backend", "gave", "modes" if modes else "device"):
        table.add_column(column)
    for camera, last in zip(found, given, strict=True):
        about = _modes(camera) if modes else camera.path or ""
        gave = "-" if last is None else str(last)
        table.add_row(str(camera.index), escape(camera.name), camera.backend, gave, escape(about))
    output.say(table)
    for camera in found:
        if camera.problem is not None:
            output.warn(f"camera {camera} {camera.problem}")


def _modes(camera: "Camera") -> str:
    """Return a line for every pixel format: its sizes, largest first, with their highest rates."""
    sizes: defaultdict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for mode in camera.modes:
        sizes[mode.pixels].append((mode.width, mode.height, max(mode.rates, default=0.0)))
    lines = []
    for pixels, listed in sizes.items():
        texts = [
            f"{width}x{height}" + (f"@{rate:g}" if rate else "")
            for width, height, rate in sorted(listed, reverse=True)
        ]
        lines.append(" ".join([pixels, *texts]).strip())
    return "\n".join(lines) or ("-" if camera.problem else "not told")
