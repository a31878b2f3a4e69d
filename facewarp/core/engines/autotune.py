"""Choose the fastest engine: known for 8-bit weights, or measured once per machine and network."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from facewarp.core.config import ModelConfig
from facewarp.core.engines.base import ENGINES, Engine, Floats, Images, is_installed
from facewarp.core.engines.cache_keys import circumstances
from facewarp.core.weights import Network
from facewarp.errors import FacewarpError
from facewarp.system.machine import has_avx2, is_busy
from facewarp.system.user_folders import cache_folder, read_json, write_cached_json

_log = logging.getLogger(__name__)

CHOICES_FILE: Final = "engines.json"
"""Where the choices are remembered, in the cache folder."""

KNOWN: Final = "openvino-int8"
"""The engine that is taken unmeasured on x86-64 processors with AVX2."""

_WARM_UP = 3
_ROUNDS = 5
_RUNS = 3  # of an engine, one after the other, in each round
_ENOUGH_S = 1.5  # of measuring an engine


def choose(
    net: Network,
    device: str,
    key: str,
    int8: Path | None,
    make_engine: Callable[..., Engine],
) -> Engine:
    """Return the quickest engine for a network.

    What was the same on every processor that was measured is not measured again. OpenVINO with
    8-bit weights was the quickest on each with AVX2, and takes two seconds to be made where the
    others, which torch converts, take half a minute; so there it is taken, unless it fails. And
    torch itself is not tried where another engine is installed: it was slower, and importing it
    takes a second. A measurement on a machine that was busy holds until it can be repeated on one
    that is not.

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
        if name != "torch" and is_installed(name) and (name != "openvino-int8" or int8 is not None)
    ]

    def make(name: str) -> Engine:
        return make_engine(name, net, key=key, int8=int8)

    if KNOWN in candidates and has_avx2():
        try:
            return make(KNOWN)
        except FacewarpError as error:
            _log.debug("%s: %s", KNOWN, error)
            candidates.remove(KNOWN)
    try:
        if len(candidates) > 1:
            return _measured_or_remembered(make, candidates, net, key)
        if candidates:
            return make(candidates[0])
    except FacewarpError as error:
        _log.debug("%s: torch takes over", error)
    return make("torch")


def _measured_or_remembered(
    make: Callable[[str], Engine], candidates: list[str], net: Network, key: str
) -> Engine:
    folder = cache_folder() if key else None
    kept = read_json(folder / CHOICES_FILE) if folder else {}
    entry, busy = kept.pop(circumstances(key, candidates), None), is_busy()
    known = entry if isinstance(entry, dict) else {}
    if known.get("engine") in candidates and (busy or not known.get("busy")):
        try:
            engine = make(known["engine"])
        except FacewarpError as error:
            _log.debug("%s: %s", known["engine"], error)
        else:
            _log.debug("engine: %s, as measured before", engine.summary)
            return engine
    _log.info(
        "measuring which engine is the quickest on this machine (once; it may take a minute): %s",
        ", ".join(candidates),
    )
    engine, times_ms = quickest(make, candidates, net)
    _log.debug("engine: %s", engine.summary)
    if folder is not None:
        day = datetime.now().astimezone().date().isoformat()
        found = {"engine": engine.name, "ms": times_ms, "measured": day, "busy": busy}
        kept[circumstances(key, candidates)] = found
        write_cached_json(folder / CHOICES_FILE, kept)
    return engine


def last_choice() -> dict[str, Any] | None:
    """Return the last measurement; None if there was none.

    `engine` is the one chosen, `ms` the milliseconds of each, `measured` the day (ISO 8601), `busy`
    whether other programs held the processor meanwhile.
    """
    folder = cache_folder()
    kept = list(read_json(folder / CHOICES_FILE).values()) if folder else []
    return kept[-1] if kept else None


def describe_choice(choice: Mapping[str, Any]) -> str:
    """Describe a measurement for people: the milliseconds of each engine, when, under what load."""
    times = ", ".join(f"{engine} {ms:.1f}" for engine, ms in choice["ms"].items())
    when = f", measured {choice['measured']}" if choice.get("measured") else ""
    busy = "; the machine was busy, so it is measured again once it is not"
    return f"ms a frame: {times}{when}{busy if choice.get('busy') else ''}"


def quickest(
    make: Callable[[str], Engine], candidates: list[str], net: Network
) -> tuple[Engine, dict[str, float]]:
    """Make and time engines; return the fastest, and the milliseconds of each that works.

    Engines take turns, so that all meet the same load, and the time of each is the minimum over
    runs of a tracker's frame: other load can only add to it.
    """
    images, template = _frame(net.config)
    engines: dict[str, Engine] = {}
    for name in candidates:
        try:
            engine = make(name)
            for _ in range(_WARM_UP):
                engine.from_template(images, template)
        except Exception as error:  # noqa: BLE001 - what an engine fails with is its own affair
            _log.debug("engine %s: %s: %s", name, type(error).__name__, error)
        else:
            engines[name] = engine
    if not engines:
        raise FacewarpError("no engine runs this network here", fix="Try --engine torch -v.")
    times_s: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(_ROUNDS):
        for name, engine in engines.items():
            for _ in range(_RUNS):
                if not times_s[name] or sum(times_s[name]) < _ENOUGH_S:
                    start = perf_counter()
                    engine.from_template(images, template)
                    times_s[name].append(perf_counter() - start)
    times_ms = {name: 1000 * min(times) for name, times in times_s.items()}
    _log.debug("engines: %s", ", ".join(f"{name} {ms:.2f} ms" for name, ms in times_ms.items()))
    return engines[min(times_ms, key=times_ms.__getitem__)], times_ms


def _frame(config: ModelConfig) -> tuple[Images, Floats]:
    """Make inputs of a tracker's frame: a grey image, and parts that are equally likely."""
    images = np.full((1, 1, *config.grid_shape), 128, np.uint8)
    shape = (1, config.n_classes, *config.feature_shape)
    return images, np.full(shape, 1 / config.n_classes, np.float32)
