"""`facewarp demo`: track the shipped clip, and measure the error against its known motion."""

import os
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.model_options import Engine
from facewarp.system.machine import has_avx2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from facewarp.face.face import Face
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.frames import Frame, Image

SCENES: tuple[tuple[str, str, str | None], ...] = (
    ("parts", "labels", None),
    ("mesh", "mesh", None),
    ("tiger", "texture", "tiger"),
    ("mask", "texture", "mask"),
    ("field", "field", None),
)
"""Caption, effect and texture: one after the other in the clip, side by side in the sheet."""

WARM_UP, TIMED = 30, 40
"""Frames: the tracker looks at a new face several times until it knows it well."""

SHEET_TIMES_S = (0.3, 1.7, 2.5, 3.4, 4.6, 5.7)
SHEET_WINDOW = (slice(70, 530), slice(170, 630))
"""The part of the clip, rows and columns, in which the face stays: what the sheet shows."""


def demo(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path(
        "facewarp-demo"
    ),
    engine: Engine = "auto",
) -> None:
    """Track the clip that comes with facewarp, and measure the error against its known motion.

    Writes tracked.mp4, sheet.png and track.jsonl. Needs no network, no camera and no other data.

    Examples:
      facewarp demo
      facewarp demo --out look/ --json
    """
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.pipeline import run_pass
    from facewarp.media.sinks import open_sink
    from facewarp.media.sources import open_source
    from facewarp.media.track_records import open_records
    from facewarp.system.atomic_files import check_target
    from facewarp.training.synthetic.known_motion import load_motion
    from facewarp.training.synthetic.tracking_error import point_error

    output = output_of(ctx)
    for name in ("tracked.mp4", "sheet.png", "track.jsonl"):
        check_target(out / name)
    assets = Path(str(resources.files("facewarp.assets"))) / "demo"
    motion = load_motion(assets / "motion.json")
    with (
        FaceTracker(faces=1, engine=engine) as plain,
        FaceTracker(
            model=plain.model, faces=1, smooth=True, photometric=True, occlusion=True
        ) as tracker,
    ):
        output.say("Warming the engine up ...")
        alone = time_registration(plain, assets / "astronaut.mp4")
        show = Show(tracker, motion.duration_s)
        source = open_source(assets / "astronaut.mp4")
        sink = partial(open_sink, out / "tracked.mp4", like=source)
        records = partial(open_records, out / "track.jsonl")
        with output.progress("demo", source.frame_count) as advance:
            done = run_pass(source, sink, show.follow, show.draw, records, advance)
        sha256, runs = tracker.model.sha256, tracker.model.engine
    show.write_sheet(out / "sheet.png")
    error = point_error(motion, show.tracks)
    result = {
        "output": out,
        "frames": done.frames,
        "fps": done.fps,
        "register_ms": alone.wall_ms,
        "register_cpu_ms": alone.processor_ms,
        "point_error_px": error.mean_px,
        "point_error_median_px": error.median_px,
        "point_error_p95_px": error.p95_px,
        "missed_frames": error.missed_frames,
        "weights_sha256": sha256,
        "engine": runs.summary,
        "engine_choice": why_engine(engine, runs.name),
    }
    output.emit_json(result)
    _tell(output, result)


@dataclass(frozen=True)
class RegistrationTime:
    """Time the tracker takes for a frame while nothing else runs in this process.

    Attributes:
        wall_ms: median time that passes.
        processor_ms: median time of processors, over all cores.
    """

    wall_ms: float
    processor_ms: float


def time_registration(tracker: "FaceTracker", clip: Path) -> RegistrationTime:
    """Time the tracker on the first frames of a clip, after others that warm it up.

    Beside drawing and encoding, which hold the cores meanwhile, a registration takes several
    times as long: that time tells of the machine's load rather than of the registration.
    """
    from facewarp.media.sources import read_video

    frames = list(islice(read_video(clip), WARM_UP + TIMED))
    for frame in frames[:WARM_UP]:
        tracker(frame.image, frame.time)
    wall_ms, processor_ms = [], []
    for frame in frames[WARM_UP:]:
        began, spent = perf_counter(), process_time()
        tracker(frame.image, frame.time)
        processor_ms.append(1000 * (process_time() - spent))
        wall_ms.append(1000 * (perf_counter() - began))
    tracker.reset()
    return RegistrationTime(median(wall_ms), median(processor_ms))


def why_engine(asked: str, used: str) -> str:
    """Return why an engine is used: asked for, known or measured to be the fastest.

    Args:
        asked: what `--engine` says.
        used: the engine's own name.
    """
    from facewarp.core.engines.autotune import KNOWN, describe_choice, last_choice

    if asked != "auto":
        return "asked for with --engine"
    if os.environ.get("FACEWARP_ENGINE", "auto") != "auto":
        return "named by FACEWARP_ENGINE"
    if used == KNOWN and has_avx2():
        return "the quickest on every x86-64 processor with AVX2 that was measured"
    choice = last_choice()
    if choice is None:
        return "the only one here"
    return f"the quickest when it was measured here; {describe_choice(choice)}"


class Show:
    """Effects of the demo by time, and what is kept for the contact sheet and the measurement.

    Attributes:
        tracks: the landmarks of every frame.
    """

    def __init__(self, tracker: "FaceTracker", duration_s: float) -> None:
        from facewarp.face.effects.factory import make_effect
        from facewarp.training.synthetic.tracking_error import TrackedPoints

        self._tracker = tracker
        self._duration_s = duration_s
        self._effects = [
            make_effect(name, texture=texture, annotate=False) for _, name, texture in SCENES
        ]
        self._canonical = make_effect("canonical", annotate=False)
        self._rows: list[list[Image]] = []
        self.tracks: list[TrackedPoints] = []

    def follow(self, frames: "Iterable[Frame]") -> "Iterator[tuple[Frame, list[Face]]]":
        """Register frame after frame."""
        for frame in frames:
            yield frame, self._tracker(frame.image, frame.time)

    def draw(self, frame: "Frame", faces: list["Face"]) -> tuple["Image", list[dict[str, Any]]]:
        """Return a frame's image with the scene's effect, and its records."""
        from facewarp.face.tracking.record import record_of
        from facewarp.training.synthetic.tracking_error import TrackedPoints

        seen = next((face for face in faces if face.state != "lost"), None)
        self.tracks.append(
            TrackedPoints(frame.time, seen.landmarks, seen.crop.scale)
            if seen
            else TrackedPoints(frame.time, None, 1.0)
        )
        template = self._tracker.template
        if len(self._rows) < len(SHEET_TIMES_S) and frame.time >= SHEET_TIMES_S[len(self._rows)]:
            views = [effect(frame.image, faces, template) for effect in self._effects]
            carried = self._canonical(frame.image, faces, template)
            windows = [view[SHEET_WINDOW] for view in (frame.image, *views)]
            self._rows.append([*windows, carried])
        scene = int(frame.time / self._duration_s * len(SCENES))
        effect = self._effects[min(scene, len(SCENES) - 1)]
        return effect(frame.image, faces, template), [record_of(frame, face) for face in faces]

    def write_sheet(self, path: Path) -> None:
        """Write the frames kept, with every effect, as one contact sheet."""
        from facewarp.drawing.contact_sheet import contact_sheet
        from facewarp.media.frames import Frame
        from facewarp.media.images.writer import ImageWriter

        columns = ["frame", *(caption for caption, _, _ in SCENES), "canonical"]
        rows = [f"{time:.1f} s" for time in SHEET_TIMES_S[: len(self._rows)]]
        with ImageWriter(path) as writer:
            writer.write(Frame(contact_sheet(self._rows, rows, columns), 0.0, 0))


def _tell(output: Output, result: dict[str, Any]) -> None:
    out = result["output"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("frames", f"{result['frames']}, {result['missed_frames']} without the face")
    table.add_row("engine", f"{result['engine']}: {result['engine_choice']}")
    table.add_row(
        "registration",
        f"{result['register_ms']:.1f} ms a frame by itself, "
        f"{result['register_cpu_ms']:.1f} ms of processor time",
    )
    table.add_row(
        "the whole",
        f"{result['fps']:.1f} frames/s: reading, registering, drawing and encoding side by side",
    )
    table.add_row(
        "point error",
        f"{result['point_error_px']:.2f} px of the crop (median "
        f"{result['point_error_median_px']:.2f}, 95 % below {result['point_error_p95_px']:.2f})",
    )
    for name in ("tracked.mp4", "sheet.png", "track.jsonl"):
        table.add_row("written", cell(out / name))
    output.say(table)
