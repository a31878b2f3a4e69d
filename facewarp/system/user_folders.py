"""Folders of the user: the cache, the user's own templates, and what lies below any of them."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_json

_log = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """Return facewarp's cache folder of the user, created if need be; None where there can be none.

    ``$XDG_CACHE_HOME/facewarp`` where that is set, else what is the custom of the system.
    """
    try:
        folder = _base() / "facewarp"
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("not writable")
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        _log.debug("nothing is cached: %s", error)
        return None
    return folder


def _base() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ".cache"


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file; empty where it can't be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_cached_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a JSON file at once; a cache that can't be written is no error."""
    try:
        write_json(path, value)
    except FacewarpError as error:
        _log.debug("%s was not written: %s", path, error)


def own_templates() -> Path:
    """Return the folder of the user's own templates; it need not exist.

    ``$XDG_DATA_HOME/facewarp/templates`` where that is set, else what is the custom of the system.
    """
    named = os.environ.get("XDG_DATA_HOME")
    if named:
        base = Path(named)
    elif sys.platform == "darwin":
        base = Path("~/Library/Application Support").expanduser()
    elif sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path("~/AppData/Roaming").expanduser())
    else:
        base = Path("~/.local/share").expanduser()
    return base / "facewarp" / "templates"


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder at any depth, those of linked folders too.

    A subset of a data set is often a folder of links, which `Path.rglob` passes over. Each folder
    is visited once, however many links lead there and even in a circle, and by its own name
    where it has one below `folder`. Hidden folders (``.venv``, ``.Trashes``) are a program's, no
    data of the user, unless `folder` itself is one.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            for place, below, files in os.walk(start):
                status = os.stat(place)
                if (status.st_dev, status.st_ino) in seen:
                    below.clear()
                    continue
                seen.add((status.st_dev, status.st_ino))
                below[:] = sorted(name for name in below if not name.startswith("."))
                links += [path for name in below if (path := Path(place, name)).is_symlink()]
                yield from (path for name in sorted(files) if (path := Path(place, name)).is_file())
        waiting = links
