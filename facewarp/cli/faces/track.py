"""``facewarp track``: carry a template onto every face of videos, pictures and folders."""

import os
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facewarp.cli.console import Output, output_of
from facewarp.cli.faces.effect_options import (
    EACH_HELP,
    MAKEUP_HELP,
    MODE_HELP,
    PLUGIN_HELP,
    STYLE_HELP,
    EffectName,
    EffectSelection,
    StyleModeName,
)
from facewarp.cli.model_options import Device, Engine, Thorough
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.face.effects.factory import Effect
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.frames import Frame, Image, Source
    from facewarp.media.pipeline import Pass
    from facewarp.media.sinks import Sink


class AudioName(StrEnum):
    """What becomes of the sound of a video."""

    copy = "copy"
    convert = "convert"
    none = "none"


def track(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Videos, pictures, or folders of pictures.", metavar="INPUT..."),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write; a folder for several inputs.",
            show_default="INPUT-EFFECT",
        ),
    ] = None,
    effect: Annotated[
        EffectName,
        typer.Option(metavar="NAME", help=f"What to draw: {', '.join(EffectName)}."),
    ] = EffectName.labels,
    texture: Annotated[
        str | None,
        typer.Option(
            help="What --effect texture wears: a shipped name or a PNG file.", show_default="mask"
        ),
    ] = None,
    makeup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART=COLOUR:STRENGTH",
            help=MAKEUP_HELP,
            show_default=False,
        ),
    ] = None,
    opacity: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Strength of the effect."),
    ] = None,
    style: Annotated[
        str | None, typer.Option(metavar="IMAGE", help=STYLE_HELP, show_default="painting")
    ] = None,
    style_mode: Annotated[
        StyleModeName | None, typer.Option(help=MODE_HELP, show_default="full")
    ] = None,
    each: Annotated[
        str | None, typer.Option(metavar="EFFECT,...", help=EACH_HELP, show_default=False)
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help=PLUGIN_HELP, show_default=False)
    ] = None,
    template: Annotated[
        str, typer.Option(help="Template to register to: a shipped name or a .npz file.")
    ] = "average",
    model: Annotated[str, typer.Option(help="Model: a shipped name or a weights file.")] = "face",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Track data as .jsonl or .csv; a folder for several inputs."
        ),
    ] = None,
    faces: Annotated[
        int, typer.Option(min=1, max=64, metavar="COUNT", help="How many faces to follow.")
    ] = 5,
    smooth: Annotated[
        bool,
        typer.Option("--smooth/--no-smooth", help="Take the trembling out of faces in videos."),
    ] = True,
    tags: Annotated[
        bool, typer.Option("--tags", help="Tag faces with id, state and confidence.")
    ] = False,
    start: Annotated[
        float | None, typer.Option(metavar="SECOND", help="Where to begin in a video.")
    ] = None,
    end: Annotated[
        float | None, typer.Option(metavar="SECOND", help="Where in a video to stop.")
    ] = None,
    audio: Annotated[
        AudioName,
        typer.Option(
            help="Sound of videos: copy (converted only where the file's kind needs it), convert "
            "to AAC or Opus, or none."
        ),
    ] = AudioName.copy,
    keep_hdr: Annotated[
        bool,
        typer.Option(
            "--keep-hdr", help="Write HLG and PQ video as HDR, 10 bits a channel, not as BT.709."
        ),
    ] = False,
    engine: Engine = "auto",
    device: Device = "cpu",
    thorough: Thorough = False,
) -> None:
    """Carry labels, a mesh, a texture or a style onto every face of videos and pictures.

    The output has the frames, timestamps, rotation and sound of the input.

    Examples:
      facewarp track talk.mp4 --out tracked.mp4
      facewarp track talk.mp4 --out tiger.mp4 --effect texture --texture tiger
      facewarp track talk.mp4 --effect texture --makeup lips=crimson:0.9
      facewarp track talk.mp4 --effect style --style bronze
      facewarp track two.mp4 --each texture:tiger,texture:skull
      facewarp track photo.jpg --out mesh.png --effect mesh --faces 8
      facewarp track holiday/ --out overlays/ --data overlays.csv
      facewarp track a.mp4 b.mov --out results/ --data results/
    """
    import cv2

    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.system.memory import keep_freed_memory

    asked = EffectSelection(effect, texture, makeup, opacity, style, style_mode, each, plugin)
    output = output_of(ctx)
    drawn = asked.make(model, tags)
    jobs = _plan(inputs, out, data, asked.label, start, end)
    if keep_hdr:
        _keep_hdr(jobs)
    results: list[dict[str, Any]] = []
    cv2.setNumThreads(1)  # decoding, registering and encoding keep the cores busy
    keep_freed_memory()
    with FaceTracker(
        template,
        model,
        faces=faces,
        device=device,
        engine=engine,
        smooth=smooth,
        in_pipeline=True,
        thorough=thorough,
    ) as tracker:
        for job in jobs:
            try:
                results.append(_track(output, tracker, drawn, job, audio))
            except KeyboardInterrupt as stop:
                if results:
                    stop.add_note(f"finished before: {len(results)} of {len(jobs)} inputs")
                raise
    output.emit_json(results if len(jobs) > 1 else results[0])


@dataclass(frozen=True)
class _Job:
    """One input with where its picture and its data go."""

    source: "Source"
    target: Path
    data: Path | None


def _plan(
    inputs: list[Path],
    out: str | None,
    data: str | None,
    effect: str,
    start: float | None,
    end: float | None,
) -> list[_Job]:
    """Open every input, so that a bad one is known before work begins, and name the outputs."""
    from facewarp.media.sources import open_source
    from facewarp.system.atomic_files import check_target

    several = len(inputs) > 1
    if several and out is None:
        raise FacewarpError("several inputs need a folder to write to", fix="Give --out FOLDER.")
    if several and data is not None and Path(data).suffix in {".jsonl", ".csv"}:
        raise FacewarpError(
            "several inputs need a folder for their data", data, "Give --data FOLDER."
        )
    sources = [open_source(path, start, end) for path in inputs]
    jobs = [
        _Job(source, _target(source, out, effect, several), _data(source, data, several))
        for source in sources
    ]
    names = Counter(path for job in jobs for path in (job.target, job.data) if path is not None)
    for path, count in names.items():
        if count > 1:
            what = f"{count} outputs would have the same name"
            raise FacewarpError(what, path, "Track these inputs one by one, or rename one.")
    for job in jobs:
        if job.source.kind != "folder":
            check_target(job.target, inputs)
        if job.data is not None:
            check_target(job.data, inputs)
    return jobs


def _keep_hdr(jobs: list[_Job]) -> None:
    from facewarp.media.video.reader import VideoSource

    for job in jobs:
        if isinstance(job.source, VideoSource):
            job.source.keep_hdr()


def _target(source: "Source", out: str | None, effect: str, several: bool) -> Path:
    """Where pictures go: what --out says, or INPUT-EFFECT in the working folder."""
    from facewarp.media.sinks import target_for
    from facewarp.media.video.encoders import FORMATS

    if out is not None and not several:
        return target_for(out, source)
    if out is not None:
        is_folder = source.kind == "folder"
        return (
            Path(out) / source.path.resolve().name if is_folder else target_for(f"{out}/", source)
        )
    path = source.path.resolve()
    if source.kind == "folder":
        return Path(f"{path.name}-{effect}")
    is_written = source.kind == "image" or path.suffix.lower() in FORMATS
    return Path(f"{path.stem}-{effect}{path.suffix if is_written else '.mp4'}")


def _data(source: "Source", data: str | None, several: bool) -> Path | None:
    if data is None:
        return None
    path = Path(data)
    if several or path.is_dir() or data.endswith(("/", os.sep)):
        return path / f"{source.path.resolve().stem}.jsonl"
    return path


@dataclass
class _Tally:
    """What was found, counted while it is found."""

    states: Counter[str] = field(default_factory=Counter)
    faces: set[tuple[int, int]] = field(default_factory=set)
    confidences: list[float] = field(default_factory=list)
    frames_without: int = 0

    def add(self, scene: int, faces: list["Face"]) -> None:
        """Count a frame's faces; ids belong to a scene."""
        there = [face for face in faces if face.state != "lost"]
        self.states.update(face.state for face in faces)
        self.faces.update((scene, face.id) for face in there)
        self.confidences.extend(face.confidence for face in there)
        self.frames_without += not there

    @property
    def mean_confidence(self) -> float | None:
        return sum(self.confidences) / len(self.confidences) if self.confidences else None


def _track(
    output: Output, tracker: "FaceTracker", effect: "Effect", job: _Job, audio: AudioName
) -> dict[str, Any]:
    from facewarp.face.effects.factory import note_of
    from facewarp.face.tracking.record import record_of
    from facewarp.media.pipeline import run_pass
    from facewarp.media.sinks import open_sink
    from facewarp.media.track_records import open_records

    source, tally = job.source, _Tally()
    tracker.reset()

    def find(frame: "Frame") -> list["Face"]:
        if source.kind == "folder":
            tracker.reset()  # pictures of a folder need not show the same people
        return tracker(frame.image, frame.time)

    def draw(frame: "Frame", faces: list["Face"]) -> tuple["Image", list[dict[str, Any]]]:
        tally.add(frame.index if source.kind == "folder" else 0, faces)
        picture = effect(frame.image, faces, tracker.template)
        return picture, [record_of(frame, face) for face in faces]

    def pictures() -> "Sink":
        size = _size_of(effect, source, tracker.template)
        return open_sink(
            job.target, like=source, size=size, audio=audio.value, comment=note_of(effect)
        )

    records = partial(open_records, job.data, [source.path]) if job.data else None
    with output.progress(f"tracking {source.name}", source.frame_count) as advance:
        done = run_pass(source, pictures, find, draw, records, advance)
    _report(output, done, tally)
    return {
        "input": done.source,
        "output": done.output,
        "data": job.data,
        "frames": done.frames,
        "frames_without_face": tally.frames_without,
        "faces": len(tally.faces),
        "states": {name: tally.states[name] for name in ("tracking", "uncertain", "lost")},
        "mean_confidence": tally.mean_confidence,
        "seconds": done.seconds,
        "fps": done.fps,
        "truncated": done.truncated,
        "notes": source.notes,
    }


def _size_of(effect: "Effect", source: "Source", template: "Template") -> tuple[int, int]:
    """(width, height) of an effect's pictures: not all are of the size of the source's frames."""
    import numpy as np

    width, height = source.size
    picture = effect(np.zeros((height, width, 3), np.uint8), [], template)
    return picture.shape[1], picture.shape[0]


def _report(output: Output, done: "Pass", tally: _Tally) -> None:
    from rich.markup import escape

    count, mean = len(tally.faces), tally.mean_confidence
    found = "no face" if mean is None else f"{count} face{'s' if count > 1 else ''}"
    output.say(
        f"[green]{escape(str(done.output))}[/]: {done.frames} "
        f"frame{'s' if done.frames != 1 else ''} in {done.seconds:.1f} s ({done.fps:.1f} fps), "
        f"{found}" + ("" if mean is None else f", mean confidence {mean:.2f}")
    )
    if mean is None:
        output.warn(f"no face was found in {done.source}")
    elif tally.frames_without:
        output.say(f"  no face in {tally.frames_without} of {done.frames} frames")
    if done.truncated:
        output.warn(f"{done.source} is damaged or cut short; what could be read was tracked")
