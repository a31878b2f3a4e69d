"""Things before a face: microphone, cup, phone, cable, caption, mask, brim, and cut-out stuff."""

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
    over,
    polygon,
    ramp,
    strokes,
)
from facewarp.training.occlusion.hands import drawn_hand

Rng = np.random.Generator


def microphone(face: FacePlace, rng: Rng) -> Layer:
    """Draw a microphone on its arm, often behind a pop filter."""
    shape, unit = face.shape, face.unit
    head = face.at(rng.normal(0, 0.6), rng.uniform(0.9, 2.0))
    angle = rng.uniform(0.2, np.pi - 0.2)
    down = np.array([np.cos(angle), np.sin(angle)])
    size = unit * rng.uniform(0.25, 0.6)
    body = _bar(head, head + down * size * rng.uniform(2, 5), size * rng.uniform(0.7, 1.0))
    shade = 0.6 + 0.6 * np.abs(ramp(shape, angle + np.pi / 2) * 2 - 1)
    color = filled(shape, any_color(rng) * 0.6, shade.astype(np.float32))
    layer = Layer(color, polygon(shape, body, 0.6), rng.uniform(0, 0.5), rng.uniform(3, 14))
    capsule = polygon(shape, ellipse(head, (size, size * rng.uniform(0.9, 1.4)), angle), 0.6)
    grille = _mesh(shape, rng.uniform(2.5, 5), rng) * rng.uniform(0.2, 0.7) + 0.25
    ball = filled(shape, any_color(rng) * 0.8, grille * (1.2 - 0.5 * ramp(shape, np.pi / 3)))
    layer = over(layer, Layer(ball, capsule))
    if rng.random() < 0.45:
        radius = unit * rng.uniform(0.5, 1.0)
        ring = ellipse(head + rng.normal(0, 0.2, 2) * unit, (radius, radius), 0)
        disc = polygon(shape, ring, 0.5) * rng.uniform(0.5, 0.97)
        tone = filled(shape, any_color(rng) * 0.4, 0.8 + 0.3 * _mesh(shape, 3, rng))
        layer = over(layer, Layer(tone, disc))
        rim = strokes(shape, [np.vstack([ring, ring[:1]])], unit * rng.uniform(0.04, 0.1), 0.4)
        layer = over(layer, Layer(filled(shape, any_color(rng) * 0.3), rim))
    return layer


def cup(face: FacePlace, rng: Rng) -> Layer:
    """Draw a cup or glass at the mouth, held by a hand or not."""
    shape, unit = face.shape, face.unit
    top, height = face.mouth + rng.normal(0, 0.15, 2) * unit, unit * rng.uniform(0.8, 1.6)
    wide, taper = unit * rng.uniform(0.4, 0.75), rng.uniform(0.65, 1.05)
    tilt = rng.normal(0, 0.25)
    down, right = np.array([-np.sin(tilt), np.cos(tilt)]), np.array([np.cos(tilt), np.sin(tilt)])
    low = top + down * height
    wall = [top - right * wide, top + right * wide, low + right * wide * taper]
    wall.append(low - right * wide * taper)
    rim = ellipse(top, (wide, wide * rng.uniform(0.15, 0.4)), tilt)
    cover = np.maximum(polygon(shape, wall, 0.5), polygon(shape, rim, 0.5))
    across = ((np.indices(shape)[1] - top[0]) / (2 * wide) + 0.5).clip(0, 1).astype(np.float32)
    shade = (
        0.55
        + 0.6 * np.sin(np.pi * across)
        + rng.uniform(0, 0.3) * np.exp(-((across - 0.3) ** 2) * 80)
    )
    color = filled(shape, any_color(rng), shade)
    inner = polygon(shape, rim, 0.5)[..., None] * np.float32(rng.uniform(0.2, 0.7))
    color = color * (1 - inner)
    layer = Layer(color, cover, rng.uniform(0, 0.5), rng.uniform(2, 10))
    if rng.random() < 0.5:
        lines = [ellipse(top + down * height / 2 + right * wide, (wide / 2, height / 3), 0)]
        layer = over(Layer(color, strokes(shape, lines, unit * 0.1, 0.5)), layer)
    if rng.random() < 0.5:
        side = rng.choice([-1, 1])
        grip = drawn_hand(
            face,
            top + down * height * 0.6 + right * side * wide * 0.6,
            -np.pi / 2 - side * rng.uniform(0.3, 1.4),
            unit * rng.uniform(0.9, 1.2),
            rng,
        )
        layer = over(layer, grip)
    return layer


def phone(face: FacePlace, rng: Rng) -> Layer:
    """Draw a phone, book or tablet, with its edge in view, held by a hand or not."""
    shape, unit = face.shape, face.unit
    middle = face.at(rng.normal(0, 0.9), rng.normal(0.8, 0.8))
    angle = rng.normal(0, 0.5)
    axes = unit * rng.uniform(0.4, 0.8), unit * rng.uniform(0.8, 1.7)
    body = polygon(shape, ellipse(middle, axes, angle, 12.0), 0.5)
    tone = any_color(rng)
    color = filled(shape, tone, 0.8 + 0.4 * ramp(shape, rng.uniform(0, 6)))
    if rng.random() < 0.5:
        inner = polygon(shape, ellipse(middle, (axes[0] * 0.92, axes[1] * 0.94), angle, 12))
        color += inner[..., None] * (stuff(shape, rng) - color)
    for _ in range(int(rng.integers(0, 4))):
        lens = middle + rng.uniform(-0.7, 0.7, 2) * axes
        spot = polygon(shape, ellipse(lens, (unit * 0.09,) * 2, 0), 0.4)[..., None]
        color = color * (1 - spot * np.float32(0.8))
    layer = Layer(color.clip(0, 1), body, rng.uniform(0, 0.5), rng.uniform(2, 12))
    if rng.random() < 0.6:
        grip = middle + np.array([rng.choice([-1, 1]) * axes[0], rng.uniform(0, 0.8) * axes[1]])
        angle = float(np.arctan2(*(middle - grip)[::-1])) + rng.normal(0, 0.4)
        fingers = drawn_hand(face, grip, angle, unit * rng.uniform(0.8, 1.2), rng)
        layer = over(layer, fingers) if rng.random() < 0.7 else over(fingers, layer)
    return layer


def cable(face: FacePlace, rng: Rng) -> Layer:
    """Draw a cable, strap, straw, pen or headset boom across the face."""
    shape = face.shape
    start = face.at(rng.choice([-1, 1]) * rng.uniform(0.8, 1.8), rng.uniform(-1.2, 2.2))
    end = face.at(rng.normal(0, 0.7), rng.uniform(-0.4, 2.2))
    between = (start + end) / 2 + rng.normal(0, 0.35, 2) * face.unit
    path = curve([start, between, end], 24)
    width = face.unit * rng.uniform(0.02, 0.16)
    cover = strokes(shape, [path], width, 0.5)
    shine = strokes(shape, [path - width / 5], max(width / 4, 0.6), 0.6) * rng.uniform(0, 0.5)
    color = filled(shape, any_color(rng), 0.7) + shine[..., None]
    if rng.random() < 0.4:
        tip = polygon(shape, ellipse(end, (face.unit * rng.uniform(0.06, 0.2),) * 2, 0), 0.6)
        cover = np.maximum(cover, tip)
    return Layer(color.clip(0, 1), cover, rng.uniform(0, 0.5), rng.uniform(1, 8))


def caption(face: FacePlace, rng: Rng) -> Layer:
    """Draw a bar with lettering, a sticker or lettering alone, as overlays have them."""
    shape, unit = face.shape, face.unit
    middle = face.at(rng.normal(0, 0.6), rng.normal(0.6, 1.0))
    wide, high = unit * rng.uniform(0.4, 4.0), unit * rng.uniform(0.08, 0.5)
    box = _bar(middle - (wide, 0), middle + (wide, 0), high)
    cover = polygon(shape, box) * rng.choice([1.0, rng.uniform(0.5, 0.95)])
    color = filled(shape, any_color(rng))
    letters = np.zeros(shape, np.uint8)
    text = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVWXYZabcdeghiklmnoprstu 0123456789"), 14))
    at = int(middle[0] - 0.9 * wide), int(middle[1] + 0.6 * high)
    thick = max(1, round(high / 12))
    cv2.putText(letters, text, at, cv2.FONT_HERSHEY_SIMPLEX, high / 18, 255, thick, cv2.LINE_AA)
    lit = letters.astype(np.float32) / 255
    if rng.random() < 0.25:
        cover = cover * 0
    color += lit[..., None] * (any_color(rng) - color)
    return Layer(color.clip(0, 1), np.maximum(cover, lit), 0.0, 1.0)


def mask(face: FacePlace, rng: Rng) -> Layer:
    """Draw a medical mask, scarf or collar over nose, mouth and chin, or the mouth alone."""
    shape = face.shape
    high = rng.choice([rng.uniform(0.25, 0.6), rng.uniform(0.9, 1.4)])
    bend = rng.uniform(-0.3, 0.15)
    side = rng.uniform(1.1, 1.5)
    top = curve([face.at(-side, high + 0.2), face.at(0, high + bend), face.at(side, high + 0.2)])
    low = rng.choice([rng.uniform(2.0, 3.4), high + rng.uniform(0.4, 0.9)])
    bottom = curve([face.at(side, low - 0.4), face.at(0, low), face.at(-side, low - 0.4)])
    folds = 0.06 * np.sin(ramp(shape, np.pi / 2) * rng.uniform(20, 90) + noise(shape, 60, rng))
    light = 0.85 + 0.25 * np.cos(2.4 * (ramp(shape, 0) - rng.uniform(0.3, 0.7))) + folds
    cloth = filled(shape, any_color(rng), light + 0.04 * noise(shape, 3, rng))
    if rng.random() < 0.4:
        cloth = (stuff(shape, rng) * light[..., None]).clip(0, 1)
    cover = polygon(shape, np.vstack([top, bottom]), rng.uniform(0.4, 1.2))
    return Layer(cloth.astype(np.float32), cover, rng.uniform(0, 0.4), rng.uniform(1, 6))


def brim(face: FacePlace, rng: Rng) -> Layer:
    """Draw a hat's or cap's brim, a hood or headband over the forehead."""
    shape = face.shape
    low = rng.uniform(-1.1, -0.3)
    bow = rng.uniform(-0.5, 0.4)
    side, tilt = rng.uniform(1.2, 2.0), rng.normal(0, 0.15)
    edge = curve([face.at(-side, low - tilt), face.at(0, low + bow), face.at(side, low + tilt)])
    top = low - rng.choice([rng.uniform(0.2, 0.6), 3.0])
    above = curve([face.at(side, top + tilt), face.at(0, top + bow), face.at(-side, top - tilt)])
    cover = polygon(shape, np.vstack([edge, above]), rng.uniform(0.4, 1.5))
    light = 0.9 + 0.3 * (ramp(shape, np.pi / 2) - 0.4) + 0.06 * noise(shape, 4, rng)
    color = filled(shape, any_color(rng), light)
    if rng.random() < 0.3:
        color = (stuff(shape, rng) * light[..., None]).clip(0, 1)
    return Layer(color.astype(np.float32), cover, rng.uniform(0.1, 0.7), rng.uniform(4, 22))


def blob(face: FacePlace, rng: Rng, texture: Floats | None = None) -> Layer:
    """Draw a thing of no particular outline, with a texture, e.g. of another photograph.

    Args:
        face: where it is laid on.
        rng: random generator.
        texture: (H, W, 3) of the picture's size; None for a made one.
    """
    shape = face.shape
    middle = face.at(rng.normal(0, 0.8), rng.normal(0.6, 0.9))
    count = int(rng.integers(4, 11))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = face.unit * rng.uniform(0.3, 1.1) * rng.uniform(0.5, 1.3, count)
    corners = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None]
    if rng.random() < 0.6:
        corners = _rounded(corners)
    color = stuff(shape, rng) if texture is None else texture
    cover = polygon(shape, corners, rng.uniform(0.4, 2.5))
    return Layer(color, cover, rng.uniform(0, 0.5), rng.uniform(1, 12))


def skin(face: FacePlace, rng: Rng) -> Layer:
    """Draw a shapeless thing of the color of this skin: an arm, another face, a palm close by."""
    layer = blob(face, rng)
    tone = face.skin * np.float32(rng.uniform(0.6, 1.3)) * rng.normal(1, 0.06, 3)
    light = 1 + rng.uniform(-0.6, 0.6) * (ramp(face.shape, rng.uniform(0, 2 * np.pi)) - 0.5)
    grain = 0.06 * noise(face.shape, rng.uniform(20, 60), rng)
    grain = grain + 0.02 * noise(face.shape, 3, rng)
    color = filled(face.shape, tone, (light + grain).astype(np.float32))
    edge = 1 - cv2.GaussianBlur(layer.alpha, (0, 0), face.unit * rng.uniform(0.03, 0.2))
    color = color * (1 - np.float32(rng.uniform(0, 0.8)) * edge[..., None])  # rounded away
    return Layer(color.clip(0, 1), layer.alpha, layer.shadow, layer.lift)


def stuff(shape: tuple[int, int], rng: Rng) -> Floats:
    """Draw a made texture: stripes, checks, blotches, gradients of two colors."""
    kind = rng.integers(4)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 60)
    along = ramp(shape, angle) * (shape[0] / period) * 2 * np.pi
    if kind == 0:
        mix = (np.sin(along) > rng.uniform(-0.6, 0.6)).astype(np.float32)
    elif kind == 1:
        mix = (np.sin(along) * np.sin(ramp(shape, angle + np.pi / 2) * 12 * np.pi) > 0).astype(
            np.float32
        )
    elif kind == 2:
        mix = (0.5 + 0.4 * noise(shape, period, rng)).clip(0, 1)
    else:
        mix = ramp(shape, angle)
    mix = cv2.GaussianBlur(mix, (0, 0), rng.uniform(0.3, 2))[..., None]
    one, other = any_color(rng), any_color(rng)
    return np.asarray((one + mix * (other - one)).clip(0, 1), np.float32)


def _bar(a: NDArray[np.float64], b: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """Corners of a bar from a to b."""
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    across = np.array([-along[1], along[0]]) * half
    return np.stack([a - across, b - across, b + across, a + across])


def _mesh(shape: tuple[int, int], period: float, rng: Rng) -> Floats:
    """Draw a fine mesh of wires, 0..1."""
    angle = rng.uniform(0, np.pi)
    waves = [
        np.sin(ramp(shape, angle + turn) * shape[0] / period * 2 * np.pi) for turn in (0, np.pi / 2)
    ]
    return np.asarray(0.5 + 0.5 * np.maximum(*waves), np.float32)


def _rounded(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a polygon with its corners cut off twice (Chaikin)."""
    for _ in range(2):
        after = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * after, 0.25 * corners + 0.75 * after], 1)
        corners = corners.reshape(-1, 2)
    return corners
