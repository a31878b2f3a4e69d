"""Baseline: probabilistic diffeomorphic registration by a conditional autoencoder.

After Krebs, Delingette, Mailhé, Ayache, Mansi, Learning a Probabilistic Model for Diffeomorphic
Registration, IEEE Transactions on Medical Imaging 38(9), 2019.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facewarp.core.fields import exponential, warp
from facewarp.core.geometry import resize_field, resize_image
from facewarp.errors import FacewarpError
from facewarp.training.baselines.hearts.local_correlation import (
    gaussian_window,
    smooth,
    squared_correlation,
)
from facewarp.training.baselines.network_training import BaselineNetwork

SLOPE = 0.1
SQUARINGS = 5
LATENT = 32
_FIRST_LOG_VARIANCE = -4.0
_FREE = 1.0  # nats that each number may tell for nothing (Kingma et al. 2016): none is given up
_DIVISORS = (4, 8, 8)  # of the grid, three halvings, the first within slices


class KrebsAutoencoder(BaselineNetwork):
    """An encoder of both images to a latent code, and a decoder to velocities.

    The decoder is conditioned on moving at every scale, so that the code describes the deformation
    only. Velocities are on half the grid within slices, smoothed by a Gaussian and integrated by
    scaling and squaring.

    Args:
        shape: ``(D, H, W)`` of the images; the code depends on the whole of them.
        latent: size of the code.
        sigma: of the Gaussian that velocities are smoothed with, voxels of their grid (z, y, x).
        window: standard deviations of the windows that correlation is measured in, voxels.
        weight: of the similarity against the divergence of the code from a standard normal.

    Raises:
        FacewarpError: the shape can't be halved three times.
    """

    def __init__(
        self,
        shape: Sequence[int] = (16, 128, 128),
        latent: int = LATENT,
        sigma: Sequence[float] = (0.3, 1.5, 1.5),
        window: Sequence[float] = (0.5, 2.5, 2.5),
        weight: float = 5000.0,
    ) -> None:
        super().__init__()
        if any(n % d for n, d in zip(shape, _DIVISORS, strict=True)):
            fix = f"Give (D, H, W) as multiples of {_DIVISORS}."
            raise FacewarpError(f"a grid of {tuple(shape)} voxels can't be halved so", fix=fix)
        self.settings = {
            "shape": list(shape),
            "latent": latent,
            "sigma": list(sigma),
            "window": list(window),
            "weight": weight,
        }
        depth, height, width = shape
        self.shape = (depth, height, width)
        self.coarse_shape = (depth // 4, height // 8, width // 8)
        self.velocity_shape = (depth, height // 2, width // 2)
        self.sigma, self.window, self.weight = tuple(sigma), tuple(window), weight
        flat, whole = (1, 2, 2), (2, 2, 2)
        self.encoder = nn.Sequential(
            *_block(2, 16, flat), *_block(16, 32, whole), *_block(32, 32, whole), *_block(32, 4, 1)
        )
        cells = self.coarse_shape[0] * self.coarse_shape[1] * self.coarse_shape[2]
        self.mean = nn.Linear(4 * cells, latent)
        self.log_variance = nn.Linear(4 * cells, latent)
        self.unfold = nn.Linear(latent, cells)
        self.up = nn.ModuleList(
            [
                nn.ConvTranspose3d(2, 32, whole, whole),
                nn.ConvTranspose3d(33, 32, whole, whole),
            ]
        )
        self.head = nn.Sequential(
            *(nn.Conv3d(33, 16, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv3d(16, 3, 3, 1, 1))
        )
        last = self.head[-1]
        nn.init.normal_(last.get_parameter("weight"), std=1e-2)  # it starts near the identity
        nn.init.zeros_(last.get_parameter("bias"))
        # The numbers begin as sure ones, that differ from pair to pair as much as they may:
        # drowned in noise they would never come to be used.
        nn.init.normal_(self.mean.weight)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, _FIRST_LOG_VARIANCE)

    @property
    def for_half_precision(self) -> Sequence[nn.Module]:
        """The large layers but the last, which predicts velocities."""
        return self.encoder, *self.up, self.head[0]

    def encode(self, fixed: Tensor, moving: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance ``(B, latent)`` of the latent code."""
        if tuple(fixed.shape[2:]) != self.shape:
            what = f"images of {tuple(fixed.shape[2:])} voxels, where {self.shape} were learnt"
            raise FacewarpError(what, fix="Lay them on the grid of training.")
        seen = self.encoder(torch.cat([moving, fixed], dim=1)).flatten(1)
        seen = seen / seen.shape[1] ** 0.5  # of size one, however many cells there are
        return self.mean(seen), self.log_variance(seen).clamp(-10, 10)

    def decode(self, numbers: Tensor, moving: Tensor) -> Tensor:
        """Return smooth velocities ``(B, 3, D, H / 2, W / 2)``, in voxels of that grid."""
        x = self.unfold(numbers).reshape(-1, 1, *self.coarse_shape)
        for layer in self.up:
            seen = resize_image(moving, tuple(x.shape[2:]))
            x = nn.functional.leaky_relu(layer(torch.cat([x, seen], dim=1)), SLOPE)
        velocity = self.head(torch.cat([x, resize_image(moving, self.velocity_shape)], dim=1))
        return smooth(velocity, gaussian_window(self.velocity_shape, self.sigma))

    def velocity(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the most probable velocities, see `decode`."""
        return self.decode(self.encode(fixed, moving)[0], moving)

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict the field ``(B, 3, D, H, W)`` voxels, from fixed into moving."""
        return resize_field(exponential(self.velocity(fixed, moving), SQUARINGS), self.shape)

    def terms(
        self, fixed: Tensor, moving: Tensor, random: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the loss terms: correlation halfway between the images, and the code's divergence.

        Args:
            fixed: ``(B, 1, D, H, W)`` in [0, 1].
            moving: the same.
            random: generator that samples the code; None for its mean.
        """
        mean, log_variance = self.encode(fixed, moving)
        numbers = mean
        if random is not None:
            noise = torch.randn(mean.shape, generator=random)
            numbers = mean + noise * torch.exp(log_variance / 2)
        velocity = self.decode(numbers, moving)
        ahead, back = (
            resize_field(exponential(sign * velocity / 2, SQUARINGS - 1), self.shape)
            for sign in (1, -1)
        )
        window = gaussian_window(self.shape, self.window)
        alike = squared_correlation(warp(fixed, back), warp(moving, ahead), window)
        divergence = normal_divergence(mean, log_variance).clamp(min=_FREE).sum(-1).mean()
        return {"similarity": 1 - alike.mean(), "divergence": divergence / self.weight}


def _block(inputs: int, outputs: int, stride: int | tuple[int, int, int]) -> list[nn.Module]:
    """Make a block: convolution, group norm (a batch is one pair), leaky ReLU."""
    conv = nn.Conv3d(inputs, outputs, 3, stride, 1)
    return [conv, nn.GroupNorm(min(4, outputs), outputs), nn.LeakyReLU(SLOPE)]


def normal_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of normals from the standard normal, nats.

    ``(mean^2 + variance - 1 - log variance) / 2``, of each element.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
