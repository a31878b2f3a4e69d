"""Augmented views of mouths and eyes: openings and blinks made by known warps, light, occluders.

A view is drawn in patch px. Where a photograph has 68 points its outlines are curves over the
patch's columns, which a made opening or blink moves up and down: the pixels between them go along,
so that the true outlines are known. Photographs with masks are shown as they are.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.details.patches import (
    CELL_PX,
    CLASSES,
    EYE_RIM_PX,
    EYE_ROWS,
    PATCH_PX,
    cut_patch,
)
from facewarp.face.similarity import Affine, compose_affine, inverse, rotation
from facewarp.training.details.appearance import in_cells, occluded, relit
from facewarp.training.details.openings import covered, warped_columns, with_opening, with_shadow

MOUTH, LEFT_EYE, RIGHT_EYE = range(3)

_OTHER, _UPPER, _INNER, _LOWER, _EYE, _HIDDEN = range(len(CLASSES))
_FINE = 4  # samples of a mask a patch px, along either side
_COLUMNS = np.arange(PATCH_PX, dtype=np.float64)
_TOP, _INNER_TOP = (48, 49, 50, 51, 52, 53, 54), (48, 60, 61, 62, 63, 64, 54)
_INNER_BOTTOM, _BOTTOM = (48, 60, 67, 66, 65, 64, 54), (48, 59, 58, 57, 56, 55, 54)
_MOUTH_CURVES = (_TOP, _INNER_TOP, _INNER_BOTTOM, _BOTTOM)
_EYE_CURVES = {
    LEFT_EYE: ((36, 37, 38, 39), (36, 41, 40, 39)),
    RIGHT_EYE: ((45, 44, 43, 42), (45, 46, 47, 42)),
}
_GLASSES = 3


@dataclass(frozen=True)
class DetailAugment:
    """Amplitudes of the augmentation; `strength` scales them all.

    Attributes:
        strength: 0 for no augmentation.
        shift: standard deviation of a patch's place, in its widths: the registration's own error.
        roll_deg: of its turn.
        scale: of the logarithm of its size.
        wide: share of views where these are three times as large.
        open: share of mouths with a made opening.
        blink: share of eyes with a made blink.
        occlude: share with something before the face.
        photometric: share with each change of light, sharpness and noise.
    """

    strength: float = 1.0
    shift: float = 0.03
    roll_deg: float = 4.0
    scale: float = 0.06
    wide: float = 0.12
    open: float = 0.5
    blink: float = 0.5
    occlude: float = 0.15
    photometric: float = 0.5


@dataclass(frozen=True, eq=False)
class DetailPhoto:
    """A photograph with the patches of its face.

    Attributes:
        name: of the file.
        image: (H, W) uint8 gray.
        frames: patch px to px of `image`: mouth, left and right eye.
        landmarks: (68, 2) px of `image`; None where there are masks.
        ids: (H, W) uint8 ids of CelebAMask-HQ; None where there are landmarks.
    """

    name: str
    image: NDArray[np.uint8]
    frames: tuple[Affine, Affine, Affine]
    landmarks: Points | None
    ids: NDArray[np.uint8] | None


def detail_view(
    photo: DetailPhoto, part: int, rng: np.random.Generator, config: DetailAugment
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a random view of one patch of a photograph.

    Args:
        photo: the photograph.
        part: `MOUTH`, `LEFT_EYE` or `RIGHT_EYE`.
        rng: random generator; the same state gives the same view.
        config: amplitudes.

    Returns:
        The patch (rows, 64) uint8, not normalized, and the shares of the classes
        (K, rows / 2, 32).
    """
    rows = PATCH_PX if part == MOUTH else EYE_ROWS
    frame = _jittered(photo.frames[part], rows, rng, config)
    if part == MOUTH and rng.random() < 0.5 * min(config.strength, 1):
        frame = compose_affine(frame, np.array([[-1.0, 0, PATCH_PX - 1.0], [0, 1, 0]]))
    patch = cut_patch(photo.image, frame, rows)
    if photo.landmarks is not None:
        points = cv2.transform(photo.landmarks[None], inverse(frame))[0]
        patch, shares = (_mouth if part == MOUTH else _eye)(patch, points, part, rng, config)
    else:
        assert photo.ids is not None
        shares = _shares_of_ids(photo.ids, frame, rows, part)
    if rng.random() < config.occlude * config.strength:
        patch, shares = occluded(patch, shares, photo.image, rng)
    return relit(
        patch, rng, config.photometric if config.strength > 0 else 0.0, config.strength
    ), np.asarray(shares, np.float32)


def _mouth(
    patch: NDArray[np.uint8],
    points: Points,
    part: int,
    rng: np.random.Generator,
    config: DetailAugment,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    del part
    curves, inside = _curves(points, _MOUTH_CURVES)
    curves = np.maximum.accumulate(curves, axis=0)
    if inside.sum() >= 8 and rng.random() < config.open * config.strength:
        patch, curves = with_opening(patch, curves, inside, rng)
    shares = np.stack([covered(a, b, PATCH_PX, inside) for a, b in pairwise(curves)])
    return patch, _with_other({_UPPER: shares[0], _INNER: shares[1], _LOWER: shares[2]}, PATCH_PX)


def _eye(
    patch: NDArray[np.uint8],
    points: Points,
    part: int,
    rng: np.random.Generator,
    config: DetailAugment,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    (upper, lower), inside = _curves(points, _EYE_CURVES[part])
    lower = np.maximum(lower, upper)
    if inside.sum() >= 8 and rng.random() < config.blink * config.strength:
        height = lower - upper
        share = 0.0 if rng.random() < 0.45 else float(rng.uniform(0, 1.35))
        raised = lower - rng.uniform(0, 0.25) * (1 - share) * height
        lid = raised - share * height
        top = np.full(PATCH_PX, min(upper.min(), lid.min()) - rng.uniform(3, 7))
        bottom = np.full(PATCH_PX, lower.max() + rng.uniform(3, 7))
        seen = upper if share > 1 else lower - share * height  # a lid covers, it does not squeeze
        source = np.vstack([top, upper, seen, lower, bottom])
        target = np.vstack([top, lid, lid, raised, bottom])
        patch = warped_columns(patch, source, target)
        upper, lower = lid, raised
        if share < 0.3 and rng.random() < 0.7:
            patch = with_shadow(patch, lid, inside, rng, (0.5, 5.0), below=rng.uniform(0.3, 1.0))
    share_of_eye = covered(upper - EYE_RIM_PX, lower + EYE_RIM_PX, EYE_ROWS, inside)
    return patch, _with_other({_EYE: share_of_eye}, EYE_ROWS)


def _curves(
    points: Points, outlines: tuple[tuple[int, ...], ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Outlines (n, 64) at every column between the first and last point of them, and which."""
    ends = points[[outlines[0][0], outlines[0][-1]], 0]
    first, last = float(ends.min()), float(ends.max())
    curves = []
    for outline in outlines:
        x, y = points[list(outline)].T
        order = np.argsort(x, kind="stable")
        curves.append(np.interp(_COLUMNS, x[order], y[order]))
    return np.array(curves), (first <= _COLUMNS) & (last >= _COLUMNS)


def _with_other(parts: dict[int, NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
    """Shares (K, rows / 2, 32) of all classes, from those of some in each px."""
    shares = np.zeros((len(CLASSES), rows // CELL_PX, PATCH_PX // CELL_PX))
    for index, share in parts.items():
        shares[index] = in_cells(share)
    shares[_OTHER] = (1 - shares.sum(axis=0)).clip(0, 1)
    return shares


def _shares_of_ids(
    ids: NDArray[np.uint8], frame: Affine, rows: int, part: int
) -> NDArray[np.float64]:
    """Shares of the classes in a patch of CelebAMask-HQ's ids."""
    inside = np.array([[1 / _FINE, 0, (1 / _FINE - 1) / 2], [0, 1 / _FINE, (1 / _FINE - 1) / 2]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    size = (PATCH_PX * _FINE, rows * _FINE)
    fine = cv2.warpAffine(ids, compose_affine(frame, inside), size, flags=flags)
    parts = {_UPPER: (11,), _INNER: (10,), _LOWER: (12,)} if part == MOUTH else {_EYE: (4, 5)}
    shares = {k: np.isin(fine, of).astype(np.uint8) for k, of in parts.items()}
    if part != MOUTH:
        reach = 2 * round(EYE_RIM_PX * _FINE) + 1
        rim = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        shares[_EYE] = cv2.dilate(shares[_EYE], rim)
        if not shares[_EYE].any():
            shares[_HIDDEN] = (fine == _GLASSES).astype(np.uint8)
    small = (PATCH_PX, rows)
    told = {
        k: cv2.resize(share.astype(np.float32), small, interpolation=cv2.INTER_AREA)
        for k, share in shares.items()
    }
    return _with_other({k: share.astype(np.float64) for k, share in told.items()}, rows)


def _jittered(frame: Affine, rows: int, rng: np.random.Generator, config: DetailAugment) -> Affine:
    """Return a patch laid a little off, as the registration's errors lay it."""
    strength = config.strength * (3.0 if rng.random() < config.wide else 1.0)
    roll = np.deg2rad(config.roll_deg) * strength * rng.standard_normal()
    scale = np.exp(config.scale * strength * rng.standard_normal())
    shift = config.shift * strength * PATCH_PX * rng.standard_normal(2)
    middle = np.array([(PATCH_PX - 1) / 2, (rows - 1) / 2])
    linear = scale * rotation(float(roll))
    return compose_affine(frame, np.column_stack([linear, middle + shift - linear @ middle]))
