"""Augmentation of single slices with those beside them, for part networks of hearts."""

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.similarity import rotation

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SliceAugment:
    """Amplitudes of the augmentation; lengths in px of the model's grid, shares as probabilities.

    Attributes:
        turn_deg: the greatest rotation within the slice: any, by default.
        flip: share of mirrored views.
        scale: standard deviation of the logarithm of the size.
        stretch: of the logarithm of the ratio of the axes.
        shift_px: of the translation.
        elastic_px: of a smooth deformation, the same in every slice.
        breath_px: of the translation of each slice beside the one that is labelled.
        lost: share of views that lack slices on one side or on both.
        upside_down: share of views whose slices come from apex to base.
        gamma: standard deviation of the logarithm of the gray values' exponent.
        contrast: of the logarithm of their range, and thrice that of their offset.
        bias: of the logarithm of a smooth bias field of the coil.
        inverted: share of views as negatives.
        remapped: share of views whose gray values go through a random curve.
        ghosted: share of views with a faint copy of themselves, as motion makes them.
        blurred: share of views that are blurred, or seen through a coarser matrix.
        thick: share of views of slices that are averaged to thicker ones, see `thicker`.
        noise: most noise, share of the gray values' range.
    """

    turn_deg: float = 180.0
    flip: float = 0.5
    scale: float = 0.13
    stretch: float = 0.06
    shift_px: float = 9.0
    elastic_px: float = 1.6
    breath_px: float = 0.8
    lost: float = 0.15
    upside_down: float = 0.05
    gamma: float = 0.3
    contrast: float = 0.15
    bias: float = 0.2
    inverted: float = 0.03
    remapped: float = 0.15
    ghosted: float = 0.12
    blurred: float = 0.25
    thick: float = 0.2
    noise: float = 0.08

    @classmethod
    def of_strength(cls, strength: float) -> "SliceAugment":
        """Return all amplitudes times `strength`; 0 switches augmentation off."""
        return cls(**{f.name: getattr(cls(), f.name) * strength for f in fields(cls)})


def augment_slice(
    slices: list[Floats | None],
    shares: NDArray[np.uint8],
    spacing_mm: tuple[float, float],
    center: tuple[float, float],
    shape: tuple[int, int],
    view_mm: float,
    rng: np.random.Generator,
    config: SliceAugment,
) -> tuple[Floats, NDArray[np.uint8]]:
    """Return a random view of a slice.

    Args:
        slices: the slice in the middle of those beside it, (H, W) 0..1 as scanned; None beyond
            the ends of the stack.
        shares: (H, W, K) 0 or 255, the parts of the slice in the middle.
        spacing_mm: of the scan, along x and y.
        center: (x, y) px of the scan around which views are taken.
        shape: (h, w) of the view.
        view_mm: size of its pixels.
        rng: random generator.
        config: amplitudes.

    Returns:
        Images (N, h, w) 0..1 and the parts' shares of each pixel (K, h, w), 0 to 255: by linear
        interpolation, which keeps areas.
    """
    place = _places(spacing_mm, center, shape, view_mm, rng, config)
    seen = _lose(slices, rng, config)
    middle = len(seen) // 2
    images = np.zeros((len(seen), *shape), np.float32)
    px = view_mm / np.array(spacing_mm)
    for index, one in enumerate(seen):
        if one is not None:
            moved = place
            if index != middle and config.breath_px:
                moved = place + (rng.normal(0, config.breath_px, 2) * px).astype(np.float32)
            images[index] = cv2.remap(one, moved[..., 0], moved[..., 1], cv2.INTER_LINEAR)
    parts = cv2.remap(shares, place[..., 0], place[..., 1], cv2.INTER_LINEAR)
    outside = 255 - parts.sum(axis=-1, dtype=np.int16)  # beyond the scan, and rounding
    parts[..., 0] = np.clip(parts[..., 0] + outside, 0, 255)
    here = [one is not None for one in seen]
    images[here] = _look(images[here], rng, config)
    return images, np.ascontiguousarray(parts.transpose(2, 0, 1))


def _places(
    spacing_mm: tuple[float, float],
    center: tuple[float, float],
    shape: tuple[int, int],
    view_mm: float,
    rng: np.random.Generator,
    config: SliceAugment,
) -> Floats:
    """Return the position in the scan of each pixel of a view, (h, w, 2) px."""
    turn = np.radians(rng.uniform(-config.turn_deg, config.turn_deg))
    size = np.exp(rng.normal(0, config.scale))
    stretch = np.exp(rng.normal(0, config.stretch))
    mirror = -1.0 if rng.random() < config.flip else 1.0
    matrix = rotation(turn) @ np.diag([mirror * size * stretch, size / stretch])
    if config.stretch:  # the axes that are stretched are any
        matrix = matrix @ rotation(rng.uniform(0, np.pi))
    to_px = view_mm / np.array(spacing_mm)
    matrix = to_px[:, None] * matrix
    target = np.array(center) + to_px * rng.normal(0, config.shift_px, 2)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    grid = np.stack([x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2], -1)
    if config.elastic_px:
        nodes = rng.normal(0, config.elastic_px, (6, 6, 2)).astype(np.float32)
        grid += cv2.resize(nodes, shape[::-1], interpolation=cv2.INTER_CUBIC)
    place = grid @ matrix.T.astype(np.float32) + target.astype(np.float32)
    return np.ascontiguousarray(place, np.float32)


def _lose(
    slices: list[Floats | None], rng: np.random.Generator, config: SliceAugment
) -> list[Floats | None]:
    """Turn the stack around, or forget slices from some distance on, at random."""
    seen = list(slices)
    if rng.random() < config.upside_down:
        seen = seen[::-1]
    if rng.random() < config.lost:
        middle = len(seen) // 2
        first = int(rng.integers(1, middle + 1))
        sides = ((1,), (-1,), (1, -1))[int(rng.integers(3))]
        for side in sides:
            for far in range(first, middle + 1):
                seen[middle + side * far] = None
    return seen


def _look(images: Floats, rng: np.random.Generator, config: SliceAugment) -> Floats:
    """Change contrast, bias field, sharpness and noise of slices (N, h, w) at random."""
    shape = images.shape[1:]
    if rng.random() < config.inverted:
        images = 1 - images
    if rng.random() < config.remapped:
        knots = np.linspace(0, 1, 6)
        curve = np.clip(knots + rng.normal(0, 0.12, 6), 0, 1)
        images = np.interp(images, knots, curve).astype(np.float32)
    if config.gamma:
        images = cv2.pow(images.clip(0, 1), float(np.exp(rng.normal(0, config.gamma))))
    if config.bias:
        nodes = rng.normal(0, config.bias, (4, 4)).astype(np.float32)
        images = images * np.exp(cv2.resize(nodes, shape[::-1], interpolation=cv2.INTER_CUBIC))
    if config.contrast:
        scale = np.float32(np.exp(rng.normal(0, config.contrast)))
        images = images * scale + np.float32(rng.normal(0, config.contrast / 3))
    if rng.random() < config.ghosted:
        away = int(rng.integers(shape[0] // 8, shape[0] // 2))
        axis = int(rng.integers(1, 3))
        images = images + np.float32(rng.uniform(0.05, 0.25)) * np.roll(images, away, axis)
    if rng.random() < config.blurred:
        images = _soften(images, rng)
    noise = rng.uniform(0, config.noise)
    if noise > 0.01:
        images = images + rng.standard_normal(images.shape, np.float32) * np.float32(noise)
    return np.asarray(images.clip(0, 1), dtype=np.float32)


def _soften(images: Floats, rng: np.random.Generator) -> Floats:
    """Blur slices, or see them through a coarser matrix along one axis or both."""
    _, height, width = images.shape
    if rng.random() < 0.5:
        width_px = rng.uniform(0.4, 1.3)
        return np.stack([cv2.GaussianBlur(one, (0, 0), width_px) for one in images])
    coarse = rng.uniform(1.3, 2.5, 2) if rng.random() < 0.5 else (1.0, rng.uniform(1.3, 3.0))
    size = (round(width / coarse[0]), round(height / coarse[1]))
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in images]
    return np.stack([cv2.resize(one, (width, height)) for one in small])
