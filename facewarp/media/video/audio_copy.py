"""The sound of a video, carried to another file packet by packet, or converted where it must."""

import io
import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import ArgumentError, InvalidDataError
from av.format import Flags
from av.packet import Packet
from av.stream import Discard, Disposition

from facewarp.media.video.audio_conversion import AudioConversion
from facewarp.media.video.container import fraction, is_flush, open_container
from facewarp.media.video.reader import VideoSource
from facewarp.media.video.stream_info import stream_tags

_log = logging.getLogger(__name__)

AudioMode = Literal["copy", "convert", "none"]

# Encoders put silence before the sound. MP4 marks it by negative times. Matroska has a field for
# it, which FFmpeg up to 8 fills only for Opus, Vorbis and what comes from Matroska: otherwise it
# moves everything, pictures too, until no time is negative, so there the silence is left out.
_WRITES_LEAD: Final = av.library_versions["libavformat"][0] >= 63
_DELAY_KNOWN: Final = ("opus", "libopus", "vorbis", "libvorbis")
_ENCODERS: Final = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}
_CODEC_NAMES: Final = {"aac": "AAC", "libopus": "Opus"}
_TRIED_PACKETS: Final = 8
_PACKETS_LOOKED_AT: Final = 4000  # of all streams, for the first of one of them
_LAYOUTS: Final = {1: "mono", 2: "stereo", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
# QuickTime knows these languages by the bibliographic code of ISO 639-2 only.
_QUICKTIME_LANGUAGES: Final = {
    "bod": "tib", "ces": "cze", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq",
    "fas": "per", "fra": "fre", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac",
    "mri": "mao", "msa": "may", "mya": "bur", "nld": "dut", "ron": "rum", "slk": "slo",
    "sqi": "alb", "zho": "chi",
}  # fmt: skip

AudioPacket: TypeAlias = "Packet[AudioStream]"  # generic in PyAV's stubs only
_Way = Literal["copy", "convert", "leave out"]


@dataclass
class _Track:
    """Where packets of a stream go: into a copy, or through a conversion."""

    track: AudioStream
    conversion: AudioConversion | None = None
    last_dts: int | None = None
    starts_at_zero: bool = False
    lead: "AudioPacket | None" = None


class AudioCopy:
    """Carries all sound tracks that go with a video into a container that is being written.

    A track the container can't hold, or that hardly a player would play from it, is converted: to
    Opus in WebM, to AAC elsewhere. One that can't be decoded either is left out. Both are told, and
    known before the first packet is written.

    Args:
        source: The video with the sound.
        output: The container; its header is not written yet.
        convert: Whether tracks of other codecs are converted even if they could be copied.
    """

    def __init__(
        self, source: VideoSource, output: OutputContainer, *, convert: bool = False
    ) -> None:
        self._source = source
        self._input = open_container(source.path)
        self._output = output
        self._origin = source.timeline.origin
        self._on_clock = source.timeline.corrector()
        self._tracks: dict[int, _Track] = {}
        self._refused = 0
        self._least_step = 0 if output.format.flags & cast(int, Flags.ts_nonstrict.value) else 1
        self._next: AudioPacket | None = None
        try:
            self._add_tracks(convert)
        except BaseException:
            self._input.close()
            raise
        self._packets = self._demux()

    def _add_tracks(self, convert: bool) -> None:
        keeps_lead = _WRITES_LEAD or bool(
            self._output.format.flags & cast(int, Flags.ts_negative.value)
        )
        is_matroska = "matroska" in self._input.format.name
        for number, index in enumerate(self._source.sound_indices, 1):
            stream = self._input.streams[index]
            assert isinstance(stream, AudioStream)
            added = self._add(stream, number, convert)
            if added is None:
                continue
            self._tracks[index] = added
            added.starts_at_zero = not (
                keeps_lead
                or added.track.codec_context.name in _DELAY_KNOWN
                or (is_matroska and added.conversion is None)
            )
            added.track.disposition = stream.disposition & ~Disposition.attached_pic
            tags = stream_tags(stream)
            if self._output.format.name == "mov" and "language" in tags:
                tags["language"] = _QUICKTIME_LANGUAGES.get(tags["language"], tags["language"])
            added.track.metadata.update(tags)
        for other in self._input.streams:
            if other.index not in self._tracks:
                other.discard = Discard.all

    def _add(self, stream: AudioStream, number: int, convert: bool) -> _Track | None:
        container = self._output.format.name
        if stream.codec_context is None:
            name = self._source.codecs.get(stream.index, "unknown")
            self._source.note(f"left out sound track {number}: there is no decoder for {name}")
            return None
        name, encoder = stream.codec_context.name, _ENCODERS[container]
        way = _way(self._source, stream, container, convert)
        if way == "copy":
            copy = self._output.add_stream_from_template(stream)
            _name_layout(copy)
            return _Track(copy)
        if way == "leave out":
            self._source.note(
                f"left out sound track {number} ({name}): .{_suffix(container)} can't hold it, and "
                "it can't be converted"
            )
            return None
        self._source.note(
            f"sound track {number} ({name}) becomes {_CODEC_NAMES[encoder]}: "
            + _reason(name, container, convert)
        )
        conversion = AudioConversion(self._output, stream, encoder)
        return _Track(conversion.track, conversion)

    def copy_until(self, time: float | None, shift: float) -> None:
        """Copy the packets that come next, up to those that begin before a time.

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
            if self._source.start is None or self._time(packet) >= shift:
                self._take(packet, shift)

    def finish(self, shift: float) -> None:
        """Write what encoders still hold, once all that is wanted was copied."""
        for track in self._tracks.values():
            if track.conversion is not None:
                self._convert(track.conversion, None, track, shift)

    def close(self) -> None:
        """Close the file with the sound."""
        if self._refused:
            _log.warning(
                "%s: left out %d damaged pieces of the sound", self._input.name, self._refused
            )
            self._refused = 0
        self._input.close()

    def _take(self, packet: AudioPacket, shift: float) -> None:
        track = self._tracks[packet.stream_index]
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else packet.dts
        base = fraction(packet.time_base)
        if dts is None or pts is None or base is None:
            return
        ticks = round(self._origin / base)
        packet.dts, packet.pts = dts - ticks, pts - ticks
        if track.conversion is None:
            ticks = round(Fraction(shift) / base)
            packet.dts, packet.pts = packet.dts - ticks, packet.pts - ticks
            self._copy(packet, track)
            return
        self._convert(track.conversion, packet, track, shift)

    def _copy(self, packet: AudioPacket, track: _Track) -> None:
        """Write a packet, unless an edit of MP4 has cut it out: decoding may begin with it.

        Those before 0 are unheard anyway, and the last one before a track's first is kept: with it
        that one sounds as it should.
        """
        if packet.is_discard and cast(int, packet.pts) >= 0:
            track.lead = packet if track.last_dts is None else None
            return
        if track.lead is not None:
            self._mux(track.lead, track)
            track.lead = None
        self._mux(packet, track)

    def _convert(
        self, conversion: AudioConversion, packet: "AudioPacket | None", track: _Track, shift: float
    ) -> None:
        """Write what becomes of a packet; damage costs the sound of its moment, no more."""
        try:
            converted = list(conversion.convert(packet, shift))
        except (av.FFmpegError, ValueError) as error:
            _log.debug("%s: converting sound: %s", self._input.name, error)
            self._refused += 1
            return
        for one in converted:
            self._mux(one, track)

    def _mux(self, packet: AudioPacket, track: _Track) -> None:
        dts, pts = cast(int, packet.dts), cast(int, packet.pts)
        if pts < 0 and track.starts_at_zero:
            if pts + (packet.duration or 0) <= 0:
                return
            dts, pts = 0, 0
        if track.last_dts is not None:
            dts = max(dts, track.last_dts + self._least_step)
        track.last_dts = dts
        packet.dts, packet.pts = dts, max(pts, dts)
        packet.stream = track.track
        try:
            self._output.mux(packet)
        except (InvalidDataError, ArgumentError) as error:
            _log.debug("%s: sound packet at %d: %s", self._input.name, dts, error)
            self._refused += 1

    def _demux(self) -> Iterator[AudioPacket]:
        """Packets from about the start on; damage ends the sound with a warning, no more."""
        if not self._tracks:
            return
        start = self._source.start
        target = int((self._origin + Fraction(start or 0)) * av.time_base)
        if start and target > 0 and not self._source.timeline.is_joined:
            try:
                self._input.seek(target)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: seeking the sound: %s", self._input.name, error)
        wanted = tuple(s for s in self._input.streams.audio if s.index in self._tracks)
        packets = self._input.demux(wanted)
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
            self._on_clock(packet)
            yield packet

    def _time(self, packet: AudioPacket) -> float:
        ticks = packet.pts if packet.pts is not None else packet.dts or 0
        return float(ticks * (fraction(packet.time_base) or 0) - self._origin)


def _way(source: VideoSource, stream: AudioStream, name: str, convert: bool) -> _Way:
    """How a track gets into a container, tried out to the end on its first packets."""
    encoder = _ENCODERS[name]
    is_wanted = stream.codec_context.name not in (encoder, _CODEC_NAMES[encoder].lower())
    prefers_another = is_wanted if convert else _is_hardly_played(name, stream)
    packets = _first_packets(source, stream.index)
    if not prefers_another and _works(name, lambda output: _copied(output, stream, packets)):
        return "copy"
    if _works(name, lambda output: _converted(output, source, stream.index, encoder)):
        return "convert"
    if prefers_another and _works(name, lambda output: _copied(output, stream, packets)):
        return "copy"
    return "leave out"


def _is_hardly_played(container: str, stream: AudioStream) -> bool:
    """Whether a container may hold a track that its players don't know: PCM is new in MP4."""
    return container == "mp4" and stream.codec_context.name.startswith("pcm_")


def _works(container: str, write: Callable[[OutputContainer], None]) -> bool:
    """Whether a file is written without an error: some are met at its header, some at its end."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            write(trial)
    except (av.FFmpegError, ValueError) as error:
        _log.debug("%s: a trial with sound: %s", container, error)
        return False
    return True


def _copied(output: OutputContainer, stream: AudioStream, packets: list[AudioPacket]) -> None:
    copy = output.add_stream_from_template(stream)
    _name_layout(copy)
    output.start_encoding()
    zero = min((p.dts or 0 for p in packets), default=0)
    for packet in packets:
        data = Packet(bytes(packet))
        data.pts = (packet.pts if packet.pts is not None else packet.dts or 0) - zero
        data.dts = (packet.dts if packet.dts is not None else data.pts + zero) - zero
        data.duration, data.time_base = packet.duration, packet.time_base
        data.stream = copy
        output.mux(data)


def _converted(output: OutputContainer, source: VideoSource, index: int, encoder: str) -> None:
    with open_container(source.path) as container:
        stream = container.streams[index]
        assert isinstance(stream, AudioStream)
        conversion = AudioConversion(output, stream, encoder)
        output.start_encoding()
        decodes = False
        for packet in itertools.islice(container.demux(stream), _TRIED_PACKETS):
            if packet.size == 0 and not is_flush(packet):
                continue
            try:
                output.mux(list(conversion.convert(packet if packet.size else None, 0.0)))
                decodes = True
            except InvalidDataError:
                continue  # the first packet of a recording may be a part of one
        if not decodes:
            raise ValueError("no sound could be decoded")


def _first_packets(source: VideoSource, index: int) -> list[AudioPacket]:
    """Return the first packets of a track, as far as they come before long."""
    found: list[AudioPacket] = []
    with open_container(source.path) as container:
        packets = container.demux()
        for _ in range(_PACKETS_LOOKED_AT):
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError):
                break
            if packet is None or len(found) == _TRIED_PACKETS:
                break
            if packet.stream_index == index and packet.size:
                found.append(cast(AudioPacket, packet))
    return found


def _name_layout(track: AudioStream) -> None:
    """Name the layout of a track that tells only how many channels it has, as AVI does."""
    layout = track.codec_context.layout
    if "channels" in layout.name and layout.nb_channels in _LAYOUTS:
        track.codec_context.layout = _LAYOUTS[layout.nb_channels]


def _reason(codec: str, container: str, convert: bool) -> str:
    """Why a track is converted, and how to keep it as it is."""
    suffix = _suffix(container)
    if convert:
        return "as asked for"
    if container == "mp4" and codec.startswith("pcm_"):
        return f"few players play it from .{suffix}; write to .mov or .mkv to keep it"
    return f".{suffix} can't hold it" + ("" if suffix == "mkv" else "; write to .mkv to keep it")


def _suffix(container: str) -> str:
    return {"matroska": "mkv"}.get(container, container)
