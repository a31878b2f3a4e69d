"""Parts on the scan's own slices: each slice with its neighbors, back in its own place."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch

import facewarp.cardiac.motion.slice_parts as part_network
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.slice_parts import (
    EDGES,
    REACH,
    EdgeOffsets,
    MiddleSlices,
    SliceParts,
    slice_grid,
    slice_parts,
    slice_step,
    with_neighbors,
)
from facewarp.cardiac.parts import PART_NAMES, HeartPart
from facewarp.cardiac.short_axis import stack_turns
from facewarp.core.config import FeatureConfig, ModelConfig
from facewarp.errors import FacewarpError


class SeesBright:
    """A model that takes what is bright for cavity, and notes the neighbors it was shown."""

    def __init__(self, shape=(128, 128)):
        self.config = ModelConfig(
            kind="heart-slices", classes=PART_NAMES, grid_shape=shape, spacing_mm=(1.4, 1.4),
            input_shape=shape, field_shape=shape, features=FeatureConfig(inputs=5), steps=(),
        )  # fmt: skip
        self.shown = []

    def on_grid(self, shape):
        self.config = self.config.on_grid(shape)
        return self

    def rough(self):
        return None

    def probabilities(self, images):
        self.shown.append(images.numpy())
        lv = (images[:, REACH] > 0.5).float()
        nothing = torch.zeros_like(lv)
        return torch.stack([1 - lv, nothing, nothing, lv], 1)


def scan(spacing=(1.5, 1.5, 9.0), stack=2, oblique=0.0):
    """A cone that narrows along the stack, so that every slice tells its number."""
    z, y, x = np.indices((7, 90, 100))
    radius = 9.0 + 3.0 * z
    data = ((x - 55.0) ** 2 + (y - 40.0) ** 2 < radius**2).astype(np.float32)
    angle = np.radians(oblique)
    turned = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag(spacing)
    volume = Volume(data, affine, None, (), nib.Nifti1Header(), "cone.nii.gz")
    return volume if stack == 2 else volume.stacked_along(2 - stack)


def window(volume, turn):
    center = (np.array(volume.shape[::-1]) - 1) / 2
    return ModelGrid.around(volume, (12, 96, 96), (1.8, 1.8, 10.0), tuple(center), turn)


def on_voxels(parts, volume):
    """Probabilities ``(T, K, D, H, W)`` on the voxels of the volume."""
    own = ModelGrid(volume.shape, volume.spacing_mm[::-1], volume.shape, np.eye(4))
    return parts.on_grid(own, volume.shape)


@pytest.mark.parametrize("turn", stack_turns(), ids=lambda turn: "".join(map(str, turn.sum(0))))
def test_each_slice_comes_back_to_its_own_place(turn):
    volume = scan(oblique=20.0)
    parts = on_voxels(slice_parts(SeesBright(), volume, window(volume, turn)), volume)
    assert parts.shape == (1, 4, *volume.shape)
    np.testing.assert_allclose(parts.sum(axis=1), 1, atol=1e-5)
    assert parts.min() >= 0
    np.testing.assert_array_equal(parts[0].argmax(axis=0) == HeartPart.LV, volume.data > 0.5)


def test_a_few_slices_tell_the_phase_of_the_largest_ventricle():
    one, sizes = scan(), (0.8, 1.0, 0.6, 0.9)
    z, y, x = np.indices(one.data.shape)
    away = np.hypot(x - 55.0, y - 40.0)
    data = np.stack([(away < size * (9.0 + 3.0 * z)).astype(np.float32) for size in sizes])
    cine = replace(one, data=data)
    roi, few, whole = window(cine, np.eye(3)), SeesBright(), SeesBright()
    middle = MiddleSlices.of(few, cine, roi)
    found = middle.lv(few, range(4))
    assert np.argsort(found).tolist() == np.argsort(sizes).tolist()
    again = MiddleSlices.of(few, cine, roi).lv(SeesBright(), [3, 1])
    np.testing.assert_array_equal(again, found[[3, 1]])
    slice_parts(whole, cine, roi)
    assert sum(map(len, few.shown)) < 0.6 * sum(map(len, whole.shown))


def test_slices_that_were_seen_are_not_looked_at_again():
    one = scan()
    cine = replace(one, data=np.stack([one.data, 0.9 * one.data, one.data[:, ::-1]]))
    roi, model, whole = window(cine, np.eye(3)), SeesBright(), SeesBright()
    middle = MiddleSlices.of(model, cine, roi)
    middle.lv(model, [2, 0])
    steps = []
    parts = slice_parts(model, cine, roi, steps.append, middle)
    all_of_it = slice_parts(whole, cine, roi)
    np.testing.assert_array_equal(parts.probabilities, all_of_it.probabilities)
    assert steps == [1, 1, 1]
    assert sum(map(len, model.shown)) == sum(map(len, whole.shown))


@pytest.mark.parametrize("upside_down", [False, True])
def test_the_grid_lies_on_the_scans_slices(upside_down):
    volume, turn = scan(), np.diag([1.0, 1.0, -1.0 if upside_down else 1.0])
    grid = slice_grid(volume, window(volume, turn), SeesBright().config)
    slices = (grid.to_volume @ np.array([[0, 0, z, 1] for z in range(7)]).T)[2]
    np.testing.assert_allclose(slices, range(6, -1, -1) if upside_down else range(7), atol=1e-9)
    assert grid.shape == (7, 112, 112)  # no larger than the window, though trained with 128
    np.testing.assert_allclose(grid.spacing_mm, (1.4, 1.4, 9.0))


class SeesBlank(SeesBright):
    """A model that takes a slice without a picture for cavity, as networks do."""

    def probabilities(self, images):
        found = super().probabilities(images)
        blank = images[:, REACH].amax((1, 2)) == images[:, REACH].amin((1, 2))
        found[blank] = torch.tensor([0.0, 0.0, 0.0, 1.0])[:, None, None]
        return found


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 0), (1, 5)])
def test_slices_of_one_value_at_the_ends_hold_no_heart(before, after, flip):
    """Programs pad stacks to a cube or a common number of slices."""
    volume = scan()
    data = np.pad(volume.data, ((before, after), (0, 0), (0, 0)))
    padded, turn = replace(volume, data=data), np.diag([1.0, 1.0, flip])
    model = SeesBlank()
    grid = slice_grid(padded, window(padded, turn), model.config)
    assert grid.shape[0] == 7
    parts = on_voxels(slice_parts(model, padded, window(padded, turn)), padded)
    np.testing.assert_array_equal(parts[0].argmax(axis=0) == HeartPart.LV, data > 0.5)


def test_areas_are_kept_on_finer_and_coarser_pixels():
    for pixel in (0.7, 1.5, 2.6):
        _z, y, x = np.indices((3, round(220 / pixel), round(220 / pixel)))
        middle = (x.shape[1] - 1) / 2
        inside = (x - middle) ** 2 + (y - middle) ** 2 < (40 / pixel) ** 2
        affine = np.diag([pixel, pixel, 8.0, 1.0])
        volume = Volume(inside.astype(np.float32), affine, None, (), nib.Nifti1Header(), "d.nii")
        model = SeesBright()
        parts = on_voxels(slice_parts(model, volume, window(volume, np.eye(3))), volume)
        area = float(parts[0, HeartPart.LV, 1].sum()) * pixel**2
        assert area == pytest.approx(np.pi * 40**2, rel=0.015)


def test_neighbors_are_those_beside_and_nothing_beyond_the_ends():
    stack = np.arange(1, 7, dtype=np.float32)[:, None, None] * np.ones((6, 2, 3), np.float32)
    beside = with_neighbors(stack)[..., 0, 0]
    np.testing.assert_array_equal(beside[0], [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(beside[3], [2, 3, 4, 5, 6])
    np.testing.assert_array_equal(beside[5], [4, 5, 6, 0, 0])
    np.testing.assert_array_equal(with_neighbors(stack, step=2)[2, :, 0, 0], [0, 1, 3, 5, 0])
    some = with_neighbors(np.stack([stack, -stack]), chosen=[5, 2])
    np.testing.assert_array_equal(some[:, :, :, 0, 0], [beside[[5, 2]], -beside[[5, 2]]])
    assert stack.min() == 1  # what is shown beyond the ends is written nowhere else


def test_a_deep_stack_is_seen_in_pieces_and_phases_in_any_number_of_threads(monkeypatch):
    one, sizes = scan(), (0.8, 1.0, 0.6)
    z, y, x = np.indices(one.data.shape)
    data = np.stack([(np.hypot(x - 55.0, y - 40.0) < s * (9.0 + 3.0 * z)) for s in sizes])
    cine, found, shown = replace(one, data=data.astype(np.float32)), [], []
    before = torch.get_num_threads()
    for threads, at_once in ((1, 16), (3, 16), (1, 3)):
        monkeypatch.setattr(part_network, "_AT_ONCE", at_once)
        torch.set_num_threads(threads)
        try:
            model = SeesBright()
            found.append(slice_parts(model, cine, window(cine, np.eye(3))).probabilities)
            shown.append(max(map(len, model.shown)))
        finally:
            torch.set_num_threads(before)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    assert shown == [7, 7, 3]


@pytest.mark.parametrize(("thickness", "step"), [(10.0, 1), (8.0, 1), (5.0, 2), (1.5, 6), (20, 1)])
def test_thin_slices_are_skipped_over(thickness, step):
    assert slice_step(thickness) == step
    volume, model = scan(spacing=(1.5, 1.5, thickness)), SeesBright()
    slice_parts(model, volume, window(volume, np.eye(3)))
    shown = model.shown[0]
    np.testing.assert_array_equal(shown[0, REACH + 1], shown[step, REACH] if step < 7 else 0)


def drawn(radius_mm, blunt=0.3, edges=None):
    """A round ventricle in a wall, in one phase of four slices; outlines as blunt as told."""
    grid = ModelGrid((4, 96, 96), (1.4, 1.4, 9.0), (4, 96, 96), np.eye(4))
    y, x = np.indices((96, 96)) * 1.4 - 66.5
    away = np.hypot(x, y)
    cavity, whole = (1 / (1 + np.exp((away - r) / blunt)) for r in (radius_mm, radius_mm + 9.0))
    one = np.stack([1 - whole, 0 * whole, whole - cavity, cavity])
    parts = np.repeat(one[None, :, None], 4, axis=2).astype(np.float32)
    return SliceParts(grid, parts, EdgeOffsets() if edges is None else edges)


@pytest.mark.parametrize("blunt", [0.4, 2.0])
def test_outlines_are_moved_by_as_much_as_told(blunt):
    """However sure the network is, and the wall gives what the cavity gains."""
    seen, moved = drawn(25.0, blunt), drawn(25.0, blunt, EdgeOffsets(lv_mm=0.5))
    gain = (moved.volumes_ml() - seen.volumes_ml())[0]
    ring_ml = np.pi * (25.5**2 - 25.0**2) * 4 * 9.0 / 1000
    assert gain[HeartPart.LV] == pytest.approx(ring_ml, rel=0.03)
    assert gain[HeartPart.MYOCARDIUM] == pytest.approx(-gain[HeartPart.LV])
    assert gain[HeartPart.RV] == gain[HeartPart.BACKGROUND] == 0
    far = drawn(25.0, blunt, EdgeOffsets(lv_mm=-40.0)).volumes_ml()
    assert far.min() >= 0


def test_lighter_parts_are_the_same_to_three_digits():
    seen = drawn(25.0, 0.4)
    light = seen.lighter()
    assert light.probabilities.nbytes == seen.probabilities.nbytes // 2
    grid = seen.grid.resized((4, 30, 30))
    found, wanted = (one.on_grid(grid, (4, 15, 15)) for one in (light, seen))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=5e-4)


def test_traces_beyond_base_and_apex_do_not_count():
    """A ventricle that fades out of a slice takes its volume along, evenly and to the last ml."""
    whole = drawn(25.0, 0.4).volumes_ml()[0, HeartPart.LV]
    shares = np.linspace(0.0, 1.0, 21)
    found = []
    for share in shares:
        seen = drawn(25.0, 0.4)
        lv = seen.probabilities[0, HeartPart.LV, 0]
        seen.probabilities[0, HeartPart.BACKGROUND, 0] += (1 - share) * lv
        lv *= share
        found.append(seen.volumes_ml()[0, HeartPart.LV])
    slice_ml, first = whole / 4, np.array(found) - 0.75 * whole
    np.testing.assert_allclose(first[shares < 0.25], 0, atol=1e-3 * whole)
    np.testing.assert_allclose(first[shares > 0.55], slice_ml * shares[shares > 0.55], rtol=0.01)
    assert (np.diff(first) >= -1e-6).all()
    assert np.diff(first).max() < 0.2 * slice_ml


def test_offsets_come_with_the_weights_and_are_told_with_the_volumes():
    model, volume = SeesBright(), scan()
    turn = stack_turns()[0]
    plain = slice_parts(model, volume, window(volume, turn))
    assert plain.edges == EdgeOffsets()
    model.metadata = {EDGES: EdgeOffsets(0.2, -0.1, "drawn ones").to_text()}
    moved = slice_parts(model, volume, window(volume, turn))
    assert moved.edges == EdgeOffsets(0.2, -0.1, "drawn ones")
    assert moved.volumes_ml()[0, HeartPart.LV] > plain.volumes_ml()[0, HeartPart.LV]
    np.testing.assert_array_equal(moved.probabilities, plain.probabilities)
    model.metadata = {EDGES: '{"lv_mm": "far"}'}
    with pytest.raises(FacewarpError, match=r"offsets of outlines.*can't be read"):
        slice_parts(model, volume, window(volume, turn))


@pytest.mark.parametrize(("sure", "doubtful"), [(0.97, False), (0.75, True)])
def test_a_first_slice_of_which_the_network_is_unsure_is_named(sure, doubtful):
    volume = scan()
    grid = ModelGrid.around(volume, (6, 40, 40), (1.4, 1.4, 9.0), (50.0, 45.0, 3.0), np.eye(3))
    parts = np.zeros((2, 4, 6, 40, 40), np.float32)
    parts[1, HeartPart.LV, 1:, 10:30, 10:30] = 0.98
    parts[1, HeartPart.LV, 0, :5, :5] = 0.3  # a trace
    parts[1, HeartPart.LV, 1, 10:30, 10:30] = sure
    found = SliceParts(grid, parts)
    assert found.doubtful_base(0) is None
    for one in (found, found.lighter()):
        told = one.doubtful_base(1)
        assert (told is not None) == doubtful
        if told:
            assert told == pytest.approx((2, 400 * sure * 1.4 * 1.4 * 9 / 1000), rel=1e-3)


@pytest.mark.parametrize("radius", [6, 18])
@pytest.mark.parametrize(("blunt", "doubtful"), [(0.35, False), (0.6, True)])
def test_the_rim_decides_and_not_the_size_of_the_cavity(radius, blunt, doubtful):
    y, x = np.indices((64, 64)) - 31.5
    parts = np.zeros((1, 4, 3, 64, 64), np.float32)
    parts[0, HeartPart.LV] = 1 / (1 + np.exp(np.clip((np.hypot(x, y) - radius) / blunt, -50, 50)))
    grid = ModelGrid.around(scan(), (3, 64, 64), (1.4, 1.4, 9.0), (50.0, 45.0, 3.0), np.eye(3))
    assert (SliceParts(grid, parts).doubtful_base(0) is not None) == doubtful
