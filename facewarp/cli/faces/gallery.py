"""`facewarp gallery`: render a page of every effect, or sheets of them on one's own clips."""

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from facewarp.cli.console import Output, output_of
from facewarp.cli.model_options import Engine
from facewarp.face.effects.options import EFFECT_OPTIONS, MatchName

if TYPE_CHECKING:
    from facewarp.face.gallery.hard_frames import HardFrames
    from facewarp.face.tracking.tracker import FaceTracker


def gallery(
    ctx: typer.Context,
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CLIP",
            help="Clips of your own: instead of the page, write a sheet of their twelve hardest "
            "frames for each effect.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write.")
    ] = Path("facewarp-gallery"),
    looks: Annotated[
        str | None,
        typer.Option(
            "--looks",
            metavar="LIST",
            help="What to draw sheets of: mesh,texture:tiger,style:bronze.",
            show_default="everything that ships",
        ),
    ] = None,
    match: Annotated[
        MatchName | None,
        typer.Option(metavar="HOW", help=EFFECT_OPTIONS["match"].help, show_default="full"),
    ] = None,
    engine: Engine = "auto",
) -> None:
    """Render a page of images and short clips of every effect, from free faces only.

    Writes index.html and the images it shows. Faces are those of the shipped portrait and clip.

    With clips of your own it writes sheets instead: every effect, texture, look and style on the
    frames in which it is likeliest to look wrong - mouth open, eyes shut, head tilted or turned,
    something before the face, dark, bright, colored light, blurred, far - and the same frames
    with nothing drawn.

    Examples:
      facewarp gallery
      facewarp gallery --out docs/gallery
      facewarp gallery talk.mp4 interview.mov --out sheets
      facewarp gallery talk.mp4 --looks mesh,texture:makeup,style:bronze
    """
    output = output_of(ctx)
    if clips:
        _write_sheets(output, clips, out, looks, match, engine)
        return
    for option, value in (("--looks", looks), ("--match", match)):
        if value is not None:
            raise typer.BadParameter("it is for sheets; give clips.", param_hint=option)
    from facewarp.face.gallery.page import files_of_gallery, render_gallery
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.sources import read_video

    demo = Path(str(resources.files("facewarp.assets"))) / "demo"
    portrait = next(iter(read_video(demo / "portrait.png"))).image
    clip = ((frame.image, frame.time) for frame in read_video(demo / "astronaut.mp4"))
    with (
        FaceTracker(
            faces=4, engine=engine, smooth=True, photometric=True, occlusion=True
        ) as tracker,
        output.progress("gallery", files_of_gallery(), "pictures") as advance,
    ):
        entries = render_gallery(out, tracker, portrait, clip, advance)
    _tell(output, out, [out / "index.html", *(out / entry.file for entry in entries)], "pictures")


def _write_sheets(
    output: Output,
    clips: list[Path],
    out: Path,
    looks: str | None,
    match: MatchName | None,
    engine: str,
) -> None:
    from facewarp.face.gallery.hard_frames import HardFrames
    from facewarp.face.gallery.sheets import SheetFolder, every_look, make_look
    from facewarp.face.tracking.tracker import FaceTracker

    names = every_look() if looks is None else [word.strip() for word in looks.split(",")]
    for name in names:
        make_look(name, match)
    with FaceTracker(
        faces=4, engine=engine, smooth=True, photometric=True, occlusion=True
    ) as tracker:
        found = HardFrames(tracker.template)
        for clip in clips:
            _look_at(output, found, clip, tracker)
        folder = SheetFolder(out)
        with output.progress("sheets", len(names) + 1, "sheets") as advance:
            folder.write(found.chosen(), names, tracker.template, match, advance)
    _tell(output, out, folder.files, "sheets")


def _look_at(output: Output, found: "HardFrames", clip: Path, tracker: "FaceTracker") -> None:
    from facewarp.media.sources import open_source

    with (
        open_source(clip) as source,
        output.progress(f"looking at {source.name}", source.frame_count) as advance,
    ):
        frames = ((frame.image, frame.time) for frame in source)
        for _ in found.look_at(frames, clip.stem, tracker):
            advance()


def _tell(output: Output, out: Path, files: list[Path], what: str) -> None:
    size = sum(file.stat().st_size for file in files)
    output.emit_json({"output": out, "files": files, "bytes": size})
    page = escape(str(out / "index.html"))
    output.say(f"[green]{page}[/]: {len(files) - 1} {what}, {size / 1e6:.1f} MB")
