"""The grid a heart model works on, and the way there and back.

A model sees a window of fixed size, shape and spacing, its axes those of a short-axis stack as
ACDC stores them: x from the right ventricle to the left, y down, slices along z. The window is
laid into the world by the volume's affine, so that volumes of any spacing, axis order or shear
come to look alike, and what the model finds goes back to the volume's own voxels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import permutations, product
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import orthonormal
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.core.fields import sample
from facewarp.core.geometry import Grid
from facewarp.core.side_by_side import side_by_side

Array3 = tuple[float, float, float]
Order = Literal["linear", "nearest"]

SHAPE: Final = (16, 128, 128)
SPACING_MM: Final = (1.8, 1.8, 10.0)
PERCENTILES: Final = (1.0, 99.0)
_AT_ONCE: Final = 8  # volumes that are resampled together

_PLAIN: Final = np.diag([-1.0, -1.0, 1.0])
"""World directions (columns, RAS) of x, y, z in files that were never given the scanner's."""
_SHORT_AXIS: Final = np.array([[-0.71, 0.29, -0.64], [-0.70, -0.41, 0.58], [0.07, -0.86, -0.50]])
"""The same in a patient: x from right to left ventricle, y down in the usual view, z to the apex;
the usual angulation of the long axis, 45 degrees to the left and 30 degrees down."""
_PLAIN_WEIGHTS: Final = np.array([1.0, 1.0, 0.1])  # such files run from base to apex or back
_ALIGNED: Final = 1e-3  # directions nearer to one of the world's axes than this run along it


@dataclass(frozen=True, eq=False)
class ModelGrid:
    """A model's grid laid into a volume.

    Attributes:
        shape: of the grid, ``(D, H, W)``.
        spacing_mm: of the grid, along x, y, z.
        volume_shape: of the volume, ``(D, H, W)``.
        to_volume: (4, 4) from the grid's voxels ``(x, y, z, 1)`` to the volume's.
    """

    shape: tuple[int, int, int]
    spacing_mm: Array3
    volume_shape: tuple[int, int, int]
    to_volume: FloatArray

    @classmethod
    def around(
        cls,
        volume: Volume,
        shape: tuple[int, int, int] = SHAPE,
        spacing_mm: Array3 = SPACING_MM,
        center_vox: Array3 | None = None,
        turn: FloatArray | None = None,
    ) -> "ModelGrid":
        """The grid around a point of a volume.

        Its axes run along the volume's; its slices are laid onto slices of the volume as far as
        the spacings allow.

        Args:
            volume: the volume or cine.
            shape: of the grid.
            spacing_mm: of the grid, along x, y, z.
            center_vox: the point, in voxels ``(x, y, z)`` of the volume; by default its centre.
            turn: order and direction of the axes, by default that of `short_axis_order`.
        """
        if turn is None:
            turn = short_axis_order(volume.affine, volume.stack_axis)
        frame = orthonormal(volume.affine[:3, :3]) @ turn
        step = np.linalg.inv(volume.affine[:3, :3]) @ frame @ np.diag(spacing_mm)
        middle = (np.asarray(volume.shape[::-1]) - 1) / 2
        center = middle if center_vox is None else np.asarray(center_vox, dtype=np.float64)
        stack = int(np.abs(turn[:, 2]).argmax())  # the volume's axis that the grid's z runs along
        center = center.copy()
        center[stack] = round(float(center[stack] - 1e-6 * turn[stack, 2]))
        middle_vox = [(shape[2] - 1) / 2, (shape[1] - 1) / 2, (shape[0] - 1) // 2]
        first = center - step @ np.array(middle_vox)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = step, first
        return cls(shape, spacing_mm, volume.shape, matrix)

    def resized(self, shape: tuple[int, int, int]) -> "ModelGrid":
        """The grid of another shape that covers the same part of the volume."""
        grid = Grid(self.shape, self.to_volume).resized(shape)
        ratios = np.asarray(self.shape[::-1]) / np.asarray(shape[::-1])
        x, y, z = (np.asarray(self.spacing_mm) * ratios).tolist()
        to_volume = np.asarray(grid.affine, dtype=np.float64)
        return ModelGrid(shape, (x, y, z), self.volume_shape, to_volume)

    def on_part(self, part: tuple[slice, slice, slice]) -> "ModelGrid":
        """The same grid, laid into a part ``(z, y, x)`` of the volume alone."""
        spans = [axis.indices(n) for axis, n in zip(part, self.volume_shape, strict=True)]
        depth, height, width = (stop - start for start, stop, _ in spans)
        shift = np.eye(4)
        shift[:3, 3] = [-start for start, _, _ in reversed(spans)]
        to_part = np.asarray(shift @ self.to_volume, dtype=np.float64)
        return ModelGrid(self.shape, self.spacing_mm, (depth, height, width), to_part)

    @property
    def turn(self) -> FloatArray:
        """(3, 3) signed permutation: which of the volume's axes its own are, and which way."""
        linear = self.to_volume[:3, :3]
        turn = np.zeros((3, 3))
        # of all ways to pair the axes the one with the largest product: the same for any spacing
        ways = [np.array(way) for way in permutations(range(3))]
        columns = np.arange(3)
        axes = max(ways, key=lambda way: float(np.abs(linear[way, columns]).prod()))
        turn[axes, columns] = np.sign(linear[axes, columns])
        return turn

    @cached_property
    def from_volume(self) -> FloatArray:
        """(4, 4) from the volume's voxels to the grid's."""
        return np.asarray(np.linalg.inv(self.to_volume), dtype=np.float64)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Which voxels of the grid lie in the volume, ``(D, H, W)``."""
        ones = np.ones(self.volume_shape, dtype=np.float32)
        return self.sample(ones, "nearest") > 0.5

    def sample(self, data: NDArray[np.generic], order: Order = "linear") -> NDArray[np.float32]:
        """Carry arrays of the volume's shape onto the grid.

        Args:
            data: ``(..., D, H, W)``.
            order: ``"linear"``, or ``"nearest"`` for what must not be mixed.

        Returns:
            float32 ``(..., *shape)``; 0 outside of the volume.
        """
        return _resample(data, self.to_volume, self.shape, order, outside="zero")

    def to_volume_grid(
        self,
        data: NDArray[np.generic],
        order: Order = "linear",
        outside: Literal["zero", "edge"] = "zero",
    ) -> NDArray[np.float32]:
        """Carry arrays of the grid ``(..., *shape)`` onto the volume: ``(..., D, H, W)``."""
        return _resample(data, self.from_volume, self.volume_shape, order, outside)

    def field_to_volume(
        self, field: NDArray[np.floating], unit: FloatArray | None = None
    ) -> NDArray[np.float32]:
        """Carry displacements in voxels of the grid to the volume's voxels and unit.

        Args:
            field: ``(..., 3, *shape)``, channels x, y, z.
            unit: (3, 3) from displacements in voxels of the volume to what is returned.

        Returns:
            ``(..., 3, D, H, W)`` in voxels of the volume. Beyond the grid its edge goes on, so
            that there is no tear.
        """
        return self.to_volume_grid(self.in_unit(field, unit), outside="edge")

    def in_unit(
        self, field: NDArray[np.floating], unit: FloatArray | None = None
    ) -> NDArray[np.float32]:
        """Return displacements ``(..., 3, *shape)`` of the grid in another unit.

        See `field_to_volume`.
        """
        matrix = self.to_volume[:3, :3] if unit is None else unit @ self.to_volume[:3, :3]
        linear = torch.from_numpy(matrix.astype(np.float32))
        lead, spatial = field.shape[:-4], field.shape[-3:]
        flat = np.array(field, dtype=np.float32).reshape(*lead, 3, -1)
        turned = (linear @ torch.from_numpy(flat)).numpy()  # numpy's threads wait for one another
        return turned.reshape(*lead, 3, *spatial)


def normalize(
    data: NDArray[np.floating], inside: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Grey values as models see them: the 1st to the 99th percentile becomes 0 to 1.

    Args:
        data: ``(..., D, H, W)``; the phases of a cine share their scale.
        inside: ``(D, H, W)``, the voxels that count and stay; the others become 0.

    Returns:
        float32 in 0..1, of the same shape; all 0 where everything is alike.
    """
    chosen = data if inside is None else data[..., inside]
    low, high = gray_levels(chosen, spare=inside is not None)
    del chosen  # a cine is large
    if high <= low:
        return np.zeros(data.shape, dtype=np.float32)
    scaled = np.array(data, dtype=np.float32)  # in place, likewise
    scaled -= np.float32(low)
    scaled /= np.float32(high - low)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    if inside is not None:
        scaled[..., ~inside] = 0.0
    return scaled


def gray_levels(data: NDArray[np.floating], *, spare: bool = False) -> tuple[float, float]:
    """Return the gray values that count as black and white: the 1st and the 99th percentile.

    Args:
        data: of any shape.
        spare: it is needed no more and may be put in another order, which saves a copy.
    """
    if not data.size:
        return 0.0, 0.0
    low, high = np.percentile(data, PERCENTILES, overwrite_input=spare).tolist()
    return low, high


def model_input(data: NDArray[np.floating], grid: ModelGrid) -> NDArray[np.float32]:
    """A volume or cine ``([T,] D, H, W)`` as a model sees it, in training as in use.

    Returns:
        float32 ``([T,] *grid.shape)`` in 0..1; 0 outside of the volume.
    """
    return normalize(grid.sample(data), grid.inside)


def short_axis_order(affine: FloatArray, stack: int = 2) -> FloatArray:
    """Which of a volume's axes a short-axis stack's x, y and z are, by its affine alone.

    Of all orders and directions that keep the slices together, the one that fits the affine best;
    see `told_fit`.

    Args:
        affine: of the volume.
        stack: the axis along which its slices lie.

    Returns:
        (3, 3) signed permutation ``P``: ``volume_direction @ P`` are the stack's axes.
    """
    turns = stack_turns(stack)
    fits = [told_fit(affine, turn) for turn in turns]
    return turns[int(np.argmax(np.round(fits, 6)))]


def stack_turns(stack: int = 2) -> list[FloatArray]:
    """All 16 orders and directions of axes with the slices along one of them."""
    turns = []
    for order in permutations(range(3)):
        if order[2] != stack:
            continue
        for signs in product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[list(order), range(3)] = signs
            turns.append(turn)
    return turns


def told_fit(affine: FloatArray, turn: FloatArray) -> float:
    """How well an order and direction of axes fits what an affine tells of the patient.

    An affine that runs along the world's axes is that of a file which knows no patient: it is held
    against the plain order, x to the left and y to the back, and tells next to nothing of z. Any
    other is a scanner's, and held against the usual place of the short axis in a patient.

    Returns:
        -3 to 3, the sum of the cosines of the three axes.
    """
    directions = orthonormal(affine[:3, :3])
    aligned = bool((np.sort(np.abs(directions), axis=0)[1] < _ALIGNED).all())
    cosines = np.sum(directions @ turn * (_PLAIN if aligned else _SHORT_AXIS), axis=0)
    return float(cosines @ (_PLAIN_WEIGHTS if aligned else np.ones(3)))


def _resample(
    data: NDArray[np.generic],
    matrix: FloatArray,
    shape: tuple[int, int, int],
    order: Order,
    outside: Literal["zero", "edge"],
) -> NDArray[np.float32]:
    """Values at ``matrix @ voxel`` for every voxel of a grid of ``shape``.

    Outside begins half a voxel beyond the centres of the outermost voxels.
    """
    lead, spatial = data.shape[:-3], data.shape[-3:]
    values = data.reshape(-1, *spatial)
    found = np.empty((len(values), *shape), dtype=np.float32)
    into, resample = torch.from_numpy(found), _resampler(spatial, matrix, shape, order, outside)

    def write(start: int) -> None:  # copies of a whole cine would fill memory
        some = slice(start, start + _AT_ONCE)
        resample(_singles(values[some]), into[some])

    for _ in side_by_side(write, range(0, len(values), _AT_ONCE)):
        pass
    return found.reshape(*lead, *shape)


def _singles(values: NDArray[np.generic]) -> torch.Tensor:
    """Return values in float32, copied where need be; NumPy is slow at half precision."""
    if values.dtype == np.float16:
        return torch.from_numpy(values).float()
    return torch.from_numpy(np.require(values, np.float32, ["C", "W"]))


def _resampler(
    spatial: tuple[int, ...],
    matrix: FloatArray,
    shape: tuple[int, int, int],
    order: Order,
    outside: Literal["zero", "edge"],
) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """Return what takes ``(N, *spatial)`` and writes ``(N, *shape)``, see `_resample`."""
    linear = matrix[:3, :3]
    axes = np.abs(linear).argmax(axis=0)  # the source's axis that each target axis runs along
    off_axis = linear.copy()
    off_axis[axes, range(3)] = 0.0
    aligned = (
        len(set(axes.tolist())) == 3
        and (np.abs(off_axis) @ np.asarray(shape[::-1], dtype=np.float64)).max() < 1e-3
    )
    if aligned:
        rows = tuple(map(tuple, matrix[:3].tolist()))
        return _along_axes(tuple(spatial), rows, tuple(shape), order, outside)
    z, y, x = (torch.arange(n, dtype=torch.float64) for n in shape)
    grid = torch.stack(torch.meshgrid(z, y, x, indexing="ij")[::-1]).reshape(3, -1)
    points = torch.from_numpy(linear) @ grid + torch.from_numpy(matrix[:3, 3:])
    sizes = torch.tensor(spatial[::-1], dtype=torch.float64)[:, None]
    inside = ((points >= -0.5) & (points <= sizes - 0.5)).all(0).reshape(shape)
    mode = "bilinear" if order == "linear" else "nearest"
    where_px = points.float().reshape(1, 3, *shape)

    def at_points(values: torch.Tensor, into: torch.Tensor) -> None:
        result = sample(values[None], where_px, mode=mode, padding="border")[0]
        into[:] = result * inside if outside == "zero" else result

    return at_points


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept outlives this call
def _along_axes(
    spatial: tuple[int, ...],
    matrix: tuple[tuple[float, ...], ...],
    shape: tuple[int, int, int],
    order: Order,
    outside: Literal["zero", "edge"],
) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """Return what `_resampler` does for a matrix (3, 4) whose axes run along those of the source.

    A grid is carried onto the same scan hundreds of times.
    """
    linear, first = np.array(matrix)[:, :3], np.array(matrix)[:, 3]
    axes = np.abs(linear).argmax(axis=0)  # the source's axis that each target axis runs along
    weights = []
    for target in (2, 1, 0):  # z, y, x: the order of the arrays
        source = int(axes[target])
        where = linear[source, target] * np.arange(shape[2 - target]) + first[source]
        weights.append(_interpolation(where, spatial[2 - source], order, outside))
    order_of_axes = [2 - int(axes[target]) for target in (2, 1, 0)]
    spans = [_between_ends(weight) for weight in weights]  # the rest is the same as the ends
    weights = [weight[span] for weight, span in zip(weights, spans, strict=True)]
    ratios = [len(weight) / weight.shape[1] for weight in weights]
    passes = sorted(range(3), key=lambda axis: ratios[axis])  # what shrinks most first
    rows = _between_rows(weights[1])

    def resample(values: torch.Tensor, into: torch.Tensor) -> None:
        result = values.permute(0, *(1 + axis for axis in order_of_axes))
        for axis in passes:
            if axis == 2:
                result = result @ weights[2].T
            elif axis == 1:
                result = rows(result)
            else:
                planes = weights[0] @ result.flatten(2)
                result = planes.unflatten(2, tuple(result.shape[2:]))
        into[:, *spans] = result
        _repeat_ends(into, spans)

    return resample


def _between_ends(weights: torch.Tensor) -> slice:
    """Return which rows of a matrix of `_interpolation` differ, with one like each end's."""
    first = int((weights != weights[0]).any(1).int().argmax())
    last = len(weights) - int((weights.flip(0) != weights[-1]).any(1).int().argmax())
    return slice(first - 1, last + 1) if first else slice(0, 1)


def _repeat_ends(values: torch.Tensor, spans: Sequence[slice]) -> None:
    """Fill ``(N, D, H, W)`` around a box with what its faces hold: along x, then y, then z."""
    z, y, _ = spans
    for inside, axis in (((z, y), 3), ((z,), 2), ((), 1)):
        box, span = values[:, *inside], spans[axis - 1]
        before, after = span.start, box.shape[axis] - span.stop
        for start, count, face in ((0, before, span.start), (span.stop, after, span.stop - 1)):
            if count:
                box.narrow(axis, start, count).copy_(box.narrow(axis, face, 1))


def _between_rows(weights: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a matrix of `_interpolation` does to rows, ``weights @ values``.

    Of two rows at a time: less than half the time of the product.
    """
    low = weights.ne(0).int().argmax(1).clamp(max=max(weights.shape[1] - 2, 0))
    high = (low + 1).clamp(max=weights.shape[1] - 1)
    lines = torch.arange(len(weights))
    first, second = weights[lines, low][:, None], weights[lines, high][:, None]
    if weights.shape[1] == 1:
        second = torch.zeros_like(second)

    def rows(values: torch.Tensor) -> torch.Tensor:
        found = values.index_select(2, low).mul_(first)
        return found.addcmul_(values.index_select(2, high), second)

    return rows


def _interpolation(
    where: FloatArray, size: int, order: Order, outside: Literal["zero", "edge"]
) -> torch.Tensor:
    """Matrix ``(len(where), size)`` that takes samples to values at positions between them."""
    inside = (where >= -0.5 - 1e-6) & (where <= size - 0.5 + 1e-6)
    position = np.clip(where, 0, size - 1)
    if order == "nearest":
        position = np.floor(position + 0.5 - 1e-6)
    low = np.clip(np.floor(position), 0, max(size - 2, 0)).astype(int)
    share = position - low
    weights = np.zeros((len(where), size), dtype=np.float32)
    rows = np.arange(len(where))
    weights[rows, low] = 1.0 - share
    weights[rows, np.minimum(low + 1, size - 1)] += share
    if outside == "zero":
        weights[~inside] = 0.0
    return torch.from_numpy(weights)


def to_view(array: NDArray[Any], turn: NDArray[np.float64]) -> NDArray[Any]:
    """Turn the last three axes ``(D, H, W)`` into those of the usual short-axis view.

    Args:
        array: ``(..., D, H, W)`` in the file's order.
        turn: from `model_grid.short_axis_order`.
    """
    lead = array.ndim - 3
    files = [int(np.abs(turn[:, axis]).argmax()) for axis in range(3)]  # of the view's x, y, z
    turned = array.transpose(*range(lead), *(lead + 2 - files[axis] for axis in (2, 1, 0)))
    flips = tuple(lead + 2 - axis for axis in range(3) if turn[files[axis], axis] < 0)
    return np.flip(turned, flips)
