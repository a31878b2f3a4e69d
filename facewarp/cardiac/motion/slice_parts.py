"""Parts of a heart on the scan's own slices, by a part network of slices.

The network sees one slice at a time, finely, with two on either side as further channels
(2.5D): the next slice is 5 to 10 mm away and seldom lies as its neighbour does, so that it says
where base and apex are rather than where an outline is.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.labels import largest_pieces
from facewarp.cardiac.motion.model_grid import Array3, ModelGrid, model_input
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.arrays import FloatArray
from facewarp.core.config import ModelConfig
from facewarp.core.geometry import Shape, resize_image
from facewarp.errors import FacewarpError

Floats = NDArray[np.float32]

SLICES: Final = "heart-slices"
"""Kind of the part networks' configurations."""

EDGES: Final = "edges"
"""What the offsets of a part network's outlines are called in the metadata of its weights."""
REACH: Final = 2  # slices read on either side
_IN_SLICE: Final = np.ones((1, 3, 3), dtype=bool)
_SPARE_MM: Final = 24.0  # a window for registration is wider than what the slices need
_TILE: Final = 16  # px; windows are whole multiples: networks halve them
_LEAST: Final = 112  # px of a window's side; at 96 mass is 0.4 g further off
_MIDDLE: Final = (0.3, 0.7)  # of the stack: first and last of some slices
_SOME: Final = 4  # of them tell in which phase the ventricle is largest
_TRACES: Final = (0.25, 0.5)
"""A part's mean probability in a slice, weighted by itself: none counts below, all above."""
_RIM_MM: Final = 1.3  # of uncertain outline, from which a slice at the base is in doubt
_LEAST_ML: Final = 2.0  # of left ventricle in a slice that may be the one at the base
_TINY: Final = 1e-6
_APART_MM: Final = 9.0  # between slices read together: thinner ones are skipped over
_AT_ONCE: Final = 16  # slices that the network sees together: more of them take memory


def slice_step(thickness_mm: float) -> int:
    """Return how many slices of a stack lie from one that is read to the next."""
    return max(1, round(_APART_MM / thickness_mm))


def with_neighbors(
    stack: NDArray[np.float32], step: int = 1, chosen: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Put each slice of a stack together with those beside it.

    Args:
        stack: ``(..., D, H, W)``, from base to apex.
        step: see `slice_step`.
        chosen: slices that are asked for; by default all.

    Returns:
        ``(..., D, 2 * REACH + 1, H, W)``; 0 beyond the ends of the stack.
    """
    depth = stack.shape[-3]
    places = np.arange(depth) if chosen is None else np.asarray(chosen)
    beside = places[:, None] + step * np.arange(-REACH, REACH + 1)
    found = stack[..., beside.clip(0, depth - 1), :, :]
    found[..., (beside < 0) | (beside >= depth), :, :] = 0
    return found


class SliceModel(Protocol):
    """What is needed of a part network of slices; `model.Model` has it."""

    config: ModelConfig
    sha256: str

    def on_grid(self, shape: Shape) -> Self:
        """Return the model on slices of another size."""

    def probabilities(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, H, W)`` of slices with neighbors ``(B, N, H, W)``."""


@dataclass(frozen=True)
class EdgeOffsets:
    """How far a part network draws the outlines of the cavities too far in or out.

    Attributes:
        lv_mm, rv_mm: by which the outline of the left and the right ventricle is moved outwards in
            its slices before volumes are told; negative inwards.
        fitted_on: patients, in words.
    """

    lv_mm: float = 0.0
    rv_mm: float = 0.0
    fitted_on: str = ""

    @classmethod
    def of_weights(cls, model: object) -> Self:
        """Return the offsets in the weights of a part network; none without.

        Raises:
            FacewarpError: what they hold is no offsets.
        """
        metadata: Mapping[str, str] = getattr(model, "metadata", {})
        text = metadata.get(EDGES)
        return cls() if text is None else cls.from_text(text, getattr(model, "path", None))

    @classmethod
    def from_text(cls, text: str, path: Path | None = None) -> Self:
        """Read the offsets that `to_text` wrote.

        Raises:
            FacewarpError: these are none.
        """
        try:
            told = json.loads(text)
            return cls(float(told["lv_mm"]), float(told["rv_mm"]), str(told["fitted_on"]))
        except (ValueError, KeyError, TypeError) as error:
            what = "the offsets of outlines in these weights can't be read"
            fix = "Load the weights as they were shipped, or fit them: ship edges heart-slices."
            raise FacewarpError(what, path, fix) from error

    def to_text(self) -> str:
        """Return the offsets as metadata hold them."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, eq=False)
class SliceParts:
    """Parts of a heart on the scan's own slices, in a window around it.

    Attributes:
        grid: the window, in the volume: its slices are the volume's that hold a picture.
        probabilities: ``(T, K, D, H, W)`` on the grid; float16 where they are `lighter`.
        edges: by which the cavities' outlines are moved where volumes are told.
    """

    grid: ModelGrid
    probabilities: Floats | NDArray[np.float16]
    edges: EdgeOffsets = EdgeOffsets()

    def on_grid(self, grid: ModelGrid, shape: Shape, phases: Sequence[int] | None = None) -> Floats:
        """Return probabilities as a model of volumes takes them, ``(T, K, *shape)``.

        Args:
            grid: a model's grid in the same volume.
            shape: of its features, which cover the same place: means over the grid's voxels;
                or the grid's own.
            phases: which; by default all.
        """
        between = self.grid.from_volume @ grid.to_volume
        there = ModelGrid(grid.shape, grid.spacing_mm, self.grid.shape, between)

        def of_phase(phase: int) -> Floats:
            fine = torch.from_numpy(_filled(there.sample(self.probabilities[[phase]])))
            return resize_image(fine, shape).numpy()

        every = range(len(self.probabilities)) if phases is None else phases
        return np.concatenate(list(side_by_side(of_phase, every)))

    def doubtful_base(self, phase: int) -> tuple[int, float] | None:
        """Return the slice nearest to the base that shows left ventricle, where that is in doubt.

        At end-systole the base has moved down, and the slice may show the atrium instead.

        Args:
            phase: index of the phase.

        Returns:
            Its number, counted from 1 at the base, and the ventricle's volume in it, ml; None where
            its outline is as sure as others: the mean probability ``c``, weighted by itself, falls
            short of 1 by the outline's uncertain rim against the area, so that ``(1 - c) r`` with
            the radius ``r`` of a disk of this area measures the rim.
        """
        x, y, thickness = self.grid.spacing_mm
        lv = np.asarray(self.probabilities[phase, HeartPart.LV], dtype=np.float32)
        areas = lv.sum(axis=(1, 2), dtype=np.float64) * x * y
        shown = np.flatnonzero(areas * thickness > 1000 * _LEAST_ML)
        if not shown.size:
            return None
        first = int(shown[0])
        area = float(areas[first])
        sure = float(np.square(lv[first]).sum(dtype=np.float64)) * x * y / area
        rim_mm = (1 - sure) * np.sqrt(area / np.pi)
        return (first + 1, area * thickness / 1000) if rim_mm > _RIM_MM else None

    def lighter(self) -> "SliceParts":
        """Halve the memory by rounding to three digits: once volumes are measured."""
        half = torch.from_numpy(self.probabilities).half()  # NumPy takes eighty times as long
        return replace(self, probabilities=half.numpy())

    def volumes_ml(self) -> NDArray[np.float64]:
        """Measure the volume of each part in each phase: the sum of its probabilities.

        The cavities' outlines are moved by `edges`, times their length; the wall gives to the left
        ventricle what that gains. Pieces apart from the largest of each part count no more than
        they do in `seen_labels`, and traces of a part in slices without it, above the base or
        below the apex, count little or nothing: see `_TRACES`.

        Returns:
            ``(T, K)`` ml, by part id.
        """
        return self._volumes_ml.copy()

    @cached_property
    def _volumes_ml(self) -> NDArray[np.float64]:
        sums = list(side_by_side(self._sums, self.probabilities))
        return np.stack(sums) * float(np.prod(self.grid.spacing_mm)) / 1000

    def _sums(self, phase: Floats) -> FloatArray:
        """Return the volume of each part of one phase ``(K, D, H, W)``, in voxels."""
        ids = phase.argmax(axis=0).astype(np.uint8)
        kept = largest_pieces(ids)
        here = ~(ndimage.binary_dilation(kept != ids, _IN_SLICE) & (kept == 0))
        sums = (phase * here).sum(axis=(2, 3), dtype=np.float64)
        sure = (phase * phase * here).sum(axis=(2, 3), dtype=np.float64) / (sums + _TINY)
        counts = np.clip((sure - _TRACES[0]) / (_TRACES[1] - _TRACES[0]), 0, 1)
        lv = self.edges.lv_mm * self._outlines(phase[HeartPart.LV], here)
        rv = self.edges.rv_mm * self._outlines(phase[HeartPart.RV], here)
        sums[HeartPart.LV] += lv
        sums[HeartPart.MYOCARDIUM] -= lv
        sums[HeartPart.RV] += rv
        sums[HeartPart.BACKGROUND] -= rv
        return np.asarray(np.maximum((sums * counts).sum(axis=1), 0), dtype=np.float64)

    def _outlines(self, share: NDArray[np.float32], mask: NDArray[np.bool_]) -> FloatArray:
        """Return the length of a part's outlines in each slice, voxels for each mm it is moved.

        The integral of ``|grad p|`` is the mean length of the level sets of ``p`` (coarea formula),
        the same however blunt the probabilities are.
        """
        x, y, _ = self.grid.spacing_mm
        down, across = np.gradient(share, y, x, axis=(1, 2))
        length: FloatArray = np.hypot(down, across).sum(axis=(1, 2), where=mask, dtype=np.float64)
        return length


def slices_beside(model: object) -> SliceModel | None:
    """Return the part network of slices that belongs to a heart model; None without."""
    found: SliceModel | None = getattr(model, "slices", None)
    return found


def slice_parts(
    model: SliceModel,
    volume: Volume,
    roi: ModelGrid,
    step: Callable[[int], None] | None = None,
    middle: "MiddleSlices | None" = None,
) -> SliceParts:
    """Segment a volume or cine on its own slices.

    Args:
        model: a part network of slices, e.g. ``load("heart-slices")``.
        volume: the volume or cine.
        roi: the heart's window, see `heart_roi.around_heart`; all is background beyond it.
        step: called with the number of phases done.
        middle: of the same volume and window: what it saw is not looked at again.
    """
    middle = middle or MiddleSlices.of(model, volume, roi)
    grid, images, places = middle.grid, middle.images, middle.places
    found = np.empty((len(images), len(HeartPart), *images.shape[1:]), np.float32)
    every = range(images.shape[1])
    new = [phase for phase in range(len(images)) if phase not in middle.seen]
    rest = [place for place in every if place not in places]
    for phases, chosen in ((new, every), (list(middle.seen) if rest else [], rest)):
        looked = see_slices(model, images[phases], grid, chosen)
        for phase, seen in zip(phases, looked, strict=True):
            found[phase][:, chosen] = seen
            if step:
                step(1)
    for phase, seen in middle.seen.items():
        found[phase][:, places] = seen
    return SliceParts(grid, found, EdgeOffsets.of_weights(model))


def see_slices(
    model: SliceModel, images: Floats, grid: ModelGrid, chosen: Sequence[int] | None = None
) -> Iterator[Floats]:
    """Yield a part network's probabilities of each phase, ``(K, D, H, W)``.

    Args:
        model: the part network.
        images: ``(T, D, H, W)`` of `slice_input`.
        grid: of the images.
        chosen: slices that are asked for; by default all.
    """
    sized, apart = model.on_grid(images.shape[-2:]), slice_step(grid.spacing_mm[2])
    places = list(range(images.shape[1]) if chosen is None else chosen)
    pieces = [places[first : first + _AT_ONCE] for first in range(0, len(places), _AT_ONCE)]

    def of_phase(image: Floats) -> Floats:
        shown = (torch.from_numpy(with_neighbors(image, apart, piece)) for piece in pieces)
        seen = [sized.probabilities(some).cpu().numpy() for some in shown]
        return np.concatenate(seen).swapaxes(0, 1)

    yield from side_by_side(of_phase, images)


@dataclass(frozen=True, eq=False)
class MiddleSlices:
    """A cine's slices, and what a part network saw in some of the middle of their stack.

    They cost a part of what `slice_parts` does, and tell in which phase the left ventricle is about
    the largest.

    Attributes:
        grid: the window.
        images: ``(T, D, H, W)`` of `slice_input`.
        places: which slices are looked at.
        seen: probabilities ``(K, N, H, W)`` of these, by phase, as far as they were asked for.
    """

    grid: ModelGrid
    images: Floats
    places: list[int]
    seen: dict[int, Floats]

    @classmethod
    def of(cls, model: SliceModel, volume: Volume, roi: ModelGrid) -> Self:
        """Prepare a volume or cine; nothing is looked at yet. See `slice_parts`."""
        grid = slice_grid(volume, roi, model.config)
        images = slice_input(volume, grid)
        some = np.rint(np.linspace(*_MIDDLE, _SOME) * (images.shape[1] - 1)).astype(int)
        return cls(grid, images, np.unique(some).tolist(), {})

    def lv(self, model: SliceModel, phases: Sequence[int]) -> FloatArray:
        """Measure the left ventricle in some phases: the sum of its probabilities in each."""
        new = [phase for phase in phases if phase not in self.seen]
        looked = see_slices(model, self.images[new], self.grid, self.places)
        self.seen.update(zip(new, looked, strict=True))
        return np.array([self.seen[one][HeartPart.LV].sum(dtype=np.float64) for one in phases])


def slice_grid(volume: Volume, roi: ModelGrid, config: ModelConfig) -> ModelGrid:
    """Return the grid of a volume's own slices in a region of interest.

    Args:
        volume: the volume or cine.
        roi: the heart's window, see `heart_roi.around_heart`; its axes are those of the grid.
        config: of the part network.

    Returns:
        A grid whose slices are the volume's that hold a picture, the first nearest to the base.
    """
    turn = roi.turn
    stack = int(np.abs(turn[:, 2]).argmax())
    (low, high), thickness = volume.pictured(stack), volume.spacing_mm[stack]
    depth = high - low + 1
    ends = np.array([[0, 0, 0, 1], [*(n - 1 for n in roi.shape[::-1]), 1]]).T
    cx, cy, cz = (roi.to_volume @ ends)[:3].mean(axis=1).tolist()
    px_x, px_y = config.spacing_mm
    wanted = (np.array(roi.shape[:0:-1]) * roi.spacing_mm[:2] - _SPARE_MM) / (px_x, px_y)
    tiles = np.ceil(wanted / _TILE - 1e-6).astype(int) * _TILE
    least = np.minimum(config.grid_shape[::-1], _LEAST)
    width, height = np.maximum(tiles, least).tolist()
    center = [cx, cy, cz]
    center[stack] = (low + high) / 2
    spacing: Array3 = (px_x, px_y, thickness)
    grid = ModelGrid.around(
        volume, (depth, height, width), spacing, (center[0], center[1], center[2]), turn
    )
    matrix = grid.to_volume.copy()  # slices exactly on those of the volume
    first = float(low if turn[stack, 2] > 0 else high)
    matrix[stack, 3] = first - matrix[stack, :2] @ [(width - 1) / 2, (height - 1) / 2]
    return ModelGrid(grid.shape, spacing, volume.shape, matrix)


def slice_input(volume: Volume, grid: ModelGrid) -> Floats:
    """Return a volume or cine on a `slice_grid` as the network sees it, ``(T, D, H, W)``."""
    data = volume.data if volume.data.ndim == 4 else volume.data[None]
    return model_input(data, grid)


def _filled(parts: Floats) -> Floats:
    """Make all background where probabilities add up to less than one: beyond the window."""
    parts[:, HeartPart.BACKGROUND] += np.maximum(1 - parts.sum(axis=1), 0)
    return parts
