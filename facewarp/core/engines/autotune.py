"""The engine that is quickest here: measured once per machine, network and set of packages."""

import logging
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import torch

from facewarp.core.engines.base import ENGINES, Engine, is_installed
from facewarp.core.engines.graphs import code_version, example_inputs
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.system.machine import processor
from facewarp.system.user_folders import cache_folder, read_json, write_cached_json

_log = logging.getLogger(__name__)

CHOICES_FILE: Final = "engines.json"
"""Where the choices are remembered, in the cache folder."""

_WARM_UP = 3
_RUNS = 15
_ENOUGH_S = 1.5  # of measuring an engine
_PACKAGES = ("torch", "onnxruntime", "openvino")


def choose(
    net: GuidedRegistration,
    device: torch.device,
    key: str,
    int8: Path | None,
    make_engine: Callable[..., Engine],
) -> Engine:
    """Return the quickest engine for a network.

    Args:
        net: see `factory.make_engine`, which this is called by.
        device: likewise.
        key: likewise.
        int8: likewise.
        make_engine: `factory.make_engine`, which makes an engine by name.
    """
    if device.type != "cpu" or net.config.ndim != 2:
        return make_engine("torch", net, device=device)
    candidates = [
        name
        for name in ENGINES
        if is_installed(name) and (name != "openvino-int8" or int8 is not None)
    ]
    if candidates == ["torch"]:
        return make_engine("torch", net)

    def make(name: str) -> Engine:
        return make_engine(name, net, key=key, int8=int8)

    folder = cache_folder() if key else None
    kept = read_json(folder / CHOICES_FILE) if folder else {}
    entry = kept.get(_circumstances(key, candidates))
    remembered = entry.get("engine") if isinstance(entry, dict) else None
    if remembered in candidates:
        try:
            engine = make(remembered)
        except FacewarpError as error:
            _log.debug("%s: %s", remembered, error)
        else:
            _log.debug("engine: %s, as measured before", engine.summary)
            return engine
    _log.info("measuring which engine is the quickest here (once): %s", ", ".join(candidates))
    engine, times_ms = quickest(make, candidates, net)
    _log.info("engine: %s", engine.summary)
    if folder is not None:
        kept[_circumstances(key, candidates)] = {"engine": engine.name, "ms": times_ms}
        write_cached_json(folder / CHOICES_FILE, kept)
    return engine


def last_choice() -> dict[str, Any] | None:
    """Return what was measured last: the engine taken, and the ms of each; None if never."""
    folder = cache_folder()
    kept = list(read_json(folder / CHOICES_FILE).values()) if folder else []
    return kept[-1] if kept else None


def quickest(
    make: Callable[[str], Engine], candidates: list[str], net: GuidedRegistration
) -> tuple[Engine, dict[str, float]]:
    """Make and measure engines; the quickest, and the milliseconds of each that works.

    Time is the least of some runs of a tracker's frame: what else the machine is doing can only
    add to it.
    """
    images, template = example_inputs(net, "both_ways")
    best: Engine | None = None
    times_ms: dict[str, float] = {}
    for name in candidates:
        try:
            engine = make(name)
            for _ in range(_WARM_UP):
                engine.both_ways(images, template)
        except Exception as error:  # noqa: BLE001 - what an engine fails with is its own affair
            _log.debug("engine %s: %s: %s", name, type(error).__name__, error)
            continue
        times: list[float] = []
        began = perf_counter()
        while len(times) < _RUNS and (perf_counter() - began < _ENOUGH_S or not times):
            start = perf_counter()
            engine.both_ways(images, template)
            times.append(perf_counter() - start)
        times_ms[name] = 1000 * min(times)
        _log.debug("engine %s: %.2f ms", name, times_ms[name])
        if best is None or times_ms[name] < times_ms[best.name]:
            best = engine
    if best is None:
        raise FacewarpError("no engine runs this network here", fix="Try --engine torch -v.")
    return best, times_ms


def _circumstances(key: str, candidates: list[str]) -> str:
    """What a choice holds for: network, code, packages, processor and number of threads."""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    machine = f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    return "; ".join((key[:16], code_version(), ", ".join(candidates), *versions, machine))
