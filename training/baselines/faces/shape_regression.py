"""Baseline: explicit shape regression of 68 points by boosted random ferns, in NumPy.

Cao, Wei, Wen, Sun, Face Alignment by Explicit Shape Regression, IJCV 2014: stages of ferns, each
of which reads differences of pixels that are indexed relative to a landmark, and selected by their
correlation with a random projection of the residual of the shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from facewarp.core.arrays import ImageArray
from facewarp.core.weights import write_tensors
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import LANDMARK_COUNT
from facewarp.training.datasets.crops import FaceCrop, protocol_crop
from facewarp.training.datasets.photo import FacePhoto

Floats = NDArray[np.float32]
NAME = "esr"
_SHRINK = 2  # pixels are read from images of half the crop's size
_FACE_PX = CROP_SHAPE[0] / 2.0  # what a crop says of a face before it is looked at


@dataclass(frozen=True)
class FernSettings:
    """Settings: 12 stages, 150 ferns each, of five differences of 300 pixels.

    Attributes:
        stages: outer stages; each samples new pixels.
        ferns: of each stage.
        depth: pixel differences of a fern, which has 2 ** depth leaves.
        pixels: sampled in a stage.
        reach: largest distance of a pixel from its landmark, in sides of the face's square.
        crops: random crops of each photograph.
        starts: initial shapes of each crop.
        shrinkage: share of views at which a leaf's output is halved.
        tries: initial shapes in inference; the result is their median.
        seed: of all random numbers.
    """

    stages: int = 12
    ferns: int = 150
    depth: int = 5
    pixels: int = 300
    reach: float = 0.25
    crops: int = 4
    starts: int = 4
    shrinkage: float = 0.03
    tries: int = 9
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ShapeRegressor:
    """A trained cascade. S stages of P pixels and F ferns of D differences; T starting shapes.

    Attributes:
        mean: ``(68, 2)`` mean shape, in sides of the face's square around its middle.
        starts: ``(T, 68, 2)`` initial shapes, likewise.
        anchors: ``(S, P)`` landmark of each pixel.
        offsets: ``(S, P, 2)`` from it, on the mean shape.
        pairs: ``(S, F, D, 2)`` pixels of the differences.
        thresholds: ``(S, F, D)`` gray values.
        leaves: ``(S, F, 2 ** D, 68, 2)`` increments of the shape, on the mean shape.
    """

    mean: Floats
    starts: Floats
    anchors: NDArray[np.int16]
    offsets: Floats
    pairs: NDArray[np.int16]
    thresholds: Floats
    leaves: NDArray[np.float16]

    @property
    def parameters(self) -> int:
        """Number of learnt parameters."""
        return int(self.leaves.size + self.thresholds.size + self.pairs.size + self.offsets.size)

    def points(self, crop: ImageArray) -> NDArray[np.float64]:
        """Find the 68 points ``(68, 2)`` px of a gray crop ``(320, 260)``."""
        image = _small(crop)[None]
        shapes = self.starts * _FACE_PX + _middle()
        which = np.zeros(len(shapes), dtype=np.intp)
        for stage in range(len(self.anchors)):
            turns = _turns(self.mean, shapes)
            gray = _look_up(image, which, shapes, turns, self.anchors[stage], self.offsets[stage])
            added = np.zeros_like(shapes)
            for fern in range(self.pairs.shape[1]):
                added += self.leaves[stage, fern][self._leaf(gray, stage, fern)]
            shapes = shapes + added @ turns
        return np.asarray(np.median(shapes, axis=0), dtype=np.float64)

    def _leaf(self, gray: Floats, stage: int, fern: int) -> NDArray[np.intp]:
        return _leaf_of(gray, self.pairs[stage, fern], self.thresholds[stage, fern])

    def save(self, path: Path, about: dict[str, str]) -> None:
        """Write the cascade as safetensors, whole or not at all."""
        arrays = {name: np.ascontiguousarray(value) for name, value in vars(self).items()}
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        write_tensors(tensors, path, {"baseline": NAME, **about})

    @classmethod
    def load(cls, path: Path) -> "ShapeRegressor":
        """Read what `save` wrote.

        Raises:
            FacewarpError: no such file, or of something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                if (file.metadata() or {}).get("baseline") != NAME:
                    raise KeyError("baseline")
                return cls(**{name: file.get_tensor(name) for name in cls.__dataclass_fields__})
        except (SafetensorError, OSError, KeyError) as error:
            fix = "Train one: facewarp train baseline esr --data DIR."
            raise FacewarpError("this is no trained shape regression", path, fix) from error


def train_shape_regression(
    photos: Sequence[FacePhoto],
    settings: FernSettings | None = None,
    advance: Callable[[str], None] = lambda said: None,
) -> ShapeRegressor:
    """Train the cascade on photographs with 68 points.

    Args:
        photos: two or more, used without mirroring.
        settings: of the cascade.
        advance: called after each stage with the error of the points.

    Raises:
        FacewarpError: a photograph has no points, or there are too few.
    """
    settings = settings or FernSettings()
    rng = np.random.default_rng(settings.seed)
    if len(photos) < 2 or any(photo.landmarks is None for photo in photos):
        what = "shape regression learns from two or more photographs with 68 points"
        raise FacewarpError(what, fix="Give NAME.jpg with NAME.pts.")
    crops = [protocol_crop(photo, rng) for photo in photos for _ in range(settings.crops)]
    images = np.stack([_small(crop.image) for crop in crops])
    truth = np.stack([_points_of(crop) for crop in crops])
    known = np.stack([_normal(photo) for photo in photos])
    mean = known.mean(0).astype(np.float32)
    which = np.repeat(np.arange(len(crops)), settings.starts)
    start = known[rng.integers(len(known), size=len(which))].astype(np.float32)
    shapes = start * _FACE_PX + _middle()
    goal = truth[which]
    learnt: list[tuple[NDArray[np.generic], ...]] = []
    for stage in range(settings.stages):
        turns = _turns(mean, shapes)
        anchors, offsets = _draw_pixels(rng, settings)
        gray = _look_up(images, which, shapes, turns, anchors, offsets)
        wrong = (goal - shapes) @ np.linalg.inv(turns)
        ferns = _boost(gray, wrong.reshape(len(wrong), -1), rng, settings)
        shapes = shapes + (wrong - ferns[3].reshape(wrong.shape)) @ turns
        learnt.append((anchors, offsets, *ferns[:3]))
        off = float(np.linalg.norm(goal - shapes, axis=-1).mean())
        advance(f"stage {stage + 1}: {off:.2f} px off")
    stacked = [np.stack(column) for column in zip(*learnt, strict=True)]
    chosen = rng.choice(len(known), size=min(settings.tries, len(known)), replace=False)
    starts = known[chosen].astype(np.float32)
    starts[0] = mean
    return ShapeRegressor(
        mean,
        starts,
        stacked[0].astype(np.int16),
        stacked[1].astype(np.float32),
        stacked[2].astype(np.int16),
        stacked[3].astype(np.float32),
        stacked[4].astype(np.float16).reshape(*stacked[4].shape[:3], LANDMARK_COUNT, 2),
    )


def _boost(
    gray: Floats, wrong: Floats, rng: np.random.Generator, settings: FernSettings
) -> tuple[NDArray[np.int16], Floats, Floats, Floats]:
    """Train the ferns of one stage: pairs, thresholds, leaves, and the residual after them."""
    left = wrong.astype(np.float32).copy()
    centered = gray - gray.mean(0)
    covariance = centered.T @ centered / len(gray)
    variance = covariance.diagonal()
    spread = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 1e-3))
    leaves = 2**settings.depth
    pairs = np.zeros((settings.ferns, settings.depth, 2), dtype=np.int16)
    thresholds = np.zeros((settings.ferns, settings.depth), dtype=np.float32)
    values = np.zeros((settings.ferns, leaves, left.shape[1]), dtype=np.float32)
    say = settings.shrinkage * len(left)
    for fern in range(settings.ferns):
        directions = rng.standard_normal((left.shape[1], settings.depth)).astype(np.float32)
        along = left @ directions
        match = centered.T @ (along - along.mean(0)) / len(gray)  # (P, D)
        for level in range(settings.depth):
            score = (match[:, level, None] - match[None, :, level]) / spread
            best = int(score.argmax())
            pairs[fern, level] = divmod(best, gray.shape[1])
        difference = gray[:, pairs[fern, :, 0]] - gray[:, pairs[fern, :, 1]]
        share = rng.uniform(0.2, 0.8, settings.depth)
        thresholds[fern] = [
            np.quantile(column, q) for column, q in zip(difference.T, share, strict=True)
        ]
        leaf = _leaf_of(gray, pairs[fern], thresholds[fern])
        order = np.argsort(leaf, kind="stable")
        counts = np.bincount(leaf, minlength=leaves)
        filled = counts > 0
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
        sums = np.add.reduceat(left[order], first, axis=0)
        values[fern, filled] = sums / (counts[filled, None] + say)
        left -= values[fern][leaf]
    return pairs, thresholds, values, left


def _leaf_of(gray: Floats, pairs: NDArray[np.int16], thresholds: Floats) -> NDArray[np.intp]:
    bits = gray[:, pairs[:, 0]] - gray[:, pairs[:, 1]] > thresholds
    return np.asarray(bits @ (1 << np.arange(len(pairs))), dtype=np.intp)


def _draw_pixels(
    rng: np.random.Generator, settings: FernSettings
) -> tuple[NDArray[np.int16], Floats]:
    anchors = rng.integers(LANDMARK_COUNT, size=settings.pixels)
    angle = rng.uniform(0, 2 * np.pi, settings.pixels)
    away = settings.reach * np.sqrt(rng.uniform(0, 1, settings.pixels))
    offsets = away[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return anchors.astype(np.int16), offsets.astype(np.float32)


def _turns(mean: Floats, shapes: Floats) -> Floats:
    """Return similarities ``(N, 2, 2)``, for row vectors, from the mean shape to others."""
    a = mean - mean.mean(0)
    b = shapes - shapes.mean(1, keepdims=True)
    size = (a**2).sum()
    cos = (a * b).sum((1, 2)) / size
    sin = (a[:, 0] * b[..., 1] - a[:, 1] * b[..., 0]).sum(1) / size
    return np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2).astype(np.float32)


def _look_up(
    images: ImageArray,
    which: NDArray[np.intp],
    shapes: Floats,
    turns: Floats,
    anchors: NDArray[np.int16],
    offsets: Floats,
) -> Floats:
    """Return gray values ``(N, P)`` of the pixels relative to the landmarks of N shapes."""
    at = (shapes[:, anchors] + offsets @ turns + 0.5) / _SHRINK - 0.5
    height, width = images.shape[1:]
    x = np.rint(at[..., 0]).astype(np.intp).clip(0, width - 1)
    y = np.rint(at[..., 1]).astype(np.intp).clip(0, height - 1)
    return images[which[:, None], y, x].astype(np.float32)


def _small(crop: ImageArray) -> ImageArray:
    size = (crop.shape[1] // _SHRINK, crop.shape[0] // _SHRINK)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def _middle() -> Floats:
    return np.array([(CROP_SHAPE[1] - 1) / 2, (CROP_SHAPE[0] - 1) / 2], dtype=np.float32)


def _points_of(crop: FaceCrop) -> Floats:
    assert crop.landmarks is not None
    return crop.landmarks.astype(np.float32)


def _normal(photo: FacePhoto) -> NDArray[np.float64]:
    assert photo.landmarks is not None
    return np.asarray((photo.landmarks - np.array(photo.box_center)) / photo.box_side)
