"""Where the heart of a cine lies, and what the model sees of it in every phase."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from facewarp.cardiac.io.label_reader import GivenLabels
from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.heart_roi import HeartModel, around_heart
from facewarp.cardiac.motion.labels import Labels, Part, heart_box, seen_labels
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.orientation import Orientation, find_orientation
from facewarp.cardiac.motion.seen_parts import SeenParts, see_parts
from facewarp.cardiac.motion.several_looks import seen_from_all_sides
from facewarp.cardiac.motion.slice_parts import MiddleSlices, SliceModel, SliceParts
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import find_ed
from facewarp.cardiac.side_by_side import side_by_side

_MARGIN_MM: Final = 15.0  # around the heart, where its labels may be carried
_FEW: Final = 12  # phases, less than which are all looked at for the likely end-diastole
_MAYBE: Final = 0.3  # probability of heart from which a voxel may be carried to


@dataclass(frozen=True, eq=False)
class SeenHeart:
    """What the model sees of a cine.

    Attributes:
        orientation: which way the heart lies.
        grid: the window around it.
        found: the parts of every phase, the finest in half the memory.
        box: of the volume, around all that is or may be heart.
        labels: ``(T, d, h, w)`` uint8 part ids of every phase in that box.
    """

    orientation: Orientation
    grid: ModelGrid
    found: SeenParts
    box: Part
    labels: Labels


def see_heart(
    model: HeartModel,
    slices: SliceModel | None,
    cine: Cine,
    told_ed: int | None,
    *,
    orientation: Orientation | None = None,
    reader: GivenLabels | None = None,
    step: Callable[[int], None] | None = None,
) -> SeenHeart:
    """Find the heart and segment it in every phase.

    Args:
        model: a heart model.
        slices: its part network of slices, if it has one.
        cine: the cine.
        told_ed: index of end-diastole; None where nothing tells it.
        orientation: which way the heart lies, where that is known: 16 directions are not searched.
        reader: a reader's labels, which the box is to hold.
        step: called with the number of phases done.

    Raises:
        FacewarpError: no heart is seen.
    """
    volume = cine.volume
    lies, grid, found = _window(model, slices, cine, told_ed, orientation)
    if not isinstance(found, SeenParts):
        found = see_parts(model, slices, volume, grid, step, found)
    return _seen(lies, grid, found, _box_around(found, grid, reader, volume))


def see_again(
    model: HeartModel, slices: SliceModel, volume: Volume, seen: SeenHeart, fine: SliceParts
) -> SeenHeart:
    """Segment every phase once more, from all sides: see `several_looks`.

    Args:
        model: a heart model.
        slices: its part network of slices.
        volume: the cine.
        seen: what was seen of it.
        fine: the parts in that, on the scan's own slices.
    """
    mean = seen_from_all_sides(slices, volume, fine)
    found = SeenParts.of_slices(mean, model, seen.grid)
    return _seen(seen.orientation, seen.grid, found, _box_around(found, seen.grid, None, volume))


def _seen(lies: Orientation, grid: ModelGrid, found: SeenParts, box: Part) -> SeenHeart:
    """Label every phase in a box around the heart, and keep what was seen in half the memory."""
    seen_grid = found.finest_grid.on_part(box)
    labels = np.stack(list(side_by_side(lambda one: seen_labels(one, seen_grid), found.finest)))
    return SeenHeart(lies, grid, found.lighter(), box, labels)


def _window(
    model: HeartModel,
    slices: SliceModel | None,
    cine: Cine,
    told_ed: int | None,
    known: Orientation | None,
) -> tuple[Orientation, ModelGrid, SeenParts | MiddleSlices | None]:
    """Find the window around the heart at end-diastole; which phase is stored first is no matter.

    Returns:
        Orientation, window, and what was seen in it for them: all parts, or those of some slices.
    """
    volume, looked_at = cine.volume, told_ed or 0
    lies = known or find_orientation(model, volume, looked_at)
    seen_already = None if known else lies.window
    grid = seen_already or around_heart(model, volume, looked_at, lies.turn)
    if told_ed is not None:
        return lies, grid, None
    likely, found = _first_look(model, slices, volume, grid, cine.closes)
    if likely != looked_at:
        lies = lies if lies.is_clear else find_orientation(model, volume, likely)
        again = around_heart(model, volume, likely, lies.turn)
        if again.shape != grid.shape or not np.allclose(again.to_volume, grid.to_volume):
            return lies, again, None
    return lies, grid, found


def _first_look(
    model: HeartModel, slices: SliceModel | None, volume: Volume, grid: ModelGrid, closes: bool
) -> tuple[int, SeenParts | MiddleSlices]:
    """Return the phase of about the largest left ventricle, and what was seen to tell it."""
    if slices is None:
        found = see_parts(model, None, volume, grid)
        return find_ed(found.lv, closes), found
    count, middle = volume.phases, MiddleSlices.of(slices, volume, grid)
    step = 1 if count < _FEW else 2  # every other phase, then those beside the best
    likely = step * find_ed(middle.lv(slices, range(0, count, step)), closes)
    if step > 1:
        beside = (likely - 1, likely, likely + 1)
        near = [p % count for p in beside if closes or 0 <= p < count]
        likely = near[int(middle.lv(slices, near).argmax())]
    return likely, middle


def _box_around(
    found: SeenParts, grid: ModelGrid, reader: GivenLabels | None, volume: Volume
) -> Part:
    """Return the box of the volume around all that may be heart in any phase, with a margin."""
    _, depth, height, width = found.parts.shape[1:]
    ever_heart = (1 - found.parts[:, HeartPart.BACKGROUND]).max(axis=0) > _MAYBE
    masks = [grid.resized((depth, height, width)).to_volume_grid(ever_heart, "nearest") > 0]
    masks += [] if reader is None else [np.asarray(reader.data.any(axis=0))]
    return heart_box(masks, ceil(_MARGIN_MM / min(volume.spacing_mm)))
