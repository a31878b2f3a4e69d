"""`facewarp textures`: list textures and render them on a face."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facewarp.cli.console import cell, output_of
from facewarp.cli.option_groups import named_files
from facewarp.errors import FacewarpError


def textures(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Textures to show: names, files, looks with changes.",
            metavar="[TEXTURE]...",
            show_default="all that are shipped",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PICTURE", help="Contact sheet to write."),
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="Image of the face to render them on.",
            show_default="the shipped portrait",
        ),
    ] = None,
) -> None:
    """List the textures and looks that come with facewarp, and render them on a face.

    Looks of make-up are textures whose parts can be changed: add +PART=COLOUR:STRENGTH.

    Examples:
      facewarp textures
      facewarp textures --out sheet.png
      facewarp textures tiger my-own.png --on photo.jpg --out mine.png
      facewarp textures makeup+lips=crimson:0.9+liner=off --out lips.png
    """
    from facewarp.face.rendering.makeup import LOOKS, PARTS, is_look
    from facewarp.face.rendering.textures import list_textures, texture_blend, texture_title

    output = output_of(ctx)
    if on is not None and out is None:
        raise typer.BadParameter("say where the sheet goes with --out.", param_hint="--on")
    shipped = list_textures()
    chosen = names or shipped
    listed = [
        {
            "name": name,
            "blend": texture_blend(name),
            "title": texture_title(name) if name in shipped or is_look(name) else "",
            "parts": list(PARTS) if is_look(name) else [],
        }
        for name in chosen
    ]
    if out is not None:
        _write_sheet(out, on, chosen)
    output.emit_json({"textures": listed, "sheet": out})
    table = Table(box=None, pad_edge=False)
    for column in ("texture", "blend", "what it is"):
        table.add_column(column)
    for entry in listed:
        table.add_row(f"[bold]{entry['name']}[/]", str(entry["blend"]), str(entry["title"]))
    output.say(table)
    output.say(f"Looks ({', '.join(LOOKS)}) have parts: {', '.join(PARTS)}")
    if out is not None:
        output.say(f"written: [green]{cell(out)}[/]")


def _write_sheet(out: Path, on: Path | None, names: list[str]) -> None:
    from facewarp.drawing.contact_sheet import tile_sheet
    from facewarp.face.gallery.preview import worn
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.frames import IMAGE_SUFFIXES, Frame
    from facewarp.media.images.writer import ImageWriter
    from facewarp.media.sources import open_source
    from facewarp.system.atomic_files import check_apart, check_target

    if out.suffix.lower() not in IMAGE_SUFFIXES:
        raise FacewarpError("a sheet is a picture", out, f"Call it {out.stem}.png.")
    folder = Path(str(resources.files("facewarp.assets"))) / "demo"
    source = open_source(on or folder / "portrait.png")
    if source.kind != "image":
        raise FacewarpError("textures are shown on one picture", on, "Give a picture of a face.")
    check_target(out, [source.path])
    check_apart([out], named_files(names))
    with source:
        picture = next(iter(source)).image
    with FaceTracker(faces=1, occlusion=True) as tracker:
        tiles = list(worn(picture, tracker, names).items())
    with ImageWriter(out) as writer:
        writer.write(Frame(tile_sheet(tiles), 0.0, 0))
