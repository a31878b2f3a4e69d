"""Clips and pictures the media tests read, made by PyAV and Pillow as they are needed."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import OutputContainer

SOUND_RATE = 48_000

# Top left, top right, bottom left, bottom right: every turn and mirroring gives another picture.
CORNERS = ((220, 40, 40), (40, 200, 60), (50, 60, 220), (210, 200, 60))


def corners(size: tuple[int, int], shade: int = 0) -> np.ndarray:
    """(H, W, 3) picture of four flat quarters, darker by `shade`."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    ys, xs = (
        (slice(0, height // 2), slice(height // 2, None)),
        (
            slice(0, width // 2),
            slice(width // 2, None),
        ),
    )
    for i, colour in enumerate(CORNERS):
        image[ys[i // 2], xs[i % 2]] = np.maximum(np.array(colour) - shade, 0)
    return image


def corner_colours(image: np.ndarray) -> np.ndarray:
    """(4, 3) colours in the middles of the quarters."""
    height, width = image.shape[:2]
    ys, xs = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([image[y, x] for y in ys for x in xs]).astype(int)


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    return corners


@pytest.fixture
def colours_of() -> Callable[[np.ndarray], np.ndarray]:
    return corner_colours


def write_sound(container: OutputContainer, seconds: float, codec: str, late: float = 0.0) -> None:
    stream = container.add_stream(codec, rate=SOUND_RATE, layout="mono")
    wave = np.sin(np.arange(round(seconds * SOUND_RATE)) * 2 * np.pi * 440 / SOUND_RATE)
    sound = av.AudioFrame.from_ndarray(
        (wave * 12_000).astype(np.int16)[None], format="s16", layout="mono"
    )
    sound.sample_rate, sound.pts = SOUND_RATE, round(late * SOUND_RATE)
    resampler = av.AudioResampler(stream.format, "mono", SOUND_RATE, stream.frame_size or 1024)
    for piece in [*resampler.resample(sound), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str = "clip.mp4",
        *,
        frames: int = 12,
        size: tuple[int, int] = (64, 48),
        rate: Fraction | int = 25,
        ticks: Sequence[int] | None = None,
        time_base: Fraction | None = None,
        turn: int = 0,
        mirrored: bool = False,
        sound: str | None = None,
        sound_seconds: float | None = None,
        late: float = 0.0,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        tags: tuple[int, int, int] | None = None,
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        container_format: str | None = None,
        shades: bool = True,
    ) -> Path:
        """A clip of four coloured quarters that darken by 2 a frame; `turn` is clockwise."""
        path = tmp_path / name
        base = time_base or 1 / Fraction(rate)
        times = ticks if ticks is not None else range(frames)
        with av.open(
            str(path), "w", format=container_format, container_options=container_options or {}
        ) as container:
            stream = container.add_stream(
                codec, rate=rate, width=size[0], height=size[1], pix_fmt=pix_fmt,
                time_base=base, options=options or {"crf": "10"} if codec == "libx264" else {},
            )  # fmt: skip
            if turn or mirrored:
                stream.set_display_rotation(-turn, hflip=mirrored)
            if tags:
                codec_context = stream.codec_context
                codec_context.colorspace, codec_context.color_primaries = tags[:2]
                codec_context.color_trc, codec_context.color_range = tags[2], 1
            if sound:
                seconds = sound_seconds or float((max(times) + 1) * base)
                write_sound(container, seconds, sound, late)
            for index, tick in enumerate(times):
                image = corners(size, 2 * index if shades else 0)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame = frame.reformat(
                    format=pix_fmt, dst_colorspace=tags[0] if tags else None, threads=1
                )
                frame.pts, frame.time_base = tick, base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


class Contents:
    """What PyAV alone says of a video file."""

    def __init__(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            pictures = list(container.decode(stream))
            self.times = [float(picture.pts * stream.time_base) for picture in pictures]
            self.size = (pictures[0].width, pictures[0].height)
            self.rotation = pictures[0].rotation
            self.codec = stream.codec_context.name
            self.aspect = stream.sample_aspect_ratio
            first = pictures[0]
            self.tags = (first.colorspace, first.color_primaries, first.color_trc)
            self.images = [picture.to_ndarray(format="rgb24") for picture in pictures]
        with av.open(str(path)) as container:
            tracks = container.streams.audio
            packets = (
                [packet for packet in container.demux(tracks) if packet.size] if tracks else []
            )
            self.sound = [bytes(packet) for packet in packets]
            self.sound_times = [float(packet.pts * packet.time_base) for packet in packets]


@pytest.fixture
def contents() -> Callable[[Path], Contents]:
    return Contents
