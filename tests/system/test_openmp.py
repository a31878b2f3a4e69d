"""Threads that wait leave the processor to others."""

import os
import subprocess
import sys

import pytest

from facewarp.system.openmp import wait_passively


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)


def test_threads_wait_passively(monkeypatch):
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_said_of_waiting_holds(monkeypatch, name):
    monkeypatch.setenv(name, "100")
    wait_passively()
    assert "OMP_WAIT_POLICY" not in os.environ


def test_the_program_sets_it_before_torch_is_loaded():
    code = (
        "import os, sys\nfrom facewarp import __main__\nsys.argv = ['facewarp', '--version']\n"
        "try:\n    __main__.main()\nexcept SystemExit:\n"
        "    print(os.environ.get('OMP_WAIT_POLICY'), 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE False"
