"""The sound of a video, carried to another file packet by packet without being decoded."""

import io
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import ArgumentError, InvalidDataError
from av.format import Flags
from av.packet import Packet
from av.stream import Discard

from facewarp.media.video.container import clock_origin, open_container

_log = logging.getLogger(__name__)

# Encoders put silence before the sound. MP4 marks it by negative times; Matroska can't, and moves
# everything, pictures too, until nothing is negative. So there it is left out, but for codecs
# whose lead Matroska writes in a field of its own.
_DELAY_KNOWN = ("opus", "libopus", "vorbis", "libvorbis")

AudioPacket: TypeAlias = "Packet[AudioStream]"  # generic in PyAV's stubs only


class AudioCopy:
    """Copies all sound tracks of a file into a container that is being written.

    A track the container can't hold is left out with a warning.

    Args:
        path: The file with the sound.
        output: The container; its header is not written yet.
        start: Seconds on the file's clock; packets that begin earlier are skipped. None for all.
    """

    def __init__(self, path: Path, output: OutputContainer, start: float | None) -> None:
        self._input = open_container(path)
        self._output = output
        self._origin = clock_origin(self._input)
        self._start = start
        self._copies: dict[int, AudioStream] = {}
        self._last_dts: dict[int, int] = {}
        self._refused = 0
        self._from_zero: set[int] = set()
        self._least_step = 0 if output.format.flags & cast(int, Flags.ts_nonstrict.value) else 1
        takes_negative = output.format.flags & cast(int, Flags.ts_negative.value)
        self._next: AudioPacket | None = None
        for stream in self._input.streams.audio:
            copy = self._add(stream, path)
            if copy is not None:
                self._copies[stream.index] = copy
                if not takes_negative and stream.name not in _DELAY_KNOWN:
                    self._from_zero.add(stream.index)
        for other in self._input.streams:
            if other.index not in self._copies:
                other.discard = Discard.all
        self._packets = self._demux()

    def _add(self, stream: AudioStream, path: Path) -> AudioStream | None:
        container = self._output.format.name
        if not _can_hold(container, stream):
            hint = "" if container == "matroska" else "; write to .mkv to keep it"
            _log.warning(
                "%s: left out the sound: %s can't hold %s%s", path, container, stream.name, hint
            )
            return None
        copy = self._output.add_stream_from_template(stream)
        if stream.language:
            copy.metadata["language"] = stream.language
        return copy

    def copy_until(self, time: float | None, shift: float) -> None:
        """Copies the packets that come next, up to those that begin before a time.

        Args:
            time: Seconds on the file's clock; None for all that are left.
            shift: Seconds taken off every timestamp.
        """
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None or (time is not None and self._time(packet) >= time):
                return
            self._next = None
            if self._start is None or self._time(packet) >= shift:
                self._mux(packet, shift)

    def close(self) -> None:
        """Closes the file with the sound."""
        if self._refused:
            _log.warning(
                "%s: left out %d damaged pieces of the sound", self._input.name, self._refused
            )
            self._refused = 0
        self._input.close()

    def _mux(self, packet: AudioPacket, shift: float) -> None:
        index = packet.stream_index
        ticks = round(Fraction(shift) / packet.time_base) if shift else 0
        ticks += round(self._origin / packet.time_base)
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else packet.dts
        if dts is None or pts is None:
            return
        dts, pts = dts - ticks, pts - ticks
        if pts < 0 and index in self._from_zero:
            if pts + (packet.duration or 0) <= 0:
                return
            dts, pts = 0, 0
        dts = max(dts, self._last_dts.get(index, dts - self._least_step) + self._least_step)
        self._last_dts[index] = dts
        packet.dts, packet.pts = dts, max(pts, dts)
        packet.stream = self._copies[index]
        try:
            self._output.mux(packet)
        except (InvalidDataError, ArgumentError) as error:
            _log.debug("%s: sound packet at %d: %s", self._input.name, dts, error)
            self._refused += 1

    def _demux(self) -> Iterator[AudioPacket]:
        """Packets from about the start on; damage ends the sound with a warning, no more."""
        if not self._copies:
            return
        if self._start:
            target = int((self._origin + Fraction(self._start)) * av.time_base)
            try:
                self._input.seek(target)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: seeking the sound: %s", self._input.name, error)
        packets = self._input.demux(
            tuple(s for s in self._input.streams.audio if s.index in self._copies)
        )
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                _log.warning("%s: the sound ends early: %s", self._input.name, error)
                return
            if packet is None:
                return
            if packet.size == 0:
                continue
            yield packet

    def _time(self, packet: AudioPacket) -> float:
        ticks = packet.pts if packet.pts is not None else packet.dts or 0
        return float(ticks * packet.time_base - self._origin)


def _can_hold(container: str, stream: AudioStream) -> bool:
    """Whether a container takes a track: some refuse it only when the header is written."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True
