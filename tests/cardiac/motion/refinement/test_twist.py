"""The ventricle's twist is read off texture that turns with the tissue, and off nothing else."""

import torch

from facewarp.cardiac.motion.refinement.refine import ImagePair, refine
from facewarp.cardiac.motion.refinement.twist import Twist, find_twist
from facewarp.core.fields import compose, exponential, smallest_jacobian, warp
from facewarp.core.geometry import pixel_grid, resize_field, resize_image

SHAPE, FINE = (8, 32, 32), (8, 64, 64)
MIDDLE = torch.tensor([31.5, 31.5, 0.0]).view(1, 3, 1, 1, 1)
INNER, OUTER = 11.0, 17.0  # voxels


def away() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Offsets x, y from the middle and radius, ``(1, *FINE)`` each."""
    x, y, _ = (pixel_grid(FINE) - MIDDLE).unbind(1)
    return x, y, torch.hypot(x, y)


def heart() -> torch.Tensor:
    """A round ventricle in slices 1 to 6, part probabilities ``(1, 4, *FINE)``."""
    radius = away()[2]
    z = pixel_grid(FINE)[:, 2]
    shown = torch.sigmoid(20 * (z - 0.5)) * torch.sigmoid(20 * (6.5 - z))
    whole, cavity = (torch.sigmoid(2 * (edge - radius)) * shown for edge in (OUTER, INNER))
    return torch.stack([1 - whole, 0 * whole, whole - cavity, cavity], 1)


def turning(base: float, apex: float) -> torch.Tensor:
    """A velocity that turns slices, degrees from x to y, ``(1, 3, *FINE)``."""
    x, y, radius = away()
    level = ((pixel_grid(FINE)[:, 2] - 1) / 5).clamp(0, 1)
    angle = torch.deg2rad(base + (apex - base) * level) * torch.sigmoid(22 - radius)
    return torch.stack([-angle * y, angle * x, 0 * x], 1)


def texture(seed: int = 3, strength: float = 1.0) -> torch.Tensor:
    """Gray values of smooth noise, the ventricle's cavity bright, ``(1, 1, *FINE)``."""
    noise = torch.randn(1, 1, *FINE, generator=torch.Generator().manual_seed(seed))
    for _ in range(3):
        noise = torch.nn.functional.avg_pool3d(noise, (1, 3, 3), 1, (0, 1, 1))
    parts = heart()
    return strength * noise / noise.std() * parts[:, 2:3] + 5 * parts[:, 3:4]


def twisted(base: float, apex: float, strength: float = 1.0) -> torch.Tensor:
    """A fixed and a moving picture; tissue turns from the first to the second."""
    fixed = texture(strength=strength)
    return torch.cat([fixed, warp(fixed, exponential(turning(-base, -apex), 5))])


def degrees(found: Twist) -> torch.Tensor:
    return torch.rad2deg(found.angles[0, 1:7])


NOTHING = torch.zeros(2, 3, *SHAPE)


def test_twist_and_turn_are_found() -> None:
    parts = heart().expand(2, -1, -1, -1, -1)
    true = torch.linspace(-3.0, 6.0, 6)
    found = degrees(find_twist(twisted(-3.0, 6.0), NOTHING, parts))
    torch.testing.assert_close(found, true, atol=1.0, rtol=0)
    back = degrees(find_twist(twisted(-3.0, 6.0).flip(0), NOTHING, parts))
    torch.testing.assert_close(back, -found)


def test_only_what_the_motion_does_not_say_is_found() -> None:
    parts = heart().expand(2, -1, -1, -1, -1)
    known = exponential(torch.cat([turning(-3.0, 6.0), turning(3.0, -6.0)]), 5)
    left = degrees(find_twist(twisted(-3.0, 6.0), resize_field(known, SHAPE), parts))
    assert float(left.abs().max()) <= 0.75


def test_a_wall_without_texture_tells_no_twist() -> None:
    """Neither do other textures than its own, nor a picture without a ventricle."""
    parts = heart().expand(2, -1, -1, -1, -1)
    plain = texture(strength=0.0)
    assert not find_twist(torch.cat([plain, plain]), NOTHING, parts).angles.any()
    others = [degrees(find_twist(torch.cat([texture(n), texture(n + 50)]), NOTHING, parts))
              for n in range(6)]  # fmt: skip
    assert float(torch.stack(others).abs().mean()) < 0.3
    nowhere = torch.zeros_like(parts)
    nowhere[:, 0] = 1
    found = find_twist(twisted(-3.0, 6.0), NOTHING, nowhere)
    assert not found.angles.any()
    assert found.centers.isfinite().all()


def test_refined_fields_twist_as_the_texture_does() -> None:
    """Beside them outlines stay, both directions are inverse, and nothing folds."""
    parts, pictures = heart(), twisted(-3.0, 6.0)
    zero = torch.zeros(1, 3, *SHAPE)
    out, back = refine(ImagePair(parts, parts, pictures), zero, zero)
    plain, _ = refine(ImagePair(parts, parts), zero, zero)
    true = exponential(turning(-3.0, 6.0), 5)
    wall = parts[0, 2] > 0.6
    off, before = ((u - true).norm(dim=1)[0][wall].mean() for u in (out, plain))
    assert float(off) < 0.4 * float(before)
    assert float(compose(back, out).norm(dim=1)[0][wall].mean()) < 0.05
    assert float(smallest_jacobian(out).min()) > 0
    assert float((warp(parts, out) - parts).abs().max()) < 0.15
    unknown, _ = refine(ImagePair(parts, parts, pictures, one_heart=False), zero, zero)
    torch.testing.assert_close(
        unknown, refine(ImagePair(parts, parts, one_heart=False), zero, zero)[0]
    )


def test_without_finer_parts_pictures_are_not_asked() -> None:
    parts, zero = resize_image(heart(), SHAPE), torch.zeros(1, 3, *SHAPE)
    pictures = resize_image(twisted(-3.0, 6.0), SHAPE)
    told = refine(ImagePair(parts, parts, pictures), zero, zero)
    torch.testing.assert_close(told, refine(ImagePair(parts, parts), zero, zero))
