"""Scenes held steady from frame to frame, so that paint does not flicker."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.matching.scene import Scene, blur_px

if TYPE_CHECKING:
    from facewarp.face.face import Face

_SHARE: Final = 0.08  # of a change that a frame takes on: a light lasts
_BLUR_SHARE: Final = 0.5  # a motion doesn't
_EVERY: Final = 4  # frames between those whose colors are measured
_JUMP: Final = 0.6  # of a face's side, after which it counts as another shot
_CUT: Final = 36.0  # mean change of brightness in the frame that is a cut, levels
_MOST_FACES: Final = 64


@dataclass(frozen=True, eq=False)
class _Past:
    """Scene of the last frame, the one measured last, and how the last frame looked."""

    scene: Scene
    measured: Scene
    center: NDArray[np.float64]
    look: NDArray[np.uint8]
    age: int


class SteadyScenes:
    """Measures the scene around each face, smoothed over the frames that it was called with.

    A first-order low-pass filter; it starts anew after a cut. Colors and grain are measured in
    every fourth frame, blur in each. Faces that are not followed (an id below 0) have no past.
    """

    def __init__(self) -> None:
        self._past: dict[int, _Past] = {}

    def forget(self) -> None:
        """Start anew with the next frame."""
        self._past.clear()

    def __call__(self, frame: NDArray[np.uint8], face: "Face") -> Scene:
        """Return the scene around a face of the next frame (H, W, 3) uint8 RGB."""
        if face.id < 0:
            return Scene.of(frame, face)
        look = _look(frame)
        center = np.add(face.box[:2], face.box[2:]) / 2
        past = self._past.pop(face.id, None)
        if past is None or _is_another_shot(past, center, look, face):
            scene = measured = Scene.of(frame, face)
            age = 0
        else:
            age = past.age + 1
            if age % _EVERY == 0:
                measured = Scene.of(frame, face)
            else:
                measured = replace(past.measured, blur_px=blur_px(frame, face))
            scene = replace(_between(past.scene, measured), seed=past.scene.seed + 1)
        self._past[face.id] = _Past(scene, measured, center, look, age)
        if len(self._past) > _MOST_FACES:
            del self._past[next(iter(self._past))]
        return scene


def _between(last: Scene, seen: Scene) -> Scene:
    """Return a scene on the way from one to another."""

    def mixed(before: float, now: float, share: float = _SHARE) -> float:
        return before + share * (now - before)

    return Scene(
        light=last.light + _SHARE * (seen.light - last.light),
        saturation=mixed(last.saturation, seen.saturation),
        black=mixed(last.black, seen.black),
        white=mixed(last.white, seen.white),
        blur_px=mixed(last.blur_px, seen.blur_px, _BLUR_SHARE),
        noise=mixed(last.noise, seen.noise),
    )


def _look(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = max(1, min(frame.shape[:2]) // 12)
    return frame[step // 2 :: step, step // 2 :: step, 1].copy()


def _is_another_shot(
    past: _Past, center: NDArray[np.float64], look: NDArray[np.uint8], face: "Face"
) -> bool:
    if past.look.shape != look.shape:
        return True
    side = max(face.box[2] - face.box[0], face.box[3] - face.box[1], 1.0)
    moved = float(np.linalg.norm(center - past.center)) / side
    changed = float(np.abs(look.astype(np.int16) - past.look).mean())
    return moved > _JUMP or changed > _CUT
