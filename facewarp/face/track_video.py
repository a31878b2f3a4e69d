"""Track a file: source -> tracker (with lookback) -> effect -> sink and records."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.effects.base import FaceEffect, drawn_with_layer, forget_past
from facewarp.face.effects.canonical import Canonical
from facewarp.face.effects.factory import Effect, note_of
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.face import Face, scaled_face
from facewarp.face.rendering.deep_painting import painted
from facewarp.face.template.template import Template
from facewarp.face.track_outputs import (
    ExpressionsOutput,
    ExtraOutputs,
    FrameOutput,
    open_extras,
)
from facewarp.face.tracking.lookback import Lookback
from facewarp.face.tracking.record import records_of
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Frame, Image, Source
from facewarp.media.pipeline import Pass, run_pass
from facewarp.media.sinks import NoPictures, Sink, is_video, keeps_depth, largest_size, open_sink
from facewarp.media.track_records import open_records
from facewarp.media.video.audio_copy import AudioMode
from facewarp.media.video.frame_conversion import with_square_pixels
from facewarp.media.video.reader import VideoSource

_OFF_FRAMES: Final = 1.5  # from where a constant rate has it: jitter of clocks stays below
_GAP_FRAMES: Final = 1.6  # between two frames: at least one is missing
_ODD_STEP: Final = 0.4  # of a frame more or less than one: more than clocks jitter
_ODD_STEPS: Final = 5  # from as many on it is no accident
_NEUTRAL_FIX: Final = "Give a second at which the face is seen at rest."
_PROBE = (48, 32)  # (width, height) px of a frame that shows whether an effect changes the size


@dataclass(frozen=True)
class TrackJob:
    """One input with where its pictures and its data go.

    Attributes:
        source: what is read.
        target: where the pictures go.
        data: where the track data goes.
        extras: what else is written.
        pictures: whether the pictures are written; else `target` only stands for the result.
        codec: of a video, one of `facewarp.media.video.encoders.CODECS`.
        quality: of a video, 0 to 100.
    """

    source: Source
    target: Path
    data: Path | None
    extras: ExtraOutputs = field(default_factory=ExtraOutputs)
    pictures: bool = True
    codec: str | None = None
    quality: int | None = None


@dataclass
class Tally:
    """What was found, counted while it is found.

    Attributes:
        states: how many faces were in each state, over all frames.
        faces: (scene, id) of every face; ids belong to a scene.
        confidences: of every face that was there.
        frames_without: frames without a face.
        most_seen: the most faces seen in one frame, followed or not.
        extras: files and patterns written beside the picture.
    """

    states: Counter[str] = field(default_factory=Counter)
    faces: set[tuple[int, int]] = field(default_factory=set)
    confidences: list[float] = field(default_factory=list)
    frames_without: int = 0
    most_seen: int = 0
    extras: list[Path] = field(default_factory=list)

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


def in_square_pixels(
    frames: Iterable[Frame],
    track: Callable[[Iterable[Frame]], Iterable[tuple[Frame, list[Face]]]],
    aspect: Fraction,
) -> Iterator[tuple[Frame, list[Face]]]:
    """Track frames as they are seen: a face is not narrow because its pixels are wide.

    Args:
        frames: as stored.
        track: yields every frame it is given, in order, with its faces.
        aspect: width of a stored pixel over its height.

    Yields:
        Every frame as stored, and its faces in px of it.
    """
    if aspect == 1:
        yield from track(frames)
        return
    waiting: deque[tuple[Frame, tuple[float, float]]] = deque()

    def square() -> Iterator[Frame]:
        for frame in frames:
            image, scale = with_square_pixels(frame.unpacked().image, aspect)
            waiting.append((frame, scale))
            yield frame.with_image(image)

    for _, faces in track(square()):
        frame, (x, y) = waiting.popleft()
        yield frame, [scaled_face(face, (1 / x, 1 / y)) for face in faces]


class Pace:
    """Tells where programs that count frames would show one at another time.

    Args:
        source: of the frames.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._start, self._last, self._count = source, 0.0, 0.0, 0
        self._told, self._odd = False, 0

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        if not self._count:
            self._start = self._last = frame.time
        off = (frame.time - self._start) * self._source.fps - self._count
        gap = (frame.time - self._last) * self._source.fps
        self._odd += self._count > 0 and abs(gap - 1) > _ODD_STEP
        self._last = frame.time
        self._count += 1
        if abs(off) >= _OFF_FRAMES:
            way = "later" if off > 0 else "earlier"
            self._tell(f"is {abs(off):.1f} frames {way} than at its")
        elif gap >= _GAP_FRAMES:  # one lost frame: an average rate hides how late the others are
            self._tell(f"comes {gap:.1f} frames after the one before, at its")
        elif self._odd >= _ODD_STEPS:  # short and long steps in turn, which cancel out
            self._tell(f"comes {gap:.1f} frames after the one before, as others do, at its")

    def _tell(self, what: str) -> None:
        if self._told:
            return
        self._told = True
        self._source.note(
            f"its frames do not come evenly: frame {self._count} {what} "
            f"{self._source.fps:.6g} a second; "
            "passes and tracks count frames: give the clip a constant rate first "
            "(ffmpeg -i CLIP -fps_mode cfr NEW.mov)"
        )


def set_neutral(
    expressions: ExpressionTracker, tracker: FaceTracker, source: Source, time: float
) -> None:
    """Take the largest face of a clip at a time for the neutral one of every face.

    Raises:
        FacewarpError: there is no such time, or no face then.
    """
    tracker.reset()
    with _opened_at(source, time) as clip:
        try:
            frame = next(iter(clip), None)
        except FacewarpError as error:
            what = f"there is no picture at the {time:g} s of --neutral: {error.what}"
            raise FacewarpError(what, source.path, _NEUTRAL_FIX) from error
        if frame is not None:
            aspect = Fraction(getattr(clip, "sample_aspect", 1))
            frame = frame.with_image(with_square_pixels(frame.image, aspect)[0])
        faces = [] if frame is None else tracker(frame.image, frame.time)
    tracker.reset()
    if frame is None or not expressions.take_neutral(frame.image, faces, frame.time):
        what = f"there is no face to be the neutral one at {time:g} s"
        raise FacewarpError(what, source.path, _NEUTRAL_FIX)


def _opened_at(source: Source, time: float) -> Source:
    """Open a clip again at the second of the neutral face; its errors name the option."""
    if source.kind == "image" or not getattr(source, "is_clip", True):
        what = "--neutral is a second of a clip, and pictures have none"
        raise FacewarpError(what, source.path, "Leave --neutral out, or give a clip its --fps.")
    if source.duration_s is not None and time >= source.duration_s:
        what = f"--neutral is {time:g} s, but the video ends at {source.duration_s:.2f} s"
        raise FacewarpError(what, source.path, _NEUTRAL_FIX)
    return source.opened_at(time)


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
