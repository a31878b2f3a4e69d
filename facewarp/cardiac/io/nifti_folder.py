"""A folder of NIfTI files as one cine: a file a phase, a file a slice, or one among others.

Order of trust
    Phases: TriggerDelayTime of the JSON files beside them; the trigger time that dcm2niix puts at
    the end of a name (``_t40``); the one number in which the names differ; the names, with a
    sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.names.nifti_names import SUFFIXES, is_nifti, stem
from facewarp.cardiac.io.names.views import is_label_file
from facewarp.cardiac.io.nifti_reader import cycles_beside, read_volume, sidecar, sidecar_of
from facewarp.cardiac.io.slices.cine_choice import choose_cine
from facewarp.cardiac.io.slices.dicom_tags import modality_word
from facewarp.cardiac.io.slices.label_maps import has_few_values
from facewarp.cardiac.io.slices.slice_image import SliceImage, component_in
from facewarp.cardiac.io.slices.stack import assemble
from facewarp.cardiac.io.timing import (
    IN_SECONDS,
    ReadOptions,
    in_seconds,
    missing_phase,
    settle_timing,
)
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError

_MODALITY: Final = "MR"
_TRIGGER: Final = re.compile(r"_t(\d+)[a-z]?$")
_COMPLEX: Final = re.compile(r"_(ph|real|imaginary)(?=_|[a-z]?$)")  # by dcm2niix, beside magnitude
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_SIGNED: Final = re.compile(r"-?\d+(?:\.\d+)?")
_LPS: Final = np.diag([-1.0, -1.0, 1.0])


def labels_beside(path: Path) -> list[Path]:
    """Find a reader's labels beside a file over time: named like it with ``_gt``, as in M&Ms."""
    named = [path.with_name(f"{stem(path)}_gt{suffix}") for suffix in SUFFIXES]
    return [labels for labels in named if labels.is_file()]


def read_with(path: Path) -> list[Path]:
    """Return the files beside a cine of one file that its results depend on, too."""
    return [*(p for p in [sidecar_of(path)] if p.is_file()), *labels_beside(path)]


def picture_files(folder: Path) -> list[Path]:
    """Return the NIfTI files of a folder that are not labels by name, by name."""
    return sorted(p for p in folder.iterdir() if is_nifti(p) and not is_label_file(p))


def read_phases(paths: Sequence[Path], folder: Path, options: ReadOptions) -> Volume:
    """Read single volumes as the phases of one cine, in their order, or slices as a stack.

    Args:
        paths: the files, in the order in which they are meant if nothing tells another.
        folder: that they are in, for messages.
        options: what the user knows better.

    Raises:
        FacewarpError: they do not fit each other, or one cannot be read.
    """
    volumes = [read_volume(path, options=options) for path in paths]
    volumes = _without_labels(volumes)
    if any(volume.shape[0] == 1 for volume in volumes) or (
        len(volumes) > 1 and all(volume.phases > 1 for volume in volumes)
    ):
        return _slices(volumes, folder, options)
    return _phases(volumes, folder, options)


def kind_told(path: Path) -> str:
    """Tell what a NIfTI file is by the JSON file beside it, if no magnitude of MR; else ""."""
    beside = sidecar(path)
    modality = str(beside.get("Modality") or _MODALITY)
    if modality != _MODALITY:
        return f"a picture of modality {modality_word(modality)}"
    image_type = beside.get("ImageType")
    component = component_in(image_type) if isinstance(image_type, list) else "magnitude"
    article = "an" if component == "imaginary" else "a"
    return "" if component == "magnitude" else f"{article} {component} picture, not a magnitude"


def refuse_other_kinds(path: Path) -> None:
    """Refuse a NIfTI file that is no magnitude of MR by the JSON file beside it.

    Raises:
        FacewarpError: it is of another modality, or the phase or another part of complex pictures.
    """
    if kind := kind_told(path):
        what = f"this is {kind}, as {sidecar_of(path).name} tells"
        raise FacewarpError(what, path, "Give a magnitude cine of MR.")


def magnitude_files(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Choose the files that are magnitudes of MR, and say which are left out.

    By the JSON files beside them, or by dcm2niix's names where the file of magnitudes is there.

    Args:
        files: of a folder; where all are of another kind, all are returned.
    """
    names = {stem(path) for path in files}
    others = {path: kind_told(path) for path in files}
    for path in files:
        named = _COMPLEX.search(stem(path))
        if named and _COMPLEX.sub("", stem(path)) in names:
            others[path] = others[path] or "a phase, real or imaginary picture by its name"
    kept = [path for path in files if not others[path]]
    if not kept or len(kept) == len(files):
        return list(files), []
    told = "; ".join(f"{path.name}, {kind}" for path, kind in others.items() if kind)
    return kept, [f"left out: {told}"]


def numbers_in(names: Sequence[str]) -> list[float] | None:
    """Return the number in which names differ, decimals too; None without one, or one order.

    Of several such numbers, as a count and a time, the first is taken if all order the names alike.
    """
    parts = [_NUMBER.split(name) for name in names]
    found = [[float(number) for number in _NUMBER.findall(name)] for name in names]
    if any(part != parts[0] for part in parts) or not found[0]:
        return None
    columns = [list(column) for column in zip(*found, strict=True) if len(set(column)) > 1]
    if not columns or any(len(set(column)) != len(names) for column in columns):
        return None
    orders = {tuple(np.argsort(column).tolist()) for column in columns}
    return columns[0] if len(orders) == 1 else None


def cines_by_name(names: Sequence[str]) -> list[list[str]]:
    """Return names of phases by cine where they are of several: ``a_01``, ``a_02``, ``b_01``, ...

    Each cine has two names at least; [] where they may be of one.
    """
    parts: dict[object, list[str]] = {}
    for name in names:
        parts.setdefault(_SIGNED.sub("#", name), []).append(name)
    if len(parts) == 1:
        columns = list(zip(*(_SIGNED.findall(name) for name in names), strict=True))
        varying = [column for column in columns if len(set(column)) > 1]
        repeated = [column for column in varying if len(set(column)) < len(names)]
        if len(varying) < 2 or not repeated:
            return []
        parts = {}
        for name, value in zip(names, repeated[0], strict=True):
            parts.setdefault(value, []).append(name)
    cines = list(parts.values())
    return cines if len(cines) > 1 and min(map(len, cines)) > 1 else []


def _refuse_several_cines(volumes: Sequence[Volume], folder: Path) -> None:
    """Refuse phases of several cines in one folder: of equal grids they would be one beat.

    Raises:
        FacewarpError: the files' names are those of several.
    """
    cines = cines_by_name([stem(volume.path) for volume in volumes])
    if cines:
        some = "; ".join(f"{one[0]} and {len(one) - 1} more" for one in cines[:3])
        what = f"the files are phases of {len(cines)} cines by their names: {some}"
        fix = "Give a folder for each, or a part of the names of one with --series."
        raise FacewarpError(what, folder, fix)


def _without_labels(volumes: list[Volume]) -> list[Volume]:
    """Without volumes that hold a few whole numbers where the others hold grey values."""
    few = [has_few_values(volume.data) for volume in volumes]
    if all(few):
        return volumes
    return [volume for volume, labels in zip(volumes, few, strict=True) if not labels]


def _phases(volumes: list[Volume], folder: Path, options: ReadOptions) -> Volume:
    volumes, said, triggers = _in_time(volumes, folder)
    first = volumes[0]
    for volume in volumes:
        if volume.data.ndim != 3:
            what = f"among several files this one has {volume.phases} phases"
            raise FacewarpError(what, volume.path, "Give the cine alone, or one volume a file.")
        if volume.shape != first.shape:
            sizes = [" x ".join(str(n) for n in v.shape[::-1]) for v in (volume, first)]
            what = f"this phase has {sizes[0]} voxels, the first one {sizes[1]}"
            raise FacewarpError(what, volume.path, "All phases need the same slices.")
        if not np.allclose(volume.affine, first.affine, rtol=1e-3, atol=1e-2):
            what = "this phase lies elsewhere in the world than the first one"
            raise FacewarpError(what, volume.path, "All phases need the same affine.")
    data = np.stack([volume.data for volume in volumes])
    step = None
    if triggers is not None and len(triggers) > 1:
        step = (triggers[-1] - triggers[0]) / (len(triggers) - 1) / 1000
        if in_seconds(step, len(triggers)):
            said.append(IN_SECONDS)
            step *= 1000
    timing = settle_timing(
        step, "TriggerDelayTime", len(volumes), cycles_beside(first.path), folder, options
    )
    return replace(
        first,
        data=data,
        time_step_s=timing.step_s,
        cycle_s=timing.cycle_s,
        warnings=(*first.warnings, *said, *timing.warnings),
        origins={
            **first.origins,
            "time step": timing.step_from,
            "RR interval": timing.cycle_from,
            "phase order": "trigger times" if triggers is not None else "names of the files",
        },
    )


def _in_time(
    volumes: list[Volume], folder: Path
) -> tuple[list[Volume], list[str], list[float] | None]:
    """Return the volumes in the order of time, what is to be said, and their trigger times, ms."""
    triggers = _triggers_ms([volume.path for volume in volumes])
    told = [time for time in triggers if time is not None]
    if len(told) == len(volumes) and len(set(told)) == len(told):
        order = np.argsort(told)
        times = [told[i] for i in order]
        return [volumes[i] for i in order], _about_steps(times), times
    _refuse_several_cines(volumes, folder)
    numbers = numbers_in([stem(volume.path) for volume in volumes])
    if numbers is not None:
        said = _about_steps(sorted(numbers))
        return [volumes[i] for i in np.argsort(numbers)], said, None
    said = ["no file tells the time of its phase: the phases are in the order of the files' names"]
    return volumes, said if len(volumes) > 2 else [], None


def _about_steps(times: Sequence[float]) -> list[str]:
    """Return what is to be said of phases that may be missing, by times or counts."""
    gap = missing_phase(times)
    return [f"the files' phases: {gap}"] if gap else []


def _triggers_ms(paths: Sequence[Path]) -> list[float | None]:
    """Trigger times of files; dcm2niix names the one at 0 ms like the others without ``_t80``."""
    told = [_trigger_ms(path) for path in paths]
    first = {_TRIGGER.sub("", stem(path)) for path in paths if _TRIGGER.search(stem(path))}
    return [
        0.0 if time is None and stem(path) in first else time
        for path, time in zip(paths, told, strict=True)
    ]


def _trigger_ms(path: Path) -> float | None:
    told = sidecar(path).get("TriggerDelayTime")
    if isinstance(told, int | float):
        return float(told)
    found = _TRIGGER.search(stem(path))
    return float(found.group(1)) if found else None


def _slices(volumes: list[Volume], folder: Path, options: ReadOptions) -> Volume:
    """Files of one slice or a few each as one stack."""
    triggers = _triggers_ms([volume.path for volume in volumes])
    images: list[SliceImage] = []
    pixels: dict[tuple[Path, int], NDArray[np.float32]] = {}
    for volume, trigger in zip(volumes, triggers, strict=True):
        images += _images_of(volume, trigger, pixels)
    chosen, said = choose_cine(images, folder, options.series)
    known = {text: None for volume in volumes for text in volume.warnings}
    found = assemble(
        chosen,
        lambda image: pixels[image.file, image.frame],
        folder,
        options,
        [*known, *said],
    )
    twice = [text for text in found.warnings if text.startswith("--spacing")][1:]
    warnings = tuple(text for text in found.warnings if text not in twice)
    return replace(found, oriented=volumes[0].oriented, sources=(), warnings=warnings)


def _images_of(
    volume: Volume,
    trigger_ms: float | None,
    pixels: dict[tuple[Path, int], NDArray[np.float32]],
) -> list[SliceImage]:
    """Return the slices of a volume or cine, each with its place and what tells its phase."""
    data = volume.data if volume.data.ndim == 4 else volume.data[None]
    x, y, _ = volume.spacing_mm
    axes = np.stack([_LPS @ volume.affine[:3, axis] for axis in (0, 1)])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    trigger = trigger_ms if len(data) == 1 else None
    number, cycles = _NUMBER.findall(stem(volume.path)), cycles_beside(volume.path)
    step_ms = None if volume.time_step_s is None else 1000 * volume.time_step_s
    found = []
    for t, z in np.ndindex(data.shape[:2]):
        frame = t * data.shape[1] + z
        pixels[volume.path, frame] = data[t, z]
        place = _LPS @ (volume.affine @ [0, 0, z, 1])[:3]
        found.append(
            SliceImage(
                volume.path,
                frame,
                (data.shape[2], data.shape[3]),
                (x, y),
                axes,
                place,
                series=str(volume.path) if len(data) > 1 else "",
                title=str(sidecar(volume.path).get("SeriesDescription", "")),
                trigger_ms=t * step_ms if step_ms is not None and len(data) > 1 else trigger,
                temporal=float(t + 1) if len(data) > 1 else None,
                cycles_s={name: value for name, value in cycles.items() if value > 0},
                number=float(number[-1]) if number and len(data) == 1 else float(t),
            )
        )
    return found
