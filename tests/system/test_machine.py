"""Name and limit the machine."""

import os
from pathlib import Path

import pytest

from facewarp.system.machine import has_bfloat16, limit_blas


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


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 pat", True),
        ("flags\t\t: fpu amx_bf16", True),
        ("flags\t\t: fpu avx2 avx512f", False),
        ("Features\t: fp asimd", False),
        ("", False),
    ],
)
def test_bfloat16_is_what_the_processor_lists(flags, has, monkeypatch):
    text = f"processor\t: 0\n{flags}\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: text)
    assert has_bfloat16() is has


def test_where_nothing_is_listed_there_is_no_bfloat16(monkeypatch):
    def fail(self, encoding):
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", fail)
    assert has_bfloat16() is False
