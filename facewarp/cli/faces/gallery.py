"""`facewarp gallery`: render a page of every effect."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from facewarp.cli.console import output_of
from facewarp.cli.model_options import Engine


def gallery(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write.")
    ] = Path("facewarp-gallery"),
    engine: Engine = "auto",
) -> None:
    """Render a page of images and short clips of every effect, from free faces only.

    Writes index.html and the images it shows. Faces are those of the shipped portrait and clip.

    Examples:
      facewarp gallery
      facewarp gallery --out docs/gallery
    """
    from facewarp.face.effects.gallery import files_of_gallery, render_gallery
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.sources import read_video

    output = output_of(ctx)
    demo = Path(str(resources.files("facewarp.assets"))) / "demo"
    portrait = next(iter(read_video(demo / "portrait.png"))).image
    clip = ((frame.image, frame.time) for frame in read_video(demo / "astronaut.mp4"))
    with (
        FaceTracker(faces=4, engine=engine, smooth=True) as tracker,
        output.progress("gallery", files_of_gallery(), "pictures") as advance,
    ):
        entries = render_gallery(out, tracker, portrait, clip, advance)
    files = [out / "index.html", *(out / entry.file for entry in entries)]
    size = sum(file.stat().st_size for file in files)
    output.emit_json({"output": out, "files": files, "bytes": size})
    output.say(
        f"[green]{escape(str(out / 'index.html'))}[/]: {len(entries)} pictures, {size / 1e6:.1f} MB"
    )
