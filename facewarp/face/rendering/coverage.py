"""Coverage: how far paint goes on a face, up to the hairline and over the temples.

A template's face ends where its landmarks do: on the forehead, and with a notch at the temples of
turned heads. What hides a face, hair above all, is told by its matte. So what is drawn goes on
beyond the template's face, and ends where the matte does.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import FacePart
from facewarp.face.rendering.occlusion import EYES

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_BESIDE_PX: Final = 22.0  # template px that a face may go on beyond the template's at the temples,
_ABOVE_PX: Final = 40.0  # and on the forehead; cheeks and jaw end where the template's do
_TEMPLES: Final = (0.3, -0.2)  # height from the middle, of half the face, where that begins
_SURELY: Final = (0.5, 0.95)  # of the matte, between which paint begins beyond the template's face
_MIRRORED: Final = 0.35  # how far inside a picture is repeated, of the way outside
_NEAR_PX: Final = 2.0
_SOFT_PX: Final = 2.5
_RIM_PX: Final = 13  # within the template's outline, where paint of the whole face is
_WHOLE: Final = 0.7  # share of the rim that is painted by paint of the whole face
_INNER_LIPS: Final = slice(60, 68)
_SLIT_PX: Final = (
    5  # template px across, by which the slit between painted lips is wider than theirs
)
_FAINT: Final = 40  # alpha of paint on lips that needs no care
_LID_PX: Final = 45  # template px across, of what lies around a point of an eye
_FLAT_PX: Final = (9.0, 8.0)  # px of a style beyond its face: what fades, and how soon it does
_OPAQUE: Final = 200  # alpha that counts as painted


def wide_face(template: "Template") -> NDArray[np.float32]:
    """Return where a face may be that is registered with a template, (320, 260), 0..1."""
    mask = np.zeros(CROP_SHAPE, np.uint8)
    hull = _hull(template)
    if hull is not None:
        wide = hull + reach_beyond(hull, template)
        cv2.fillConvexPoly(mask, np.rint(16 * wide).astype(np.int32), 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), _SOFT_PX)
    return soft.astype(np.float32) / 255


def reach_beyond(points: NDArray[np.floating], template: "Template") -> NDArray[np.float64]:
    """Return how far a face may go on beyond points of a template's outline, (N, 2) template px."""
    hull = _hull(template)
    if hull is None:
        return np.zeros((len(points), 2))
    middle = (hull.min(axis=0) + hull.max(axis=0)) / 2
    away = (np.asarray(points, np.float64) - middle) / (np.ptp(hull, axis=0) / 2)
    rising = smoothstep(*_TEMPLES, away[:, 1])
    return np.asarray(away * np.column_stack([_BESIDE_PX * rising, _ABOVE_PX * rising]))


def _hull(template: "Template") -> NDArray[np.float64] | None:
    """Convex hull (N, 2) of a template's face; None if it has none."""
    face = (template.probabilities[FacePart.BACKGROUND] < 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(face, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    return cv2.convexHull(np.concatenate(contours))[:, 0].astype(np.float64)


def beyond(
    tight: NDArray[np.float32], wide: NDArray[np.float32], face: "Face"
) -> NDArray[np.float32]:
    """Return how far paint goes in a face's crop, (h, w), 0..1.

    Args:
        tight: as far as it goes in any case.
        wide: as far as it goes where the matte is sure of a face.
        face: whose matte it is.
    """
    if face.matte is None:
        return tight
    sure = cv2.LUT(face.matte, _surely_table())
    return np.maximum(tight, wide * cv2.resize(sure, tight.shape[::-1]))


@lru_cache(maxsize=1)
def _surely_table() -> NDArray[np.float32]:
    return smoothstep(*_SURELY, np.linspace(0, 1, 256, dtype=np.float32))


def paints_whole_face(alpha: NDArray[np.uint8], template: "Template") -> bool:
    """Return whether a texture with this alpha, in template space, paints faces up to their rim."""
    small = cv2.resize(alpha, CROP_SHAPE[::-1], interpolation=cv2.INTER_AREA)
    face = (template.probabilities[FacePart.BACKGROUND] < 0.5).astype(np.uint8)
    inner = cv2.erode(face, np.ones((2 * _RIM_PX + 1,) * 2, np.uint8))
    rim = inner - cv2.erode(inner, np.ones((5, 5), np.uint8)) > 0
    return bool(rim.any() and (small[rim] > _OPAQUE).mean() > _WHOLE)


def widened(rgba: NDArray[np.uint8], template: "Template") -> NDArray[np.uint8]:
    """Return a picture of the whole face (h, w, 4), straight alpha, that goes on beyond its edge.

    Holes in it stay as they are.
    """
    painted = (rgba[..., 3] > _OPAQUE).astype(np.uint8)
    outlines, _ = cv2.findContours(painted, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = np.zeros_like(painted)
    cv2.drawContours(inside, outlines, -1, 1, cv2.FILLED)
    outer = inside == 0
    wide = cv2.resize(wide_face(template), rgba.shape[1::-1])
    out = carried_outward(rgba, ~outer)
    alpha = np.maximum(rgba[..., 3], np.rint(wide * out[..., 3]).astype(np.uint8))
    color = np.where((outer & (rgba[..., 3] < alpha))[..., None], out[..., :3], rgba[..., :3])
    return np.dstack([color, np.where(outer, alpha, rgba[..., 3])])


def closed_lips(rgba: NDArray[np.uint8], template: "Template") -> NDArray[np.uint8]:
    """Return a picture (h, w, 4), straight alpha, whose paint on the lips goes on between them.

    A template's lips are a little apart, so that paint on lips has a slit, which shut lips show as
    a bare strip. Where lips are open in a frame, `occlusion.open_mouth` keeps paint off.
    """
    size = CROP_SHAPE[::-1]
    between = np.zeros(CROP_SHAPE, np.uint8)
    cv2.fillPoly(between, [np.rint(template.landmarks[_INNER_LIPS]).astype(np.int32)], 1)
    slit = cv2.dilate(between, np.ones((_SLIT_PX,) * 2, np.uint8))
    lips = (template.probabilities[FacePart.MOUTH] > 0.5) & (slit == 0)
    alpha = cv2.resize(rgba[..., 3], size, interpolation=cv2.INTER_AREA)
    if not lips.any() or not between.any():
        return rgba
    on_lips = float(np.median(alpha[lips]))
    if on_lips < _FAINT or alpha[between > 0].mean() > 0.5 * on_lips:
        return rgba
    known = cv2.resize(slit, rgba.shape[1::-1], interpolation=cv2.INTER_NEAREST) == 0
    known |= rgba[..., 3] >= 0.9 * on_lips
    return carried_outward(rgba, known, mirrored=False)


def shut_lids(rgba: NDArray[np.uint8], template: "Template") -> NDArray[np.uint8]:
    """Return a picture (h, w, 4), straight alpha, whose holes for the eyes are painted as well.

    Paint all around the eyes leaves a hole for each, which shut lids show as a bare slit. Where
    paint is on one side of the eyes only, the picture stays as it is.
    """
    size = CROP_SHAPE[::-1]
    eyes = template.probabilities[list(EYES)].max(axis=0) > 0.5
    bare = cv2.resize(rgba[..., 3], size, interpolation=cv2.INTER_AREA) < _OPAQUE
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_LID_PX,) * 2)
    near = cv2.dilate(eyes.astype(np.uint8), kernel) > 0
    count, holes = cv2.connectedComponents(bare.astype(np.uint8))
    is_hole = np.zeros(count, bool)
    is_hole[np.unique(holes[eyes & bare])] = True
    is_hole[np.unique(holes[bare & ~near])] = False
    hole = is_hole[holes].astype(np.uint8)
    if not hole.any():
        return rgba
    known = cv2.resize(hole, rgba.shape[1::-1], interpolation=cv2.INTER_NEAREST) == 0
    return carried_outward(rgba, known, mirrored=False)


def carried_outward(
    picture: NDArray[np.uint8], known: NDArray[np.bool_], *, mirrored: bool = True
) -> NDArray[np.uint8]:
    """Carry a picture on beyond where it is known.

    Args:
        picture: (h, w, c).
        known: (h, w).
        mirrored: whether it goes on as in a mirror; else what is nearest does.
    """
    sure = cv2.resize(255 * known.astype(np.uint8), CROP_SHAPE[::-1], interpolation=cv2.INTER_AREA)
    small = sure == 255
    if not small.any() or known.all():
        return picture
    _, labels = cv2.distanceTransformWithLabels(
        (~small).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = []
    scales = (size / crop for size, crop in zip(known.shape, CROP_SHAPE, strict=True))
    for edge, place, k in zip(
        np.nonzero(small), np.mgrid[: small.shape[0], : small.shape[1]], scales, strict=True
    ):
        nearest = np.zeros(int(labels.max()) + 1, np.float32)
        nearest[labels[small]] = edge
        inside = nearest[labels]
        if mirrored:  # what is nearest jumps from px to px: smoothed, neighbors stay neighbors
            inside = (inside + _MIRRORED * (inside - place)).astype(np.float32)
            inside = cv2.GaussianBlur(inside, (0, 0), _NEAR_PX)
        way = cv2.INTER_LINEAR if mirrored else cv2.INTER_NEAREST
        fine = cv2.resize(inside, known.shape[::-1], interpolation=way)
        at.append((fine + 0.5) * np.float32(k) - 0.5)
    carried = cv2.remap(picture, at[1], at[0], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.where(known[..., None], picture, carried)


def beyond_its_face(picture: NDArray[np.uint8], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a style (h, w, 3) that goes on beyond where it is known to show a face, (h, w).

    What it shows there is hair or ground, which is no skin. Its colors go on, its detail fades:
    strokes would be drawn out into waves.
    """
    carried = carried_outward(picture, known)
    low = cv2.GaussianBlur(carried, (0, 0), _FLAT_PX[0])
    away = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 3)
    share = smoothstep(0, _FLAT_PX[1], away)[..., None]
    return np.rint(carried + share * (low.astype(np.float32) - carried)).astype(np.uint8)
