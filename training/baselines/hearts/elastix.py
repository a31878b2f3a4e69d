"""Baseline: elastix, cubic B-splines by the correlation of gray values.

Klein, Staring, Murphy, Viergever, Pluim, elastix: A Toolbox for Intensity-Based Medical Image
Registration, IEEE Transactions on Medical Imaging 29(1), 2010, through ``itk-elastix``. It runs in
a process of its own, so that a crash there is an error here.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

INSTALL = install_command("rivals")
CONTROL_MM = 16.0  # between the finest control points
_PAIR, _FIELD = "pair.npz", "field.npy"
_SETTINGS = {
    "Registration": ["MultiResolutionRegistration"],
    "Metric": ["AdvancedNormalizedCorrelation"],
    "MaximumNumberOfIterations": ["200"],
    "RandomSeed": ["1"],
    "WriteResultImage": ["false"],
}


def is_installed() -> bool:
    """Whether ``itk-elastix`` is installed; it is not imported."""
    return find_spec("itk") is not None and find_spec("itk.ElastixPython") is not None


def elastix_field(
    fixed: NDArray[np.float32],
    moving: NDArray[np.float32],
    spacing_mm: Sequence[float],
    control_mm: float = CONTROL_MM,
) -> NDArray[np.float32]:
    """Register two volumes by B-splines, coarse to fine.

    Args:
        fixed: ``(D, H, W)`` grey values.
        moving: the same.
        spacing_mm: of the grid, along x, y, z.
        control_mm: distance of the finest control points.

    Returns:
        ``(3, D, H, W)`` voxels, channels x, y, z, from fixed into moving.

    Raises:
        FacewarpError: elastix is not installed, or can't register these volumes.
    """
    if not is_installed():
        raise FacewarpError("this method is elastix's", "itk-elastix", f"Install it: {INSTALL}")
    if fixed.shape != moving.shape or fixed.ndim != 3:
        what = f"volumes of {fixed.shape} and {moving.shape} voxels can't be registered"
        raise FacewarpError(what, fix="Lay both on one grid (D, H, W).")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mm = np.array([*spacing_mm, control_mm], dtype=np.float64)
        np.savez(folder / _PAIR, fixed=fixed, moving=moving, mm=mm)
        command = [sys.executable, "-m", __spec__.name, place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not (folder / _FIELD).is_file():
            lines = done.stderr.strip().splitlines()
            reason = lines[-1] if lines else f"it ended with {done.returncode}"
            raise FacewarpError(
                f"elastix can't register these: {reason}", fix="Leave the method elastix out."
            )
        found: NDArray[np.float32] = np.load(folder / _FIELD, allow_pickle=False)
    return found


def register_in(folder: Path) -> None:
    """Read a pair from a folder, register it, and write the field there; needs ``itk``."""
    import itk

    with np.load(folder / _PAIR, allow_pickle=False) as pair:
        fixed, moving, mm = pair["fixed"], pair["moving"], pair["mm"]
    images = []
    for volume in (fixed, moving):
        image = itk.image_from_array(np.ascontiguousarray(volume, dtype=np.float32))
        image.SetSpacing([float(one) for one in mm[:3]])
        images.append(image)
    parameters = itk.ParameterObject.New()
    plan = parameters.GetDefaultParameterMap("bspline", 3, float(mm[3]))
    for name, values in _SETTINGS.items():
        plan[name] = values
    parameters.AddParameterMap(plan)
    _, transform = itk.elastix_registration_method(
        *images, parameter_object=parameters, log_to_console=False
    )
    found = itk.transformix_deformation_field(
        images[1], transform, output_directory=str(folder), log_to_console=False
    )
    field_mm = np.moveaxis(np.asarray(itk.array_from_image(found)), -1, 0)
    scale = mm[:3].reshape(3, 1, 1, 1)
    np.save(folder / _FIELD, np.ascontiguousarray(field_mm / scale, dtype=np.float32))


if __name__ == "__main__":
    register_in(Path(sys.argv[1]))
