"""Hints name a command that works for the copy that runs, and never the index's `facewarp`."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from facewarp.system import installation
from facewarp.system.installation import (
    EXTRAS,
    Origin,
    install_command,
    install_origin,
    missing_extras,
    packages_of,
)

ROOT = Path(__file__).parents[2]


class Installed:
    """A distribution that says where it came from."""

    requires = (
        "numpy>=1",
        'aiohttp>=3.11; extra == "web"',
        'aiortc>=1.16; extra == "web"',
        'facewarp[web]; extra == "live"',
    )

    def __init__(self, about: object) -> None:
        self._about = about

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return json.dumps(self._about) if self._about else None


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Pretend that this copy lies in site-packages and was installed from somewhere."""

    def pretend(about: object) -> Origin:
        monkeypatch.setattr(installation, "__file__", str(tmp_path / "a" / "b" / "c.py"))
        monkeypatch.setattr(metadata, "distribution", lambda name: Installed(about))
        return install_origin()

    return pretend


def test_a_checkout_is_named_with_its_path() -> None:
    assert install_origin() == Origin(str(ROOT), editable=True)
    command = install_command("web")
    assert command.endswith(f"--editable {ROOT}[web]") or f"'{ROOT}[web]'" in command
    assert sys.executable in command or "uv pip" in command


def test_a_folder_that_was_installed_from_is_named(installed, tmp_path) -> None:
    about = {"url": tmp_path.as_uri(), "dir_info": {}}
    assert installed(about) == Origin(str(tmp_path))
    assert f"{tmp_path}[web]" in install_command("web")
    assert "--editable" not in install_command("web")


def test_an_archive_or_a_repository_is_named(installed, tmp_path) -> None:
    wheel = tmp_path / "facewarp-0.1.0-py3-none-any.whl"
    wheel.touch()
    assert installed({"url": wheel.as_uri(), "archive_info": {}}).place == wheel.as_uri()
    assert f"facewarp[onnx] @ {wheel.as_uri()}" in install_command("onnx")
    address = {"url": "https://example.org/facewarp.git", "vcs_info": {"vcs": "git"}}
    assert installed(address).place == "git+https://example.org/facewarp.git"


@pytest.mark.parametrize("about", [None, {"url": "file:///gone", "dir_info": {}}])
def test_where_the_origin_is_gone_the_packages_are_named(installed, about) -> None:
    assert installed(about) == Origin(None)
    command = install_command("web")
    assert "facewarp" not in command.removeprefix(sys.executable)
    assert "aiortc" in command
    assert "aiohttp" in command
    assert packages_of("live") == packages_of("web") == ["aiohttp>=3.11", "aiortc>=1.16"]


def test_pipx_and_uv_are_asked_where_they_installed(monkeypatch, tmp_path) -> None:
    for parts, begin in (
        (("pipx", "venvs", "facewarp"), "pipx install --force"),
        (("uv", "tools", "facewarp"), "uv tool install --force"),
    ):
        monkeypatch.setattr(sys, "prefix", str(tmp_path.joinpath(*parts)))
        assert install_command("web").startswith(begin)
    made_by_uv = tmp_path / "venv"
    made_by_uv.mkdir()
    (made_by_uv / "pyvenv.cfg").write_text("uv = 0.9\n", "utf-8")
    monkeypatch.setattr(sys, "prefix", str(made_by_uv))
    assert install_command("web").startswith("uv pip install --python")


def test_an_extra_of_extras_is_resolved() -> None:
    assert {re.split(r"\W", line)[0] for line in packages_of("live")} >= {"aiortc", "aiohttp"}


def test_what_is_missing_is_told(monkeypatch) -> None:
    def version(name: str) -> str:
        if name == "aiortc":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    assert missing_extras() == {"web": ["aiortc"]}


def test_every_extra_told_of_exists() -> None:
    assert all(packages_of(extra) for extra in EXTRAS)


def test_no_hint_names_a_package_that_is_not_ours() -> None:
    for folder in ("facewarp", "training"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            assert not re.search(r"pip install [^\n]*facewarp\[", text) or (
                path.name == "installation.py"
            ), path
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = path.read_text("utf-8")
        assert not re.search(r"pip install ['\"]?facewarp\b", text), path


@pytest.mark.slow
def test_the_command_can_be_run() -> None:
    program = install_command("web").partition(" install ")[0]
    if "pip" not in program:
        pytest.skip("no pip here")
    done = subprocess.run(f"{program} --version", shell=True, capture_output=True, check=False)
    assert done.returncode == 0
