"""Videos written by PyAV: the frames' own timestamps, the original's turn, colours and sound."""

import contextlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.media.frames import Frame, Source
from facewarp.media.orientation import Orientation, Pixels
from facewarp.media.outputs import Output
from facewarp.media.prefetch import WriteBehind, queue_depth
from facewarp.media.video.audio_copy import AudioCopy, AudioMode
from facewarp.media.video.color_conversion import (
    AlphaWriter,
    Color,
    DeepYUVWriter,
    TenBitWriter,
    YUVWriter,
    ten_bit_codes,
)
from facewarp.media.video.encoders import (
    ALPHA,
    CONTAINER_OPTIONS,
    FORMATS,
    LIVE_CONTAINER_OPTIONS,
    DecodeTimes,
    choose_encoder,
    is_deep_codec,
)
from facewarp.media.video.reader import VideoSource
from facewarp.media.video.tone_mapping import HDRFormat, paint_codes, painted_hdr
from facewarp.media.yuv.codes import StoredCodes
from facewarp.system.atomic_files import OutputFile, write_error
from facewarp.system.machine import limited_cores

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
        size: (width, height) px of the upright frames; by default the source's.
        fps: Average frames a second where there is no video to take it from.
        audio: What becomes of the source's sound: "copy" carries it along, converting only what the
            container can't hold; "convert" converts to what the container is made for; "none"
            leaves it out. True and False stand for the first and the last.
        live: Whether it is recorded while it happens: encoded quickly rather than small, and
            written so that what there is plays even if the process is killed or the disk fills up.
        comment: What the file's metadata says of it.
        color: The color tags of pictures that come from no video; BT.709 by default.
        codec: One of `encoders.CODECS`, in place of the container's own.
        quality: 0 to 100, see `encoders.with_quality`.
        alpha: Whether frames have alpha even if the source has none, for files that can hold it.
        pixel_aspect: Width of a frame's pixel over its height, of frames that come from no video.
    """

    def __init__(
        self,
        target: Path,
        *,
        like: Source | None = None,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        audio: AudioMode | bool = "copy",
        live: bool = False,
        comment: str | None = None,
        color: Color | None = None,
        alpha: bool = False,
        codec: str | None = None,
        quality: int | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        super().__init__(target)
        self._live, self._comment, self._aspect = live, comment, pixel_aspect
        if size is None and like is None:
            raise ValueError("a video needs a size or a source to take it from")
        self._like = like if isinstance(like, VideoSource) else None
        self._size = size or (like.size if like else (0, 0))
        self._rate = Fraction(fps).limit_denominator(1001) if fps else _rate_of(like)
        self._orientation = Orientation()
        self._hdr: HDRFormat | None = None
        self._told_alpha = False
        self._has_alpha = alpha and target.suffix.lower() in ALPHA
        color = color or Color()
        if self._like:
            color = self._like.color
            if self._size == self._like.size:
                self._orientation = self._like.orientation
                self._aspect = self._like.sample_aspect
                self._hdr = None if alpha else self._like.hdr_format
                self._has_alpha |= self._like.has_alpha and target.suffix.lower() in ALPHA
        width, height = self._size
        self._pad = (height % 2, width % 2)
        self._stored_size = self._orientation.turned_size((width + width % 2, height + height % 2))
        self._encoder = choose_encoder(
            target.suffix.lower(),
            self._stored_size,
            self._rate,
            hdr=self._hdr is not None,
            alpha=self._has_alpha,
            codec=codec,
            quality=quality,
        )
        self._time_base = self._encoder.time_base(like.time_base if like else Fraction(1, 90_000))
        self._timed = DecodeTimes(round(1 / (self._rate * self._time_base)))
        self._to_yuv = YUVWriter(color)
        self._to_deep = None if self._hdr is None else _hdr_writer(self._hdr, self._encoder.pix_fmt)
        is_deep = is_deep_codec(codec) and self._hdr is None and not self._has_alpha
        self._to_ten = TenBitWriter(color, self._encoder.pix_fmt) if is_deep else None
        self._to_alpha = AlphaWriter(color, self._encoder.pix_fmt) if self._has_alpha else None
        self._held: av.VideoFrame | None = None
        self._last_pts: int | None = None
        self._shift: float | None = None if like and like.start is not None else 0.0
        self._is_over = self._is_cut = False
        self._audio: AudioCopy | None = None
        self._file = OutputFile(target, [like.path] if like else [], sweeps=not live)
        name = FORMATS[target.suffix.lower()]
        self._container = av.open(
            str(self._file.temporary),
            "w",
            format=name,
            container_options=(LIVE_CONTAINER_OPTIONS if live else CONTAINER_OPTIONS).get(name, {}),
        )
        try:
            self._open("none" if audio is False else "copy" if audio is True else audio)
        except BaseException as error:
            self._drop()
            if isinstance(error, av.FFmpegError | OSError):
                raise write_error(error, target) from error
            raise
        depth = queue_depth(3 * width * height)
        self._thread = WriteBehind[_Pending](
            self._write, self._finish, depth, f"encode {target.name}"
        )

    def _open(self, audio: AudioMode) -> None:
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
        (self._to_alpha or self._to_deep or self._to_ten or self._to_yuv).tag(codec)
        if self._to_alpha and self._container.format.name in ("matroska", "webm"):
            stream.metadata["alpha_mode"] = "1"
        if self._encoder.name == "libx265" and self._container.format.name in ("mp4", "mov"):
            codec.codec_tag = "hvc1"  # what Apple's players ask for
        if self._orientation != Orientation():
            stream.set_display_matrix(self._orientation.display_matrix(self._stored_size))
        if self._aspect != 1:
            codec.sample_aspect_ratio = self._orientation.turned_aspect(self._aspect)
        if self._like:
            self._container.metadata.update(self._like.file_tags)
            stream.metadata.update(self._like.stream_tags)
            self._take_chapters(self._like)
            if self._like.has_audio and audio != "none":
                convert = audio == "convert"
                self._audio = AudioCopy(self._like, self._container, convert=convert)
        if self._comment is not None:
            self._container.metadata["comment"] = self._comment
        if self._live:
            codec.open()  # the header comes with the first packet: a file of none can't be closed
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
        options = self._encoder.options_for(self._stored_size, self._rate, live=self._live)
        if self._hdr is not None and self._encoder.name == "libx265":
            told = {"master-display": self._hdr.mastering, "max-cll": self._hdr.light_level}
            params = [f"{name}={value}" for name, value in told.items() if value is not None]
            options["x265-params"] = ":".join([options["x265-params"], *params])
        return options

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
        height, width, channels = frame.image.shape
        if frame.image.dtype != np.uint8 or channels != 3:
            raise ValueError(f"a frame is (H, W, 3) uint8, not {frame.image.dtype} {channels}")
        if (width, height) != self._size:
            what = (
                f"picture {frame.index} has {width}x{height} pixels, "
                f"the video {self._size[0]}x{self._size[1]}"
            )
            fix = "Make all pictures one size, or write to a folder."
            raise FacewarpError(what, self.target, fix)
        pending = frame.time, self._with_own_codes(frame) or frame
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
            if self._live and self.kept:
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
        """Keep a recording that could not be finished; most of its pieces play."""
        self._is_over = True
        with contextlib.suppress(av.FFmpegError, OSError):
            self._close_files()
        self._file.commit()
        told = write_error(error, self.target)
        what = f"{told.what}; what was recorded before is kept"
        raise FacewarpError(what, self.target, told.fix) from error

    def _write(self, pending: "_Pending") -> None:
        """Encode in the thread, one frame behind: a frame's end is the next one's time."""
        time, frame = pending
        if self._shift is None:
            self._shift = time
        picture = self._coded(frame) if isinstance(frame, Frame) else frame
        pts = round(Fraction(time - self._shift) / self._time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        picture.pts, picture.time_base = pts, self._time_base
        self._encode_held(pts)
        self._held, self._last_pts = picture, pts
        if self._audio:
            self._audio.copy_until(time, self._shift)

    def _with_own_codes(self, frame: Frame) -> av.VideoFrame | None:
        """Return a frame of a video with that video's codes where nothing was painted on it.

        None where they are not to be had, or not what is written. Made in the thread that hands
        frames over: what waits to be encoded is half as large so.
        """
        codes = frame.codes
        is_plain = (self._to_alpha or self._to_deep or self._to_ten) is None
        if not is_plain or frame.alpha is not None or not isinstance(codes, StoredCodes):
            return None
        if codes.orientation != self._orientation or not self._to_yuv.fits(codes):
            return None
        shown = frame.image if frame.shown is None else frame.shown
        return self._to_yuv.painted(codes, shown, frame.image)

    def _coded(self, frame: Frame) -> av.VideoFrame:
        """Return the frame's picture as it is stored, in the encoder's pixel format."""
        frame = replace(frame, image=np.asarray(frame.image))  # all of it, if it was a canvas
        if self._to_alpha is not None:
            alpha = frame.alpha
            if alpha is None:
                alpha = np.full(frame.image.shape[:2], 255, np.uint8)
            return self._to_alpha(self._stored(np.dstack([frame.image, alpha])))
        if frame.alpha is not None:
            self._tell_of_alpha()
            return self._to_yuv(self._stored(frame.flattened()))
        if self._to_ten is not None:
            return self._to_ten(self._stored(ten_bit_codes(frame)))
        if self._hdr is None or self._to_deep is None:
            return self._to_yuv(self._stored(frame.image))
        tags = self._hdr.primaries, self._hdr.transfer
        if frame.hdr is None:
            codes = np.rint(65_535 * paint_codes(frame.image, *tags)).astype(np.uint16)
        else:
            codes = painted_hdr(frame.image, frame.hdr, *tags)
        return self._to_deep(self._stored(codes))

    def _tell_of_alpha(self) -> None:
        if not self._told_alpha and self._like is not None:
            self._told_alpha = True
            kinds = ", ".join(ALPHA)
            self._like.note(
                f"transparent parts are written black: {self.target.suffix} does not keep them "
                f"here; {kinds} keep them where the video begins with some"
            )

    def _stored(self, image: Pixels) -> Pixels:
        """Return a picture turned as it is stored, of even size."""
        image = cast(Pixels, np.ascontiguousarray(image))
        if any(self._pad):
            bottom, right = self._pad
            grown = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            image = cast(Pixels, grown)
        return self._orientation.stored(image)

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

    def _close_files(self) -> None:
        if self._audio:
            self._audio.close()
        self._container.close()

    def _drop(self) -> None:
        with contextlib.suppress(av.FFmpegError, OSError):  # what is removed need not be whole
            self._close_files()
        self._file.discard()


def _hdr_writer(coded: HDRFormat, pix_fmt: str) -> DeepYUVWriter | TenBitWriter:
    if pix_fmt == "yuv420p10le":
        return DeepYUVWriter(coded)
    return TenBitWriter(Color(coded.matrix, coded.primaries, coded.transfer), pix_fmt)


def _rate_of(like: Source | None) -> Fraction:
    return like.rate if like else Fraction(25)
