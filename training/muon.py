"""Muon optimizer: momentum, orthogonalized in each step."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Coefficients of the iteration: its singular values end between 0.7 and 1.2, not at 1, soon.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5
_SIZE = 0.2  # root mean square of AdamW's steps, in learning rates


class Muon(torch.optim.Optimizer):
    """Muon for kernels, Adam for everything else (Jordan et al. 2024; Liu et al. 2025).

    A kernel ``(out, in, ...)`` is used as a matrix ``(out, in * ...)``, its gradient's Nesterov
    momentum is replaced by the nearest (semi-)orthogonal matrix, found by a Newton-Schulz
    iteration, and scaled to the root mean square that AdamW's steps have, so that learning rates
    mean the same. No direction in a layer learns only because it has large gradients. PyTorch's
    ``torch.optim.Muon`` takes nothing but matrices.

    Args:
        kernels: parameters with two or more axes.
        others: parameters that Adam steps, at ``others_scale`` of the learning rate.
        lr: learning rate.
        momentum: decay of the kernels' momentum.
        weight_decay: of the kernels, per unit of learning rate.
        others_scale: learning rate of the others, in that of the kernels.
        betas: of Adam.
        eps: of Adam.
        precision: dtype of the iteration.
    """

    def __init__(
        self,
        kernels: Iterable[Tensor],
        others: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 1e-2,
        others_scale: float = 0.2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        precision: torch.dtype = torch.float32,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(kernels), "is_kernels": True, "weight_decay": weight_decay},
            {"params": list(others), "is_kernels": False, "weight_decay": 0.0},
        ]
        self.others_scale, self.momentum = others_scale, momentum
        self.betas, self.eps, self.precision = betas, eps, precision
        super().__init__([group for group in groups if group["params"]], {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if group["is_kernels"]:
                    self._turn(parameter, gradient, group["lr"], group["weight_decay"])
                else:
                    self._adapt(parameter, gradient, self.others_scale * group["lr"])

    def _turn(self, kernel: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = state["momentum"].lerp_(gradient, 1 - self.momentum)
        ahead = torch.lerp(gradient, momentum, self.momentum).flatten(1)
        turned = orthogonalised(ahead, self.precision).to(kernel.dtype)
        size = _SIZE * max(turned.shape) ** 0.5
        kernel.mul_(1 - lr * weight_decay).sub_(turned.reshape(kernel.shape), alpha=lr * size)

    def _adapt(self, parameter: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
        first, second = self.betas
        state["step"] += 1
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        step = float(state["step"])
        root = (square / (1 - second**step)).sqrt_().add_(self.eps)
        parameter.addcdiv_(mean, root, value=-lr / (1 - first**step))


def orthogonalised(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Approximate the nearest matrix with orthonormal rows or columns, ``(m, n)``.

    With ``matrix = U S V'`` this is about ``U V'``: singular values of 0.7 to 1.2, by five rounds
    of ``X <- a X + b (X X') X + c (X X')^2 X``, which forgive half precision.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if tall else matrix
    x = (x / x.norm().clamp(min=1e-12)).to(precision)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + torch.addmm(gram, gram, gram, beta=_B, alpha=_C) @ x
    return x.mT if tall else x
