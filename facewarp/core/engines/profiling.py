"""Profiling: time methods side by side on this machine; count operations and memory."""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import nn

from facewarp.core.engines.graphs import BothWaysGraph, example_inputs
from facewarp.core.networks.guided_registration import GuidedRegistration

WARM_UP, BLOCK = 2, 10


@dataclass(frozen=True)
class Timed:
    """Times of the calls of a method.

    Attributes:
        name: what was called.
        median_ms: of the calls.
        p95_ms: 95th percentile.
    """

    name: str
    median_ms: float
    p95_ms: float

    @property
    def fps(self) -> float:
        """Calls a second at the median."""
        return 1000 / self.median_ms


def time_in_turn(methods: Mapping[str, Callable[[], object]], calls: int) -> list[Timed]:
    """Time methods in turn, a block of calls each, round by round: all meet the same load.

    Args:
        methods: what to call, by name.
        calls: how many calls count, at least; each block of ten comes after two to warm up.
    """
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(math.ceil(calls / BLOCK)):
        for name, method in methods.items():
            for call in range(-WARM_UP, BLOCK):
                began = perf_counter()
                method()
                if call >= 0:
                    times[name].append(1000 * (perf_counter() - began))
    return [
        Timed(name, median(values), float(np.percentile(values, 95)))
        for name, values in times.items()
    ]


def multiply_adds(net: GuidedRegistration) -> dict[str, int]:
    """Count the multiply-adds of each convolution, by name, for one image registered both ways."""
    counts: dict[str, int] = {}

    def counter(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        def count(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            kernel = module.get_parameter("weight")[0].numel()
            counts[name] = counts.get(name, 0) + output.numel() * kernel

        return count

    inputs = example_inputs(net, "both_ways")
    hooks = [
        layer.register_forward_hook(counter(name))
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        with torch.inference_mode():
            BothWaysGraph(net)(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return counts


def matrix_rate(size: int = 768, rounds: int = 30) -> float:
    """Measure the multiply-adds per second of a float matrix product, the best of some rounds."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(rounds):
        began = perf_counter()
        a @ b
        best = min(best, perf_counter() - began)
    return size**3 / best


def peak_memory_mb(model: str, engine: str) -> float | None:
    """Measure the peak memory of a process that runs a model with an engine; None if unknown."""
    code = f"""
import sys
import numpy as np
from facewarp.core.model import load
model = load({model!r}, engine={engine!r})
config = model.config
images = np.full((1, 1, *config.grid_shape), 0.5, np.float32)
template = np.full((1, config.n_classes, *config.feature_shape), 0.125, np.float32)
for _ in range(5):
    model.engine.from_template(images, template)
try:  # on Linux the other number counts what the parent had
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(peak / 1e3)
except OSError:
    try:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(peak / (1e6 if sys.platform == "darwin" else 1e3))
    except ImportError:
        print("null")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    value: float | None = json.loads(done.stdout.splitlines()[-1])
    return value
