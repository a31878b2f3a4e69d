"""Name and limit the machine."""

import os

import pytest

from facewarp.system.machine import limit_blas


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def test_blas_is_kept_to_one_thread():
    limit_blas()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"])
def test_what_the_user_said_of_threads_holds(monkeypatch, name):
    monkeypatch.setenv(name, "3")
    before = dict(os.environ)
    limit_blas()
    assert dict(os.environ) == before
