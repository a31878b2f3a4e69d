"""Endless, seeded batches of slices of hearts with their parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.motion.slice_parts import REACH
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.slice_augmentation import SliceAugment, augment_slice

_ENDS = 2.0


@dataclass(frozen=True, eq=False)
class SliceStack:
    """A labelled stack of one phase, as scanned.

    Attributes:
        images: (D, H, W) float32 0..1, from base to apex.
        shares: (D, H, W, K) uint8, 255 for the part of each pixel.
        spacing_mm: of the pixels, along x and y.
        center: (x, y) px, middle of the heart.
        step: slices from one read to the next, see `slice_parts.slice_step`.
    """

    images: NDArray[np.float32]
    shares: NDArray[np.uint8]
    spacing_mm: tuple[float, float]
    center: tuple[float, float]
    step: int


class SliceBatches(Batches):
    """Batches of random views of slices of all stacks.

    Slices about the base and the apex, where it is least clear what belongs to a heart, are drawn
    twice as often as others.

    A batch holds ``images`` (B, N, h, w) float32 in 0..1, N slices as channels, and ``labels``
    (B, K, h, w) float32, the parts' shares of each pixel.

    Args:
        stacks: what is learnt from.
        batch_size: views a batch.
        shape: (h, w) of a view.
        view_mm: size of its pixels.
        config: augmentation.
        seed: of all random numbers.
        start: see `Batches`.
        workers: see `Batches`.
        prefetch: see `Batches`.
    """

    def __init__(
        self,
        stacks: Sequence[SliceStack],
        batch_size: int,
        shape: tuple[int, int],
        view_mm: float,
        config: SliceAugment | None = None,
        *,
        seed: int = 0,
        start: int = 0,
        workers: int = 1,
        prefetch: int = 3,
    ) -> None:
        if not stacks or batch_size < 1:
            raise ValueError("there must be stacks and a positive batch_size")
        super().__init__(start, workers, prefetch)
        self.stacks, self.batch_size, self.shape = stacks, batch_size, shape
        self.view_mm, self.config, self.seed = view_mm, config or SliceAugment(), seed
        self._places = [(stack, z) for stack in stacks for z in range(len(stack.images))]
        often = np.concatenate([drawn_how_often(stack.shares) for stack in stacks])
        self._share = np.cumsum(often) / often.sum()

    def batch(self, step: int) -> Batch:
        """Make batch `step`."""
        rng = np.random.default_rng([self.seed, step])
        drawn = np.searchsorted(self._share, rng.random(self.batch_size), side="right")
        places = [self._places[i] for i in drawn.tolist()]
        views = [self._view(stack, z, rng) for stack, z in places]
        images = torch.from_numpy(np.stack([images for images, _ in views]))
        shares = torch.from_numpy(np.stack([shares for _, shares in views]))
        return {"images": images, "labels": shares.float() / 255}

    def _view(
        self, stack: SliceStack, z: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        places = [z + k * stack.step for k in range(-REACH, REACH + 1)]
        slices = [stack.images[p] if 0 <= p < len(stack.images) else None for p in places]
        return augment_slice(
            slices,
            stack.shares[z],
            stack.spacing_mm,
            stack.center,
            self.shape,
            self.view_mm,
            rng,
            self.config,
        )


def drawn_how_often(shares: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the relative frequency of each slice of a stack in batches, (D,): 1, or 2.

    Args:
        shares: (D, H, W, K), the parts of each pixel; background first.
    """
    heart = np.flatnonzero((shares[..., 1:] > 0).any(axis=(1, 2, 3)))
    often = np.ones(len(shares))
    for end in (heart.min(), heart.max()) if heart.size else ():
        often[max(end - 1, 0) : end + 2] = _ENDS
    return often
