"""Clips whose pictures flash and whose sound beeps at every full second, and what measures them."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import OutputContainer

from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source

RATE = 48_000


def beeps(seconds: float, hertz: float = 880.0, layout: str = "stereo") -> av.AudioFrame:
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * time) * (time % 1 < 0.1) * 16_000
    channels = av.AudioLayout(layout).nb_channels
    data = np.repeat(wave.astype(np.int16), channels)[None]
    frame = av.AudioFrame.from_ndarray(data, format="s16", layout=layout)
    frame.sample_rate, frame.pts = RATE, 0
    return frame


def add_track(
    container: OutputContainer, codec: str, layout: str = "stereo", rate: int = RATE, **tags: Any
) -> Any:
    track = container.add_stream(codec, rate=rate, layout=layout, bit_rate=128_000)
    track.disposition = tags.pop("disposition", 0)
    track.metadata.update(tags)
    return track


def write_track(container: OutputContainer, track: Any, frame: av.AudioFrame) -> None:
    codec = track.codec_context
    resampler = av.AudioResampler(
        codec.format, codec.layout, codec.sample_rate, codec.frame_size or 1024
    )
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(track.encode(piece))
    container.mux(track.encode(None))


@pytest.fixture
def make_flashes(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str = "flashes.mp4",
        *,
        seconds: float = 2.0,
        rate: int = 25,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        sounds: Sequence[dict[str, Any]] = ({"codec": "aac"},),
        first_second: float = 0.0,
        format: str | None = None,
        metadata: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        aspect: Fraction | None = None,
    ) -> Path:
        """A clip with a white box and a beep for a tenth of every second."""
        path = tmp_path / name
        with av.open(
            str(path), "w", format=format, container_options=container_options or {}
        ) as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream(
                codec, rate=rate, width=size[0], height=size[1], pix_fmt=pix_fmt,
                options=options or ({"g": str(rate)} if codec == "libx264" else {}),
            )  # fmt: skip
            if codec == "libx264":
                stream.codec_context.max_b_frames = 0
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            tracks = [add_track(container, **sound) for sound in sounds]
            container.start_encoding()
            shift = Fraction(first_second)
            packets = []
            for number in range(round(seconds * rate)):
                image = np.full((size[1], size[0], 3), 40, np.uint8)
                if number % rate < rate // 10:
                    image[: size[1] // 2, : size[0] // 2] = 255
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture = picture.reformat(format=pix_fmt, threads=1)
                picture.pts, picture.time_base = number, Fraction(1, rate)
                packets += stream.encode(picture)
            packets += stream.encode(None)
            for index, track in enumerate(tracks):
                sound = beeps(seconds, 500 + 380 * index, track.codec_context.layout.name)
                kept = _Collector(packets)
                write_track(kept, track, sound)
            packets.sort(key=lambda packet: float(packet.dts * packet.time_base))
            for packet in packets:
                ticks = round(shift / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                container.mux(packet)
        return path

    return make


class _Collector:
    """Takes packets as a container would."""

    def __init__(self, packets: list[Any]) -> None:
        self.packets = packets

    def mux(self, packets: Any) -> None:
        self.packets += packets if isinstance(packets, list) else [packets]


class Measured:
    """When a file flashes and beeps, decoded by PyAV alone, and what its tracks are."""

    def __init__(self, path: Path) -> None:
        self.flashes: list[float] = []
        self.times: list[float] = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            self.metadata = dict(container.metadata)
            lit = False
            for picture in container.decode(stream):
                shade = picture.to_ndarray(format="gray")
                shade = shade[: shade.shape[0] // 3, : shade.shape[1] // 3].mean()
                time = float(picture.pts * stream.time_base)
                self.times.append(time)
                if shade > 150 and not lit:
                    self.flashes.append(round(time, 3))
                lit = shade > 150
            self.codecs = [track.codec_context.name for track in container.streams.audio]
            self.titles = [_title(track.metadata) for track in container.streams.audio]
            self.languages = [track.metadata.get("language") for track in container.streams.audio]
            self.defaults = [bool(track.disposition & 1) for track in container.streams.audio]
            self.count = len(container.streams.audio)
        self.beeps = [_beeps(path, number) for number in range(self.count)]


def _title(metadata: dict[str, str]) -> str | None:
    return metadata.get("title") or metadata.get("name")


def _beeps(path: Path, number: int) -> list[float]:
    found: list[float] = []
    until, end = -1.0, 0.0
    with av.open(str(path)) as container:
        track = container.streams.audio[number]
        try:
            for frame in container.decode(track):
                begin = end if frame.pts is None else float(frame.pts * frame.time_base)
                end = begin + frame.samples / frame.sample_rate
                values = np.abs(frame.to_ndarray().astype(float))
                if frame.format.name.rstrip("p") in ("s16", "s32", "u8"):
                    values = np.abs(values - (128 if frame.format.name[0] == "u" else 0))
                    values /= {"s16": 2**15, "s32": 2**31, "u8": 2**7}[
                        frame.format.name.rstrip("p")
                    ]
                values = (
                    values[0]
                    if frame.format.is_planar
                    else values[0][:: len(frame.layout.channels)]
                )
                for place in np.flatnonzero(values > 0.2):
                    time = begin + place / frame.sample_rate
                    if time > until:
                        found.append(round(time, 3))
                    until = time + 0.3
        except av.error.EOFError:
            pass
    return found


@pytest.fixture
def measured() -> Callable[[Path], Measured]:
    return Measured


@pytest.fixture
def copied(tmp_path: Path) -> Callable[..., Any]:
    def copy(path: Path, name: str = "out.mp4", start=None, end=None, **options: Any) -> Any:
        """Reads a clip and writes it; returns the source, read to its end."""
        with (
            open_source(path, start, end) as source,
            open_sink(tmp_path / name, like=source, **options) as sink,
        ):
            for frame in source:
                sink.write(frame)
        return source

    return copy


@pytest.fixture
def in_box() -> Callable[[bytes, Sequence[bytes], bytes], bytes]:
    def insert(data: bytes, path: Sequence[bytes], new: bytes) -> bytes:
        """An MP4 with a box more at the end of the one that a path leads to."""
        out, place = b"", 0
        while place + 8 <= len(data):
            length, kind = struct.unpack(">I4s", data[place : place + 8])
            body = data[place + 8 : place + length]
            if kind == path[0]:
                head = {b"stsd": 8, b"avc1": 78}.get(kind, 0)
                rest = insert(body[head:], path[1:], new) if len(path) > 1 else body[head:] + new
                body = body[:head] + rest
            out += struct.pack(">I4s", 8 + len(body), kind) + body
            place += length
        return out

    return insert
