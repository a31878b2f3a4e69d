"""Which files of a cine's result are written."""

from dataclasses import dataclass
from typing import Literal

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
