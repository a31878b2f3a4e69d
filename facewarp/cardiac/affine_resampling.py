"""Resample volumes by an affine from voxels to voxels.

Where the axes of both grids run along each other, as they mostly do, each is interpolated by
itself, by a small matrix that is kept; else every voxel is looked up.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.arrays import FloatArray
from facewarp.core.fields import sample

Order = Literal["linear", "nearest"]
Outside = Literal["zero", "edge"]

_AT_ONCE: Final = 8  # volumes that are resampled together


def resample(
    data: NDArray[np.generic],
    matrix: FloatArray,
    shape: tuple[int, int, int],
    order: Order,
    outside: Outside,
) -> NDArray[np.float32]:
    """Return the values at ``matrix @ voxel`` for every voxel of another grid.

    Args:
        data: ``(..., D, H, W)``.
        matrix: (4, 4) from voxels ``(x, y, z, 1)`` of the result to those of the data.
        shape: of the result, ``(D, H, W)``.
        order: ``"linear"``, or ``"nearest"`` for what must not be mixed.
        outside: what lies outside of the data, which begins half a voxel beyond the centers of
            its outermost voxels: 0, or what is at its edge.

    Returns:
        float32 ``(..., *shape)``.
    """
    lead, spatial = data.shape[:-3], data.shape[-3:]
    values = data.reshape(-1, *spatial)
    found = np.empty((len(values), *shape), dtype=np.float32)
    into, run = torch.from_numpy(found), _resampler(spatial, matrix, shape, order, outside)

    def write(start: int) -> None:  # copies of a whole cine would fill memory
        some = slice(start, start + _AT_ONCE)
        run(_singles(values[some]), into[some])

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
    outside: Outside,
) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """Return what takes ``(N, *spatial)`` and writes ``(N, *shape)``, see `resample`."""
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
    outside: Outside,
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

    def along_axes(values: torch.Tensor, into: torch.Tensor) -> None:
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

    return along_axes


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


def _interpolation(where: FloatArray, size: int, order: Order, outside: Outside) -> torch.Tensor:
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
