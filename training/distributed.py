"""Distributed training: each process works on rows of the same batch, and all take one step.

``torchrun --nproc-per-node 2 -m facewarp train helen ...`` starts them. Gradients are averaged and
batch norms see all rows, so that n processes of B pairs do what one does with n * B: to rounding,
where a loss is a mean over pairs. Terms that are means over what is known (landmarks) or over the
parts present (Dice) are averaged process by process.
"""

import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from facewarp.errors import FacewarpError

_PARTING = timedelta(seconds=10)


class ProcessGroup:
    """The processes of a run: one, unless ``torchrun`` started more.

    Attributes:
        rank: number of this process; 0 alone writes files and prints.
        size: number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def join(cls, device: str = "cpu") -> "ProcessGroup":
        """Join the other processes by the variables that ``torchrun`` sets.

        Args:
            device: ``"cpu"`` communicates by gloo, ``"cuda"`` by NCCL.

        Raises:
            FacewarpError: they can't be reached.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        try:
            if not dist.is_initialized():
                dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        except (RuntimeError, ValueError) as error:
            what = f"the other processes of this run can't be reached: {error}"
            fix = "Start them with torchrun --nproc-per-node N -m facewarp train ..."
            raise FacewarpError(what, "WORLD_SIZE", fix) from error
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def leave(self) -> None:
        """Leave the group, once the other processes have come as far; some may have failed."""
        if self.size > 1 and dist.is_initialized():
            if dist.get_backend() == "gloo":  # one that ends while another still talks aborts it
                with suppress(RuntimeError):
                    dist.monitored_barrier(timeout=_PARTING)
            dist.destroy_process_group()

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes, the same in each."""
        if self.size > 1:
            dist.all_reduce(values)
            values = values / self.size
        return values

    def any(self, flag: bool) -> bool:
        """Whether a flag is set in any process."""
        if self.size == 1:
            return flag
        raised = torch.tensor([float(flag)])
        dist.all_reduce(raised)
        return bool(raised.item() > 0)

    def average_gradients(self, net: nn.Module) -> None:
        """Give every process the mean of all gradients, in one message."""
        if self.size == 1:
            return
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        if gradients:
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            dist.all_reduce(flat)
            flat /= self.size
            pieces = flat.split([gradient.numel() for gradient in gradients])
            for gradient, piece in zip(gradients, pieces, strict=True):
                gradient.copy_(piece.view(gradient.shape))

    def share(self, net: nn.Module) -> None:
        """Make a network's batch norms use the rows of all processes.

        The weights are the same in each process already, from the same seed.
        """
        if self.size > 1:
            for module in list(net.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, nn.BatchNorm2d | nn.BatchNorm3d):
                        setattr(module, name, _SharedBatchNorm(child))

    def rows(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return this process's rows of a batch."""
        n = len(next(iter(batch.values()))) // self.size
        return {name: rows[self.rank * n : (self.rank + 1) * n] for name, rows in batch.items()}


class _SumOverTeam(torch.autograd.Function):
    """Sum of a tensor over all processes, whose gradients are summed likewise."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class _SharedBatchNorm(nn.Module):
    """Batch norm over all processes' rows; PyTorch's own SyncBatchNorm works on GPUs alone.

    It replaces a layer, whose parameters and statistics it uses.
    """

    def __init__(self, norm: nn.BatchNorm2d | nn.BatchNorm3d) -> None:
        super().__init__()
        self.eps, self.momentum = norm.eps, norm.momentum or 0.1
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``(B, C, *shape)`` by the statistics of all processes' rows."""
        shape = (1, -1, *[1] * (x.ndim - 2))
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        if self.training:
            axes = [0, *range(2, x.ndim)]
            count = x.new_tensor([x.numel() / x.shape[1]])
            sums = torch.cat([count, x.sum(axes), x.square().sum(axes)])
            total: Tensor = _SumOverTeam.apply(sums)
            n, first, second = total.split([1, x.shape[1], x.shape[1]])
            center = first / n
            spread = (second / n - center.square()).clamp(min=0)
            with torch.no_grad():
                mean.lerp_(center, self.momentum)
                variance.lerp_(spread * n / (n - 1), self.momentum)
                self.get_buffer("num_batches_tracked").add_(1)
            mean, variance = center, spread
        scale = self.weight * (variance + self.eps).rsqrt()
        return x * scale.view(shape) + (self.bias - mean * scale).view(shape)
