"""Endless, seeded batches of hearts: end-diastole with end-systole of one patient."""

from collections.abc import Sequence

import numpy as np
import torch

from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.heart_augmentation import HeartAugment, augment_pair
from facewarp.training.datasets.acdc import HeartCase


class HeartBatches(Batches):
    """Batches of pairs of phases.

    A batch holds ``fixed`` and ``moving`` (B, 1, D, H, W) float32 in 0..1, ``fixed_labels`` and
    ``moving_labels`` (B, D, H, W) uint8.

    Args:
        cases: patients.
        batch_size: pairs a batch.
        shape: (D, H, W) of the model's grid, within that of the cases.
        config: augmentation.
        seed: of all random numbers.
        start: see `Batches`.
        workers: see `Batches`.
        prefetch: see `Batches`.
    """

    def __init__(
        self,
        cases: Sequence[HeartCase],
        batch_size: int,
        shape: Sequence[int],
        config: HeartAugment | None = None,
        *,
        seed: int = 0,
        start: int = 0,
        workers: int = 1,
        prefetch: int = 3,
    ) -> None:
        if not cases or batch_size < 1:
            raise ValueError("there must be cases and a positive batch_size")
        super().__init__(start, workers, prefetch)
        self.cases = cases
        self.batch_size = batch_size
        self.shape = tuple(shape)
        self.config = config or HeartAugment()
        self.seed = seed

    def batch(self, step: int) -> Batch:
        """Make batch `step`."""
        rng = np.random.default_rng([self.seed, step])
        pairs = []
        for _ in range(self.batch_size):
            case = self.cases[int(rng.integers(len(self.cases)))]
            pairs.append(
                augment_pair(case.images, case.labels, self.shape, rng, self.config, case.center)
            )
        images = torch.from_numpy(np.stack([images for images, _ in pairs]))
        labels = torch.from_numpy(np.stack([labels for _, labels in pairs]))
        return {
            "fixed": images[:, :1].contiguous(),
            "moving": images[:, 1:].contiguous(),
            "fixed_labels": labels[:, 0].contiguous(),
            "moving_labels": labels[:, 1].contiguous(),
        }
