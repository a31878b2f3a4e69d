"""Which end is the base and which way is up: by the picture, however a heart is stored."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import torch
from fixtures.hearts import knowing_model

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.orientation import (
    TURNED,
    UNLIKE,
    Orientation,
    find_orientation,
    with_slices_seen,
)
from facewarp.cardiac.short_axis import short_axis_order

WAYS = [
    (order, signs) for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
]


def lying(left, down):
    """(4, 4) directions of a short axis whose apex points so many degrees left and down."""
    left, down = np.radians([left, down])
    apex = np.array([-np.sin(left) * np.cos(down), np.cos(left) * np.cos(down), -np.sin(down)])
    across = np.cross(apex, [0, 0, 1.0])
    across *= np.sign(-across[0]) / np.linalg.norm(across)
    turn = np.eye(4)
    turn[:3, :3] = np.stack([across, np.cross(across, apex), apex], axis=-1)
    return turn


OWN = np.diag([1.5, 1.5, 10.0, 1.0])
PLACES = (lying(45, 30), lying(20, 70), lying(45, 5), np.diag([-1.0, -1.0, 1.0, 1.0]))


def stored(data, affine, order, signs):
    """A volume ``(D, H, W)`` with its axes x, y, z in another order, some of them reversed."""
    data = data.transpose(*(2 - axis for axis in order[::-1]))
    matrix = affine.copy()
    matrix[:3, :3] = affine[:3, list(order)]
    for axis, sign in enumerate(signs):
        if sign < 0:
            data = np.flip(data, 2 - axis)
            matrix[:3, 3] += matrix[:3, axis] * (data.shape[2 - axis] - 1)
            matrix[:3, axis] *= -1
    return np.ascontiguousarray(data), matrix


def volume_of(data, affine, oriented=True):
    return Volume(data, affine, None, (), nib.Nifti1Header(), "scan.nii", oriented=oriented)


def true_turn(order, signs):
    """(3, 3): which of the stored axes run as the heart's own x, y, z, and which way."""
    turn = np.zeros((3, 3))
    for axis, (own, sign) in enumerate(zip(order, signs, strict=True)):
        turn[axis, own] = sign
    return turn


@pytest.mark.slow
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_a_heart_is_read_right_however_its_axes_run(beating, knowing, way):
    """By turns a usual, a steep and a horizontal heart, and a file that knows no patient."""
    order, signs = WAYS[way]
    place = PLACES[(way + way // 8) % len(PLACES)]
    data, affine = stored(beating.images[0], place @ OWN, order, signs)
    volume = volume_of(data, affine, oriented=not np.allclose(np.abs(place), np.eye(4)))
    found = find_orientation(knowing, volume)
    np.testing.assert_array_equal(found.turn, true_turn(order, signs))
    assert not found.against_file


@pytest.mark.slow
@pytest.mark.parametrize("signs", [(1, 1, 1), (1, 1, -1)])
@pytest.mark.parametrize("left", [20, 45, 70])
@pytest.mark.parametrize("down", [0, 35, 70])
def test_steep_and_horizontal_hearts_are_read_right(beating, knowing, left, down, signs):
    data, affine = stored(beating.images[0], lying(left, down) @ OWN, (0, 1, 2), signs)
    found = find_orientation(knowing, volume_of(data, affine))
    np.testing.assert_array_equal(found.turn, np.diag(signs))


@pytest.mark.slow
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_a_file_that_tells_no_orientation_is_read_by_the_picture(beating, knowing, signs):
    """Axes flipped, and an affine that knows nothing of it."""
    data, _ = stored(beating.images[0], np.eye(4), (0, 1, 2), signs)
    plain = np.diag([-1.5, -1.5, 10.0, 1.0])
    volume = volume_of(data, plain, oriented=False)
    found = find_orientation(knowing, volume)
    np.testing.assert_array_equal(found.turn, np.diag(signs))
    said = " ".join(found.warnings(volume))
    assert found.base_is_last == (signs[2] < 0)
    assert (TURNED in said) == (signs[:2] != (1, 1))
    if signs == (1, 1, -1):
        assert "the picture shows it in slice 10" in said


@pytest.mark.slow
def test_a_scanners_affine_is_believed_unless_the_picture_is_clearer(beating, knowing):
    own = lying(45, 30) @ np.diag([1.5, 1.5, 10.0, 1.0])
    lie = own @ np.diag([1, -1, -1, 1.0])  # upside down and from the apex
    volume = volume_of(beating.images[0], lie)
    assert not np.array_equal(short_axis_order(lie), np.eye(3))
    found = find_orientation(knowing, volume)
    np.testing.assert_array_equal(found.turn, np.eye(3))
    assert found.against_file
    assert found.warnings(volume) == (TURNED,)


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_slices_of_equal_voxels_are_found_along_any_axis(beating, knowing, order):
    thick = np.repeat(beating.images[0], 5, axis=0)[:, ::2, ::2]  # 2 x 3 x 3 mm
    data, affine = stored(thick, lying(45, 30) @ np.diag([3.0, 3.0, 2.0, 1.0]), order, (1, 1, 1))
    volume = volume_of(data, affine)
    assert not volume.has_stack
    found = with_slices_seen(knowing, volume)
    assert found.axes[2] == order.index(2)
    np.testing.assert_array_equal(found.in_file_order(found.data), volume.data)


def test_doubt_is_said(beating):
    class Blind:
        """As sure of a heart in one direction as in any other."""

        def __init__(self, like, shape=None):
            self.config = like.config if shape is None else like.config.on_grid(shape)

        def on_grid(self, shape):
            return Blind(self, shape)

        def rough(self):
            return None

        def probabilities(self, images):
            heart = (images > 0.5).float()
            return torch.cat([1 - heart, 0 * heart, 0.1 * heart, 0.9 * heart], 1)

    like = knowing_model(beating.heart, tuple(beating.contraction.tolist()))
    volume = volume_of(beating.images[0], np.diag([-1.5, -1.5, 10.0, 1.0]), oriented=False)
    found = find_orientation(Blind(like), volume)
    np.testing.assert_array_equal(found.turn, np.eye(3))
    assert "doubtful which end of the stack is the base" in found.warnings(volume)[0]


def test_a_rough_look_spares_close_ones_and_changes_nothing(beating):
    class Sure:
        """Surer of a heart the more of its gray lies to the left and to the base."""

        def __init__(self, like, looks, shape=None, error=0.0):
            self.config = like.config if shape is None else like.config.on_grid(shape)
            self.looks, self.error = looks, error

        def on_grid(self, shape):
            return Sure(self, self.looks, shape, self.error)

        def rough(self):
            return None

        def probabilities(self, images):
            self.looks.append(bool(self.error))
            _, _, depth, _, width = images.shape
            heart = (images > 0.5).float()
            left = images[..., : width // 2].sum() / images.sum()
            base = images[:, :, : depth // 2].sum() / images.sum()
            sure = float(0.6 + 0.2 * left + 0.1 * base) + self.error * (-1) ** len(self.looks)
            return torch.cat([1 - heart, 0 * heart, (1 - sure) * heart, sure * heart], 1)

    class SureAndRough(Sure):
        """The same, with rough looks that are off by a little."""

        def on_grid(self, shape):
            return SureAndRough(self, self.looks, shape)

        def rough(self):
            return Sure(self, self.looks, error=0.002)

    like = knowing_model(beating.heart, tuple(beating.contraction.tolist()))
    volume = volume_of(beating.images[0], np.diag([-1.5, -1.5, 10.0, 1.0]), oriented=False)
    close, both = [], []
    expected = find_orientation(Sure(like, close), volume)
    found = find_orientation(SureAndRough(like, both), volume)
    np.testing.assert_array_equal(found.turn, expected.turn)
    assert (found.score, found.lead) == (expected.score, expected.lead)
    assert sum(both) == 16  # rough ones, a direction each
    assert both.count(False) < len(close) - 6


def test_a_clear_lead_needs_no_second_phase():
    leads = (0.004, 0.008, 0.02)
    assert [Orientation(np.eye(3), 0.9, lead, False).is_clear for lead in leads] == [
        False, False, True,
    ]  # fmt: skip


class Leaning:
    """Surer of a heart by a little where more of its gray lies in the second half of an axis."""

    def __init__(self, like, surer, axis, shape=None):
        self.config = like.config if shape is None else like.config.on_grid(shape)
        self.surer, self.axis = surer, axis

    def on_grid(self, shape):
        return Leaning(self, self.surer, self.axis, shape)

    def rough(self):
        return None

    def probabilities(self, images):
        heart = (images > 0.5).float()
        half = images.shape[self.axis] // 2
        first = images.narrow(self.axis, 0, half).sum()
        later = images.sum() > 2 * first
        sure = 0.9 + self.surer * float(later)
        return torch.cat([1 - heart, 0 * heart, (1 - sure) * heart, sure * heart], 1)


def leaning(beating, surer, axis):
    """A model, and a scan with a scanner's affine that it is less sure of than of its mirror."""
    data = np.repeat(beating.images[0][3:4], 10, axis=0)  # alike from base to apex
    brighter_first = [-1 if n == axis else 1 for n in (2, 3, 4)]
    size = data.shape[axis - 2]
    data = data * np.linspace(1.5, 0.5, size).reshape(
        [size if n < 0 else 1 for n in brighter_first]
    )
    like = knowing_model(beating.heart, tuple(beating.contraction.tolist()))
    volume = volume_of(data, lying(45, 30) @ np.diag([1.5, 1.5, 10.0, 1.0]))
    return Leaning(like, surer, axis), volume


@pytest.mark.parametrize(
    ("axis", "surer", "said"),
    [(3, 0.0005, False), (3, 0.003, True), (3, 0.012, True), (4, 0.003, False), (4, 0.012, True)],
    ids=["rows, hardly", "rows", "rows, clearly", "columns", "columns, clearly"],
)
def test_a_picture_that_hints_at_a_mirrored_heart_is_told(beating, axis, surer, said):
    model, volume = leaning(beating, surer, axis)
    found = find_orientation(model, volume)
    np.testing.assert_array_equal(found.turn, np.eye(3))  # a scanner's affine is believed
    assert found.unlike == pytest.approx(surer, abs=1e-6)
    assert (UNLIKE in found.warnings(volume)) == said
    assert not (said and found.is_clear)


@pytest.mark.parametrize(
    ("surer", "turned", "doubted"),
    [(0.0, False, False), (0.005, False, True), (0.010, True, True), (0.016, True, False)],
)
def test_a_scanners_affine_tells_less_of_the_base_than_a_clear_picture(
    beating, surer, turned, doubted
):
    model, volume = leaning(beating, surer, 2)
    found = find_orientation(model, volume)
    np.testing.assert_array_equal(found.turn, np.diag([1, 1, -1 if turned else 1]))
    said = " ".join(found.warnings(volume))
    assert (TURNED in said) == turned
    assert ("doubtful which end of the stack is the base" in said) == doubted
    assert UNLIKE not in said
