"""Batches of face pairs."""

from collections.abc import Sequence

import numpy as np
import torch

from facewarp.face.parts import LANDMARK_COUNT
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.face_augmentation import AugmentConfig, FaceView, augment
from facewarp.training.datasets.photo import FacePhoto


class FaceBatches(Batches):
    """Batches of pairs: two random views of two random photographs each.

    A batch holds ``fixed`` and ``moving`` (B, 1, 320, 260) float32 in 0..1, ``fixed_labels`` and
    ``moving_labels`` (B, 320, 260) uint8, ``fixed_landmarks`` and ``moving_landmarks``
    (B, 68, 2) float32 crop px, NaN where unknown.

    Args:
        sets: sets of photographs.
        batch_size: pairs a batch.
        config: augmentation.
        weights: relative share of views from each set; by their sizes when None.
        seed: of all random numbers.
        start: see `Batches`.
        workers: see `Batches`.
        prefetch: see `Batches`.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[FacePhoto]],
        batch_size: int,
        config: AugmentConfig | None = None,
        *,
        weights: Sequence[float] | None = None,
        seed: int = 0,
        start: int = 0,
        workers: int = 1,
        prefetch: int = 3,
    ) -> None:
        share = np.array([len(s) for s in sets] if weights is None else weights, dtype=np.float64)
        if len(share) != len(sets) or not sets or not all(sets):
            raise ValueError("each set needs photographs and, if weights are given, a weight")
        if (share < 0).any() or share.sum() <= 0 or batch_size < 1:
            raise ValueError("weights and batch_size must be positive")
        super().__init__(start, workers, prefetch)
        self.sets = sets
        self.batch_size = batch_size
        self.config = config or AugmentConfig()
        self.share = share / share.sum()
        self.seed = seed

    def batch(self, step: int) -> Batch:
        """Make batch `step`."""
        rng = np.random.default_rng([self.seed, step])
        views = [self._view(rng) for _ in range(2 * self.batch_size)]
        return {
            **_stack("fixed", views[: self.batch_size]),
            **_stack("moving", views[self.batch_size :]),
        }

    def _view(self, rng: np.random.Generator) -> FaceView:
        photos = self.sets[int(rng.choice(len(self.sets), p=self.share))]
        return augment(photos[int(rng.integers(len(photos)))], rng, self.config)


def _stack(role: str, views: Sequence[FaceView]) -> Batch:
    unknown = np.full((LANDMARK_COUNT, 2), np.nan)
    images = np.stack([view.image for view in views])[:, None]
    landmarks = [unknown if view.landmarks is None else view.landmarks for view in views]
    return {
        role: torch.from_numpy(images).float().div_(255),
        f"{role}_labels": torch.from_numpy(np.stack([view.labels for view in views])),
        f"{role}_landmarks": torch.from_numpy(np.stack(landmarks).astype(np.float32)),
    }
