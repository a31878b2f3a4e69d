"""`facewarp template`: build, list and show templates."""

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output, output_of
from facewarp.cli.model_options import ModelName
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facewarp.face.template.template import Template
    from facewarp.face.template_building.build import Built

template = typer.Typer(
    help="Build, list and show templates: what faces are registered to.", no_args_is_help=True
)


@template.command()
def build(
    ctx: typer.Context,
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="Photographs, or folders of them.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Store it among your templates under this name.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write it to this .npz file instead."),
    ] = None,
    symmetric: Annotated[
        bool, typer.Option("--symmetric", help="Average mirror images too.")
    ] = False,
    rounds: Annotated[
        int, typer.Option(min=1, max=20, help="Rounds of groupwise registration at most.")
    ] = 6,
    base: Annotated[
        str, typer.Option(help="Template whose landmarks the new one gets.")
    ] = "average",
    model: ModelName = "face",
) -> None:
    """Build a template of the largest face in each of some photographs.

    One photograph is taken as it is. Several are averaged by groupwise registration, until the
    shape comes no nearer to the mean shape.

    Examples:
      facewarp template build me.jpg --name me
      facewarp template build holiday/*.jpg --name me --rounds 8
      facewarp template build team/ --symmetric --out team.npz
    """
    from facewarp.face.template.library import find_template

    output = output_of(ctx)
    target = _target(name, out)
    find_template(base)
    pictures = _pictures(photos)

    from facewarp.core.model import load  # torch: after what can be told without it
    from facewarp.face.template_building.build import build_template
    from facewarp.face.tracking.registration import FaceRegistrar
    from facewarp.face.tracking.track import TrackerConfig

    fitter = FaceRegistrar(base, load(model), "cpu", TrackerConfig().sure)
    with output.progress("reading faces", len(pictures), "photographs") as advance:
        built = build_template(
            target.stem, pictures, fitter, symmetric=symmetric, rounds=rounds, advance=advance
        )
    try:
        built.template.save(target)
    except OSError as error:
        what = f"the template cannot be written: {error.strerror or error}"
        raise FacewarpError(what, target, "Choose another place: --out FILE.npz.") from error
    output.emit_json(
        {
            "template": built.template.name,
            "file": target,
            "used": built.used,
            "left_out": built.left_out,
            "drift_px": built.drift_px,
        }
    )
    _tell(output, built, target)


@template.command("list")
def list_(ctx: typer.Context) -> None:
    """List the templates that ship with facewarp and your own.

    The names are what --template takes.

    Examples:
      facewarp template list
      facewarp template list --json
    """
    from facewarp.face.template.library import find_template, template_names
    from facewarp.face.template.template import Template

    output = output_of(ctx)
    listed: list[dict[str, Any]] = []
    for name in template_names():
        file = find_template(name)
        try:
            origin = Template.load(file).origin
        except FacewarpError as error:
            output.warn(str(error))
            continue
        shipped = Path(str(resources.files("facewarp.assets"))) in file.parents
        listed.append({"name": name, "file": file, "shipped": shipped, "origin": origin})
    output.emit_json(listed)
    table = Table(box=None, pad_edge=False)
    for column in ("template", "made of", "from"):
        table.add_column(column)
    for entry in listed:
        count = entry["origin"].get("photographs", 1)
        made = f"{count} photograph{'s' if count != 1 else ''}"
        place = "facewarp" if entry["shipped"] else str(entry["file"])
        table.add_row(f"[bold]{escape(entry['name'])}[/]", made, escape(place))
    output.say(table)


@template.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A template's name or .npz file.")] = "average",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PICTURE", help="Contact sheet to write.")
    ] = None,
    export_uv: Annotated[
        Path | None,
        typer.Option(
            "--export-uv", metavar="PNG", help="Image to paint a texture over, 1040x1280."
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="FILE",
            help="Mesh to write: .glb, or .obj with .mtl and .png beside it.",
        ),
    ] = None,
) -> None:
    """Show a template: its image, part labels, landmarks and mesh.

    Apply what is painted over the exported image with --effect texture --texture FILE. Paint on
    a layer of its own and save that layer alone, as a PNG of the same size.

    Examples:
      facewarp template show average --out average.png
      facewarp template show --export-uv guide.png
      facewarp template show --export face.glb
      facewarp template show me --out me.png --json
    """
    from facewarp.face.template.library import find_template
    from facewarp.face.template.template import Template
    from facewarp.system.atomic_files import check_apart, written

    output = output_of(ctx)
    find_template(name)
    for path in (out, export_uv):
        if path is not None:
            _check_picture(path, is_uv=path is export_uv)
    shown = Template.load(name)
    mesh = {} if export is None else _mesh_files(shown, export)
    check_apart(path for path in (out, export_uv, *mesh) if path is not None)
    if out is not None:
        from facewarp.face.template_building.preview import template_sheet

        _write(out, template_sheet(shown))
    if export_uv is not None:
        from facewarp.face.template_building.preview import uv_guide

        _write(export_uv, uv_guide(shown))
    for target, data in mesh.items():
        with written(target) as temporary:
            temporary.write_bytes(data)
    output.emit_json(
        {
            "name": shown.name,
            "origin": shown.origin,
            "landmarks": shown.landmarks,
            "triangles": len(shown.triangles),
            "sheet": out,
            "uv": export_uv,
            "mesh": export,
        }
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("name", escape(shown.name))
    for key, value in shown.origin.items():
        table.add_row(key, escape(str(value)))
    table.add_row("mesh", f"{len(shown.mesh_points)} points, {len(shown.triangles)} triangles")
    output.say(table)
    for path in filter(None, (out, export_uv, export)):
        output.say(f"written: [green]{escape(str(path))}[/]")


def _target(name: str | None, out: Path | None) -> Path:
    """Return the file of a template to be built."""
    from facewarp.face.template.library import shipped_templates
    from facewarp.system.user_folders import own_templates

    if (name is None) is (out is None):
        raise typer.BadParameter("say --name NAME or --out FILE.npz.", param_hint="--name")
    if out is not None:
        if out.suffix != ".npz":
            raise FacewarpError("a template is an .npz file", out, f"Call it {out.stem}.npz.")
        return out
    assert name is not None
    if not re.fullmatch(r"[\w][\w.-]*", name) or name in shipped_templates():
        raise FacewarpError(
            f"a template can't be called {name!r}",
            fix="Use letters, digits, - and _, and no name of a shipped one.",
        )
    return own_templates() / f"{name}.npz"


def _pictures(photos: list[Path]) -> "list[tuple[str, NDArray[np.uint8]]]":
    from facewarp.media.sources import open_source

    found = []
    for path in photos:
        source = open_source(path)
        if source.kind == "video":
            raise FacewarpError("templates are built of photographs", path, "Give pictures.")
        with source:
            for frame in source:
                label = path.name if source.kind == "image" else f"{path.name}/{frame.index}"
                found.append((label, frame.image))
    return found


def _check_picture(path: Path, is_uv: bool) -> None:
    from facewarp.media.frames import IMAGE_SUFFIXES
    from facewarp.system.atomic_files import check_target

    if is_uv and path.suffix.lower() != ".png":
        raise FacewarpError("what is painted over is a PNG", path, f"Call it {path.stem}.png.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise FacewarpError("a sheet is a picture", path, f"Call it {path.stem}.png.")
    check_target(path, [])


def _write(path: Path, picture: "NDArray[np.uint8]") -> None:
    from facewarp.media.frames import Frame
    from facewarp.media.images.writer import ImageWriter

    with ImageWriter(path) as writer:
        writer.write(Frame(picture, 0.0, 0))


def _mesh_files(template: "Template", path: Path) -> dict[Path, bytes]:
    """Return the files that a mesh is written to, once they can be."""
    from facewarp.face.template.mesh_export import exported
    from facewarp.system.atomic_files import check_target

    files = exported(template, path)
    for target in files:
        check_target(target, [])
    return files


def _tell(output: Output, built: "Built", target: Path) -> None:
    if built.drift_px:
        table = Table(box=None, pad_edge=False)
        table.add_column("round", justify="right")
        table.add_column("from the mean shape", justify="right")
        for number, drift in enumerate(built.drift_px, start=1):
            table.add_row(str(number), f"{drift:.3f} px")
        output.say(table)
    for label, why in built.left_out.items():
        output.warn(f"{label} was left out: {why}")
    count = len(built.used)
    output.say(
        f"[green]{escape(str(target))}[/]: a template of {count} "
        f"photograph{'s' if count != 1 else ''}"
    )
