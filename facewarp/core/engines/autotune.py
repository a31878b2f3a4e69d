"""Choose the fastest engine: measured once per machine, network and set of packages."""

import logging
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from facewarp.core.config import ModelConfig
from facewarp.core.engines.base import ENGINES, Engine, Floats, is_installed
from facewarp.core.engines.cache_keys import circumstances
from facewarp.core.weights import Network
from facewarp.errors import FacewarpError
from facewarp.system.user_folders import cache_folder, read_json, write_cached_json

_log = logging.getLogger(__name__)

CHOICES_FILE: Final = "engines.json"
"""Where the choices are remembered, in the cache folder."""

_WARM_UP = 3
_RUNS = 15
_ENOUGH_S = 1.5  # of measuring an engine


def choose(
    net: Network,
    device: str,
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
    if device != "cpu" or net.config.ndim != 2:
        return make_engine("torch", net, device=device)
    candidates = [
        name
        for name in ENGINES
        if is_installed(name) and (name != "openvino-int8" or int8 is not None)
    ]
    if len(candidates) == 1:
        return make_engine(candidates[0], net, key=key, int8=int8)

    def make(name: str) -> Engine:
        return make_engine(name, net, key=key, int8=int8)

    folder = cache_folder() if key else None
    kept = read_json(folder / CHOICES_FILE) if folder else {}
    entry = kept.get(circumstances(key, candidates))
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
        kept[circumstances(key, candidates)] = {"engine": engine.name, "ms": times_ms}
        write_cached_json(folder / CHOICES_FILE, kept)
    return engine


def last_choice() -> dict[str, Any] | None:
    """Return the last measurement: the engine chosen, and the ms of each; None if never."""
    folder = cache_folder()
    kept = list(read_json(folder / CHOICES_FILE).values()) if folder else []
    return kept[-1] if kept else None


def quickest(
    make: Callable[[str], Engine], candidates: list[str], net: Network
) -> tuple[Engine, dict[str, float]]:
    """Make and time engines; return the fastest, and the milliseconds of each that works.

    Time is the minimum over runs of a tracker's frame: other load can only add to it.
    """
    images, template = _frame(net.config)
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


def _frame(config: ModelConfig) -> tuple[Floats, Floats]:
    """Inputs of a tracker's frame: a grey image, and parts that are equally likely."""
    images = np.full((1, 1, *config.grid_shape), 0.5, np.float32)
    shape = (1, config.n_classes, *config.feature_shape)
    return images, np.full(shape, 1 / config.n_classes, np.float32)
