"""What tests of files for Blender need."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def python_with_bpy():
    """A Python that has bpy: FACEWARP_BPY_PYTHON, or this one; skips without."""
    python = os.environ.get("FACEWARP_BPY_PYTHON", sys.executable)
    probe = "import importlib.util as u, sys; sys.exit(u.find_spec('bpy') is None)"
    if subprocess.run([python, "-c", probe], check=False).returncode:
        pytest.skip("needs Blender's module bpy: pip install bpy, or set FACEWARP_BPY_PYTHON")
    return python
