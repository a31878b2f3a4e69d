"""Names of NIfTI files."""

from pathlib import Path
from typing import Final

SUFFIXES: Final = (".nii", ".nii.gz")


def is_nifti(path: Path) -> bool:
    """Whether a path is named like a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def stem(path: Path) -> str:
    """Return a file's name without ``.nii`` or ``.nii.gz``."""
    name = path.name
    for suffix in (".gz", ".nii"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return name
