"""The clock of a file: one for its pictures, its sound, its length, and `--start` and `--end`.

Recordings that were joined, clocks that are set forward or back within a broadcast, and counters of
33 bits that start anew are found by looking once through the timestamps of all packets, without
decoding any. What is found moves pictures and sound alike.
"""

import bisect
import itertools
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self, TypeAlias, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet

from facewarp.media.video.container import clock_origin, fraction, open_container

_log = logging.getLogger(__name__)

_BACK_S = 1.0  # as far as this, packets of one stream may lie in disorder
_SHORT_BACK_S = 0.03  # from here on a clock that is set back, if the next packets go on from there
_FOLLOWS_S = 0.01  # the same for a stream that follows another to a newer clock
_GOES_ON = 4  # packets
_FORWARD_S = 10.0  # FFmpeg's own limit for the formats it calls discontinuous
_PAUSE_S = 600.0  # for a stream alone in a file, which may well pause
_SAME_S = 1.0  # streams of one clock lie within this at a joint
_BEFORE_JOINT, _AFTER_JOINT = 3, 16  # packets that may be incomplete there

AnyPacket: TypeAlias = "Packet[Any]"


@dataclass(frozen=True)
class PacketTime:
    """A packet's place in the file and its times.

    Attributes:
        position: Byte in the file.
        stream: Index of its stream.
        dts: Seconds at which it is decoded.
        pts: Seconds at which it is shown.
        duration: Seconds.
        is_key: Whether decoding can begin with it.
    """

    position: int
    stream: int
    dts: float
    pts: float
    duration: float = 0.0
    is_key: bool = False


@dataclass
class _Epoch:
    """What is added to all timestamps while a file's clock runs undisturbed."""

    shift: float = 0.0
    by_video: bool = False


@dataclass
class _Marks:
    """Where a stream comes under a new epoch: bytes, and those of packets around there."""

    positions: list[int] = field(default_factory=list)
    around: list[tuple[int, int]] = field(default_factory=list)
    epochs: list[_Epoch] = field(default_factory=list)


class Timeline:
    """What to add to a file's timestamps for a clock that starts at 0 and never jumps.

    Args:
        origin: Seconds of the file's own clock that count as 0.

    Attributes:
        jumps: (second on this clock, seconds jumped) wherever the file's own clock jumps.
        duration_s: Length of the pictures by their packets; None where nobody looked.
    """

    def __init__(self, origin: Fraction = Fraction(0)) -> None:
        self.origin = origin
        self.jumps: list[tuple[float, float]] = []
        self.duration_s: float | None = None
        self._marks: dict[int, _Marks] = {}
        self._key_times: list[float] = []
        self._key_positions: list[int] = []

    @classmethod
    def of(cls, container: InputContainer, path: Path, video: int, sound: Iterable[int]) -> Self:
        """Return the timeline of an open file, looking through it where its clock may jump.

        Args:
            container: The file.
            path: Its path: it is opened once more.
            video: Index of the video stream.
            sound: Indices of the sound tracks.
        """
        timeline = cls(clock_origin(container))
        if is_discontinuous(container):
            packets = _packet_times(path, {video, *sound})
            is_broadcast = container.format.name != "flv"
            timeline.find_jumps(packets, video, pauses=not is_broadcast and len({*sound}) == 0)
        return timeline

    @property
    def is_joined(self) -> bool:
        """Whether the file's own clock jumps, so that its times can't be sought."""
        return bool(self.jumps)

    def find_jumps(
        self, packets: Iterable[PacketTime], video: int, *, pauses: bool = False
    ) -> None:
        """Find where the clock jumps.

        A stream whose time is set back by a second, by less if its next packets go on from there,
        or runs ahead of all streams by ten, is under a new clock from there on. Other streams
        follow once their own times jump alike. The pictures decide how the pieces join, and sound
        stays where it was beside them.

        Args:
            packets: In the order of the file.
            video: Index of the video stream.
            pauses: Whether nothing may come for minutes without a jump of the clock.
        """
        forward_s = _PAUSE_S if pauses else _FORWARD_S
        latest = _Epoch(by_video=True)
        current: dict[int, _Epoch] = {}
        ends: dict[int, float] = {}
        places: dict[int, list[int]] = {}
        shown_until = float(self.origin)
        packets = list(packets)
        set_back = _set_back(packets)
        for number, packet in enumerate(packets):
            stream = packet.stream
            epoch = current.setdefault(stream, latest)
            time = packet.dts + epoch.shift
            step = time - ends.get(stream, time)
            is_ahead = step > forward_s and time - max(ends.values()) > forward_s
            least = _SHORT_BACK_S if epoch is latest else _FOLLOWS_S
            is_back = step < -_BACK_S or (step < -least and number in set_back)
            if is_back or is_ahead:
                end = ends[stream]
                if epoch is latest or abs(packet.dts + latest.shift - end) > _SAME_S:
                    latest = _Epoch(end - packet.dts, stream == video)
                    self.jumps.append((end - float(self.origin), step))
                elif stream == video and not latest.by_video:
                    correction = end - packet.dts - latest.shift
                    for other in ends:
                        if current[other] is latest:
                            ends[other] += correction
                    latest.shift += correction
                    latest.by_video = True
                current[stream] = epoch = latest
                marks = self._marks.setdefault(stream, _Marks())
                marks.positions.append(packet.position)
                marks.epochs.append(latest)
                time = packet.dts + epoch.shift
            ends[stream] = max(time + packet.duration, ends.get(stream, time))
            places.setdefault(stream, []).append(packet.position)
            if stream == video:
                shown = packet.pts + epoch.shift
                shown_until = max(shown_until, shown + packet.duration)
                if packet.is_key:
                    self._key_times.append(shown - float(self.origin))
                    self._key_positions.append(packet.position)
        for stream, marks in self._marks.items():
            marks.around = [_neighbors(places[stream], mark) for mark in marks.positions]
        if video in ends:
            self.duration_s = shown_until - float(self.origin)

    def corrector(self) -> Callable[[AnyPacket], None]:
        """Return what moves packets, in the order they are read, onto this clock's ticks.

        The origin is not taken off yet: it need not be a whole number of ticks.
        """
        last: dict[int, int] = {}

        def correct(packet: AnyPacket) -> None:
            marks = self._marks.get(packet.stream_index)
            if marks is None:
                return
            position = packet.pos if packet.pos is not None else last.get(packet.stream_index, 0)
            last[packet.stream_index] = position
            place = bisect.bisect_right(marks.positions, position) - 1
            base = fraction(packet.time_base)
            if place < 0 or base is None:
                return
            ticks = round(marks.epochs[place].shift / base)
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks

        return correct

    def is_joint(self, packet: AnyPacket) -> bool:
        """Whether a packet lies where two pieces meet, as incomplete ones often do."""
        marks = self._marks.get(packet.stream_index)
        if marks is None or packet.pos is None:
            return False
        return any(first <= packet.pos <= last for first, last in marks.around)

    def key_position(self, time: float) -> int:
        """Return the byte of the last picture up to a second that decoding can begin with."""
        place = bisect.bisect_right(self._key_times, time) - 1
        return self._key_positions[place] if place >= 0 else 0


def is_discontinuous(container: InputContainer) -> bool:
    """Whether a format's clock may start anywhere and jump: broadcasts, and dumps of streams."""
    flag = cast(int, Flags.ts_discont.value)
    return bool(container.format.flags & flag) or container.format.name == "flv"


def _set_back(packets: Sequence[PacketTime]) -> set[int]:
    """Return places of packets whose stream's time is set back and goes on from there.

    Packets in disorder are no such place: those after them are as late as those before.
    """
    of_stream: dict[int, list[int]] = {}
    for number, packet in enumerate(packets):
        of_stream.setdefault(packet.stream, []).append(number)
    found = set()
    for numbers in of_stream.values():
        times = [packets[number].dts for number in numbers]
        for place in range(1, len(times) - 1):
            back = times[place - 1] - times[place]
            if back > 0:
                before = _steps(times[max(0, place - _GOES_ON) : place])
                onward, *after = _steps(times[place : place + _GOES_ON])
                usual = max(before + after, default=onward)
                if min(before + after, default=0.0) >= 0 <= onward <= usual + back / 2:
                    found.add(numbers[place])
    return found


def _steps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def _neighbors(positions: list[int], mark: int) -> tuple[int, int]:
    """Return the bytes of packets around a joint; decoders that work ahead tell errors later."""
    place = positions.index(mark)
    first, last = max(0, place - _BEFORE_JOINT), min(len(positions) - 1, place + _AFTER_JOINT)
    return positions[first], positions[last]


def _packet_times(path: Path, streams: set[int]) -> Sequence[PacketTime]:
    """Return the times of all packets of some streams, in the order of the file."""
    found: list[PacketTime] = []
    last: dict[int, int] = {}
    with open_container(path) as container:
        chosen = [
            stream
            for stream in container.streams
            if stream.index in streams and stream.codec_context is not None
        ]
        packets = container.demux(chosen)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: looking through it: %s", path, error)
                packet = None
            if packet is None:
                break
            dts = packet.dts if packet.dts is not None else packet.pts
            base = fraction(packet.time_base)
            if packet.size == 0 or dts is None or base is None:
                continue
            pts = packet.pts if packet.pts is not None else dts
            position = packet.pos if packet.pos is not None else last.get(packet.stream_index, 0)
            last[packet.stream_index] = position
            decoded, shown, lasts = (float(t * base) for t in (dts, pts, packet.duration or 0))
            entry = PacketTime(
                position, packet.stream_index, decoded, shown, lasts, packet.is_keyframe
            )
            found.append(entry)
    return sorted(found, key=lambda entry: entry.position)


@dataclass(frozen=True)
class Chapter:
    """A chapter of a video.

    Attributes:
        start: seconds.
        end: seconds.
        tags: its title, and whatever else the file tells.
    """

    start: float
    end: float
    tags: dict[str, str]


def chapters_of(
    container: InputContainer, origin: Fraction, start: float | None, end: float | None
) -> list[Chapter]:
    """Return the chapters of a file, as far as they lie in the part that is read.

    Args:
        container: the file.
        origin: seconds of its clock that count as 0.
        start: where reading begins, s, which is 0 then; None for the beginning.
        end: where it ends.
    """
    found = []
    shift = float(origin) + (start or 0.0)
    until = math.inf if end is None else end - (start or 0.0)
    for chapter in container.chapters():
        base = fraction(chapter["time_base"]) or Fraction(1)
        begins, ends = (float(chapter[at] * base) - shift for at in ("start", "end"))
        if ends > max(begins, 0.0) and begins < until:
            found.append(Chapter(max(begins, 0.0), min(ends, until), chapter["metadata"]))
    return found
