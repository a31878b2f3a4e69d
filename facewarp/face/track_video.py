"""Track a file: source -> tracker (with lookback) -> effect -> sink and records."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.face.effects.base import FaceEffect
from facewarp.face.effects.canonical import Canonical
from facewarp.face.effects.factory import Effect, note_of
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.expressions.pose import FIELD_OF_VIEW_DEG
from facewarp.face.expressions.rows import COLUMNS, rows_of
from facewarp.face.face import Face
from facewarp.face.template.template import Template
from facewarp.face.tracking.lookback import Lookback
from facewarp.face.tracking.record import record_of
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame, Image, Source
from facewarp.media.pipeline import Pass, run_pass
from facewarp.media.sinks import Sink, is_video, largest_size, open_sink
from facewarp.media.sources import open_source
from facewarp.media.table_writer import TableWriter
from facewarp.media.track_records import open_records
from facewarp.media.video.audio_copy import AudioMode

_PROBE = (48, 32)  # (width, height) px of a frame that shows whether an effect changes the size


@dataclass(frozen=True)
class TrackJob:
    """One input with where its pictures and its data go."""

    source: Source
    target: Path
    data: Path | None
    expressions: Path | None = None


@dataclass
class Tally:
    """What was found, counted while it is found.

    Attributes:
        states: how many faces were in each state, over all frames.
        faces: (scene, id) of every face; ids belong to a scene.
        confidences: of every face that was there.
        frames_without: frames without a face.
        most_seen: the most faces seen in one frame, followed or not.
    """

    states: Counter[str] = field(default_factory=Counter)
    faces: set[tuple[int, int]] = field(default_factory=set)
    confidences: list[float] = field(default_factory=list)
    frames_without: int = 0
    most_seen: int = 0

    def add(self, scene: int, faces: list[Face]) -> None:
        """Count a frame's faces."""
        there = [face for face in faces if face.state != "lost"]
        self.states.update(face.state for face in faces)
        self.faces.update((scene, face.id) for face in there)
        self.confidences.extend(face.confidence for face in there)
        self.frames_without += not there

    @property
    def mean_confidence(self) -> float | None:
        """Over all faces and frames; None without a face."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else None


def track_video(
    tracker: FaceTracker,
    effect: Effect,
    job: TrackJob,
    *,
    audio: AudioMode | bool = "copy",
    field_of_view: float = FIELD_OF_VIEW_DEG,
    neutral_at: float | None = None,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Pass, Tally]:
    """Track the faces of a video, a picture or pictures, and write them with an effect.

    Faces of videos, animations and numbered pictures are followed from their first frame on (see
    `facewarp.face.tracking.lookback`); pictures of a folder are registered one by one.

    Args:
        tracker: with the configuration `facewarp.face.tracking.track.OFFLINE`.
        effect: what is drawn.
        job: what is read and written.
        audio: what becomes of the sound, see `VideoWriter`.
        field_of_view: of the camera along the longer side, degrees, for expressions.
        neutral_at: time, s, at which faces are neutral; expressions count from there.
        advance: called after each frame.

    Raises:
        FacewarpError: the input can't be read or an output not be written.
    """
    source, tally = job.source, Tally()
    is_clip = source.kind != "folder" or getattr(source, "is_clip", False)
    tracker.reset()
    if isinstance(effect, FaceEffect | Canonical):
        effect.pixel_aspect = float(getattr(source, "sample_aspect", 1))

    def follow(frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        for frame, faces in Lookback(tracker)(frames) if is_clip else one_by_one(frames):
            tally.most_seen = max(tally.most_seen, tracker.most_seen)
            yield frame, faces

    def one_by_one(frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        for frame in frames:
            tracker.reset()  # pictures of a folder need not show the same people
            yield frame, tracker(frame.image, frame.time)

    measure = ExpressionTracker(tracker.template, field_of_view)
    table: TableWriter | None = None
    if job.expressions is not None:
        if neutral_at is not None:
            set_neutral(measure, tracker, source.path, neutral_at)
        table = TableWriter(job.expressions, COLUMNS, [source.path])

    def draw(frame: Frame, faces: list[Face]) -> tuple[Image, list[dict[str, Any]]]:
        tally.add(0 if is_clip else frame.index, faces)
        if table is not None:
            if not is_clip:
                measure.forget()
            for row in rows_of(frame, measure(frame.image, faces, frame.time)):
                table.write(row)
        picture = effect(frame.image, faces, tracker.template)
        return picture, [record_of(frame, face) for face in faces]

    def open_output() -> Sink:
        size = output_size(effect, source, job.target, tracker.template)
        return open_sink(job.target, like=source, size=size, audio=audio, comment=note_of(effect))

    has_files = source.kind == "folder"
    records = partial(open_records, job.data, [source.path], files=has_files) if job.data else None
    with table or nullcontext():
        return run_pass(source, open_output, follow, draw, records, advance), tally


def set_neutral(
    expressions: ExpressionTracker, tracker: FaceTracker, path: Path, time: float
) -> None:
    """Take the largest face of a clip at a time for the neutral one of every face.

    Raises:
        FacewarpError: there is no such time, or no face then.
    """
    tracker.reset()
    with open_source(path, time) as source:
        frame = next(iter(source), None)
        faces = [] if frame is None else tracker(frame.image, frame.time)
    tracker.reset()
    if frame is None or not expressions.take_neutral(frame.image, faces, frame.time):
        what = f"there is no face to be the neutral one at {time:g} s"
        raise FacewarpError(what, path, "Give a second at which the face is seen at rest.")


def output_size(
    effect: Effect, source: Source, target: Path, template: Template
) -> tuple[int, int]:
    """(width, height) px of an effect's pictures: not all are of the size of the frames.

    Args:
        effect: what is drawn.
        source: where the frames come from.
        target: where they go: a video of pictures is as large as the largest of them.
        template: what the effect is drawn with.
    """
    size = largest_size(source) if is_video(target) else source.size
    width, height = _PROBE
    picture = effect(np.zeros((height, width, 3), np.uint8), [], template)
    if picture.shape[:2] == (height, width):
        return size
    picture = effect(np.zeros((size[1], size[0], 3), np.uint8), [], template)
    return picture.shape[1], picture.shape[0]
