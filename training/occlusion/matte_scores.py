"""Scores of an occlusion network on composites: IoU of what is hidden, false alarms; sheets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.drawing.png import write_png
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.occlusion.composite import Composite
from facewarp.training.occlusion.matte_data import Matte, held_out_composites

_CHECKS = 126
_DRAWS = 1000
_SHOWN = 24
_OUTLINE: Final = np.ones((5, 5), np.uint8)  # 2 px of the matte, 4 of the crop

FREE: Final = ("free", "light")
"""Kinds of composites in which nothing hides the face: shadows and make-up at most."""


@dataclass(frozen=True)
class MatteScores:
    """How well occlusions are found, in percent.

    Attributes:
        iou: intersection over union of the hidden and the predicted region, over all px of all
            faces with something before them.
        iou_by_kind: the same for each kind of object.
        chance_by_kind: what that may be with as many other composites: 5 and 95 % of 1000 draws
            (bootstrap). Of a dozen a few decide.
        false_alarms: share of a face with nothing before it that is called hidden.
        false_alarms_in_light: the same with shadows, highlights and make-up on it.
        error: mean absolute error of the matte on faces.
    """

    iou: float
    iou_by_kind: dict[str, float]
    chance_by_kind: dict[str, tuple[float, float]]
    false_alarms: float
    false_alarms_in_light: float
    error: float


def scores_of(matte: Matte, composites: Sequence[Composite]) -> MatteScores:
    """Score a matte: on px that were face before anything was put before them.

    Px along the outline of a face and its hair are left out: masks made by hand are no more exact.
    """
    counts: dict[str, list[tuple[int, int]]] = {}
    alarms: dict[str, list[float]] = {kind: [] for kind in FREE}
    errors = []
    for one in composites:
        found = matte(one.image[None])[0]
        is_face = judged_px(one)
        if not is_face.any():
            continue
        hidden, told = one.covered > 127, found < 0.5
        errors.append(float(np.abs(found - one.visible / 255)[is_face].mean()))
        if one.kinds[0] in FREE:
            alarms[one.kinds[0]].append(float(told[is_face].mean()))
            continue
        both = int((hidden & told & is_face).sum()), int(((hidden | told) & is_face).sum())
        counts.setdefault(one.kinds[0], []).append(both)
    by_kind = {kind: np.array(pairs) for kind, pairs in sorted(counts.items())}
    whole = np.concatenate([np.zeros((1, 2), int), *by_kind.values()]).sum(0)
    kinds = {kind: float(_iou(pairs)) for kind, pairs in by_kind.items()}
    chance = {kind: _chance_of(pairs) for kind, pairs in by_kind.items()}
    free, light = (100 * float(np.mean(shares or [0])) for shares in alarms.values())
    error = 100 * float(np.mean(errors or [0]))
    iou = 100 * int(whole[0]) / max(int(whole[1]), 1)
    return MatteScores(iou, kinds, chance, free, light, error)


def judged_px(one: Composite) -> NDArray[np.bool_]:
    """Px that were face before anything was put before them, less those along its outline."""
    return np.asarray(cv2.erode((one.face > 127).astype(np.uint8), _OUTLINE) > 0)


def _iou(pairs: NDArray[np.integer]) -> NDArray[np.float64]:
    """IoU in percent of px of intersections and unions (..., N, 2) of N composites together."""
    both = pairs.sum(axis=-2)
    return np.asarray(100 * both[..., 0] / np.maximum(both[..., 1], 1), np.float64)


def _chance_of(pairs: NDArray[np.integer]) -> tuple[float, float]:
    """5 and 95 % of the IoU of as many composites (N, 2), drawn from these."""
    drawn = np.random.default_rng(0).integers(len(pairs), size=(_DRAWS, len(pairs)))
    low, high = np.percentile(_iou(pairs[drawn]), (5, 95)).tolist()
    return low, high


class MatteValidator:
    """Score a network on the same composites each time, as `Trainer.run` calls it.

    Args:
        photos: held out of training.
        folder: where ``validation_STEP.png`` goes.
    """

    def __init__(self, photos: Sequence[FacePhoto], folder: Path) -> None:
        self.folder = folder
        self.composites = held_out_composites(photos, _CHECKS, seed=1)

    def __call__(self, net: GuidedRegistration, step: int) -> dict[str, float]:
        """Return scores at a step, in percent; ``dice_mean`` is the IoU."""
        matte = matte_of(net)
        found = scores_of(matte, self.composites)
        write_png(self.folder / f"validation_{step}.png", sheet(matte, self.composites[:_SHOWN]))
        return {
            "dice_mean": found.iou - found.false_alarms,
            "iou": found.iou,
            "false_alarms": found.false_alarms,
            "error": found.error,
        }


def matte_of(net: GuidedRegistration) -> Matte:
    """Run a network of torch on pictures."""

    @torch.inference_mode()
    def matte(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        given = torch.from_numpy(np.moveaxis(images, 3, 1).copy()).float() / 255
        found = net.features(given).float().softmax(1)[:, 1]
        return np.asarray(found.numpy(), np.float32)

    return matte


def sheet(matte: Matte, composites: Sequence[Composite], columns: int = 6) -> NDArray[np.uint8]:
    """Draw composites beside what the truth and the matte leave of them, RGB."""
    tiles = []
    for one in composites:
        found = matte(one.image[None])[0]
        shown = [one.image, _marked(one.image, one.visible / 255), _marked(one.image, found)]
        tiles.append(np.hstack(shown))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _marked(image: NDArray[np.uint8], visible: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a picture with what is hidden in red."""
    hidden = (1 - visible)[..., None]
    shown = image * (1 - 0.65 * hidden) + hidden * np.array([110, 0, 0])
    return np.asarray(shown.clip(0, 255), np.uint8)
