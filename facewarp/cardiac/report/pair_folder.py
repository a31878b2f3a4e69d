"""The folder of a registered pair of hearts: volumes, field, Jacobian, labels and a sheet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from facewarp.cardiac.io.nifti_writer import write_field, write_image, write_labels, write_map
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.pair_registration import VolumePair
from facewarp.cardiac.plots.figures import slice_table
from facewarp.cardiac.plots.short_axis_view import HeartView
from facewarp.system.atomic_folder import OutputFolder

_ROWS = {"fixed": 0, "moving": 1, "moving on fixed": 2}
_SHEET_PX = 190  # of the side of a view


def write_pair(folder: OutputFolder, pair: VolumePair, title: str) -> None:
    """Write the results of a pair, all of them or none.

    Args:
        folder: where to; what is there is replaced.
        pair: the result.
        title: of the sheet.

    Raises:
        FacewarpError: they can't be written.
    """
    with folder as place:
        write_image(place / "warped.nii.gz", pair.warped, pair.fixed)
        write_field(place / "field.nii.gz", pair.field, pair.fixed)
        write_map(place / "jacobian.nii.gz", pair.jacobian(), pair.fixed, "Jacobian determinant")
        write_labels(place / "labels_fixed.nii.gz", pair.labels_fixed, pair.fixed)
        write_labels(place / "labels_warped.nii.gz", pair.labels_warped, pair.fixed)
        _write_sheet(place / "sheet.png", pair, title)


def _write_sheet(path: Path, pair: VolumePair, title: str) -> None:
    volume, labels = _three_phases(pair)
    view = HeartView(volume, labels, pair.fixed_grid.turn, _SHEET_PX)
    Image.fromarray(slice_table(view, _ROWS, title)).save(path, compress_level=4)


def _three_phases(pair: VolumePair) -> tuple[Volume, Labels]:
    """Return fixed, moving and warped moving as three phases of one volume."""
    data = np.stack([pair.fixed.data, pair.before, pair.warped])
    labels = np.stack([pair.labels_fixed, pair.labels_before, pair.labels_warped])
    return replace(pair.fixed, data=data), labels
