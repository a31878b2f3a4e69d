"""``facewarp demo``: the whole program on the clip it ships, with the error it makes there."""

from importlib import resources
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from facewarp.cli.console import output_of
from facewarp.cli.track import record_of

if TYPE_CHECKING:
    from facewarp.media.sources import Frame, Image

SCENES = (
    ("labels", "parts", {}),
    ("mesh", "mesh", {}),
    ("texture", "tiger", {"texture": "tiger"}),
    ("texture", "mask", {"texture": "mask"}),
    ("field", "field", {}),
)
"""Effect, caption and options: shown one after the other in the clip, side by side in the sheet."""

SHEET_TIMES_S = (0.3, 1.7, 2.5, 3.4, 4.6, 5.7)
SHEET_WINDOW = (slice(70, 530), slice(170, 630))
"""The part of the clip, rows and columns, in which the face stays: what the sheet shows."""


def demo(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path(
        "facewarp-demo"
    ),
) -> None:
    """Track the clip that comes with facewarp, and measure the error against its known motion.

    Writes tracked.mp4, sheet.png and track.jsonl. Needs no network, no camera and no other data.
    """
    from facewarp.face.effects import make_effect
    from facewarp.face.sheets import contact_sheet
    from facewarp.face.tracker import FaceTracker
    from facewarp.media.pipeline import run_pass
    from facewarp.media.sinks import ImageWriter, open_records, open_sink
    from facewarp.media.sources import Frame, open_source
    from facewarp.training.datasets.motion import load_motion
    from facewarp.training.point_error import TrackedPoints, point_error

    output = output_of(ctx)
    assets = Path(str(resources.files("facewarp.assets"))) / "demo"
    motion = load_motion(assets / "motion.json")
    effects = [make_effect(name, annotate=False, **options) for name, _, options in SCENES]
    canonical = make_effect("canonical", annotate=False)
    tracks: list[TrackedPoints] = []
    times_ms: list[float] = []
    rows: list[list[Image]] = []
    sheet_times = list(SHEET_TIMES_S)

    source = open_source(assets / "astronaut.mp4")
    sink = open_sink(out / "tracked.mp4", like=source)
    records = open_records(out / "track.jsonl")
    with FaceTracker(faces=1) as tracker, output.progress("demo", source.frame_count) as advance:

        def work(frame: Frame) -> tuple["Image", list[dict[str, Any]]]:
            began = perf_counter()
            faces = tracker(frame.image, frame.time)
            times_ms.append(1000 * (perf_counter() - began))
            seen = [face for face in faces if face.state != "lost"]
            tracks.append(
                TrackedPoints(
                    frame.time,
                    seen[0].landmarks if seen else None,
                    seen[0].crop.scale if seen else 1.0,
                )
            )
            scene = min(int(frame.time / motion.duration_s * len(SCENES)), len(SCENES) - 1)
            if sheet_times and frame.time >= sheet_times[0]:
                sheet_times.pop(0)
                views = [effect(frame.image, faces, tracker.template) for effect in effects]
                carried = canonical(frame.image, faces, tracker.template)
                rows.append([*(view[SHEET_WINDOW] for view in (frame.image, *views)), carried])
            picture = effects[scene](frame.image, faces, tracker.template)
            return picture, [record_of(frame, face) for face in faces]

        done = run_pass(source, sink, work, records, advance)
        sha256 = tracker.model.sha256

    names = ["frame", *(caption for _, caption, _ in SCENES), "canonical"]
    labels = [f"{time:.1f} s" for time in SHEET_TIMES_S[: len(rows)]]
    with ImageWriter(out / "sheet.png") as writer:
        writer.write(Frame(contact_sheet(rows, labels, names), 0.0, 0))
    error = point_error(motion, tracks)
    result = {
        "output": out,
        "frames": done.frames,
        "fps": done.fps,
        "register_ms": median(times_ms),
        "point_error_px": error.mean_px,
        "point_error_median_px": error.median_px,
        "point_error_p95_px": error.p95_px,
        "missed_frames": error.missed_frames,
        "weights_sha256": sha256,
    }
    output.emit_json(result)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("frames", f"{done.frames}, {error.missed_frames} without the face")
    table.add_row("speed", f"{done.fps:.1f} frames/s in all, {median(times_ms):.1f} ms to register")
    table.add_row(
        "point error",
        f"{error.mean_px:.2f} px of the crop (median {error.median_px:.2f}, "
        f"95 % below {error.p95_px:.2f})",
    )
    table.add_row("written", f"{out / 'tracked.mp4'}, {out / 'sheet.png'}, {out / 'track.jsonl'}")
    output.say(table)
