"""The layers of one frame: ST maps, motion vectors, mattes, visibility, confidence, coverage.

Where faces overlap, the larger one is in front.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.face import Face
from facewarp.face.parts import FacePart
from facewarp.face.passes.inverse import inverse_field
from facewarp.face.passes.round_trip import fit_round_trip
from facewarp.face.passes.sampling import bilinear
from facewarp.face.passes.st_maps import (
    IntBox,
    TemplateCanvas,
    box_of,
    canvas_positions,
    frame_positions,
    pixels_of,
    st_values,
    template_positions,
)
from facewarp.face.rendering.occlusion import Visibility
from facewarp.face.rendering.template_overlay import to_crop_matrix

if TYPE_CHECKING:
    from facewarp.face.template.template import Template

TO_TEMPLATE: Final = "st_to_template"
FROM_TEMPLATE: Final = "st_from_template"
FORWARD, BACKWARD = "forward", "backward"
MATTE, VISIBILITY, CONFIDENCE = "matte", "visibility", "confidence"
CONSISTENCY: Final = "consistency"
CONSISTENT_PX: Final = 0.05
"""How far off, frame px, a point of the frame may come back from the template."""
FACE_ID: Final = "face_id"
_LEAST_MATTE: Final = 1 / 512

PARTS: Final = tuple(part for part in FacePart if part != FacePart.BACKGROUND)


class SeenFace:
    """A face with what its passes need more than once.

    Args:
        face: not lost.
    """

    def __init__(self, face: Face) -> None:
        self.face = face

    @cached_property
    def inverse(self) -> NDArray[np.float32]:
        """See `inverse_field`."""
        return inverse_field(self.face)

    @property
    def name(self) -> str:
        """What Cryptomatte calls it."""
        return f"face{self.face.id}"


@dataclass(frozen=True, eq=False)
class FrameLayers:
    """The channels of one frame's file.

    Attributes:
        size: (width, height) px of the frame.
        box: the px that the channels cover, the data window: all of the frame.
        channels: by name, (h, w) of the box: float32 for positions, float16 for shares.
        coverage: of each face by its name, (h, w) float32, for Cryptomatte.
    """

    size: tuple[int, int]
    box: IntBox
    channels: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    coverage: dict[str, NDArray[np.float32]] = field(default_factory=dict)


class LayerRenderer:
    """Renders the layers of frames of one format.

    Args:
        template: what faces are registered to.
        canvas: the frame's format.
    """

    def __init__(self, template: "Template", canvas: TemplateCanvas) -> None:
        self._canvas = canvas
        self._parts = np.ascontiguousarray(template.probabilities, np.float32)
        self._face = np.ascontiguousarray(self._parts[1:].sum(0))
        self._visibility = Visibility(template, spare_eyes=False, spare_mouth=False)

    def __call__(
        self,
        faces: Sequence[SeenFace],
        before: Mapping[int, SeenFace],
        after: Mapping[int, SeenFace],
    ) -> FrameLayers:
        """Render the layers of a frame.

        Args:
            faces: those in the frame that are not lost.
            before: those of the frame before, by id; empty for the first.
            after: those of the next frame, by id; empty for the last.
        """
        size = self._canvas.size
        placed = [(seen, box) for seen in faces if (box := box_of(seen.face, size)) is not None]
        whole: IntBox = (0, 0, *size)  # Blender puts a smaller data window into the middle
        shape = whole[3] - whole[1], whole[2] - whole[0]
        maps = {name: np.zeros(shape, np.float32) for name in _names()}
        coverage: dict[str, NDArray[np.float32]] = {}
        owned = np.zeros(shape, np.float32)
        unwrapping: dict[int, NDArray[np.float32]] = {}
        for seen, box in sorted(placed, key=lambda one: _area(one[1])):
            window = _window(box, whole)
            x, y = template_positions(seen.face, box)
            unwrapping[seen.face.id] = self._unwrapping(seen, box, x, y)
            made, matte = self._of_face(seen, box, x, y, before, after)
            consistent = self._comes_back(box, x, y, unwrapping[seen.face.id])
            made[f"{CONSISTENCY}.A"] = np.float32(matte > _LEAST_MATTE) * consistent
            _lay_front(maps, coverage, owned, window, made, matte)
            mine = np.zeros(shape, np.float32)
            mine[window] = matte
            coverage[seen.name] = mine
        layers = FrameLayers(size, whole, coverage=coverage)
        for name, values in maps.items():
            layers.channels[name] = values if _is_position(name) else values.astype(np.float16)
        at = _window(self._canvas.box, whole)
        for number, positions in sorted(unwrapping.items()):
            across, down = positions
            for axis, values in zip("uv", st_values(across, down, size), strict=True):
                plane = np.zeros(shape, np.float32)
                plane[at] = values
                layers.channels[f"{FROM_TEMPLATE}_{number}.{axis}"] = plane
        return layers

    def _of_face(
        self,
        seen: SeenFace,
        box: IntBox,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        before: Mapping[int, SeenFace],
        after: Mapping[int, SeenFace],
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """One face's channels over its own box, whose px lie at x, y of the template; its matte."""
        face = seen.face
        parts = np.stack([_inside(part, x, y) for part in self._parts[1:]])
        matte = np.minimum(parts.sum(0), 1)
        made = dict(zip(map(_matte_of, PARTS), parts, strict=True))
        made[f"{MATTE}.A"] = matte
        positions = st_values(*self._canvas.of_template(x, y), self._canvas.size)
        made |= dict(zip((f"{TO_TEMPLATE}.u", f"{TO_TEMPLATE}.v"), positions, strict=True))
        there = matte > _LEAST_MATTE  # beside the face nothing is known of motion
        for name, others in ((FORWARD, after), (BACKWARD, before)):
            moved = (there * axis for axis in _motion(others.get(face.id), x, y, box))
            made |= dict(zip((f"{name}.u", f"{name}.v"), moved, strict=True))
        made[f"{VISIBILITY}.A"] = matte * self._seen(face, box)
        made[f"{CONFIDENCE}.A"] = there * np.float32(face.confidence)
        return made, matte

    def _unwrapping(
        self, seen: SeenFace, box: IntBox, x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the map from the template over the canvas' box, (2, h, w) frame px."""
        positions = canvas_positions(seen.face, seen.inverse, self._canvas)
        inside = _inside(self._face, x, y) > _LEAST_MATTE
        across, down = (axis[inside] for axis in self._on_canvas(x, y))
        here = np.stack([axis[inside] for axis in pixels_of(box)])
        return fit_round_trip(positions, across, down, here) if here.size else positions

    def _comes_back(
        self,
        box: IntBox,
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        unwrapping: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return 1 where the two maps undo each other, as bilinear sampling of them does."""
        again = bilinear(unwrapping, *self._on_canvas(x, y))
        off = np.hypot(*(again - np.stack(pixels_of(box))))
        return np.asarray(off <= CONSISTENT_PX, np.float32)

    def _on_canvas(
        self, x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Map template px to px of the canvas' box."""
        left, top, *_ = self._canvas.box
        across, down = self._canvas.of_template(x, y)
        return across - left, down - top

    def _seen(self, face: Face, box: IntBox) -> NDArray[np.float32]:
        """How much of the face is seen, over a box of the frame, 0..1."""
        size = (box[2] - box[0], box[3] - box[1])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        matrix = to_crop_matrix(face, box[0], box[1])
        shown = cv2.warpAffine(
            self._visibility(face), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(shown, np.float32) / np.float32(255)


def _names() -> list[str]:
    vectors = [f"{n}.{axis}" for n in (TO_TEMPLATE, FORWARD, BACKWARD) for axis in "uv"]
    shares = [f"{name}.A" for name in (MATTE, VISIBILITY, CONFIDENCE, CONSISTENCY)]
    return [*vectors, *shares, *map(_matte_of, PARTS)]


def _matte_of(part: FacePart) -> str:
    return f"{MATTE}_{part.name.lower()}.A"


def _is_position(name: str) -> bool:
    return name.endswith((".u", ".v"))


def _lay_front(
    maps: dict[str, NDArray[np.float32]],
    coverage: dict[str, NDArray[np.float32]],
    owned: NDArray[np.float32],
    window: tuple[slice, slice],
    made: dict[str, NDArray[np.float32]],
    matte: NDArray[np.float32],
) -> None:
    """Lay a face in front of those laid before, in place."""
    weight = matte + np.float32(1e-6)  # the crop beside the face is its own where it is no other's
    front = weight >= owned[window]
    owned[window] = np.maximum(owned[window], weight)
    behind = 1 - matte
    for mine in coverage.values():
        mine[window] *= behind
    for name, values in made.items():
        target = maps[name][window]
        if _is_position(name) or name in (f"{CONFIDENCE}.A", f"{CONSISTENCY}.A"):
            np.copyto(target, values, where=front)
        else:
            target *= behind
            target += values


def _motion(
    other: SeenFace | None, x: NDArray[np.float32], y: NDArray[np.float32], box: IntBox
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the points go by another frame, px right and up; still where it has no face."""
    if other is None:
        return np.zeros_like(x), np.zeros_like(y)
    there_x, there_y = frame_positions(other.face, other.inverse, x, y)
    here_x, here_y = pixels_of(box)
    return (there_x - here_x).astype(np.float32), (here_y - there_y).astype(np.float32)


def _inside(
    part: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sample a part of the template; nothing beyond it."""
    sampled = cv2.remap(part, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, 0)
    return np.asarray(sampled, np.float32)


def _window(box: IntBox, whole: IntBox) -> tuple[slice, slice]:
    """Rows and columns of a box within another."""
    x0, y0, x1, y1 = box
    return slice(y0 - whole[1], y1 - whole[1]), slice(x0 - whole[0], x1 - whole[0])


def _area(box: IntBox) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
