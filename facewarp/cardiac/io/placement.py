"""Where a NIfTI volume lies: sform, qform and pixdim, which is believed, and what is said of it.

Order of trust
    Orientation: the sform; the qform where the sform is missing or a placeholder (unit voxels along
    the axes); else none, and the picture decides.
    Spacing: what the user gives; the affine's columns; pixdim where the affine has unit voxels, as
    in every file of the ACDC challenge.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.io.timing import GRAVE, ReadOptions
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

AGREE: Final = 0.01  # relative difference up to which two voxel sizes are the same
MAX_SHEAR_COSINE: Final = 1e-4  # what ITK takes for orthogonal axes
SPACING_MM: Final = (0.2, 25.0)  # of voxels that a heart's MRI can have
_MAX_FIELD_MM: Final = 1000.0  # more than the bore of any scanner
SPACING_FIX: Final = "Give the true one with --spacing X,Y,Z (mm), or correct the header."
_ALIGNED: Final = 1e-3  # directions nearer to an axis than this run along it
_FAR_MM: Final = 12.0  # from slice to slice, more than protocols of whole stacks have
_FAR_APART: Final = 1.9  # thicknesses, likewise
_ITK_GAP_MM: Final = 1.0  # what ITK tells of slices that are saved one by one, whatever is true
_ANGLE_DEGREES: Final = 0.1  # from which two orientations differ
_APART_MM: Final = 0.5


class PlacementDoubt(str):
    """A sentence on where slices lie, which way they face or how large voxels are.

    What is said of a scan is plain text, and the quality check *geometry* is of such sentences
    alone: their kind tells, and not their words.
    """

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a volume lies.

    Attributes:
        affine: (4, 4) from voxels to RAS+ mm.
        oriented: whether the file tells how the scan lay in the patient.
        conflicting: whether sform and qform of the file differ, so that outputs need their own.
        spacing_from: what tells the spacing.
        orientation_from: what tells the orientation; "" where nothing does.
        warnings: one sentence each.
    """

    affine: FloatArray
    oriented: bool
    conflicting: bool
    spacing_from: str
    orientation_from: str
    warnings: tuple[str, ...]


def place_volume(
    header: Any, shape: tuple[int, ...], path: Path, options: ReadOptions
) -> Placement:
    """Choose the affine of a NIfTI file.

    Args:
        header: as it stands in the file.
        shape: of the volume, ``(X, Y, Z)`` and more.
        path: the file, for messages.
        options: what the user says.

    Raises:
        FacewarpError: voxels without a size or with one that cannot be, an affine that is flat, or
            spacings that differ by more than 5 % of a volume, unless the user gives one.
    """
    warnings: list[str] = []
    pixdim = _pixdim(header, path, options)
    affine, orientation_from, conflicting = _orientation(header, shape, pixdim, path, warnings)
    oriented = orientation_from != "" and not _is_aligned(affine)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    spacing_from = orientation_from or "pixdim"
    if options.spacing_mm is not None:
        given = np.asarray(options.spacing_mm)
        if not np.allclose(given, sizes, rtol=AGREE):
            said = f"--spacing says voxels of {times(given)} mm, the file {times(sizes)} mm: "
            warnings.append(PlacementDoubt(f"{said}the first is used"))
        affine[:3, :3] *= given / sizes
        spacing_from = "--spacing"
    elif orientation_from and not np.allclose(sizes, pixdim, rtol=AGREE):
        spacing_from = _settle_spacing(affine, sizes, pixdim, path, warnings)
    check_spacing(np.linalg.norm(affine[:3, :3], axis=0), path, _unit(header))
    if not oriented and not orientation_from:
        warnings.append(
            "the file gives no orientation: which way the heart lies is told from the picture"
        )
    if shear_cosine(affine) > MAX_SHEAR_COSINE:
        warnings.append(shear_warning(affine, int(header["qform_code"])))
    return Placement(affine, oriented, conflicting, spacing_from, orientation_from, tuple(warnings))


def shear_cosine(affine: FloatArray) -> float:
    """Largest cosine between two axes of an affine; 0 where all are at right angles."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(axes.T @ axes - np.eye(3)).max())


def shear_warning(affine: FloatArray, qform_code: int) -> PlacementDoubt:
    """Return what is said of axes that are not at right angles."""
    degrees = np.degrees(np.arcsin(min(shear_cosine(affine), 1.0)))
    itk = (
        "straighten such files, by their qform"
        if qform_code > 0
        else "cannot read such files without a qform"
    )
    digits = 1 if degrees >= 1 else 3
    return PlacementDoubt(
        f"the axes are sheared by {degrees:.{digits}f} degrees: world coordinates are followed, "
        f"but programs built on ITK {itk}"
    )


def straightened(affine: FloatArray) -> FloatArray:
    """Return the affine with its axes at right angles, turned as little as can be."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    straight = affine.copy()
    straight[:3, :3] = orthonormal(affine[:3, :3]) * sizes
    return straight


def orthonormal(matrix: FloatArray) -> FloatArray:
    """Return the closest matrix with columns of length 1 at right angles (polar decomposition)."""
    left, _, right = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0))
    closest: FloatArray = left @ right
    return closest


def check_spacing(sizes: FloatArray, path: Path, unit: str = "mm") -> None:
    """Refuse voxels that no MRI of a heart has, before memory is taken for them.

    Raises:
        FacewarpError: one is smaller than 0.2 mm or larger than 25 mm.
    """
    low, high = SPACING_MM
    if sizes.min() < low or sizes.max() > high:
        of = f"voxels of {times(sizes)} mm"
        of += f", its unit {unit}" if unit not in ("mm", "unknown") else ""
        what = f"the header gives {of}, which no scan of a person's heart has"
        raise FacewarpError(what, path, SPACING_FIX)


def check_field(sizes: FloatArray, shape: tuple[int, ...], path: Path) -> None:
    """Refuse a field of view that no scanner has, before memory is taken for it.

    Args:
        sizes: of the voxels along x, y, z, mm.
        shape: of the volume, ``(X, Y, Z)``.
        path: for messages.

    Raises:
        FacewarpError: it is longer than 1 m along an axis.
    """
    field = np.asarray(sizes) * shape[:3]
    if field.max() > _MAX_FIELD_MM:
        of = f"a field of view of {times(field)} mm"
        what = f"the header gives {of}, which no scan of a person's heart has"
        raise FacewarpError(what, path, SPACING_FIX)


def about_distance(
    found_mm: float,
    told_mm: float | None,
    thickness_mm: float | None,
    says: tuple[str, str, str],
    place: Path,
    *,
    resampled: bool = False,
) -> list[PlacementDoubt]:
    """Hold the told distance of slices (SpacingBetweenSlices) against that at which they lie.

    Args:
        found_mm: at which they lie.
        told_mm: as told; None where it is not.
        thickness_mm: of the slices; None where it is not told.
        says: what tells the distance, where the other is from, and that it is used.
        place: for messages.
        resampled: whether slices may have been resampled since they were told of.

    Raises:
        FacewarpError: they differ by more than 5 %, and nothing explains it, or slices lie at
            twice the told distance, as where every second one is left out.
    """
    if told_mm is None or told_mm <= 0:
        if thickness_mm and found_mm > _FAR_MM and found_mm >= _FAR_APART * thickness_mm:
            text = f"slices of {thickness_mm:g} mm lie {found_mm:.4g} mm apart: some may be left "
            return [PlacementDoubt(f"{text}out between them, which labels and volumes suffer from")]
        return []
    if abs(told_mm / found_mm - 1) <= AGREE:
        return []
    text = f"{says[0]} slices {told_mm:g} mm apart, {says[1]} {found_mm:.4g} mm"
    thick = thickness_mm is None or thickness_mm > 2 * told_mm
    if told_mm == _ITK_GAP_MM and thick and found_mm > 2 * told_mm:
        why = "1 mm being what SimpleITK writes of slices saved one by one"
        return [PlacementDoubt(f"{text}: {says[2]}, {why}")]
    left_out = abs(2 * told_mm / found_mm - 1) <= GRAVE  # as a gap as wide as the slices, too
    if thickness_mm and not left_out and abs((told_mm + thickness_mm) / found_mm - 1) <= GRAVE:
        return [PlacementDoubt(f"{text}: the first is the gap between slices, {says[2]}")]
    if left_out:
        what = f"{text}: every second slice seems to be left out"
        fix = "Export the whole stack, or confirm positions with --spacing X,Y,Z (mm)."
        raise FacewarpError(what, place, fix)
    grave = abs(told_mm / found_mm - 1) > GRAVE
    as_thick = thickness_mm is not None and abs(thickness_mm / found_mm - 1) <= AGREE
    if grave and resampled and not as_thick:
        return [PlacementDoubt(f"{text}, as of slices that were resampled: {says[2]}")]
    if grave:
        text += ", which is the slices' thickness" if resampled and as_thick else ""
        raise FacewarpError(text, place, SPACING_FIX)
    return [PlacementDoubt(f"{text}: {says[2]}")]


def times(numbers: Any) -> str:
    """Sizes as text, e.g. ``"1.5 x 1.5 x 10"``."""
    return " x ".join(f"{number:.6g}" for number in np.asarray(numbers).tolist())


def _pixdim(header: Any, path: Path, options: ReadOptions) -> FloatArray:
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if options.spacing_mm is not None:
        return np.asarray(options.spacing_mm, dtype=np.float64)
    if not np.isfinite(pixdim).all() or (pixdim == 0).any():
        what = f"the header gives voxels of {times(pixdim)} mm in pixdim"
        raise FacewarpError(what, path, SPACING_FIX)
    return np.abs(pixdim)


def _unit(header: Any) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:
        return "unknown"


def _orientation(
    header: Any, shape: tuple[int, ...], pixdim: FloatArray, path: Path, warnings: list[str]
) -> tuple[FloatArray, str, bool]:
    """Return the affine, what it is from, and whether sform and qform contradict one another."""
    plain = np.diag([-pixdim[0], -pixdim[1], pixdim[2], 1.0])
    sform = _sform(header, path) if int(header["sform_code"]) > 0 else None
    qform = _qform(header, path, pixdim) if int(header["qform_code"]) > 0 else None
    if sform is None and qform is None:
        return plain, "", False
    if sform is None or qform is None:
        found = sform if sform is not None else qform
        assert found is not None
        return found, "sform" if sform is not None else "qform", False
    placeholder = _is_aligned(sform) and _has_unit_voxels(sform)
    apart = _apart(straightened(sform), qform, shape)
    if placeholder and not _is_aligned(qform):
        said = "the sform is a placeholder of unit voxels: the qform is used"
        warnings.append(PlacementDoubt(said))
        return qform, "qform", True
    if apart is None or (placeholder and not np.allclose(pixdim, 1.0, rtol=AGREE)):
        return sform, "sform", False
    said = (
        f"sform and qform differ by {apart[0]:.1f} degrees and up to {apart[1]:.1f} mm: the sform "
        "is used, and written into both in every output (programs built on ITK take the qform "
        "unless sform_code is 1)"
    )
    warnings.append(PlacementDoubt(said))
    return sform, "sform", True


def _sform(header: Any, path: Path) -> FloatArray:
    affine = np.eye(4)
    affine[:3] = [np.asarray(header[f"srow_{axis}"], dtype=np.float64) for axis in "xyz"]
    sizes = np.linalg.norm(affine[:3, :3], axis=0) if np.isfinite(affine).all() else np.zeros(3)
    if (sizes <= 0).any() or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        what = (
            "the affine is not finite, or its axes lie in one plane: the program that wrote the "
            "file could not tell slices from phases, or lost the place"
        )
        raise FacewarpError(what, path, "Give the DICOM folder that it was converted from.")
    return affine


def _qform(header: Any, path: Path, pixdim: FloatArray) -> FloatArray:
    """From the quaternion, which is brought to length 1 where it is longer by rounding."""
    b, c, d = (float(header[f"quatern_{name}"]) for name in "bcd")
    place = [float(header[f"qoffset_{name}"]) for name in "xyz"]
    length = b * b + c * c + d * d
    if not np.isfinite([b, c, d, *place]).all() or length > 1 + 1e-3:
        what = f"the quaternion of the qform ({b:g}, {c:g}, {d:g}) is none"
        raise FacewarpError(what, path, "Write the true sform and qform.")
    if length > 1:
        b, c, d = (value / np.sqrt(length) for value in (b, c, d))
    a = np.sqrt(max(1 - b * b - c * c - d * d, 0.0))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    turn[:, 2] *= -1.0 if float(header["pixdim"][0]) < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * pixdim, place
    return affine


def _apart(
    one: FloatArray, other: FloatArray, shape: tuple[int, ...]
) -> tuple[float, float] | None:
    """Degrees and mm by which two affines differ over a volume; None where they agree."""
    a, b = (m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0) for m in (one, other))
    angle = float(np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))))
    corners = np.stack(np.meshgrid(*[(0.0, n - 1.0) for n in shape[:3]], indexing="ij"), -1)
    points = np.concatenate([corners.reshape(-1, 3), np.ones((8, 1))], axis=1)
    scaled = other.copy()
    scaled[:3, :3] = b * np.linalg.norm(one[:3, :3], axis=0)
    far = float(np.linalg.norm((points @ (one - scaled).T)[:, :3], axis=1).max())
    return (angle, far) if angle > _ANGLE_DEGREES or far > _APART_MM else None


def _settle_spacing(
    affine: FloatArray, sizes: FloatArray, pixdim: FloatArray, path: Path, warnings: list[str]
) -> str:
    """Settle a contradiction of affine and pixdim; the affine is changed in place."""
    said = f"the affine says voxels of {times(sizes)} mm, pixdim {times(pixdim)} mm"
    if np.allclose(sizes, 1.0, rtol=AGREE):
        affine[:3, :3] *= pixdim / sizes
        warnings.append(PlacementDoubt(f"{said}: pixdim is used, unit voxels being a placeholder"))
        return "pixdim"
    if not np.allclose(pixdim, 1.0, rtol=AGREE):
        ratio = float(np.prod(sizes) / np.prod(pixdim))
        if max(ratio, 1 / ratio) - 1 > GRAVE:
            what = f"{said}: volumes differ by {100 * (max(ratio, 1 / ratio) - 1):.0f} %"
            raise FacewarpError(what, path, SPACING_FIX)
    warnings.append(PlacementDoubt(f"{said}: the affine is used"))
    return "affine"


def _is_aligned(affine: FloatArray) -> bool:
    """Whether every axis runs along one of the world's, as in files that know no patient."""
    directions = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    return bool((np.sort(directions, axis=0)[1] < _ALIGNED).all())


def _has_unit_voxels(affine: FloatArray) -> bool:
    return bool(np.allclose(np.linalg.norm(affine[:3, :3], axis=0), 1.0, rtol=AGREE))
