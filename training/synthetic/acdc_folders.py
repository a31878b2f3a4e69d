"""Write ACDC folders of synthetic hearts, for tests and demonstrations."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.training.synthetic.beating_heart import BeatingHeart, beating_cine

SMALL = (7, 48, 48)
SPACING_MM = (4.0, 4.0, 12.0)
_GROUPS = ("DCM", "HCM", "MINF", "NOR", "RV")
_N_FRAMES = 30


def write_drawn_patient(
    folder: Path,
    number: int,
    *,
    shape: tuple[int, int, int] = SMALL,
    spacing_mm: Sequence[float] = SPACING_MM,
    frames: tuple[int, int] = (2, 11),
    heart: BeatingHeart | None = None,
) -> Path:
    """Write ``patientNNN`` with its ``Info.cfg``, the frames of ED and ES and their labels.

    As in the challenge's files, affines are of unit voxels and the true spacing stands in pixdim
    alone.

    Args:
        folder: where the patient's folder goes.
        number: the patient's; it also seeds the heart's size and contraction.
        shape: (D, H, W) of the stack.
        spacing_mm: along x, y, z.
        frames: numbers of ED and ES in the cine.
        heart: the heart; None for one by the number.

    Returns:
        The patient's folder.
    """
    cine = beating_cine(
        heart or drawn_heart(number), 3, shape, spacing_mm, seed=number
    )  # the first phase is ED, the second all but ES
    place = folder / f"patient{number:03d}"
    place.mkdir(parents=True)
    group = _GROUPS[(number - 1) // 20 % len(_GROUPS)]
    info = (("ED", frames[0]), ("ES", frames[1]), ("Group", group), ("NbFrame", _N_FRAMES))
    (place / "Info.cfg").write_text("".join(f"{key}: {value}\n" for key, value in info), "utf-8")
    for phase, frame in enumerate(frames):
        stem = f"{place.name}_frame{frame:02d}"
        gray = np.rint(600 * cine.images[phase]).astype(np.int16)
        write_acdc_file(place / f"{stem}.nii.gz", gray, spacing_mm)
        write_acdc_file(place / f"{stem}_gt.nii.gz", cine.labels[phase], spacing_mm)
    return place


def write_acdc_file(path: Path, data: NDArray[np.generic], spacing_mm: Sequence[float]) -> None:
    """Write a volume ([T,] D, H, W) with unit voxels in its affine and the true ones in pixdim."""
    image = nib.Nifti1Image(np.asarray(data).T, np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header["pixdim"][1:4] = spacing_mm
    nib.save(image, path)


def drawn_heart(number: int) -> BeatingHeart:
    """Return a heart whose size and contraction depend on a patient's number."""
    rng = np.random.default_rng([46, number])
    plain = BeatingHeart()
    return replace(
        plain,
        radius_mm=plain.radius_mm * rng.uniform(0.85, 1.2),
        length_mm=plain.length_mm * rng.uniform(0.85, 1.0),
        wall_mm=plain.wall_mm * rng.uniform(0.85, 1.3),
        narrowing=rng.uniform(0.1, 0.35),
        squeeze=rng.uniform(0.15, 0.45),
    )
