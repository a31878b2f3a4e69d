"""Slices of a cine, from whatever files, laid together as one volume over time.

Slices lie where their own positions say; the order of the phases is that of `phase_order`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import (
    MAX_SHEAR_COSINE,
    PlacementDoubt,
    about_distance,
    check_field,
    check_spacing,
    shear_cosine,
    shear_warning,
    straightened,
    times,
)
from facewarp.cardiac.io.slices.phase_order import sort_phases
from facewarp.cardiac.io.slices.slice_grid import StackGrid, fit_grid, usual_picture
from facewarp.cardiac.io.slices.slice_image import SliceImage, by_position, without_copies
from facewarp.cardiac.io.timing import (
    IN_SECONDS,
    ReadOptions,
    in_seconds,
    is_cycle,
    settle_timing,
)
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

Pixels = NDArray[np.float32]

_EVEN: Final = 0.1  # relative difference up to which steps between slices are the same
_EVEN_UNSAID: Final = 0.02  # and up to which nothing is said of it
_SIDEWAYS_PX: Final = 0.1  # by which pictures of one slice may lie beside one another
_SAME_SCALE: Final = 0.01  # relative difference up to which grey values are of one scale
_PERCENT: Final = (95.0, 105.0)  # what shares of the whole heartbeat run through; no ms of a cine
_SPREAD: Final = 0.1  # relative difference of slices' times from which it is said
_RAS: Final = np.diag([-1.0, -1.0, 1.0])


def assemble(
    images: Sequence[SliceImage],
    pixels: Callable[[SliceImage], Pixels],
    place: Path,
    options: ReadOptions,
    warnings: Sequence[str] = (),
) -> Volume:
    """Lay the pictures of one cine together.

    Args:
        images: all of one size, spacing and direction.
        pixels: gives a picture's grey values, ``(H, W)``.
        place: where they are from, for messages.
        options: what the user knows better.
        warnings: what is to be said besides.

    Returns:
        ``(T, D, H, W)``, with an affine in RAS+ mm from position and orientation. Its header is
        one that outputs on the same grid can take over, and holds nothing of the patient.

    Raises:
        FacewarpError: missing or duplicate slices or phases, nothing to sort them by, or spacings
            or heart rates that contradict one another.
    """
    said = list(warnings)
    slices = by_position(without_copies(images, said))
    first = usual_picture(slices)
    if first.normal @ images[0].normal < 0:
        slices.reverse()
    order = sort_phases(slices, place, said)
    _same_count(slices, place)
    _refuse_moving(slices, place)
    _refuse_half_scaled(slices, place)
    affine, grid = _affine(slices, first, place, options, said)
    depth, count = len(slices), len(slices[0])
    height, width = first.shape
    check_field(np.linalg.norm(affine[:3, :3], axis=0), (width, height, depth), place)
    data = np.empty((count, depth, height, width), np.float32)
    factors = _common_scale(slices, said)
    for z, phases in enumerate(slices):
        pictures = np.stack([_checked(pixels(image), image) for image in phases])
        pictures *= factors[z][:, None, None]
        data[:, z] = grid.laid(pictures, z)
    cycles = _cycles(slices, said)
    step = _step_s(slices, said, cycles) if order == "trigger times" else None
    timing = settle_timing(step, order, count, cycles, place, options)
    header = nib.Nifti1Header()
    header.set_data_shape((width, height, depth, count))
    header.set_data_dtype(np.float32)
    header.set_xyzt_units("mm", "sec" if timing.step_s else "unknown")
    header.set_zooms((*np.linalg.norm(affine[:3, :3], axis=0), timing.step_s or 1.0))
    header.set_sform(affine, 1)
    header.set_qform(straightened(affine), 1)
    frames = tuple(tuple((m[t].file, m[t].frame) for m in slices) for t in range(count))
    origins = {
        "spacing": "--spacing" if options.spacing_mm else "pixel spacing and slice positions",
        "orientation": "positions and directions of the slices",
        "phase order": order,
        "time step": timing.step_from,
        "RR interval": timing.cycle_from,
    }
    return Volume(
        data,
        affine,
        timing.step_s,
        (*said, *timing.warnings),
        header,
        place,
        cycle_s=timing.cycle_s,
        origins=origins,
        sources=() if (grid.moved | grid.own).any() else frames,
        phase_of=_phase_of(slices),
    )


def _phase_of(slices: list[list[SliceImage]]) -> dict[str, dict[int, int]]:
    """Return the phase of each picture by UID and frame; of UIDs that several pictures share, none.

    Programs that take names out of files may give all of a series one UID.
    """
    found: dict[str, dict[int, int]] = {}
    shared = {""}
    for members in slices:
        for phase, image in enumerate(members):
            if found.setdefault(image.uid, {}).setdefault(image.frame, phase) != phase:
                shared.add(image.uid)
    return {uid: frames for uid, frames in found.items() if uid not in shared}


def _checked(pixels: Pixels, image: SliceImage) -> Pixels:
    if pixels.shape != image.shape or not np.isfinite(pixels).all():
        raise FacewarpError("the pixels do not fit the header", image.file, "Export it again.")
    return pixels


def _same_count(slices: list[list[SliceImage]], place: Path) -> None:
    counts = [len(members) for members in slices]
    usual = max(set(counts), key=counts.count)
    odd = [(z, count) for z, count in enumerate(counts) if count != usual]
    if odd:
        said = ", ".join(f"slice {z + 1} has {count}" for z, count in odd[:4])
        what = f"most slices have {usual} phases, but {said}"
        raise FacewarpError(what, place, "Add the missing pictures, or remove what is too many.")


def _affine(
    slices: list[list[SliceImage]],
    first: SliceImage,
    place: Path,
    options: ReadOptions,
    said: list[str],
) -> tuple[FloatArray, StackGrid]:
    """(4, 4) from voxels to RAS mm, and the grid that the slices are laid on."""
    grid = fit_grid(slices, first)
    if len(slices) > 1:
        steps = np.diff(grid.along_mm)
        usual = float(np.median(steps))
        _refuse_gaps(steps, usual, place, said)
        said += grid.described()
        between = (grid.along_mm[-1] - grid.along_mm[0]) / (len(slices) - 1)
        step = (first.normal + grid.lean) * between
        if options.spacing_mm is None:
            says = "the header says", "their positions", "positions are used"
            said += about_distance(usual, first.gap_mm, first.thickness_mm, says, place)
    else:
        step = first.normal * (first.gap_mm or first.thickness_mm or 1.0)
    start = grid.place_mm(0)
    affine = np.eye(4)
    x, y = first.spacing_mm
    affine[:3, :3] = _RAS @ np.stack([first.axes[0] * x, first.axes[1] * y, step], axis=1)
    affine[:3, 3] = _RAS @ start
    if options.spacing_mm is not None:
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        if not np.allclose(sizes, options.spacing_mm, rtol=0.01):
            text = f"--spacing says voxels of {times(options.spacing_mm)} mm, the files "
            said.append(PlacementDoubt(f"{text}{times(sizes)} mm: the first is used"))
        affine[:3, :3] *= np.asarray(options.spacing_mm) / sizes
    check_spacing(np.linalg.norm(affine[:3, :3], axis=0), place)
    if shear_cosine(affine) > MAX_SHEAR_COSINE:
        said.append(shear_warning(affine, 1))
    return affine, grid


def _refuse_gaps(steps: FloatArray, usual: float, place: Path, said: list[str]) -> None:
    for z in np.flatnonzero(np.abs(steps / usual - 1) > _EVEN):
        lost = round(float(steps[z]) / usual) - 1
        if lost >= 1:
            some = "a slice is" if lost == 1 else f"{lost} slices are"
            what = f"{some} missing between slices {z + 1} and {z + 2}"
        else:
            what = f"slices {z + 1} and {z + 2} are {steps[z]:.1f} mm apart"
        what += f": slices are {usual:.1f} mm apart elsewhere"
        raise FacewarpError(what, place, "Export the whole stack, and it alone.")
    if np.abs(steps / usual - 1).max() > _EVEN_UNSAID:
        text = f"slices are {steps.min():.2f} to {steps.max():.2f} mm apart: they are taken to be "
        said.append(PlacementDoubt(f"{text}{steps.mean():.2f} mm apart throughout"))


def _refuse_half_scaled(slices: list[list[SliceImage]], place: Path) -> None:
    """Refuse grey values of two scales: rescaled where the header says so, and as stored."""
    images = [image for members in slices for image in members]
    silent = [image.file.name for image in images if image.slope is None]
    if silent and any(image.slope not in (None, 1.0) for image in images):
        what = (
            f"{len(silent)} of {len(images)} pictures tell no RescaleSlope, as {silent[0]}, and "
            "the others do: grey values would be of two scales"
        )
        raise FacewarpError(what, place, "Export the series again.")


def _common_scale(slices: list[list[SliceImage]], said: list[str]) -> list[Pixels]:
    """Return the factor of every picture that brings all to one scale, 1 for the usual one.

    Philips writes pictures of one stack at scales of their own, and beside them the factor to what
    was measured; the rescaling alone leaves slices of different brightness.
    """
    told = [[image.precise for image in members] for members in slices]
    known = [value for row in told for value in row if value is not None]
    usual = float(np.median(known)) if known else 1.0
    if not known or max(known) / min(known) - 1 <= _SAME_SCALE:
        return [np.ones(len(row), np.float32) for row in told]
    if any(value is None for row in told for value in row):
        said.append(
            "some pictures tell Philips' scale slope (2005,100E) and others do not: it is not "
            "used, so that slices may be of different brightness"
        )
        return [np.ones(len(row), np.float32) for row in told]
    said.append(
        f"pictures are stored at scales up to {max(known) / min(known):.2f} times one another's: "
        "Philips' scale slope (2005,100E) brings them to one, as dcm2niix does"
    )
    return [np.array([value / usual for value in row if value], np.float32) for row in told]


def _refuse_moving(slices: list[list[SliceImage]], place: Path) -> None:
    """Refuse a slice whose pictures lie beside one another, as of another field of view."""
    for z, members in enumerate(slices):
        first = members[0]
        for image in members[1:]:
            if not image.has_grid_of(first):
                what = f"pictures of slice {z + 1} have different pixels: {first.file.name}, "
                raise FacewarpError(
                    what + image.file.name, place, "Keep one acquisition of each slice."
                )
            aside = (image.place_mm - first.place_mm) @ first.axes.T
            if np.abs(aside / first.spacing_mm).max() > _SIDEWAYS_PX:
                what = (
                    f"pictures of slice {z + 1} lie {np.linalg.norm(aside):.1f} mm beside one "
                    f"another: {first.file.name}, {image.file.name}"
                )
                raise FacewarpError(what, place, "Keep one acquisition of each slice.")


def _step_s(
    slices: list[list[SliceImage]], said: list[str], cycles_s: Mapping[str, float]
) -> float | None:
    """Seconds a phase by the trigger times, which some writers give in seconds or in percent."""
    count = len(slices[0])
    if count < 2:
        return None
    spans = np.array([((m[-1].trigger_ms or 0) - (m[0].trigger_ms or 0)) for m in slices])
    steps = spans / (count - 1) / 1000
    step = float(np.median(steps))
    if in_seconds(step, count):
        said.append(IN_SECONDS)
        steps, step = steps * 1000, step * 1000
    cycle = next(filter(is_cycle, cycles_s.values()), None)
    if cycle is not None and _PERCENT[0] <= 1000 * step * count <= _PERCENT[1]:
        said.append(
            f"trigger times run through {1000 * step * count:.0f} in a heartbeat of "
            f"{1000 * cycle:.0f} ms: they are taken for percent of it"
        )
        steps, step = steps * 10 * cycle, step * 10 * cycle
    if steps.max() / max(steps.min(), 1e-9) - 1 > _SPREAD:
        said.append(
            f"phases are {1000 * steps.min():.1f} to {1000 * steps.max():.1f} ms apart, not the "
            f"same in every slice: {1000 * step:.1f} ms is used"
        )
    return step


def _cycles(slices: list[list[SliceImage]], said: list[str]) -> dict[str, float]:
    """Return the RR intervals told, by what tells them: the median over the slices."""
    found: dict[str, float] = {}
    names = {name: None for members in slices for image in members for name in image.cycles_s}
    for name in names:
        values = np.array(
            [
                np.median([image.cycles_s[name] for image in members if name in image.cycles_s])
                for members in slices
                if any(name in image.cycles_s for image in members)
            ]
        )
        found[name] = float(np.median(values))
        if values.max() / values.min() - 1 > _SPREAD and is_cycle(found[name]):
            said.append(
                f"{name} says heartbeats of {1000 * values.min():.0f} to {1000 * values.max():.0f} "
                f"ms, differently from slice to slice: {1000 * found[name]:.0f} ms is used"
            )
    return found
