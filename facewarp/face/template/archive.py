"""Read the arrays of a template's file, by what each claims before memory is taken for it."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import LANDMARK_COUNT, FacePart

#: What is raised for files that are no archive of arrays, are cut short, or hold other things.
DAMAGE: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    RuntimeError,  # encrypted, packed in an unknown way, or nested too deeply
    zipfile.BadZipFile,
    zlib.error,
)
_MAX_POINTS: Final = 20_000  # of a mesh; a face's has about 300
_MAX_TRIANGLES: Final = 2 * _MAX_POINTS
_MAX_TEXT: Final = 1 << 20  # bytes
#: Shape and kinds of numbers of each array; None is a length that is bounded alone.
_ARRAYS: Final[dict[str, tuple[tuple[int | None, ...], str, int]]] = {
    "image": (CROP_SHAPE, "u", 0),
    "colour": ((*CROP_SHAPE, 3), "u", 0),
    "probabilities": ((len(FacePart), *CROP_SHAPE), "uf", 0),
    "landmarks": ((LANDMARK_COUNT, 2), "f", 0),
    "mesh_points": ((None, 2), "f", _MAX_POINTS),
    "triangles": ((None, 3), "i", _MAX_TRIANGLES),
    "texture_field": ((2, *CROP_SHAPE), "f", 0),
}
_TEXT: Final = "about"


class ClaimError(ValueError):
    """An array that cannot be what it is called.

    Args:
        name: of the array.
    """

    def __init__(self, name: str) -> None:
        """See the class."""
        self.name = name
        super().__init__(f"{name} is not that of a template")


def read_arrays(path: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    """Read the text and those arrays of a template's ``.npz`` file that belong to a template.

    Args:
        path: the file.

    Returns:
        The text that describes it, and the arrays that it holds, by name.

    Raises:
        ClaimError: an array has another shape or kind of numbers, or holds what is not finite.
        OSError: and the others of `DAMAGE`: it is no such file.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive:
        held = set(archive.namelist())
        if f"{_TEXT}.npy" not in held:
            raise KeyError(_TEXT)
        for name in (_TEXT, *_ARRAYS):
            if f"{name}.npy" in held:
                _check_claim(archive, name)
                with archive.open(f"{name}.npy") as member:
                    arrays[name] = npy.read_array(member, allow_pickle=False)
                    if member.read(1):  # only at its end is an array's checksum compared
                        raise ClaimError(name)
    for name, array in arrays.items():
        if name != _TEXT and not np.isfinite(array).all():
            raise ClaimError(name)
    return str(arrays.pop(_TEXT)), arrays


def _check_claim(archive: zipfile.ZipFile, name: str) -> None:
    """Check an array's header, which tells shape and type, without reading the array."""
    with archive.open(f"{name}.npy") as member:
        if npy.read_magic(member) != (1, 0):  # later versions have headers of up to 4 GB
            raise ClaimError(name)
        shape, _, dtype = npy.read_array_header_1_0(member)
    if name == _TEXT:
        if shape != () or dtype.kind != "U" or dtype.itemsize > _MAX_TEXT:
            raise ClaimError(name)
        return
    wanted, kinds, most = _ARRAYS[name]
    fits = len(shape) == len(wanted) and all(
        length <= most if told is None else length == told
        for length, told in zip(shape, wanted, strict=True)
    )
    if not fits or dtype.kind not in kinds or dtype.names is not None:
        raise ClaimError(name)
