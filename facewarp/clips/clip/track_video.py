"""Track a file: source -> tracker (with lookback) -> effect -> sink and records."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.clips.clip.even_pace import Pace
from facewarp.clips.clip.expressions_output import ExpressionsOutput
from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.clips.clip.neutral_face import set_neutral
from facewarp.clips.clip.open_outputs import open_extras
from facewarp.clips.clip.square_pixels import in_square_pixels
from facewarp.clips.clip.track_job import Tally, TrackJob
from facewarp.drawing.effect_layer import EffectLayer
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
from facewarp.media.video.reader import VideoSource

_PROBE = (48, 32)  # (width, height) px of a frame that shows whether an effect changes the size


def track_video(
    tracker: FaceTracker,
    effect: Effect,
    job: TrackJob,
    *,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Pass, Tally]:
    """Track the faces of a video, a picture or pictures, and write them with an effect.

    Faces of videos, animations and numbered pictures are followed from their first frame on (see
    `facewarp.face.tracking.lookback`); pictures of a folder are registered one by one.

    Args:
        tracker: with the configuration `facewarp.face.tracking.track.OFFLINE`.
        effect: what is drawn.
        job: what is read and written.
        advance: called after each frame.

    Raises:
        FacewarpError: the input can't be read or an output not be written.
    """
    source, steps = job.source, _Steps(tracker, effect, job)
    _prepare_source(job, is_clip=steps.is_clip)
    tracker.reset()
    forget_past(effect)
    if isinstance(effect, FaceEffect | Canonical):
        effect.pixel_aspect = float(steps.aspect)
    records = partial(open_records, job.data, [source.path], files=True) if job.data else None
    with ExitStack() as opened:
        if isinstance(source, VideoSource) and steps.aspect == 1:  # else searched as resized
            search = opened.enter_context(tracker.searching_ahead())
            source.watch(lambda frame: search.see(frame.viewed, frame.time))
        opened.enter_context(source)
        steps.open_extras(opened)
        done = run_pass(source, steps.open_output, steps.follow, steps.draw, records, advance)
    return done, steps.tally


def _prepare_source(job: TrackJob, *, is_clip: bool) -> None:
    """Let a source carry what the outputs keep, and say what becomes of lone pictures."""
    source = job.source
    if not is_clip and job.pictures and is_video(job.target) and (source.frame_count or 0) > 1:
        source.note(
            "every picture is taken by itself, and no face is followed from one to the next: "
            "give --fps if they are a clip"
        )
    if isinstance(source, VideoSource):
        if job.encoding.keep_hdr:
            source.keep_hdr()
        if job.pictures and keeps_depth(job.target, job.encoding.codec):
            source.keep_depth()
        source.keep_codes()


class _Steps:
    """The steps that each frame of one input goes through, and the tally of what they found.

    Args:
        tracker: what finds faces.
        effect: what is drawn.
        job: what is read and written.

    Attributes:
        is_clip: whether the frames follow each other.
        aspect: width of a stored pixel over its height.
        tally: what was found.
    """

    def __init__(self, tracker: FaceTracker, effect: Effect, job: TrackJob) -> None:
        self._tracker, self._effect, self._job = tracker, effect, job
        source = job.source
        self.is_clip, self.aspect = source.is_clip, source.sample_aspect
        self.tally = Tally()
        self._extras: list[FrameOutput] = []
        counts_frames = self.is_clip and job.extras.counts_frames
        is_counted = counts_frames and source.kind == "video"
        self._pace = Pace(source, job.extras.first) if is_counted else None
        # A packed frame that goes to a video needs no more of its image than is painted on.
        self._paints_windows = (
            self.is_clip
            and job.pictures
            and is_video(job.target)
            and not job.extras.paths
            and isinstance(effect, FaceEffect)
            and effect.paints_windows
        )

    def open_extras(self, opened: ExitStack) -> None:
        """Open what is written beside the picture, and take the neutral face if one is named."""
        job, tracker = self._job, self._tracker
        opened.callback(
            lambda: self.tally.extras.extend(p for one in self._extras for p in one.written)
        )
        self._extras += [
            opened.enter_context(output)
            for output in open_extras(
                job.extras, job.source, tracker.template, note_of(self._effect)
            )
        ]
        if job.extras.neutral is not None:
            for output in self._extras:
                if isinstance(output, ExpressionsOutput):
                    set_neutral(output.measure, tracker, job.source, job.extras.neutral)

    def open_output(self) -> Sink:
        """Open what the pictures go to."""
        job = self._job
        if not job.pictures:
            return NoPictures(job.target)
        return open_sink(
            job.target,
            like=job.source,
            size=output_size(self._effect, job.source, job.target, self._tracker.template),
            audio=job.encoding.audio,
            comment=note_of(self._effect),
            first=job.extras.first,
            codec=job.encoding.codec,
            quality=job.encoding.quality,
        )

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        """Yield frames with their faces."""
        track = Lookback(self._tracker) if self.is_clip else self._one_by_one
        for frame, faces in in_square_pixels(frames, track, self.aspect):
            self.tally.most_seen = max(self.tally.most_seen, self._tracker.most_seen)
            yield frame, faces

    def _one_by_one(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, list[Face]]]:
        for frame in frames:
            self._tracker.reset()  # pictures of a folder need not show the same people
            yield frame, self._tracker(frame.image, frame.time)

    def draw(self, frame: Frame, faces: list[Face]) -> tuple[Frame, Sequence[dict[str, Any]]]:
        """Return a frame with the effect, and the records of its faces."""
        self.tally.add(0 if self.is_clip else frame.index, faces)
        canvas = frame.on_canvas() if self._paints_windows else None
        if canvas is not None and isinstance(self._effect, FaceEffect):
            self._effect.paint(canvas.image, faces, self._tracker.template)
            drawn = canvas
        else:
            frame = frame.unpacked()
            drawn = self._draw_whole(frame, faces)
        if self._pace is not None:
            self._pace.add(frame)
        return drawn, records_of(frame, faces) if self._job.data else ()

    def _draw_whole(self, frame: Frame, faces: list[Face]) -> Frame:
        """Draw on a whole image, and give the effect's layer to the outputs beside it."""
        template = self._tracker.template
        if not self.is_clip:
            forget_past(self._effect)
        picture: Image
        layer: EffectLayer | None = None
        if self._job.extras.needs_layer or frame.deep is not None:
            picture, layer = drawn_with_layer(self._effect, frame.image, faces, template)
        else:
            picture = self._effect(frame.image, faces, template)
        for output in self._extras:
            output.add(frame, faces, layer)
        return painted(frame, picture, layer)


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
