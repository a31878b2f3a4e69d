"""NIfTI in: volumes and cines with their place in the world, or one line that says what is wrong.

Convention
    Arrays are ``([T,] D, H, W)``: the file's axes reversed, nothing flipped. World coordinates are
    NIfTI's, RAS+ in mm; `placement` says which of a file's affines and spacings are believed.
"""

import gzip
import json
import logging
import math
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from facewarp.cardiac.io.names.foreign import way_in
from facewarp.cardiac.io.names.nifti_names import is_nifti, stem
from facewarp.cardiac.io.placement import (
    PlacementDoubt,
    about_distance,
    check_field,
    place_volume,
    times,
)
from facewarp.cardiac.io.timing import ReadOptions, Timing, settle_timing
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError

_HEAD: Final = 540  # bytes of the longer one of both headers
_NAMED: Final = ("db_name", "aux_file", "data_type")  # where converters put patients' names
_SAME: Final = 1e-3
_SECONDS: Final = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_COMPONENTS: Final = 3  # of a displacement, whose file has five axes, too
#: Said of a cine whose phases are components of a vector.
FIFTH: Final = "the phases lie along the fifth axis, as TorchIO writes a cine: they are read"
LAYERS_FIX: Final = (
    "Give one value a voxel. In 3D Slicer take the cavity out of the wall (Segment Editor, Logical "
    "operators, Subtract), then export all segments as one label map (Segmentations, Export to "
    "files, NIfTI)."
)
_WRITERS: Final = (("descrip", b"TE=", "dcm2niix"), ("db_name", b"?TR:", "dicom2nifti"))
_GIVE: Final = "Give a .nii or .nii.gz file."
_PIECE: Final = 1 << 20
_MAX_OFFSET: Final = 1 << 40
_GZIP: Final = 31  # zlib's window bits for gzip
_DAMAGE: Final = (EOFError, OSError, zlib.error, gzip.BadGzipFile, ImageFileError, HeaderDataError)


def read_volume(
    path: str | os.PathLike[str],
    *,
    labels: bool = False,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> Volume:
    """Read a NIfTI file of three or four axes.

    Args:
        path: a ``.nii`` or ``.nii.gz`` file, packed or not whatever its name says.
        labels: the file holds part ids, whole numbers from 0 to 255, which come as uint8.
        options: what the user knows better than the file.

    Raises:
        FacewarpError: nothing there, not NIfTI, cut short, not a volume, voxels without a size or
            with one that cannot be, axes that lie in one plane, values that are not finite, labels
            that are no ids, or a contradiction that
            `placement.place_volume` or
            `timing.settle_timing` refuses.
    """
    place = Path(path)
    raw, stored = _open(place)
    shape = _shape(raw)
    said: tuple[str, ...] = ()
    if len(shape) == 5 and shape[3] == 1 and shape[4] > _COMPONENTS:
        shape, said = (*shape[:3], shape[4]), (FIFTH,)
    if len(shape) == 5 and shape[3] == 1:
        raise several_values(shape, place)
    if len(shape) not in (3, 4):
        what = f"the file has {len(shape)} axes ({times(shape)})"
        raise FacewarpError(what, place, "Give a volume of 3 axes or a cine of 4.")
    if min(shape) < 1:
        raise FacewarpError(f"the volume is empty ({times(shape)})", place)
    where = place_volume(raw, shape, place, options)
    sizes = np.linalg.norm(where.affine[:3, :3], axis=0)
    if not labels:  # labels may be of a whole body
        check_field(sizes, shape, place)
        if options.spacing_mm is None and shape[2] > 1 and sizes[2] >= sizes.max():
            said += tuple(_about_distance(float(sizes[2]), place))
    values = _values(raw, stored, shape, place)
    data: NDArray[Any] = _ids(values, place) if labels else values
    if not np.isfinite(values).all():
        bad = np.argwhere(~np.isfinite(values.reshape(-1, *values.shape[-3:])))
        phase = f" of phase {bad[0][0] + 1}" if values.ndim == 4 else ""
        what = f"{len(bad)} voxels are NaN or infinite, the first in slice {bad[0][1] + 1}{phase}"
        raise FacewarpError(what, place, "Replace them, or export the file again.")
    timing, origins = Timing(), {"spacing": where.spacing_from}
    origins["orientation"] = where.orientation_from
    if len(shape) == 4 and not labels:
        timing = _timing(raw, shape[3], place, options)
        origins |= {"time step": timing.step_from, "RR interval": timing.cycle_from}
    return Volume(
        data,
        where.affine,
        timing.step_s,
        (*said, *where.warnings, *timing.warnings),
        _output_header(raw),
        place,
        oriented=where.oriented,
        cycle_s=timing.cycle_s,
        conflicting=where.conflicting,
        origins=origins,
    )


def _about_distance(slice_mm: float, path: Path) -> list[PlacementDoubt]:
    """Return what is to be said of the distance of slices that the JSON file beside it tells.

    Scripts that put DICOM pictures together take the slices' thickness for it.
    """
    beside = sidecar(path)
    told = _number(beside.get("SpacingBetweenSlices"))
    if told is None:
        return []
    says = f"{sidecar_of(path).name} says", "the file", "the file is used"
    thickness = _number(beside.get("SliceThickness"))
    return about_distance(slice_mm, told, thickness, says, path, resampled=True)


def several_values(shape: tuple[int, ...], path: Path) -> FacewarpError:
    """Why a file with several numbers for each voxel is not read.

    Args:
        shape: ``(X, Y, Z, 1, N)``.
        path: the file.
    """
    what = f"the file has 5 axes ({times(shape)}): {shape[4]} values for each voxel, as "
    what += "a displacement or " if shape[4] == _COMPONENTS else ""
    what += "layers of overlapping segments have, which 3D Slicer saves in .seg.nrrd"
    return FacewarpError(what, path, LAYERS_FIX)


def axes_of(path: Path) -> int:
    """Count a NIfTI file's axes, those of one alone at the end left out; 0 if unreadable."""
    try:
        shape = _shape(_open(path)[0])
    except (FacewarpError, ValueError):
        return 0
    return 4 if len(shape) == 5 and shape[3] == 1 and shape[4] > _COMPONENTS else len(shape)


def sidecar_of(path: Path) -> Path:
    """Where the JSON file beside a NIfTI file is, as dcm2niix names it."""
    return path.parent / f"{stem(path)}.json"


def sidecar(path: Path) -> dict[str, Any]:
    """Return what the JSON file beside a NIfTI file says, as dcm2niix writes it; {} without one."""
    try:
        found = json.loads(sidecar_of(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def cycles_beside(path: Path) -> dict[str, float]:
    """Seconds of the RR interval that the JSON file beside a NIfTI file tells, by what tells it."""
    beside = sidecar(path)
    rate = _number(beside.get("HeartRate"))
    return {
        "NominalInterval": (_number(beside.get("NominalInterval")) or 0.0) / 1000,
        "HeartRate": 60 / rate if rate else 0.0,
    }


def _open(path: Path) -> tuple[Any, ArrayProxy]:
    """Return the header as it stands in the file, and its data, not yet read."""
    if not path.exists():
        raise FacewarpError("there is no such file", path, "Check the path.")
    if not path.is_file() or not is_nifti(path):
        raise FacewarpError("this is not a NIfTI file", path, way_in(path) or _GIVE)
    if path.stat().st_size == 0:
        raise FacewarpError("the file is empty", path, "Copy or download it again.")
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            head = file.read(_HEAD)
            kind = _kind(head)
            if kind is None:
                raise FacewarpError("this is not a NIfTI file", path, _GIVE)
            misnamed = packed != path.name.lower().endswith(".gz")
            content = head + file.read() if misnamed else head
        raw = kind.from_fileobj(BytesIO(head[: kind.sizeof_hdr]), check=False)
        _check_scaling(raw, path)
        with _silence():
            kind.from_fileobj(BytesIO(head[: kind.sizeof_hdr]))  # its checks
        stored = ArrayProxy(BytesIO(content) if misnamed else path, raw)
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    return raw, stored


def _shape(raw: Any) -> tuple[int, ...]:
    """Return a file's axes without those of one alone at the end, three at least."""
    shape = tuple(int(n) for n in raw.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _kind(head: bytes) -> type[nib.Nifti1Header] | None:
    """NIfTI-1 or NIfTI-2, by the first bytes; None for anything else."""
    if head[344:347] == b"n+1":
        return nib.Nifti1Header
    return nib.Nifti2Header if head[4:7] == b"n+2" else None


def _check_scaling(raw: Any, path: Path) -> None:
    """Refuse a slope below 0 or without intercept, what is not finite, an offset that can't be."""
    offset = float(raw["vox_offset"])
    if not 0 <= offset < _MAX_OFFSET:
        what = f"the header says that the voxels begin at byte {offset:g}"
        raise FacewarpError(what, path, "Correct vox_offset.")
    slope, inter = float(raw["scl_slope"]), float(raw["scl_inter"])
    if np.isinf(slope) or (np.isfinite(slope) and slope != 0 and not np.isfinite(inter)):
        what = f"the header's scaling is not finite: slope {slope:g}, intercept {inter:g}"
        raise FacewarpError(what, path, "Correct scl_slope and scl_inter.")
    if slope < 0:
        what = f"the header's scaling turns gray values round: slope {slope:g}"
        raise FacewarpError(what, path, "Correct scl_slope.")


def _output_header(raw: Any) -> nib.Nifti1Header:
    """Return a header for outputs on the same grid: NIfTI-1, in this machine's byte order."""
    if isinstance(raw, nib.Nifti2Header):
        header = nib.Nifti1Header()
        _copy_header(raw, header)
        return header
    native: nib.Nifti1Header = raw.as_byteswapped(sys.byteorder)
    for key in _NAMED:
        native[key] = b""
    return native


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


def _values(raw: Any, proxy: ArrayProxy, shape: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    dtype = raw.get_data_dtype()
    if dtype.names is not None or dtype.kind == "c":
        raise FacewarpError("the voxels are colours or complex numbers", path, "Give grey values.")
    slope, inter = proxy.slope, proxy.inter
    try:
        offset, content = int(raw.get_data_offset()), _content(raw, path)
        found = (
            np.frombuffer(content, dtype, math.prod(shape), offset)
            if content is not None
            else np.asanyarray(proxy.get_unscaled())
        )
        stored = found.reshape(shape, order="F").T
    except MemoryError as error:
        fix = "Give fewer phases, or a crop."
        raise FacewarpError(f"the volume is too big ({times(shape)})", path, fix) from error
    except (*_DAMAGE, ValueError, OverflowError) as error:
        raise _damaged(path, error) from error
    with np.errstate(over="ignore"):  # what gets infinite is told later
        data = np.ascontiguousarray(stored, dtype=np.float32)
    if data is stored or np.shares_memory(data, stored):
        data = data.copy()
    with np.errstate(over="ignore"):
        if slope != 1.0:
            data *= np.float32(slope)
        if inter != 0.0:
            data += np.float32(inter)
    return data


def _content(raw: Any, path: Path) -> bytearray | None:
    """Unpack a .nii.gz to its end, as far as its voxels go; None for a file that is not packed.

    Only the end tells whether what was read is what was written: gzip's checksum stands there. And
    no memory is taken for what a header claims before the file has shown that it holds as much.
    """
    wanted = int(raw.get_data_offset())
    wanted += math.prod(map(int, raw.get_data_shape())) * int(raw.get_data_dtype().itemsize)
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            if path.stat().st_size < wanted:
                raise EOFError("the file is shorter than its header says")
            return None
    content = bytearray()
    for piece in _unpacked(path):
        content += piece[: max(0, wanted - len(content))]
    if len(content) < wanted:
        raise EOFError("the file is shorter than its header says")
    return content


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield what a gzip file holds, piece by piece; garbage after its last member is ignored.

    Raises:
        zlib.error: it is damaged, or its checksum is another.
        EOFError: it ends too early.
    """
    member = zlib.decompressobj(_GZIP)
    with open(path, "rb") as file:
        left = file.read(_PIECE)
        while left:
            yield member.decompress(left, _PIECE)
            if not member.eof:
                left = member.unconsumed_tail or file.read(_PIECE)
            else:  # what follows may stand in the unconsumed tail as well
                left = member.unused_data
                left += file.read(_PIECE) if len(left) < 2 else b""
                if not left.startswith(b"\x1f\x8b"):
                    return
                member = zlib.decompressobj(_GZIP)
    while not member.eof:
        rest = member.decompress(b"", _PIECE)
        if not rest:
            raise EOFError("the packed file ends too early")
        yield rest


def _ids(data: NDArray[np.float32], path: Path) -> NDArray[np.uint8]:
    ids = np.rint(data) if np.isfinite(data).all() else np.full(1, -1.0, np.float32)
    if ids.shape != data.shape or np.abs(data - ids).max() > 1e-3 or ids.min() < 0:
        raise FacewarpError("the labels are not all whole numbers", path, "Give part ids.")
    if ids.max() > 255:
        raise FacewarpError(f"there are labels up to {ids.max():g}", path, "Give ids up to 255.")
    return ids.astype(np.uint8)


def _timing(raw: Any, phases: int, path: Path, options: ReadOptions) -> Timing:
    """Time of a cine: the header's step, unless a converter put the repetition time there."""
    beside = sidecar(path)
    step, said = _time_step(raw)
    said = said if options.time_step_s is None else []
    repetition = _number(beside.get("RepetitionTime"))
    writer = next((name for key, mark, name in _WRITERS if _text(raw, key).startswith(mark)), "")
    if step is not None and repetition is not None and abs(step / repetition - 1) < _SAME:
        said.append(
            f"the header's time step of {1000 * step:.4g} ms is the repetition time that "
            f"{stem(path)}.json tells: it is not believed"
        )
        step = None
    elif writer and (step is not None or said):
        pixdim = float(raw["pixdim"][4]) if step is None else step
        said = [
            f"the file was written by {writer}, which puts the repetition time into the header: "
            f"its time step of {1000 * pixdim:.4g} ms is not believed"
        ]
        step = None
    found = settle_timing(step, "pixdim[4]", phases, cycles_beside(path), path, options)
    return replace(found, warnings=(*said, *found.warnings))


def _time_step(raw: Any) -> tuple[float | None, list[str]]:
    """Seconds a phase, where the unit is given; and what is to be said of a step without one."""
    step = float(raw["pixdim"][4])
    try:
        unit = raw.get_xyzt_units()[1]
    except KeyError:
        unit = "unknown"
    if unit in _SECONDS and np.isfinite(step) and step > 0:
        return step * _SECONDS[unit], []
    if step in (0.0, 1.0):  # what programs write that know no time
        return None, []
    of = "no unit of time" if unit == "unknown" else f"the unit {unit}"
    return None, [f"the header's time step, {step:g}, has {of}: it is not used, see --time-step"]


def _text(raw: Any, key: str) -> bytes:
    """Return a text of the header; b"" where it has none (NIfTI-2)."""
    return bytes(np.asarray(raw[key]).tobytes()) if key in raw else b""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _copy_header(source: Any, target: nib.Nifti1Header) -> None:
    """Return what a NIfTI-1 header can hold of a NIfTI-2 one."""
    for key in ("dim", "pixdim", "datatype", "bitpix", "xyzt_units", "descrip", "sform_code"):
        target[key] = source[key]
    for key in ("qform_code", "quatern_b", "quatern_c", "quatern_d", "srow_x", "srow_y", "srow_z"):
        target[key] = source[key]
    for key in ("qoffset_x", "qoffset_y", "qoffset_z", "intent_code", "cal_min", "cal_max"):
        target[key] = source[key]
