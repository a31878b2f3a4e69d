"""NIfTI out: what was found on a volume's own grid, and fields as ITK reads them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from gzip import GzipFile
from pathlib import Path
from typing import IO, Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import straightened
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.system.atomic_files import written

_DISPLACEMENT: Final = 1006  # NIFTI_INTENT_DISPVECT
_STEPS_PER_MM: Final = 128  # fields are rounded to this, which halves the time to compress them
_STEPS_PER_ONE: Final = 1024  # likewise determinants
_COMPRESSION: Final = 1


def write_labels(
    path: Path, labels: NDArray[np.uint8], like: Volume, inputs: Iterable[Path] = ()
) -> None:
    """Write part ids on a volume's grid, with its affine, spacing, units and time.

    Args:
        path: a ``.nii.gz`` file.
        labels: ``([T,] D, H, W)``.
        like: the volume, whose header is taken over as it is.
        inputs: files that must not be overwritten.

    Raises:
        FacewarpError: it could not be written.
    """
    _save_like(path, labels, like, "part labels", inputs)


def write_image(
    path: Path,
    image: NDArray[np.float32] | NDArray[np.int16],
    like: Volume,
    inputs: Iterable[Path] = (),
) -> None:
    """Write grey values ``([T,] D, H, W)`` on a volume's grid, in the type they have.

    See `write_labels`.
    """
    _save_like(path, image, like, "image", inputs)


def write_map(
    path: Path,
    values: NDArray[np.float32],
    like: Volume,
    what: str,
    inputs: Iterable[Path] = (),
) -> None:
    """Write numbers ``([T,] D, H, W)`` near 1, such as determinants, on a volume's grid.

    They are rounded to 1/1024. See `write_labels`.
    """
    phases = np.array(values if values.ndim == 4 else values[None], dtype=np.float32)
    header = _header_like(like, _like_floats(values), what)
    _save(path, _rounded(phases, _STEPS_PER_ONE, like), header, inputs)


def write_maps(
    path: Path,
    phases: Iterable[NDArray[np.float32]],
    like: Volume,
    what: str,
    inputs: Iterable[Path] = (),
) -> None:
    """Write what `write_map` does of every phase, made one after the other: a cine is large.

    Args:
        path: a ``.nii.gz`` file.
        phases: ``(D, H, W)`` each, as many as the cine has; they are rounded where they lie.
        like: the cine.
        what: they are.
        inputs: files that must not be overwritten.

    Raises:
        FacewarpError: it could not be written.
    """
    header = _header_like(like, _like_floats(like.data), what)
    _save(path, _rounded(phases, _STEPS_PER_ONE, like), header, inputs)


def _like_floats(data: NDArray[Any]) -> NDArray[np.float32]:
    """Return an array of data's shape, of one float in memory."""
    return np.broadcast_to(np.float32(0), data.shape)


def _rounded(
    pieces: Iterable[NDArray[np.float32]], steps: int, like: Volume
) -> Iterator[NDArray[np.float32]]:
    """Yield numbers ``(D, H, W)`` rounded, where they lie, to so many steps a unit.

    They come in the file's order of axes.
    """
    for values in pieces:
        values *= np.float32(steps)
        np.rint(values, out=values)
        values *= np.float32(1 / steps)  # steps are a power of two: as exact as to divide
        yield like.in_file_order(values)


def write_field(
    path: Path, field: NDArray[np.float32], like: Volume, inputs: Iterable[Path] = ()
) -> None:
    """Write a displacement field as ITK, SimpleITK and 3D Slicer read it.

    Five axes ``(X, Y, Z, 1, 3)``, intent displacement (1006), RAS mm, rounded to 1/128 mm. ITK
    turns x and y of this intent round as it reads, so that there the vectors are LPS; 3D Slicer
    warns of any other intent. Resampling with it gives each voxel ``p`` what the moving volume has
    at ``p + u(p)``.

    Args:
        path: a ``.nii.gz`` file.
        field: ``(3, D, H, W)`` in voxels of the volume, channels x, y, z.
        like: the volume whose grid the field lives on. Its affine is written in true mm even if
            the volume's own header held a placeholder.
        inputs: files that must not be overwritten.

    Raises:
        FacewarpError: it could not be written.
    """
    components = np.tensordot(to_mm(like), field, axes=1).astype(np.float32, copy=False)
    write_field_mm(path, components, like, inputs)


def to_mm(volume: Volume) -> NDArray[np.float32]:
    """Return the matrix (3, 3) from displacements in voxels of a volume to RAS mm."""
    return np.asarray(volume.affine[:3, :3], dtype=np.float32)


def write_field_mm(
    path: Path,
    components: Iterable[NDArray[np.float32]],
    like: Volume,
    inputs: Iterable[Path] = (),
) -> None:
    """Write a displacement field in RAS mm on a volume's grid.

    Args:
        path: see `write_field`.
        components: x, y and z of it, ``(D, H, W)`` each, which are rounded where they lie; made
            one after the other they take a third of the memory.
        like: see `write_field`.
        inputs: likewise.
    """
    header = nib.Nifti1Header()
    depth, height, width = like.in_file_order(like.data).shape[-3:]
    header.set_data_shape((width, height, depth, 1, 3))
    header.set_data_dtype(np.float32)
    header.set_intent(_DISPLACEMENT)
    header.set_xyzt_units("mm")
    code = max(int(like.header["sform_code"]), int(like.header["qform_code"]), 1)
    affine = like.file_affine
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), 1.0, 1.0))
    _set_place(header, affine, code)
    header["descrip"] = b"displacement field, RAS mm (facewarp)"
    _save(path, _rounded(components, _STEPS_PER_MM, like), header, inputs)


def _save_like(
    path: Path, data: NDArray[Any], like: Volume, what: str, inputs: Iterable[Path]
) -> None:
    """Save under a volume's header with another content."""
    _save(path, [like.in_file_order(data)], _header_like(like, data, what), inputs)


def _header_like(like: Volume, data: NDArray[Any], what: str) -> nib.Nifti1Header:
    """Return a volume's header for another content ``([T,] D, H, W)``.

    Where it lies stays bit for bit, unless the file contradicted itself or has no place for it.
    """
    data = like.in_file_order(data)
    header = like.header.copy()
    pixdim = header["pixdim"].copy()
    header.set_data_shape(data.shape[::-1])
    header["pixdim"] = pixdim
    if like.conflicting or like.is_sheared or like.origins.get("spacing") == "--spacing":
        code = max(int(header["sform_code"]), int(header["qform_code"]), 1)
        header["pixdim"][1:4] = np.linalg.norm(like.file_affine[:3, :3], axis=0)
        _set_place(header, like.file_affine, code)
    header.set_data_dtype(data.dtype)
    header.set_slope_inter(1.0, 0.0)
    header.set_intent("none")
    header["cal_min"] = header["cal_max"] = 0
    header["descrip"] = f"{what} (facewarp)".encode()
    return header


def _set_place(header: nib.Nifti1Header, affine: FloatArray, code: int) -> None:
    """Write sform and qform alike; a qform cannot hold shear, and gets the axes straightened.

    Programs built on ITK take the qform unless sform_code is 1: the two must not differ.
    """
    header.set_sform(affine, code)
    header.set_qform(straightened(affine), code)


def _gzip(file: IO[bytes]) -> GzipFile:
    """Open a gzip member for writing, without name and time: equal content makes equal files.

    Intel's ISA-L takes a sixth of zlib's time, for files a tenth smaller; any program reads both.
    """
    packer: type[GzipFile] = GzipFile
    with suppress(ImportError):  # no wheel for this platform
        from isal.igzip import IGzipFile

        packer = IGzipFile
    return packer("", "wb", compresslevel=_COMPRESSION, fileobj=file, mtime=0)


def _save(
    path: Path, pieces: Iterable[NDArray[Any]], header: nib.Nifti1Header, inputs: Iterable[Path]
) -> None:
    """Write a header and, one after the other, the pieces that the data consist of."""
    header["magic"] = header.single_magic
    header["vox_offset"] = header.single_vox_offset
    head = header.binaryblock.ljust(header.single_vox_offset, b"\0")
    with (
        written(path, inputs) as temporary,
        open(temporary, "wb") as file,
        _gzip(file) as packed,
    ):
        packed.write(head)
        for data in pieces:
            packed.write(np.ascontiguousarray(data).data)
