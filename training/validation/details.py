"""Validation of part networks of eyes and mouth during training: scores and a sheet."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.drawing.png import write_png
from facewarp.face.details.patches import (
    CELL_PX,
    CLASSES,
    EYE_RIM_PX,
    EYE_ROWS,
    PATCH_PX,
    normalized,
)
from facewarp.training.details.views import (
    LEFT_EYE,
    MOUTH,
    RIGHT_EYE,
    DetailAugment,
    DetailPhoto,
    detail_view,
)

_SHOWN = 12
_INNER, _EYE = CLASSES.index("inner_mouth"), CLASSES.index("eye")
_COLORS = np.array(
    [[0, 0, 0], [255, 60, 60], [60, 60, 255], [255, 160, 60], [60, 255, 60], [200, 0, 200]], float
)


class DetailValidator:
    """Score a part network on the same views each time, as `Trainer.run` calls it.

    Each photograph is seen as it is and with made openings and blinks, as in training; light and
    sharpness are left alone.

    Args:
        photos: photographs that are held out of training, one at least.
        folder: where ``validation_STEP.png`` goes.
    """

    def __init__(self, photos: Sequence[DetailPhoto], folder: Path) -> None:
        self.folder = folder
        rng = np.random.default_rng(0)
        moved = DetailAugment(open=1.0, blink=1.0, occlude=0.0, photometric=0.0, wide=0.0)
        views = [
            _pictures(photo, rng, config)
            for photo in photos
            for config in (DetailAugment(strength=0.0), moved)
        ]
        self.images = np.stack([image for images, _ in views for image in images])[:, None]
        self.labels = np.stack([label for _, labels in views for label in labels])

    def __call__(self, net: GuidedRegistration, step: int) -> dict[str, float]:
        """Return scores at a step: Dice in percent, errors of the openings in patch px."""
        with torch.no_grad():
            shares = net.features(torch.from_numpy(self.images)).softmax(1).numpy()
        dice = [_dice(shares[:, k], self.labels[:, k]) for k in range(1, len(CLASSES) - 1)]
        mouth, eyes = (slice(0, None, 2), slice(1, None, 2))
        found, true = (values[mouth, _INNER].sum(axis=1) for values in (shares, self.labels))
        lips = CELL_PX * found[:, 14:18].mean(1), CELL_PX * true[:, 14:18].mean(1)
        lids = [_eye_heights(values[eyes]) for values in (shares, self.labels)]
        self._draw(step, shares)
        return {
            "dice_mean": 100 * float(np.mean(dice)),
            "dice_lips": 50 * (dice[0] + dice[2]),
            "dice_inner_mouth": 100 * dice[1],
            "dice_eye": 100 * dice[3],
            "mouth_mae_px": float(np.abs(lips[0] - lips[1]).mean()),
            "mouth_slope": _slope(lips[1], lips[0]),
            "eye_mae_px": float(np.abs(lids[0] - lids[1]).mean()),
            "eye_slope": _slope(lids[1], lids[0]),
        }

    def _draw(self, step: int, shares: NDArray[np.float32]) -> None:
        rows = []
        for i in np.linspace(0, len(shares) - 1, 2 * _SHOWN).astype(int):
            gray = cv2.cvtColor((255 * self.images[i, 0]).astype(np.uint8), cv2.COLOR_GRAY2RGB)
            cells = [gray, *(_painted(gray, parts[i]) for parts in (shares, self.labels))]
            rows.append(np.concatenate(cells, axis=1))
        half = len(rows) // 4
        columns = [np.concatenate(rows[i : i + half]) for i in range(0, 4 * half, half)]
        write_png(self.folder / f"validation_{step}.png", np.concatenate(columns, axis=1))


def _pictures(
    photo: DetailPhoto, rng: np.random.Generator, config: DetailAugment
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Both pictures of a photograph, and their shares."""
    views = [detail_view(photo, part, rng, config) for part in (MOUTH, LEFT_EYE, RIGHT_EYE)]
    patches, shares = [normalized(patch) for patch, _ in views], [share for _, share in views]
    images = [patches[0], np.concatenate(patches[1:])]
    return images, [shares[0], np.concatenate(shares[1:], axis=1)]


def _eye_heights(shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean height of each eye over its middle, patch px, the rim taken off."""
    half = EYE_ROWS // CELL_PX
    middle = PATCH_PX // CELL_PX // 2
    eyes = shares[:, _EYE, :, middle - 4 : middle + 4].reshape(-1, 2, half, 8)
    heights = CELL_PX * eyes.sum(axis=2).mean(axis=-1) - 2 * EYE_RIM_PX
    return np.asarray(heights.ravel(), np.float64)


def _slope(true: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    off = true - true.mean()
    return float(off @ found / max(float(off @ off), 1e-9))


def _dice(found: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    both = float(np.minimum(found, true).sum())
    return 2 * both / max(float(found.sum() + true.sum()), 1e-9)


def _painted(gray: NDArray[np.uint8], shares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a picture under its classes."""
    color = np.tensordot(shares, _COLORS, axes=(0, 0)).astype(np.float32)
    size = gray.shape[1::-1]
    cover = 0.5 * (1 - shares[0].astype(np.float32))
    color, cover = (cv2.resize(x, size, interpolation=cv2.INTER_LINEAR) for x in (color, cover))
    return np.asarray(gray * (1 - cover[..., None]) + 0.5 * color, np.uint8)
