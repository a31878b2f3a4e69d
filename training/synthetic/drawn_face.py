"""Synthetic faces with their 68 points, for tests and trial trainings without data.

They are simple shaded drawings that vary in shape, expression, pose, light and noise, with parts
where photographs have them. A model trained on them does not generalize to photographs.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.parts import MIRROR_LANDMARKS
from facewarp.face.similarity import rotation
from facewarp.training.datasets.photo import FacePhoto, box_of_points

SHAPE = (400, 380)
"""Height and width of a drawing in px; the face measures about 190."""


_FINE = 2  # drawn this much larger, then averaged
_SUBPIXEL_BITS = 4
_RIM = 64  # points of a drawn ellipse


def synthetic_faces(rng: np.random.Generator, n: int) -> list[FacePhoto]:
    """Render n different faces.

    Args:
        rng: random generator; the same state gives the same faces.
        n: number of faces.

    Returns:
        Photographs 400 x 380 px, uint8 grey, with (68, 2) landmarks; ``labels`` gives their parts.
    """
    return [_draw(rng, f"drawn_{index:04d}") for index in range(n)]


def _draw(rng: np.random.Generator, name: str) -> FacePhoto:
    landmarks = _place(_landmarks(rng), rng)
    image = _paint(landmarks, rng)
    return FacePhoto(name, Path(f"{name}.png"), image, None, landmarks, *box_of_points(landmarks))


def _landmarks(rng: np.random.Generator) -> Points:
    """Return random landmarks (68, 2) of an upright face around (0, 0), about 2 wide, y down."""
    vary = rng.uniform
    angles = np.linspace(np.pi, 0, 17)
    chin, width = vary(1.0, 1.2), vary(0.9, 1.0)
    jaw = np.stack([width * np.cos(angles), -0.1 + chin * np.sin(angles) ** vary(0.8, 1.1)], 1)

    brow_y, arch, tilt = vary(-0.68, -0.5), vary(0.03, 0.14), vary(-0.08, 0.08)
    along = np.linspace(0, 1, 5)
    brow = np.stack(
        [-0.78 + 0.58 * along, brow_y - arch * np.sin(np.pi * along) + tilt * along], axis=1
    )
    eye_x, eye_y, eye_w, open_ = vary(0.4, 0.46), vary(-0.34, -0.27), vary(0.15, 0.2), vary(0.3, 1)
    lid = 0.09 * open_ * np.array([0, 1, 1, 0, -0.8, -0.8])
    eye = np.stack([eye_w * np.array([-1, -0.4, 0.4, 1, 0.4, -0.4]) - eye_x, eye_y - lid], axis=1)
    tip, wing = vary(0.2, 0.32), vary(0.16, 0.22)
    ridge = np.stack([np.zeros(4), np.linspace(eye_y, tip - 0.08, 4)], axis=1)
    base = np.stack(
        [wing * np.array([-1, -0.5, 0, 0.5, 1]), tip + np.array([0, 0.04, 0.06, 0.04, 0])], axis=1
    )
    mouth_y, mouth_w, gap = tip + vary(0.28, 0.38), vary(0.28, 0.4), vary(0, 0.22) * vary(0, 1)
    smile, lip = vary(-0.04, 0.1), vary(0.06, 0.1)
    x = np.array([-1, -0.65, -0.25, 0, 0.25, 0.65, 1, 0.65, 0.25, 0, -0.25, -0.65])
    rise = np.array([0, 0.75, 1, 0.85, 1, 0.75, 0, -0.75, -1, -1, -1, -0.75])
    outer_y = np.where(rise > 0, -(lip + gap / 3) * rise, -(lip + gap) * rise)
    outer = np.stack([mouth_w * x, mouth_y + outer_y + smile * (0.4 - x**2)], axis=1)
    x = np.array([-0.85, -0.3, 0, 0.3, 0.85, 0.3, 0, -0.3])
    part = np.array([0, -1 / 3, -1 / 3, -1 / 3, 0, 1, 1, 1]) * gap
    inner = np.stack([mouth_w * x, mouth_y + part + smile * (0.4 - x**2)], axis=1)

    points = np.concatenate([jaw, brow, brow, ridge, base, eye, eye, outer, inner])
    mirrored = points[MIRROR_LANDMARKS] * (-1, 1)
    points[22:27], points[42:48] = mirrored[22:27], mirrored[42:48]
    # A turned head: what stands out moves most, the half that turns away gets narrower.
    turn = vary(-0.18, 0.18)
    depth = 1 - np.clip(np.hypot(points[:, 0], 0.6 * points[:, 1]), 0, 1)
    points[:, 0] += turn * depth - 0.25 * turn * np.abs(points[:, 0])
    return points + rng.normal(0, 0.006, points.shape)


def _place(points: Points, rng: np.random.Generator) -> Points:
    """Scale, roll and shift points to px of the image."""
    roll, scale = rng.normal(0, 0.12), rng.uniform(86, 100)
    middle = np.array([SHAPE[1], SHAPE[0]]) / 2 + rng.uniform(-15, 15, 2)
    return np.asarray(points @ (scale * rotation(roll)).T + middle, dtype=np.float64)


def _paint(landmarks: Points, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Render the shaded image of a face, SHAPE uint8."""
    height, width = SHAPE[0] * _FINE, SHAPE[1] * _FINE
    fine = (landmarks + 0.5) * _FINE - 0.5
    eyes = fine[36:42].mean(axis=0), fine[42:48].mean(axis=0)
    across = eyes[1] - eyes[0]
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    side = float(np.linalg.norm(across))
    skin, hair, lips = rng.uniform(120, 215), rng.uniform(20, 110), rng.uniform(60, 110)
    canvas = _smooth_noise((height, width), rng, rng.uniform(60, 200), 30)

    crown = fine[27] + 0.3 * (fine[27] - fine[8])
    _ellipse(canvas, crown, (1.35 * side, 1.45 * side), roll, hair)
    _ellipse(canvas, fine[8], (0.75 * side, 0.9 * side), roll, 0.75 * skin)
    forehead = fine[26:16:-1] + 0.5 * (fine[27] - fine[8])
    _polygon(canvas, np.concatenate([fine[:17], forehead]), skin)
    for start in (17, 22):
        line = _fixed(fine[start : start + 5])
        thick = max(1, round(0.11 * side))
        cv2.polylines(canvas, [line], False, 0.8 * hair, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
    for start, eye in zip((36, 42), eyes, strict=True):
        white = np.zeros_like(canvas)
        _polygon(white, fine[start : start + 6], 1.0)
        ball = np.full_like(canvas, 230)
        _ellipse(ball, eye, (0.13 * side, 0.13 * side), 0, 90)
        _ellipse(ball, eye, (0.06 * side, 0.06 * side), 0, 15)
        canvas += white * (ball - canvas)
        lid = _fixed(fine[start : start + 4])
        cv2.polylines(canvas, [lid], False, 40, _FINE * 2, cv2.LINE_AA, _SUBPIXEL_BITS)
    shade = rng.uniform(0.7, 0.85) * skin
    _polygon(canvas, np.stack([fine[27], fine[31], fine[30]]), shade)
    _polygon(canvas, fine[31:36], 0.8 * shade)
    for nostril in (32, 34):
        _ellipse(canvas, fine[nostril], (0.05 * side, 0.03 * side), roll, 30)
    _polygon(canvas, fine[48:60], lips)
    _polygon(canvas, fine[60:68], rng.choice([25.0, 220.0]))

    canvas = cv2.resize(canvas, (SHAPE[1], SHAPE[0]), interpolation=cv2.INTER_AREA)
    canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.6, 1.4))
    light = _smooth_noise(SHAPE, rng, 1.0, 0.15)
    grain = rng.normal(0, rng.uniform(1, 5), SHAPE)
    return np.asarray((canvas * light + grain).clip(0, 255), dtype=np.uint8)


def _smooth_noise(
    shape: tuple[int, int], rng: np.random.Generator, mean: float, spread: float
) -> NDArray[np.float32]:
    coarse = rng.normal(mean, spread, (4, 4)).astype(np.float32)
    smooth = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, dtype=np.float32)


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.rint(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _polygon(canvas: NDArray[np.float32], points: Points, gray: float) -> None:
    cv2.fillPoly(canvas, [_fixed(points)], gray, cv2.LINE_AA, _SUBPIXEL_BITS)


def _ellipse(
    canvas: NDArray[np.float32],
    center: Points,
    radii: tuple[float, float],
    roll_deg: float,
    gray: float,
) -> None:
    angles = np.linspace(0, 2 * np.pi, _RIM, endpoint=False)
    rim = np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], axis=1)
    _polygon(canvas, center + rim @ rotation(np.radians(roll_deg)).T, gray)
