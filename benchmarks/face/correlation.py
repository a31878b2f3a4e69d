"""FlowNet's correlation layer, forward and backward: by matrix products, and by shifts.

    python benchmarks/face/correlation.py [--threads 1] [--runs 3] [--channels 64 256] [--json]

Both take turns in one run on the same features, 8 pairs of 40 x 33, with the published reach of 20
and stride of 2: 441 displacements. Times are medians of the values and both gradients.
"""

import argparse
import json
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.system.machine import machine
from facewarp.training.baselines.faces.flownet import REACH, STRIDE, correlation

PAIRS, HEIGHT, WIDTH = 8, 40, 33


def by_shifts(fixed: Tensor, moving: Tensor) -> Tensor:
    """Compute `correlation` one displacement after the other."""
    padded = F.pad(moving, [REACH] * 4)
    steps = range(0, 2 * REACH + 1, STRIDE)
    shifted = (padded[..., y : y + HEIGHT, x : x + WIDTH] for y in steps for x in steps)
    return torch.stack([(fixed * one).mean(1) for one in shifted], 1)


def seconds(layer: Callable[[Tensor, Tensor], Tensor], channels: int) -> float:
    """Time one forward and backward pass."""
    random = torch.Generator().manual_seed(0)
    fixed, moving = torch.randn(2, PAIRS, channels, HEIGHT, WIDTH, generator=random)
    fixed.requires_grad_()
    moving.requires_grad_()
    began = perf_counter()
    layer(fixed, moving).square().sum().backward()
    return perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each")
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = []
    for channels in given.channels:
        times: dict[str, list[float]] = {"products": [], "shifts": []}
        for round_ in range(given.runs + 1):  # the first warms up
            for name, layer in (("products", correlation), ("shifts", by_shifts)):
                found = seconds(layer, channels)
                if round_:
                    times[name].append(found)
        rows.append({"channels": channels, **{name: median(all_) for name, all_ in times.items()}})
    if given.json:
        sys.stdout.write(json.dumps({"machine": machine(), "rows": rows}) + "\n")
        return
    print(f"{machine()}; medians of {given.runs} runs")
    print("| channels | matrix products, s | shifts and products, s | times |\n|---|---|---|---|")
    for row in rows:
        ratio = row["shifts"] / row["products"]
        print(f"| {row['channels']} | {row['products']:.2f} | {row['shifts']:.2f} | {ratio:.0f} |")


if __name__ == "__main__":
    main()
