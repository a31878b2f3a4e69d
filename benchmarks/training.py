"""Training speed in pairs per second: ours, and the paper's recipe as published.

    python benchmarks/training.py [--threads 2] [--steps 4] [--batch 4] [--clock cpu] [--json]

The recipe: two steps at the size of the paper, control points interpolated and smoothed by three
pooling filters, warps, composition and labels at full size, Adam, one direction of each pair. Ours:
the preset ``face``, which trains both directions of a pair, and ``paper``, the same network as the
recipe's with splines as small matrices. All take turns in one run, on the same drawn faces; times
are those of whole optimisation steps, without making the batches. On a machine that does other
work too, ``--clock cpu`` counts the processor's time of this process in place of the wall's.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from facewarp.system.machine import machine
from facewarp.training.baselines.faces.paper_recipe import train_published
from facewarp.training.config.presets import PRESETS
from facewarp.training.dataloading.batches import Batch
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.trainer import Trainer

RECIPE = "paper's recipe, pooled splines at full size"


def steps_of(batches: FaceBatches) -> dict[str, tuple[int, Callable[[Batch], object]]]:
    """Return an optimization step of each, and the directions of a pair that it trains."""
    found: dict[str, tuple[int, Callable[[Batch], object]]] = {
        RECIPE: (1, train_published(batches.batch(0)))
    }
    for name in ("paper", "face"):
        config = replace(PRESETS[name], batch=batches.batch_size)
        trainer = Trainer(config, batches, Path(tempfile.gettempdir()), {})
        found[f"preset {name}"] = (1 + config.both_directions, trainer.train_step)
        half = Trainer(
            replace(config, precision="bfloat16"), batches, Path(tempfile.gettempdir()), {}
        )
        found[f"preset {name}, bfloat16"] = (1 + config.both_directions, half.train_step)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=4, help="timed steps of each")
    parser.add_argument("--batch", type=int, default=4, help="pairs a step")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = perf_counter if given.clock == "wall" else process_time
    batches = FaceBatches([synthetic_faces(np.random.default_rng(0), 8)], given.batch)
    batch = batches.batch(0)
    runs = steps_of(batches)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(given.steps + 1):  # the first warms up
        for name, (_, step) in runs.items():
            began = clock()
            step({key: rows.clone() for key, rows in batch.items()})
            if round_:
                times[name].append(clock() - began)
    rows = []
    for name, (directions, _) in runs.items():
        pairs = directions * given.batch / float(np.median(times[name]))
        rows.append({"method": name, "pairs_per_s": pairs})
    reference = rows[0]["pairs_per_s"]
    for row in rows:
        row["times"] = row["pairs_per_s"] / reference  # type: ignore[operator]
    if given.json:
        sys.stdout.write(json.dumps({"machine": machine(), "rows": rows}) + "\n")
        return
    print(f"{machine()}; batches of {given.batch}, medians of {given.steps} steps, {given.clock}")
    print("| | directed pairs a second | times the recipe |\n|---|---|---|")
    for row in rows:
        print(f"| {row['method']} | {row['pairs_per_s']:.2f} | {row['times']:.2f} |")


if __name__ == "__main__":
    main()
