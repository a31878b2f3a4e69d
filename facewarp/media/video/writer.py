"""Videos written by PyAV: the frames' own timestamps, the original's turn, colours and sound."""

import contextlib
import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.media.frames import Frame, Source
from facewarp.media.orientation import Orientation
from facewarp.media.outputs import Output
from facewarp.media.prefetch import WriteBehind, queue_depth
from facewarp.media.video.audio_copy import AudioCopy
from facewarp.media.video.container import cut_after_whole_fragments
from facewarp.media.video.encoders import (
    ALPHA,
    CONTAINER_OPTIONS,
    FORMATS,
    LIVE_CONTAINER_OPTIONS,
    DecodeTimes,
    choose_encoder,
    is_deep_codec,
    with_mastering,
)
from facewarp.media.video.matroska import write_aspect
from facewarp.media.video.pixels.frame_coding import FrameCoder, StoredPictures
from facewarp.media.video.reader import VideoSource
from facewarp.media.video.writer_options import WriterOptions
from facewarp.system.atomic_files import OutputFile, write_error
from facewarp.system.machine import keep_scheduling, limited_cores

_log = logging.getLogger(__name__)

_Pending = tuple[float, Frame | av.VideoFrame]  # its time, and a frame or its codes


class VideoWriter(Output):
    """A video file, encoded in a thread of its own.

    Every frame keeps its time. Where the source is read from a start on, frame and sound times
    are moved together so that the first frame is at 0. The pictures are stored turned as the
    source's are, with the same display matrix, if they have the source's size; else upright.
    An odd width or height grows by one pixel that repeats the right or lower edge.

    Args:
        target: The file; its suffix (`encoders.FORMATS`) tells the container and the encoder.
        like: The source whose timestamps, turn, colours and sound are taken over.
        options: What is asked of it; without a source its size is.
    """

    def __init__(
        self, target: Path, like: Source | None = None, options: WriterOptions | None = None
    ) -> None:
        super().__init__(target)
        self._asked = asked = options or WriterOptions()
        if asked.size is None and like is None:
            what = "a video needs a size, or a source to take it from"
            raise FacewarpError(what, target, "Give size=(width, height) or like=source.")
        self._like = like if isinstance(like, VideoSource) else None
        self._size = asked.size or (like.size if like else (0, 0))
        self._rate = Fraction(asked.fps).limit_denominator(1001) if asked.fps else _rate_of(like)
        self._told_alpha = False
        self._stored, self._aspect = self._pictures()
        width, height = self._size
        orientation = self._stored.orientation
        self._stored_size = orientation.turned_size((width + width % 2, height + height % 2))
        self._encoder = choose_encoder(
            target.suffix.lower(),
            self._stored_size,
            self._rate,
            hdr=self._stored.hdr is not None,
            alpha=self._stored.alpha,
            codec=asked.codec,
            quality=asked.quality,
        )
        self._time_base = self._encoder.time_base(like.time_base if like else Fraction(1, 90_000))
        self._timed = DecodeTimes(round(1 / (self._rate * self._time_base)))
        self._coder = FrameCoder(self._stored, self._encoder.pix_fmt)
        self._held: av.VideoFrame | None = None
        self._last_pts: int | None = None
        self._shift: float | None = None if like and like.start is not None else 0.0
        self._is_over = self._is_cut = False
        self._audio: AudioCopy | None = None
        self._file = OutputFile(target, [like.path] if like else [], sweeps=not asked.live)
        name = FORMATS[target.suffix.lower()]
        told = (LIVE_CONTAINER_OPTIONS if asked.live else CONTAINER_OPTIONS).get(name, {})
        self._container = av.open(
            str(self._file.temporary), "w", format=name, container_options=told
        )
        try:
            self._open()
        except BaseException as error:
            self._drop()
            if isinstance(error, av.FFmpegError | OSError):
                raise write_error(error, target) from error
            raise
        depth = queue_depth(3 * width * height)
        self._thread = WriteBehind[_Pending](
            self._write, self._finish, depth, f"encode {target.name}"
        )

    @property
    def has_alpha(self) -> bool:
        """Whether the file keeps what is transparent."""
        return self._stored.alpha

    def _pictures(self) -> tuple[StoredPictures, Fraction]:
        """Return what pictures are like as they are stored, and their pixels' aspect, upright."""
        asked, like = self._asked, self._like
        holds_alpha = self.target.suffix.lower() in ALPHA
        alpha, deep = asked.alpha and holds_alpha, is_deep_codec(asked.codec)
        if like is None or self._size != like.size:
            color = asked.color if like is None else like.color
            located = None if asked.live else "center"  # as `codes_of` makes samples of chroma
            stored = StoredPictures(Orientation(), color, None, alpha, deep and not alpha, located)
            return stored, asked.pixel_aspect
        alpha |= like.has_alpha and holds_alpha
        hdr = None if asked.alpha else like.hdr_format
        deep = deep and hdr is None and not alpha
        how = like.color, hdr, alpha, deep, like.chroma_location
        return StoredPictures(like.orientation, *how), like.sample_aspect

    def _open(self) -> None:
        asked = self._asked
        width, height = self._stored_size
        stream = self._container.add_stream(
            self._encoder.name,
            rate=self._rate,
            options=self._options(),
            width=width,
            height=height,
            pix_fmt=self._encoder.pix_fmt,
            time_base=self._time_base,
        )
        assert isinstance(stream, VideoStream)
        self._stream, codec = stream, stream.codec_context
        codec.flags |= Flags.frame_duration
        if (limit := limited_cores()) is not None:
            codec.thread_count = limit
        self._coder.tag(codec)
        if self._stored.alpha and self._container.format.name in ("matroska", "webm"):
            stream.metadata["alpha_mode"] = "1"
        if self._encoder.name == "libx265" and self._container.format.name in ("mp4", "mov"):
            codec.codec_tag = "hvc1"  # what Apple's players ask for
        orientation = self._stored.orientation
        if orientation != Orientation():
            stream.set_display_matrix(orientation.display_matrix(self._stored_size))
        if self._aspect != 1:
            codec.sample_aspect_ratio = orientation.turned_aspect(self._aspect)
        if self._like:
            self._container.metadata.update(self._like.file_tags)
            stream.metadata.update(self._like.stream_tags)
            if lost := self._like.eyes.lost_in(self._container.format.name):
                self._like.note(lost)
            self._take_chapters(self._like)
            if self._like.has_audio and asked.audio != "none":
                convert = asked.audio == "convert"
                self._audio = AudioCopy(self._like, self._container, convert=convert)
        if asked.comment is not None:
            self._container.metadata["comment"] = asked.comment
        with keep_scheduling():
            if asked.live:
                codec.open()  # the header comes with the first packet: a file of none can't close
            else:
                self._container.start_encoding()

    def _take_chapters(self, like: VideoSource) -> None:
        """Keep the chapters of the source, and say that its subtitles are not kept."""
        if like.subtitles:
            tracks = "a track" if like.subtitles == 1 else f"{like.subtitles} tracks"
            like.note(f"left out {tracks} of subtitles: only pictures, sound and chapters are kept")
        ticks = Fraction(1, 1000)
        self._container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(chapter.start / ticks),
                    "end": round(chapter.end / ticks),
                    "time_base": ticks,
                    "metadata": chapter.tags,
                }
                for number, chapter in enumerate(like.chapters, 1)
            ]
        )

    def _options(self) -> dict[str, str]:
        options = self._encoder.options_for(self._stored_size, self._rate, live=self._asked.live)
        hdr = self._stored.hdr
        if hdr is None:
            return options
        told = with_mastering(options, self._encoder.name, hdr.mastering, hdr.light_level)
        if told is None and self._like is not None:
            self._like.note(
                "mastering display and light level are left out: HEVC and AV1 keep them here"
            )
        return told or options

    def write(self, frame: Frame) -> None:
        """Hands a frame over to be encoded; its image, (H, W, 3) uint8 RGB, must not be changed.

        Raises:
            FacewarpError: The image has another size than the video, or this frame or one before
                it could not be written.
        """
        self._hand_over(frame, wait=True)

    def offer(self, frame: Frame) -> bool:
        """Like `write`, but never waits: False where the encoder lags behind and has no room."""
        return self._hand_over(frame, wait=False)

    def _hand_over(self, frame: Frame, *, wait: bool) -> bool:
        shape, kind = frame.image.shape, frame.image.dtype
        if kind != np.uint8 or len(shape) != 3 or shape[2] != 3:
            what = f"a frame's image is (H, W, 3) uint8, not {kind} of shape {shape}"
            raise FacewarpError(what, self.target, "Convert it before it is written.")
        height, width, _ = shape
        if (width, height) != self._size:
            what = (
                f"picture {frame.index} has {width}x{height} pixels, "
                f"the video {self._size[0]}x{self._size[1]}"
            )
            fix = "Make all pictures one size, or write to a folder."
            raise FacewarpError(what, self.target, fix)
        # Coded in this thread where it can be: what waits to be encoded is half as large so.
        pending = frame.time, self._coder.own_codes(frame) or frame
        try:
            if not wait:
                return self._thread.offer(pending)
            self._thread.put(pending)
        except (av.FFmpegError, OSError) as error:
            raise write_error(error, self.target) from error
        return True

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`.

        The sound goes on to its end if the source was read to its end and nothing went wrong
        (``keep_partial``), and otherwise stops with the last frame.
        """
        if self._is_over:
            return
        self._is_cut = keep_partial
        try:
            self._thread.finish()
        except (av.FFmpegError, OSError) as error:
            if self._asked.live and self.kept:
                self._rescue(error)
            self.abort()
            raise write_error(error, self.target) from error
        if self.kept == 0:
            self.abort()
            if keep_partial:
                return
            raise FacewarpError("no frame was written", self.target)
        self._is_over = True
        self._file.commit()

    def abort(self) -> None:
        """See `Output.abort`."""
        if self._is_over:
            return
        self._is_over = True
        self.kept = 0
        self._thread.cancel()
        self._drop()

    def _rescue(self, error: Exception) -> None:
        """Keep the pieces of a recording that could not be finished; the cut off one is dropped."""
        self._is_over = True
        with contextlib.suppress(av.FFmpegError, OSError):
            self._close_files()
        cut_after_whole_fragments(self._file.temporary)
        self._file.commit()
        told = write_error(error, self.target)
        what = f"{told.what}; what was recorded before is kept"
        raise FacewarpError(what, self.target, told.fix) from error

    def _write(self, pending: "_Pending") -> None:
        """Encode in the thread, one frame behind: a frame's end is the next one's time."""
        time, frame = pending
        if self._shift is None:
            self._shift = time
        if isinstance(frame, Frame):
            if frame.alpha is not None and not self.has_alpha:
                self._tell_of_alpha()
            picture = self._coder(frame)
        else:
            picture = frame
        pts = round(Fraction(time - self._shift) / self._time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        picture.pts, picture.time_base = pts, self._time_base
        self._encode_held(pts)
        self._held, self._last_pts = picture, pts
        if self._audio:
            self._audio.copy_until(time, self._shift)

    def _tell_of_alpha(self) -> None:
        if not self._told_alpha and self._like is not None:
            self._told_alpha = True
            kinds = ", ".join(ALPHA)
            self._like.note(
                f"transparent parts are written black: {self.target.suffix} does not keep them "
                f"here; {kinds} keep them where the video begins with some"
            )

    def _encode_held(self, end: int) -> None:
        """Encode the frame held back, now that its end (in ticks) is known."""
        if self._held is None or self._last_pts is None:
            return
        self._held.duration = end - self._last_pts
        self._container.mux(self._timed(self._stream.encode(self._held)))
        self._held = None
        self.kept += 1

    def _encode_last(self, end: int) -> None:
        """Encode the last frame; one that is held long as a key frame.

        In MP4 a picture lasts until the one decoded after it begins: were B-frames decoded last,
        their times would end the file.
        """
        period = 1 / (self._rate * self._time_base)
        if self._held and self._last_pts is not None and end - self._last_pts > 1.5 * period:
            self._held.pict_type = PictureType.I
        self._encode_held(end)

    def _finish(self) -> None:
        """Finish in the encoding thread: from the last frame to the end of the file."""
        if self._last_pts is not None and self._shift is not None:
            is_whole = self._like is not None and self._like.exhausted and not self._is_cut
            end = self._last_pts + max(1, round(1 / (self._rate * self._time_base)))
            if self._like and is_whole:
                source_end = round(Fraction(self._like.end_time - self._shift) / self._time_base)
                end = max(self._last_pts + 1, source_end)
            self._encode_last(end)
            self._container.mux(self._timed(self._stream.encode(None)))
            if self._audio:
                until = None if is_whole else float(end * self._time_base) + self._shift
                self._audio.copy_until(until, self._shift)
                self._audio.finish(self._shift)
        self._close_files()
        if self.kept:
            self._tell_aspect()

    def _close_files(self) -> None:
        if self._audio:
            self._audio.close()
        self._container.close()

    def _tell_aspect(self) -> None:
        """Tell the shape of pixels in Matroska and WebM, where PyAV does not."""
        is_matroska = self.target.suffix.lower() in (".mkv", ".webm")
        aspect = self._stored.orientation.turned_aspect(self._aspect)
        if is_matroska and aspect != 1 and not write_aspect(self._file.temporary, aspect):
            what = f"{self.target.name} does not tell that a pixel is {float(aspect):.4g} times"
            _log.warning("%s as wide as high", what)

    def _drop(self) -> None:
        with contextlib.suppress(av.FFmpegError, OSError):  # what is removed need not be whole
            self._close_files()
        self._file.discard()


def _rate_of(like: Source | None) -> Fraction:
    return like.rate if like else Fraction(25)
