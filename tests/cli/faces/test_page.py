"""`facewarp page`: what it says, and what it serves."""

import json
import threading
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.errors import FacewarpError
from facewarp.page import build, networks, server


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the library was asked to build; it writes one file."""
    calls: list[dict[str, object]] = []

    def build_page(target: Path, **options: object) -> dict[str, int]:
        calls.append({"target": target, **options})
        target.mkdir(parents=True)
        (target / "index.html").write_text("<!doctype html>")
        return {"index.html": 15}

    monkeypatch.setattr(build, "build_page", build_page)
    return calls


def test_it_builds_what_is_asked_for(built: list[dict[str, object]], tmp_path: Path) -> None:
    out = tmp_path / "site"
    words = ["--json", "page", str(out), "--template", "average", "--max-size", "12"]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    assert built == [{"target": out, "template": "average", "max_size_mb": 12.0}]
    assert json.loads(run.stdout)["bytes"] == 15


def test_it_serves_the_page(
    built: list[dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def serve(self: server.PageServer) -> None:
        thread = threading.Thread(target=self._server.handle_request)
        thread.start()
        with urllib.request.urlopen(self.address, timeout=20) as answer:
            seen.append((answer.status, answer.headers["Cross-Origin-Embedder-Policy"]))
        thread.join()
        self._server.server_close()

    monkeypatch.setattr(server.PageServer, "serve", serve)
    run = CliRunner().invoke(app, ["page", str(tmp_path / "site"), "--serve", "--port", "0"])
    assert run.exit_code == 0, run.output
    assert seen == [(200, "require-corp")]
    assert "http://127.0.0.1:" in run.output


def test_what_is_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(target: Path, **options: object) -> dict[str, int]:
        raise FacewarpError("the page's runtime comes from npm", fix="Install Node.js.")

    monkeypatch.setattr(build, "build_page", fail)
    run = CliRunner().invoke(app, ["page", str(tmp_path / "site")])
    assert run.exit_code == 1
    assert "npm" in run.output
    assert not (tmp_path / "site").exists()


def test_what_can_not_be_written_is_told_before_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "find_spec", lambda name: None)
    (tmp_path / "file").write_text("mine")
    run = CliRunner().invoke(app, ["page", str(tmp_path / "file")])
    assert run.exit_code == 1
    assert "a file, not a folder" in run.output
    run = CliRunner().invoke(app, ["page", str(tmp_path / "site")])
    assert run.exit_code == 1
    assert "onnx" in run.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
