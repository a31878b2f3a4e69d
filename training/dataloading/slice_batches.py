"""Endless, seeded batches of slices of hearts with their parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.motion.slice_parts import REACH, slice_step
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.slice_augmentation import SliceAugment, augment_slice

_ENDS = 2.0
_TIMES = (1.1, 2.2)  # as thick as they were scanned: slices that are averaged


@dataclass(frozen=True, eq=False)
class SliceStack:
    """A labelled stack of one phase, as scanned.

    Attributes:
        images: (D, H, W) float32 0..1, from base to apex.
        shares: (D, H, W, K) uint8, 255 for the part of each pixel.
        spacing_mm: of the pixels, along x and y.
        center: (x, y) px, middle of the heart.
        thickness_mm: from one slice to the next.
    """

    images: NDArray[np.float32]
    shares: NDArray[np.uint8]
    spacing_mm: tuple[float, float]
    center: tuple[float, float]
    thickness_mm: float


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
        slices, shares = self._slices(stack, z, rng)
        return augment_slice(
            slices,
            shares,
            stack.spacing_mm,
            stack.center,
            self.shape,
            self.view_mm,
            rng,
            self.config,
        )

    def _slices(
        self, stack: SliceStack, z: int, rng: np.random.Generator
    ) -> tuple[list[NDArray[np.float32] | None], NDArray[np.uint8]]:
        """Return a slice with those beside it and its parts, averaged to thicker ones at random."""
        if rng.random() < self.config.thick:
            times = min(rng.uniform(*_TIMES), float(len(stack.images)))
            return thicker(stack, z + rng.uniform(-0.5, 0.5), times)
        step = slice_step(stack.thickness_mm)
        places = [z + k * step for k in range(-REACH, REACH + 1)]
        slices = [stack.images[p] if 0 <= p < len(stack.images) else None for p in places]
        return slices, stack.shares[z]


def thicker(
    stack: SliceStack, middle: float, times: float
) -> tuple[list[NDArray[np.float32] | None], NDArray[np.uint8]]:
    """Average slices to a thicker one with those beside it, as a scan of such slices sees them.

    Args:
        stack: the stack, of slices without gaps.
        middle: of the thicker slice, in slices of the stack; moved so that all of it is within.
        times: as thick as the stack's slices; at most as thick as the whole stack.

    Returns:
        `2 * REACH + 1` slices (H, W), None where the stack does not reach, and the shares of the
        parts in the one in the middle, (H, W, K): means too, so that a mixture is told as such and
        volumes are kept.
    """
    depth = len(stack.images)
    middle = float(np.clip(middle, (times - 1) / 2, depth - (times + 1) / 2))
    apart = slice_step(stack.thickness_mm * times) * times
    slices = []
    for k in range(-REACH, REACH + 1):
        weights = _shares(middle + k * apart, times, depth)
        seen = np.flatnonzero(weights)
        whole = weights.sum() > 1 - 1e-4
        slices.append(np.tensordot(weights[seen], stack.images[seen], 1) if whole else None)
    weights = _shares(middle, times, depth)
    seen = np.flatnonzero(weights)
    shares = np.tensordot(weights[seen], stack.shares[seen].astype(np.float32), 1)
    return slices, np.rint(shares).astype(np.uint8)


def _shares(middle: float, times: float, depth: int) -> NDArray[np.float32]:
    """Return the share of each of `depth` slices in one that is `times` as thick."""
    at = np.arange(depth)
    low, high = (
        np.maximum(at, middle - times / 2 + 0.5),
        np.minimum(at + 1, middle + times / 2 + 0.5),
    )
    return (np.maximum(high - low, 0) / times).astype(np.float32)


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
