"""`facewarp register` on volumes: register one pair of heart volumes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from facewarp.system.start import quick_imports


def register_hearts(
    paths: tuple[Path, Path], out: Path, model: str, device: str, *, refine: bool
) -> dict[str, Any]:
    """Register the heart of one volume to that of another, write the results and measure them.

    Args:
        paths: NIfTI of the fixed and the moving volume.
        out: folder to write.
        model: a shipped name or a weights file.
        device: where the model runs.
        refine: whether the field is refined into an invertible one.

    Returns:
        What the command tells of the pair.
    """
    with quick_imports("pydicom"):
        from facewarp.cardiac.io.nifti_folder import refuse_other_kinds
        from facewarp.cardiac.io.nifti_reader import read_volume
        from facewarp.cardiac.io.slices.fill_values import as_picture
        from facewarp.cardiac.motion.orientation import with_slices_seen
        from facewarp.cardiac.pair_registration import register_volumes
        from facewarp.cardiac.report.pair_folder import write_pair
        from facewarp.core.metrics import dice_per_part, jacobian_statistics, mean_over_present
        from facewarp.core.model import load
    from facewarp.system.atomic_folder import OutputFolder

    folder = OutputFolder(out, "field.nii.gz")
    heart = load(model, device)
    read = [read_volume(path) for path in paths]
    for at, volume in enumerate(read):
        refuse_other_kinds(volume.path)
        data, said = as_picture(volume.data, volume.path)
        read[at] = replace(volume, data=data, warnings=(*volume.warnings, *said))
    fixed, moving = (with_slices_seen(heart, volume.slices_first()) for volume in read)
    pair = register_volumes(heart, fixed, moving, refined=refine)
    statistics = jacobian_statistics(pair.jacobian())
    count = len(heart.config.classes)
    before, after = (
        mean_over_present(dice_per_part(labels, pair.labels_fixed, count))
        for labels in (pair.labels_before, pair.labels_warped)
    )
    write_pair(folder, pair, f"{paths[1].name} on {paths[0].name}")
    return {
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
