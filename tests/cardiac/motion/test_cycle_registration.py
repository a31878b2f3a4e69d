import numpy as np
import pytest
import torch

from facewarp.cardiac.motion.cycle_registration import (
    Motion,
    heart_middles_mm,
    inverse_consistency_mm,
    make_inverse_consistent,
    phases_halfway,
    segment,
    track,
)
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.slice_parts import SliceParts
from facewarp.core.fields import invert, warp
from facewarp.core.geometry import pixel_grid

SHAPE = (10, 28, 26)
SPACING = (3.6, 3.6, 10.0)
GRID = ModelGrid(SHAPE, SPACING, SHAPE, np.eye(4))
MIDDLE = (slice(3, -3), slice(8, -8), slice(8, -8))


def swell(amount):
    """A smooth field that draws things to the middle, voxels ``(1, 3, ...)``."""
    where = pixel_grid(SHAPE)
    center = torch.tensor([12.5, 13.5, 4.5]).view(1, 3, 1, 1, 1)
    scale = torch.tensor([7.0, 7.0, 5.0]).view(1, 3, 1, 1, 1)
    away = where - center
    return amount * away * torch.exp(-((away / scale) ** 2).sum(1, keepdim=True))


def motion_of(outs, backs, ed=0):
    outs, backs = (np.concatenate([f.numpy() for f in fields]) for fields in (outs, backs))
    return Motion(GRID, outs, backs, ed, inverse_consistency_mm(outs, backs, GRID))


def test_a_constant_error_of_the_model_cancels():
    """Fields that both say 'and one pixel to the right', which cannot be."""
    out = swell(-0.3)
    back = invert(out)[0]
    bias = torch.tensor([1.0, -0.5, 0.0]).view(1, 3, 1, 1, 1)
    before = inverse_consistency_mm((out + bias).numpy(), (back + bias).numpy(), GRID)
    found_out, found_back = make_inverse_consistent(out + bias, back + bias)
    after = inverse_consistency_mm(found_out.numpy(), found_back.numpy(), GRID)
    assert before[0][MIDDLE].mean() > 5
    assert after[0][MIDDLE].mean() < 0.1
    error = (found_out - out).norm(dim=1)[0].numpy()
    assert error[MIDDLE].mean() < 0.15  # the motion itself stays


def test_fields_that_agree_stay_as_they_are():
    out = swell(-0.3)
    back = invert(out)[0]
    found = make_inverse_consistent(out, back)
    assert (found[0] - out).abs().max() < 0.1
    assert (found[1] - back).abs().max() < 0.1


def test_fields_are_unchanged_where_they_fold():
    out = swell(-2.5)
    assert torch.isfinite(make_inverse_consistent(out, swell(0.5))[0]).all()


def test_a_loop_of_exact_fields_closes_and_errors_pile_up():
    outs = [swell(a) for a in (0.0, -0.1, -0.3, -0.2)]
    backs = [invert(out)[0] for out in outs]
    assert motion_of(outs, backs).cycle_drift_mm()[MIDDLE].mean() < 0.4  # a tenth of a voxel
    bias = torch.tensor([0.1, 0.0, 0.0]).view(1, 3, 1, 1, 1)
    wrong = motion_of(outs, [backs[0], *(back + bias for back in backs[1:])])
    assert wrong.cycle_drift_mm()[MIDDLE].mean() == pytest.approx(3 * 0.1 * 3.6, rel=0.05)
    assert wrong.inverse_consistency_mm()[1][MIDDLE].mean() == pytest.approx(0.1 * 3.6, rel=0.05)


def test_cycle_drift_starts_and_ends_at_end_diastole():
    outs = [swell(a) for a in (-0.2, 0.0, -0.1)]
    backs = [invert(out)[0] for out in outs]
    assert motion_of(outs, backs, ed=1).cycle_drift_mm()[MIDDLE].mean() < 0.4


def test_the_jacobian_tells_the_change_of_volume():
    still, shrunk = motion_of([swell(0.0), swell(-0.3)], [swell(0.0)] * 2).jacobian()
    np.testing.assert_allclose(still, 1.0, atol=1e-6)
    center = shrunk[4, 13, 12]
    assert center == pytest.approx(0.7**3, rel=0.1)


class Shifting:
    """A model that sees two parts and always finds the same shift, plus an error of its own."""

    def __init__(self):
        self.calls = []
        self.config = type("Config", (), {"field_shape": SHAPE})()

    def rough(self):
        return None

    def probabilities(self, images):
        return torch.cat([1 - images, images], 1)

    def fields(self, fixed, moving):
        self.calls.append(len(fixed))
        sign = (fixed.mean(dim=(1, 2, 3, 4)) * 0 + 1) * torch.sign(
            (moving - fixed)[:, 1].mean(dim=(1, 2, 3))
        )
        field = torch.zeros(len(fixed), 3, *SHAPE)
        field[:, 0] = 2 * sign.view(-1, 1, 1, 1) + 0.4
        return field


def test_every_phase_is_registered_with_end_diastole_both_ways():
    images = np.stack([np.full(SHAPE, value, np.float32) for value in (0.5, 0.2, 0.3, 0.9)])
    model, told = Shifting(), []
    parts = segment(model, images, told.append)
    assert parts.shape == (4, 2, *SHAPE)
    motion = track(model, parts, 2, GRID, told.append, refined=False)
    assert sum(told) == 4 + 3
    assert sum(model.calls) == 6  # three phases, there and back
    assert not motion.from_ed[2].any()
    assert not motion.to_ed[2].any()
    inner = motion.from_ed[:, 0][(slice(None), *MIDDLE)]
    np.testing.assert_allclose(inner.mean(axis=(1, 2, 3)), [2, -2, 0, 2], atol=0.05)
    np.testing.assert_allclose(motion.inverse_consistency_raw_mm[0][MIDDLE], 0.8 * 3.6, rtol=1e-3)


def test_refined_directions_are_each_others_inverse():
    images = np.stack([np.full(SHAPE, value, np.float32) for value in (0.2, 0.5)])
    model = Shifting()
    parts = segment(model, images)
    refined, network = (track(model, parts, 0, GRID, refined=kept) for kept in (True, False))
    assert refined.refined
    assert not network.refined
    inner = refined.from_ed[1, 0][MIDDLE]
    assert ((inner > 1.6) & (inner < 2.4)).all()  # the two directions say 2.4 and 1.6
    assert refined.inverse_consistency_mm()[1][MIDDLE].max() < 0.05
    np.testing.assert_array_equal(
        refined.inverse_consistency_raw_mm, network.inverse_consistency_raw_mm
    )


def test_finer_parts_give_finer_fields():
    images = np.stack([np.full(SHAPE, value, np.float32) for value in (0.2, 0.5)])
    model = Shifting()
    parts = segment(model, images)
    whole = (SHAPE[0], 2 * SHAPE[1], 2 * SHAPE[2])
    grid = ModelGrid(whole, (1.8, 1.8, 10.0), whole, np.eye(4))
    seen = np.repeat(np.repeat(np.pad(parts, [(0, 0), (0, 2), *[(0, 0)] * 3]), 2, -1), 2, -2)
    fine = SliceParts(grid, seen)
    refined = track(model, parts, 0, grid, fine=fine)
    network = track(model, parts, 0, grid, refined=False, fine=fine)
    assert refined.from_ed.shape[2:] == refined.grid.shape == whole
    assert network.from_ed.shape[2:] == network.grid.shape == SHAPE
    inner = refined.from_ed[1, 0, 3:-3, 16:-16, 16:-16] * refined.grid.spacing_mm[0]
    assert ((inner > 1.6 * 3.6) & (inner < 2.4 * 3.6)).all()
    assert refined.inverse_consistency_raw_mm.shape[1:] == whole


class Following(Shifting):
    """A model that finds by how much one ventricle is shifted against another, plus 0.4 px."""

    def fields(self, fixed, moving):
        self.calls.append(len(fixed))
        here, there = (
            (side[:, 3] * pixel_grid(SHAPE)[:, 0]).sum((1, 2, 3)) / side[:, 3].sum((1, 2, 3))
            for side in (fixed, moving)
        )
        field = torch.zeros(len(fixed), 3, *SHAPE)
        field[:, 0] = (there - here).view(-1, 1, 1, 1) + 0.4
        return field


def shell(shift):
    """Parts ``(4, ...)`` of a thick shell in the middle slices, moved along x by px."""
    x, y, z = (pixel_grid(SHAPE)[0] - torch.tensor([12.5, 13.5, 4.5]).view(3, 1, 1, 1)).unbind(0)
    away = ((x - shift) ** 2 + y**2).sqrt()
    cavity, whole = (torch.sigmoid(2 * (r - away)) * (z.abs() < 3) for r in (3.5, 6.5))
    return torch.stack([1 - whole, 0 * whole, whole - cavity, cavity]).numpy()


def test_a_phase_halfway_is_not_asked_of_the_network_but_refined_on_its_own_parts():
    """Halfway between phases of 0 and 2 px it begins at 1 px; what it shows lies at 1.4."""
    parts = np.stack([shell(shift) for shift in (0.0, 1.4, 2.0, 2.0)])
    whole = (SHAPE[0], 2 * SHAPE[1], 2 * SHAPE[2])
    grid = ModelGrid(whole, (1.8, 1.8, 10.0), whole, np.eye(4))
    fine = SliceParts(grid, np.repeat(np.repeat(parts, 2, -1), 2, -2))
    model, told = Following(), []
    motion = track(model, parts, 0, grid, told.append, fine=fine, halfway=[1])
    assert sum(told) == 3
    assert sum(model.calls) == 4  # two phases, there and back
    wall = fine.probabilities[0, 2] > 0.5
    assert motion.from_ed[2, 0][wall].mean() == pytest.approx(2 * 2.0, abs=0.2)
    moved = motion.from_ed[1, 0][wall].mean()
    assert 2 * 1.08 < moved < 2 * 1.5
    assert motion.inverse_consistency_mm()[1][wall].mean() < 0.1
    alone = track(Following(), parts, 0, grid, fine=fine)
    assert moved == pytest.approx(alone.from_ed[1, 0][wall].mean(), abs=0.6)
    raw = motion.inverse_consistency_raw_mm
    assert raw[2][wall].mean() == pytest.approx(0.8 * 3.6, rel=0.01)
    np.testing.assert_allclose(raw[1], raw[2], atol=1e-3)  # end-diastole has none


def test_phases_halfway_run_evenly_and_are_neither_ed_nor_es():
    lv = 100 + 50 * np.cos(2 * np.pi * np.arange(24) / 24)
    still, odd = np.zeros((24, 2)), list(range(1, 23, 2))
    assert phases_halfway(lv, still, 0, 12) == odd
    assert phases_halfway(lv, still, 0, 11) == [p for p in odd if p != 11]
    assert phases_halfway(lv, still, 3, None) == list(range(2, 23, 2))
    bent = lv.copy()
    bent[7] += 10
    assert phases_halfway(bent, still, 0, 12) == [p for p in odd if p != 7]
    jumps = still.copy()
    jumps[9] = 0.8, 1.0  # as a patient who moves
    assert phases_halfway(lv, jumps, 0, 12) == [p for p in odd if p != 9]
    assert phases_halfway(lv[::2], still[::2], 0, 6) == []  # few
    assert phases_halfway(np.tile(lv[::3], 3), still, 0, 4) == []  # many, but of short beats


def test_the_hearts_middle_follows_it():
    parts = np.stack([shell(shift) for shift in (0.0, 1.5)])
    found = heart_middles_mm(parts, GRID)
    np.testing.assert_allclose(found, [[12.5 * 3.6, 13.5 * 3.6], [14 * 3.6, 13.5 * 3.6]], atol=0.05)


def test_fields_carry_images_between_phases():
    moving = torch.sin(pixel_grid(SHAPE)[:, :1] / 3)
    out = swell(-0.3)
    back = invert(out)[0]
    there_and_back = warp(warp(moving, out), back)
    assert (there_and_back - moving).abs()[0, 0][MIDDLE].max() < 0.1
