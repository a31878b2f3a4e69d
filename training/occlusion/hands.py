"""Hands before a face: fingers, palm and wrist of capsules, shaded as skin."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion.canvas import (
    FacePlace,
    Floats,
    Layer,
    Relief,
    any_color,
    ellipse,
    filled,
    noise,
    polygon,
    strokes,
)

TONES: tuple[tuple[float, float, float], ...] = (
    (0.95, 0.78, 0.68),
    (0.85, 0.64, 0.52),
    (0.72, 0.5, 0.38),
    (0.5, 0.33, 0.24),
)
TONES += ((0.36, 0.22, 0.16), (0.22, 0.14, 0.1))
_LENGTHS = (0.78, 0.92, 1.0, 0.94, 0.74)  # thumb to little finger, of the middle finger's
_ROOTS = (-0.62, -0.36, -0.1, 0.16, 0.4)  # where they begin across the palm
_SEGMENTS = (0.46, 0.3, 0.24)


def hand(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw a hand that reaches in from beside, below or above the face, or is laid on it."""
    target = face.at(rng.normal(0, 0.75), rng.normal(0.7, 0.75))
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.4 else -np.pi / 2 + rng.normal(0, 0.7)
    size = face.unit * rng.uniform(0.9, 1.6)  # of the middle finger
    return drawn_hand(face, target, angle, size, rng)


def any_hand(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw a hand of any skin color, as another person's or in another light."""
    tones = np.asarray(TONES)
    between = tones[rng.integers(len(tones), size=2)]
    tone = between[0] + rng.random() * (between[1] - between[0])
    return hand(replace(face, skin=(tone * rng.uniform(0.7, 1.15)).astype(np.float32)), rng)


def drawn_hand(
    face: FacePlace,
    target: NDArray[np.float64],
    angle: float,
    size: float,
    rng: np.random.Generator,
) -> Layer:
    """Draw a hand whose knuckles lie at `target`, pointing to `angle`, fingers `size` px long."""
    relief = Relief(face.shape)
    forward = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([-forward[1], forward[0]]) * (1 if rng.random() < 0.5 else -1)
    width = size * rng.uniform(0.85, 1.1)
    wrist = target - forward * size * rng.uniform(0.9, 1.2)
    nails, folds = [], []
    spread, curl = rng.uniform(-0.02, 0.22), rng.uniform(0, 0.8)
    is_fist, shown = rng.random() < 0.15, rng.random(5) > 0.12
    for finger, (length, root) in enumerate(zip(_LENGTHS, _ROOTS, strict=True)):
        if not shown[finger]:
            continue
        base = target + side * root * width
        turn = spread * (finger - 2) + rng.normal(0, 0.05)
        if finger == 0:
            base, turn = base - forward * 0.45 * size, -rng.uniform(0.3, 1.0)
        direction = forward * np.cos(turn) + side * np.sin(turn)
        radius = size * (0.15 if finger == 0 else 0.125) * rng.uniform(0.9, 1.1)
        reach = size * length * (0.35 if is_fist else 1 - 0.55 * curl * rng.uniform(0.6, 1.2))
        point = base
        for joint, share in enumerate(_SEGMENTS):
            after = point + direction * reach * share
            relief.capsule(point, after, radius, radius * 0.92, lift=3 * joint)
            if joint:
                across = np.array([-direction[1], direction[0]]) * radius * 0.7
                folds.append(np.stack([point - across, point + across]))
            point, radius = after, radius * 0.92
            bend = rng.normal(0, 0.06)
            direction = direction * np.cos(bend) + side * np.sin(bend)
        nails.append((point, float(np.arctan2(direction[1], direction[0])), radius))
    for root in np.linspace(-0.3, 0.34, 4):  # the palm
        relief.capsule(
            target + side * root * width - forward * 0.05 * size,
            wrist + side * 0.45 * root * width,
            0.2 * size,
            0.22 * size,
        )
    arm = wrist - forward * 4 * size + side * rng.normal(0, 0.5) * size
    relief.capsule(wrist, arm, 0.3 * size, 0.42 * size)
    sleeve = rng.uniform(0.2, 1.6) * size if rng.random() < 0.5 else None
    return _as_skin(face, relief, nails, folds, (wrist, -forward, sleeve), rng)


def _as_skin(
    face: FacePlace,
    relief: Relief,
    nails: list[tuple[NDArray[np.float64], float, float]],
    folds: list[NDArray[np.float64]],
    arm: tuple[NDArray[np.float64], NDArray[np.float64], float | None],
    rng: np.random.Generator,
) -> Layer:
    """Color the relief of a hand in the face's skin tone or another, with nails and folds."""
    tone = face.skin * rng.uniform(0.8, 1.2) * rng.normal(1, 0.03, 3)
    if rng.random() < 0.3:
        tone = np.array(TONES[rng.integers(len(TONES))]) * rng.uniform(0.7, 1.1)
    light = rng.normal((0, -0.5, 0.9), (0.5, 0.4, 0.2))
    bright = relief.shading((*light[:2], max(light[2], 0.3)), rng.uniform(0.35, 0.7))
    bright = bright * (1 + 0.05 * noise(face.shape, 14, rng) + 0.03 * noise(face.shape, 3, rng))
    bright *= 1 - rng.uniform(0.1, 0.4) * strokes(face.shape, folds, 1.2, 0.7) if folds else 1
    color = filled(face.shape, tone, bright * rng.uniform(0.85, 1.2))
    color[..., 0] *= 1 + 0.04 * noise(face.shape, 10, rng)
    if rng.random() < 0.7:
        nail = tone * (1.1, 0.95, 0.95) if rng.random() < 0.6 else any_color(rng)
        for tip, angle, radius in nails:
            outline = ellipse(tip, (radius * 0.75, radius * 0.6), angle, 2.6)
            cover = polygon(face.shape, outline, 0.6)[..., None] * np.float32(0.8)
            color += cover * (np.asarray(nail, np.float32) * bright[..., None] * 1.05 - color)
    wrist, back, sleeve = arm
    if sleeve is not None:
        y, x = np.mgrid[: face.shape[0], : face.shape[1]].astype(np.float32)
        along = (x - wrist[0]) * back[0] + (y - wrist[1]) * back[1]
        cover = (along > sleeve).astype(np.float32)[..., None]
        cloth = filled(face.shape, any_color(rng), bright * (1 + 0.1 * noise(face.shape, 5, rng)))
        color += cover * (cloth - color)
    alpha = relief.alpha()
    return Layer(
        color.clip(0, 1).astype(np.float32), alpha, rng.uniform(0, 0.6), rng.uniform(1, 14)
    )


def matched(color: Floats, to: Floats, rng: np.random.Generator) -> Floats:
    """Give a picture the mean brightness of another color, more or less."""
    factor = float(to.mean()) / max(float(cv2.mean(color)[0]), 1e-3)
    return np.asarray((color * factor ** rng.uniform(0, 1)).clip(0, 1), np.float32)
