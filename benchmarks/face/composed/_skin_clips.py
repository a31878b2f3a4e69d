"""Clips of the shipped photograph for `sliding.py`: known motion under light, shadow and a hand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from _clips import FPS, Image, motions, moved, portrait, to_and_fro, with_noise

from facewarp.training.synthetic.demo_clip import Scene, demo_motion
from facewarp.training.synthetic.known_motion import Motion

_FRAMES = 84
_SKIN_TONE = (205.0, 150.0, 125.0)
_DARK_TONE = (110.0, 75.0, 60.0)


@dataclass(frozen=True)
class MadeClip:
    """A clip with the motion of its skin.

    Attributes:
        name: what it shows.
        motion: of every point.
        disturb: changes a frame, given its index: light, a hand.
        fps: frames a second.
        begin: its first frame; before it, nothing is shown.
    """

    name: str
    motion: Motion
    disturb: Callable[[Image, int], Image]
    fps: int = FPS
    begin: int = 0

    def frames(self) -> Iterator[Image]:
        """Render the frames from the first one on, with a camera's noise."""
        rng = np.random.default_rng(20201028)
        picture = Scene(portrait()).frame(demo_motion(), 0.0)
        for index in range(_FRAMES):
            frame = moved(picture, self.motion, index / self.fps)
            shown = with_noise(self.disturb(frame, index), rng)
            if index >= self.begin:
                yield shown

    def free(self) -> "MadeClip":
        """Return the whole clip without what disturbs it."""
        return replace(self, disturb=lambda frame, _: frame, begin=0)


def made_clips() -> list[MadeClip]:
    """Return the clips."""
    demo = demo_motion()
    channels = {"shift_x_px": to_and_fro(0.5, 20), "open": to_and_fro(0.7, 0.8)}
    bumps = tuple(bump for bump in demo.bumps if bump.channel == "open")
    speaking = Motion(_FRAMES / FPS, FPS, demo.center, channels, bumps)
    known = motions()
    hands = {
        "a hand": behind_a_hand,
        "a dark hand": partial(behind_a_hand, tone=_DARK_TONE),
        "a slow hand": partial(behind_a_hand, first=12, last=72),
    }
    begun = [
        MadeClip(f"begins behind {name}", speaking, hand, begin=first)
        for name, hand in hands.items()
        for first in (42, 46, 50)
    ]
    return [
        MadeClip("head turns and speaks", demo, lambda frame, _: frame),
        MadeClip("mouth 1 Hz", known["mouth 1 Hz"], lambda frame, _: frame),
        MadeClip("light and a shadow's edge", demo, lit),
        *(MadeClip(f"{name} passes", speaking, hand) for name, hand in hands.items()),
        *begun,
    ]


def lit(frame: Image, index: int) -> Image:
    """Change the light: a lamp that goes around, and a hard shadow that crosses in 1.5 s."""
    height, width = frame.shape[:2]
    x, y = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    phase = index / 12
    light = 1 + 0.35 * np.sin(3 * x + phase) * np.cos(y + 0.7 * phase)
    edge = x - (2 * ((index / 45) % 1) - 1) + 0.2 * y
    light *= 0.65 + 0.35 / (1 + np.exp(-edge / 0.02))
    return (frame * light[..., None]).clip(0, 255).astype(np.uint8)


def behind_a_hand(
    frame: Image,
    index: int,
    first: int = 30,
    last: int = 62,
    tone: tuple[float, float, float] = _SKIN_TONE,
) -> Image:
    """Move a hand of skin's colour, with folds of its own, across the face."""
    if not first <= index < last:
        return frame
    height, width = frame.shape[:2]
    x0 = width * (0.15 + 0.7 * (index - first) / (last - first))
    y0 = height * 0.55
    mask = np.zeros((height, width), np.uint8)
    for k in (-1.5, -0.5, 0.5, 1.5):
        center = (int(x0 + 26 * k), int(y0 - 60))
        cv2.ellipse(mask, center, (12, 75), 4 * k, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(mask, (int(x0), int(y0 + 60)), (58, 75), 0, 0, 360, 255, -1, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(mask, (0, 0), 1.2).astype(np.float32)[..., None] / 255
    y, x = np.mgrid[:height, :width]
    folds = 22 * np.sin((x - x0) / 9 + np.sin(y / 7)) + 15 * np.sin((y - y0) / 5)
    hand = np.array(tone) + folds[..., None]
    return (frame * (1 - alpha) + hand * alpha).clip(0, 255).astype(np.uint8)
