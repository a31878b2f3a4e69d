"""Which files of a cine's result are written, and into which folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facewarp.cardiac.report.conventions import MARK
from facewarp.system.atomic_folder import OutputFolder

Movie = Literal["gif", "webm", "none"]


@dataclass(frozen=True)
class ResultFiles:
    """Which files are written of a cine's result, beside labels, curves and indices.

    Attributes:
        fields: whether fields and determinants are.
        report: whether the page is.
        movie: format of the moving picture.
        mesh: whether the parts' moving surfaces are, as ``mesh_NN.vtp``, ``mesh.pvd`` and
            ``mesh.glb``.
        dicom_out: whether ``seg_NN.dcm``, ``measurements.dcm`` and ``report.dcm`` are, under the
            study that the cine was read from; they hold the patient's name.
    """

    fields: bool = True
    report: bool = True
    movie: Movie = "gif"
    mesh: bool = False
    dicom_out: bool = False


def result_folder(folder: Path) -> OutputFolder:
    """Return a patient's folder, to be written as a whole.

    Raises:
        FacewarpError: something else is there already.
    """
    return OutputFolder(folder, MARK, _files_of)


def check_result_folder(folder: Path) -> None:
    """Check that results can be written into a folder, before they are computed.

    Raises:
        FacewarpError: something else is there already.
    """
    result_folder(folder)


def _files_of(folder: Path) -> dict[str, int]:
    """Names and bytes of the files that an earlier run wrote into a folder."""
    try:
        files = json.loads((folder / MARK).read_text("utf-8"))["run"]["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    known = files if isinstance(files, dict) else {}
    return {name: size for name, size in known.items() if isinstance(size, int)}
