"""Track a file: source -> tracker (with lookback) -> effect -> sink and records."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.face.clip.even_pace import Pace
from facewarp.face.clip.expressions_output import ExpressionsOutput
from facewarp.face.clip.frame_output import FrameOutput
from facewarp.face.clip.neutral_face import set_neutral
from facewarp.face.clip.open_outputs import open_extras
from facewarp.face.clip.square_pixels import in_square_pixels
from facewarp.face.clip.track_job import Tally, TrackJob
from facewarp.face.effects.base import FaceEffect, drawn_with_layer, forget_past
from facewarp.face.effects.canonical import Canonical
from facewarp.face.effects.factory import Effect, note_of
from facewarp.face.face import Face
from facewarp.face.rendering.deep_painting import painted
from facewarp.face.template.template import Template
from facewarp.face.tracking.lookback import Lookback
from facewarp.face.tracking.record import records_of
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame, Image, Source
from facewarp.media.pipeline import Pass, run_pass
from facewarp.media.sinks import NoPictures, Sink, is_video, keeps_depth, largest_size, open_sink
from facewarp.media.track_records import open_records
from facewarp.media.video.audio_copy import AudioMode
from facewarp.media.video.reader import VideoSource

_PROBE = (48, 32)  # (width, height) px of a frame that shows whether an effect changes the size


def track_video(
    tracker: FaceTracker,
    effect: Effect,
    job: TrackJob,
    *,
    audio: AudioMode | bool = "copy",
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
        advance: called after each frame.

    Raises:
        FacewarpError: the input can't be read or an output not be written.
    """
    source, tally = job.source, Tally()
    is_clip = source.kind != "folder" or getattr(source, "is_clip", False)
    if not is_clip and job.pictures and is_video(job.target) and (source.frame_count or 0) > 1:
        source.note(
            "every picture is taken by itself, and no face is followed from one to the next: "
            "give --fps if they are a clip"
        )
    if isinstance(source, VideoSource) and job.pictures and keeps_depth(job.target, job.codec):
        source.keep_depth()
    if isinstance(source, VideoSource):
        source.keep_codes()
    tracker.reset()
    aspect = Fraction(getattr(source, "sample_aspect", 1))
    forget_past(effect)
    if isinstance(effect, FaceEffect | Canonical):
        effect.pixel_aspect = float(aspect)
    counts_frames = is_clip and job.extras.counts_frames
    pace = Pace(source) if counts_frames and source.kind == "video" else None

    # A packed frame that goes to a video needs no more of its image than is painted on.
    paints_windows = (
        is_clip
        and job.pictures
        and is_video(job.target)
        and not job.extras.paths
        and isinstance(effect, FaceEffect)
        and effect.paints_windows
    )

    def follow(frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        track = Lookback(tracker) if is_clip else one_by_one
        for frame, faces in in_square_pixels(frames, track, aspect):
            tally.most_seen = max(tally.most_seen, tracker.most_seen)
            yield frame, faces

    def one_by_one(frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        for frame in frames:
            tracker.reset()  # pictures of a folder need not show the same people
            yield frame, tracker(frame.image, frame.time)

    def draw(frame: Frame, faces: list[Face]) -> tuple[Frame, Sequence[dict[str, Any]]]:
        canvas = frame.on_canvas() if paints_windows else None
        if canvas is not None and isinstance(effect, FaceEffect):
            tally.add(0, faces)
            effect.paint(canvas.image, faces, tracker.template)
            if pace is not None:
                pace.add(frame)
            return canvas, records_of(frame, faces) if job.data else ()
        frame = frame.unpacked()
        tally.add(0 if is_clip else frame.index, faces)
        if not is_clip:
            forget_past(effect)
        needs_layer = job.extras.needs_layer or frame.deep is not None
        picture, layer = _drawn(effect, frame, faces, tracker.template, needs_layer)
        for output in extras:
            output.add(frame, faces, layer)
        if pace is not None:
            pace.add(frame)
        drawn = painted(frame, picture, layer)
        return drawn, records_of(frame, faces) if job.data else ()

    def open_output() -> Sink:
        if not job.pictures:
            return NoPictures(job.target)
        size = output_size(effect, source, job.target, tracker.template)
        first = job.extras.first
        return open_sink(
            job.target,
            like=source,
            size=size,
            audio=audio,
            comment=note_of(effect),
            first=first,
            codec=job.codec,
            quality=job.quality,
        )

    records = partial(open_records, job.data, [source.path], files=True) if job.data else None
    with ExitStack() as opened:
        if isinstance(source, VideoSource) and aspect == 1:  # else frames are searched resized
            search = opened.enter_context(tracker.searching_ahead())
            source.watch(lambda frame: search.see(frame.viewed, frame.time))
        opened.enter_context(source)
        extras: list[FrameOutput] = []
        opened.callback(lambda: tally.extras.extend(p for one in extras for p in one.written))
        extras += [
            opened.enter_context(output)
            for output in open_extras(job.extras, source, tracker.template, note_of(effect))
        ]
        if job.extras.neutral is not None:
            for output in extras:
                if isinstance(output, ExpressionsOutput):
                    set_neutral(output.measure, tracker, source, job.extras.neutral)
        return run_pass(source, open_output, follow, draw, records, advance), tally


def _drawn(
    effect: Effect, frame: Frame, faces: list[Face], template: Template, needs_layer: bool
) -> tuple[Image, EffectLayer | None]:
    """Return the drawn picture, and the effect's own layer if that is needed and there is one."""
    if not needs_layer:
        return effect(frame.image, faces, template), None
    return drawn_with_layer(effect, frame.image, faces, template)


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
