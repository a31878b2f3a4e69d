import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch import Tensor

from facewarp.core import fields
from facewarp.core.geometry import pixel_grid, resize_field, resize_image
from facewarp.training.config.train_config import LossConfig
from facewarp.training.losses import (
    LANDMARK_WEIGHTS,
    Targets,
    alignment_loss,
    class_weights,
    consistency_loss,
    field_penalty,
    landmark_loss,
    part_loss,
    registration_loss,
    roughness,
    soft_dice,
    soft_labels,
    steadiness_loss,
)

NOTHING = LossConfig(
    part_ce=0,
    part_dice=0,
    warp_l1=0,
    warp_dice=0,
    landmarks=0,
    smoothness=0,
    bending=0,
    folds=0,
    consistency=0,
)
SHAPES = [(16, 12), (8, 10, 12)]


def only(**weights: float | tuple[float, ...]) -> LossConfig:
    return LossConfig(**{**vars(NOTHING), **weights})


def square(shape: tuple[int, ...], low: int, high: int) -> Tensor:
    """One-hot labels (1, 2, *shape) of a square or cube [low, high)."""
    inside = torch.zeros(shape)
    inside[tuple(slice(low, high) for _ in shape)] = 1
    return torch.stack([1 - inside, inside])[None]


def linear_field(shape: tuple[int, ...], matrix: list[list[float]]) -> Tensor:
    """u(p) = M p, (1, n, *shape) px."""
    return torch.einsum("ij,bj...->bi...", torch.tensor(matrix), pixel_grid(shape))


def points_at(x: float, y: float) -> Tensor:
    return torch.tensor([float(x), float(y)]).expand(1, 68, 2).clone()


def targets(onehot: Tensor, landmarks: Tensor | None = None) -> Targets:
    return Targets(onehot, onehot, landmarks)


def test_class_weights_are_inverse_root_frequencies() -> None:
    onehot = torch.zeros(1, 2, 4, 4)
    onehot[:, 1, 0] = 1  # a quarter of the pixels
    onehot[:, 0, 1:] = 1
    raw = torch.tensor([1 / math.sqrt(0.75), 1 / math.sqrt(0.25)])
    torch.testing.assert_close(class_weights(onehot), raw / raw.mean())


def test_a_class_that_never_occurs_has_a_finite_weight() -> None:
    assert torch.isfinite(class_weights(torch.eye(3)[:1].reshape(1, 3, 1, 1))).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_soft_dice_by_hand(shape: tuple[int, ...]) -> None:
    near, far = square(shape, 1, 3), square(shape, 4, 6)
    size = 2 ** len(shape)
    assert soft_dice(near, near).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice(near, far).item() == pytest.approx(1 - 1 / (2 * size + 1))


def test_soft_dice_leaves_out_parts_that_are_not_there() -> None:
    one = torch.cat([square((8, 8), 1, 3), torch.zeros(1, 1, 8, 8)], 1)
    guess = one.clone()
    guess[:, 2] = 0.3  # a third part, seen where there is none
    assert soft_dice(guess, one).item() == pytest.approx(0, abs=1e-6)


def test_part_loss_by_hand() -> None:
    target = square((4, 4), 0, 2)  # 4 of 16 pixels
    weights = torch.tensor([0.5, 1.5])
    leaning = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand_as(target)  # to the part, everywhere
    miss, hit = math.log(1 + math.e), math.log(1 + math.e) - 1
    expected = (0.5 * 12 * miss + 1.5 * 4 * hit) / (0.5 * 12 + 1.5 * 4)
    assert part_loss(leaning, target, weights, only(part_ce=1)).item() == pytest.approx(expected)
    doubled = part_loss(leaning, target, weights, only(part_ce=2))
    assert doubled.item() == pytest.approx(2 * expected)


def test_without_class_weights_every_pixel_counts_the_same() -> None:
    target = square((4, 4), 0, 2)
    loss = LossConfig(**{**vars(only(part_ce=1)), "part_weighted": False})
    found = part_loss(torch.zeros_like(target), target, torch.tensor([0.5, 1.5]), loss)
    assert found.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("shape", [(4, 6), (8, 12), (2, 2), (3, 5)])
def test_soft_labels_are_shares_of_each_part(shape: tuple[int, int]) -> None:
    labels = torch.randint(0, 3, (2, 8, 12), generator=torch.Generator().manual_seed(1))
    found = soft_labels(labels.to(torch.uint8), 3, shape)
    onehot = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    torch.testing.assert_close(found, resize_image(onehot, shape))
    torch.testing.assert_close(found.sum(1), torch.ones(2, *shape))


def test_labels_may_be_compared_on_a_finer_grid_than_the_fields() -> None:
    fixed, moving = square((32, 32), 8, 16), square((32, 32), 12, 20)
    labels = [onehot.argmax(1).to(torch.uint8) for onehot in (fixed, moving)]
    points = [torch.full((1, 68, 2), at) for at in (11.5, 15.5)]
    sides = [
        Targets.from_labels(*side, 2, (16, 16), (8, 8)) for side in zip(labels, points, strict=True)
    ]
    terms = {}
    for name, field in {"right": torch.ones(1, 2, 8, 8), "none": torch.zeros(1, 2, 8, 8)}.items():
        found = registration_loss(
            [field], *sides, torch.ones(2), only(warp_l1=1, landmarks=1, step_weights=(1.0,))
        )
        terms[name] = {key: value.item() for key, value in found.items()}
    assert terms["right"]["align"] == pytest.approx(0, abs=1e-5)  # one px of 8 x 8 is four of 32
    assert terms["right"]["landmarks"] == pytest.approx(0, abs=1e-5)
    assert min(terms["none"]["align"], terms["none"]["landmarks"]) > 0.01


def test_part_loss_of_sure_and_right_logits_is_nothing() -> None:
    target = square((6, 6), 1, 4)
    loss = part_loss(60 * target, target, torch.ones(2), only(part_ce=1, part_dice=1))
    assert loss.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_alignment_loss_by_hand(shape: tuple[int, ...]) -> None:
    fixed, moved = square(shape, 1, 3), square(shape, 1, 3)
    weights = torch.tensor([1.0, 3.0])
    assert alignment_loss(moved, fixed, weights, only(warp_l1=1, warp_dice=1)).item() == 0
    corner = (0, slice(None), *(0 for _ in shape))
    moved[corner] = torch.tensor([0.0, 1.0])  # one pixel is of the other class
    expected = (1.0 + 3.0) / math.prod(shape)
    found = alignment_loss(moved, fixed, weights, only(warp_l1=1))
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("distance", "expected"), [(0.0, 0.0), (1.0, 0.5), (2.0, 2.0), (10.0, 2 * (10 - 1))]
)
def test_landmark_loss_is_the_huber_distance(distance: float, expected: float) -> None:
    loss = landmark_loss(torch.zeros(1, 2, 20, 20), points_at(5, 5), points_at(5 + distance, 5))
    assert loss.item() == pytest.approx(expected)


def test_landmark_loss_follows_the_field() -> None:
    shift = torch.tensor([4.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 20, 20)
    assert landmark_loss(shift, points_at(5, 9), points_at(9, 6)).item() == 0


def test_jaw_points_count_less() -> None:
    still, jaw, lips = (points_at(5, 5) for _ in range(3))
    jaw[0, 0, 0] += 1
    lips[0, 60, 0] += 1
    zero = torch.zeros(1, 2, 20, 20)
    jaw_loss, lip_loss = landmark_loss(zero, still, jaw), landmark_loss(zero, still, lips)
    assert jaw_loss.item() == pytest.approx(0.3 * lip_loss.item())
    assert lip_loss.item() == pytest.approx(0.5 / sum(LANDMARK_WEIGHTS))


def test_landmark_loss_ignores_unknown_points() -> None:
    fixed, moving = points_at(5, 5), points_at(6, 5)
    fixed[0, :30] = torch.nan
    moving[0, 20:40, 1] = torch.nan
    field = torch.zeros(1, 2, 20, 20, requires_grad=True)
    loss = landmark_loss(field, fixed, moving)
    assert loss.item() == pytest.approx(0.5)
    (gradient,) = torch.autograd.grad(loss, field)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    assert landmark_loss(field, points_at(torch.nan, 0), moving).item() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_field_penalty_of_a_constant_field_is_zero(shape: tuple[int, ...]) -> None:
    field = torch.zeros(1, len(shape), *shape)
    assert field_penalty(field, LossConfig()).item() == 0
    assert field_penalty(field + 3, LossConfig()).item() == pytest.approx(0, abs=1e-6)


def test_smoothness_and_bending_by_hand() -> None:
    tilted = linear_field((12, 10), [[0.1, -0.2], [0.05, 0.3]])
    expected = 0.1**2 + 0.2**2 + 0.05**2 + 0.3**2
    assert field_penalty(tilted, only(smoothness=1)).item() == pytest.approx(expected, rel=1e-4)
    assert field_penalty(tilted, only(bending=1)).item() == pytest.approx(0, abs=1e-8)
    bent = torch.zeros(1, 2, 12, 10)
    bent[:, 0] = torch.arange(10) ** 2  # second difference 2 along x
    assert field_penalty(bent, only(bending=1)).item() == pytest.approx(4)


def test_penalties_use_derivatives_in_space_for_thick_slices() -> None:
    matrix = [[0.1, 0.0, 0.2], [0.0, 0.3, 0.0], [0.05, 0.0, 0.4]]  # rows x, y, z; voxels a voxel
    tilted = linear_field((6, 8, 10), matrix)
    cubes = field_penalty(tilted, only(smoothness=1)).item()
    thick = field_penalty(tilted, only(smoothness=1), (2.0, 2.0, 10.0)).item()
    assert cubes == pytest.approx(0.01 + 0.04 + 0.09 + 0.0025 + 0.16, rel=1e-4)
    # x by slice is a fifth as steep, z by column five times; what stays on one axis is the same
    assert thick == pytest.approx(0.01 + 0.04 / 25 + 0.09 + 0.0025 * 25 + 0.16, rel=1e-4)
    bent = torch.zeros(1, 3, 6, 8, 10)
    bent[:, 2] = (torch.arange(6) ** 2).view(6, 1, 1)  # d2 z / dz2 = 2 voxels a voxel squared
    assert field_penalty(bent, only(bending=1), (2.0, 2.0, 10.0)).item() == pytest.approx(
        (2 * 5 / 25) ** 2, rel=1e-5
    )
    folds = only(folds=1)
    flipped = linear_field((6, 8, 10), [[-1.5, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert field_penalty(flipped, folds).item() == pytest.approx(
        field_penalty(flipped, folds, (2.0, 2.0, 10.0)).item()
    )


@pytest.mark.parametrize(
    ("stretch", "expected"), [(0.5, 0.0), (-0.89, 0.0), (-0.95, 0.05), (-1.5, 0.6)]
)
def test_fold_penalty_is_what_the_determinant_lacks(stretch: float, expected: float) -> None:
    field = linear_field((12, 10), [[stretch, 0], [0, 0]])  # determinant 1 + stretch
    loss = only(folds=1, fold_margin=0.1)
    assert field_penalty(field, loss).item() == pytest.approx(expected, abs=1e-5)


def test_volume_penalty_is_the_variance_of_the_determinant() -> None:
    even = linear_field((12, 10), [[0.5, 0.1], [0, -0.2]])
    assert field_penalty(even, only(volume=1)).item() == pytest.approx(0, abs=1e-6)
    uneven = torch.cat([even, linear_field((12, 10), [[0.1, 0], [0, 0]])])
    uneven[1, 0] *= torch.linspace(0, 3, 10)
    variance = fields.jacobian_determinant(uneven).var((1, 2), correction=0).mean()
    assert variance > 0.01
    assert field_penalty(uneven, only(volume=2)).item() == pytest.approx(2 * variance.item())


@pytest.mark.parametrize("shape", SHAPES)
def test_roughness_is_the_norm_of_what_mean_filters_take(shape: tuple[int, ...]) -> None:
    field = 3 * torch.randn(2, len(shape), *shape, generator=torch.Generator().manual_seed(0))
    whole = tuple(2 * n for n in shape)
    large = resize_field(field, whole).numpy()  # px of the larger grid
    for axis, n in enumerate(whole[::-1]):
        large[:, axis] *= 2 / n  # half extents
    smooth = large
    for _ in range(2):
        smooth = scipy.ndimage.uniform_filter(
            smooth, 5, mode="constant", axes=tuple(range(2, large.ndim))
        )
    rest = (large - smooth).reshape(2, len(shape), -1)
    expected = np.linalg.norm(rest, axis=2).sum(1).mean()
    assert roughness(field, whole).item() == pytest.approx(expected, rel=1e-4)


def test_roughness_penalizes_motion_at_the_border() -> None:
    rest = torch.zeros(1, 2, 24, 24, requires_grad=True)
    found = roughness(rest, (24, 24))
    found.backward()
    assert found.item() == 0
    assert rest.grad is not None
    assert torch.isfinite(rest.grad).all()
    inner = torch.zeros(1, 2, 48, 48)
    inner[:, 0, 12:36, 12:36] = 1.0
    shift = inner.new_ones(inner.shape)
    assert 0 < roughness(shift, (48, 48)).item() < roughness(inner * 5, (48, 48)).item()


def test_fold_penalty_of_a_single_fold() -> None:
    field = torch.zeros(1, 2, 12, 10)
    field[0, 0, 6, 5] = 3.0  # overtakes its right neighbour
    assert (fields.jacobian_determinant(field) <= 0).any()
    assert field_penalty(field, only(folds=1)).item() > 0


def test_consistency_of_a_shift_and_its_inverse_is_nothing() -> None:
    shift = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 16, 12)
    assert consistency_loss(shift, -shift).item() == pytest.approx(0, abs=2e-3)
    assert consistency_loss(shift, shift).item() == pytest.approx(2 * math.hypot(3, 2), rel=1e-4)


def test_consistency_of_a_smooth_field_and_its_inverse_is_small() -> None:
    x, y = pixel_grid((40, 40))[0] / 39
    bump = torch.sin(math.pi * x) * torch.sin(math.pi * y)
    field = torch.stack([3 * bump, -2 * bump])[None]
    inverse, _ = fields.invert(field)
    assert consistency_loss(field, inverse).item() < 0.02
    assert consistency_loss(field, -field).item() > 5 * consistency_loss(field, inverse).item()


def test_what_moves_with_its_picture_is_steady() -> None:
    logits = torch.randn(8, 2, 20, 24)
    moved = torch.zeros(8, 2, dtype=torch.int64)
    for row, (x, y) in ((3, (2, -1)), (7, (-3, 3))):
        moved[row] = torch.tensor([x, y])
        logits[row] = torch.roll(logits[row - 1], (y, x), (1, 2))
    assert steadiness_loss(logits, moved, every=4).item() == pytest.approx(0, abs=1e-9)
    assert steadiness_loss(logits, -moved, every=4).item() > 0.05
    assert steadiness_loss(logits[:2], moved[:2], every=4).item() == 0  # nothing is shown again


def test_targets_are_soft_labels_and_points_of_the_grid() -> None:
    labels = torch.zeros(1, 8, 6, dtype=torch.uint8)
    labels[:, :, 3:] = 2  # the border falls into the middle of a pixel of the fields' grid
    corner = torch.tensor([[[-0.5, -0.5], [5.5, 7.5], [2.5, 3.5]]])
    made = Targets.from_labels(labels, corner, 3, (4, 3), (2, 3))
    assert made.onehot.shape == (1, 3, 4, 3)
    assert made.onehot_small.shape == (1, 3, 2, 3)
    torch.testing.assert_close(made.onehot[0, 2, 0], torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(made.onehot.sum(1), torch.ones(1, 4, 3))
    assert made.landmarks is not None
    expected = torch.tensor([[[-0.5, -0.5], [2.5, 3.5], [1.0, 1.5]]])
    torch.testing.assert_close(made.landmarks, expected)


def test_rows_of_targets_keep_their_order() -> None:
    both = Targets(torch.arange(2.0).view(2, 1), torch.arange(2.0).view(2, 1), None)
    assert both.rows([1, 0, 1]).onehot.flatten().tolist() == [1, 0, 1]
    assert both.rows([1]).landmarks is None


def test_registration_loss_of_a_perfect_alignment_is_nothing() -> None:
    onehot = square((16, 12), 4, 9)
    resting = [torch.zeros(1, 2, 16, 12)] * 3
    side = targets(onehot, points_at(5, 5))
    terms = registration_loss(resting, side, side, torch.ones(2), LossConfig())
    assert {name: round(value.item(), 6) for name, value in terms.items()} == {
        "align": 0,
        "landmarks": 0,
        "field": 0,
    }


def test_registration_loss_knows_the_direction_of_fields() -> None:
    fixed, moving = square((16, 12), 4, 7), square((16, 12), 6, 9)
    shift = torch.full((1, 2, 16, 12), 2.0)  # fixed (4, 4) is found at moving (6, 6)
    loss = only(warp_l1=1, landmarks=1, step_weights=(1.0,))
    sides = targets(fixed, points_at(4, 4)), targets(moving, points_at(6, 6))
    right = registration_loss([shift], *sides, torch.ones(2), loss)
    wrong = registration_loss([-shift], *sides, torch.ones(2), loss)
    assert right["align"].item() == pytest.approx(0, abs=1e-6)
    assert right["landmarks"].item() == pytest.approx(0, abs=1e-6)
    assert wrong["align"].item() == pytest.approx(2 * (9 + 9) / (16 * 12))
    assert wrong["landmarks"].item() > 1


def test_step_weights_repeat_the_last_one() -> None:
    field = linear_field((16, 12), [[0.1, 0], [0, 0]])
    side = targets(square((16, 12), 4, 7))
    for weights, total in [((0.0, 1.0), 1.0), ((0.5,), 1.0), ((0.3, 0.5, 1.0), 0.8)]:
        loss = only(smoothness=1, step_weights=weights)
        terms = registration_loss([field, field], side, side, torch.ones(2), loss)
        assert terms["field"].item() == pytest.approx(total * 0.01, rel=1e-3)


def test_gradients_reach_every_step_and_the_logits() -> None:
    totals = [torch.full((1, 2, 16, 12), 0.3, requires_grad=True) for _ in range(3)]
    sides = (
        targets(square((16, 12), 4, 7), points_at(4, 4)),
        targets(square((16, 12), 6, 9), points_at(6, 6)),
    )
    terms = registration_loss(totals, *sides, torch.ones(2), LossConfig())
    torch.stack(list(terms.values())).sum().backward()
    for field in totals:
        assert field.grad is not None
        assert field.grad.abs().sum() > 0
    logits = torch.zeros(1, 2, 16, 12, requires_grad=True)
    part_loss(logits, sides[0].onehot, torch.ones(2), LossConfig()).backward()
    assert logits.grad is not None
    assert (logits.grad.abs() > 0).all()
