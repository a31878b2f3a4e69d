"""Time of one registration on this machine: ours, the paper's network, and OpenCV's DIS flow.

    python benchmarks/registration.py [--threads N] [--calls 60]

All in one run, in turn, medians. Ours is timed as the tracker uses it: the template's features are
kept, fields are found in both directions. The paper's network has random weights: time only.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import resources
from itertools import cycle
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from facewarp import Template, load, read_video
from facewarp.core.model import Model
from facewarp.core.network import GuidedRegistration
from facewarp.face.crop import Crop, to_grey
from facewarp.face.groupwise import template_guidance
from facewarp.face.tracker import FaceTracker
from facewarp.media.sources import Frame
from facewarp.training.evaluate import machine
from facewarp.training.presets import PRESETS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--calls", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)

    template = Template.load("average")
    frames = list(read_video(demo_clip()))
    ours = load("face")
    paper = Model(GuidedRegistration(PRESETS["paper"].model))
    with FaceTracker(faces=1, model=ours) as tracker:
        crop: Crop = tracker(frames[0].image, 0.0)[0].crop
        grey = crop.extract(to_grey(frames[0].image))
        dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        methods: dict[str, Callable[[], object]] = {
            "ours, both directions": both_ways(ours, template, grey),
            "the paper's network, both directions": both_ways(paper, template, grey),
            "OpenCV DIS (medium), one direction": lambda: dis.calc(template.image, grey, None),
            "FaceTracker on an 800 x 600 frame": following(tracker, frames),
        }
        times = measure(methods, options.calls)
    table = Table("method", "median ms", "95 % below", title=machine())
    for name, values in times.items():
        table.add_row(name, f"{median(values):.1f}", f"{np.percentile(values, 95):.1f}")
    Console().print(table)


def demo_clip() -> str:
    """Path of the clip that ships."""
    return str(resources.files("facewarp.assets") / "demo" / "astronaut.mp4")


def both_ways(model: Model, template: Template, grey: np.ndarray) -> Callable[[], object]:
    """What the tracker asks of a model for one crop."""
    guidance = template_guidance(model, template.probabilities)
    image = torch.from_numpy(grey).float()[None, None] / 255

    def run() -> object:
        parts = model.probabilities(image)
        return model.fields(torch.cat([parts, guidance]), torch.cat([guidance, parts]))

    return run


def following(tracker: FaceTracker, frames: Sequence[Frame]) -> Callable[[], object]:
    """The tracker on the clip's frames, one after the other."""
    state = cycle(frames)

    def run() -> object:
        frame = next(state)
        return tracker(frame.image, frame.time)

    return run


def measure(methods: dict[str, Callable[[], object]], calls: int) -> dict[str, list[float]]:
    """Milliseconds of ``calls`` calls of each method, after five to warm up, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in methods}
    for call in range(calls + 5):
        for name, method in methods.items():
            began = perf_counter()
            method()
            if call >= 5:
                times[name].append(1000 * (perf_counter() - began))
    return times


if __name__ == "__main__":
    main()
