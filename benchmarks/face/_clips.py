"""Clips of the shipped photograph: still with a camera's noise, or with known motion."""

import io
from collections.abc import Iterator
from importlib import resources

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.synthetic.demo_clip import demo_motion
from facewarp.training.synthetic.known_motion import Bump, Channel, Motion

Image = NDArray[np.uint8]

FPS = 30
REST_S = 0.4
"""Motions begin after this."""

_STILL_FRAMES = 90
_MOVING_S = 3.5
_READ_NOISE, _SHOT_NOISE = 2.0, 0.25  # deviation in the dark; variance per unit of light


def portrait() -> Image:
    """Return the shipped photograph."""
    path = resources.files("facewarp.assets").joinpath("demo/portrait.png")
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def with_noise(picture: Image, rng: np.random.Generator, gain: float = 1.0) -> Image:
    """Add a camera's noise: signal-dependent, and correlated between neighboring pixels."""
    light = picture.astype(np.float32) * gain
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
    noise *= np.sqrt(_READ_NOISE**2 + _SHOT_NOISE**2 * light) / noise.std()
    return np.rint(light + noise).clip(0, 255).astype(np.uint8)


def still_clips(picture: Image, rng: np.random.Generator) -> Iterator[tuple[str, list[Image]]]:
    """Return still clips with different noise."""
    yield "noise", [with_noise(picture, rng) for _ in range(_STILL_FRAMES)]
    lamp = 0.015 * np.sin(2 * np.pi * 3.7 / FPS * np.arange(_STILL_FRAMES))
    gains = 1 + lamp + 0.004 * rng.standard_normal(_STILL_FRAMES)
    flickering = [with_noise(picture, rng, gain) for gain in gains]
    yield "flicker", flickering
    yield "H.264", encoded_and_back(flickering)


def encoded_and_back(frames: list[Image]) -> list[Image]:
    """Return frames after H.264 encoding and decoding, as of a webcam or a call."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        options = {"crf": "28", "preset": "veryfast", "g": "30"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def motions() -> dict[str, Motion]:
    """Return oscillating motions of the head and of parts of the face."""
    demo = demo_motion()
    place = demo.center

    def head(channel: str, hz: float, reach: float, rest: float = 0.0) -> Motion:
        return Motion(_MOVING_S, FPS, place, {channel: to_and_fro(hz, reach, rest)})

    def part(names: tuple[str, ...], hz: float, reach: float) -> Motion:
        bumps: tuple[Bump, ...] = tuple(bump for bump in demo.bumps if bump.channel in names)
        return Motion(_MOVING_S, FPS, place, {n: to_and_fro(hz, reach) for n in names}, bumps)

    return {
        "head 0.5 Hz": head("shift_x_px", 0.5, 60),
        "head 1 Hz": head("shift_x_px", 1, 50),
        "head 2 Hz": head("shift_x_px", 2, 30),
        "roll 1 Hz": head("roll_deg", 1, 12),
        "zoom 1 Hz": head("zoom", 1, 0.12, 1.0),
        "tilt 1 Hz": head("tilt_x", 1, 0.5),
        "mouth 1 Hz": part(("open", "smile"), 1, 0.6),
        "mouth 2 Hz": part(("open", "smile"), 2, 0.6),
        "brows 1 Hz": part(("brows",), 1, 0.9),
    }


def to_and_fro(hz: float, reach: float, rest: float = 0.0) -> Channel:
    """Return an oscillation about a value that begins and ends at rest."""
    times, values, side = [REST_S], [rest], 1
    turn = REST_S + 0.25 / hz
    while turn + 0.25 / hz < _MOVING_S:
        times.append(turn)
        values.append(rest + side * reach)
        turn, side = turn + 0.5 / hz, -side
    return Channel((*times, turn - 0.25 / hz), (*values, rest))


def moved(picture: Image, motion: Motion, time_s: float) -> Image:
    """Warp the image by a motion, whose inverse is computed at every other pixel."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0.5:height:2, 0.5:width:2]
    rest = motion.unmap_points(np.stack([x, y], axis=-1), time_s).astype(np.float32)
    maps = [
        cv2.resize(np.ascontiguousarray(axis), (width, height), interpolation=cv2.INTER_LINEAR)
        for axis in np.moveaxis(rest, -1, 0)
    ]
    return np.asarray(cv2.remap(picture, *maps, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT))
