"""`facewarp register` on volumes: register one pair of heart volumes."""

from pathlib import Path
from typing import Any

from rich.table import Table

from facewarp.cli.console import Output, cell
from facewarp.system.start import quick_imports


def register_hearts(
    output: Output,
    paths: tuple[Path, Path],
    out: Path,
    model: str,
    device: str,
    refine: bool,
) -> None:
    """Register the heart of one volume to that of another, and write the results.

    Args:
        output: where to speak.
        paths: NIfTI of the fixed and the moving volume.
        out: folder to write.
        model: a shipped name or a weights file.
        device: where the model runs.
        refine: whether the field is refined into an invertible one.
    """
    with quick_imports("pydicom"):
        from PIL import Image

        from facewarp.cardiac.io.nifti_reader import read_volume
        from facewarp.cardiac.io.nifti_writer import (
            write_field,
            write_image,
            write_labels,
            write_map,
        )
        from facewarp.cardiac.io.slices.label_maps import refuse_labels
        from facewarp.cardiac.motion.orientation import with_slices_seen
        from facewarp.cardiac.pair_registration import register_volumes, side_by_side
        from facewarp.cardiac.plots.figures import slice_table
        from facewarp.cardiac.plots.short_axis_view import HeartView
        from facewarp.core.metrics import dice_per_part, jacobian_statistics, mean_over_present
        from facewarp.core.model import load
    from facewarp.system.atomic_folder import OutputFolder

    folder = OutputFolder(out, "field.nii.gz")
    heart = load(model, device)
    read = [read_volume(path) for path in paths]
    for volume in read:
        refuse_labels(volume.data, volume.path)
    fixed, moving = (with_slices_seen(heart, volume.slices_first()) for volume in read)
    pair = register_volumes(heart, fixed, moving, refined=refine)
    determinant = pair.jacobian()
    statistics = jacobian_statistics(determinant)
    count = len(heart.config.classes)
    before, after = (
        mean_over_present(dice_per_part(labels, pair.labels_fixed, count))
        for labels in (pair.labels_before, pair.labels_warped)
    )
    result: dict[str, Any] = {
        "fixed": paths[0],
        "moving": paths[1],
        "output": out,
        "parts_dice_initial": before,
        "parts_dice": after,
        "jacobian_std": statistics.std,
        "folds_percent": statistics.folds_percent,
        "weights_sha256": heart.sha256,
        "warnings": sorted({*fixed.warnings, *moving.warnings}),
    }
    with folder as place:
        write_image(place / "warped.nii.gz", pair.warped, fixed)
        write_field(place / "field.nii.gz", pair.field, fixed)
        write_map(place / "jacobian.nii.gz", determinant, fixed, "Jacobian determinant")
        write_labels(place / "labels_fixed.nii.gz", pair.labels_fixed, fixed)
        write_labels(place / "labels_warped.nii.gz", pair.labels_warped, fixed)
        volume, labels = side_by_side(pair)
        rows = {"fixed": 0, "moving": 1, "moving on fixed": 2}
        table = slice_table(
            HeartView(volume, labels, pair.fixed_grid.turn, 190),
            rows,
            f"{paths[1].name} on {paths[0].name}",
        )
        Image.fromarray(table).save(place / "sheet.png", compress_level=4)
    for warning in result["warnings"]:
        output.warn(warning)
    output.emit_json(result)
    lines = Table(box=None, show_header=False, pad_edge=False)
    lines.add_row(
        "agreement of parts",
        f"Dice {100 * before:.0f} % before, {100 * after:.0f} % after (as the model sees them)",
    )
    lines.add_row("folds", f"{statistics.folds_percent:.3f} % of the voxels")
    lines.add_row("written", cell(out))
    output.say(lines)
