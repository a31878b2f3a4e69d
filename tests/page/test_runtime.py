"""The runtime of the page: pinned, checked by hash, kept, and what is said where it can't come."""

import hashlib
import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from facewarp.errors import FacewarpError
from facewarp.page import runtime

REGISTRY = "https://registry.npmjs.org/"
SOURCE = Path(str(files("facewarp.assets"))) / "page"


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """An npm that writes files of its own, and the hashes that the lock names for them."""
    told: dict[str, Any] = {"runs": 0, "content": b"runtime"}

    def install(command: list[str], *, cwd: Path, **options: Any) -> None:
        told["runs"] += 1
        told["command"] = command
        if "stderr" in told:
            raise subprocess.CalledProcessError(1, command, stderr=told["stderr"])
        for path in runtime.FILES.values():
            file = cwd / "node_modules" / runtime.PACKAGE / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(told["content"])

    source = tmp_path / "page"
    source.mkdir()
    for name in ("package.json", "package-lock.json"):
        (source / name).write_bytes((SOURCE / name).read_bytes())
    digest = hashlib.sha256(b"runtime").hexdigest()
    (source / runtime.HASHES).write_text(json.dumps(dict.fromkeys(runtime.FILES, digest)))
    monkeypatch.setattr(runtime, "_source", lambda: source)
    monkeypatch.setattr(runtime.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(runtime.subprocess, "run", install)
    monkeypatch.setattr(runtime, "cache_folder", lambda: tmp_path / "cache")
    return told


def test_it_is_fetched_once_and_no_script_is_run(npm: dict[str, Any]) -> None:
    assert set(runtime.runtime_files()) == set(runtime.FILES)
    assert runtime.runtime_files()["ort-wasm-simd-threaded.wasm"] == b"runtime"
    assert npm["runs"] == 1
    assert npm["command"][1:3] == ["ci", "--ignore-scripts"]
    assert "--omit=dev" in npm["command"]


def test_another_file_than_the_locked_one_is_refused(npm: dict[str, Any]) -> None:
    npm["content"] = b"something else"
    with pytest.raises(FacewarpError, match="not the file that was locked"):
        runtime.runtime_files()


def test_a_damaged_cache_is_fetched_anew(npm: dict[str, Any], tmp_path: Path) -> None:
    runtime.runtime_files()
    for file in (tmp_path / "cache").rglob("*.wasm"):
        file.write_bytes(b"cut")
    assert set(runtime.runtime_files().values()) == {b"runtime"}
    assert npm["runs"] == 2


def test_npm_says_why(npm: dict[str, Any]) -> None:
    npm["stderr"] = "npm warn old\nnpm error code ENOTFOUND\nnpm error network\n"
    with pytest.raises(FacewarpError, match="could not fetch onnxruntime-web: code ENOTFOUND"):
        runtime.runtime_files()


def test_without_npm_it_is_said_what_is_missing(
    npm: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.shutil, "which", lambda name: None)
    with pytest.raises(FacewarpError, match=r"npm, which is not installed.*nodejs"):
        runtime.runtime_files()


def test_the_lock_file_pins_one_version_with_its_hash() -> None:
    package = json.loads((SOURCE / "package.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
    locked = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for path, entry in locked.items():
        if path:
            assert entry["integrity"].startswith("sha512-"), path
            assert entry.get("resolved", REGISTRY).startswith(REGISTRY), path
    assert set(json.loads((SOURCE / runtime.HASHES).read_text())) == set(runtime.FILES)
    assert "Permission is hereby granted" in runtime.licence_text()


def test_the_repository_holds_none_of_it() -> None:
    assert not [path for path in SOURCE.rglob("*") if path.suffix == ".wasm"]
    assert not (SOURCE / "ort.wasm.bundle.min.mjs").exists()
