"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of research data named by FACEWARP_DATA; tests that want it skip without it."""
    named = os.environ.get("FACEWARP_DATA")
    if not named:
        pytest.skip("needs research data: FACEWARP_DATA is not set")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"FACEWARP_DATA names a folder that does not exist: {folder}")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20200307)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors are slower on many threads, and results are the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
