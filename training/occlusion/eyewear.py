"""Glasses before the eyes: rims, clear and tinted lenses, reflections."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion.canvas import (
    FacePlace,
    Floats,
    Layer,
    any_color,
    curve,
    ellipse,
    filled,
    noise,
    polygon,
    ramp,
    strokes,
)

_CLEAR = 0.85  # share of lenses in wire that are not tinted


def glasses(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw glasses on a face; through clear lenses the skin is seen."""
    return _glasses(face, rng, wire=False)


def wire_glasses(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw glasses with a rim of thin wire, seldom with tinted lenses."""
    return _glasses(face, rng, wire=True)


def _glasses(face: FacePlace, rng: np.random.Generator, wire: bool) -> Layer:
    shape, unit = face.shape, face.unit
    angle = float(np.arctan2(face.across[1], face.across[0])) + rng.normal(0, 0.02)
    apart = float(np.linalg.norm(face.eyes[1] - face.eyes[0]))
    turned = min(1.0, apart / unit)
    axes = (rng.uniform(0.34, 0.48) * unit, rng.uniform(0.22, 0.42) * unit)
    drop = face.at(0, rng.normal(0.06, 0.05)) - face.at(0, 0)
    power = rng.choice([2.0, 2.6, 4.0])
    if wire:
        width = max(0.7, rng.uniform(0.008, 0.035) * unit)
        tint = 0.0 if rng.random() < _CLEAR else rng.uniform(0.1, 1)
    else:
        width = max(1.0, rng.choice([rng.uniform(0.02, 0.05), rng.uniform(0.05, 0.14)]) * unit)
        tint = float(rng.choice([0, 0, 0, rng.uniform(0.1, 0.5), rng.uniform(0.6, 1)]))
    lenses, outlines = np.zeros(shape, np.float32), []
    for eye in face.eyes:
        away = (eye - face.eyes.mean(0)) * rng.uniform(0.02, 0.12)
        outline = ellipse(eye + drop + away, (axes[0] * turned, axes[1]), angle, power)
        outlines.append(outline)
        lenses = np.maximum(lenses, polygon(shape, outline))
    lens = _lens(face, lenses, tint, rng)
    rims = [np.vstack([outline, outline[:1]]) for outline in outlines]
    half = rng.random() < 0.15
    lines = [rim[32:] if half else rim for rim in rims] + _bridge_and_temples(face, outlines, rng)
    cover = strokes(shape, lines, width, 0.5)
    if not wire and rng.random() < 0.1:
        cover *= 0  # rimless
    color = filled(shape, any_color(rng), 0.8 + 0.25 * noise(shape, 12, rng))
    if rng.random() < 0.5:  # metal or plastic that shines along its upper edge
        moved = cv2.warpAffine(cover, np.array([[1, 0, 0], [0, 1, -width / 3]]), shape[::-1])
        color += (moved * rng.uniform(0, 0.5))[..., None]
    rim = Layer(color.clip(0, 1).astype(np.float32), cover)
    alpha = rim.alpha + lens.alpha * (1 - rim.alpha)
    share = (rim.alpha / alpha.clip(1e-6))[..., None]
    mixed = rim.color * share + lens.color * (1 - share)
    return Layer(mixed.astype(np.float32), alpha, rng.uniform(0, 0.35), rng.uniform(1, 5))


def _lens(face: FacePlace, lenses: Floats, tint: float, rng: np.random.Generator) -> Layer:
    """Tint and reflections on the lenses' alpha."""
    shape = face.shape
    shade = ramp(shape, np.pi / 2 + rng.normal(0, 0.2)) if rng.random() < 0.4 else np.ones(shape)
    shade = shade if rng.random() < 0.7 else 1 - 0.5 * shade
    alpha = (lenses * tint * shade).clip(0, 1).astype(np.float32)
    dark = any_color(rng) * 0.3
    color = filled(shape, dark)
    strength = rng.choice([0.0, rng.uniform(0.2, 0.9)])
    if strength:
        phase = ramp(shape, rng.uniform(0.3, 1.2)) * rng.uniform(20, 60) + rng.uniform(0, 6)
        bands = (np.sin(phase) > rng.uniform(0.5, 0.95)).astype(np.float32)
        patch = (noise(shape, 30, rng) > rng.uniform(0.6, 1.4)).astype(np.float32)
        glare = cv2.GaussianBlur(np.maximum(bands, patch), (0, 0), rng.uniform(0.8, 4))
        glare = glare * lenses * strength
        tone = (1.0, 1.0, 1.0) if rng.random() < 0.6 else rng.uniform(0.4, 1, 3)
        color += glare[..., None] * (np.asarray(tone, np.float32) - color)
        alpha = (alpha + glare * (1 - alpha)).astype(np.float32)
    return Layer(color.clip(0, 1).astype(np.float32), alpha)


def _bridge_and_temples(
    face: FacePlace, outlines: list[NDArray[np.float64]], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Lines between the lenses and out to the ears."""
    right = face.across
    left_edge = outlines[0][np.argmax(outlines[0] @ right)]
    right_edge = outlines[1][np.argmin(outlines[1] @ right)]
    rise = face.at(0, -rng.uniform(0, 0.14)) - face.at(0, 0)
    bridge = curve([left_edge, (left_edge + right_edge) / 2 + 2 * rise, right_edge], 12)
    lines = [bridge]
    for outline, sign in ((outlines[0], -1), (outlines[1], 1)):
        edge = outline[np.argmax(outline @ right * sign)]
        reach = rng.uniform(0.1, 0.5) * face.unit * sign
        lines.append(np.stack([edge, edge + right * reach + rise * rng.uniform(-1, 2)]))
    return lines
