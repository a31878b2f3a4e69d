"""ONNX Runtime for browsers: its npm package, at the version of a lock file, checked by hash."""

import hashlib
import json
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError
from facewarp.system.user_folders import cache_folder

_log = logging.getLogger(__name__)

PACKAGE: Final = "onnxruntime-web"

FILES: Final[Mapping[str, str]] = {
    "ort.wasm.bundle.min.mjs": "dist/ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm": "dist/ort-wasm-simd-threaded.wasm",
}
"""The files that the page needs, by the names they get there."""

HASHES: Final = "runtime.json"
"""Beside the lock file: SHA-256 of each of `FILES`."""

_LOCK: Final = ("package.json", "package-lock.json")
_PATIENCE_S: Final = 300


def runtime_files() -> dict[str, bytes]:
    """Return the runtime's files: installed by ``npm ci``, kept in the cache for the next time.

    Raises:
        FacewarpError: there is no npm, it fails, or what it brings is not what was locked.
    """
    folder = _source()
    wanted = json.loads((folder / HASHES).read_text("utf-8"))
    lock = hashlib.sha256(b"".join((folder / name).read_bytes() for name in _LOCK)).hexdigest()
    cache = cache_folder()
    kept = cache / f"page-runtime-{lock[:16]}" if cache else None
    if kept is not None and (found := _read(kept, wanted)):
        return found
    with tempfile.TemporaryDirectory(prefix="facewarp-npm-") as name:
        package = install_packages(folder, Path(name)) / "node_modules" / PACKAGE
        brought = {name: (package / path).read_bytes() for name, path in FILES.items()}
    for name, content in brought.items():
        if hashlib.sha256(content).hexdigest() != wanted[name]:
            raise FacewarpError(
                f"{name} of {PACKAGE} is not the file that was locked",
                fix="Check the registry that npm uses: npm config get registry.",
            )
    if kept is not None:
        _keep(kept, brought)
    return brought


def runtime_version() -> str:
    """Return the version of the npm package."""
    lock = json.loads((_source() / "package-lock.json").read_text("utf-8"))
    return str(lock["packages"][f"node_modules/{PACKAGE}"]["version"])


def licence_text() -> str:
    """Return the licence of the runtime, which its npm package names but does not hold."""
    return (_source() / "onnxruntime-LICENSE.txt").read_text("utf-8")


def install_packages(source: Path, folder: Path, *, development: bool = False) -> Path:
    """Run ``npm ci`` with a lock file in a folder of its own.

    Args:
        source: holds ``package.json`` and ``package-lock.json``.
        folder: where they are copied and installed.
        development: what the JavaScript is checked with too.

    Returns:
        The folder.

    Raises:
        FacewarpError: there is no npm, or it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FacewarpError(
            f"the page's runtime, {PACKAGE}, comes from npm, which is not installed",
            fix="Install Node.js with npm: https://nodejs.org, or apt-get install npm.",
        )
    for name in _LOCK:
        shutil.copy2(source / name, folder / name)
    # No package may run a script of its own here.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    command += [] if development else ["--omit=dev"]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_PATIENCE_S
        )
    except subprocess.TimeoutExpired as error:
        raise FacewarpError(
            f"npm did not answer within {_PATIENCE_S} s", fix="Check the network, and try again."
        ) from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if "npm error" in line] or ["no reason"]
        raise FacewarpError(
            f"npm could not fetch {PACKAGE}: {lines[0].removeprefix('npm error ')}",
            fix="Check the network; the registry is that of npm config get registry.",
        ) from error
    return folder


def _source() -> Path:
    return Path(str(files("facewarp.assets"))) / "page"


def _read(folder: Path, wanted: Mapping[str, str]) -> dict[str, bytes] | None:
    """Files that were kept, if they are all there and whole."""
    found = {}
    for name in FILES:
        try:
            content = (folder / name).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != wanted[name]:
            _log.debug("%s in the cache is damaged", name)
            return None
        found[name] = content
    return found


def _keep(folder: Path, contents: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            temporary = folder / f"{name}.partial"
            temporary.write_bytes(content)
            temporary.replace(folder / name)
    except OSError as error:
        _log.debug("the runtime is not kept: %s", error)
