"""Heads of people for `identities.py`, cut out of photographs, clips and the shipped portrait."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from _clips import Image, portrait
from numpy.typing import NDArray

import facewarp
from facewarp.core.arrays import Points
from facewarp.core.model import Model
from facewarp.face.boxes import box_around, center_of, side_of
from facewarp.face.similarity import turned_about
from facewarp.face.tracking.tracker import FaceTracker

CANVAS, SIDE = 400, 160.0  # px: what heads are kept on, and the side of their faces there
_CLIP_FRAMES = 30
_HEAD_LABELS = (*range(1, 16),)  # of CelebAMask: all but background, necklace, neck and cloth


@dataclass(frozen=True, eq=False)
class Head:
    """One person's head, cut out: pictures that play to and fro.

    Attributes:
        name: of the person.
        pictures: (400, 400, 3) each, the face in the middle and 160 px large.
        mattes: (400, 400) 0..1 each.
        landmarks: (68, 2) px of the picture each.
    """

    name: str
    pictures: list[Image]
    mattes: list[NDArray[np.float32]]
    landmarks: list[Points]

    def mirrored(self) -> "Head":
        """Return the twin of a head; its landmarks keep the order of those of a face."""
        turned = [points * (-1, 1) + (CANVAS - 1, 0) for points in self.landmarks]
        return Head(
            f"{self.name}, mirrored",
            [np.ascontiguousarray(picture[:, ::-1]) for picture in self.pictures],
            [np.ascontiguousarray(matte[:, ::-1]) for matte in self.mattes],
            [points[_MIRRORED] for points in turned],
        )

    def striped(self, period: float) -> "Head":
        """Return a head of other skin: in soft reddish and bluish stripes, as no light makes."""
        wave = np.sin(2 * np.pi * np.arange(CANVAS)[:, None] / period)
        tint = 1 + wave * (0.3, -0.13, -0.2)
        pictures = [(p * tint).clip(0, 255).astype(np.uint8) for p in self.pictures]
        return Head(f"{self.name}, striped", pictures, self.mattes, self.landmarks)


def photographs(folder: Path, model: Model, most: int) -> list[Head]:
    """Cut heads out of photographs with the masks of CelebAMask, those whose faces are whole."""
    heads: list[Head] = []
    with FaceTracker(model=model, faces=1) as tracker:
        for path in sorted((folder / "images").glob("*.jpg")):
            if len(heads) == most:
                break
            picture = cv2.imread(str(path))[..., ::-1]
            labels = np.asarray(PIL.Image.open(folder / "masks" / f"{path.stem}.png"))
            tracker.reset()
            found = tracker(np.ascontiguousarray(picture))
            if not found or found[0].confidence < 0.7:
                continue
            mask = np.isin(labels, _HEAD_LABELS).astype(np.float32)
            mask = cv2.resize(mask, picture.shape[1::-1])
            heads.append(_head(path.stem[:6], [picture], [mask], [found[0].landmarks]))
    return heads


def heads_of_clips(folder: Path, model: Model) -> list[Head]:
    """Cut heads out of clips: an ellipse about the landmarks as tracked by themselves."""
    heads = []
    for path in sorted(folder.glob("*.m*")):
        frames = [f.image for f in islice(facewarp.read_video(path), _CLIP_FRAMES)]
        with FaceTracker(model=model, faces=1, smooth=True) as tracker:
            faces = [tracker(frame, index / 25) for index, frame in enumerate(frames)]
        if any(len(found) != 1 or found[0].confidence < 0.6 for found in faces):
            continue
        points = [found[0].landmarks for found in faces]
        mattes = [_ellipse(frame.shape[:2], one) for frame, one in zip(frames, points, strict=True)]
        heads.append(_head(path.stem, frames, mattes, points))
    return heads


def made_heads(model: Model) -> list[Head]:
    """Return the shipped portrait and its mirrored copy, plain and in skins of several stripes."""
    picture = portrait()
    with FaceTracker(model=model, faces=1) as tracker:
        points = tracker(picture)[0].landmarks
    head = _head("portrait", [picture], [_ellipse(picture.shape[:2], points)], [points])
    others = [head.striped(period) for period in (40, 55, 75, 100, 135, 180, 240)]
    return [one for own in (head, *others) for one in (own, own.mirrored())]


_MIRRORED = np.r_[
    16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40,
    54:47:-1, 59:54:-1, 64:59:-1, 67:64:-1,
]  # fmt: skip


def _head(
    name: str,
    pictures: Sequence[Image],
    mattes: Sequence[NDArray[np.float32]],
    landmarks: Sequence[Points],
) -> Head:
    kept = Head(name, [], [], [])
    half = CANVAS / 2 - 0.5
    sides = [side_of(box_around(points)) for points in landmarks]
    for picture, matte, points in zip(pictures, mattes, landmarks, strict=True):
        middle = np.asarray(center_of(box_around(points)))
        scale = SIDE / float(np.median(sides))
        matrix = turned_about(middle, np.full(2, half), scale, 0.0)
        size = (CANVAS, CANVAS)
        kept.pictures.append(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE))
        kept.mattes.append(cv2.GaussianBlur(cv2.warpAffine(matte, matrix, size), (0, 0), 1.5))
        kept.landmarks.append(points @ matrix[:, :2].T + matrix[:, 2])
    return kept


def _ellipse(shape: tuple[int, ...], points: Points) -> NDArray[np.float32]:
    """Return the head around landmarks: hair and chin with it, ears in part."""
    low, high = points.min(axis=0), points.max(axis=0)
    width, height = high - low
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    middle = (low + high) / 2 - (0, 0.12 * height)
    far = np.hypot((x - middle[0]) / (0.62 * width), (y - middle[1]) / (0.72 * height))
    return ((1.04 - far) / 0.08).clip(0, 1).astype(np.float32)
