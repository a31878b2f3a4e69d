"""Which streams of a file belong together: the video stream to read, and the sound to go with it.

PyAV tells neither programs, nor the cropping a container asks for, nor where the samples of chroma
lie, nor the name of a codec that has no decoder. FFmpeg's own description of a file,
`av_dump_format`, tells all four.
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError, shell_word
from facewarp.system.machine import limited_cores

_CODEC = re.compile(r"Stream #\d+:\d+\S*: \w+: (\w+)(?:, \d+ reference frames?)?(?: \((\w+) / )?")
_CHROMA = re.compile(r": Video: .*[(,] ?(left|center|topleft|top|bottomleft|bottom)\)")
_INDEX = re.compile(r"Stream #\d+:(\d+)")
_CROP = re.compile(r"Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)")
_NO_PICTURES = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
)
_TIMECODE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.])(\d\d+)")
_DAY_H = 24
_log_level = threading.Lock()


@dataclass(frozen=True)
class Crop:
    """How much of each edge of the stored picture is not to be shown, in pixels."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def cropped_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) of what is left; of all where nothing would be."""
        width, height = size[0] - self.left - self.right, size[1] - self.top - self.bottom
        return (width, height) if width > 0 and height > 0 else size


@dataclass(frozen=True)
class StreamInfo:
    """What FFmpeg's description of a file says beyond PyAV's attributes.

    Attributes:
        programs: Indices of the streams of each program; empty for files without programs.
        codecs: Stream index -> name of its codec, or its four-character code if it has none.
        crops: Stream index -> cropping asked for by the container.
        chroma_locations: Stream index -> where samples of chroma lie, by FFmpeg's names; only where
            it is told, or is what the codec means.
    """

    programs: Sequence[frozenset[int]] = ()
    codecs: Mapping[int, str] = field(default_factory=dict)
    crops: Mapping[int, Crop] = field(default_factory=dict)
    chroma_locations: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, container: InputContainer) -> "StreamInfo":
        """Read the description of an open file."""
        with _described():
            return cls.parse(cast(Any, container).dumps_format())  # its stubs leave it out

    @classmethod
    def parse(cls, description: str) -> "StreamInfo":
        """Read a description as `av_dump_format` prints it."""
        programs: list[set[int]] = []
        codecs: dict[int, str] = {}
        crops: dict[int, Crop] = {}
        locations: dict[int, str] = {}
        index = -1
        is_in_program = False
        for line in description.splitlines():
            if re.match(r"\s+Program \d+", line):
                programs.append(set())
                is_in_program = True
            elif re.match(r"\s+No Program", line):
                is_in_program = False
            elif found := _INDEX.search(line):
                index = int(found[1])
                if is_in_program:
                    programs[-1].add(index)
                if named := _CODEC.search(line):
                    is_known = named[1] not in ("none", "unknown")
                    codecs[index] = named[1] if is_known else named[2] or "unknown"
                if located := _CHROMA.search(line):
                    locations[index] = located[1]
            elif found := _CROP.search(line):
                left, right, top, bottom = map(int, found.groups())
                crops[index] = Crop(left, right, top, bottom)
        return cls(tuple(map(frozenset, programs)), codecs, crops, locations)

    def codec_name(self, stream: av.stream.Stream) -> str:
        """Return a name to show for the codec of a stream that may have no decoder."""
        if stream.codec_context is not None:
            return str(stream.codec_context.name)
        return self.codecs.get(stream.index, "unknown")

    def sound_of(self, container: InputContainer, video: VideoStream) -> list[AudioStream]:
        """Return the sound tracks of the program of a video stream, in the order of the file."""
        tracks = list(container.streams.audio)
        for program in self.programs:
            if video.index in program:
                return [track for track in tracks if track.index in program]
        return tracks


def choose_video_stream(container: InputContainer, path: Path | str) -> VideoStream:
    """Return the stream of moving pictures to read: the default one, else the largest.

    Cover pictures, thumbnails and streams that only complete another one never count. See
    `use_threads` for how it decodes.

    Raises:
        FacewarpError: There is only sound, or no decoder for the pictures.
    """
    streams = [s for s in container.streams.video if not s.disposition & _NO_PICTURES]
    if not streams:  # a file of one still picture
        streams = [
            s for s in container.streams.video if not s.disposition & Disposition.attached_pic
        ]
    if not streams:
        what = "there is only sound" if container.streams.audio else "there are no pictures"
        raise FacewarpError(f"{what} in this file", path, "Give a file with video.")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        name = StreamInfo.of(container).codec_name(streams[0])
        what = f"there is no decoder for the video's pictures ({name})"
        raise FacewarpError(what, path, f"Try: ffmpeg -i {shell_word(path)} converted.mp4")
    marked = [stream for stream in known if stream.disposition & Disposition.default]
    chosen = max(marked or known, key=lambda stream: (stream.width * stream.height, -stream.index))
    use_threads(chosen)
    return chosen


def use_threads(stream: VideoStream) -> None:
    """Let a stream be decoded by a thread a core, or as many as `limit_cores` has set."""
    stream.thread_type = "AUTO"
    if (limit := limited_cores()) is not None:
        stream.codec_context.thread_count = limit


def stream_tags(stream: av.stream.Stream) -> dict[str, str]:
    """Return title and language of a stream, by the names under which FFmpeg writes them."""
    told = {"language": stream.metadata.get("language"), "title": stream.metadata.get("title")}
    told["title"] = told["title"] or stream.metadata.get("name")  # as MP4 and MOV are read
    return {name: text for name, text in told.items() if text}


def timecode_of(container: InputContainer, stream: VideoStream, rate: Fraction) -> str | None:
    """Return the SMPTE timecode of a file's first picture, ``hh:mm:ss:ff``; None without one.

    Args:
        container: the file.
        stream: of its pictures, whose own timecode goes before that of a timecode track.
        rate: frames a second, which the timecode has to fit.
    """
    tracks = (other.metadata for other in container.streams if other.type == "data")
    for tags in (stream.metadata, *tracks, container.metadata):
        found = _TIMECODE.fullmatch(tags.get("timecode", tags.get("TIMECODE", "")))
        if found is not None and int(found[5]) < round(rate):
            is_dropping = found[4] != ":"
            return found[0] if not is_dropping or round(rate) % 30 == 0 else None
    return None


def later_timecode(timecode: str, frames: int, rate: Fraction) -> str:
    """Return the SMPTE timecode so many frames after another (SMPTE ST 12-1).

    Args:
        timecode: ``hh:mm:ss:ff``; with a semicolon before the frames, two numbers in thirty are
            left out at the beginning of each minute but every tenth (drop frame).
        frames: not below 0.
        rate: frames a second.
    """
    found = _TIMECODE.fullmatch(timecode)
    assert found is not None
    hours, minutes, seconds, number = (int(found[i]) for i in (1, 2, 3, 5))
    second = round(rate)
    dropped = 0 if found[4] == ":" else second // 15
    minute = 60 * hours + minutes
    count = (60 * minute + seconds) * second + number - dropped * (minute - minute // 10) + frames
    count %= (_DAY_H * 60 * 60) * second - dropped * (_DAY_H * 54)
    tens, rest = divmod(count, 600 * second - 9 * dropped)
    later = max(0, rest - dropped) // (60 * second - dropped)  # minutes of the ten that drop
    count += dropped * (9 * tens + later)
    seconds, number = divmod(count, second)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{found[4]}{number:02d}"


def other_video_streams(container: InputContainer, chosen: VideoStream) -> list[VideoStream]:
    """Return the streams of moving pictures that are left out when one is read."""
    return [
        stream
        for stream in container.streams.video
        if stream.index != chosen.index and not stream.disposition & _NO_PICTURES
    ]


@contextmanager
def _described() -> Iterator[None]:
    """Let FFmpeg describe files: it writes descriptions to its log, chroma at level "verbose"."""
    quiet = logging.getLogger("libav")
    with _log_level:
        before, handlers = av.logging.get_level(), list(quiet.handlers)
        quiet.addHandler(logging.NullHandler())
        av.logging.set_level(av.logging.VERBOSE)
        av.logging.set_libav_level(av.logging.VERBOSE)
        try:
            yield
        finally:
            av.logging.set_libav_level(av.logging.INFO)  # as it is unless set
            av.logging.set_level(before)
            quiet.handlers = handlers
