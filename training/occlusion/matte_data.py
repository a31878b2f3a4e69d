"""Composites to train and validate the occlusion network on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.face.parts import FacePart
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import SHOWN_AGAIN, Batch, Batches
from facewarp.training.datasets.celebamask import load_celebamask
from facewarp.training.datasets.helen import load_helen
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.occlusion.composite import MAKERS, Composite, Fault, compose
from facewarp.training.occlusion.face_variants import varied
from facewarp.training.occlusion.faces import base_face

Matte = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From pictures (N, h, w, 3) to how much of each px is face, (N, h, w) 0..1."""

POOL: Final = 16_000
"""Composites that are made and kept, 106 kB each; every batch is drawn from them and augmented."""

KINDS: Final = (*MAKERS, "donor")
"""Kinds of objects that scores are told of."""

_HOLD_OUT_EVERY = 24

_STEP_PX: Final = 3
_AS_SHARP = 0.5
_TURNED, _TURNED_TIMES = 0.2, 4
_DARK, _DARK_TIMES = 80, 3  # gray level of the skin
_AROUND_PX = 4.0  # of an edge, in which px count more
_WEIGHTS = np.rint(255 * (0.35 + 0.65 * (np.arange(256) / 85).clip(0, 1))).astype(np.uint8)
_HIDDEN = 0.03  # share of a face: above, a photograph is not taken for a free face
_VALIDATION, _POOL = 1, 2  # streams of random numbers


@dataclass
class MatteData:
    """The photographs of a training run.

    Attributes:
        photos: what is trained on, turned and dark faces several times.
        held_out: photographs for validation.
        sources: (folder, number of photographs trained on).
    """

    photos: list[FacePhoto] = field(default_factory=list)
    held_out: list[FacePhoto] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)

    @property
    def description(self) -> str:
        """One line: every folder by name, with its number of photographs."""
        told = ", ".join(f"{name} ({count})" for name, count in self.sources)
        return f"{told}, with objects made by the project before them"

    @property
    def size(self) -> int:
        """Number of photographs trained on."""
        return sum(count for _, count in self.sources)

    def batches(self, config: TrainConfig, workers: int) -> "MatteBatches":
        """Return batches of composites of the photographs."""
        return MatteBatches(self.photos, config.batch, seed=config.seed, workers=workers)

    def add(self, name: str, photos: list[FacePhoto], hold_out: bool) -> None:
        """Add photographs; every 24th is held out, if any are.

        Turned faces and dark skin are few in the data sets, and count several times.
        """
        held = photos[::_HOLD_OUT_EVERY] if hold_out else []
        kept = [photo for i, photo in enumerate(photos) if not hold_out or i % _HOLD_OUT_EVERY]
        self.photos += [photo for photo in kept for _ in range(_times(photo))]
        self.held_out += held
        self.sources.append((name, len(kept)))


def matte_training_data(
    celebamask: Path,
    helen: Path | None = None,
    *,
    screen: Matte | None = None,
    hold_out: bool = True,
) -> MatteData:
    """Read photographs for training; test sets are never read.

    Args:
        celebamask: a folder with ``images/`` and ``masks/``, or with such a ``train/`` in it.
        helen: a folder of ``NAME.jpg`` with ``NAME.pts``, or one with ``trainset/`` in it.
        screen: a matte by which photographs of Helen are left out that have something before the
            face, since nothing says so there.
        hold_out: keep every 24th for validation.

    Raises:
        FacewarpError: a folder or file can't be read.
    """
    data = MatteData()
    inner = celebamask / "train"
    folder = inner if inner.is_dir() else celebamask
    data.add(celebamask.resolve().name, load_celebamask(folder), hold_out)
    if helen is not None:
        folders = [helen / part for part in ("trainset", "afw") if (helen / part).is_dir()]
        photos = [photo for one in folders or [helen] for photo in load_helen(one)]
        if screen is not None:
            photos = [photo for photo in photos if is_free(photo, screen)]
        data.add(helen.resolve().name, photos, hold_out)
    return data


def is_turned(photo: FacePhoto) -> bool:
    """Whether a nose lies far from the middle of its face, as in profiles."""
    face, nose = (
        np.flatnonzero(mask.any(0)) for mask in (photo.labels > 0, photo.labels == FacePart.NOSE)
    )
    if not len(face) or not len(nose):
        return False
    aside = (nose[0] + nose[-1] - 2 * face[0]) / max(2 * (face[-1] - face[0]), 1) - 0.5
    return bool(abs(aside) > _TURNED)


def _times(photo: FacePhoto) -> int:
    """How many times a photograph is taken."""
    skin = photo.image[(photo.labels == FacePart.FACE) | (photo.labels == FacePart.NOSE)]
    dark = len(skin) > 0 and float(np.median(skin)) < _DARK
    return max(_TURNED_TIMES * is_turned(photo), _DARK_TIMES * dark, 1)


def is_free(photo: FacePhoto, matte: Matte) -> bool:
    """Whether a matte finds nothing before a photographed face."""
    base = base_face(photo, np.random.default_rng(0))
    size = (base.visible.shape[1] // 2, base.visible.shape[0] // 2)
    image = cv2.resize(base.image, size, interpolation=cv2.INTER_AREA)
    found = matte(np.rint(255 * image).astype(np.uint8)[None])[0]
    is_face = cv2.resize(base.visible * base.known, size, interpolation=cv2.INTER_AREA) > 0.5
    return bool(is_face.any() and (found[is_face] < 0.5).mean() < _HIDDEN)


class MatteBatches(Batches):
    """Batches of composites.

    A batch holds ``images`` (B, 3, h, w) float32 RGB in 0..1 and ``labels`` (B, 2, h, w) float32,
    how much is hidden and how much is face. Their sum is the weight of a px: 0 where neither is
    known, 0.35 in plain places, up to 1 along the edges of what was put before the face, so that
    rims, strands and cables count as much as hands do.

    Rows 3, 7, 11, ... show the pictures of rows 2, 6, 10, ... again, as another frame of a clip
    does: ``moved`` (B, 2) int64 whole px to the right and down, with other grain and light.

    Args:
        photos: the faces.
        batch_size: composites a batch.
        seed: of all random numbers.
        start: see `Batches`.
        workers: see `Batches`.
        prefetch: see `Batches`.
    """

    def __init__(
        self,
        photos: Sequence[FacePhoto],
        batch_size: int,
        *,
        seed: int = 0,
        start: int = 0,
        workers: int = 1,
        prefetch: int = 3,
    ) -> None:
        if not photos or batch_size < 1:
            raise ValueError("there must be photographs and a positive batch_size")
        super().__init__(start, workers, prefetch)
        self.photos, self.batch_size, self.seed = photos, batch_size, seed
        self._made: dict[int, Composite] = {}
        self._lock = Lock()

    def batch(self, step: int) -> Batch:
        """Make batch `step`."""
        rng = np.random.default_rng([self.seed, step])
        views, moved = [], []
        for row in range(self.batch_size):
            shift = np.zeros(2, np.int64)
            if row % SHOWN_AGAIN == SHOWN_AGAIN - 1:
                shift = rng.integers(-_STEP_PX, _STEP_PX + 1, 2)
            else:
                one, pose = self._composite(int(rng.integers(POOL))), random_pose(rng)
            views.append(augmented(one, pose, shift, rng))
            moved.append(shift)
        images, labels = (torch.from_numpy(np.stack(each)) for each in zip(*views, strict=True))
        shifts = torch.from_numpy(np.stack(moved))
        return {"images": images.float() / 255, "labels": labels.float() / 255, "moved": shifts}

    def _composite(self, index: int) -> Composite:
        """Composite `index` of the pool, made when it is first drawn."""
        found = self._made.get(index)
        if found is None:
            rng = np.random.default_rng([self.seed, _POOL, index])
            found = random_composite(self.photos, rng)
            with self._lock:
                self._made[index] = found
        return found


def random_composite(
    photos: Sequence[FacePhoto],
    rng: np.random.Generator,
    kind: str | None = None,
    spared: frozenset[Fault] = frozenset(),
) -> Composite:
    """Make a composite of a photograph, see `compose`; of no `kind`, before a varied face."""
    one, other = (photos[i] for i in rng.integers(len(photos), size=2))
    base = base_face(one, rng)
    base = varied(base, rng) if kind is None else base
    return compose(base, lambda: base_face(other, rng), rng, kind, spared)


def held_out_composites(
    photos: Sequence[FacePhoto],
    count: int,
    seed: int,
    only: str | None = None,
    spared: frozenset[Fault] = frozenset(),
) -> list[Composite]:
    """Make composites of each kind of object in turn, and half as many faces without any.

    Args:
        photos: the faces.
        count: composites.
        seed: of all random numbers.
        only: the one kind of object that is put before faces; None for all of `KINDS`.
        spared: see `compose`.
    """
    kinds = KINDS if only is None else (only,)
    made = []
    for i in range(count):
        free = ("free", "light")[i // 3 % 2]
        kind = free if i % 3 == 2 else kinds[(i - i // 3) % len(kinds)]
        rng = np.random.default_rng([seed, _VALIDATION, i])
        made.append(replace(random_composite(photos, rng, kind, spared), kinds=(kind,)))
    return made


@dataclass(frozen=True)
class Pose:
    """How a composite lies in a picture: mirrored or not, turned (radians), sized, moved (px)."""

    mirror: int
    angle: float
    size: float
    shift: tuple[float, float]


def random_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose a little off.

    Half are moved by whole px: between px a rim and a camera's noise would be softer than they are.
    """
    mirror = -1 if rng.random() < 0.5 else 1
    x, y = rng.normal(0, 3, 2)
    if rng.random() < _AS_SHARP:
        return Pose(mirror, 0.0, 1.0, (round(x), round(y)))
    return Pose(mirror, rng.normal(0, 0.06), float(np.exp(rng.normal(0, 0.07))), (x, y))


def augmented(
    one: Composite, pose: Pose, moved: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a composite in a pose, moved by whole px more, in other light and grain.

    Args:
        one: the composite.
        pose: where it lies.
        moved: (2,) px to the right and down.
        rng: random generator, for light and grain.

    Returns:
        (3, h, w) picture and (2, h, w) weight of what is hidden and of what is face.
    """
    around = cv2.absdiff(one.covered, cv2.GaussianBlur(one.covered, (0, 0), _AROUND_PX))
    weight = cv2.LUT(around, _WEIGHTS)
    known = cv2.multiply(one.known, weight, scale=1 / 255)
    visible = cv2.multiply(one.visible, known, scale=1 / 255)
    hidden = cv2.subtract(known, visible)
    height, width = visible.shape
    c, s = pose.size * np.cos(pose.angle), pose.size * np.sin(pose.angle)
    linear = np.array([[c, -s], [s, c]]) * (pose.mirror, 1)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.column_stack([linear, middle + pose.shift + moved - linear @ middle])
    image = _in_other_light(one.image, rng)
    image = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    image = _with_grain(image, rng)
    labels = cv2.warpAffine(cv2.merge([hidden, visible]), matrix, (width, height))
    return np.ascontiguousarray(np.moveaxis(image, 2, 0)), np.ascontiguousarray(
        np.moveaxis(labels, 2, 0)
    )


def _in_other_light(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    gain = np.exp(rng.normal(0, 0.12)) * rng.normal(1, 0.05, 3)
    look = (np.arange(256)[:, None] * gain + rng.normal(0, 8)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, look.reshape(1, 256, 3)), np.uint8)


def _with_grain(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the noise and compression of one frame."""
    if rng.random() < 0.4:
        grain = rng.uniform(0, 6) * rng.standard_normal(image.shape, np.float32)
        image = (image + grain).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        image = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8
        )
    return image
