"""Tell whether files are the ones that a job was done with."""

from pathlib import Path

from facewarp.system.user_folders import files_below


def fingerprint(place: Path) -> list[int]:
    """Return number, bytes and newest change (ns) of a file, or of all files below a folder."""
    files = [place] if place.is_file() else list(files_below(place))
    return fingerprint_of(files)


def fingerprint_of(files: list[Path]) -> list[int]:
    """Return number, bytes and newest change (ns) of files."""
    stats = [path.stat() for path in files]
    return [
        len(stats),
        sum(stat.st_size for stat in stats),
        max((stat.st_mtime_ns for stat in stats), default=0),
    ]
