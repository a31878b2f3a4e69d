"""Tell whether files are the ones that a job was done with."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from facewarp.system.user_folders import files_below


def fingerprint(place: Path) -> list[int]:
    """Return what `fingerprint_of` does of a file, or of all files below a folder."""
    return fingerprint_of([place] if place.is_file() else list(files_below(place)))


def fingerprint_of(files: Sequence[Path]) -> list[int]:
    """Return number, bytes, newest change (ns) of files, and a hash of each one's own and its name.

    Names count from the folder that all lie in, so that a folder may be moved: a file of another
    name may be another phase, and one put back from a copy is no newer than the others.
    """
    stats = [path.stat() for path in files]
    top = os.path.commonpath([path.parent for path in files]) if files else ""
    told = sorted(
        (Path(os.path.relpath(path, top)).as_posix(), stat.st_size, stat.st_mtime_ns)
        for path, stat in zip(files, stats, strict=True)
    )
    digest = hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).digest()
    return [
        len(stats),
        sum(stat.st_size for stat in stats),
        max((stat.st_mtime_ns for stat in stats), default=0),
        int.from_bytes(digest[:6], "big"),  # exact in JSON readers that know doubles alone
    ]
