"""What cached graphs and choices are known by: the code, the packages, the machine."""

import hashlib
import os
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from facewarp.system.machine import processor

_CORE = Path(__file__).parents[1]
_SOURCES: Final = (
    "config.py",
    "fields.py",
    "geometry.py",
    "networks/layers.py",
    "networks/part_net.py",
    "networks/reg_net.py",
    "networks/guided_registration.py",
    "engines/graphs.py",
)
_PACKAGES: Final = ("torch", "onnxruntime", "openvino")
_THREADS: Final = "OMP_NUM_THREADS"


@cache
def code_version() -> str:
    """Return what the code that graphs are made from is known by: converted graphs fit no other."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((_CORE / name).read_bytes())
    return digest.hexdigest()[:12]


def circumstances(key: str, candidates: list[str]) -> str:
    """Return what an engine's choice holds for: network, code, packages, processor, threads.

    Args:
        key: of the network.
        candidates: names of the engines that are chosen from.
    """
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    threads = os.environ.get(_THREADS) or "all"
    machine = f"{processor()}, {_cores()} cores, {threads} threads"
    return "; ".join((key[:16], code_version(), ", ".join(candidates), *versions, machine))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
