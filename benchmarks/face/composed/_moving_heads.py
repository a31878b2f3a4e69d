"""Clips of several heads for `identities.py`: moved along known paths, one before another.

The truth, landmarks and how much of each face is seen, comes from how a head was put there.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from _clips import Image
from composed._cut_out_heads import CANVAS, SIDE, Head
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.similarity import turned_about

_PIXEL_NOISE = 2.0  # deviation, levels
_TOO_DARK = 16.0  # mean level of a frame, below which nobody is to be seen


@dataclass(frozen=True)
class Pose:
    """Where a head is: middle and side of its face, frame px, and its turn, degrees."""

    x: float
    y: float
    side: float
    roll: float = 0.0


@dataclass(frozen=True)
class TrueFace:
    """What is known of a face in a frame: landmarks (68, 2) px and the share of it that is seen."""

    landmarks: Points
    seen: float


Layers = Sequence[tuple[int, Pose]]  # who, from the back to the front


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip to be made with any cast.

    Attributes:
        name: what happens in it.
        people: how many.
        seconds: how long.
        layers: who is where at a time, from the back to the front.
        fps: frames a second.
        size: (width, height) px.
        light: changes a frame at a time.
        twins: whether the second person is the mirrored first one.
        pole: (left, right) px of what stands before everybody.
        dissolves: times of cuts that take half a second.
    """

    name: str
    people: int
    seconds: float
    layers: Callable[[float], Layers]
    fps: int = 25
    size: tuple[int, int] = (640, 360)
    light: Callable[[NDArray[np.float32], float], NDArray[np.float32]] | None = None
    twins: bool = False
    pole: tuple[int, int] | None = None
    dissolves: tuple[float, ...] = field(default=())

    def frames(self, cast: Sequence[Head]) -> Iterator[tuple[float, Image, dict[int, TrueFace]]]:
        """Yield time, picture and the faces that are in it."""
        rng = np.random.default_rng(20160916)
        noise = rng.normal(0, _PIXEL_NOISE, (4, self.size[1], self.size[0], 3)).astype(np.float32)
        for index in range(round(self.seconds * self.fps)):
            time = index / self.fps
            picture, truth = self._composed(cast, self.layers(time), index)
            for at in self.dissolves:
                share = (time - at) / 0.5 + 0.5
                if 0 < share < 1:
                    ends = [self._composed(cast, self.layers(at + d), index) for d in (-0.26, 0.26)]
                    picture = (1 - share) * ends[0][0] + share * ends[1][0]
                    both = {**ends[0][1], **ends[1][1]}
                    truth = {who: TrueFace(face.landmarks, 0.0) for who, face in both.items()}
            if self.light is not None:
                picture = self.light(picture, time)
                if picture.mean() < _TOO_DARK:
                    truth = {who: TrueFace(face.landmarks, 0.0) for who, face in truth.items()}
            yield time, (picture + noise[index % 4]).clip(0, 255).astype(np.uint8), truth

    def _composed(
        self, cast: Sequence[Head], layers: Layers, index: int
    ) -> tuple[NDArray[np.float32], dict[int, TrueFace]]:
        picture = _background(self.size).copy()
        truth: dict[int, TrueFace] = {}
        covers: list[tuple[int, NDArray[np.bool_], float]] = []
        for who, pose in layers:
            head = cast[who]
            count = len(head.pictures)
            place = index % max(1, 2 * count - 2)
            place = place if place < count else 2 * count - 2 - place
            middle = np.full(2, (CANVAS - 1) / 2)
            matrix = turned_about(
                middle, np.array((pose.x, pose.y)), pose.side / SIDE, math.radians(pose.roll)
            )
            sharp = max(0.3, 0.4 * SIDE / pose.side)
            soft = cv2.GaussianBlur(head.pictures[place], (0, 0), sharp)
            shown = cv2.warpAffine(soft, matrix, self.size, borderMode=cv2.BORDER_REPLICATE)
            alpha = cv2.warpAffine(head.mattes[place], matrix, self.size)[..., None]
            picture += alpha * (shown - picture)
            points = head.landmarks[place] @ matrix[:, :2].T + matrix[:, 2]
            hull = np.zeros(self.size[::-1], np.uint8)
            cv2.fillConvexPoly(hull, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
            area = float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))
            covers = [(other, seen & (alpha[..., 0] < 0.5), all_) for other, seen, all_ in covers]
            covers.append((who, hull > 0, area))
            truth[who] = TrueFace(points, 0.0)
        if self.pole is not None:
            left, right = self.pole
            picture[:, left:right] = (70, 74, 80)
            for _, seen, _ in covers:
                seen[:, left:right] = False
        for who, seen, area in covers:
            truth[who] = TrueFace(truth[who].landmarks, min(1.0, seen.sum() / max(area, 1.0)))
        return picture, truth


def scenes() -> list[Scene]:
    """Return the clips: people pass, hide, leave, and are cut, sorted, lit and mixed up."""
    return [
        _passing("pass slowly", 1.0, 96),
        _passing("pass", 3.0, 96, fps=60),
        _passing("pass", 3.0, 48),
        _passing("pass fast", 6.0, 96),
        _passing("pass fast", 6.0, 64, fps=15),
        _passing("twins pass", 2.0, 96, twins=True),
        _passing("pass in fading light", 2.0, 96, light=_fading),
        _passing("pass behind a pole", 2.0, 80, pole=(250, 390)),
        Scene("turn back behind a pole", 2, 4.0, _behind_pole(80), pole=(250, 390)),
        Scene("hide behind a head", 2, 4.0, _hiding(96, on=True)),
        Scene("hide and come back", 2, 4.0, _hiding(96, on=False)),
        Scene("four pass", 4, 4.0, _four, size=(960, 360)),
        Scene("walk up before another", 2, 3.2, _walking_up),
        Scene("leave, back on the other side", 2, 4.5, _leaving(swapped=True)),
        Scene("leave, another comes", 3, 4.5, _leaving(swapped=False)),
        Scene("cut swaps two", 2, 3.2, _swapped),
        Scene("cut swaps twins", 2, 3.2, _swapped, twins=True),
        Scene("shot, reverse shot", 2, 6.0, _reverse_shots),
        Scene("shot, reverse shot, 15 fps", 2, 6.0, _reverse_shots, fps=15),
        Scene("dissolve to another", 2, 4.0, _dissolved, dissolves=(2.0,)),
        Scene("close-up, wide shot, close-up", 3, 4.5, _wide_shot),
        Scene("dark between two shots", 2, 4.5, _dissolved, light=_through_black),
        Scene("flashes and warm light", 2, 4.0, _still, light=_flashes),
        Scene("gallery of 16, sorted anew", 16, 4.0, _gallery, size=(960, 540), fps=15),
    ]


@cache
def _background(size: tuple[int, int]) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    coarse = rng.uniform(60, 170, (9, 16, 3)).astype(np.float32)
    return cv2.GaussianBlur(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), (0, 0), 9)


# --- who is where


def _sway(time: float, side: float, phase: float = 0.0) -> float:
    return 0.04 * side * math.sin(5 * time + phase)


def _passing(
    name: str,
    speed: float,
    side: float,
    *,
    fps: int = 25,
    pole: tuple[int, int] | None = None,
    light: Callable[[NDArray[np.float32], float], NDArray[np.float32]] | None = None,
    twins: bool = False,
) -> Scene:
    """Two walk towards each other at a speed in sides of their faces a second, and past."""
    start = 2.6 * side
    rest = 0.5

    def layers(time: float) -> Layers:
        way = min(max(time - rest, 0.0) * speed * side, 2 * start)
        right = Pose(320 + start - way, 185 + _sway(time, side), 0.94 * side, 4 * math.sin(time))
        left = Pose(320 - start + way, 190 + _sway(time, side, 2), side, -3 * math.sin(time))
        return [(1, right), (0, left)]

    seconds = rest + 2 * start / (speed * side) + 0.8
    what = f"{name}, {speed:g} faces/s, {side:g} px, {fps} fps"
    return Scene(what, 2, seconds, layers, fps, light=light, twins=twins, pole=pole)


def _behind_pole(side: float) -> Callable[[float], Layers]:
    def layers(time: float) -> Layers:
        way = 190 * max(0.0, 1 - abs(time - 2.0) / 1.4)
        return [
            (1, Pose(320 + 200 - way, 185 + _sway(time, side), side)),
            (0, Pose(320 - 200 + way, 190 + _sway(time, side, 2), side)),
        ]

    return layers


def _hiding(side: float, *, on: bool) -> Callable[[float], Layers]:
    def layers(time: float) -> Layers:
        way = float(np.interp(time, (0.5, 1.4, 2.2, 3.1), (0, 1, 1, 2 if on else 0)))
        behind = Pose(320 + 2.2 * side * (1 - way), 188, 0.8 * side)
        return [(1, behind), (0, Pose(320, 190 + _sway(time, side), side))]

    return layers


def _four(time: float) -> Layers:
    ways = [(1, 1.6, 180), (-1, 1.0, 165), (1, 0.7, 190), (-1, 1.9, 175)]
    placed = []
    for who, (sign, speed, y) in enumerate(ways):
        side = 100 - 8 * who
        way = max(0.0, time - 0.4) * speed * side
        start = 140 + 120 * (who // 2)
        x = start + way if sign > 0 else 960 - start - way
        placed.append((who, Pose(x, y + _sway(time, side, who), side)))
    return placed[::-1]


def _walking_up(time: float) -> Layers:
    share = float(np.interp(time, (0.6, 2.4), (0, 1)))
    near = Pose(120 + 420 * share, 190, 70 * (2.6**share))
    return [(1, Pose(330, 180 + _sway(time, 70), 76)), (0, near)]


def _leaving(*, swapped: bool) -> Callable[[float], Layers]:
    def layers(time: float) -> Layers:
        out = float(np.interp(time, (0.8, 1.8, 2.8, 3.8), (0, 1, 1, 0)))
        left, right = Pose(170 - 290 * out, 190, 96), Pose(470 + 290 * out, 185, 90)
        if time < 2.3:
            return [(0, left), (1, right)]
        return [(1, left), (0, right)] if swapped else [(2, left), (1, right)]

    return layers


def _swapped(time: float) -> Layers:
    one, other = (0, 1) if time < 1.6 else (1, 0)
    return [
        (one, Pose(190 + _sway(time, 96), 190, 96)),
        (other, Pose(450 + _sway(time, 96, 1), 185, 96)),
    ]


def _still(time: float) -> Layers:
    return [
        (0, Pose(190 + _sway(time, 96), 190, 96)),
        (1, Pose(450 + _sway(time, 96, 1), 185, 96)),
    ]


def _reverse_shots(time: float) -> Layers:
    who = int(time / 1.2) % 2
    return [(who, Pose(320 + _sway(time, 120), 185 + 8 * who, 120 + 6 * who, 3 * who))]


def _dissolved(time: float) -> Layers:
    return [(int(time >= 2.0), Pose(320 + _sway(time, 120), 188, 120))]


def _wide_shot(time: float) -> Layers:
    if time < 1.5 or time >= 3.0:
        return [(0 if time < 1.5 else 1, Pose(320 + _sway(time, 150), 190, 150))]
    places = [(2, 320), (0, 170), (1, 470)]
    return [(who, Pose(x + _sway(time, 60, who), 180, 60)) for who, x in places]


def _gallery(time: float) -> Layers:
    order = np.arange(16)
    if time >= 1.4:
        order = np.random.default_rng(3).permutation(16)
    if time >= 2.7:  # who spoke last comes first, the others move up
        order = np.r_[order[9], np.delete(order, 9)]
    return [
        (
            int(who),
            Pose(120 + 240 * (n % 4) + _sway(time, 60, n), 75 + 135 * (n // 4), 62, 2 * (n % 3)),
        )
        for n, who in enumerate(order)
    ]


# --- light


def _fading(picture: NDArray[np.float32], time: float) -> NDArray[np.float32]:
    gain = 0.65 + 0.35 * math.cos(2.2 * time)
    return np.asarray(picture * (gain, 0.95 * gain, 0.8 * gain), np.float32)


def _through_black(picture: NDArray[np.float32], time: float) -> NDArray[np.float32]:
    return picture * np.float32(min(1.0, abs(time - 2.0) / 0.8))


def _flashes(picture: NDArray[np.float32], time: float) -> NDArray[np.float32]:
    if 0.8 < time < 0.9 or 1.2 < time < 1.5:
        return picture * np.float32(2.6)
    if time > 2.2:
        return np.asarray(picture * (1.1, 0.85, 0.55), np.float32)
    return picture
