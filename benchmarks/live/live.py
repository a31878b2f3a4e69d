"""Latency and throughput of the live loop: a clip at camera pace, then unpaced.

    python benchmarks/live/live.py [--clip FILE] [--minutes N] [--window] [--engine NAME] [--json]

At camera pace the clip comes as a 1280 x 720 camera of 30 frames a second would give it, ready or
not: frames that a newer one replaced are counted as dropped, and a frame's age is the time from its
capture until it was handed to the presenter, or with --window until the window shows it. Unpaced,
every frame is worked on. Decoding the clip, which no camera needs, is part of all that runs.

The clip that ships is enlarged, and played to and fro so that nothing jumps. With --minutes the
first part goes on for so long, and memory is noted every minute.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from facewarp import load, read_video
from facewarp.core.model import Model
from facewarp.face.tracking.options import TrackerOptions
from facewarp.live.capture.paced_source import PlayedSource
from facewarp.live.catalog import EffectChoice
from facewarp.live.face_pipeline import FacePipeline
from facewarp.live.interfaces import Presenter
from facewarp.live.loop import LiveLoop
from facewarp.live.outputs.memory_watch import MemoryWatch
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.orientation import fit_within
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.system.machine import machine

SIZE, RATE = (1280, 720), 30
WARM_UP = 45  # frames that are not counted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", help="a video with a face instead of the one that ships")
    parser.add_argument("--seconds", type=float, default=20, help="of each part (default: 20)")
    parser.add_argument("--minutes", type=float, help="of the part at camera pace")
    parser.add_argument("--window", action="store_true", help="show it; starts Xvfb if need be")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--no-smooth", dest="smooth", action="store_false")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    model = load("face", engine=options.engine)
    if model.engine.name != "torch":  # as facewarp live does
        torch.set_num_threads(1)
    cv2.setNumThreads(1)
    paced_s = 60 * options.minutes if options.minutes else options.seconds
    parts = [("labels", True, paced_s), ("labels", False, options.seconds)]
    parts.append(("texture", False, options.seconds))
    with tempfile.TemporaryDirectory() as folder, display(options.window):
        clip = options.clip or demo_clip(Path(folder) / "demo.mp4")
        results = [measure(clip, model, options, *part) for part in parts]
    result = {
        "machine": machine(),
        "engine": model.engine.summary,
        "model_sha256": model.sha256,
        "clip": options.clip or f"the demo clip at {SIZE[0]}x{SIZE[1]}, {RATE} fps",
        "shown": "in a window" if options.window else "handed over",
        "parts": results,
    }
    if options.json:
        print(json.dumps(result))
    else:
        report(result)


def measure(
    clip: str, model: Model, options: argparse.Namespace, effect: str, paced: bool, seconds: float
) -> dict[str, Any]:
    """Play a clip for a duration, after a warm-up, and return the loop's summary."""
    before = set(threading.enumerate())
    tracking = TrackerOptions(faces=1, smooth=options.smooth)
    with FacePipeline(tracking, EffectChoice(effect), model=model) as look:
        work, stats = look, LiveStats()
        LiveLoop(
            PlayedSource(open_source(clip), paced=False, repeat=True),
            work, [], LiveStats(), newest=False, frames=WARM_UP,
        ).run()  # fmt: skip
        memory = MemoryWatch()
        presenters: list[Presenter] = [memory]
        if options.window:
            from facewarp.live.session import Session
            from facewarp.live.window.window import Window

            presenters.insert(0, Window(look, Session(stats, RATE)))
        source = PlayedSource(open_source(clip), paced=paced, repeat=True)
        loop = LiveLoop(source, work, presenters, stats, newest=paced, seconds=seconds)
        summary = loop.run().summary
    left = set(threading.enumerate()) - before
    return {
        "effect": effect,
        "paced": paced,
        **summary,
        "memory_mb": memory.summary(),
        "memory_notes": memory.notes,
        "threads_left": sorted(thread.name for thread in left),
    }


def demo_clip(path: Path) -> str:
    """Return the shipped clip, fitted into 1280 x 720, forwards and backwards."""
    shipped = resources.files("facewarp.assets") / "demo" / "astronaut.mp4"
    frames = [fit_within(frame.image, SIZE) for frame in read_video(str(shipped))]
    with open_sink(path, size=SIZE, fps=RATE) as sink:
        for index, image in enumerate([*frames, *frames[-2:0:-1]]):
            sink.write(Frame(image, index / RATE, index))
    return str(path)


@contextmanager
def display(wanted: bool) -> Iterator[None]:
    """Provide a display for windows: the present one, or a new Xvfb."""
    if not wanted or sys.platform != "linux" or os.environ.get("DISPLAY"):
        yield
        return
    program = shutil.which("Xvfb")
    if program is None:
        sys.exit("--window needs a display, or Xvfb (Debian and Ubuntu: apt install xvfb)")
    ours, theirs = os.pipe()
    screen = ["-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        [program, "-displayfd", str(theirs), *screen], pass_fds=[theirs], stderr=subprocess.DEVNULL
    ) as server:
        os.close(theirs)
        with os.fdopen(ours) as told:
            os.environ["DISPLAY"] = f":{told.readline().strip()}"
        try:
            yield
        finally:
            del os.environ["DISPLAY"]
            server.terminate()


def report(result: dict[str, Any]) -> None:
    """Print tables."""
    console = Console()
    parts: Sequence[dict[str, Any]] = result["parts"]
    table = Table("", *(title(part) for part in parts), title=result["machine"])
    rows = {
        "frames presented": [str(part["presented"]) for part in parts],
        "dropped": [str(part["dropped"]) if part["paced"] else "-" for part in parts],
        "frames a second": [f"{part['fps']:.1f}" for part in parts],
    }
    stages = {
        "age": "capture to present", "wait": "waiting", "detect": "detecting",
        "register": "registering", "render": "drawing", "present": "presenting",
    }  # fmt: skip
    for stage, label in stages.items():
        rows[f"{label}, ms: p50 / p95"] = [
            f"{part['p50_ms'][stage]:.1f} / {part['p95_ms'][stage]:.1f}" for part in parts
        ]
    for moment, label in (("start", "at the start"), ("settled", "after 10 s"), ("end", "at end")):
        sizes = [part["memory_mb"][moment] for part in parts]
        rows[f"memory {label}, MB"] = ["-" if size is None else f"{size:.0f}" for size in sizes]
    rows["threads left"] = [", ".join(part["threads_left"]) or "none" for part in parts]
    for label, cells in rows.items():
        table.add_row(label, *cells)
    console.print(table)
    notes = np.array(parts[0]["memory_notes"][1:])
    if len(notes) > 3:
        slope = np.polyfit(notes[:, 0] / 60, notes[:, 1], 1)[0]
        series = " ".join(f"{size:.0f}" for _, size in notes)
        console.print(f"memory by the minute, MB: {series}; {slope:+.2f} MB a minute")
    console.print(
        f"{result['clip']}, {result['shown']}; engine {result['engine']}; "
        f"model sha256 {result['model_sha256'][:12]}"
    )


def title(part: dict[str, Any]) -> str:
    """Return the head of a column."""
    return f"{'at camera pace' if part['paced'] else 'unpaced'}, {part['effect']}"


if __name__ == "__main__":
    main()
