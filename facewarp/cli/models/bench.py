"""`facewarp bench`: time registration, tracking and other methods on this machine."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output, output_of
from facewarp.cli.model_options import ENGINE_NAMES, ModelName
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.core.engines.profiling import Timed
    from facewarp.core.model import Model
    from facewarp.media.frames import Image

SIZE = (1280, 720)
Methods = dict[str, Callable[[], object]]


def bench(
    ctx: typer.Context,
    model: ModelName = "face",
    engine: Annotated[
        str, typer.Option(metavar="NAME", help=f"Time this one alone: {ENGINE_NAMES}.")
    ] = "",
    calls: Annotated[int, typer.Option(min=10, help="Timed calls of each.")] = 60,
    landmarker: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="MediaPipe's face_landmarker.task, to time it too."),
    ] = None,
    video: Annotated[
        bool, typer.Option("--video/--no-video", help="Track a clip of 1280x720 as well.")
    ] = True,
) -> None:
    """Time every engine and stage on this machine, next to other methods in the same run.

    A registration finds a crop's parts and its field to the template, whose features are kept;
    a tracker needs the fields of both directions, which is timed too. The reference is the
    paper's recipe in plain PyTorch. Methods take turns of ten calls; close other programs.

    Examples:
      facewarp bench
      facewarp bench --json --no-video
      facewarp bench --engine openvino --calls 200
    """
    output = output_of(ctx)
    if landmarker is not None and not landmarker.is_file():
        raise FacewarpError("there is no such file", landmarker, "Give face_landmarker.task.")

    from facewarp.core.engines.base import ENGINES, is_installed
    from facewarp.core.engines.profiling import (
        matrix_rate,
        multiply_adds,
        peak_memory_mb,
        time_in_turn,
    )
    from facewarp.core.model import load
    from facewarp.system.machine import machine

    loaded = load(model)
    names = [
        name
        for name in ENGINES
        if is_installed(name) and (name != "openvino-int8" or loaded.int8 is not None)
    ]
    if engine:
        names = [loaded.use(engine).name]
    frames = _frames()
    output.say(f"Timing {', '.join(names)}; {calls} calls each ...")
    engines, stages = _methods(model, names, frames, landmarker)
    rows = time_in_turn(engines | stages, calls)
    by_name = {row.name: row for row in rows}
    best = min(names, key=lambda name: by_name[_one(name)].median_ms)
    work, rate = sum(multiply_adds(loaded.net).values()), matrix_rate()
    result: dict[str, Any] = {
        "register_ms": by_name[_one(best)].median_ms,
        "register_both_ms": by_name[_both(best)].median_ms,
        "reference_ms": by_name[REFERENCE].median_ms,
        "times_reference": by_name[REFERENCE].median_ms / by_name[_one(best)].median_ms,
        "track_fps_720p": _track_fps(model, best, frames) if video else None,
        "engine": best,
        "machine": machine(),
        "weights_sha256": loaded.sha256,
        "multiply_adds": work,
        "multiply_adds_per_s": rate,
        "limit_ms": 1000 * work / rate,
        "peak_memory_mb": {name: peak_memory_mb(model, name) for name in names},
        "table": [
            {"name": row.name, "median_ms": row.median_ms, "p95_ms": row.p95_ms, "fps": row.fps}
            for row in rows
        ],
    }
    output.emit_json(result)
    _tell(output, rows, result)


REFERENCE = "reference: the paper's recipe"


def _both(engine: str) -> str:
    return f"register by {engine}, both ways"


def _one(engine: str) -> str:
    return f"register by {engine}"


def _methods(
    model: str, engines: list[str], frames: "list[Image]", landmarker: Path | None
) -> tuple[Methods, Methods]:
    """Return what is timed: registrations by every engine, and the other methods and stages."""
    import cv2
    import torch

    from facewarp.core.model import load, template_guidance
    from facewarp.face.effects.factory import make_effect
    from facewarp.face.image_formats import to_gray
    from facewarp.face.template.template import Template
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.training.baselines.faces.paper_recipe import PaperRecipe

    template = Template.load("average")
    best = load(model, engine=engines[-1])
    follower = FaceTracker(template, best, faces=1)
    face = follower(frames[0], 0.0)[0]
    gray = face.crop.extract_gray(frames[0])
    image = torch.from_numpy(gray).float()[None, None] / 255
    guidance = torch.from_numpy(template_guidance(best, template.probabilities))
    registered: Methods = {}
    for name in engines:
        loaded = load(model, engine=name)

        def both(loaded: "Model" = loaded) -> object:
            return loaded.both_ways(image, guidance)

        def one(loaded: "Model" = loaded) -> object:
            return loaded.fields(loaded.probabilities(image), guidance)

        registered |= {_both(name): both, _one(name): one}
    paper = PaperRecipe()
    kept = paper.features(torch.from_numpy(template.image).float()[None, None] / 255)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    followed = iter(range(10**9))
    labels, texture = (make_effect(name, annotate=False) for name in ("labels", "texture"))
    others: Methods = {
        REFERENCE: lambda: paper(paper.features(image), kept),
        "OpenCV DIS (medium)": lambda: dis.calc(template.image, gray, None),
        "crop of a 1280x720 frame": lambda: face.crop.extract_gray(frames[0]),
        "grey of a 1280x720 frame": lambda: to_gray(frames[0]),
        f"tracker by {engines[-1]}, per frame": lambda: follower(frames[next(followed) % 8]),
        "effect labels": lambda: labels(frames[0], [face], template),
        "effect texture": lambda: texture(frames[0], [face], template),
    }
    if landmarker is not None:
        from facewarp.face.mediapipe_blazeface import load_landmarker

        find = load_landmarker(landmarker)
        others["MediaPipe landmarker, 478 points"] = lambda: find(frames[0])
    return registered, others


def _frames() -> "list[Image]":
    """Return the demo clip's frames as a 1280x720 camera would have taken them."""
    import cv2
    import numpy as np

    from facewarp.media.sources import read_video

    clip = resources.files("facewarp.assets") / "demo" / "astronaut.mp4"
    wide = (np.asarray(frame.image)[60:510] for frame in read_video(str(clip)))
    return [np.asarray(cv2.resize(w, SIZE, interpolation=cv2.INTER_CUBIC)) for w in wide]


def _track_fps(model: str, engine: str, frames: "list[Image]") -> float:
    """Return the frames a second of `facewarp track --effect labels`, with input and output."""
    from facewarp.media.frames import Frame
    from facewarp.media.sinks import open_sink

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with open_sink(clip, size=SIZE, fps=30) as sink:
            for index, image in enumerate([*frames, *reversed(frames)]):
                sink.write(Frame(image, index / 30, index))
        command = [sys.executable, "-m", "facewarp", "track", str(clip), "--out"]
        command += [f"{folder}/out.mp4", "--model", model, "--engine", engine, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FacewarpError("facewarp track failed", fix=done.stderr.strip().splitlines()[-1])
    fps: float = json.loads(done.stdout)["fps"]
    return fps


def _tell(output: Output, rows: "list[Timed]", result: dict[str, Any]) -> None:
    table = Table(title=escape(result["machine"]))
    for name in ("", "median ms", "95 % below", "a second"):
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(row.name, f"{row.median_ms:.2f}", f"{row.p95_ms:.2f}", f"{row.fps:.0f}")
    output.say(table)
    memory = result["peak_memory_mb"].items()
    fps = result["track_fps_720p"]
    facts = {
        "quickest": f"{result['engine']}: {result['register_ms']:.2f} ms, both ways "
        f"{result['register_both_ms']:.2f} ms; the reference takes "
        f"{result['times_reference']:.1f} times as long",
        "track": "not run" if fps is None else f"{fps:.1f} frames/s of 1280x720, labels, to a file",
        "limit": f"both ways {result['multiply_adds'] / 1e6:.0f} M multiply-adds; at the "
        f"{result['multiply_adds_per_s'] / 1e9:.0f} G a second of a float matrix product "
        f"{result['limit_ms']:.1f} ms",
        "memory": ", ".join(f"{name} {mb:.0f} MB" for name, mb in memory if mb is not None),
    }
    output.say("\n".join(f"[bold]{name:<9}[/] {text}" for name, text in facts.items()))
