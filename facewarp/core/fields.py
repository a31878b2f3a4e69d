"""Displacement fields in 2D and 3D: B-splines, warping, composition, inversion, Jacobian.

Convention
    A field ``u`` is ``(B, n, *spatial)`` with channels ``(x, y[, z])`` in pixels of its own grid.
    It lives on the fixed grid and points into moving: ``warped(p) = moving(p + u(p))``.
    Points of the fixed image go through ``p + u(p)`` into moving.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Final, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.core.geometry import Shape, pixel_grid, spatial_shape

Border = Literal["edge", "zero"]
_COARSE: Final = (torch.float16, torch.bfloat16)

_BARELY: Final = 0.25  # slices that a step moves at most, for which one slice is sampled


def spline_matrix(
    n_out: int, n_control: int, box: int, passes: int = 3, border: Border = "edge"
) -> Tensor:
    """Return the 1D B-spline basis as a matrix ``(n_out, n_control)``.

    Control values are interpolated linearly to ``n_out`` samples, then smoothed ``passes`` times
    by a mean over ``box`` samples (Ha et al. 2020, section 2.2): a smooth, compactly supported
    basis. Both are linear, so they are one small matrix.

    Args:
        n_out: samples along the axis.
        n_control: control points along the axis.
        box: odd width of the mean filter, in samples.
        passes: how often the filter is applied.
        border: ``"edge"`` repeats border samples, so that rows sum to one and a constant grid is
            a constant field; ``"zero"`` is the paper's zero padding, which pulls the field to
            zero at the border.
    """
    if box < 1 or box % 2 == 0:
        raise ValueError(f"the box filter's width is odd and at least 1, not {box}")
    position = (torch.arange(n_out, dtype=torch.float64) + 0.5) * n_control / n_out - 0.5
    position = position.clamp(0, n_control - 1)
    low = position.floor().long().clamp(max=max(n_control - 2, 0))
    high = (low + 1).clamp(max=n_control - 1)
    share = position - low
    rows = torch.arange(n_out)
    basis = torch.zeros(n_out, n_control, dtype=torch.float64)
    basis.index_put_((rows, low), 1 - share, accumulate=True)
    basis.index_put_((rows, high), share, accumulate=True)

    smooth = torch.zeros(n_out, n_out, dtype=torch.float64)
    for offset in range(-(box // 2), box // 2 + 1):
        source = rows + offset
        inside = (source >= 0) & (source < n_out)
        kept = torch.ones_like(inside) if border == "edge" else inside
        weight = torch.full((int(kept.sum()),), 1.0 / box, dtype=torch.float64)
        smooth.index_put_((rows[kept], source.clamp(0, n_out - 1)[kept]), weight, accumulate=True)
    matrix: Tensor = torch.linalg.matrix_power(smooth, passes) @ basis
    return matrix.float()


def spline_field(control: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Evaluate a dense field ``(B, n, *shape)`` from control points ``(B, n, *control_shape)``.

    Args:
        control: displacements of the control points, in px of the dense grid.
        matrices: one `spline_matrix` per spatial axis, in the order of the tensor's axes; in 3D
            that of z may be left out where it is the identity.
    """
    *outer, rows, columns = matrices
    dense = rows @ control @ columns.T
    for matrix in outer:
        planes = matrix @ dense.flatten(3)
        dense = planes.view(*planes.shape[:3], *dense.shape[3:])
    return dense


def warp(image: Tensor, field: Tensor, mode: str = "bilinear", padding: str = "border") -> Tensor:
    """Resample ``image`` at ``p + u(p)``.

    Args:
        image: moving, ``(B, C, *moving_shape)``; its shape may differ from the field's, whose
            pixel coordinates then count on moving's grid.
        field: ``(B, n, *fixed_shape)`` px.
        mode: ``"bilinear"`` (trilinear in 3D) or ``"nearest"``.
        padding: ``"border"`` or ``"zeros"`` outside of moving.

    Returns:
        ``(B, C, *fixed_shape)``.
    """
    if mode == "bilinear" and padding == "border" and _stays_near_slices(image, field):
        return _warp_by_slices(image, field)
    target = pixel_grid(spatial_shape(field), field.device, field.dtype) + field
    return sample(image, target, mode, padding)


def _stays_near_slices(image: Tensor, field: Tensor, most: float = 1.0) -> bool:
    """Return whether no place lies further than the next slice, and torch's slow kernel would run.

    That is the one of volumes on a CPU; gradients are left to it.

    Args:
        image: see `warp`.
        field: likewise.
        most: slices that are near.
    """
    return (
        torch.is_inference_mode_enabled()
        and field.ndim == 5
        and field.device.type == "cpu"
        and field.dtype == image.dtype == torch.float32
        and spatial_shape(image) == spatial_shape(field)
        and bool(field[:, 2].abs().amax() <= most)
    )


def _warp_by_slices(image: Tensor, field: Tensor, *, barely: bool = False) -> Tensor:
    """Resample trilinearly what moves by no more than a slice: three slices, bilinearly each.

    Torch samples images several times as fast as volumes, so that this takes half the time.

    Args:
        image: see `warp`.
        field: likewise.
        barely: it moves by a fraction of a voxel, so that only the own slice is sampled, and the
            change to the next one is taken where it is.
    """
    depth, *plane = spatial_shape(image)
    factor, shift = _normalizer(tuple(plane), image.device, image.dtype)
    first = torch.arange(depth, dtype=image.dtype).view(-1, 1, 1)
    own = pixel_grid(tuple(plane), image.device, image.dtype)
    found = torch.empty(len(image), depth, image.shape[1], *plane, dtype=image.dtype)
    for one, by, result in zip(image, field, found, strict=True):
        slices = one.transpose(0, 1)
        places = torch.movedim((by[:2].transpose(0, 1) + own) * factor + shift, 1, -1)
        along = ((by[2] + first).clamp(0, depth - 1) - first)[:, None]
        before, after = along[1:].clamp(max=0).neg_(), along[:-1].clamp(min=0)
        if barely:
            result.copy_(_sample_edge(slices, places))
            steps = slices[1:] - slices[:-1]
            result[1:].addcmul_(steps, before, value=-1)
            result[:-1].addcmul_(steps, after)
            continue
        torch.mul(_sample_edge(slices, places), 1 - along.abs(), out=result)
        result[1:].addcmul_(_sample_edge(slices[:-1], places[1:]), before)
        result[:-1].addcmul_(_sample_edge(slices[1:], places[:-1]), after)
    return found.transpose(1, 2)


def _sample_edge(image: Tensor, places: Tensor) -> Tensor:
    """Sample bilinearly at normalized places ``(B, H, W, 2)``; the edge goes on outside."""
    return _sample_normalized(image, places, "bilinear", "border")


def _sample_normalized(image: Tensor, places: Tensor, mode: str, padding: str) -> Tensor:
    """Sample at places ``(B, *any, n)`` of -1..1; 16-bit floats on a processor by way of float32.

    Torch's own kernel for these counts pixels in 16 bits: of more than 32,768 it reads others
    (``findings/torch-half-grid-sample-past-32768.sh``). Under autocast it is not asked.
    """
    given = image.dtype
    if image.device.type == "cpu" and given in _COARSE and places.dtype == given:
        found = F.grid_sample(
            image.float(), places.float(), mode=mode, padding_mode=padding, align_corners=False
        )
        return found if torch.is_autocast_enabled("cpu") else found.to(given)
    return F.grid_sample(image, places, mode=mode, padding_mode=padding, align_corners=False)


def sample(
    image: Tensor, points: Tensor, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """Sample ``image`` at pixel coordinates ``points`` ``(B, n, *any)``."""
    if points.ndim != image.ndim:
        raise ValueError(f"points {tuple(points.shape)} do not fit image {tuple(image.shape)}")
    factor, shift = _normalizer(spatial_shape(image), points.device, points.dtype)
    # Before the axes move: converted graphs are slow at arithmetic over a last axis of two.
    # Permuted, not by movedim, which converters to ncnn leave as it is.
    normalized = (points * factor + shift).permute(0, *range(2, points.ndim), 1)
    return _sample_normalized(image, normalized, mode, padding)


@lru_cache(maxsize=32)
def _normalizer(shape: Shape, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return factor and shift per axis, x first, from px of a grid to -1..1: ``(n, 1, ...)``."""
    with torch.inference_mode(False):  # they outlive this call: training too
        sizes = torch.tensor(shape[::-1], device=device, dtype=dtype)
        sizes = sizes.view(-1, *[1] * len(shape))
        return 2 / sizes, 1 / sizes - 1


def warp_labels(labels: Tensor, field: Tensor, n_classes: int) -> Tensor:
    """Warp a label map ``(B, *moving_shape)`` as one-hot probabilities, then take the argmax.

    Returns:
        int64 labels ``(B, *fixed_shape)``. Ids are never interpolated.
    """
    onehot = torch.movedim(F.one_hot(labels.long(), n_classes), -1, 1).to(field.dtype)
    return warp(onehot, field).argmax(1)


def warp_points(points: Tensor, field: Tensor) -> Tensor:
    """Map points ``(B, N, n)`` of the fixed image to moving, ``p + u(p)``."""
    n = points.shape[-1]
    where = torch.movedim(points, -1, 1).reshape(points.shape[0], n, *[1] * (n - 1), -1)
    moved = sample(field, where.to(field.dtype))
    return points + torch.movedim(moved.reshape(points.shape[0], n, -1), 1, -1)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Compose two displacement fields, ``u(p) = inner(p) + outer(p + inner(p))``.

    ``warp(m, u) == warp(warp(m, outer), inner)``: ``outer`` is the earlier registration step.
    """
    return inner + warp(outer, inner)


def invert(field: Tensor, iterations: int = 20) -> tuple[Tensor, Tensor]:
    """Invert a field by fixed-point iteration ``v <- -u(p + v)`` (Chen et al. 2008).

    Returns:
        The inverse, and its residual in px ``|v(p) + u(p + v(p))|`` ``(B, 1, *shape)``. Where it
        is not small the iteration did not settle: the field folds there, or is close to it.
    """
    inverse = -field
    for _ in range(iterations):
        inverse = -warp(field, inverse)
    residual = (inverse + warp(field, inverse)).norm(dim=1, keepdim=True)
    return inverse, residual


def exponential(velocity: Tensor, squarings: int = 6, *, midpoint: bool = False) -> Tensor:
    """Integrate a stationary velocity field over unit time, by scaling and squaring.

    Args:
        velocity: ``(B, n, *shape)`` px.
        squarings: how often a flow is composed with itself; each interpolates the flow again.
        midpoint: the flow that is squared is a midpoint step rather than one of Euler: with two
            squarings as exact as Euler with seven.
    """
    flow: Tensor = velocity / 2**squarings
    if midpoint:
        half = flow / 2
        barely = _stays_near_slices(flow, half, _BARELY)
        flow = _warp_by_slices(flow, half, barely=True) if barely else warp(flow, half)
    for _ in range(squarings):
        flow = compose(flow, flow)
    return flow


def polyaffine(field: Tensor, weights: Tensor) -> Tensor:
    """Fit a poly-affine field: one affine map per region, blended by the regions' weights.

    Each region's map is the weighted least-squares fit to the field; maps are fused by their
    weighted mean (Arsigny et al. 2009, direct fusion).

    Args:
        field: ``(B, n, *shape)`` px.
        weights: ``(B, K, *shape)`` non-negative; smooth them for a smooth result.
    """
    batch, n = field.shape[:2]
    shape = field.shape[2:]
    coordinates = pixel_grid(tuple(shape), field.device, field.dtype).reshape(n, -1)
    center = coordinates.mean(1, keepdim=True)
    scale = (coordinates - center).abs().max().clamp(min=1.0)
    design = torch.cat([(coordinates - center) / scale, torch.ones_like(coordinates[:1])])  # n+1,P
    share = weights.reshape(batch, weights.shape[1], -1)
    target = field.reshape(batch, n, -1)
    gram = torch.einsum("bkp,ip,jp->bkij", share, design, design)
    ridge = 1e-6 * gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] + 1e-12
    gram = gram + ridge * torch.eye(n + 1, device=field.device, dtype=field.dtype)
    moment = torch.einsum("bkp,ip,bcp->bkic", share, design, target)
    maps = torch.linalg.solve(gram, moment)  # B,K,n+1,n
    share = share / share.sum(1, keepdim=True).clamp(min=1e-12)
    return torch.einsum("bkp,ip,bkic->bcp", share, design, maps).reshape(field.shape)


def field_gradient(field: Tensor) -> Tensor:
    """Return ``du_i/dx_j`` ``(B, n, n, *shape)`` by central differences (one-sided at edges).

    The first channel axis is the displacement's component, the second the direction, both in
    the order x, y[, z].
    """
    n = field.shape[1]
    axes = tuple(range(field.ndim - 1, 1, -1))  # tensor axes of x, y[, z]
    if min(field.shape[2:]) < 2:
        raise ValueError(f"derivatives need two pixels along every axis, not {field.shape[2:]}")
    parts = [torch.gradient(field, dim=axis)[0] for axis in axes]
    assert len(parts) == n
    return torch.stack(parts, dim=2)


def central_differences(values: Tensor) -> list[Tensor]:
    """Return derivatives of ``(B, K, *shape)`` along x, y[, z], as `torch.gradient` has them.

    The same values in a fraction of its time, which puts every axis together from three pieces:
    here neighbors are so many numbers apart, and the borders are written anew. Not for training:
    nothing is derived through it.
    """
    given = values.contiguous()
    found = []
    for axis in range(given.ndim - 1, 1, -1):
        slope, step, last = torch.empty_like(given), given.stride(axis), given.shape[axis] - 1
        line = given.view(-1)
        inside = slope.view(-1)[step:-step]
        torch.sub(line[2 * step :], line[: -2 * step], out=inside).mul_(0.5)
        for end, low in ((0, 0), (last, last - 1)):
            low_values, high_values = given.select(axis, low), given.select(axis, low + 1)
            torch.sub(high_values, low_values, out=slope.select(axis, end))
        found.append(slope)
    return found


def jacobian_determinant(field: Tensor) -> Tensor:
    """Return det ``I + grad u`` ``(B, *shape)``: local change of area or volume; folds <= 0."""
    gradient = field_gradient(field)
    n = field.shape[1]
    eye = torch.eye(n, device=field.device, dtype=field.dtype).view(1, n, n, *[1] * n)
    jacobian = gradient + eye
    j = jacobian.unbind(1)
    if n == 2:
        return j[0][:, 0] * j[1][:, 1] - j[0][:, 1] * j[1][:, 0]
    return (
        j[0][:, 0] * (j[1][:, 1] * j[2][:, 2] - j[1][:, 2] * j[2][:, 1])
        - j[0][:, 1] * (j[1][:, 0] * j[2][:, 2] - j[1][:, 2] * j[2][:, 0])
        + j[0][:, 2] * (j[1][:, 0] * j[2][:, 1] - j[1][:, 1] * j[2][:, 0])
    )


def smallest_jacobian(field: Tensor) -> Tensor:
    """Return the smallest determinant of a pixel's one-sided Jacobians, ``(B, *shape)``.

    Central differences skip the pixel itself and miss folds. A field is a digital diffeomorphism
    where all simplices that pixels make with their neighbors keep their orientation: those of one
    pixel and a neighbor along every axis, and in 3D the two tetrahedra of every cell's alternate
    corners, which count at the cell's first pixel (Liu et al., IJCV 2024).
    """
    n, shape = field.shape[1], spatial_shape(field)
    if n == 3 and len(field) > 1:  # one volume after the other: what is near is in the cache
        return torch.cat([smallest_jacobian(one) for one in field.chunk(len(field))])
    places = pixel_grid(shape, field.device, field.dtype) + field
    smallest = torch.full_like(field[:, 0], float("inf"))
    steps = [torch.diff(places, dim=axis).unbind(1) for axis in range(field.ndim - 1, 1, -1)]
    for sides in product(_SIDES, repeat=n - 1):  # along [z,] y
        across = _across(steps[1:], sides)  # both of x share it
        along = [component[(slice(None), *sides)] for component in steps[0]]
        for x in _SIDES:
            here = smallest[(slice(None), *sides, x)]
            torch.minimum(here, _dot(along, [component[..., x] for component in across]), out=here)
    if n == 3:
        cells = smallest[:, :-1, :-1, :-1]
        for tips in _ALTERNATE:
            first, *others = (
                places[:, :, z : shape[0] - 1 + z, y : shape[1] - 1 + y, x : shape[2] - 1 + x]
                for x, y, z in tips
            )
            one, two, three = ((other - first).unbind(1) for other in others)
            torch.minimum(cells, _dot(one, _cross(two, three)) / 2, out=cells)
    return smallest


_ALTERNATE: Final = (
    ((0, 0, 0), (1, 1, 0), (0, 1, 1), (1, 0, 1)),
    ((1, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0)),
)
"""Corners (x, y, z) of a cell's two inner tetrahedra; each has twice a corner's determinant."""


_SIDES: Final = (slice(None, -1), slice(1, None))
"""Pixels with a neighbor after them along an axis, and those with one before them."""


def _across(steps: Sequence[Sequence[Tensor]], sides: Sequence[slice]) -> list[Tensor]:
    """Return the vector whose dot product with an edge along x is the determinant of all edges.

    Args:
        steps: edges along y[, z], by component.
        sides: of the corner along [z,] y.
    """
    if len(steps) == 1:
        x, y = steps[0]
        return [y, -x]
    outer, inner = sides
    return _cross([v[:, outer] for v in steps[0]], [v[:, :, inner] for v in steps[1]])


def _cross(one: Sequence[Tensor], other: Sequence[Tensor]) -> list[Tensor]:
    """Return the cross product of two vectors of components."""
    (bx, by, bz), (cx, cy, cz) = one, other
    turns = (by, bz, cy, cz), (bz, bx, cz, cx), (bx, by, cx, cy)
    return [torch.addcmul(a * d, b, c, value=-1) for a, b, c, d in turns]


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Return the dot product of two vectors of components."""
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total = torch.addcmul(total, a, b)
    return total
