"""Time of effects: ms a frame on the shipped clip, one face, one thread, without registration.

python benchmarks/face/effects.py
"""

import argparse
import platform
from importlib import resources
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2

from facewarp import FaceTracker, make_effect, read_video
from facewarp.face.rendering.textures import list_textures

EVERY = 4


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    cv2.setNumThreads(1)
    clip = Path(str(resources.files("facewarp.assets"))) / "demo" / "astronaut.mp4"
    effects = {name: make_effect(name, annotate=False) for name in ("labels", "mesh", "field")}
    for name in list_textures():
        effects[f"texture {name}"] = make_effect("texture", texture=name, annotate=False)
    for mode in ("color", "texture", "full"):
        effects[f"style {mode}"] = make_effect("style", style_mode=mode, annotate=False)
    times: dict[str, list[float]] = {name: [] for name in effects}
    with FaceTracker(faces=1) as tracker:
        for frame in read_video(clip):
            faces = tracker(frame.image, frame.time)
            if frame.index % EVERY:
                continue
            for name, effect in effects.items():
                began = perf_counter()
                effect(frame.image, faces, tracker.template)
                times[name].append(1000 * (perf_counter() - began))
    size = f"{frame.image.shape[1]}x{frame.image.shape[0]}"
    print(
        f"{platform.processor() or platform.machine()}, clip {size}, median of {len(times['mesh'])}"
    )
    for name, values in times.items():
        print(f"{name:22} {median(values[1:]):6.1f} ms")


if __name__ == "__main__":
    main()
