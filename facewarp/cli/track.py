"""``facewarp track``: carry a template onto every face of videos, pictures and folders."""

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facewarp.cli.console import Output, output_of
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.face.effects import Effect
    from facewarp.face.tracker import Face, FaceTracker
    from facewarp.media.pipeline import Pass
    from facewarp.media.sources import Frame, Image, Source

HELP_EXAMPLES = """\b
Examples:
  facewarp track talk.mp4 --out tracked.mp4
  facewarp track talk.mp4 --out tiger.mp4 --effect texture --texture tiger
  facewarp track photo.jpg --out mesh.png --effect mesh --faces 8
  facewarp track holiday/ --out overlays/ --data overlays.csv
  facewarp track a.mp4 b.mov --out results/ --data results/"""


class EffectName(str, Enum):
    """Effects that can be drawn."""

    labels = "labels"
    mesh = "mesh"
    texture = "texture"
    canonical = "canonical"
    field = "field"


def track(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path], typer.Argument(help="Videos, pictures, or folders of pictures.", metavar="INPUT...")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File to write; a folder for several inputs. [default: NAME-EFFECT]"
        ),
    ] = None,
    effect: Annotated[EffectName, typer.Option(help="What to draw.")] = EffectName.labels,
    texture: Annotated[
        str | None, typer.Option(help="Texture for --effect texture: a shipped name or a PNG file.")
    ] = None,
    opacity: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Strength of the effect, 0 to 1.")
    ] = None,
    template: Annotated[
        str, typer.Option(help="Template to register to: a shipped name or a .npz file.")
    ] = "average",
    model: Annotated[str, typer.Option(help="Model: a shipped name or a weights file.")] = "face",
    data: Annotated[
        Path | None,
        typer.Option(help="Write track data as .jsonl or .csv; a folder for several inputs."),
    ] = None,
    faces: Annotated[int, typer.Option(min=1, max=64, help="How many faces to follow.")] = 5,
    tags: Annotated[bool, typer.Option(help="Tag faces with id, state and confidence.")] = False,
    start: Annotated[float | None, typer.Option(help="First second of a video to track.")] = None,
    end: Annotated[float | None, typer.Option(help="Second of a video to stop before.")] = None,
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, mps.")] = "cpu",
) -> None:
    """Carry labels, a mesh or a texture onto every face of videos and pictures."""
    from facewarp.face.effects import make_effect
    from facewarp.face.tracker import FaceTracker
    from facewarp.media.sinks import open_records, open_sink, target_for
    from facewarp.media.sources import open_source

    output = output_of(ctx)
    drawn = make_effect(effect.value, texture=texture, opacity=opacity, annotate=tags)
    several = len(inputs) > 1
    if several and out is None:
        raise FacewarpError("several inputs need a folder to write to", fix="Give --out FOLDER/.")
    sources = [open_source(path, start, end) for path in inputs]
    targets = [target_for(f"{out}/" if several else out or _default(path, effect), source)
               for path, source in zip(inputs, sources, strict=True)]
    _check_distinct(targets)
    results = []
    with FaceTracker(template, model, faces=faces, device=device) as tracker:
        for source, target in zip(sources, targets, strict=True):
            size = getattr(drawn, "size", None)
            sink = open_sink(target, like=source, size=size)
            try:
                records = open_records(_data_path(data, source, several), inputs) if data else None
            except BaseException:
                sink.abort()
                raise
            results.append(_track_one(output, tracker, drawn, source, sink, records))
    output.emit_json(results if several else results[0])


def _track_one(
    output: Output, tracker: "FaceTracker", effect: "Effect", source: "Source", sink: Any, records: Any
) -> dict[str, Any]:
    from facewarp.media.pipeline import run_pass

    states: Counter[str] = Counter()
    ids: set[int] = set()
    confidence: list[float] = []
    tracker.reset()

    def work(frame: "Frame") -> tuple["Image", list[dict[str, Any]]]:
        if source.kind == "folder":
            tracker.reset()  # pictures of a folder need not show the same people
        faces = tracker(frame.image, frame.time)
        ids.update(face.id for face in faces)
        confidence.extend(face.confidence for face in faces if face.state != "lost")
        states.update(face.state for face in faces)
        if not any(face.state != "lost" for face in faces):
            states["no face"] += 1
        picture = effect(frame.image, faces, tracker.template)
        return picture, [record_of(frame, face) for face in faces]

    with output.progress(f"tracking {source.name}", source.frame_count) as advance:
        done = run_pass(source, sink, work, records, advance)
    return _report(output, done, states, ids, confidence, records)


def record_of(frame: "Frame", face: "Face") -> dict[str, Any]:
    """A face of a frame as one record of track data."""
    return {
        "frame": frame.index,
        "time_s": frame.time,
        "face": face.id,
        "state": face.state,
        "confidence": face.confidence,
        "box": face.box,
        "landmarks": face.landmarks,
        "folds_percent": face.folds_percent,
    }


def _report(
    output: Output,
    done: "Pass",
    states: Counter[str],
    ids: set[int],
    confidence: list[float],
    records: Any,
) -> dict[str, Any]:
    mean = sum(confidence) / len(confidence) if confidence else 0.0
    without = states["no face"]
    output.say(
        f"[green]{done.output}[/]: {done.frames} frames in {done.seconds:.1f} s "
        f"({done.fps:.1f} fps), {len(ids)} face{'' if len(ids) == 1 else 's'}, "
        f"mean confidence {mean:.2f}"
    )
    if without == done.frames:
        output.warn(f"no face was found in {done.source}; the output is the input, unchanged")
    elif without:
        output.say(f"  no face in {without} of {done.frames} frames")
    if done.truncated:
        output.warn(f"{done.source} is damaged or cut short; what could be read was tracked")
    return {
        "input": done.source,
        "output": done.output,
        "data": records.target if records else None,
        "frames": done.frames,
        "frames_without_face": without,
        "faces": len(ids),
        "states": {name: states[name] for name in ("tracking", "uncertain", "lost")},
        "mean_confidence": mean,
        "seconds": done.seconds,
        "fps": done.fps,
        "truncated": done.truncated,
    }


def _default(path: Path, effect: EffectName) -> Path:
    """Beside the user, not beside the input: NAME-EFFECT with the input's suffix, or a folder."""
    return Path(f"{path.stem or path.name}-{effect.value}{'' if path.is_dir() else path.suffix}")


def _data_path(data: Path, source: "Source", several: bool) -> Path:
    if several or data.is_dir():
        return data / f"{source.path.stem}.jsonl"
    return data


def _check_distinct(targets: list[Path]) -> None:
    for target, count in Counter(targets).items():
        if count > 1:
            raise FacewarpError(
                f"{count} inputs would be written to the same file",
                target,
                "Track them one by one, or rename one.",
            )
