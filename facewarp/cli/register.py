"""`facewarp register`: register one pair of images, or of volumes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.model_options import (
    MODEL_HELP,
    Device,
    Engine,
    Refine,
    Thorough,
    known_model,
)
from facewarp.cli.option_groups import existing
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facewarp.face.tracking.pair_registration import FacePair
    from facewarp.face.tracking.tracker import FaceTracker

#: Suffixes of volumes; those that are not NIfTI are refused with the way to convert them.
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh")


def register(
    ctx: typer.Context,
    fixed: Annotated[Path, typer.Argument(help="Fixed image of a face, or NIfTI of a heart.")],
    moving: Annotated[
        Path, typer.Argument(help="Moving image or volume, which is registered to it.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write.", metavar="DIR")
    ] = Path("facewarp-pair"),
    model: Annotated[
        str | None,
        typer.Option(
            help=MODEL_HELP, show_default="face, or heart for volumes", callback=known_model
        ),
    ] = None,
    engine: Engine = "auto",
    device: Device = "cpu",
    thorough: Thorough = False,
    refine: Refine = True,
) -> None:
    """Register the face of one image, or the heart of one volume, to that of another.

    Of images it writes warped.png (the moving face on the fixed one),
    sheet.png (both faces, before and after, and their parts) and field.npz
    (the displacement field on the fixed crop in px, and where both crops lie
    in their images). Of volumes (NIfTI) it writes warped.nii.gz,
    field.nii.gz (an ITK displacement field), jacobian.nii.gz, labels of both
    on the fixed grid, and sheet.png.

    Examples:
      facewarp register anna.jpg berta.jpg --out pair/
      facewarp register anna.jpg berta.jpg --json
      facewarp register ed.nii.gz es.nii.gz --out pair/
    """
    output = output_of(ctx)
    volumes = [path.name.lower().endswith(_VOLUMES) for path in (fixed, moving)]
    if all(volumes):
        existing([fixed, moving])
        from facewarp.cli.register_volumes import register_hearts

        if thorough:
            what = "hearts are looked at once"
            raise FacewarpError(what, "--thorough", "Leave it out for volumes.")
        result = register_hearts((fixed, moving), out, model or "heart", device, refine=refine)
        _tell(output, result, "voxels", [out])
        return
    if any(volumes):
        what = "one of the two is a volume, the other a picture"
        raise FacewarpError(what, moving if volumes[1] else fixed, "Give two of a kind.")
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.system.atomic_files import check_target

    pictures = [_first_picture(output, path) for path in (fixed, moving)]
    targets = [out / name for name in ("warped.png", "sheet.png", "field.npz")]
    for target in targets:
        check_target(target, [fixed, moving])
    with FaceTracker(
        model=model or "face", device=device, engine=engine, thorough=thorough
    ) as tracker:
        pair, measured = _register_faces(tracker, pictures, (fixed, moving))
    _write(pair, targets, (fixed, moving))
    result = {"fixed": fixed, "moving": moving, "output": out, **measured}
    _tell(output, result, "pixels", targets)


def _first_picture(output: Output, path: Path) -> "NDArray[np.uint8]":
    """Return the only image of a file, or its first, which is said then."""
    from facewarp.media.sources import open_source

    with open_source(path) as source:
        image = next(iter(source)).image
        if source.kind != "image" and source.frame_count != 1:
            output.warn(f"{path}: of this {source.kind} the first image is registered")
    return image


def _register_faces(
    tracker: "FaceTracker", pictures: "list[NDArray[np.uint8]]", paths: tuple[Path, Path]
) -> "tuple[FacePair, dict[str, Any]]":
    """Register the face of the second picture to that of the first, and measure that."""
    from facewarp.face.tracking.pair_registration import register_faces

    fixed, moving = map(str, paths)
    pair = register_faces(tracker, pictures[0], pictures[1], (fixed, moving))
    determinant = pair.registration.jacobian()
    return pair, {
        "parts_dice_initial": _parts_dice(pair, warped=False),
        "parts_dice": _parts_dice(pair, warped=True),
        "jacobian_std": float(determinant.std()),
        "folds_percent": 100 * float((determinant <= 0).mean()),
        "weights_sha256": tracker.model.sha256,
    }


def _tell(output: Output, result: dict[str, Any], points: str, files: list[Path]) -> None:
    """Print a pair's result.

    Args:
        output: where to.
        result: for programs.
        points: what folds are counted in.
        files: what was written.
    """
    for warning in result.get("warnings", ()):
        output.warn(warning)
    output.emit_json(result)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row(
        "agreement of parts",
        f"Dice {100 * result['parts_dice_initial']:.0f} % before, "
        f"{100 * result['parts_dice']:.0f} % after (as the model sees them)",
    )
    table.add_row("folds", f"{result['folds_percent']:.3f} % of the {points}")
    for file in files:
        table.add_row("written", cell(file))
    output.say(table)


def _parts_dice(pair: "FacePair", *, warped: bool) -> float:
    """Return the mean Dice, 0 to 1, of the parts that the model segments in the two crops."""
    from facewarp.core.metrics import dice_per_part, mean_over_present

    found = pair.registration
    moving = found.warp_labels(found.labels_moving) if warped else found.labels_moving
    return mean_over_present(dice_per_part(moving, found.labels_fixed, len(found.classes)))


def _write(pair: "FacePair", targets: list[Path], pictures: tuple[Path, Path]) -> None:
    import numpy as np

    from facewarp.drawing.contact_sheet import contact_sheet
    from facewarp.face.parts import PART_COLORS
    from facewarp.media.frames import Frame
    from facewarp.media.images.writer import ImageWriter
    from facewarp.system.atomic_files import written

    found = pair.registration
    warped_labels = found.warp_labels(found.labels_moving)
    tinted = [
        np.where(labels[..., None] > 0, 0.5 * crop + 0.5 * PART_COLORS[labels], crop).astype(
            np.uint8
        )
        for crop, labels in (
            (pair.fixed, found.labels_fixed),
            (pair.moving, found.labels_moving),
            (pair.fixed, warped_labels),
        )
    ]
    sheet = contact_sheet(
        [[pair.fixed, pair.moving, pair.warped], tinted],
        ["pictures", "parts"],
        ["fixed", "moving", "moving on fixed"],
        height_px=320,
    )
    for target, picture in ((targets[0], pair.warped), (targets[1], sheet)):
        with ImageWriter(target) as writer:
            writer.write(Frame(picture, 0.0, 0))
    with written(targets[2], pictures) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            field=found.field,
            grid=np.array(found.field.shape[1:]),
            fixed=np.array(str(pictures[0])),
            moving=np.array(str(pictures[1])),
            fixed_to_picture=pair.fixed_crop.matrix,
            moving_to_picture=pair.moving_crop.matrix,
        )
