"""A cine short-axis series in DICOM as one volume over time."""

from itertools import pairwise
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_frames import (
    DicomImage,
    dicom_files,
    is_dicom,
    read_images,
    read_pixels,
)
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError

FloatArray = NDArray[np.float64]

_SAME_MM: Final = 0.2  # slices nearer than this are the same one
_SAME_MS: Final = 0.5
_EVEN: Final = 0.1  # relative difference up to which steps between slices are the same
_PARALLEL: Final = 1e-3
_RAS: Final = np.diag([-1.0, -1.0, 1.0])
_CYCLE_S: Final = (0.2, 4.0)  # that a heart can have


def has_dicom(folder: Path) -> bool:
    """Whether there is a DICOM file in a folder, at any depth."""
    return any(path.is_file() and is_dicom(path) for path in folder.rglob("*"))


def read_dicom(place: Path) -> Volume:
    """Read a cine: a folder of single pictures or enhanced files, or one enhanced file.

    Pictures are gathered by where they lie along the stack and sorted by their time after the
    R wave. Series of one slice each make one stack together; pictures that look another way or
    have another size are not mixed in, but named.

    Args:
        place: the folder, searched at any depth, or the file.

    Returns:
        ``(T, D, H, W)``, with an affine in RAS+ mm from position and orientation. Its header is
        one that outputs on the same grid can take over, and holds nothing of the patient.

    Raises:
        FacewarpError: no pictures, mixed series, missing or duplicate slices or phases, no time
            and no number to sort by, or what
            :func:`~facewarp.cardiac.io.dicom_frames.read_images` refuses.
    """
    files = dicom_files(place)
    images = read_images(files)
    if not images:
        what = "there is no DICOM picture" + (f" among {len(files)} files" if files else "")
        raise FacewarpError(what, place, "Give the folder of a cine short-axis series.")
    _one_kind(images, place)
    slices = _slices(images, place)
    affine, warnings = _affine(slices, place)
    pixels: dict[Path, NDArray[np.float32]] = {}
    depth, count = len(slices), len(slices[0])
    height, width = images[0].shape
    data = np.empty((count, depth, height, width), np.float32)
    for z, phases in enumerate(slices):
        for t, image in enumerate(phases):
            if image.file not in pixels:
                found = read_pixels(image.file)
                if found.shape[0] == 1:
                    data[t, z] = _checked(found[0], image)
                    continue
                pixels[image.file] = found
            data[t, z] = _checked(pixels[image.file][image.frame], image)
    step = _time_step(slices)
    header = nib.Nifti1Header()
    header.set_data_shape((width, height, depth, count))
    header.set_data_dtype(np.float32)
    header.set_xyzt_units("mm", "sec" if step else "unknown")
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), step or 1.0))
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    sources = tuple(tuple((m[t].file, m[t].frame) for m in slices) for t in range(count))
    return Volume(data, affine, step, tuple(warnings), header, place, sources=sources)


def _checked(pixels: NDArray[np.float32], image: DicomImage) -> NDArray[np.float32]:
    if pixels.shape != image.shape or not np.isfinite(pixels).all():
        raise FacewarpError("the pixels do not fit the header", image.file, "Export it again.")
    return pixels


def _one_kind(images: list[DicomImage], place: Path) -> None:
    """All pictures have one size, spacing and direction."""
    kinds: dict[tuple[object, ...], list[DicomImage]] = {}
    for image in images:
        for key, members in kinds.items():
            if key[:2] == (image.shape, image.spacing_mm) and np.allclose(
                members[0].axes, image.axes, atol=_PARALLEL
            ):
                members.append(image)
                break
        else:
            kinds[(image.shape, image.spacing_mm, len(kinds))] = [image]
    if len(kinds) > 1:
        said = []
        for members in kinds.values():
            titles = sorted({image.title or "unnamed" for image in members})
            height, width = members[0].shape
            said.append(f"{len(members)} of {width} x {height} ({', '.join(titles[:3])})")
        what = f"series of {len(kinds)} kinds are mixed: {'; '.join(said)}"
        raise FacewarpError(what, place, "Give the folder of the short-axis cine alone.")


def _slices(images: list[DicomImage], place: Path) -> list[list[DicomImage]]:
    """The pictures by slice, in the order along the normal, each slice's by time."""
    normal = images[0].normal
    ordered = sorted(images, key=lambda image: float(image.place_mm @ normal))
    slices: list[list[DicomImage]] = []
    for image in ordered:
        at = float(image.place_mm @ normal)
        if slices and abs(at - float(slices[-1][0].place_mm @ normal)) < _SAME_MM:
            slices[-1].append(image)
        else:
            slices.append([image])
    timed = all(image.time_ms is not None for image in images)
    for z, members in enumerate(slices):
        if timed:
            members.sort(key=lambda image: (image.time_ms or 0.0, image.order))
        else:
            members.sort(key=lambda image: image.order)
        for one, other in pairwise(members):
            same = (
                abs((one.time_ms or 0.0) - (other.time_ms or 0.0)) < _SAME_MS
                if timed
                else one.order == other.order
            )
            if same:
                when = f"{one.time_ms:g} ms" if timed else f"number {one.order:g}"
                what = f"slice {z + 1} is there twice at {when}: {one.file.name}, {other.file.name}"
                fix = "Keep one acquisition of each slice."
                raise FacewarpError(what, place, fix)
    counts = [len(members) for members in slices]
    usual = max(set(counts), key=counts.count)
    odd = [(z, count) for z, count in enumerate(counts) if count != usual]
    if odd:
        said = ", ".join(f"slice {z + 1} has {count}" for z, count in odd[:4])
        what = f"most slices have {usual} phases, but {said}"
        raise FacewarpError(what, place, "Add the missing pictures, or remove what is too many.")
    return slices


def _affine(slices: list[list[DicomImage]], place: Path) -> tuple[FloatArray, list[str]]:
    """(4, 4) from voxels to RAS mm, and what is to be said of it."""
    first, normal = slices[0][0], slices[0][0].normal
    places = np.array([members[0].place_mm for members in slices])
    along = places @ normal
    warnings: list[str] = []
    if len(slices) > 1:
        steps = np.diff(along)
        usual = float(np.median(steps))
        for z in np.flatnonzero(np.abs(steps / usual - 1) > _EVEN):
            lost = round(float(steps[z]) / usual) - 1
            if lost >= 1:
                some = "a slice is" if lost == 1 else f"{lost} slices are"
                what = f"{some} missing between slices {z + 1} and {z + 2}"
            else:
                what = f"slices {z + 1} and {z + 2} are {steps[z]:.1f} mm apart"
            what += f": slices are {usual:.1f} mm apart elsewhere"
            raise FacewarpError(what, place, "Export the whole stack, and it alone.")
        step = (places[-1] - places[0]) / (len(slices) - 1)
        told = first.gap_mm
        if told is not None and abs(told / usual - 1) > _EVEN:
            warnings.append(
                f"the header says slices {told:g} mm apart, their positions {usual:.4g} mm: "
                "positions are used"
            )
    else:
        step = normal * (first.gap_mm or first.thickness_mm or 1.0)
    affine = np.eye(4)
    x, y = first.spacing_mm
    affine[:3, :3] = _RAS @ np.stack([first.axes[0] * x, first.axes[1] * y, step], axis=1)
    affine[:3, 3] = _RAS @ places[0]
    return affine, warnings


def _time_step(slices: list[list[DicomImage]]) -> float | None:
    """Seconds a phase, where the pictures tell their time."""
    count = len(slices[0])
    if count < 2 or any(image.time_ms is None for members in slices for image in members):
        return None
    spans = [((m[-1].time_ms or 0.0) - (m[0].time_ms or 0.0)) / (count - 1) for m in slices]
    seconds = float(np.median(spans)) / 1000
    low, high = _CYCLE_S
    return seconds if low <= seconds * count <= high else None
