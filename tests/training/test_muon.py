"""Muon: which way it steps, and how far."""

import pytest
import torch

from facewarp.training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(16, 40), (40, 16), (24, 24)])
def test_singular_values_become_about_one_and_directions_stay(shape):
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = u @ torch.diag(torch.logspace(-1, 0.5, min(shape))) @ v
    turned = orthogonalised(matrix)
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.6
    assert values.max() < 1.3
    along = u.mT @ turned @ v.mT  # U' X V: diagonal where no direction was turned
    assert along.diagonal().min() > 0.6
    assert (along - along.diagonal().diag()).abs().max() < 1e-4


def test_half_precision_turns_nearly_as_well():
    torch.manual_seed(0)
    matrix = torch.randn(24, 60)
    coarse = orthogonalised(matrix, torch.bfloat16)
    assert coarse.dtype == torch.bfloat16
    values = torch.linalg.svdvals(coarse.float())
    assert (values.min(), values.max()) == (pytest.approx(0.9, abs=0.35),) * 2
    exact = orthogonalised(matrix)
    assert torch.nn.functional.cosine_similarity(coarse.flatten(), exact.flatten(), 0) > 0.99


def test_step_size_is_that_of_adam_for_any_gradient():
    for size in (1e-6, 1.0, 1e6):
        torch.manual_seed(0)
        kernel = torch.zeros(32, 16, 3, 3, requires_grad=True)
        kernel.grad = size * torch.randn_like(kernel)
        Muon([kernel], [], lr=0.1, weight_decay=0.0).step()
        rms = kernel.detach().square().mean().sqrt()
        assert rms.item() == pytest.approx(0.2 * 0.1, rel=0.2)
        assert (kernel * kernel.grad).sum() < 0  # downhill


def test_what_is_no_kernel_is_stepped_as_adam_does():
    ours, theirs = (torch.zeros(5, requires_grad=True) for _ in range(2))
    muon = Muon([], [ours], lr=0.01, others_scale=0.5)
    adam = torch.optim.Adam([theirs], lr=0.005)
    torch.manual_seed(0)
    for _ in range(10):
        ours.grad = torch.randn(5)
        theirs.grad = ours.grad.clone()
        muon.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)
