"""Augmentation of hearts: one deformation for both phases, photometric changes for each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import FloatArray
from facewarp.face.similarity import rotation

Slices = NDArray[np.float32]
Kind = TypeVar("Kind", np.float32, np.uint8)


@dataclass(frozen=True)
class HeartAugment:
    """Amplitudes of the augmentation; lengths in px of the model's grid.

    Attributes:
        turn_deg: standard deviation of the rotation within the slices.
        scale: of the logarithm of the size.
        stretch: of the logarithm of the ratio of the axes.
        shift_px: of the translation.
        elastic_px: of a smooth deformation, the same in every slice and phase.
        breath_px: of each slice's own translation: each is scanned in a breath-hold of its own.
        wobble_px: of a slice's translation in one phase against the other.
        slices: slices by which the stack may be moved, at most.
        gamma: standard deviation of the logarithm of the gray values' exponent.
        bias: of the logarithm of a smooth bias field of the coil.
        noise: most noise, share of the grey values' range.
        blur_px: most blur.
        cut: probability of losing end slices of the stack.
    """

    turn_deg: float = 12.0
    scale: float = 0.12
    stretch: float = 0.05
    shift_px: float = 5.0
    elastic_px: float = 1.5
    breath_px: float = 0.6
    wobble_px: float = 0.2
    slices: int = 1
    gamma: float = 0.3
    bias: float = 0.15
    noise: float = 0.06
    blur_px: float = 0.8
    cut: float = 0.15

    @classmethod
    def of_strength(cls, strength: float) -> "HeartAugment":
        """Return all amplitudes times `strength`; 0 switches augmentation off."""
        scaled = {f.name: getattr(cls(), f.name) * strength for f in fields(cls)}
        return cls(**{**scaled, "slices": round(scaled["slices"])})


def augment_pair(
    images: NDArray[np.float32],
    labels: NDArray[np.uint8],
    shape: Sequence[int],
    rng: np.random.Generator,
    config: HeartAugment,
    center: Sequence[float] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return a random view of a heart at end-diastole and end-systole.

    Args:
        images: (2, D, H, W) grey 0..1; as many slices as `shape` or more.
        labels: (2, D, H, W) part ids.
        shape: (d, h, w) of the view.
        rng: random generator.
        config: amplitudes.
        center: (x, y, z) px around which views are taken; the images' own when None.

    Returns:
        Images (2, d, h, w) 0..1 and labels (2, d, h, w).
    """
    depth, height, width = shape
    middle = np.array(images.shape[:0:-1], dtype=np.float64) / 2 - 0.5
    middle = middle if center is None else np.array(center, dtype=np.float64)
    half = (np.array([width, height]) - 1) / 2
    middle[:2] = np.round(middle[:2] - half) + half  # whole pixels: what isn't moved isn't blurred
    first = round(middle[2] - (depth - 1) / 2)
    first += int(rng.integers(-config.slices, config.slices + 1))
    images, labels = _stack_from(images, first, depth), _stack_from(labels, first, depth)
    _lose_slices(images, labels, rng, config)
    base = _deformation(middle[:2], (height, width), rng, config)
    breath = rng.normal(0, config.breath_px, (depth, 1, 2)) + rng.normal(
        0, config.wobble_px, (depth, 2, 2)
    )
    out = np.empty((2, depth, height, width), np.float32)
    ids = np.empty((2, depth, height, width), np.uint8)
    for phase in range(2):
        for z in range(depth):
            if not images[phase, z].any():
                out[phase, z], ids[phase, z] = 0, 0
                continue
            place = base + breath[z, phase].astype(np.float32)
            x, y = np.ascontiguousarray(place[..., 0]), np.ascontiguousarray(place[..., 1])
            out[phase, z] = cv2.remap(images[phase, z], x, y, cv2.INTER_LINEAR)
            ids[phase, z] = cv2.remap(labels[phase, z], x, y, cv2.INTER_NEAREST)
    coil = _smooth(rng, (height, width), config.bias)
    tone = rng.normal(0, config.gamma)
    for phase in range(2):
        out[phase] = _look(out[phase], coil, tone + 0.2 * rng.normal(0, config.gamma), rng, config)
    return out, ids


def _stack_from(volumes: NDArray[Kind], first: int, depth: int) -> NDArray[Kind]:
    """Return slices `first` to `first + depth` of volumes (2, D, H, W); zeros beyond their ends."""
    out = np.zeros((2, depth, *volumes.shape[2:]), volumes.dtype)
    low, high = max(first, 0), min(first + depth, volumes.shape[1])
    out[:, low - first : max(high - first, low - first)] = volumes[:, low:high]
    return out


def _lose_slices(
    images: NDArray[np.float32],
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
    config: HeartAugment,
) -> None:
    """Clear slices at an end of the stack at random: scans differ in coverage."""
    if rng.random() < config.cut:
        filled = np.flatnonzero(images.any(axis=(0, 2, 3)))
        if len(filled) > 5:
            lost = filled[: rng.integers(1, 3)] if rng.random() < 0.5 else filled[-1:]
            images[:, lost], labels[:, lost] = 0, 0


def _deformation(
    middle: FloatArray, shape: tuple[int, int], rng: np.random.Generator, config: HeartAugment
) -> NDArray[np.float32]:
    """Return the source position of each pixel of a view around `middle` (x, y), (h, w, 2) px."""
    turn = np.radians(rng.normal(0, config.turn_deg))
    size = np.exp(rng.normal(0, config.scale))
    stretch = np.exp(rng.normal(0, config.stretch))
    matrix = rotation(turn) @ np.diag([size * stretch, size / stretch])
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).astype(np.float64)
    center = (np.array(shape[::-1]) - 1) / 2
    target = middle + rng.normal(0, config.shift_px, 2)
    place = (grid - center) @ matrix.T + target
    elastic = np.stack([_smooth(rng, shape, config.elastic_px) for _ in range(2)], -1)
    return (place + elastic).astype(np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, int], amplitude: float) -> Slices:
    """Return a smooth random image (h, w) of about a standard deviation."""
    nodes = rng.normal(0, 1.5 * amplitude, (6, 6)).astype(np.float32)
    return np.asarray(cv2.resize(nodes, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _look(
    stack: Slices, coil: Slices, tone: float, rng: np.random.Generator, config: HeartAugment
) -> Slices:
    """Change tone, bias field, contrast, blur and noise of one phase at random."""
    seen = np.clip(stack, 0, 1) ** np.float32(np.exp(tone))
    seen *= np.exp(coil)
    seen = seen * np.float32(np.exp(rng.normal(0, config.gamma / 3)))
    blur = rng.uniform(0, config.blur_px)
    if blur > 0.3:
        seen = np.stack([cv2.GaussianBlur(one, (0, 0), blur) for one in seen])
    noise = rng.uniform(0, config.noise)
    if noise > 0:
        texture = rng.standard_normal(seen.shape, np.float32) * np.float32(noise)
        seen = seen + texture * (stack > 0)
    return np.clip(seen, 0, 1).astype(np.float32)
