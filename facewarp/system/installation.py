"""How this copy of facewarp was installed, and the command that adds an extra to it.

facewarp is on no package index: `pip install facewarp[web]` would fetch whatever somebody uploads
under that name. So the command names the folder or archive that this copy came from, or else the
packages themselves.
"""

import json
import os
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from facewarp.errors import shell_word

EXTRAS: Final = {
    "cameras": "cameras by name, with their modes",
    "cluster": "facewarp cine --ray: cohorts on a cluster",
    "dicom-out": "results as DICOM objects under the study",
    "exr": "facewarp track --passes: layers for compositors as OpenEXR",
    "heic": "photographs in HEIC, as iPhones take them",
    "mediapipe": "facewarp track --detector mediapipe, which others are compared with",
    "onnx": "the engine onnx, and facewarp export --format onnx",
    "openvino": "the engines openvino and openvino-int8, and facewarp export --format openvino",
    "plates": "16-bit PNG and TIFF, OpenEXR and DPX in and out of facewarp track",
    "train": "figures and tensorboard of facewarp train and eval",
    "virtual-camera": "facewarp live --virtual-camera",
    "web": "facewarp live --web",
}
"""The extras that a user may want, and what each brings."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Origin:
    """What this copy was installed from.

    Attributes:
        place: The folder of a checkout, or the address of an archive or repository; None where
            that is not known, or the folder is gone.
        editable: Whether the checkout's own files run.
    """

    place: str | None
    editable: bool = False


def install_command(*extras: str, packages: Sequence[str] = ()) -> str:
    """Return the command that adds extras to this copy of facewarp.

    Args:
        extras: Names in pyproject.toml.
        packages: Further packages of no extra.
    """
    origin = install_origin()
    if not extras:
        wanted = list(packages)
    elif origin.place is None:
        wanted = [*packages_of(*extras), *packages]
    else:
        named = f"[{','.join(extras)}]"
        is_folder = "://" not in origin.place
        target = f"{origin.place}{named}" if is_folder else f"facewarp{named} @ {origin.place}"
        wanted = [*(["--editable"] if origin.editable else []), target, *packages]
    return " ".join(
        [*_installer(bool(extras) and origin.place is not None), *map(shell_word, wanted)]
    )


def install_origin() -> Origin:
    """Return what this copy of facewarp was installed from."""
    checkout = _checkout()
    if checkout is not None:
        return Origin(str(checkout), editable=True)
    try:
        text = metadata.distribution("facewarp").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        text = None
    if not text:
        return Origin(None)
    about = json.loads(text)
    parts = urlsplit(about["url"])
    editable = bool(about.get("dir_info", {}).get("editable"))
    if parts.scheme != "file":
        kind = about.get("vcs_info", {}).get("vcs")
        return Origin(f"{kind}+{about['url']}" if kind else about["url"])
    path = Path(unquote(parts.path).lstrip("/") if os.name == "nt" else unquote(parts.path))
    if not path.exists():
        return Origin(None)
    return Origin(str(path) if path.is_dir() else about["url"], editable)


def packages_of(*extras: str) -> list[str]:
    """Return the requirements that extras bring, without their markers."""
    found: list[str] = []
    for requirement in _requirements(extras):
        inner = re.fullmatch(r"facewarp\[([^\]]+)\]", requirement)
        found += packages_of(*inner[1].split(",")) if inner else [requirement]
    return list(dict.fromkeys(found))


def missing_extras() -> dict[str, list[str]]:
    """Return the extras that are not all there, with the names of the packages that they lack."""
    lacking: dict[str, list[str]] = {}
    for extra in EXTRAS:
        for requirement in packages_of(extra):
            name = _NAME.match(requirement)
            if name and not _is_installed(name[0]):
                lacking.setdefault(extra, []).append(name[0])
    return lacking


def _checkout() -> Path | None:
    """Return the checkout whose own files run; None for a copy that was installed."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").is_file() else None


def _requirements(extras: Sequence[str]) -> list[str]:
    """Read the extras of pyproject.toml; what an editable install noted of it may be older."""
    checkout = _checkout()
    if checkout is not None:
        project = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]
        listed = [line for extra in extras for line in project["optional-dependencies"][extra]]
        return [line.partition(";")[0].strip() for line in listed]
    try:
        lines = metadata.requires("facewarp") or []
    except metadata.PackageNotFoundError:
        return []
    parts = [line.partition(";") for line in lines]
    return [line.strip() for line, _, mark in parts if set(_OF_EXTRA.findall(mark)) & set(extras)]


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _installer(reinstalls: bool) -> list[str]:
    """Tell what installs into this environment: pip, or pipx or uv where they made it."""
    home = Path(sys.prefix)
    if home.name == "facewarp" and home.parent.name == "venvs" and "pipx" in home.parts:
        return ["pipx", "install", "--force"] if reinstalls else ["pipx", "inject", "facewarp"]
    if home.name == "facewarp" and home.parent.name == "tools" and "uv" in home.parts:
        if reinstalls:
            return ["uv", "tool", "install", "--force"]
        return ["uv", "pip", "install", "--python", shell_word(sys.executable)]
    if not (home / "bin" / "pip").exists() and (home / "pyvenv.cfg").is_file():
        text = (home / "pyvenv.cfg").read_text("utf-8")
        if re.search(r"^uv\s*=", text, re.M):
            return ["uv", "pip", "install", "--python", shell_word(sys.executable)]
    return [shell_word(sys.executable), "-m", "pip", "install"]
