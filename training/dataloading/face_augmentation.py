"""Augmentation of photographs: affine, elastic, photometric, occlusion."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import MIRROR_LANDMARKS, MIRROR_PARTS
from facewarp.face.similarity import rotation
from facewarp.training.datasets.crops import to_crop
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.datasets.photo import FacePhoto

_HEIGHT, _WIDTH = CROP_SHAPE
_SIZE = (_WIDTH, _HEIGHT)


@dataclass(frozen=True)
class AugmentConfig:
    """Amplitudes of the augmentation.

    Attributes:
        margin: usual range of the crop's height, in sides of the square that bounds the 68 points.
        margin_wide: its range in `wide_share` of the views.
        shift: largest shift of the centre, sides of that square.
        roll_std: standard deviation of the usual roll, degrees.
        roll_wide: bound of the roll, degrees, in `wide_share` of the views.
        wide_share: share of views of any roll, and share of those of any scale.
        stretch_std: standard deviation of log aspect and of shear.
        flip: probability of a mirrored view.
        elastic: probability of a smooth random deformation.
        elastic_px: standard deviation of its control points, crop px.
        photometric: probability of each change of light, sharpness and noise, before strength.
        occlude: probability of an occlusion; labels stay unchanged.
        strength: factor of the photometric changes, 0 to switch them off.
    """

    margin: tuple[float, float] = (1.6, 2.4)
    margin_wide: tuple[float, float] = (1.25, 3.3)
    shift: float = 0.15
    roll_std: float = 8.0
    roll_wide: float = 45.0
    wide_share: float = 0.15
    stretch_std: float = 0.05
    flip: float = 0.5
    elastic: float = 0.3
    elastic_px: float = 4.0
    photometric: float = 0.5
    occlude: float = 0.2
    strength: float = 1.0

    @classmethod
    def of_strength(cls, strength: float) -> "AugmentConfig":
        """Return the augmentation scaled: 1 is the default, 0 an upright crop without changes."""
        plain = cls()
        middle = sum(plain.margin) / 2
        share = min(1.0, strength)
        return cls(
            margin=_towards(middle, plain.margin, strength),
            margin_wide=_towards(middle, plain.margin_wide, strength),
            shift=strength * plain.shift,
            roll_std=strength * plain.roll_std,
            roll_wide=strength * plain.roll_wide,
            wide_share=share * plain.wide_share,
            stretch_std=strength * plain.stretch_std,
            flip=plain.flip if strength > 0 else 0.0,
            elastic=share * plain.elastic,
            elastic_px=strength * plain.elastic_px,
            photometric=share * plain.photometric,
            occlude=share * plain.occlude,
            strength=strength,
        )

    @classmethod
    def as_tested(cls, strength: float) -> "AugmentConfig":
        """Return crops as in the test, augmented by an affine map alone.

        Args:
            strength: of the affine map: at 1 its coefficients vary by 0.05 (standard deviation).
        """
        return cls(
            margin=(1.7, 2.3),
            shift=0.12,
            roll_std=3.0 * strength,
            wide_share=0.0,
            stretch_std=0.05 * strength,
            flip=0.5 if strength > 0 else 0.0,
            elastic=0.0,
            photometric=0.0,
            occlude=0.0,
            strength=0.0,
        )


@dataclass(frozen=True)
class FaceView:
    """An augmented view of a photograph.

    Attributes:
        image: (320, 260) uint8 grey.
        labels: (320, 260) uint8 `FacePart` ids.
        landmarks: (68, 2) (x, y) crop px, or None where the photograph has none.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    landmarks: NDArray[np.float64] | None


def augment(photo: FacePhoto, rng: np.random.Generator, config: AugmentConfig) -> FaceView:
    """Return a random view of a photograph.

    Image and masks are each resampled once; parts that come from landmarks are rasterized from
    the moved landmarks, as in evaluation.

    Args:
        photo: the photograph.
        rng: random generator; the same state gives the same view.
        config: amplitudes.

    Returns:
        The view.
    """
    mirrored = bool(rng.random() < config.flip)
    matrix = _random_matrix(photo, rng, config, mirrored)
    bend = _random_bend(rng, config) if rng.random() < config.elastic else None
    image, masks = _resample(photo, matrix, bend)
    landmarks = None
    if photo.landmarks is not None:
        landmarks = _unbend(to_crop(photo.landmarks, matrix), bend)
        if mirrored:
            landmarks = landmarks[MIRROR_LANDMARKS]
    if masks is None:
        assert landmarks is not None
        labels = part_masks(landmarks, CROP_SHAPE)
    else:
        labels = np.asarray(cv2.LUT(masks, _MIRROR_TABLE), np.uint8) if mirrored else masks
    if rng.random() < config.occlude:
        image = occlude(image, photo.image, rng)
    return FaceView(relight(image, rng, config), labels, landmarks)


def _towards(middle: float, reach: tuple[float, float], strength: float) -> tuple[float, float]:
    return middle + strength * (reach[0] - middle), middle + strength * (reach[1] - middle)


_MIRROR_TABLE = np.concatenate([MIRROR_PARTS, np.zeros(248, dtype=np.uint8)])


def _random_matrix(
    photo: FacePhoto, rng: np.random.Generator, config: AugmentConfig, mirrored: bool
) -> NDArray[np.float64]:
    """Return a random (2, 3) affine map of crop px to photograph px."""
    is_wide = rng.random(2) < config.wide_share
    margin = config.margin_wide if is_wide[0] else config.margin
    scale = rng.uniform(*margin) * photo.box_side / _HEIGHT
    shift = rng.uniform(-config.shift, config.shift, 2) * photo.box_side
    if is_wide[1]:
        roll = np.deg2rad(rng.uniform(-config.roll_wide, config.roll_wide))
    else:
        roll = np.deg2rad(config.roll_std * rng.standard_normal())
    aspect, shear = config.stretch_std * rng.standard_normal(2)
    stretch = np.array([[np.exp(aspect), shear], [0.0, np.exp(-aspect)]])
    linear = scale * rotation(roll) @ stretch
    if mirrored:
        linear[:, 0] *= -1
    middle = np.array([(_WIDTH - 1) / 2, (_HEIGHT - 1) / 2])
    return np.column_stack([linear, np.array(photo.box_center) + shift - linear @ middle])


def _random_bend(rng: np.random.Generator, config: AugmentConfig) -> NDArray[np.float32]:
    """Return a smooth displacement (320, 260, 2), crop px: view(p) = image(p + bend)."""
    control = (config.elastic_px * rng.standard_normal((5, 4, 2))).astype(np.float32)
    return np.asarray(cv2.resize(control, _SIZE, interpolation=cv2.INTER_CUBIC), np.float32)


def _unbend(points: NDArray[np.float64], bend: NDArray[np.float32] | None) -> NDArray[np.float64]:
    """Solve q + bend(q) = points for q by fixed-point iteration, (68, 2)."""
    if bend is None:
        return points
    found = points.copy()
    for _ in range(4):
        at = found.astype(np.float32)[:, None]
        moved = cv2.remap(bend, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        found = points - moved[:, 0]
    return found


_PIXELS = np.stack(np.meshgrid(np.arange(_WIDTH), np.arange(_HEIGHT)), -1).astype(np.float32)


def _resample(
    photo: FacePhoto, matrix: NDArray[np.float64], bend: NDArray[np.float32] | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    layers: list[NDArray[np.uint8] | None] = [None, None]
    sources = (
        (photo.image, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE),
        (photo.masks, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT),
    )
    where = None if bend is None else cv2.transform(_PIXELS + bend, matrix.astype(np.float32))
    for i, (source, how, border) in enumerate(sources):
        if source is None:
            continue
        if where is None:
            flags = how | cv2.WARP_INVERSE_MAP
            layer = cv2.warpAffine(source, matrix, _SIZE, flags=flags, borderMode=border)
        else:
            layer = cv2.remap(source, where, None, how, borderMode=border)
        layers[i] = np.asarray(layer, dtype=np.uint8)
    image = layers[0]
    assert image is not None
    return image, layers[1]


def occlude(
    image: NDArray[np.uint8], texture: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Put a flat, noisy or textured ellipse or bar in front of a view.

    Args:
        image: (320, 260) uint8.
        texture: (H, W) uint8, source of pixels of a textured one.
        rng: random generator.

    Returns:
        A new image.
    """
    shape = np.zeros(CROP_SHAPE, dtype=np.uint8)
    center = (float(rng.uniform(30, _WIDTH - 30)), float(rng.uniform(40, _HEIGHT - 40)))
    axes = (float(rng.uniform(20, 140)), float(rng.uniform(15, 70)))
    box = (center, axes, float(rng.uniform(0, 180)))
    kind = rng.integers(3)
    if rng.random() < 0.5:
        cv2.ellipse(shape, box, 255, -1)
    else:
        cv2.fillConvexPoly(shape, np.rint(cv2.boxPoints(box)).astype(np.int32), 255)
    if kind == 0:
        front = np.full(CROP_SHAPE, rng.integers(256), dtype=np.uint8)
    elif kind == 1:
        coarse = rng.integers(0, 256, (int(rng.integers(4, 40)), int(rng.integers(4, 40))))
        front = cv2.resize(coarse.astype(np.uint8), _SIZE, interpolation=cv2.INTER_LINEAR)
    else:
        top, left = (int(rng.integers(0, max(1, n // 3))) for n in texture.shape)
        patch = texture[top : top + max(8, texture.shape[0] // 2), left:]
        front = cv2.flip(cv2.resize(patch, _SIZE), int(rng.integers(-1, 2)))
    covered = image.copy()
    cv2.copyTo(np.asarray(front, dtype=np.uint8), shape, covered)
    return covered


def relight(
    image: NDArray[np.uint8], rng: np.random.Generator, config: AugmentConfig
) -> NDArray[np.uint8]:
    """Change light, sharpness and noise at random.

    In this order, each with probability `config.photometric`: a shading that falls off to one
    side; gamma, contrast and brightness (one time in eight, low light); blur or a coarser
    sampling; noise.

    Args:
        image: (320, 260) uint8.
        rng: random generator.
        config: probability and strength.

    Returns:
        A new image.
    """
    strength, share = config.strength, config.photometric
    chosen = rng.random(4) < share
    if strength <= 0:
        return image
    if chosen[0]:
        corners = np.exp(0.35 * strength * rng.standard_normal((3, 3))).astype(np.float32)
        shading = cv2.resize(corners, _SIZE, interpolation=cv2.INTER_CUBIC)
        image = np.asarray(cv2.multiply(image, shading, dtype=cv2.CV_8U), np.uint8)
    if chosen[1]:
        image = np.asarray(cv2.LUT(image, _random_tone(rng, strength)), np.uint8)
    if chosen[2]:
        image = _soften(image, rng, strength)
    if chosen[3]:
        image = _add_noise(image, rng, strength)
    return image


def _random_tone(rng: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """Return a look-up table of a random gamma, contrast and brightness."""
    level = np.linspace(0, 1, 256) ** np.exp(0.35 * strength * rng.standard_normal())
    contrast = np.exp(0.25 * strength * rng.standard_normal())
    level = (level - 0.45) * contrast + 0.45 + 0.1 * strength * rng.standard_normal()
    if rng.random() < 0.125:
        level = level * rng.uniform(0.25, 0.6)
    return np.asarray(np.clip(255 * level, 0, 255), dtype=np.uint8)


def _soften(
    image: NDArray[np.uint8], rng: np.random.Generator, strength: float
) -> NDArray[np.uint8]:
    if rng.random() < 0.5:
        sigma = rng.uniform(0.4, 0.4 + 1.8 * strength)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    shrink = rng.uniform(1.2, 1.2 + 2.5 * strength)
    small = (round(_WIDTH / shrink), round(_HEIGHT / shrink))
    coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(coarse, _SIZE, interpolation=cv2.INTER_LINEAR), np.uint8)


# Drawing 83 200 normal numbers a view would cost more than all the rest of it.
_NOISE = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)


def _add_noise(
    image: NDArray[np.uint8], rng: np.random.Generator, strength: float
) -> NDArray[np.uint8]:
    top, left = rng.integers(0, 1024 - _HEIGHT), rng.integers(0, 1024 - _WIDTH)
    noise = _NOISE[top : top + _HEIGHT, left : left + _WIDTH]
    sigma = strength * min(rng.exponential(5.0), 15.0)
    noisy = cv2.addWeighted(image.astype(np.float32), 1.0, noise, sigma, 0.0)
    return np.asarray(cv2.convertScaleAbs(np.maximum(noisy, 0)), np.uint8)
