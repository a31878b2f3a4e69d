"""Cache of networks that were made ready for an engine: what was long not used is removed."""

import contextlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

MOST_BYTES: Final = 500_000_000
"""Of compiled models; those used last stay."""

_UNUSED_S: Final = 30 * 86_400.0
_OTHER_VERSION_S: Final = 7 * 86_400.0  # two environments may take turns
_IN_USE_S: Final = 3600.0  # another process may be about to read it

COMPILED: Final = "compiled"
"""Folder of compiled models in the folder of an engine's version; each file is an entry."""

_ENGINES: Final = ("openvino-", "onnx")
_REMOVED: Final = ".removed-"


@dataclass(frozen=True)
class Entry:
    """A file or a folder of files that is kept and removed as one.

    Attributes:
        path: of it.
        used: when it was last read or written, seconds since the epoch.
        nbytes: size of its files.
    """

    path: Path
    used: float
    nbytes: int


def mark_used(path: Path) -> None:
    """Note that an entry, or a file of one, is used now; one that can't be marked is no error."""
    with contextlib.suppress(OSError):
        os.utime(path)


def entries(cache: Path) -> list[Entry]:
    """List what is kept for engines.

    Args:
        cache: facewarp's cache folder.
    """
    found = []
    for engine in _listed(cache):
        if engine.name.startswith(_ENGINES) and engine.is_dir():
            for path in _listed(engine):
                parts = _listed(path) if path.name == COMPILED else [path]
                found += [entry for part in parts if (entry := _entry(part)) is not None]
    return found


def prune(cache: Path, version: str | None = None) -> None:
    """Remove what was not used for a month, or for a week if it is another version's.

    Compiled models beyond `MOST_BYTES` go too, those used longest ago first; what was converted,
    a few MB, is what they can be made from again without torch. Other processes may be at work: who
    has opened an entry goes on reading it where the system allows it, an entry vanishes at once,
    and what was used within the last hour stays.

    Args:
        cache: facewarp's cache folder.
        version: name of the folder of the version of OpenVINO that runs; None where none does.
    """
    now, left = time.time(), 0
    for entry in sorted(entries(cache), key=lambda entry: entry.used, reverse=True):
        engine = entry.path.relative_to(cache).parts[0]
        is_other = version is not None and engine.startswith("openvino-") and engine != version
        unused_s = now - entry.used
        old = unused_s > (_OTHER_VERSION_S if is_other else _UNUSED_S)
        nbytes = entry.nbytes if entry.path.parent.name == COMPILED else 0
        surplus = nbytes > 0 and unused_s > _IN_USE_S and left + nbytes > MOST_BYTES
        if old or surplus or entry.path.name.startswith(_REMOVED):
            _remove(entry.path)
        else:
            left += nbytes
    for engine_folder in _listed(cache):
        if engine_folder.name.startswith("openvino-") and engine_folder.name != version:
            for folder in (engine_folder / COMPILED, engine_folder):
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; links count as nothing."""
    return sum(size for size, _ in _files(path))


def _entry(path: Path) -> Entry | None:
    """Return what is kept at a path; None where it has gone meanwhile, or is being written."""
    if path.name.startswith(".") and not path.name.startswith(_REMOVED):
        return None
    files = list(_files(path))
    if not files:
        return None
    return Entry(path, max(used for _, used in files), sum(size for size, _ in files))


def _remove(path: Path) -> None:
    """Remove an entry: under its name it is whole, or not there."""
    aside = path.with_name(f"{_REMOVED}{secrets.token_hex(4)}")
    try:
        path.rename(aside)
        if aside.is_dir():
            shutil.rmtree(aside)
        else:
            aside.unlink()
    except OSError as error:  # another process was quicker, or reads it on Windows
        _log.debug("%s was not removed: %s", path, error)
    else:
        _log.debug("removed %s, long not used", path)


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing where it is none or can't be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _files(path: Path) -> Iterator[tuple[int, float]]:
    """Size and time of a file, or of each file in a folder."""
    below = [Path(where, name) for where, _, names in os.walk(path) for name in names]
    for file in below or [path]:
        with contextlib.suppress(OSError):
            if file.is_file() and not file.is_symlink():
                status = file.stat()
                yield status.st_size, status.st_mtime
