"""A patient's files: a cine as one file, as a folder of phases, or as ACDC stores it."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.io.dicom_series import has_dicom, is_dicom, read_dicom
from facewarp.cardiac.io.names.foreign import first_way_in
from facewarp.cardiac.io.names.nifti_names import is_nifti, stem
from facewarp.cardiac.io.names.views import (
    about_long_axis,
    cines_apart,
    is_label_file,
    moment_of,
)
from facewarp.cardiac.io.nifti_folder import (
    magnitude_files,
    picture_files,
    read_phases,
    refuse_other_kinds,
)
from facewarp.cardiac.io.nifti_reader import axes_of, read_volume
from facewarp.cardiac.io.placement import SPACING_FIX
from facewarp.cardiac.io.slices.fill_values import as_picture, of_one_scale
from facewarp.cardiac.io.slices.label_maps import refuse_labels
from facewarp.cardiac.io.slices.phase_similarity import (
    about_copies,
    about_doubled,
    about_slice_order,
    exchanged,
    mixed_up,
    out_of_order,
)
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError, nothing_there
from facewarp.system.user_folders import files_below

INFO: Final = "Info.cfg"
_NAMED: Final = 4  # files
_FEW_PHASES: Final = 3  # as of a pair of moments, or of a part of a cine
_LEAST_PX: Final = 16
_MANY: Final = 64  # slices or phases that no cine of few pixels has
_SLICES_OF_HEART: Final = 6  # with fewer a stack may be a part of a heart
_LEAST_DEPTH_MM: Final = 20.0
_UNTOLD_DEPTH_MM: Final = 40.0  # where voxels are of 1 x 1 x 1 mm
_DEEP: Final = 1.5  # times the pixels of a slice's shorter side, slices that no stack has
_AXES_FIX: Final = (
    "Write it as (X, Y, Z, T), time last (numpy.transpose), with the spacing of these axes."
)
_FRAME: Final = re.compile(r"_frame(\d+)$")
_LABEL_SUFFIX: Final = re.compile(r"(_gt|_d?seg|_label|_labels|_mask)$", re.IGNORECASE)


@dataclass(frozen=True)
class Info:
    """What ACDC's ``Info.cfg`` says of a patient.

    Attributes:
        ed: the frame of end-diastole, counted from 1.
        es: the frame of end-systole, counted from 1.
        group: the diagnosis, e.g. ``"DCM"``; "" where it is not told.
        height_cm: body height; None where it is not told.
        weight_kg: body weight; None where it is not told.
        n_frames: number of phases in the cine; None where it is not told.
    """

    ed: int
    es: int
    group: str = ""
    height_cm: float | None = None
    weight_kg: float | None = None
    n_frames: int | None = None


@dataclass(frozen=True, eq=False)
class Cine:
    """The phases of a heart beat.

    Attributes:
        name: the patient's name: that of the folder or the file.
        path: where it came from.
        volume: the phases, ``(T, D, H, W)``, slices along D.
        frames: the number of every phase in the whole cine, counted from 1.
        info: what the patient's ``Info.cfg`` says; None without one.
        labels: known labels, frame -> file.
        ends_early: whether the heart's volumes show that the phases end before the heartbeat does,
            where no time tells.
    """

    name: str
    path: Path
    volume: Volume
    frames: tuple[int, ...]
    info: Info | None
    labels: dict[int, Path]
    ends_early: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every phase of the cine is there, so that it makes a curve and a cycle."""
        whole = self.info.n_frames if self.info else None
        count = max(whole or 0, self.frames[-1])  # which a file may claim to be anything
        found = len(self.frames)
        return found == count > 2 and self.frames == tuple(range(1, found + 1))

    @property
    def closes(self) -> bool:
        """Whether the phases are a whole heartbeat, so that the last is followed by the first."""
        return self.is_whole and self.volume.covers_cycle and not self.ends_early


def read_info(folder: str | os.PathLike[str]) -> Info:
    """Read the ``Info.cfg`` of a patient's folder.

    Raises:
        FacewarpError: it is missing, or does not tell ED and ES.
    """
    path = Path(folder) / INFO
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise FacewarpError(error.strerror or "the file cannot be read", path) from error
    pairs = (line.partition(":")[::2] for line in text.splitlines() if ":" in line)
    said = {key.strip().lower(): value.strip() for key, value in pairs}
    ed, es = _whole(said.get("ed")), _whole(said.get("es"))
    if not ed or not es or ed == es:
        what = "the file does not tell the frames of ED and ES"
        raise FacewarpError(what, path, "It needs lines like 'ED: 1' and 'ES: 12'.")
    return Info(
        ed,
        es,
        said.get("group", ""),
        _number(said.get("height")),
        _number(said.get("weight")),
        _whole(said.get("nbframe")),
    )


def find_patients(folder: str | os.PathLike[str]) -> list[Path]:
    """Find the patients' folders, those with an ``Info.cfg``, at any depth, by name."""
    return sorted(
        (path.parent for path in files_below(Path(folder)) if path.name == INFO),
        key=lambda p: p.name,
    )


def frame_files(folder: Path) -> tuple[dict[int, Path], dict[int, Path]]:
    """Find the single frames of an ACDC folder, and their labels, each by frame number."""
    images: dict[int, Path] = {}
    labels: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if is_nifti(p)):
        name = stem(path)
        images_or_labels = labels if is_label_file(path) else images
        found = _FRAME.search(_LABEL_SUFFIX.sub("", name))
        if found:
            images_or_labels[int(found.group(1))] = path
    return images, labels


def open_cine(
    path: str | os.PathLike[str],
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> Cine:
    """Read a cine.

    Args:
        path: a NIfTI file of four axes; a folder with one file a phase, in the order of the
            numbers in their names; or an ACDC patient's folder, of which the whole cine is read
            if it is there and the single frames if not; or files of one slice each; or DICOM, a
            folder of a short-axis series or one enhanced file.
        options: what the user knows better than the files.

    Raises:
        FacewarpError: nothing there, one phase only, phases that do not fit each other, slices
            without a picture, slices and phases mixed up, several cines, or what
            `nifti_reader.read_volume` refuses.
    """
    place = Path(path)
    if not place.exists():
        raise nothing_there(place)
    if place.is_dir():
        cine = _open_folder(place, options)
    elif not is_nifti(place) and is_dicom(place):
        cine = _from_volume(read_dicom(place, options), place, place.stem, None)
    else:
        refuse_other_kinds(place)
        cine = _from_file(place, _file_name(place), None, options)
        cine = _saying(cine, about_long_axis([place]))
    data, said = as_picture(cine.volume.data, place)
    cine = replace(cine, volume=replace(cine.volume, data=data).slices_first())
    data, scaled = of_one_scale(cine.volume.data)
    cine = replace(cine, volume=replace(cine.volume, data=data))
    cine = _saying(cine, [*said, *([scaled] if scaled else []), *about_copies(data)])
    _check_axes(cine)
    _check_depth(cine, options)
    _check_slices(cine)
    if cine.is_whole and mixed_up(cine.volume.data, cine.volume.spacing_mm[2]):
        what = "slices and phases are mixed up: neighbouring slices look alike, phases do not"
        fix = "A converter did it. Give the DICOM folder that it was converted from."
        raise FacewarpError(what, place, fix)
    data, slice_mm = cine.volume.data, cine.volume.spacing_mm[2]
    cine = _saying(cine, [*about_doubled(data, slice_mm), *about_slice_order(data, slice_mm)])
    cine = _saying(cine, _about_few(cine))
    return _saying(cine, _about_order(cine)) if cine.is_whole else cine


def _about_few(cine: Cine) -> list[str]:
    """Return what is to be said of so few phases that they must be chosen ones."""
    count = cine.volume.phases
    if count > _FEW_PHASES or cine.info is not None:
        return []
    if cine.path.is_dir() and {"ED", "ES"} <= set(map(moment_of, picture_files(cine.path))):
        return []
    return [
        f"the cine has {count} phases: where end-diastole and end-systole are not among them, the "
        "ejection fraction is too small"
    ]


def _about_order(cine: Cine) -> list[str]:
    """Return what is to be said of phases that do not follow one another."""
    slices = out_of_order(cine.volume.data)
    if not slices:
        return []
    depth = cine.volume.shape[0]
    which = f"{len(slices)} of {depth} slices" if len(slices) < depth else "every slice"
    by = cine.volume.origins.get("phase order", "the file")
    return [
        f"in {which} the phases do not follow one another as those of a beating heart: their "
        f"order, told by {by}, seems to be wrong, and with it curve, motion and strain"
    ]


def _open_folder(folder: Path, options: ReadOptions) -> Cine:
    name = folder.resolve().name
    info = read_info(folder) if (folder / INFO).is_file() else None
    files = picture_files(folder)
    if not files:
        if has_dicom(folder):
            return _from_volume(read_dicom(folder, options), folder, name, info)
        raise _no_cine(folder)
    files, about_kinds = magnitude_files(files)
    files, said = cines_apart(files, options.series)
    said += about_kinds
    for path in files:
        refuse_other_kinds(path)
    images, labels = frame_files(folder)
    images = {frame: path for frame, path in images.items() if path in files}
    whole = [p for p in files if _is_whole_cine(p, files)]
    if len(whole) == 1 or len(files) == 1:
        cine = _from_file((whole or files)[0], name, info, options)
        said += _about_others(cine.path, files)
        return _saying(replace(cine, path=folder, labels=labels), said)
    if images and set(images.values()) == set(files):
        numbered = images
    else:
        numbered = dict(enumerate(sorted(files, key=lambda p: _natural(p.name)), start=1))
        labels = {}
    if 0 in numbered:
        numbered = {frame + 1: path for frame, path in numbered.items()}
        labels = {frame + 1: path for frame, path in labels.items()}
        said.append("the files number their phases from 0; here they are counted from 1")
    volume = read_phases([numbered[frame] for frame in sorted(numbered)], folder, options)
    frames = tuple(sorted(numbered)) if volume.phases == len(numbered) else None
    frames = frames or tuple(range(1, volume.phases + 1))
    if volume.phases < 2:
        raise FacewarpError("the cine has one phase", folder, "Give at least two.")
    return _saying(_checked_info(Cine(name, folder, volume, frames, info, labels)), said)


def _no_cine(folder: Path) -> FacewarpError:
    """Why nothing is read of a folder: labels alone, volumes of another format, or none at all."""
    what = "there is neither NIfTI nor DICOM in the folder"
    names = sorted(path for path in folder.iterdir() if path.is_file())
    if labels := [path for path in names if is_nifti(path)]:
        what = f"all NIfTI files in the folder are labels by their names: {labels[0].name}"
        return FacewarpError(what, folder, "Give the scan itself, or rename it.")
    if found := first_way_in(sorted(files_below(folder))):
        path, way = found
        return FacewarpError(f"{what}, but {path.name}", folder, way)
    return FacewarpError(what, folder, "Give the folder or the file that holds the cine.")


def _about_others(cine: Path, files: Sequence[Path]) -> list[str]:
    """Return what is to be said of files over time beside the one that is read.

    A converter may have split a cine: dcm2niix makes several stacks of one in several files.
    """
    others = [path.name for path in files if path != cine and axes_of(path) == 4]
    if not others:
        return []
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return [
        f"read: {cine.name}, for its name; left out, though they are cines too: "
        f"{', '.join(others[:_NAMED])}{more}"
    ]


def _is_whole_cine(path: Path, files: list[Path]) -> bool:
    """Whether a file among several is the whole cine: by its name, or as the only one over time."""
    name = stem(path).lower()
    if name.endswith(("_4d", "_cine")) or name in ("sa", "sax", "cine", "4d"):
        return len(files) == 1 or axes_of(path) != 3
    alone = [p for p in files if _FRAME.search(stem(p)) or moment_of(p)]
    return len(alone) == len(files) - 1 and path not in alone


def _saying(cine: Cine, said: list[str]) -> Cine:
    volume = replace(cine.volume, warnings=(*cine.volume.warnings, *said))
    return replace(cine, volume=volume)


def _from_file(path: Path, name: str, info: Info | None, options: ReadOptions) -> Cine:
    return _from_volume(read_volume(path, options=options), path, name, info)


def _from_volume(volume: Volume, path: Path, name: str, info: Info | None) -> Cine:
    if volume.data.ndim == 3:
        refuse_labels(volume.data, path)
        count = volume.shape[0]
        what = f"the file is one volume of {count} slice{'s' * (count > 1)}, not a cine"
        raise FacewarpError(what, path, "Give a file of four axes, or a folder of phases.")
    if volume.phases < 2:
        raise FacewarpError("the cine has one phase", path, "Give at least two.")
    frames = tuple(range(1, volume.phases + 1))
    return _checked_info(Cine(name, path, volume, frames, info, {}))


def _checked_info(cine: Cine) -> Cine:
    if cine.info:
        for moment, frame in (("ED", cine.info.ed), ("ES", cine.info.es)):
            if frame not in cine.frames:
                what = f"{moment} is frame {frame}, which is not among the {len(cine.frames)} found"
                place = cine.path if cine.path.is_dir() else cine.path.parent
                raise FacewarpError(what, place / INFO, "Correct it, or add the frame.")
    return cine


def _check_axes(cine: Cine) -> None:
    """Refuse files whose axes are not columns, rows, slices, phases, as NumPy arrays are saved."""
    phases, depth, height, width = cine.volume.data.shape
    few = min(height, width)
    of_few_pixels = few < _LEAST_PX and max(phases, depth) >= _MANY
    if of_few_pixels or (depth >= _MANY and depth > _DEEP * few):
        what = (
            f"the axes are in another order: slices would be {width} x {height} px, {depth} of "
            f"them in {phases} phases"
        )
        raise FacewarpError(what, cine.path, _AXES_FIX)
    if exchanged(cine.volume.data, cine.volume.spacing_mm[2]):
        what = (
            f"slices and phases are exchanged: of {depth} slices and {phases} phases the slices "
            "look like phases, so time is not the last axis"
        )
        raise FacewarpError(what, cine.path, _AXES_FIX)


def _check_depth(cine: Cine, options: ReadOptions) -> None:
    """Refuse a stack of many slices that is too thin for a heart: its spacing was never told."""
    depth, (x, y, z) = cine.volume.shape[0], cine.volume.spacing_mm
    thick = depth * z
    untold = _UNTOLD_DEPTH_MM if (x, y, z) == (1.0, 1.0, 1.0) else _LEAST_DEPTH_MM
    if options.spacing_mm is not None or depth < _SLICES_OF_HEART or thick >= untold:
        return
    what = (
        f"{depth} slices {z:.4g} mm apart make a stack of {thick:.3g} mm, in which no ventricle "
        f"has room: voxels of {x:.4g} x {y:.4g} x {z:.4g} mm seem to be a program's default"
    )
    raise FacewarpError(what, cine.path, SPACING_FIX)


def _check_slices(cine: Cine) -> None:
    """Every slice that has a picture in one phase must have it in all, and none lack it between."""
    data = cine.volume.data
    if data.shape[1] < 3:
        what = "the stack has " + ("1 slice" if data.shape[1] == 1 else "2 slices")
        fix = "A ventricle's volume needs three at least; long-axis cines are not measured."
        raise FacewarpError(what, cine.path, fix)
    empty = data.max(axis=(2, 3)) == data.min(axis=(2, 3))  # (T, D)
    if empty.all():
        raise FacewarpError("there is nothing in the picture: all voxels are alike", cine.path)
    present = np.flatnonzero(~empty.all(axis=0))
    for phase, z in np.argwhere(empty):
        if present[0] <= z <= present[-1]:
            what = f"slice {z + 1} of phase {cine.frames[phase]} has no picture"
            raise FacewarpError(what, cine.path, "Export the cine again, with all slices.")


def _file_name(path: Path) -> str:
    name = stem(path)
    return name[:-3] if name.lower().endswith("_4d") and len(name) > 3 else name


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
