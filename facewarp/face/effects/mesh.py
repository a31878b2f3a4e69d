"""Effect `mesh`: draw the template's triangle mesh on each face."""

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import _SHIFT, blend_over, fixed_point, premultiplied
from facewarp.drawing.effect_layer import cover
from facewarp.face.effects.base import FaceEffect
from facewarp.face.face import template_to_frame
from facewarp.face.rendering.coverage import reach_beyond
from facewarp.face.rendering.occlusion import free_of
from facewarp.face.rendering.template_overlay import clip_box, on_frame

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template


_FOREHEAD: Final = range(68, 78)  # points of a mesh along the upper end of its forehead
_ROWS: Final = (0.5, 1.0)  # of the way that a face may go on beyond it


class Mesh(FaceEffect):
    """Draws the template's triangle mesh on the face; lines fade towards the outline.

    Where a matte tells how far the face goes, rows of triangles go on from the forehead to the
    hairline; they are drawn alone, and no part of the template's mesh.

    Args:
        opacity: 0..1 of the lines.
        annotate: see `FaceEffect`.
    """

    _NEAR: Final = np.array([225.0, 255.0, 250.0])  # RGB of the lines at the tip of the nose
    _FAR: Final = np.array([90.0, 200.0, 255.0])  # and at the outline
    _LEVELS: Final = 6  # steps of fading

    def __init__(self, opacity: float = 1.0, annotate: bool = True) -> None:
        super().__init__(opacity, annotate)

    def _prepare(self, template: "Template") -> None:
        points = np.asarray(template.mesh_points, dtype=np.float64)
        sides = np.asarray(template.triangles)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        self._own = len(points)
        forehead, further = _to_hairline(points, template)
        points = np.concatenate([points, forehead])
        edges = np.unique(np.sort(np.concatenate([sides, further]), axis=1), axis=0)
        self._points = points
        middle = points[30] if len(points) > 30 else points.mean(axis=0)
        distance = np.linalg.norm(points - middle, axis=1)
        farthest = max(float(distance[: self._own].max()), 1e-6)
        depth = np.minimum(distance / farthest, 1) ** 1.5
        step = np.minimum((depth[edges].mean(axis=1) * self._LEVELS).astype(int), self._LEVELS - 1)
        self._edges = [edges[step == level] for level in range(self._LEVELS)]
        self._vertex_step = np.minimum((depth * self._LEVELS).astype(int), self._LEVELS - 1)

    def _rgba(self, level: int, alpha: float) -> tuple[float, ...]:
        far = level / (self._LEVELS - 1)
        alpha *= (1 - 0.4 * far) * self.opacity
        return premultiplied((1 - far) * self._NEAR + far * self._FAR, alpha)

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        drawn = len(self._points) if face.matte is not None else self._own
        points = template_to_frame(face, self._points[:drawn])
        count = min(len(points), len(face.landmarks))
        points[:count] = face.landmarks[:count]
        thickness = max(1, round(face.crop.scale / 2.5))
        radius = max(1.2, 0.9 * face.crop.scale)
        box = clip_box(points, frame.shape, margin=2 * radius + thickness)
        if box is None:
            return
        x0, y0, x1, y1 = box
        canvas = np.zeros((y1 - y0, x1 - x0, 4), np.uint8)
        at = fixed_point(points - (x0, y0))
        shade = premultiplied(np.zeros(3), 0.16 * self.opacity)
        lines = [list(at[edges[edges[:, 1] < drawn]]) for edges in self._edges]
        for group in lines:  # a dark seam below keeps the lines visible on bright skin
            cv2.polylines(canvas, group, False, shade, thickness + 2, cv2.LINE_AA, _SHIFT)
        for level, group in enumerate(lines):
            rgba = self._rgba(level, 0.85)
            cv2.polylines(canvas, group, False, rgba, thickness, cv2.LINE_AA, _SHIFT)
        steps = self._vertex_step[:drawn].tolist()
        for center, level in zip(at[:, 0].tolist(), steps, strict=True):
            rgba = self._rgba(level, 0.95)
            cv2.circle(canvas, center, round(radius * 16), rgba, -1, cv2.LINE_AA, _SHIFT)
        if (free := free_of(face)) is not None:
            seen = on_frame(face, free, box)
            canvas = cv2.multiply(canvas, cv2.merge([seen] * 4), scale=1 / 255)
        blend_over(frame[y0:y1, x0:x1], canvas)
        if self.coverage is not None:
            cover(self.coverage[y0:y1, x0:x1], canvas[..., 3])


def _to_hairline(
    points: NDArray[np.float64], template: "Template"
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return rows of points above a mesh's forehead, (K, 2), and the edges to and between them.

    Args:
        points: (M, 2) template px, of the mesh.
        template: whose.

    Returns:
        The points, to be put behind those of the mesh, and edges (E, 2) of indices into all.
    """
    below = np.array(_FOREHEAD)
    if len(points) <= below[-1]:
        return np.zeros((0, 2)), np.zeros((0, 2), np.intp)
    reach = reach_beyond(points[below], template)
    rows = [points[below] + share * reach for share in _ROWS]
    edges = []
    for number in range(len(rows)):
        above = len(points) + number * len(below) + np.arange(len(below))
        edges += [
            np.column_stack([below, above]),
            np.column_stack([below[:-1], above[1:]]),
            np.column_stack([above[:-1], above[1:]]),
        ]
        below = above
    return np.concatenate(rows), np.concatenate(edges)
