"""Errors of a face model by group of photographs, where the groups come from annotations.

``python -m facewarp.training.evaluation.face_groups --data helen/testset [--kind helen|celebamask]
[--json]``

The datasets have no demographic data, so groups are those that can be measured: head pose, shut
eyes and open mouth (from the 68 points), glasses and hats (from manual masks), brightness of the
skin and its individual typology angle, sharpness of the image.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import load
from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart
from facewarp.system.machine import machine
from facewarp.training.dataloading.face_data import celebamask_test_photos, helen_test_photos
from facewarp.training.datasets.celebamask import read_masks
from facewarp.training.datasets.crops import evaluation_pairs, load_test_crops
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.evaluation.faces import PairScore, register_crops, score_pair

FEWEST = 5
"""Fewest photographs of a group that is reported."""

_GLASSES, _HAT = 3, 14  # ids of CelebAMask-HQ
_COVERED = 0.01  # of the image


@dataclass(frozen=True)
class Group:
    """Pairs whose fixed photograph is in a group.

    Attributes:
        name: of the group.
        count: number of pairs.
        dice: mean over parts present, then over pairs, percent.
        contour_px: mean contour distance, px of the crop.
        landmark_px: mean distance of the landmarks, px of the crop; NaN without landmarks.
        difference: of ``dice`` from that of all other pairs, points.
        standard_error: of that difference.
    """

    name: str
    count: int
    dice: float
    contour_px: float
    landmark_px: float
    difference: float
    standard_error: float


def kinds_of(photo: FacePhoto, masks: NDArray[np.uint8] | None = None) -> set[str]:
    """Return the groups of a photograph.

    Args:
        photo: with its parts.
        masks: (H, W) ids of CelebAMask-HQ, where it has them.
    """
    kinds: set[str] = set()
    if photo.landmarks is not None:
        kinds |= _pose_and_expression(photo.landmarks)
    if masks is not None:
        for name, part in (("glasses", _GLASSES), ("hat", _HAT)):
            if (masks == part).mean() > _COVERED:
                kinds.add(name)
    return kinds | _light(photo)


def _pose_and_expression(points: NDArray[np.float64]) -> set[str]:
    """Return groups from the 68 points: turned, tilted, eyes shut, mouth open."""
    kinds: set[str] = set()
    left, right = np.linalg.norm(points[[0, 16]] - points[30], axis=1)  # nose to jaw, each side
    turn = abs(left - right) / (left + right)  # 0 from the front, 1 in profile
    if turn > 0.35:
        kinds.add("turned far")
    elif turn > 0.15:
        kinds.add("turned a little")
    else:
        kinds.add("from the front")
    eyes = np.array([points[36:42].mean(0), points[42:48].mean(0)])
    slope = np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    if abs(slope) > 15:
        kinds.add("head on one side")
    openings = [
        (np.linalg.norm(p[1] - p[5]) + np.linalg.norm(p[2] - p[4]))
        / (2 * np.linalg.norm(p[0] - p[3]))
        for p in (points[36:42], points[42:48])
    ]
    if max(openings) < 0.18:  # eye aspect ratio of Soukupova and Cech (2016)
        kinds.add("eyes shut")
    gap = np.linalg.norm(points[62] - points[66]) / np.linalg.norm(points[48] - points[54])
    if gap > 0.2:
        kinds.add("mouth open")
    return kinds


def _light(photo: FacePhoto) -> set[str]:
    """Return groups from the skin's color: dim, and bands of the individual typology angle.

    The angle, ``atan((L - 50) / b)`` in CIELAB (Chardon et al. 1991), depends on skin and light: a
    dark image of light skin counts as dark too. So it is used only where the skin is well lit, and
    still describes no more than the skin's appearance in the image.
    """
    kinds: set[str] = set()
    skin = photo.labels == FacePart.FACE
    if not skin.any():
        return kinds
    level = float(photo.image[skin].mean())
    if level < 80:
        kinds.add("dim light")
    lab = cv2.cvtColor(photo.color().astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[skin]
    bright = lab[:, 0] >= np.percentile(lab[:, 0], 50)  # the half that is not in shadow
    lightness, _, yellow = lab[bright].mean(0)
    angle = float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-3))))
    if angle < 10:
        kinds.add("skin looks dark (ITA below 10 degrees)")
    elif angle > 41:
        kinds.add("skin looks light (ITA above 41 degrees)")
    else:
        kinds.add("skin looks medium")
    sharp = cv2.Laplacian(photo.image, cv2.CV_32F)[skin].std()
    if sharp < 6:
        kinds.add("blurred")
    return kinds


def grouped(scores: Sequence[PairScore], kinds: Mapping[str, set[str]]) -> list[Group]:
    """Return scores by the groups of the fixed photographs, in order of Dice, all pairs first.

    Args:
        scores: of pairs.
        kinds: groups by the name of a photograph.
    """
    every = {kind for found in kinds.values() for kind in found}
    rows = np.array([(100 * s.dice_mean, np.nanmean(s.contour_px), s.landmark_px) for s in scores])
    groups = []
    for kind in sorted(every):
        inside = np.array([kind in kinds[score.fixed] for score in scores])
        if inside.sum() >= FEWEST and (~inside).sum() >= FEWEST:
            groups.append(_group(kind, rows, inside))
    groups.sort(key=lambda group: group.dice)
    means = _mean(rows)
    return [Group("all", len(rows), *means, 0.0, 0.0), *groups]


def _group(name: str, rows: NDArray[np.float64], inside: NDArray[np.bool_]) -> Group:
    ours, others = rows[inside, 0], rows[~inside, 0]
    error = np.sqrt(ours.var(ddof=1) / len(ours) + others.var(ddof=1) / len(others))
    return Group(
        *(name, int(inside.sum()), *_mean(rows[inside])),
        *(float(ours.mean() - others.mean()), float(error)),
    )


def _mean(rows: NDArray[np.float64]) -> tuple[float, float, float]:
    landmarks = rows[:, 2][~np.isnan(rows[:, 2])]
    landmark_px = float(landmarks.mean()) if len(landmarks) else float("nan")
    return float(rows[:, 0].mean()), float(np.nanmean(rows[:, 1])), landmark_px


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind", choices=("helen", "celebamask"), default="helen")
    parser.add_argument("--model", default="face")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    try:
        read = helen_test_photos if given.kind == "helen" else celebamask_test_photos
        split, photos = read(given.data)
        model = load(given.model, engine=given.engine)
        crops = load_test_crops(photos, given.seed)
        scores = [
            score_pair(crops[f], crops[m], register_crops(model, crops[f], crops[m]))
            for f, m in evaluation_pairs(len(crops))
        ]
        masks = {p.name: read_masks(p.path) if given.kind == "celebamask" else None for p in photos}
        found = grouped(scores, {p.name: kinds_of(p, masks[p.name]) for p in photos})
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    if given.json:
        about = {"dataset": given.kind, "split": split, "weights_sha256": model.sha256}
        text = json.dumps({**about, "machine": machine(), "groups": [asdict(g) for g in found]})
    else:
        lines = [f"{given.kind}, {split}: {len(scores)} pairs; weights {model.sha256[:12]}", ""]
        lines += ["| fixed photograph | pairs | Dice | against the others | contour px |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {g.name} | {g.count} | {g.dice:.1f} | "
            + ("" if g.name == "all" else f"{g.difference:+.1f} ± {g.standard_error:.1f}")
            + f" | {g.contour_px:.2f} |"
            for g in found
        ]
        text = "\n".join(lines)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
