import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.geometry import pixel_grid

SHAPES = [(20, 24), (10, 12, 14)]
both = pytest.mark.parametrize("shape", SHAPES, ids=["2d", "3d"])


def waves(shape, amplitude=1.0, dtype=torch.float64):
    """A smooth field that differs by axis and vanishes at no border."""
    p = pixel_grid(shape, dtype=dtype)
    size = torch.tensor(shape[::-1], dtype=dtype).view(1, -1, *[1] * len(shape))
    phase = 2 * math.pi * (p + 0.5) / size
    mixed = torch.roll(phase, 1, 1)
    return amplitude * torch.sin(phase + 0.3) * torch.cos(mixed)


def inner(tensor, margin=3):
    return tensor[(..., *[slice(margin, -margin)] * (tensor.ndim - 2))]


# --- warping -------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_identity_field_is_the_identity(shape, dtype):
    image = torch.rand(2, 3, *shape, dtype=dtype)
    warped = fields.warp(image, torch.zeros(2, len(shape), *shape, dtype=dtype))
    torch.testing.assert_close(warped, image, atol=1e-5, rtol=0)


@both
def test_a_shift_by_k_pixels_is_k_pixels_along_its_axis(shape):
    image = torch.rand(1, 1, *shape)
    for channel in range(len(shape)):
        axis = image.ndim - 1 - channel  # channel 0 is x, the last axis
        field = torch.zeros(1, len(shape), *shape)
        field[:, channel] = 3.0
        warped = fields.warp(image, field)
        n = shape[-1 - channel]
        torch.testing.assert_close(
            warped.narrow(axis, 0, n - 3), image.narrow(axis, 3, n - 3), atol=1e-5, rtol=0
        )


def test_warp_reads_moving_of_another_size_in_its_own_pixels():
    moving = torch.arange(50.0).view(1, 1, 5, 10)
    field = torch.zeros(1, 2, 3, 4)
    torch.testing.assert_close(fields.warp(moving, field), moving[..., :3, :4])


@pytest.mark.parametrize("steep", [0.9, 1.0, 1.7], ids=["within", "at", "beyond"])
def test_volumes_are_warped_alike_with_and_without_gradients(rng, steep):
    """Without, as networks are run, by slices where nothing moves further than the next one."""
    shape = (6, 20, 24)
    image = torch.from_numpy(rng.random((2, 3, *shape), np.float32))
    field = torch.from_numpy(rng.uniform(-4, 4, (2, 3, *shape)).astype(np.float32))
    field[:, 2] *= steep / 4
    field[0, 2, :2, 0, 0] = -steep  # out of the stack at its ends
    field[0, 2, -2:, 0, 0] = steep
    exact = fields.warp(image.double(), field.double())
    with torch.inference_mode():
        found = fields.warp(image, field)
    torch.testing.assert_close(found.double(), exact, atol=2e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_pictures_in_half_precision_are_warped_from_their_own_pixels(dtype):
    memory = torch.cat([torch.full((1, 2, 256, 320), -1.0), torch.ones(1, 1, 256, 320)], 1)
    picture = memory.to(dtype)[:, 2:]  # what is read from before it is seen
    found = fields.warp(picture, torch.zeros(1, 2, 256, 320, dtype=dtype))
    assert found.dtype == dtype
    assert float((found - 1).abs().max()) < 0.01


def test_two_d_and_three_d_agree():
    """A volume whose slices are all one image, moved within slices, is that image moved."""
    image = torch.rand(1, 2, 20, 24)
    flat = waves((20, 24), 1.5).float()
    deep = torch.cat([flat, torch.zeros(1, 1, 20, 24)], 1)[:, :, None].expand(-1, -1, 5, -1, -1)
    volume = image[:, :, None].expand(-1, -1, 5, -1, -1)
    torch.testing.assert_close(
        fields.warp(volume, deep), fields.warp(image, flat)[:, :, None].expand_as(volume)
    )
    torch.testing.assert_close(
        fields.jacobian_determinant(deep),
        fields.jacobian_determinant(flat)[:, None].expand(-1, 5, -1, -1),
    )


def test_labels_are_never_interpolated():
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[:, :, 4:] = 5  # halfway between 0 and 5 lie ids that are not there
    field = torch.full((1, 2, 8, 8), 0.4)
    assert set(fields.warp_labels(labels, field, 6).unique().tolist()) == {0, 5}


@both
def test_points_follow_the_field(shape):
    n = len(shape)
    field = waves(shape)
    points = torch.tensor([[3.0] * n, [5.0] * n], dtype=torch.float64)[None]
    moved = fields.warp_points(points, field)
    for i, k in enumerate((3, 5)):
        expected = points[0, i] + field[(0, slice(None), *[k] * n)]
        torch.testing.assert_close(moved[0, i], expected)


@both
def test_warping_an_image_and_its_points_agree(shape):
    """A blob at q in moving appears at the p that the field sends to q."""
    n = len(shape)
    field = waves(shape, 0.8)
    start = torch.tensor([float(s // 2) for s in shape[::-1]], dtype=torch.float64)
    target = fields.warp_points(start.view(1, 1, n), field)[0, 0]
    distance = (pixel_grid(shape, dtype=torch.float64) - target.view(1, n, *[1] * n)).square()
    blob = torch.exp(-distance.sum(1, keepdim=True) / 4)
    warped = fields.warp(blob, field)
    peak = np.unravel_index(int(warped.argmax()), shape)[::-1]
    assert max(abs(a - b) for a, b in zip(peak, start.tolist(), strict=True)) <= 1


# --- composing and inverting ---------------------------------------------------------------


@both
def test_compose_equals_two_warps(shape):
    """Checked on a linear image, which linear interpolation resamples without loss."""
    image = pixel_grid(shape, dtype=torch.float64).sum(1, keepdim=True)
    first, second = waves(shape, 1.0), waves(shape, -0.7).flip(1)
    twice = fields.warp(fields.warp(image, first), second)
    once = fields.warp(image, fields.compose(first, second))
    torch.testing.assert_close(inner(once), inner(twice), atol=0.02, rtol=0)


def test_compose_is_not_the_sum_and_order_matters():
    shape = (40, 40)
    p = pixel_grid(shape, dtype=torch.float64)
    scale = 0.1 * (p - 19.5)  # p -> 1.1 p about the centre
    shift = torch.zeros_like(p)
    shift[:, 0] = 5.0
    after_shift = inner(fields.compose(scale, shift), 8)  # first scales, reached through shift
    torch.testing.assert_close(after_shift, inner(0.1 * (p - 19.5) + shift * 1.1, 8))
    other = inner(fields.compose(shift, scale), 8)
    torch.testing.assert_close(other, inner(scale + shift, 8))


@both
def test_invert_returns_the_inverse_and_its_residual(shape):
    field = waves(shape, 0.8)
    inverse, residual = fields.invert(field)
    assert residual.shape == (1, 1, *shape)
    assert inner(residual).max() < 1e-3
    assert inner(fields.compose(field, inverse)).abs().max() < 1e-3


def test_invert_reports_where_it_failed():
    field = torch.zeros(1, 2, 40, 40, dtype=torch.float64)
    field[:, 0] = 4 * torch.sin(2 * math.pi * torch.arange(40, dtype=torch.float64) / 10)  # folds
    assert fields.jacobian_determinant(field).min() < 0
    _, residual = fields.invert(field)
    assert residual.max() > 1


@both
def test_exponential_is_the_flow(shape):
    """exp(0) is the identity, exp(-v) undoes exp(v), and a constant velocity is a shift."""
    velocity = waves(shape, 0.6)
    assert fields.exponential(torch.zeros_like(velocity)).abs().max() == 0
    there, back = fields.exponential(velocity), fields.exponential(-velocity)
    assert inner(fields.compose(there, back)).abs().max() < 0.06 < 0.3 * there.abs().max()
    shift = torch.full_like(velocity, 1.5)
    torch.testing.assert_close(fields.exponential(shift), shift)


def test_exponential_of_linear_velocity_is_the_matrix_one():
    p = pixel_grid((41, 41), dtype=torch.float64)
    angle = 0.2
    x, y = p[:, 0] - 20, p[:, 1] - 20
    velocity = angle * torch.stack([-y, x], 1)
    flow = fields.exponential(velocity, squarings=8)
    turned = torch.stack(
        [math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y], 1
    )
    center = (..., slice(12, 29), slice(12, 29))
    torch.testing.assert_close(
        flow[center], (turned - torch.stack([x, y], 1))[center], atol=0.01, rtol=0
    )


def test_two_squarings_of_a_midpoint_step_are_as_exact_as_seven_of_euler():
    p = pixel_grid((41, 41), dtype=torch.float64)
    x, y = p[:, 0] - 20, p[:, 1] - 20
    velocity = 0.4 * torch.stack([-y, x], 1)
    turned = torch.stack(
        [math.cos(0.4) * x - math.sin(0.4) * y, math.sin(0.4) * x + math.cos(0.4) * y], 1
    )
    center = (..., slice(14, 27), slice(14, 27))

    def error(flow):
        return float((flow - (turned - torch.stack([x, y], 1)))[center].abs().max())

    midpoint = error(fields.exponential(velocity, 2, midpoint=True))
    assert midpoint < 1.1 * error(fields.exponential(velocity, 7)) < 0.01
    assert midpoint < 0.1 * error(fields.exponential(velocity, 2))


@pytest.mark.parametrize("through", [0.6, 4.0], ids=["barely", "far"])
def test_flows_of_volumes_are_alike_with_and_without_gradients(through):
    """Without, the midpoint step samples one slice alone where little moves through the slices."""
    z, y, x = torch.meshgrid(*(torch.arange(float(n)) for n in (8, 24, 26)), indexing="ij")
    wave = torch.sin(z / 2 + x / 5) * torch.cos(y / 4)
    velocity = torch.stack([1.5 * wave, -wave.roll(3, 1), through * wave])[None]
    exact = fields.exponential(velocity.double(), 2, midpoint=True)
    with torch.inference_mode():
        found = fields.exponential(velocity, 2, midpoint=True)
    torch.testing.assert_close(found.double(), exact, atol=0.01, rtol=0)


@both
def test_exponential_has_no_folds(shape):
    velocity = waves(shape, 4.0)
    assert fields.jacobian_determinant(velocity).min() < 0
    assert inner(fields.jacobian_determinant(fields.exponential(velocity, 8)), 2).min() > 0


# --- poly-affine ---------------------------------------------------------------------------


@both
def test_polyaffine_keeps_affine_fields(shape):
    n = len(shape)
    p = pixel_grid(shape, dtype=torch.float64)
    matrix = 0.1 * torch.randn(
        n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    affine = torch.einsum("ij,bj...->bi...", matrix, p) + 2.0
    weights = torch.rand(1, 3, *shape, dtype=torch.float64)
    torch.testing.assert_close(fields.polyaffine(affine, weights), affine, atol=1e-3, rtol=1e-3)


def test_polyaffine_gives_each_region_its_own_motion():
    field = torch.zeros(1, 2, 20, 20, dtype=torch.float64)
    field[:, 0, :, 10:] = 4.0
    weights = torch.zeros(1, 2, 20, 20, dtype=torch.float64)
    weights[:, 0, :, :10] = 1
    weights[:, 1, :, 10:] = 1
    torch.testing.assert_close(fields.polyaffine(field, weights), field, atol=1e-3, rtol=0)
    whole = fields.polyaffine(field, torch.ones(1, 1, 20, 20, dtype=torch.float64))
    assert (whole - field).abs().max() > 0.5  # one affine map cannot follow a jump


# --- jacobian ------------------------------------------------------------------------------


def test_jacobian_of_an_affine_field_is_its_determinant():
    """du = A p with different entries everywhere: swapped axes would give another value."""
    p = pixel_grid((9, 11), dtype=torch.float64)
    a = torch.tensor([[0.10, 0.30], [-0.20, 0.15]], dtype=torch.float64)
    det = fields.jacobian_determinant(torch.einsum("ij,bjyx->biyx", a, p))
    expected = torch.linalg.det(torch.eye(2, dtype=torch.float64) + a)
    torch.testing.assert_close(det, expected.expand_as(det))


def test_jacobian_of_an_affine_field_in_3d():
    p = pixel_grid((5, 6, 7), dtype=torch.float64)
    a = torch.tensor([[0.1, 0.3, -0.2], [-0.2, 0.15, 0.05], [0.4, -0.1, 0.2]], dtype=torch.float64)
    det = fields.jacobian_determinant(torch.einsum("ij,bjzyx->bizyx", a, p))
    expected = torch.linalg.det(torch.eye(3, dtype=torch.float64) + a)
    torch.testing.assert_close(det, expected.expand_as(det))


def test_jacobian_of_a_curved_field_matches_its_analytic_value():
    """u = (0.02 x y, 0.03 x^2): det = (1 + 0.02 y) - 0.02 x * 0.06 x, exact inside."""
    p = pixel_grid((12, 10), dtype=torch.float64)
    x, y = p[:, 0], p[:, 1]
    det = fields.jacobian_determinant(torch.stack([0.02 * x * y, 0.03 * x * x], 1))
    expected = (1 + 0.02 * y) - (0.02 * x) * (0.06 * x)
    torch.testing.assert_close(det[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1])


@both
def test_jacobian_is_negative_in_a_fold_and_one_at_rest(shape):
    p = pixel_grid(shape, dtype=torch.float64)
    mirror = torch.zeros_like(p)
    mirror[:, 0] = -2 * p[:, 0]
    assert (fields.jacobian_determinant(mirror) == -1).all()
    assert (fields.jacobian_determinant(torch.zeros_like(p)) == 1).all()


# --- splines -------------------------------------------------------------------------------


def pooled_spline(control, size, box):
    """The published form: linear upsampling, then three zero-padded mean filters."""
    dense = F.interpolate(control, size=size, mode="bilinear", align_corners=False)
    for _ in range(3):
        dense = F.avg_pool2d(dense, box, stride=1, padding=box // 2)
    return dense


@pytest.mark.parametrize("box", [19, 11])
def test_zero_border_splines_equal_the_pooled_form(box):
    control = torch.randn(2, 2, 10, 8)
    matrices = [
        fields.spline_matrix(n, k, box, border="zero")
        for n, k in zip((160, 130), control.shape[2:], strict=True)
    ]
    found = fields.spline_field(control, matrices)
    torch.testing.assert_close(found, pooled_spline(control, (160, 130), box), atol=1e-6, rtol=1e-5)


def test_zero_border_pulls_to_zero_and_edge_border_does_not():
    zero = fields.spline_matrix(160, 10, 19, border="zero") @ torch.ones(10)
    edge = fields.spline_matrix(160, 10, 19, border="edge") @ torch.ones(10)
    assert zero[0] == pytest.approx(0.34, abs=0.01)
    torch.testing.assert_close(edge, torch.ones(160))
    torch.testing.assert_close(zero[40:120], edge[40:120])


def test_spline_of_a_ramp_is_a_ramp_and_smooth():
    matrix = fields.spline_matrix(160, 10, 9)
    control = (torch.arange(10.0) + 0.5) * 16 - 0.5  # where the control points lie
    ramp = matrix @ control
    torch.testing.assert_close(ramp[30:130], torch.arange(30.0, 130.0), atol=1e-3, rtol=0)
    assert (matrix >= 0).all()


def test_spline_fields_in_3d_are_separable():
    control = torch.randn(1, 3, 3, 4, 5)
    matrices = [fields.spline_matrix(n, k, 3) for n, k in ((6, 3), (8, 4), (10, 5))]
    expected = torch.einsum("zi,yj,xk,bcijk->bczyx", *matrices, control)
    torch.testing.assert_close(fields.spline_field(control, matrices), expected)


@pytest.mark.parametrize("box", [0, 4])
def test_even_boxes_are_refused(box):
    with pytest.raises(ValueError, match="odd"):
        fields.spline_matrix(16, 4, box)


def test_gradients_flow_through_every_operation():
    control = (0.3 * torch.randn(1, 2, 3, 3, dtype=torch.float64)).requires_grad_()
    matrices = [fields.spline_matrix(7, 3, 3).double()] * 2
    image = torch.rand(1, 1, 7, 7, dtype=torch.float64)

    def measure(points):
        field = fields.spline_field(points, matrices)
        both = fields.compose(field, 0.5 * field)
        return fields.warp(image, both).sum() + fields.jacobian_determinant(both).sum()

    assert torch.autograd.gradcheck(measure, control)


@both
@pytest.mark.parametrize("size", [2, 3, 7])
def test_central_differences_are_those_of_torch(shape, size):
    values = torch.randn(2, 3, *shape[:-1], size).transpose(0, 1)  # as warps leave them
    expected = torch.gradient(values, dim=tuple(range(values.ndim - 1, 1, -1)))
    for found, one in zip(fields.central_differences(values), expected, strict=True):
        assert torch.equal(found, one)


@both
def test_the_smallest_jacobian_of_a_linear_map_is_its_determinant(shape):
    n = len(shape)
    matrix = torch.eye(n) + 0.2 * torch.arange(n * n).view(n, n).float().sin()
    field = torch.einsum("ij,bj...->bi...", matrix - torch.eye(n), pixel_grid(shape))
    found = fields.smallest_jacobian(field)
    torch.testing.assert_close(found, torch.full_like(found, torch.det(matrix).item()))


@both
def test_a_fold_that_central_differences_skip_is_found(shape):
    field = torch.zeros(1, len(shape), *shape)
    middle = tuple(n // 2 for n in shape)
    field[(0, 0, *middle)] = 1.5  # one pixel beyond its neighbor
    assert fields.jacobian_determinant(field)[(0, *middle)] == 1
    found = fields.smallest_jacobian(field)
    assert found[(0, *middle)] == pytest.approx(-0.5)
    assert found[(0, *(n - 1 for n in middle[:-1]), middle[-1] - 3)] == 1


@both
def test_the_smallest_jacobians_of_a_batch_are_those_of_each(shape):
    torch.manual_seed(2)
    noise = torch.randn(3, len(shape), *shape) * 0.3
    found = fields.smallest_jacobian(noise)
    assert found.shape == (3, *shape)
    for one, alone in zip(found, noise.split(1), strict=True):
        torch.testing.assert_close(one[None], fields.smallest_jacobian(alone))


def test_a_cell_turned_inside_out_between_its_corners_is_found():
    """Corners keep their orientation along every axis; the tetrahedron between them does not."""
    torch.manual_seed(1)
    noise = torch.randn(400, 3, 2, 2, 2) * 0.35
    found = fields.smallest_jacobian(noise)
    corners = torch.stack([
        torch.det(torch.eye(3) + torch.stack([
            (noise[:, :, z, y, 1] - noise[:, :, z, y, 0]),
            (noise[:, :, z, 1, x] - noise[:, :, z, 0, x]),
            (noise[:, :, 1, y, x] - noise[:, :, 0, y, x]),
        ], 2))
        for z in (0, 1) for y in (0, 1) for x in (0, 1)
    ], 1)  # fmt: skip
    torch.testing.assert_close(found[:, 1].flatten(1), corners[:, 4:])
    assert ((found[:, 0, 0, 0] < 0) & (corners.amin(1) > 0)).any()


def test_sampling_is_traced_in_operators_that_converters_know():
    image, points = torch.rand(1, 2, 5, 6), pixel_grid((5, 6))
    traced = torch.jit.trace(
        lambda *given: fields.sample(*given), (image, points), check_trace=False
    )
    assert "aten::movedim" not in str(traced.graph)
    assert "aten::permute" in str(traced.graph)
