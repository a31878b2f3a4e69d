"""Photographs for training and validation of a part network of eyes and mouth, and its batches."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.crop import Crop
from facewarp.face.details.patches import MOUTH_POINTS, PatchLayout, normalized
from facewarp.face.parts import FacePart
from facewarp.face.template.template import Template
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.face_data import FaceData
from facewarp.training.datasets.celebamask import read_masks
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.details.views import (
    LEFT_EYE,
    MOUTH,
    RIGHT_EYE,
    DetailAugment,
    DetailPhoto,
    detail_view,
)

log = logging.getLogger(__name__)

_FAR = 0.12  # of the face's side, between found and true landmarks: the registration failed


class DetailBatches(Batches):
    """Batches of random views of mouths and of pairs of eyes, half of each.

    A batch holds ``images`` (B, 1, 64, 64) float32 and ``labels`` (B, K, 32, 32) float32, the
    classes' shares of each cell.

    Args:
        sets: sets of photographs.
        shares: of the views from each set.
        batch_size: views a batch.
        config: augmentation.
        seed: of all random numbers.
        start: see `Batches`.
        workers: see `Batches`.
        prefetch: see `Batches`.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[DetailPhoto]],
        shares: Sequence[float] | None,
        batch_size: int,
        config: DetailAugment | None = None,
        *,
        seed: int = 0,
        start: int = 0,
        workers: int = 1,
        prefetch: int = 3,
    ) -> None:
        if not sets or not all(sets) or batch_size < 1:
            raise ValueError("there must be photographs in every set and a positive batch_size")
        super().__init__(start, workers, prefetch)
        weights = np.array([len(s) for s in sets] if shares is None else shares, np.float64)
        self.sets, self.share = sets, weights / weights.sum()
        self.batch_size, self.config, self.seed = batch_size, config or DetailAugment(), seed

    def batch(self, step: int) -> Batch:
        """Make batch `step`."""
        rng = np.random.default_rng([self.seed, step])
        views = [self._view(rng, is_mouth=i % 2 == 0) for i in range(self.batch_size)]
        images, labels = (np.stack(values) for values in zip(*views, strict=True))
        return {"images": torch.from_numpy(images[:, None]), "labels": torch.from_numpy(labels)}

    def _view(
        self, rng: np.random.Generator, *, is_mouth: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if is_mouth:
            patch, shares = detail_view(self._photo(rng), MOUTH, rng, self.config)
            return normalized(patch), shares
        eyes = []
        for _ in range(2):  # of two people: either eye is seen alone
            part = int(rng.choice((LEFT_EYE, RIGHT_EYE)))
            eyes.append(detail_view(self._photo(rng), part, rng, self.config))
        patches = [normalized(patch) for patch, _ in eyes]
        return np.concatenate(patches), np.concatenate([shares for _, shares in eyes], axis=1)

    def _photo(self, rng: np.random.Generator) -> DetailPhoto:
        chosen = self.sets[int(rng.choice(len(self.sets), p=self.share))]
        return chosen[int(rng.integers(len(chosen)))]


@dataclass
class DetailData:
    """The photographs of a training run.

    Attributes:
        sets: sets of photographs, with their patches.
        shares: of the views from each set; None for shares by size.
        held_out: photographs kept for validation, never trained on.
        description: one line: every folder by name, with its number of photographs.
    """

    sets: list[list[DetailPhoto]]
    shares: list[float] | None
    held_out: list[DetailPhoto] = field(default_factory=list)
    description: str = ""

    @property
    def size(self) -> int:
        """Number of photographs trained on."""
        return sum(len(photos) for photos in self.sets)

    def batches(self, config: TrainConfig, workers: int) -> DetailBatches:
        """Return batches of random views of the patches."""
        augment = DetailAugment(strength=config.augment)
        return DetailBatches(
            self.sets, self.shares, config.batch, augment, seed=config.seed, workers=workers
        )


def detail_training_data(photos: FaceData, registrar: FaceRegistrar | None = None) -> DetailData:
    """Lay patches on the photographs of a training, where a registration finds the face.

    Photographs on which the registration fails are left out where they have masks, and have
    patches about their annotated points otherwise.

    Args:
        photos: the photographs.
        registrar: what registers them; None for the shipped model.
    """
    find = registrar or FaceRegistrar(Template.load("average"), "face", "cpu", 0.5)
    sets = [located(chosen, find) for chosen in photos.sets]
    return DetailData(
        [found for found in sets if found],
        photos.shares if all(sets) else None,
        located(photos.held_out, find),
        photos.description,
    )


def located(photos: Sequence[FacePhoto], registrar: FaceRegistrar) -> list[DetailPhoto]:
    """Lay patches on photographs."""
    layout = PatchLayout(registrar.template.landmarks)
    found = []
    for photo in photos:
        crop = Crop.around(photo.box_center, photo.box_side)
        landmarks = _trusted(photo, registrar.register(photo.image, [crop])[0].landmarks)
        if landmarks is None:
            log.debug("%s: the face was not found", photo.path)
            continue
        ids = None
        if photo.masks is not None:
            ids = _ids(photo)
        found.append(
            DetailPhoto(photo.name, photo.image, layout.frames(landmarks), photo.landmarks, ids)
        )
    return found


def _trusted(photo: FacePhoto, landmarks: Points) -> Points | None:
    """Landmarks as registered; the true ones, or None without any, where they are far off."""
    if photo.landmarks is not None:
        off = np.linalg.norm(landmarks - photo.landmarks, axis=1)[17:].mean()
        return landmarks if off < _FAR * photo.box_side else photo.landmarks
    assert photo.masks is not None
    rows, columns = np.nonzero(photo.masks == FacePart.MOUTH)
    if not rows.size:
        return None
    middle = landmarks[MOUTH_POINTS].mean(axis=0)
    off = np.hypot(columns.mean() - middle[0], rows.mean() - middle[1])
    return landmarks if off < _FAR * photo.box_side else None


def _ids(photo: FacePhoto) -> NDArray[np.uint8]:
    """CelebAMask-HQ's ids on the grid of a photograph's image."""
    ids, (height, width) = read_masks(photo.path), photo.image.shape
    if ids.shape == (height, width):
        return ids
    return np.asarray(
        cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
    )
