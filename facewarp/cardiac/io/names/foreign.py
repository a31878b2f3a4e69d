"""Files that hold hearts and are not read: what they are by their names, and how to go on."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".7z", ".rar")
_PACKED: Final = (".nii.zst", ".nii.xz", ".nii.bz2", ".nii.lz4")
_BY_ITK: Final = (".nrrd", ".nhdr", ".mha", ".mhd", ".gipl", ".gipl.gz")
_BY_NIBABEL: Final = (".mgz", ".mgh", ".img", ".hdr", ".img.gz")
_MINC: Final = (".mnc", ".mnc.gz", ".mnc2", ".minc")
_ARRAYS: Final = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".mrd", ".ismrmrd", ".cfl")
_PICTURES: Final = (
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avi", ".mp4", ".mov",
    ".mkv", ".webm",
)  # fmt: skip
_PHILIPS: Final = (".par", ".rec")
#: Points of one contour in one picture: Sunnybrook's (``IM-0001-0048-icontour-manual.txt``: inner,
#: outer, papillary muscles), Medis', Circle's.
_CONTOURS: Final = re.compile(
    r"([-_](i|o|p\d?)contour[-_](manual|auto)[^/]*\.txt|\.con|\.cvi42ws[xi]?|contour[^/]*\.(txt|xml))$",
    re.IGNORECASE,
)
_CONTOUR_FIX: Final = (
    "They are contours in pixels of single pictures: fill them there, one id a part, and give the "
    "slices of a phase as one NIfTI, or export them as DICOM RTSTRUCT or SEG."
)
_ARRAY_FIX: Final = (
    "It holds bare arrays: reconstruct k-space (CMRxRecon, ISMRMRD) first, then save magnitudes as "
    "(X, Y, Z, T): nibabel.save(nibabel.Nifti1Image(array, numpy.diag([x_mm, y_mm, z_mm, 1])), "
    "{!r}). h5py gives the axes of MATLAB's files in reverse."
)
_MINC_FIX: Final = (
    "Convert it, time last: a = nibabel.load({!r}); nibabel.save(nibabel.Nifti1Image("
    "a.get_fdata().T, a.affine[:, [2, 1, 0, 3]]), {!r})"
)


def is_contour(path: Path) -> bool:
    """Whether a file is named like the points of contours, as Sunnybrook's are."""
    return bool(_CONTOURS.search(path.name))


def way_in(path: Path) -> str:
    """How a file of another format becomes what is read; "" for what is none by its name.

    Of archives, such as UK Biobank's, how what is in them is read.
    """
    lower = path.name.lower()
    name = path.name.removesuffix(".gz").rpartition(".")[0]
    if lower.endswith(_ARCHIVES):
        return "Unpack the archive, and give the folder."
    if lower.endswith(_PACKED):
        return f"Unpack it, or pack it as {path.name[: lower.rindex('.nii')]}.nii.gz."
    if lower.endswith(_BY_ITK):
        read = f"SimpleITK.ReadImage({path.name!r})"
        first = ""
        if lower.endswith(".seg.nrrd"):  # whose layers of overlapping parts become vectors
            first = (
                "Export it in 3D Slicer (Segmentations, Export to files, NIfTI). Without it, where "
                "no segments overlap: "
            )
        return f"{first or 'Convert it: '}SimpleITK.WriteImage({read}, {name + '.nii.gz'!r})"
    if lower.endswith(_BY_NIBABEL):
        return f"Convert it: nibabel.save(nibabel.load({path.name!r}), {name + '.nii.gz'!r})"
    if lower.endswith(_MINC):
        return _MINC_FIX.format(path.name, name + ".nii.gz")
    if is_contour(path):
        return _CONTOUR_FIX
    if lower.endswith(_ARRAYS):
        return _ARRAY_FIX.format(name + ".nii.gz")
    if lower.endswith(_PICTURES):
        return "It tells no millimetres and no time: give the DICOM or NIfTI that it was made of."
    if lower.endswith(_PHILIPS):
        return "Give the DICOM series, or what dcm2niix makes of it."
    return ""


def first_way_in(files: Sequence[Path]) -> tuple[Path, str] | None:
    """Return the first file that is of another format, and how it becomes what is read.

    Pictures and archives, which lie beside scans of any kind, come after all others.
    """
    later = [path for path in files if path.name.lower().endswith((*_PICTURES, *_ARCHIVES))]
    ordered = [*(path for path in files if path not in later), *later]
    return next(((path, way) for path in ordered if (way := way_in(path))), None)
