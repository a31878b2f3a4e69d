"""Correct a face's map so that the template's lips and lids lie where they are seen.

The template has control points where columns cross the outlines of its mouth and eyes. In a frame
each is moved up or down, along the face's own vertical, by d; between the control points of a
column d is linear, and it fades out towards nose, chin, brows and cheeks. Points are only moved
along one axis, and those of a column never past one another, so that the map does not fold. What
goes sideways stays as the skin was followed.

    F'(q) = F(q) + a D(q),    D(q) = sum over control points j of B_j(q) d_j

with F the map from the template to the frame, a the face's vertical and B the template's own,
computed once. The field onto the face is the inverse of F'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.boxes import box_around
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import resized, sample_field
from facewarp.face.details.inversion import mended_inverse, window_around
from facewarp.face.details.outlines import COLUMNS, PART_OF, PARTS, boundaries
from facewarp.face.face import Details, Face, Later, template_to_frame
from facewarp.face.similarity import Affine, SimilarityFit, inverse

Floats = NDArray[np.floating]

FINE_PX: Final = 2
"""Crop px between the points of a corrected field."""
FINE_SHAPE: Final = (CROP_SHAPE[0] // FINE_PX, CROP_SHAPE[1] // FINE_PX)

_RIGID: Final = [*range(17, 32), *range(32, 36), 36, 39, 42, 45]  # brows, nose, corners of the eyes
_LEAST_WEIGHT: Final = 0.02
_KEPT: Final = 0.7  # of the room around a part that its outline may take
_LEAST_GAP: Final = 0.006  # of the eyes' distance, between the boundaries of a column
_APART: Final = 1.0  # px between a template's boundaries, at least

# Outlines (iBUG) from one corner to the other, top to bottom; how far around them (in distances of
# the outer eye corners) the correction fades out: above, below, beside; and how far it is made up
# for that a field is linear between its points: 0 is wholly, and folds where boundaries meet.
_MOUTH: Final = (
    ((48, 49, 50, 51, 52, 53, 54), (48, 60, 61, 62, 63, 64, 54),
     (48, 60, 67, 66, 65, 64, 54), (48, 59, 58, 57, 56, 55, 54)),
    (0.19, 0.42, 0.10),
    0.8,
)  # fmt: skip
_EYES: Final = (
    (((36, 37, 38, 39), (36, 41, 40, 39)), (0.13, 0.10, 0.05), 0.4),
    (((42, 43, 44, 45), (42, 47, 46, 45)), (0.13, 0.10, 0.05), 0.4),
)
_PLACES: Final = np.stack(
    [np.tile(values, (8, 1)) for values in (COLUMNS, 0 * COLUMNS, 0 * COLUMNS + 1)], axis=1
)
"""(8, 3, 32) patch px x, y (to be told) and 1 of points of boundaries."""
_BEYOND: Final = 1e5 * np.arange(8)  # px, more than anything lies apart
_COLUMN_PX: Final = (2.0, 6.0)  # template px between columns


@dataclass(frozen=True, eq=False)
class Correction:
    """Where control points are seen in one frame.

    Attributes:
        pose: template px to crop px, of the upper face.
        now: (M, 2) where the face's map has them, in template px through the pose.
        heights: (M,) y of each where it is seen, likewise.
        weights: (M,) 0..1, how far each is trusted.
    """

    pose: Affine
    now: Points
    heights: NDArray[np.float64]
    weights: NDArray[np.float64]


class FieldCorrector:
    """Corrects faces that were registered with a template.

    Args:
        landmarks: the template's (68, 2).

    Attributes:
        landmarks: the template's.
        side: of the square that bounds them, px.
        points: (M, 2) control points, template px.
        places: which of them are the mouth's, the left eye's and the right eye's.
    """

    def __init__(self, landmarks: Points) -> None:
        self.landmarks = landmarks
        self.side = float(np.ptp(landmarks, axis=0).max())
        unit = float(np.linalg.norm(landmarks[36] - landmarks[45]))
        self._parts = [
            _Part(landmarks, outline, unit * np.array(around), ridge, _LEAST_GAP * unit)
            for outline, around, ridge in (_MOUTH, *_EYES)
        ]
        self.points = np.concatenate([part.points for part in self._parts])
        ends = np.cumsum([0, *(len(part.points) for part in self._parts)])
        self.places = [slice(*pair) for pair in pairwise(ends.tolist())]
        self._starts = ends[:-1]
        self._fit = SimilarityFit(landmarks[_RIGID])
        columns = [part.shape[1] for part in self._parts for _ in range(part.shape[0])]
        self._boundaries = np.repeat(np.arange(len(columns)), columns)  # of each control point
        self._with_corners = np.zeros((len(self.points), len(self.points)))
        for part, place in zip(self._parts, self.places, strict=True):
            self._with_corners[place, place] = _with_corners(*part.shape)

    def seen(self, face: Face, details: Details) -> Correction:
        """Return where the control points of a face are seen, at the columns where they lie."""
        pose = self._fit(face.crop.to_crop(face.landmarks[_RIGID]))
        to_template = inverse(pose)
        carried = self.points + sample_field(face.grid_field_from_template, self.points)
        now = _through(to_template, carried)
        x, y, trust = _outlines_from_left(details, to_template)
        # Each boundary is set beyond the one before, so that one interpolation does them all.
        own = self._boundaries
        at = np.minimum(np.maximum(now[:, 0], x[own, 0]), x[own, -1]) + _BEYOND[own]
        told = np.interp(at, (x + _BEYOND[:, None]).ravel(), (y + 1j * trust).ravel())
        moves = np.stack([told.real - now[:, 1], told.imag], axis=1)
        moves, weights = (self._with_corners @ moves).T
        return Correction(pose, now, now[:, 1] + moves, weights)

    def corrected(self, face: Face, wanted: Correction) -> Face:
        """Return the face with both fields, landmarks and box corrected."""
        trusted = np.maximum.reduceat(wanted.weights, self._starts).tolist()
        used = [
            (part, place)
            for part, place, weight in zip(self._parts, self.places, trusted, strict=True)
            if weight > _LEAST_WEIGHT
        ]
        if not used:
            return face
        before = face.grid_field_from_template
        is_fine = before.shape[1:] == FINE_SHAPE
        back = np.array(before) if is_fine else resized(before, FINE_SHAPE)
        moved = np.zeros(FINE_SHAPE, np.float32)
        now = wanted.now[:, 1]
        target = now + wanted.weights * (wanted.heights - now)
        for part, place in used:
            moved[part.window] += part.spread(now[place], target[place])
        windows = [part.window for part, _ in used]
        union = window_around(windows)
        move = moved[union]
        for axis, step in zip(back, wanted.pose[:, 1].tolist(), strict=True):  # down, in crop px
            axis[union] += np.float32(step) * move
        onto = Later(partial(_inverse_of, face, back, moved, windows))
        refined = face.changed(grid_field=onto, grid_field_from_template=back)
        landmarks = template_to_frame(refined, self.landmarks)
        return refined.changed(landmarks=landmarks, box=box_around(landmarks))


def _inverse_of(
    before: Face,
    field: NDArray[np.float32],
    moved: NDArray[np.float32],
    windows: Sequence[tuple[slice, slice]],
) -> NDArray[np.float32]:
    """Return the inverse of a corrected field, from that of the face before."""
    return mended_inverse(resized(before.grid_field, FINE_SHAPE), field, moved, windows)


def corrector_of(landmarks: Points) -> FieldCorrector:
    """Return the corrector of a template's landmarks (68, 2), made once: it takes milliseconds."""
    return _corrector(np.ascontiguousarray(landmarks, np.float64).tobytes())


@lru_cache(maxsize=8)
def _corrector(landmarks: bytes) -> FieldCorrector:
    return FieldCorrector(np.frombuffer(landmarks).reshape(-1, 2))


class _Part:
    """The control points of a mouth or an eye, and what of the template they move.

    Attributes:
        shape: (B, N) boundaries and columns.
        points: (B N, 2) template px.
        window: rows and columns of the fine grid.
        window_shape: its size.
        basis: (points of the window, B N).

    Args:
        landmarks: the template's.
        outline: see `_MOUTH`, as what follows.
        around: px above, below and beside.
        ridge: see there.
        gap: px between the boundaries of a column, at least, but where the template's are nearer.
    """

    def __init__(
        self,
        landmarks: Points,
        outline: Sequence[Sequence[int]],
        around: Floats,
        ridge: float,
        gap: float,
    ) -> None:
        above, below, beside = around
        ends = landmarks[[outline[0][0], outline[0][-1]], 0]
        x = _columns(np.unique(landmarks[sorted({p for points in outline for p in points}), 0]))
        curves = np.array([np.interp(x, *landmarks[list(points)].T) for points in outline])
        curves = np.maximum.accumulate(curves, axis=0)
        inner = slice(1, -1)
        self.shape = curves.shape
        self.points = np.stack([np.broadcast_to(x, curves.shape), curves], axis=-1).reshape(-1, 2)
        self._gaps = np.minimum(gap, np.diff(curves, axis=0))
        self._room = _KEPT * float(above), _KEPT * float(below)
        spread = _spread_out(curves[:, inner])
        curves[:, inner] = spread
        low = np.array([ends[0] - beside, curves.min() - above])
        high = np.array([ends[1] + beside, curves.max() + below])
        first = np.maximum(low // FINE_PX, 0).astype(int).tolist()
        last = np.minimum(high // FINE_PX + 2, FINE_SHAPE[::-1]).astype(int).tolist()
        self.window = slice(first[1], last[1]), slice(first[0], last[0])
        self.window_shape = (last[1] - first[1], last[0] - first[0])
        self.basis = self._exact(self._basis(x, curves, above, below, beside), ridge)

    def spread(self, now: Floats, target: Floats) -> NDArray[np.float32]:
        """How far the window's points move down, template px, as control points do.

        Args:
            now: (B N,) where control points are, template px.
            target: where they are wanted; none is moved past another.
        """
        before, after = now.reshape(self.shape), target.reshape(self.shape).copy()
        for upper, gap in enumerate(self._gaps):
            missing = np.maximum(after[upper] + gap - after[upper + 1], 0)
            missing /= 2
            after[upper] -= missing
            after[upper + 1] += missing
        above, below = self._room
        np.maximum.accumulate(after, axis=0, out=after)
        np.maximum(after, before[0] - above, out=after)
        np.minimum(after, before[-1] + below, out=after)
        after -= before
        move = self.basis @ after.astype(np.float32).ravel()
        return move.reshape(self.window_shape)

    def _basis(
        self, x: Floats, curves: Floats, above: float, below: float, beside: float
    ) -> NDArray[np.float32]:
        rows, columns = ((np.arange(s.start, s.stop) + 0.5) * FINE_PX - 0.5 for s in self.window)
        basis = np.zeros((*self.window_shape, *self.shape), np.float32)
        for j, column in enumerate(columns):
            left = int(np.clip(np.searchsorted(x, column, "right") - 1, 0, len(x) - 2))
            inside = left + float(np.clip((column - x[left]) / (x[left + 1] - x[left]), 0, 1))
            away = max(x[0] - column, column - x[-1], 0.0)
            fade = max(0.0, 1 - away / beside) if beside else float(away == 0)
            for k, share in ((left, left + 1 - inside), (left + 1, inside - left)):
                knots = np.array([curves[0, k] - above, *curves[:, k], curves[-1, k] + below])
                knots = knots + 1e-6 * np.arange(len(knots))
                for b in range(len(curves)):
                    hat = np.zeros(len(knots))
                    hat[b + 1] = 1
                    basis[:, j, b, k] += fade * share * np.interp(rows, knots, hat)
        return basis.reshape(-1, int(np.prod(self.shape)))

    def _exact(self, basis: NDArray[np.float32], ridge: float) -> NDArray[np.float32]:
        """Return the basis whose field, sampled between its points, is d at control points."""
        rows, columns = self.window
        first = np.array([columns.start, rows.start])
        at = ((self.points + 0.5) / FINE_PX - 0.5 - first).astype(np.float32)
        maps = basis.reshape(*self.window_shape, -1)
        sampled = np.stack(
            [
                cv2.remap(np.ascontiguousarray(maps[..., j]), at[:, None], None, cv2.INTER_LINEAR)[
                    :, 0
                ]
                for j in range(maps.shape[-1])
            ],
            axis=1,
        )
        one = np.eye(len(sampled))
        missing = np.linalg.solve(sampled @ sampled.T + ridge * one, one - sampled)
        return np.asarray(basis + basis @ sampled.T @ missing, np.float32)


def _outlines_from_left(details: Details, affine: Affine) -> tuple[Floats, Floats, Floats]:
    """X, y and weights (8, 32) of all boundaries' points, each from left to right.

    Args:
        details: whose outlines.
        affine: of px of the crop.
    """
    down, weights = boundaries(details)
    maps = affine[:, :2] @ np.array(details.frames)
    maps[..., 2] += affine[:, 2]
    places = _PLACES.copy()
    places[:, 1] = down
    points, trust = maps[PART_OF] @ places, weights[PART_OF]
    for part, direction in zip(PARTS, maps[:, 0, 0].tolist(), strict=True):
        if direction < 0:  # one eye is mirrored
            points[part], trust[part] = points[part, :, ::-1].copy(), trust[part, ::-1].copy()
    return points[:, 0], points[:, 1], trust


def _with_corners(boundaries: int, columns: int) -> Floats:
    """Values of control points from themselves: a corner, one point, goes with its column."""
    values = np.eye(boundaries * columns).reshape(boundaries, columns, boundaries, columns)
    for corner, beside in ((0, 1), (-1, -2)):
        values[:, corner] = values[:, beside].mean(axis=0)
    return values.reshape(boundaries * columns, -1)


def _columns(at: Floats) -> Floats:
    """Columns at landmarks' x, without those that nearly coincide, and between those far apart."""
    nearest, farthest = _COLUMN_PX
    kept = [at[0]]
    for x in at[1:-1]:
        if min(x - kept[-1], at[-1] - x) > nearest:
            kept.append(x)
    kept.append(at[-1])
    columns = [at[0]]
    for start, end in pairwise(kept):
        pieces = int(np.ceil((end - start) / farthest))
        columns.extend(np.linspace(start, end, pieces + 1)[1:])
    return np.array(columns)


def _spread_out(curves: Floats) -> Floats:
    """Boundaries at least a px apart: a template with a shut mouth has none of its own."""
    spread = curves.copy()
    for upper in range(len(curves) - 1):
        missing = np.maximum(spread[upper] + _APART - spread[upper + 1], 0)
        spread[upper] -= missing / 2
        spread[upper + 1] += missing / 2
    return np.maximum.accumulate(spread, axis=0)


def _through(affine: Affine, points: Floats) -> Points:
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], np.float64)
