"""Labels that others drew, on the cine's own grid and in this program's order.

Whatever was taken for granted is said; what would change the left ventricle's volume is refused.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.dicom_labels.reader import read_dicom_labels
from facewarp.cardiac.io.dicom_labels.structures import NAMES_FIX, PartChoice
from facewarp.cardiac.io.dicom_series import has_dicom, is_dicom
from facewarp.cardiac.io.label_grid import lay_labels, refuse_long_axis
from facewarp.cardiac.io.label_order import (
    ACDC,
    AUTO,
    LabelOrder,
    order_by_anatomy,
    order_by_file_name,
    order_named,
    refuse_right_within,
    with_pieces,
)
from facewarp.cardiac.io.names.foreign import first_way_in
from facewarp.cardiac.io.names.nifti_names import is_nifti, stem
from facewarp.cardiac.io.names.views import moment_of
from facewarp.cardiac.io.nifti_reader import FIFTH, read_volume, several_values
from facewarp.cardiac.io.slices.label_maps import NEAR_WHOLE, classes_of
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError
from facewarp.system.user_folders import files_below

Labels = NDArray[np.uint8]

#: Who says which part is which, where structures of DICOM have names.
BY_NAMES: Final = "names"
_NAMED: Final = LabelOrder("", "these structures", ACDC.parts)
_MOST_IDS: Final = 256  # of whole-body labels
_SAID: Final = 0.01  # relative change of the ventricle's volume by another grid that is told
_REFUSED: Final = 0.05
#: Share of the left ventricle's outside that the right one adjoins: 0.25, and 0.39 at most, in the
#: 200 labels of ACDC; interpolated linearly to 0.8, 1.25 or 2 times the pixels, 0.45 at least.
_MOST_RIGHT: Final = 0.45
_LEAST_FILLED: Final = 0.6  # of what the cavity's labels surround; all of it in those 200
_IN_SLICE: Final = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=bool)
_FRAME: Final = re.compile(r"_frame(\d+)")


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """Labels of one phase or of several on a cine's grid.

    Attributes:
        path: the file.
        data: ``(T, D, H, W)`` part ids; T is 1, or the cine's number of phases.
        filled: indices of the phases in which anything is labelled, where T is the cine's.
        frame: the frame that the file's name tells, where T is 1; None where it tells none.
        moment: ``"ED"`` or ``"ES"`` where the file's name says so; "" otherwise.
        order: convention of the file's ids.
        order_by: who says so: ``"given"``, ``"anatomy"``, ``"file name"`` or, where structures of
            DICOM have names, ``"names"``.
        warnings: what the user should know, one sentence each.
    """

    path: Path
    data: Labels
    filled: tuple[int, ...]
    frame: int | None
    moment: str
    order: LabelOrder
    order_by: str
    warnings: tuple[str, ...]

    def of_phase(self, phase: int) -> Labels:
        """Labels ``(D, H, W)`` of a phase; those of a single volume are of any.

        Raises:
            FacewarpError: nothing is labelled in this phase, or no left ventricle, or not in all
                slices between its ends, or as an outline.
        """
        if self.filled and phase not in self.filled:
            there = ", ".join(str(one + 1) for one in self.filled)
            what = f"nothing is labelled in phase {phase + 1}, but in {there}"
            fix = f"Give --ed {self.filled[0] + 1}, or labels of phase {phase + 1}."
            raise FacewarpError(what, self.path, fix)
        found: Labels = self.data[phase if self.filled else 0]
        if not (found == HeartPart.LV).any():
            if self.order is _NAMED:
                what = f"no left ventricle is drawn in phase {phase + 1}"
                raise FacewarpError(what, self.path, "Give labels of this phase, or --ed.")
            ids = [one for one, part in self.order.parts.items() if part == HeartPart.LV]
            what = f"no voxel is labelled {ids[0]}, the left ventricle"
            raise FacewarpError(what, self.path, "Say the order of the ids: --label-order.")
        _refuse_holes(found, self.path)
        _refuse_outlines(found, self.path)
        return found


def _refuse_overlaps(masks: NDArray[np.int32], path: Path) -> None:
    """Refuse masks, one for each part, that overlap: the outer contour's may hold the inner one."""
    if masks.max() == 1 and (masks.sum(axis=0) > 1).any():
        what = f"the labels are {len(masks)} masks along the fourth axis, and they overlap"
        fix = "Take the inner contour's mask out of the outer one's: the rest is the wall."
        raise FacewarpError(what, path, fix)


def _refuse_holes(found: Labels, path: Path) -> None:
    """Refuse a left ventricle that slices are left out of: its volume would lack them."""
    drawn = np.flatnonzero((found == HeartPart.LV).any(axis=(1, 2)))
    holes = sorted({*range(int(drawn[0]), int(drawn[-1]))} - {*drawn.tolist()})
    if holes:
        which = ", ".join(str(z + 1) for z in holes)
        what = f"the left ventricle is not labelled in slice {which}, but on both sides of it"
        raise FacewarpError(what, path, "Label every slice from base to apex.")


def _refuse_outlines(found: Labels, path: Path) -> None:
    """Refuse a left ventricle that is drawn as a line around nothing: contours as voxels."""
    drawn = (found == HeartPart.LV).astype(np.uint8)
    box = ndimage.find_objects(drawn)[0]
    cavity = drawn[box] > 0
    filled = np.stack([ndimage.binary_fill_holes(one) for one in cavity])
    share = np.count_nonzero(cavity) / np.count_nonzero(filled)
    if share < _LEAST_FILLED:
        what = f"the left ventricle's labels fill {share:.0%} of what they surround: an outline"
        raise FacewarpError(what, path, "Give areas: fill the contours, each part by its id.")


class _UntoldOrder(FacewarpError):
    """Which id is which part is told by nothing."""


def read_labels(
    path: str | os.PathLike[str],
    volume: Volume,
    order: str = AUTO,
    usual: LabelOrder | None = None,
    names: str | None = None,
) -> GivenLabels:
    """Read labels drawn by others for a cine.

    Args:
        path: NIfTI of one volume, of as many phases as the cine has, or of a mask or probability
            for each part along the fourth axis; or DICOM: a segmentation, a structure set of
            contours, or a folder of such, each of other phases.
        volume: the cine, slices first.
        order: name of the convention of ids, or ``"auto"``: what anatomy says, and where it does
            not, what the file's name says.
        usual: what is taken where neither says anything.
        names: which structure of DICOM is which part, ``"lv=NAME,wall=NAME,rv=NAME"``.

    Raises:
        FacewarpError: labels that are no whole numbers, of another number of phases, in an order
            that nothing tells, or that cannot be laid onto the cine's grid.
    """
    if _is_dicom(Path(path)):
        return _from_dicom(Path(path), volume, PartChoice(names, order))
    if names is not None:
        what = "--label-names is of DICOM segmentations and contours, and these are NIfTI"
        raise FacewarpError(what, path, "Say the order of the ids: --label-order.")
    if Path(path).is_dir():
        raise _no_labels(Path(path))
    found = read_volume(path)
    ids, about_ids = _ids_of(found)
    if len(ids) not in (1, volume.phases):
        _refuse_overlaps(ids, found.path)
        if FIFTH in found.warnings:
            raise several_values((*found.shape[::-1], 1, len(ids)), found.path)
        sizes = [f"{len(ids)} phases", f"{volume.phases}"]
        what = f"the labels have {sizes[0]}, the cine {sizes[1]}"
        raise FacewarpError(what, path, "Give labels of one phase, or of every phase.")
    if not ids.any():
        raise FacewarpError("nothing is labelled", path, "Give a file with labels in it.")
    refuse_long_axis(ids, found, volume)
    laid, about_place = lay_labels(ids, found, volume)
    try:
        chosen, by, about_order = _chosen_order(laid, found.path, order, usual)
    except _UntoldOrder as error:  # for a reason that parts cut off would have as well
        inside = _share_inside(ids, found, laid, volume)
        if inside > 0.5:
            raise
        what = f"only {inside:.0%} of what is labelled lies within the cine"
        raise FacewarpError(what, found.path, "Give labels of the same examination.") from error
    chosen, about_pieces = with_pieces(chosen, laid, found.path)
    data = chosen.apply(laid)
    filled = tuple(np.flatnonzero(data.any(axis=(1, 2, 3))).tolist()) if len(ids) > 1 else ()
    _refuse_blended(data, found.path)
    before, after = (
        float((one == HeartPart.LV).sum(axis=(1, 2, 3)).max()) for one in (chosen.apply(ids), data)
    )
    about_size = _checked_size(before * found.voxel_ml, after * volume.voxel_ml, found.path)
    name = stem(found.path) if len(ids) == 1 else ""
    frame = _FRAME.search(name)
    return GivenLabels(
        found.path,
        data,
        filled,
        int(frame.group(1)) if frame else None,
        moment_of(found.path) if len(ids) == 1 else "",
        chosen,
        by,
        (*about_ids, *about_place, *about_size, *about_order, *about_pieces),
    )


def _is_dicom(path: Path) -> bool:
    """Whether labels are DICOM: a file, or a folder with such, as NIfTI is given by its file."""
    if path.is_dir():
        return has_dicom(path)
    return path.is_file() and not is_nifti(path) and is_dicom(path)


def _no_labels(folder: Path) -> FacewarpError:
    """Why nothing is read of a folder without DICOM."""
    files = sorted(files_below(folder))
    what = "there are no labels in DICOM in the folder"
    if volumes := [path for path in files if is_nifti(path)]:
        fix = f"Labels in NIfTI are given by their file: {volumes[0].relative_to(folder)}."
        return FacewarpError(what, folder, fix)
    if found := first_way_in(files):
        return FacewarpError(f"{what}, but {found[0].name}", folder, found[1])
    return FacewarpError(what, folder, "Give a NIfTI file, or a folder of SEG or RTSTRUCT.")


def _from_dicom(path: Path, volume: Volume, choice: PartChoice) -> GivenLabels:
    """Read segmentations or contours, whose parts names and codes tell, or the user."""
    found = read_dicom_labels(path, volume, choice)
    said = list(found.warnings)
    _refuse_blended(found.data, path)
    seen = order_by_anatomy(found.data[(found.data > 0).sum(axis=(1, 2, 3)).argmax()])
    if seen is not None and seen.parts.items() - _NAMED.parts.items():
        lie = f"the structures lie as if of {_NAMED.text} it were {seen.text}"
        if not choice.is_given:
            raise FacewarpError(f"by their names {lie}", path, NAMES_FIX)
        said.append(f"{lie}: what you say is followed")
    if found.own_ml is not None:
        here = np.count_nonzero(found.data == HeartPart.LV) * volume.voxel_ml
        said += _checked_size(found.own_ml, here, path)
    by = "given" if choice.is_given else BY_NAMES
    return GivenLabels(path, found.data, found.filled, None, found.moment, _NAMED, by, tuple(said))


def _ids_of(found: Volume) -> tuple[NDArray[np.int32], list[str]]:
    """Ids ``(T, D, H, W)`` of a file, whatever number type holds them, and what is said of them."""
    values = found.data if found.data.ndim == 4 else found.data[None]
    classes = classes_of(values)
    if classes is not None:
        ids, soft = classes
        kind = f"the labels are {len(values)} {'probabilities' if soft else 'masks'}"
        told = f"{kind} along the fourth axis, one for each part: read as ids from 1 on"
        return ids[None], [f"{told}, the likeliest of each voxel" if soft else told]
    if values.min() < -NEAR_WHOLE:
        what = f"there are labels below 0, down to {values.min():g}"
        raise FacewarpError(what, found.path, "Give part ids from 0, the background, on.")
    ids = np.rint(values)
    if np.abs(values - ids).max() > NEAR_WHOLE:
        what = "the labels are not all whole numbers"
        fix = "Give part ids, or the probabilities of all classes along the fourth axis."
        raise FacewarpError(what, found.path, fix)
    if len(known := np.unique(ids)) > _MOST_IDS:
        what = f"there are {len(known)} different values, more than labels have"
        raise FacewarpError(what, found.path, "Give part ids: this looks like a scan.")
    return ids.astype(np.int32), []


def _chosen_order(
    ids: NDArray[np.int32], path: Path, order: str, usual: LabelOrder | None
) -> tuple[LabelOrder, str, list[str]]:
    """Return the convention of ids, who says so, and what is to be said of it."""
    fullest = ids[(ids > 0).sum(axis=(1, 2, 3)).argmax()]
    seen, named = order_by_anatomy(fullest), order_by_file_name(path)
    if order != AUTO:
        chosen = order_named(order)
        if seen is not None and seen != chosen:
            return chosen, "given", [f"{_contradiction(chosen, seen)}: --label-order is followed"]
        if seen is None:
            refuse_right_within(chosen, fullest, path)
        return chosen, "given", []
    if seen is not None:
        expected = named or usual
        if expected is not None and seen != expected:
            return seen, "anatomy", [f"{_contradiction(expected, seen)}: anatomy is followed"]
        if seen != ACDC:
            told = f"labels are in the order of {seen.title} ({seen.text}), as anatomy says"
            return seen, "anatomy", [told]
        return seen, "anatomy", []
    expected = named or usual
    if expected is not None and not set(np.unique(ids).tolist()) - {0, *expected.parts}:
        refuse_right_within(expected, fullest, path)
        told = f"the labels' order is taken to be that of {expected.title} ({expected.text})"
        return expected, "file name", [f"{told}: no part is closed in by another"]
    what = f"which of the labels {_listed(ids)} is which part can't be told"
    fix = f"Say it: --label-order acdc ({ACDC.text}), mnms (1 LV, 2 myocardium, 3 RV) or another."
    raise _UntoldOrder(what, path, fix)


def _refuse_blended(data: Labels, path: Path) -> None:
    """Refuse ids that a program interpolated: between 2 and 0 lies 1, all around the wall.

    The right ventricle then seems to lie around the left one, which is too small, by a tenth after
    a change of the grid by a fifth.
    """
    fullest = data[(data > 0).sum(axis=(1, 2, 3)).argmax()]
    left = (fullest == HeartPart.MYOCARDIUM) | (fullest == HeartPart.LV)
    left[~(fullest == HeartPart.LV).any(axis=(1, 2))] = False
    around = ndimage.binary_dilation(left, _IN_SLICE) & ~left
    share = float((fullest[around] == HeartPart.RV).mean()) if around.any() else 0.0
    if share > _MOST_RIGHT:
        what = (
            f"the right ventricle adjoins {share:.0%} of the left one's outside, in readers' "
            "labels a third: ids between two parts' seem to have been interpolated"
        )
        fix = "Give the labels as they were drawn, or resample them by the nearest neighbor."
        raise FacewarpError(what, path, fix)


def _share_inside(
    before: NDArray[np.int32], found: Volume, after: NDArray[np.int32], volume: Volume
) -> float:
    """Return the share of the labelled volume that is left on the cine's grid."""
    sizes = [
        np.count_nonzero(ids) * float(np.prod(one.spacing_mm))
        for ids, one in ((before, found), (after, volume))
    ]
    return sizes[1] / sizes[0]


def _contradiction(told: LabelOrder, seen: LabelOrder) -> str:
    return (
        f"labels are said to be in the order of {told.title} ({told.text}), "
        f"but lie as {seen.text} would"
    )


def _listed(ids: NDArray[np.int32]) -> str:
    known = np.unique(ids[ids > 0]).tolist()
    return ", ".join(map(str, known[:6])) + (", ..." if len(known) > 6 else "")


def _checked_size(before_ml: float, after_ml: float, path: Path) -> list[str]:
    """Say what the left ventricle's volume on the labels' and on the cine's grid tells."""
    if before_ml == 0:
        return []
    change = abs(after_ml / before_ml - 1)
    told = f"the left ventricle has {before_ml:.1f} ml on the labels' grid, {after_ml:.1f} ml here"
    if change > _REFUSED:
        fix = "Give labels on the cine's own grid, or correct the spacing of one of the files."
        raise FacewarpError(told, path, fix)
    return [told] if change > _SAID else []
