"""Telemetry is off before any package that has some is imported, in every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facewarp.system.privacy import SWITCHES, silence_telemetry

ROOT = Path(__file__).parents[2]
PLACES = ("docs/export.md", "docs/install.md")


def test_importing_facewarp_switches_telemetry_off() -> None:
    told = "import facewarp, os, sys\nprint([os.environ.get(n) for n in sys.argv[1:]])\n"
    told += "import importlib.util as u\nprint(sys.modules.get('openvino_telemetry', 'unset'))"
    clean = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", told, *SWITCHES],
        capture_output=True, text=True, check=True, env=clean,
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(list(SWITCHES.values())), "None"]


def test_any_module_switches_telemetry_off() -> None:
    told = "import facewarp.errors, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    clean = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, env=clean
    )
    assert done.stdout.strip() == "1"


def test_what_the_user_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    silence_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


@pytest.mark.parametrize("name", PLACES)
def test_the_documents_name_the_switch(name: str) -> None:
    assert "ORT_DISABLE_TELEMETRY" in (ROOT / name).read_text("utf-8")
