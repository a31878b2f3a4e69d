"""What a reader's labels say of a heart, where they come with the cine."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.label_order import ACDC, order_by_file_name
from facewarp.cardiac.io.label_reader import read_labels
from facewarp.cardiac.io.nifti_folder import labels_beside
from facewarp.cardiac.quantification.indices import Indices, indices, volumes_ml
from facewarp.errors import FacewarpError


@dataclass(frozen=True)
class Reference:
    """A reader's labels of the phases that were taken for end-diastole and end-systole.

    Attributes:
        indices: what they say; None where there are none, or they can't be used.
        warnings: why they can't, or what was taken for granted, one sentence each.
    """

    indices: Indices | None
    warnings: tuple[str, ...] = ()


def reference_of(result: CineResult) -> Reference:
    """Measure a reader's labels of the same two phases that lie beside the cine.

    They are those of single frames, as in ACDC's folders, or a file of four axes named like the
    cine with ``_gt``, as in those of M&Ms.
    """
    cine = result.cine
    files = [_labels_of(result, phase) for phase in (result.ed, result.es)]
    if files[0] is None or files[1] is None:
        return Reference(None)
    found, said = [], []
    for path, phase in zip(files, (result.ed, result.es), strict=True):
        assert path is not None
        try:
            labels = read_labels(path, cine.volume, usual=order_by_file_name(path) or ACDC)
            if labels.filled and phase not in labels.filled:
                return Reference(None)  # drawn at other moments
            found.append(labels.of_phase(phase))
        except FacewarpError as error:
            told = f"the reader's labels beside the cine are not used: {error}"
            return Reference(None, (told,))
        said += [f"{path.name}: {text}" for text in labels.warnings if text not in said]
    volumes = volumes_ml(np.stack(found), cine.volume.voxel_ml)
    rate = result.indices.heart_rate_bpm
    return Reference(indices(volumes, 0, 1, rate), tuple(dict.fromkeys(said)))


def _labels_of(result: CineResult, phase: int) -> Path | None:
    """Return the file of a reader's labels of a phase, where one lies beside the cine."""
    cine = result.cine
    if (single := cine.labels.get(cine.frames[phase])) is not None:
        return single
    source = cine.volume.path
    return next(iter(labels_beside(source)), None) if source.is_file() else None
