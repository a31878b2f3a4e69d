"""NIfTI in: volumes and cines with their place in the world, or one line that says what is wrong.

Convention
    Arrays are ``([T,] D, H, W)``: the file's axes reversed, nothing flipped. World coordinates are
    NIfTI's, RAS+ in mm. A file gives its voxel size twice, as ``pixdim`` and as the lengths of its
    affine's columns. Where the two disagree, an affine of unit voxels is a placeholder and pixdim
    is right (the files of the ACDC challenge are so); any other affine is right. Either way the
    volume carries a warning that says so.
"""

import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import AGREE, MAX_SHEAR_COSINE, FloatArray, Volume, shear_cosine
from facewarp.errors import FacewarpError

SUFFIXES: Final = (".nii", ".nii.gz")
_SECONDS: Final = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_DAMAGE: Final = (EOFError, OSError, zlib.error, gzip.BadGzipFile, ImageFileError, HeaderDataError)


def is_nifti(path: Path) -> bool:
    """Whether a path is named like a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def stem(path: Path) -> str:
    """A file's name without ``.nii`` or ``.nii.gz``."""
    name = path.name
    for suffix in (".gz", ".nii"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name


def read_volume(path: str | os.PathLike[str], *, labels: bool = False) -> Volume:
    """Read a NIfTI file of three or four axes.

    Args:
        path: a ``.nii`` or ``.nii.gz`` file.
        labels: the file holds part ids, whole numbers from 0 to 255, which come as uint8.

    Raises:
        FacewarpError: nothing there, not NIfTI, cut short, not a volume, voxels without a size,
            axes that lie in one plane, values that are not finite, or labels that are no ids.
    """
    place = Path(path)
    image, raw = _open(place)
    header = nib.Nifti1Header() if isinstance(image, nib.Nifti2Image) else image.header.copy()
    if isinstance(image, nib.Nifti2Image):
        _copy_header(image.header, header)
    shape = tuple(int(n) for n in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4):
        what = f"the file has {len(shape)} axes ({_times(shape)})"
        raise FacewarpError(what, place, "Give a volume of 3 axes or a cine of 4.")
    if min(shape) < 1:
        raise FacewarpError(f"the volume is empty ({_times(shape)})", place)
    affine, warnings = _place(image, raw, place)
    values = _values(image, shape, place)
    data: NDArray[Any] = _ids(values, place) if labels else values
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values.reshape(-1, *values.shape[-3:])))
        phase = f" of phase {bad[0][0] + 1}" if values.ndim == 4 else ""
        what = f"{len(bad)} voxels are NaN or infinite, the first in slice {bad[0][1] + 1}{phase}"
        raise FacewarpError(what, place, "Replace them, or export the file again.")
    step = None
    if len(shape) == 4:
        step = _time_step(raw, shape[3])
    return Volume(data, affine, step, tuple(warnings), header, place)


def _open(path: Path) -> tuple[Any, Any]:
    """The image, its data not yet read, and its header as it stands in the file."""
    if not path.exists():
        raise FacewarpError("there is no such file", path, "Check the path.")
    if not path.is_file() or not is_nifti(path):
        raise FacewarpError("this is not a NIfTI file", path, "Give a .nii or .nii.gz file.")
    if path.stat().st_size == 0:
        raise FacewarpError("the file is empty", path, "Copy or download it again.")
    try:
        with _silence():
            image = nib.load(path)
        if not isinstance(image, nib.Nifti1Pair):
            raise FacewarpError("this is not a NIfTI file", path)
        with image.file_map["image"].get_prepare_fileobj(mode="rb") as file:
            raw = type(image.header).from_fileobj(file, check=False)
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    return image, raw


@contextmanager
def _silence() -> Iterator[None]:
    """Without nibabel's own messages about a header: what is wrong is said here, once."""
    logger = nib.imageglobals.logger
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _damaged(path: Path, error: Exception) -> FacewarpError:
    if isinstance(error, OSError) and error.errno is not None:
        return FacewarpError(error.strerror or "the file cannot be read", path)
    return FacewarpError(
        "the file is cut short, damaged or not NIfTI", path, "Copy or download it again."
    )


def _place(image: Any, raw: Any, path: Path) -> tuple[FloatArray, list[str]]:
    """The affine by the rule of this module, and what is to be said of it."""
    pixdim = np.asarray(raw["pixdim"][1:4], dtype=np.float64)
    if not np.isfinite(pixdim).all() or (pixdim == 0).any():
        what = f"the header gives voxels of {_times(pixdim)} mm"
        raise FacewarpError(what, path, "Put the true spacing into pixdim.")
    pixdim = np.abs(pixdim)
    codes = int(raw["sform_code"]), int(raw["qform_code"])
    if codes == (0, 0):
        affine = np.diag([-pixdim[0], -pixdim[1], pixdim[2], 1.0])
        return affine, ["the file gives no orientation: its axes are taken to run to L, P and S"]
    affine = np.asarray(image.affine, dtype=np.float64)
    sizes = np.linalg.norm(affine[:3, :3], axis=0) if np.isfinite(affine).all() else np.zeros(3)
    if (sizes <= 0).any() or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        what = "the affine is not finite, or its axes lie in one plane"
        raise FacewarpError(what, path, "Write the true sform, or set sform_code to 0.")
    warnings = []
    if not np.allclose(sizes, pixdim, rtol=AGREE):
        said = f"the affine says voxels of {_times(sizes)} mm, pixdim {_times(pixdim)} mm"
        if np.allclose(sizes, 1.0, rtol=AGREE):
            affine[:3, :3] *= pixdim / sizes
            warnings.append(f"{said}: pixdim is used, unit voxels being a placeholder")
        else:
            warnings.append(f"{said}: the affine is used")
    if shear_cosine(affine) > MAX_SHEAR_COSINE:
        degrees = np.degrees(np.arcsin(min(shear_cosine(affine), 1.0)))
        warnings.append(
            f"the axes are sheared by {degrees:.1f} degrees: world coordinates are followed, "
            "but programs built on ITK cannot read such files"
        )
    return affine, warnings


def _values(image: Any, shape: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    dtype = image.get_data_dtype()
    if dtype.names is not None or dtype.kind == "c":
        raise FacewarpError("the voxels are colours or complex numbers", path, "Give grey values.")
    slope, inter = image.dataobj.slope, image.dataobj.inter
    if not np.isfinite([slope, inter]).all():
        raise FacewarpError("the header's scaling is not finite", path, "Correct scl_slope.")
    try:
        stored = np.asanyarray(image.dataobj.get_unscaled()).reshape(shape, order="F").T
    except MemoryError as error:
        fix = "Give fewer phases, or a crop."
        raise FacewarpError(f"the volume is too big ({_times(shape)})", path, fix) from error
    except (*_DAMAGE, ValueError) as error:
        raise _damaged(path, error) from error
    data = np.ascontiguousarray(stored, dtype=np.float32)
    if data is stored or np.shares_memory(data, stored):
        data = data.copy()
    if slope != 1.0:
        data *= np.float32(slope)
    if inter != 0.0:
        data += np.float32(inter)
    return data


def _ids(data: NDArray[np.float32], path: Path) -> NDArray[np.uint8]:
    ids = np.rint(data) if np.isfinite(data).all() else np.full(1, -1.0, np.float32)
    if ids.shape != data.shape or np.abs(data - ids).max() > 1e-3 or ids.min() < 0:
        raise FacewarpError("the labels are not all whole numbers", path, "Give part ids.")
    if ids.max() > 255:
        raise FacewarpError(f"there are labels up to {ids.max():g}", path, "Give ids up to 255.")
    return ids.astype(np.uint8)


def _time_step(raw: Any, phases: int) -> float | None:
    """Seconds a phase, where the unit is given and makes a cycle that a heart can have."""
    unit = raw.get_xyzt_units()[1]
    step = float(raw["pixdim"][4])
    if unit not in _SECONDS or not np.isfinite(step) or step <= 0:
        return None
    seconds = step * _SECONDS[unit]
    return seconds if 0.2 <= seconds * phases <= 4.0 else None


def _copy_header(source: Any, target: nib.Nifti1Header) -> None:
    """What a NIfTI-1 header can hold of a NIfTI-2 one."""
    for key in ("dim", "pixdim", "datatype", "bitpix", "xyzt_units", "descrip", "sform_code"):
        target[key] = source[key]
    for key in ("qform_code", "quatern_b", "quatern_c", "quatern_d", "srow_x", "srow_y", "srow_z"):
        target[key] = source[key]
    for key in ("qoffset_x", "qoffset_y", "qoffset_z", "intent_code", "cal_min", "cal_max"):
        target[key] = source[key]


def _times(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in np.asarray(numbers).tolist())
