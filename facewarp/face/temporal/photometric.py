"""Photometric refinement: hold a face's map to the skin that the picture shows.

The semantic registration says where the parts of a face are, in each frame anew: its errors differ
from frame to frame, so that what is drawn slides over the skin by more than half a pixel a frame.
Here every control point of the template is followed with the skin under it instead. With W the map
from template to frame,

1. W of the last frame goes along with the head, as the registration saw it move;
2. the frame is carried to the template by W and compared with a running mean of this person's own
   pictures there, light removed: optical flow (DIS, Kroeger et al., ECCV 2016) finds large motions,
   Gauss-Newton on the control points the rest (`facewarp.face.temporal.image_alignment`);
3. where the picture does not look like that mean (a highlight, an eye that has shut) or something
   is before the face (`facewarp.face.occlusion`) the skin is not seen: it goes on with the skin
   around it, and the mean is left alone;
4. the semantic registration is the anchor: what W differs from it by in the mean of some seconds
   is taken off what is shown, sooner where both disagree.

The field onto the face is the inverse of W, so that paint and mesh are one map.
"""

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import box_around
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import GRID_PX, GRID_SHAPE, inverted, resized
from facewarp.face.face import Face, FaceFilter, Later, template_to_frame
from facewarp.face.occlusion.steady import seen_of_template
from facewarp.face.parts import FacePart
from facewarp.face.similarity import Affine, compose_affine, fit_similarity, inverse
from facewarp.face.template.template import Template
from facewarp.face.temporal.image_alignment import (
    CELL_PX,
    PICTURE_PX,
    Floats,
    NormalEquations,
    in_cells,
    pooled,
    scaled,
    shrunk,
    similarity_of,
    to_8_bit,
    without_light,
)
from facewarp.face.temporal.photometric_state import (
    CLEAR,
    MORE,
    USUAL_S,
    Hidden,
    Past,
    PhotometricConfig,
)

_BESIDE, _ABOVE = (
    0.17,
    0.35,
)  # how far skin is followed around the landmarks, in parts of their side
_FADE = 4.0  # control points over which that ends
_GAP_S = 0.5  # between frames: the face may look another way by then
_LIKE = (0.5, 0.8)  # likeness from which skin is seen at all, and is sure
_BORDER = 3  # control points around what hides the face that are left out too
_FLOW_NOISE_PX, _LOCAL_NOISE_PX, _STILL_PX = 0.5, 0.05, 0.08
_LEAST_POINTS = 16
_KNOWN = 0.9  # of a control point: nothing hides it
_UNLIKE = 0.12  # share of the face that is seen, below which there is another face or view
_FAR = 0.12  # of the template's side, between both maps: one of them is wrong


class PhotometricRefinement:
    """Refine one face from frame to frame.

    The first face, one after a cut and one after a loss stay as they were registered.

    Args:
        template: what the face is registered with.
        before: what filters the registration first, `smoothing.FaceSmoother`.
        config: time constants.
    """

    def __init__(
        self,
        template: Template,
        before: FaceFilter | None = None,
        config: PhotometricConfig | None = None,
    ) -> None:
        self._before, self._config = before, config or PhotometricConfig()
        self._landmarks = template.landmarks
        self._side = float(np.ptp(template.landmarks, axis=0).max())
        rows, columns = self._window = _window_around(template)
        y, x = np.mgrid[: GRID_SHAPE[0], : GRID_SHAPE[1]].astype(np.float32)
        grid = np.dstack([x, y])[rows, columns]
        self._grid_px = grid * GRID_PX + (GRID_PX - 1) / 2
        height, width = self._points = (grid.shape[0], grid.shape[1])
        self._cells = height * GRID_PX // CELL_PX, width * GRID_PX // CELL_PX
        self._index = grid - grid[0, 0]
        self._fade = np.outer(_ramp(height), _ramp(width)).astype(np.float32)
        self._fade_in_points = cv2.merge([self._fade / np.float32(GRID_PX)] * 2)
        parts = [
            in_cells(
                cv2.resize(part, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)[rows, columns],
                self._cells,
            )
            for part in np.asarray(template.probabilities, np.float32)
        ]
        self._face = (1 - parts[FacePart.BACKGROUND]).astype(np.float32)
        self._inner = cv2.erode(self._face, np.ones((3, 3)))  # outlines are hair and neck as well
        features = parts[FacePart.EYE_LEFT] + parts[FacePart.EYE_RIGHT] + parts[FacePart.MOUTH]
        self._features = pooled(cv2.dilate(features, np.ones((3, 3))), 0.6)
        hull = cv2.fillConvexPoly(
            np.zeros(CROP_SHAPE, np.float32),
            cv2.convexHull(np.rint(self._landmarks).astype(np.int32)),
            (1.0,),
        )
        hull = cv2.resize(hull, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)[rows, columns]
        self._below_brows = in_cells(hull, self._cells)  # hair above them comes and goes
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._is_face = (self._at_points(self._face) > 0.5).astype(np.uint8)
        self._past: Past | None = None
        self._hidden: Hidden | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._past = self._hidden = None
        if self._before is not None:
            self._before.reset()

    def take_over(self, other: FaceFilter | None) -> None:
        """Go on from what another refinement of the same face and template knows."""
        if isinstance(other, PhotometricRefinement):
            self._past, self._hidden = other._past, other._hidden

    def __call__(self, face: Face, time: float) -> Face:
        """Refine the face of the next frame.

        Args:
            face: as registered, on any crop.
            time: the frame's, s. Where it is no later than the last one, frames count as 1/30 s
                apart.

        Returns:
            The face with other fields, landmarks and box, on the same crop. Confidence, folds and
            probabilities stay those of the registration.
        """
        if self._before is not None:
            face = self._before(face, time)
        if face.gray is None:
            return face
        semantic = self._semantic(face)
        picture = without_light(face.gray)
        past, self._past = self._past, None
        if past is not None and time - past.time < _GAP_S:
            dt = time - past.time if time > past.time else USUAL_S
            self._past = self._followed(past, face, semantic, picture, dt)
        if self._past is None:
            self._past = self._begun(face, semantic, picture, time)
            return face
        self._past.time = time
        return self._with_map(face, self._past.skin + self._past.bias)

    def _begun(self, face: Face, semantic: Floats, picture: Floats, time: float) -> Past | None:
        """Begin a map with a face as registered; None while something is before it that may go.

        Where the face is hidden nothing is learnt of it, and what is seen of it is registered px
        off. Until it is free, or nothing more of it comes to light, the registration is shown.
        """
        free = self._free(face)
        shown, doubt_s = self._shown(free), 0.0
        hidden, self._hidden = self._hidden, None
        if hidden is None or time - hidden.time >= _GAP_S:
            hidden = Hidden(time, shown) if shown < CLEAR else None
        if hidden is not None:
            if not hidden.is_over(shown, time, self._config):
                self._hidden = hidden
                return None
            doubt_s = self._config.relearn_s
        known = (free > _KNOWN).astype(np.float32)
        none = np.zeros_like(semantic)
        return Past(
            time,
            face.crop.matrix,
            semantic,
            none,
            semantic,
            self._carried(picture, semantic),
            known,
            0 * known,
            known,
            shown,
            doubt_s,
        )

    def _followed(
        self, past: Past, face: Face, semantic: Floats, picture: Floats, dt: float
    ) -> Past | None:
        """Follow the skin into a frame; None where it is not the same face or view any more."""
        skin, still = self._predicted(past, face, semantic)
        equations = NormalEquations(past.reference, self._cells)
        motion = self._flow_between(past.reference, self._carried(picture, skin))
        free = self._free(face)
        seen = self._seen(equations, self._carried(picture, self._moved(skin, motion))) * free
        seen = seen * past.known
        if float((seen * self._face).sum()) < _UNLIKE * float(self._face.sum()):
            return None
        skin = self._moved(skin, self._coarse(motion, seen))
        skin = self._refined(equations, skin, picture, seen)
        skin = still + shrunk(skin - still, _STILL_PX, 3.0)
        bias = _turned(compose_affine(inverse(face.crop.matrix), past.matrix), past.bias)
        missing = semantic - skin - bias
        if float(cv2.mean(_length(missing), self._is_face)[0]) > _FAR * self._side:
            return None
        most, doubt_s = self._doubted(past, self._shown(free), dt)
        bias = bias + scaled(missing, self._pull(missing, dt, is_doubted=doubt_s > 0))
        unseen_s = np.where(seen < 0.5, past.unseen_s + dt, 0).astype(np.float32)
        fresh = (past.known < 0.5) & (free > _KNOWN)
        learns = (((unseen_s > self._config.relearn_s) & (free > 0.5)) | fresh).astype(np.float32)
        unseen = np.maximum(self._features, learns) * (1 - seen)
        pull = self._at_points(unseen * _share(dt, self._config.features_s))
        skin = skin + scaled(semantic - bias - skin, pull)
        learning = np.maximum(seen * _share(dt, self._config.reference_s), learns)
        reference = past.reference + self._in_picture(learning) * (
            self._carried(picture, skin) - past.reference
        )
        return Past(
            past.time,
            face.crop.matrix,
            skin,
            bias,
            semantic,
            reference,
            seen,
            unseen_s,
            np.maximum(past.known, learns),
            most,
            doubt_s,
        )

    def _predicted(self, past: Past, face: Face, semantic: Floats) -> tuple[Floats, Floats]:
        """W of the last frame in px of this crop: moved like the head, and where it was."""
        onto_crop = compose_affine(inverse(face.crop.matrix), past.matrix)
        still, before = (_through(onto_crop, where) for where in (past.skin, past.semantic))
        coarse = (slice(1, None, 2), slice(1, None, 2))
        counts = self._face * past.seen > 0.3
        if np.count_nonzero(counts) < _LEAST_POINTS:
            counts = self._face > 0.5
        head = fit_similarity(
            before[coarse][counts].astype(np.float64), semantic[coarse][counts].astype(np.float64)
        )
        return _through(head, still), still

    def _flow_between(self, reference: Floats, carried: Floats) -> Floats:
        """Optical flow (h, w, 2) px from the reference to the frame in template space."""
        flow = self._flow.calc(to_8_bit(reference), to_8_bit(carried), None)
        return in_cells(flow, self._cells) * np.float32(PICTURE_PX)

    def _coarse(self, flow: Floats, seen: Floats) -> Floats:
        """Return what of an optical flow is motion of the skin that is seen, and no noise."""
        weights = seen * self._face + np.float32(1e-5)
        head = similarity_of(flow, weights)
        own = pooled(scaled(flow - head, weights), 1.0)
        own = scaled(own, np.float32(1) / (pooled(weights, 1.0) + np.float32(0.02)))
        return head + shrunk(own, _FLOW_NOISE_PX)

    def _refined(
        self, equations: NormalEquations, skin: Floats, picture: Floats, seen: Floats
    ) -> Floats:
        """Follow the rest by Gauss-Newton: the head first, then each control point."""
        b = equations.right_side(self._carried(picture, skin))
        head = equations.similarity(b, seen * self._face)
        own = equations.local(equations.after(b, head), seen)
        return self._moved(skin, head + shrunk(own, _LOCAL_NOISE_PX))

    def _seen(self, equations: NormalEquations, carried: Floats) -> Floats:
        """How much of the skin is seen (h, w): little where the picture is not like its past."""
        like = ((equations.likeness(carried) - _LIKE[0]) / (_LIKE[1] - _LIKE[0])).clip(0, 1)
        weights = equations.contrast
        told, weights = (
            pooled(values, 0.6) + np.float32(0.02) * pooled(values, 3.0)
            for values in (like * weights, weights)
        )
        seen = told / (weights + np.float32(1e-6))
        return np.asarray(cv2.erode(seen, np.ones((_BORDER, _BORDER))).clip(0, 1), np.float32)

    def _free(self, face: Face) -> Floats:
        """How much of each control point (h, w) nothing hides; beside the face, all of it."""
        if face.matte is None:
            return np.ones(self._cells, np.float32)
        hidden = 1 - in_cells(seen_of_template(face)[*self._window], self._cells)
        return np.asarray(1 - hidden * self._inner, np.float32)

    def _doubted(self, past: Past, shown: float, dt: float) -> tuple[float, float]:
        """Return the largest share seen, and how long the map is still drawn to the registration.

        A thing that leaves a face behind which the map began, leaves a registration that is better.
        """
        if past.free < CLEAR and shown > past.free + MORE:
            return shown, self._config.relearn_s
        return past.free, max(past.doubt_s - dt, 0.0)

    def _shown(self, free: Floats) -> float:
        """Share of the face below the brows that nothing hides."""
        return float((free * self._below_brows).sum() / self._below_brows.sum())

    def _pull(self, missing: Floats, dt: float, *, is_doubted: bool) -> Floats:
        """Share (h, w) of what is missing to the registration that is made up in this frame."""
        config = self._config
        slow, fast = (_share(dt, s) for s in (config.anchor_s, config.disagreement_s))
        if is_doubted:
            slow = fast
        limit = config.agreement * self._side
        distance = (_length(missing) - limit) / limit
        return np.asarray(slow + (fast - slow) * distance.clip(0, 1), np.float32)

    def _semantic(self, face: Face) -> Floats:
        """Return the registration's map from template to crop (h, w, 2) px."""
        field = resized(face.grid_field_from_template, GRID_SHAPE)
        rows, columns = self._window
        return np.asarray(self._grid_px + np.moveaxis(field[:, rows, columns], 0, -1), np.float32)

    def _carried(self, picture: Floats, skin: Floats) -> Floats:
        """Return a picture of the crop, in template space."""
        there = (skin + np.float32(0.5)) * np.float32(1 / PICTURE_PX) - np.float32(0.5)
        return _sampled(picture, self._in_picture(there))

    def _in_picture(self, values: Floats) -> Floats:
        """Values at points of the grid, or at control points, for every px of the pictures."""
        height, width = self._points
        return _enlarged(values, (height * GRID_PX // PICTURE_PX, width * GRID_PX // PICTURE_PX))

    def _at_points(self, values: Floats) -> Floats:
        """Values at control points for the points of the grid."""
        return _enlarged(values, self._points)

    def _moved(self, skin: Floats, motion: Floats) -> Floats:
        """W after a motion (h, w, 2) px of template space."""
        return _sampled(skin, self._index + self._at_points(motion) * self._fade_in_points)

    def _with_map(self, face: Face, skin: Floats) -> Face:
        """Return the face with this map and its inverse."""
        before = resized(face.grid_field_from_template, GRID_SHAPE)
        field = before.astype(np.float32)
        rows, columns = self._window
        correction = np.moveaxis(skin - self._grid_px, -1, 0) - field[:, rows, columns]
        field[:, rows, columns] += self._fade * correction
        onto = Later(partial(inverted, field))
        refined = face.changed(grid_field=onto, grid_field_from_template=field)
        landmarks = template_to_frame(refined, self._landmarks)
        return refined.changed(landmarks=landmarks, box=box_around(landmarks))


def _window_around(template: Template) -> tuple[slice, slice]:
    """Rows and columns of the control points around a template's face."""
    low, high = template.landmarks.min(0), template.landmarks.max(0)
    side = float((high - low).max())
    slices = []
    for axis, beside, size in ((1, _ABOVE, CROP_SHAPE[0]), (0, _BESIDE, CROP_SHAPE[1])):
        cell = CELL_PX // GRID_PX
        first = int(max(low[axis] - beside * side, 0) // CELL_PX) * cell
        last = int(min(high[axis] + beside * side, size) // CELL_PX) * cell
        slices.append(slice(first, last))
    return slices[0], slices[1]


def _ramp(count: int) -> NDArray[np.float64]:
    """0 to 1 over the first control points, and back over the last."""
    from_end = np.minimum(np.arange(count) + 0.5, count - np.arange(count) - 0.5)
    return np.asarray((from_end / _FADE).clip(0, 1), np.float64)


def _share(dt: float, seconds: float) -> np.float32:
    """Share of a step that a first-order filter goes in ``dt`` s."""
    return np.float32(-np.expm1(-dt / seconds))


def _enlarged(values: Floats, shape: tuple[int, int]) -> Floats:
    return np.asarray(
        cv2.resize(values, shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )


def _length(vectors: Floats) -> Floats:
    return np.asarray(cv2.magnitude(*cv2.split(vectors)), np.float32)


def _through(affine: Affine, points: Floats) -> Floats:
    """Points (h, w, 2) through an affine map."""
    return np.asarray(cv2.transform(points, affine), np.float32)


def _turned(affine: Affine, vectors: Floats) -> Floats:
    """Vectors (h, w, 2) through the linear part of an affine map."""
    return np.asarray(cv2.transform(vectors, affine[:, :2]), np.float32)


def _sampled(values: Floats, at: Floats) -> Floats:
    return np.asarray(
        cv2.remap(values, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
