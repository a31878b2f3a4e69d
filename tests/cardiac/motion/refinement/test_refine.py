"""One motion by construction: invertible, without folds, nearer to what the parts show."""

from dataclasses import replace

import pytest
import torch

from facewarp.cardiac.motion.refinement import anatomy
from facewarp.cardiac.motion.refinement import refine as refine_module
from facewarp.cardiac.motion.refinement.refine import (
    CoarseMotion,
    ImagePair,
    refine,
    refine_finely,
)
from facewarp.cardiac.motion.refinement.settings import Level, Refinement
from facewarp.cardiac.motion.refinement.velocity import fit_velocity
from facewarp.core.fields import compose, exponential, smallest_jacobian, warp
from facewarp.core.geometry import pixel_grid, resize_field

SHAPE = (8, 28, 28)
INNER = (slice(None), slice(None), slice(2, -2), slice(6, -6), slice(6, -6))
ALONE = Refinement(fit_window=(1, 1, 1), through_window=(1, 1, 1), fits=6)
CENTER = torch.tensor([13.5, 13.5, 3.5]).view(1, 3, 1, 1, 1)


def ball(radius: float, shift: float = 0.0) -> torch.Tensor:
    """Part probabilities of a thick shell in a block: RV 0, wall, cavity, ``(1, 4, ...)``."""
    away = (pixel_grid(SHAPE) - CENTER) * torch.tensor([1.0, 1.0, 1.5]).view(1, 3, 1, 1, 1)
    away[:, 0] -= shift
    distance = away.norm(dim=1, keepdim=True)
    cavity, all_of_it = torch.sigmoid(2 * (radius - distance)), torch.sigmoid(2 * (9 - distance))
    return torch.cat([1 - all_of_it, all_of_it * 0, all_of_it - cavity * all_of_it, cavity], 1)


def swirl(strength: float) -> torch.Tensor:
    """A smooth velocity field that contracts and turns, ``(1, 3, ...)`` px."""
    away = pixel_grid(SHAPE) - CENTER
    x, y, _ = away.unbind(1)
    turned = torch.stack([-x - y, x - y, 0 * x], 1)
    return strength * turned * torch.exp(-(away**2).sum(1, keepdim=True) / 60)


def error(out: torch.Tensor, back: torch.Tensor) -> float:
    return float(compose(back, out).norm(dim=1, keepdim=True)[INNER].mean())


def mismatch(parts: tuple[torch.Tensor, torch.Tensor], out: torch.Tensor) -> float:
    return float((warp(parts[1], out) - parts[0]).square().mean())


def test_both_directions_are_one_motion_and_match_better() -> None:
    parts = ball(5.0), ball(3.5, shift=1.0)
    nothing = torch.zeros(1, 3, *SHAPE)
    wrong = nothing + torch.tensor([0.8, 0.0, 0.0]).view(1, 3, 1, 1, 1)
    out, back = refine(ImagePair(*parts), nothing, wrong)
    assert error(nothing, wrong) > 0.7
    assert error(out, back) < 0.06
    assert mismatch(parts, out) < 0.6 * mismatch(parts, nothing)
    assert mismatch(parts[::-1], back) < 0.6 * mismatch(parts[::-1], wrong)


def test_the_order_of_the_pair_does_not_matter() -> None:
    one, other, zero = ball(5.0), ball(4.0, shift=1.0), torch.zeros(1, 3, *SHAPE)
    out, back = refine(ImagePair(one, other), zero, zero)
    again = refine(ImagePair(other, one), zero, zero)
    torch.testing.assert_close(again[0], back, atol=1e-4, rtol=0)
    torch.testing.assert_close(again[1], out, atol=1e-4, rtol=0)


def test_pairs_of_a_batch_do_not_touch() -> None:
    parts, other = (ball(5.0), ball(4.0)), (ball(4.5), ball(4.5, shift=-1.0))
    zero = torch.zeros(1, 3, *SHAPE)
    both = ImagePair(*(torch.cat(sides) for sides in zip(parts, other, strict=True)))
    together = refine(both, *[torch.cat([zero, zero])] * 2)
    alone = refine(ImagePair(*other), zero, zero)
    torch.testing.assert_close(together[0][1:], alone[0], atol=1e-5, rtol=0)


def test_a_heart_that_stands_still_is_left_alone() -> None:
    zero = torch.zeros(1, 3, *SHAPE)
    out, back = refine(ImagePair(ball(5.0), ball(5.0)), zero, zero)
    assert max(float(out.abs().max()), float(back.abs().max())) < 1e-6


def test_the_velocity_of_exact_flows_is_found() -> None:
    true = swirl(0.12)
    found = torch.cat([exponential(true), exponential(-true)])
    velocity = fit_velocity(found, torch.zeros(2, *SHAPE), ALONE)
    assert float((velocity - true).abs().max()) < 0.05


def test_a_field_that_folds_comes_back_without_folds() -> None:
    torch.manual_seed(0)
    noise = torch.randn(1, 3, *SHAPE) * torch.tensor([2.5, 2.5, 0.4]).view(1, 3, 1, 1, 1)
    assert (smallest_jacobian(noise) <= 0).float().mean() > 0.5
    parts = ball(5.0), ball(4.0)
    rough = Refinement(fit_window=(1, 3, 3), through_window=(1, 3, 3))
    out, back = refine(ImagePair(*parts), noise, -noise, rough)
    assert smallest_jacobian(torch.cat([out, back])).min() > 0
    kept = refine(ImagePair(*parts), noise, -noise, replace(rough, repairs=0))
    assert smallest_jacobian(torch.cat(kept)).min() <= 0  # the repair did it


def finer(parts: torch.Tensor) -> torch.Tensor:
    """The same parts on a grid twice as fine in the slices."""
    return torch.nn.functional.interpolate(parts, scale_factor=(1, 2, 2), mode="trilinear")


def test_fields_come_on_the_grid_of_finer_parts() -> None:
    fine, zero = [finer(ball(radius)) for radius in (5.0, 4.0)], torch.zeros(1, 3, *SHAPE)
    out, back = refine(ImagePair(fine[0], fine[1]), zero, zero)
    assert out.shape == back.shape == (1, 3, 8, 56, 56)
    wide = resize_field(zero, out.shape[2:])
    assert mismatch((fine[0], fine[1]), out) < 0.4 * mismatch((fine[0], fine[1]), wide)
    coarse, _ = refine(ImagePair(ball(5.0), ball(4.0)), zero, zero, Refinement(carried=0.0))
    apart = (out - resize_field(coarse, out.shape[2:])).norm(dim=1)
    assert float(apart.mean()) < 0.1  # it is the same motion, in voxels half as large
    assert smallest_jacobian(torch.cat([out, back])).min() > 0


def test_steps_around_the_heart_alone_give_the_same_motion(monkeypatch) -> None:
    def wide(parts: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(parts, (14, 6, 4, 16, 0, 0), mode="replicate")

    fixed, moving = (finer(wide(ball(*told))) for told in ((5.0,), (4.0, 1.0)))
    fields = [wide(exponential(way * swirl(0.1))) for way in (1, -1)]
    around = torch.cat(refine(ImagePair(fixed, moving), *fields))
    monkeypatch.setattr(anatomy, "_TRACE", -1.0)  # everything is heart
    whole = torch.cat(refine(ImagePair(fixed, moving), *fields))
    heart = (fixed[:, 0] < 0.9).expand(2, *fixed.shape[2:])
    apart = (around - whole).norm(dim=1)
    assert float(apart[heart].max()) < 1e-3
    assert float(apart.max()) < 0.1
    assert smallest_jacobian(around).min() > 0


@pytest.mark.parametrize("place", [(3, 2, 40), (3, 52, 20), (3, 30, 3), (3, 30, 52)])
def test_a_fold_on_either_side_of_the_heart_is_found_and_smoothed(monkeypatch, place) -> None:
    """Steps are taken around the heart alone: what lies beyond on every side is looked at too."""

    def small(parts: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(parts, (14, 14, 14, 14, 0, 0), mode="replicate")

    fixed, moving = (finer(small(ball(radius))) for radius in (5.0, 4.0))
    coarse = CoarseMotion(torch.zeros(1, 3, 8, 56, 56), torch.zeros(2, 3, 8, 56, 56))
    coarse.flows[(0, 0, *place)] = coarse.velocity[(0, 0, *place)] = 9.0
    monkeypatch.setattr(refine_module, "_AROUND", 3)
    found = torch.cat(refine_finely(ImagePair(fixed, moving), coarse))
    assert smallest_jacobian(resize_field(coarse.flows, found.shape[2:])).min() <= 0
    assert smallest_jacobian(found).min() > 0


def test_a_finer_grid_tells_the_inverse_better() -> None:
    zero, parts = torch.zeros(1, 3, *SHAPE), [ball(6.0), ball(3.5, shift=1.0)]
    coarse = refine(ImagePair(parts[0], parts[1]), zero, zero, Refinement(carried=0.0))
    fine = refine(ImagePair(finer(parts[0]), finer(parts[1])), zero, zero)
    inner = (*INNER[:3], *[slice(2 * side.start, 2 * side.stop) for side in INNER[3:]])
    found = float(compose(fine[1], fine[0]).norm(dim=1, keepdim=True)[inner].mean())
    assert found / 2 < 0.8 * error(*coarse)


def test_motion_through_slices_stays_as_the_network_has_it() -> None:
    """Slices far apart hardly tell it: what parts say of it is not followed."""
    zero, parts = torch.zeros(1, 3, *SHAPE), (ball(5.0), ball(5.0).roll(1, 2))
    held, _ = refine(ImagePair(*parts), zero, zero)
    free, _ = refine(ImagePair(*parts), zero, zero, Refinement(still=0.0))
    assert float(held[:, 2].abs().mean()) < 0.2 * float(free[:, 2].abs().mean())


def beating(radius: float, base: int) -> torch.Tensor:
    """A ventricle of even width from a base slice to slice 6, with a right one beside it."""
    away = pixel_grid(SHAPE) - CENTER
    x, y = away[:, 0], away[:, 1]
    z = pixel_grid(SHAPE)[:, 2]
    down = torch.sigmoid(8 * (z - base + 0.5)) * torch.sigmoid(8 * (6.5 - z))
    distance = torch.hypot(x, y)
    whole = torch.sigmoid(2 * (9 - distance)) * down
    cavity = torch.sigmoid(2 * (radius - distance)) * whole
    right = torch.sigmoid(2 * (8 - torch.hypot(x + 8, y))) * down - whole
    right = right.clamp(min=0)
    return torch.stack([1 - whole - right, right, whole - cavity, cavity], 1)


def test_the_ventricle_shortens_evenly_from_base_to_apex() -> None:
    parts = finer(beating(5.0, 1)), finer(beating(4.0, 2))
    out = torch.zeros(1, 3, *SHAPE)
    out[:, 2, :3] = 1.0  # the network sees it where the base is, and nowhere else
    found, back = refine(ImagePair(*parts), out, -out)
    wall = (parts[0][0, 2] > 0.5) & (parts[1][0, 2] > 0.5)
    down = torch.stack([found[0, 2, z][wall[z]].mean() for z in range(2, 7)])
    assert (down.diff() < 0).all()  # less and less
    assert down[2] > 0.15
    assert down[4] < 0.25 * down[0]
    assert float(compose(back, found).norm(dim=1).mean()) < 0.05
    free, _ = refine(ImagePair(*parts, one_heart=False), out, -out)
    assert float(free[0, 2, 5][wall[5]].mean()) < 0.5 * float(found[0, 2, 5][wall[5]].mean())


def test_the_right_ventricle_descends_by_itself() -> None:
    """Its parts may tell what the left one's may not, and the left one's shortening spares it."""
    first, lower = beating(5.0, 1), beating(5.0, 2)
    here = first[:, 1] > 0.3
    moved = torch.where(here[:, None] | (lower[:, 1:2] > 0.3), lower, first)  # the right one alone
    parts, zero = (finer(first), finer(moved)), torch.zeros(1, 3, *SHAPE)

    def down(found: torch.Tensor, part: int) -> float:
        return float(resize_field(found, SHAPE)[:, 2][:, 1:4][first[:, part, 1:4] > 0.5].mean())

    pair = ImagePair(*parts)
    loose, held = (refine(pair, zero, zero, Refinement(loose=w))[0] for w in (0.94, 0))
    assert down(loose, 1) > 2 * down(held, 1) > 0
    assert abs(down(loose, 3)) < 0.2 * down(loose, 1)
    out = zero.clone()
    out[:, 2] = torch.where(here, 1.0, 0.0)
    still = ImagePair(finer(first), finer(first))
    kept, _ = refine(still, out, -out, Refinement(coarse=Level(0), fine=Level(0)))
    assert down(kept, 1) > 0.4


def test_the_right_ventricle_moves_in_each_slice_as_the_network_has_it() -> None:
    """Its free wall moves otherwise from slice to slice; what is known of the left one stays."""
    first, place = beating(5.0, 1), 3
    still, out = ImagePair(finer(first), finer(first)), torch.zeros(1, 3, *SHAPE)
    alone = Refinement(coarse=Level(0), fine=Level(0))
    free = first[0, 1] > 0.8
    out[0, 0, place] = torch.where(first[0, 1, place] > 0.3, 1.0, 0.0)

    def moved(settings: Refinement, *, one_heart: bool = True) -> torch.Tensor:
        pair = replace(still, one_heart=one_heart)
        return resize_field(refine(pair, out, -out, settings)[0], SHAPE)[0, 0]

    kept, wide = moved(alone), moved(replace(alone, right_window=(5, 5, 5)))
    assert float(kept[place][free[place]].mean()) > 0.6
    assert float(wide[place][free[place]].mean()) < 0.4
    beside = place + 2
    assert float(kept[beside][free[beside]].abs().mean()) < 0.05
    left = first[0, 2:].sum(0) > 0.9
    apart = moved(alone, one_heart=False)  # two hearts: nothing is kept
    assert float((kept - apart)[left].abs().mean()) < 0.05
    assert float((kept - apart)[place][free[place]].mean()) > 0.3


def test_motion_along_the_wall_is_smooth() -> None:
    """No edge tells it: waves along the wall are smoothed away, contraction is not."""
    parts = finer(beating(5.0, 1)), finer(beating(4.0, 1))
    away = pixel_grid(SHAPE) - CENTER
    distance = away[:, :2].norm(dim=1).clamp_min(1)
    wave = torch.sin(4 * torch.atan2(away[:, 1], away[:, 0])) / distance
    out = torch.stack([-wave * away[:, 1], wave * away[:, 0], 0 * wave], 1)
    at_rest = away[:, :2] / distance[:, None]

    def along(settings: Refinement) -> tuple[float, float]:
        field = resize_field(refine(ImagePair(*parts), out, -out, settings)[0], SHAPE)
        slid = at_rest[:, 0] * field[:, 1] - at_rest[:, 1] * field[:, 0]
        inwards = -(at_rest * field[:, :2]).sum(1)
        wall = beating(5.0, 1)[:, 2] > 0.6
        return float(slid[wall].std()), float(inwards[wall].mean())

    told = along(Refinement())
    free = along(Refinement(along=0.0, along_window=Refinement().fit_window))
    assert told[0] < 0.5 * free[0]
    assert abs(told[1] - free[1]) < 0.2 * free[1]
