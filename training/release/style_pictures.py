"""Style images of the average face, by code alone: a painting, a drawing and a bronze.

``python -m facewarp.training.release.style_pictures assets/styles`` writes them; they are freely
licensed. The painting renders brush strokes from coarse to fine along image edges (after
Hertzmann 1998); the drawing is hatched in four directions by tone; the bronze maps brightness to
metal.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facewarp.core.arrays import ImageArray
from facewarp.face.template.template import Template
from facewarp.system.atomic_files import written

_SCALE: Final = 3
_FAUVE: Final = (  # brightness, red, green, blue
    (0.00, 52, 34, 96), (0.22, 112, 50, 122), (0.42, 196, 72, 74), (0.62, 240, 136, 66),
    (0.80, 252, 204, 104), (1.00, 255, 246, 214),
)  # fmt: skip
_METAL: Final = (
    (0.00, 40, 24, 12), (0.25, 82, 52, 26), (0.45, 124, 82, 42), (0.65, 170, 120, 64),
    (0.85, 220, 172, 106), (1.00, 252, 230, 186),
)  # fmt: skip


def painting(template: Template, seed: int = 3) -> ImageArray:
    """Render the template's face in oil, in the colors of the Fauves; (960, 780, 3) RGB."""
    base = _large(template, 0.9)
    tone = _tone(base)
    shown = _toned(tone + 0.06 * _noise(base.shape[:2], 60, seed), _FAUVE)
    cool = _toned(1 - 0.55 * tone, ((0, 30, 60, 120), (0.5, 46, 128, 140), (1, 150, 190, 120)))
    back = cv2.resize(template.probabilities[0], base.shape[1::-1])[..., None]
    shown = shown + np.clip(1.4 * back - 0.4, 0, 1) * (cool - shown)
    rng = np.random.default_rng(seed)
    canvas = np.full_like(shown, 128) * (0.6, 0.5, 0.6)
    canvas = canvas.astype(np.float32)
    for radius in (26, 13, 7, 4):
        reference = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), 0.6 * radius)
        _strokes(canvas, reference, tone, radius, rng)
    bristles = cv2.GaussianBlur(rng.normal(0, 1, base.shape[:2]), (0, 0), 1.0)
    return np.rint((canvas + 9 * bristles[..., None]).clip(0, 255)).astype(np.uint8)


def drawing(template: Template, seed: int = 5) -> ImageArray:
    """Render the template's face in red chalk on paper; (960, 780, 3) RGB."""
    base = _large(template)
    tone = cv2.GaussianBlur(_tone(base), (0, 0), 2.0)
    height, width = tone.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wobble = 5 * _noise(tone.shape, 40, seed)
    grain = _noise(tone.shape, 3, seed + 1)
    ink = np.zeros_like(tone)
    for level, angle in ((0.78, 35), (0.6, -30), (0.45, 80), (0.3, 5)):
        a = np.radians(angle)
        lines = 0.5 + 0.5 * np.cos((x * np.cos(a) + y * np.sin(a) + wobble) * 2 * np.pi / 8)
        share = np.clip((level - tone) / 0.22, 0, 1)
        ink = np.maximum(ink, share * np.clip(2.2 * (lines - 0.45) + 0.5 * grain, 0, 1))
    fine = cv2.GaussianBlur(tone, (0, 0), 1.6) - cv2.GaussianBlur(tone, (0, 0), 5.0)
    ink = np.maximum(0.8 * ink, np.clip(-14 * fine - 0.12 + 0.2 * grain, 0, 1))
    paper = np.array([238, 226, 202]) * (1 + 0.025 * _noise(tone.shape, 2, seed + 2))[..., None]
    chalk = np.array([140, 52, 34])
    return np.rint((paper + ink[..., None] * (chalk - paper)).clip(0, 255)).astype(np.uint8)


def bronze(template: Template, seed: int = 7) -> ImageArray:
    """Render the template's face as a bronze; (960, 780, 3) RGB."""
    tone = cv2.GaussianBlur(_tone(_large(template, 0.5)), (0, 0), 1.6)
    relief = cv2.GaussianBlur(tone, (0, 0), 3) - cv2.GaussianBlur(tone, (0, 0), 14)
    shine = np.clip(0.18 + 0.72 * tone + relief, 0, 1)  # no hollow is black: a face has to live
    shine = shine**1.2 + 0.25 * np.clip(shine - 0.78, 0, 1)
    grain = 0.03 * _noise(tone.shape, 3, seed) + 0.05 * _noise(tone.shape, 25, seed + 1)
    return np.rint(_toned(shine + grain, _METAL).clip(0, 255)).astype(np.uint8)


FACES: Final[dict[str, Callable[[Template], ImageArray]]] = {
    "painting": painting,
    "drawing": drawing,
    "bronze": bronze,
}
"""Every style image by name."""


def _large(template: Template, sharpness: float = 1.6) -> NDArray[np.float32]:
    big = cv2.resize(
        template.color, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC
    ).astype(np.float32)
    sharp = big + sharpness * (big - cv2.GaussianBlur(big, (0, 0), 2.5 * _SCALE))
    return np.asarray(sharp.clip(0, 255), np.float32)


def _tone(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the brightness, stretched to 0..1."""
    gray = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = np.percentile(gray, (1, 99.5))
    return np.asarray(((gray - low) / (high - low)).clip(0, 1), np.float32)


def _toned(value: NDArray[np.float32], table: tuple[tuple[float, ...], ...]) -> NDArray[np.float32]:
    rows = np.array(table)
    channels = [np.interp(value, rows[:, 0], rows[:, c]) for c in (1, 2, 3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _noise(shape: tuple[int, ...], size: float, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    cells = (int(shape[0] / size) + 3, int(shape[1] / size) + 3)
    coarse = rng.uniform(-1, 1, cells).astype(np.float32)
    return np.asarray(cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC))


def _strokes(
    canvas: NDArray[np.float32],
    reference: NDArray[np.float32],
    tone: NDArray[np.float32],
    radius: int,
    rng: np.random.Generator,
) -> None:
    """Paint strokes of one size on the canvas, in place, where it differs from the reference."""
    smooth = cv2.GaussianBlur(tone, (0, 0), 0.8 * radius)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    wrong = np.abs(canvas - reference).sum(axis=2)
    height, width = tone.shape
    step = max(2, round(0.8 * radius))
    places = np.array([(x, y) for y in range(0, height, step) for x in range(0, width, step)])
    places = places + rng.integers(-step, step + 1, places.shape)
    for x, y in rng.permutation(places):
        if not (0 <= x < width and 0 <= y < height) or wrong[y, x] < 36:
            continue
        color = reference[y, x] + rng.normal(0, 9, 3)
        along = np.degrees(np.arctan2(dx[y, x], -dy[y, x])) + rng.normal(0, 12)
        size = (round(radius * rng.uniform(1.3, 2.4)), max(1, round(0.5 * radius)))
        cv2.ellipse(
            canvas, (int(x), int(y)), size, float(along), 0, 360, color.tolist(), -1, cv2.LINE_AA
        )


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    template = Template.load("average")
    for name, paint in FACES.items():
        with written(out / f"{name}.webp") as temporary:
            Image.fromarray(paint(template)).save(temporary, "WEBP", quality=72, method=6)


if __name__ == "__main__":
    main()
