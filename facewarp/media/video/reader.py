"""Video files read by PyAV: true timestamps, upright pictures, decoded ahead in a thread."""

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError, shell_word
from facewarp.media.frames import Frame, Source
from facewarp.media.prefetch import ReadAhead, queue_depth
from facewarp.media.video.container import (
    COPY_AGAIN,
    FrameClock,
    UntimedLead,
    clock_origin,
    fraction,
    is_bare,
    is_variable_rate,
    joined_files,
    length_holds_wait,
    length_of,
    open_container,
    rate_of,
)
from facewarp.media.video.eyes import Eyes
from facewarp.media.video.pixels.color_conversion import Color, description_of, is_deep
from facewarp.media.video.pixels.frame_conversion import FrameConverter, pixel_aspect, sizes_in
from facewarp.media.video.pixels.tone_mapping import HDRFormat
from facewarp.media.video.reading.decoding import PictureDecoder, alpha_decoder, has_unread_alpha
from facewarp.media.video.reading.timed_pictures import (
    Faults,
    Pacing,
    TimedPictures,
    told_aspect,
)
from facewarp.media.video.stream_info import (
    StreamInfo,
    choose_video_stream,
    later_timecode,
    other_video_streams,
    stream_tags,
    timecode_of,
    use_threads,
)
from facewarp.media.video.timeline import Timeline, chapters_of
from facewarp.media.yuv.readable import refuse_unreadable
from facewarp.media.yuv.side_data import orientation_of

_log = logging.getLogger(__name__)

_SEEK_BACK_S = (0.0, 2.0, 10.0)
_ROUNDING_S = 1e-6
_ROUNDING_FRAMES = 0.02
_FILE_TAGS = ("title", "creation_time", "date", "artist", "album", "copyright")


class VideoSource(Source):
    """A video file; see `Source`.

    Attributes:
        orientation: How the stored pictures are turned.
        color: The colour tags of the images, with which a copy is written.
        chroma_location: Where samples of chroma lie in a copy of 4:2:0; None for untold.
        has_alpha: Whether pictures have transparent parts, as far as is known beforehand.
        hdr_format: How frames carry HDR, once `keep_hdr` was called for a video that has it.
        timeline: The clock of pictures and sound.
        sound_indices: The streams of sound that go with the pictures.
        codecs: Stream index -> name of its codec, with a decoder or without.
        file_tags: Title, creation time and the like of the file, for a copy.
        chapters: Those of the part that is read, whose beginning is 0.
        subtitles: How many tracks of subtitles the file has.
        eyes: For how many eyes it is, and whether it shows all around.
        stream_tags: Title and language of the pictures, and the timecode of the first one read.
    """

    kind: Literal["video"] = "video"

    def __init__(self, path: Path, start: float | None = None, end: float | None = None) -> None:
        super().__init__(path)
        self.start, self.end = start, end
        self._stored_aspect = self._aspect = Fraction(1)
        self.hdr_format: HDRFormat | None = None
        self.has_alpha = self._flattens = self._keeps_depth = self._keeps_codes = False
        self._count, self._reached_end = 0, False
        self._first_aspect = Fraction(1)
        self._readers: list[ReadAhead[Frame]] = []
        self._ahead: int | None = None
        self._seen: Callable[[Frame], None] | None = None
        with open_container(path) as container:
            stream = choose_video_stream(container, path)
            self._info = StreamInfo.of(container)
            self._index = stream.index
            sound = self._info.sound_of(container, stream)
            self.sound_indices = tuple(track.index for track in sound)
            self.codecs = self._info.codecs
            self.has_audio = bool(sound)
            self.file_tags = _kept(container.metadata, _FILE_TAGS)
            self.stream_tags = stream_tags(stream)
            self.timeline = Timeline.of(container, path, stream.index, self.sound_indices)
            decoder = PictureDecoder(path, container, stream, self.timeline)
            first = next(decoder.pictures(), None)
            if first is None:
                raise FacewarpError("no picture could be decoded", path, COPY_AGAIN)
            refuse_unreadable(first, path)
            self.chapters = chapters_of(container, self.timeline.origin, start, end)
            self.subtitles = sum(other.type == "subtitle" for other in container.streams)
            self._describe(container, stream, first)
            self._first_aspect = told_aspect(stream)
            self._place_untimed(container, stream, first)
            if first.pts is not None:
                self.first_s = float(first.pts * self.time_base - self.timeline.origin)
            self._measure_time(container, stream)
            self._take_timecode(container, stream)
            self._tell_of_streams(container, stream)
        if start is not None and self.duration_s is not None and start >= self.duration_s:
            what = f"start is {start:g} s, but the video ends at {self.duration_s:.2f} s"
            raise FacewarpError(what, path, "Start earlier.")

    def opened_at(self, start: float) -> "VideoSource":
        """See `Source.opened_at`."""
        return VideoSource(self.path, start)

    def frames_before(self, time: float) -> int | None:
        """See `Source.frames_before`; of fields in packets of their own both are counted."""
        if self.timeline.is_joined or self._lead is not None:
            return None
        origin = self.timeline.origin
        first, until = (origin + Fraction(at - _ROUNDING_S) for at in (self.first_s, time))
        with open_container(self.path) as container:
            shown = (packet.pts for packet in container.demux(container.streams[self._index]))
            times = (pts * self.time_base for pts in shown if pts is not None)
            return sum(first < at < until for at in times)

    def timecode_at(self, index: int) -> str | None:
        """See `Source.timecode_at`; of frames that come evenly."""
        first = self.stream_tags.get("timecode")
        if first is None or self.is_variable_rate:
            return None
        return later_timecode(first, index, self.rate)

    def keep_hdr(self) -> None:
        """Let frames of HLG and PQ carry the HDR picture too, for a copy that is HDR."""
        self.hdr_format = self._own_hdr

    def keep_depth(self) -> None:
        """Let frames of more than 8 bits carry them all, for a copy that has as many."""
        self._keeps_depth = self._is_deep

    def keep_codes(self) -> None:
        """Let frames of 8-bit 4:2:0 be their own codes, for a copy that keeps them: packed ones."""
        self._keeps_codes = True

    def watch(self, seen: Callable[[Frame], None] | None) -> None:
        """Show each frame to somebody as soon as it is decoded, in the decoding thread."""
        self._seen = seen

    def read_ahead(self, frames: int) -> None:
        """Decode no more than so many frames ahead, where they are wanted at a pace of their own.

        Else as many are decoded as even out the work, which is tens of MB of them.
        """
        self._ahead = frames

    def for_display(self) -> None:
        """Make images as a screen shows them: pixels square, what is transparent black."""
        self._flattens = True
        if self.sample_aspect != 1:
            self._aspect, self.sample_aspect = self._stored_aspect, Fraction(1)
            self._measure()

    def _describe(
        self, container: InputContainer, stream: VideoStream, first: av.VideoFrame
    ) -> None:
        self.orientation = orientation_of(first)
        self.rotation = self.orientation.degrees
        self.color = Color.of(first)
        self._own_hdr = HDRFormat.of(first)
        is_full = first.format.is_rgb or first.format.chroma_width(first.width) == first.width
        told = self._info.chroma_locations.get(self._index)
        self.chroma_location = "center" if is_full else told  # of pixels: as they are made smaller
        has_alpha = self._converter().alpha(first) is not None
        self.has_alpha = has_alpha or alpha_decoder(stream) is not None
        if has_unread_alpha(stream):
            self.note(
                "the alpha layer of HEVC is not read: what it hides is shown; convert the video to "
                "ProRes 4444 to keep it (FFmpeg 8: -c:v prores_ks -profile:v 4444)"
            )
        self._told = description_of(first), description_of(first, keeps_hdr=True)
        self._is_deep = is_deep(first)
        self.eyes = Eyes.of(first)
        self.stream_tags |= self.eyes.tags
        if self.eyes.has_unread_view:
            self.note("a video for two eyes: the pictures of one of them are read, and written")
        self._stored_aspect = pixel_aspect(stream)
        self.sample_aspect = self.orientation.turned_aspect(self._stored_aspect)
        stored = (first.width, first.height), self.orientation
        self._stored = [stored, *sizes_in(self.path, container, stream)]
        self._measure()
        self.time_base = fraction(stream.time_base) or self.time_base
        rate = rate_of(container, stream)
        if rate is None and is_bare(container):
            self.note(
                f"no frames a second are told, {float(self.rate):g} are taken: put it into a file "
                f"that tells them (ffmpeg -framerate RATE -i {shell_word(self.name)} "
                f"-c copy {shell_word(self.path.stem + '.mkv')})"
            )
        self.rate = rate or self.rate
        self.is_variable_rate = not is_bare(container) and is_variable_rate(stream)

    def _place_untimed(
        self, container: InputContainer, stream: VideoStream, first: av.VideoFrame
    ) -> None:
        """Give pictures before the first one with a timestamp their place before it."""
        self._lead: UntimedLead | None = None
        if is_bare(container) and first.pts is not None:  # a parser counts on from the first key
            self.timeline.origin = first.pts * self.time_base
        if first.pts is not None or first.dts is not None or is_bare(container):
            return
        period = FrameClock(self.time_base, self.rate).period
        self._lead = UntimedLead.of(self.path, stream.index, period)
        if self._lead is None:
            return
        self.timeline.origin = min(self.timeline.origin, self._lead.first * self.time_base)
        self.note(
            f"the first {self._lead.count} pictures have no times: they are put before the first "
            f"that has one, {float(self.rate):.6g} a second"
        )

    def _take_timecode(self, container: InputContainer, stream: VideoStream) -> None:
        """Keep the timecode of the first picture that is read, where it can be counted."""
        timecode = timecode_of(container, stream, self.rate)
        left_out = 0
        if timecode is not None and self.start:
            if self.is_variable_rate:
                return
            left_out = math.ceil((self.start - self.first_s) * float(self.rate) - _ROUNDING_FRAMES)
        if timecode is not None:
            self.stream_tags["timecode"] = later_timecode(timecode, max(0, left_out), self.rate)

    def _measure(self) -> None:
        """Find the size of the images: that of the largest pictures of the file."""
        converter = self._converter()
        sizes = [converter.size_of(size, turn) for size, turn in self._stored]
        self.size = max(sizes, key=lambda size: size[0] * size[1])

    def _measure_time(self, container: InputContainer, stream: VideoStream) -> None:
        if self.timeline.duration_s is not None:
            self.duration_s = self.timeline.duration_s
        else:
            length = length_of(container, stream)
            before = clock_origin(container) - self.timeline.origin
            is_of_pictures = stream.duration is not None  # alone, which may set in late
            if is_of_pictures and not length_holds_wait(container, stream):
                before += max(Fraction(0), Fraction(self.first_s) - before)
            self.duration_s = None if length is None else float(length + before)
        self.frame_count = stream.frames or None
        is_part = self.start is not None or self.end is not None
        if self.duration_s is not None and (is_part or not stream.frames):
            until = min(self.end or self.duration_s, self.duration_s)
            start = max(self.start or 0.0, self.first_s)
            self.frame_count = max(1, round((until - start) * self.fps))

    def __iter__(self) -> Iterator[Frame]:
        """Return the frames, decoded ahead while the last one is being worked on."""
        self.exhausted, self.truncated, self.end_time = False, False, 0.0
        self._count, self._reached_end = 0, False
        told = self._told[self.hdr_format is not None]
        if told and not self._keeps_depth:
            self.note(told)
        is_small = self.hdr_format is None and not self._keeps_depth
        bytes_a_pixel = (3 if is_small else 9) + 1.5 * self._keeps_codes
        depth = queue_depth(round(bytes_a_pixel * self.size[0] * self.size[1]))
        depth = depth if self._ahead is None else min(depth, self._ahead)
        reader = ReadAhead(self._read, depth, f"decode {self.name}")
        self._readers.append(reader)
        try:
            yield from reader
            self.exhausted = self._reached_end
        finally:
            reader.close()
            self._readers.remove(reader)

    def close(self) -> None:
        """End all reading and join its threads."""
        for reader in tuple(self._readers):
            reader.close()

    def _read(self) -> Iterator[Frame]:
        """Decode, in the decoding thread."""
        start = self.start or 0.0
        pacing = Pacing(self.timeline, self.time_base, self.rate, self._lead)
        # Some formats land behind the time sought, or can't be sought at all. Then it is sought
        # from further back, and in the end read from the beginning.
        for back in (*_SEEK_BACK_S, None) if start else (None,):
            with open_container(self.path) as container:
                stream = self._stream(container)
                timed = TimedPictures(self.path, container, stream, pacing, self.note)
                if back is not None and not timed.seek(start - back):
                    continue
                pictures = timed.pictures(start - (back or 0.0))
                first = next(pictures, None)
                if back is None or (first is not None and first[1] <= start):
                    pictures = itertools.chain([] if first is None else [first], pictures)
                    yield from self._in_range(pictures, timed, stream)
                    if self._reached_end:
                        self._report_faults(timed.faults(start))
                    return

    def _stream(self, container: InputContainer) -> VideoStream:
        stream = container.streams[self._index]
        assert isinstance(stream, VideoStream)
        use_threads(stream)
        return stream

    def _in_range(
        self,
        pictures: Iterator[tuple[av.VideoFrame, float]],
        timed: TimedPictures,
        stream: VideoStream,
    ) -> Iterator[Frame]:
        convert = self._converter(self.size)
        earliest = self.start - _ROUNDING_S if self.start else -math.inf
        count = 0
        for picture, time in pictures:
            self.end_time = timed.end_time
            if self.end is not None and time >= self.end:
                break
            if time >= earliest:
                convert.change_aspect(told_aspect(stream) / self._first_aspect)
                try:
                    frame = self._frame_of(picture, convert, time, count)
                except av.FFmpegError as error:  # colors that only this picture has: it is damaged
                    _log.debug("%s: converting: %s", self.path, error)
                    timed.unreadable += 1
                    continue
                if self._seen is not None:
                    self._seen(frame)
                yield frame
                count += 1
        else:
            self._reached_end, self.end_time = True, timed.end_time
        if count == 0 and timed.unreadable:
            raise FacewarpError("no picture's colors can be converted", self.path, COPY_AGAIN)
        if count == 0:
            what = "the video has no frames in the range asked for"
            raise FacewarpError(what, self.path, "Change --start or --end.")
        self._count = count

    def _frame_of(
        self, picture: av.VideoFrame, convert: FrameConverter, time: float, index: int
    ) -> Frame:
        """Return the frame of a decoded picture; packed where it keeps its codes."""
        codes = convert.codes(picture) if self._keeps_codes else None
        if codes is not None:
            return Frame.of_codes(codes, time, index, codes.orientation.degrees, self.name)
        image, turn = convert(picture)
        self._tell_of_size(convert.size_of((picture.width, picture.height), turn), convert)
        hdr = convert.hdr(picture, image) if self.hdr_format else None
        deep = convert.deep(picture, image) if self._keeps_depth else None
        alpha = convert.alpha(picture)
        frame = Frame(image, time, index, turn.degrees, alpha=alpha, hdr=hdr)
        frame = replace(frame, deep=deep, source=self.name)
        if self._flattens and frame.alpha is not None:
            frame = replace(frame, image=frame.flattened(), alpha=None)
        return frame

    def _converter(self, size: tuple[int, int] | None = None) -> FrameConverter:
        return FrameConverter(self._info.crops.get(self._index), self._aspect, size=size)

    def _tell_of_size(self, size: tuple[int, int], convert: FrameConverter) -> None:
        width, height = self.size
        if convert.has_other_aspect:
            self.note(f"the pixels change shape: all pictures are shown within {width}x{height}")
        elif size != self.size:
            self.note(f"the pictures change size: all are shown within {width}x{height}")

    def _tell_of_streams(self, container: InputContainer, stream: VideoStream) -> None:
        others = other_video_streams(container, stream)
        if others:
            sizes = ", ".join(f"{other.width}x{other.height}" for other in others)
            self.note(
                f"of {len(others) + 1} video streams number {stream.index} is read "
                f"({stream.width}x{stream.height}); left out: {sizes}"
            )
        if "mp4" in container.format.name and (files := joined_files(self.path)) > 1:
            self.note(
                f"{files} MP4 files stand in it, one after the other, and the first alone can be "
                "read right: join them by ffmpeg -f concat"
            )
        if self.timeline.jumps:
            second, step = self.timeline.jumps[0]
            more = len(self.timeline.jumps) - 1
            often = f", and {more} times more" if more else ""
            self.note(f"the clock jumps by {step:+.1f} s at {second:.2f} s{often}: time goes on")

    def _report_faults(self, faults: Faults) -> None:
        """Warn where the file promised more than it held."""
        cut_short = faults.cut_short
        self.truncated = cut_short is not None or faults.errors > 0
        if cut_short is not None:
            _log.warning(
                "%s: the file is cut short: %d frames could be read, up to %.1f s%s",
                *(self.path, self._count, self.end_time, cut_short),
            )
        elif self.truncated:
            _log.warning(
                "%s: the file is damaged: %d frames could be read, errors: %d",
                *(self.path, self._count, faults.errors),
            )
        if faults.lead and not self.start:
            self.note(
                f"the first {faults.lead} pictures can't be decoded: the recording begins between "
                "two key pictures"
            )


def _kept(tags: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: tags[name] for name in names if name in tags}
