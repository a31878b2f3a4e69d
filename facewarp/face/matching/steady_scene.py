"""Scenes held steady from frame to frame, so that paint does not flicker."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.matching.face_memory import FaceMemory
from facewarp.face.matching.scene import Scene, blur_px
from facewarp.face.matching.shots import Shots

if TYPE_CHECKING:
    from facewarp.face.face import Face

_SHARE: Final = 0.08  # of a change that a frame takes on: a light lasts
_BLUR_SHARE: Final = 0.5  # a motion doesn't
_EVERY: Final = 8  # frames between those whose colors are measured


@dataclass(frozen=True, eq=False)
class _Past:
    """Scene of the last frame, and the one measured last."""

    scene: Scene
    measured: Scene
    age: int


class SteadyScenes:
    """Measures the scene around each face, smoothed over the frames that it was called with.

    A first-order low-pass filter; it starts anew after a cut. Colors and grain are measured in
    every eighth frame, blur in every second. Faces that are not followed (an id below 0) have no
    past.
    """

    def __init__(self) -> None:
        self._past: FaceMemory[_Past] = FaceMemory()
        self._shots = Shots()

    def forget(self) -> None:
        """Start anew with the next frame."""
        self._past.clear()
        self._shots.forget()

    def __call__(self, frame: NDArray[np.uint8], face: "Face") -> Scene:
        """Return the scene around a face of the next frame (H, W, 3) uint8 RGB."""
        goes_on = self._shots.goes_on(frame, face)
        past = self._past.get(face.id)
        if past is None or not goes_on:
            scene = measured = Scene.of(frame, face)
            age = 0
        else:
            age = past.age + 1
            if age % _EVERY == 0:
                measured = Scene.of(frame, face)
            elif age % 2 == 0:
                measured = replace(past.measured, blur_px=blur_px(frame, face))
            else:
                measured = past.measured
            scene = replace(_between(past.scene, measured), seed=past.scene.seed + 1)
        self._past.put(face.id, _Past(scene, measured, age))
        return scene


def _between(last: Scene, seen: Scene) -> Scene:
    """Return a scene on the way from one to another."""

    def mixed(before: float, now: float, share: float = _SHARE) -> float:
        return before + share * (now - before)

    def known(before: float, now: float) -> float:
        """As it was while it isn't seen: eyes blink."""
        if math.isnan(before) or math.isnan(now):
            return before if math.isnan(now) else now
        return mixed(before, now)

    return Scene(
        light=last.light + _SHARE * (seen.light - last.light),
        saturation=mixed(last.saturation, seen.saturation),
        black=mixed(last.black, seen.black),
        white=mixed(last.white, seen.white),
        blur_px=mixed(last.blur_px, seen.blur_px, _BLUR_SHARE),
        noise=mixed(last.noise, seen.noise),
        skin=known(last.skin, seen.skin),
        eyes=known(last.eyes, seen.eyes),
    )
