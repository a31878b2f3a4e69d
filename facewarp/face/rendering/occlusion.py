"""Occlusion mask: exclude eyes, teeth and occluders (hair, hands).

What hides a face is told by its matte (`facewarp.face.occlusion`), where it has one. Else the
template says where a face would be, and the network's own parts of the frame what is there: where
the template has skin and the frame has background, hair or a hand lies in between. Where the
frame has an eye, the eye is left alone however wide it opens, and painted where it is shut. There
is no part for teeth: the open mouth is the outline of the inner lips.
"""

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.details.outlines import eye_heights, mouth_outline
from facewarp.face.parts import FacePart
from facewarp.face.similarity import sampled

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

EYES: Final = (FacePart.EYE_LEFT, FacePart.EYE_RIGHT)

_OUTER_LIPS: Final = slice(48, 60)
_INNER_LIPS: Final = slice(60, 68)
_LIPS_SOFT_PX: Final = 0.7  # crop px, lest grain counts
_UNLIKE_LIPS: Final = (0.14, 0.3)  # share of brightness by which a mouth differs from lips
_AS_RED: Final = (0.6, 0.85)  # redness, of that of lips, of teeth and of lips
_LEAST_RED: Final = 0.05  # redness of lips in a gray frame
_GAPING_PX: Final = (16.0, 22.0)  # crop px of opening from which on nothing of it is taken for lips
_DEEP_PX: Final = (3.0, 5.0)  # crop px within the outline of the inner lips where none is found
_EDGE_PX: Final = 9  # template px along its outline where neither a face nor background is sure
_HIDDEN: Final = (0.5, 0.9)  # background probability at which paint begins to go, and is gone
_EYE: Final = (0.3, 0.75)
_LIDS_PX: Final = (1.8, 3.2)  # height of an eye's opening, crop px, shut and open
_TRUSTED: Final = 0.5  # columns of the mouth's outline that count
_FEWEST: Final = 4
_OPEN_PX: Final = (1.6, 3.4)  # height of the mouth's opening, crop px, closed and open
_FREE: Final = np.rint(
    255 * smoothstep(0.2, 0.75, np.linspace(0, 1, 256, dtype=np.float32))
).astype(np.uint8)
_SOFT_PX: Final = 1.2  # crop px over which the edge of an opening is soft


class Visibility:
    """Computes the occlusion mask of a template's paint on faces.

    Args:
        template: what faces are registered with.
        spare_eyes: whether eyes are left alone; not so for glasses, which cover them.
        spare_mouth: whether the open mouth is.
    """

    def __init__(
        self, template: "Template", *, spare_eyes: bool = True, spare_mouth: bool = True
    ) -> None:
        self._skin = skin_of(template)
        self._spare_eyes, self._spare_mouth = spare_eyes, spare_mouth

    def __call__(self, face: "Face", frame: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Return the visibility of paint in each px of a face's crop, (320, 260), 0..255.

        Args:
            face: whose.
            frame: see `open_mouth`.
        """
        height, width = CROP_SHAPE
        parts = face.probabilities
        free, seen = free_of(face), None
        if free is None:
            x, y = _positions(face.field, parts.shape[1:])
            skin = cv2.remap(self._skin, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, 0)
            background = np.asarray(parts[FacePart.BACKGROUND], np.float32)
            seen = 1 - smoothstep(*_HIDDEN, skin * background)
        if self._spare_eyes:
            seen = _beside_eyes(face) if seen is None else seen * _beside_eyes(face)
        fine = np.full((height, width), 255, np.uint8) if seen is None else _on_crop(seen)
        if free is not None:
            fine = free if seen is None else cv2.multiply(fine, free, scale=1 / 255)
        if self._spare_mouth and (mouth := open_mouth(face, frame)).any():
            fine = cv2.multiply(fine, cv2.bitwise_not(mouth), scale=1 / 255)
        return np.asarray(fine, np.uint8)


def free_of(face: "Face") -> NDArray[np.uint8] | None:
    """Return what of a face's crop nothing hides, (320, 260), 0..255; None without a matte.

    Between a quarter and three quarters of the matte's range, so that what it isn't sure of
    neither shows through nor is missing.
    """
    if face.matte is None:
        return None
    sharp = cv2.LUT(face.matte, _FREE)
    return np.asarray(cv2.resize(sharp, CROP_SHAPE[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def skin_of(template: "Template") -> NDArray[np.float32]:
    """Return where a template surely has a face, (320, 260), 0..1, soft at its outline."""
    face = 1 - np.asarray(template.probabilities[FacePart.BACKGROUND], np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _EDGE_PX + 1,) * 2)
    return np.asarray(cv2.GaussianBlur(cv2.erode(face, kernel), (0, 0), 3.0), np.float32)


def spared_eyes(face: "Face") -> NDArray[np.uint8]:
    """Return a soft mask (320, 260), 0..255, of all but a face's eyes, however wide they open."""
    return _on_crop(_beside_eyes(face))


def open_eyes(face: "Face") -> NDArray[np.float32] | None:
    """Return how open a face's left and right eye are, (2,) 0..1; None where nobody looked."""
    if face.details is None:
        return None
    return smoothstep(*_LIDS_PX, eye_heights(face.details))


def open_mouth(face: "Face", frame: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return a soft mask (320, 260), 0..255, of the open mouth; empty while it is closed.

    Args:
        face: whose.
        frame: (H, W, 3) uint8 RGB, in which lips are told from mouth and teeth; None goes by the
            outline of the inner lips alone.
    """
    mask = np.zeros(CROP_SHAPE, np.uint8)
    lips = face.crop.to_crop(face.landmarks[_INNER_LIPS])
    opening = float(np.linalg.norm(lips[[1, 2, 3]] - lips[[7, 6, 5]], axis=1).mean())
    share = float(smoothstep(*_OPEN_PX, np.array(opening, np.float32)))
    if share == 0 or not np.isfinite(lips).all():
        return mask
    _fill(mask, lips)
    seen = _seen_lips(face)
    if seen is not None:
        _fill(mask, seen)
    doubt = 1 - float(smoothstep(*_GAPING_PX, np.array(opening, np.float32)))
    if frame is not None and doubt > 0:
        _keep_lips(mask, face, frame, doubt)
    soft = cv2.GaussianBlur(mask, (0, 0), _SOFT_PX)
    return np.asarray(cv2.convertScaleAbs(soft, alpha=share), np.uint8)


def _seen_lips(face: "Face") -> NDArray[np.float32] | None:
    """Return the inner lips' outline (N, 2) crop px by the detail network; None if unseen.

    Landmarks are eight points of it, and lie within what is round between them: the outer teeth of
    a mouth wide open.
    """
    if face.details is None:
        return None
    outline = mouth_outline(face.details)
    columns = np.flatnonzero(outline.weights > _TRUSTED)
    if len(columns) < _FEWEST:
        return None
    upper, lower = outline.points[1:3, columns]
    return np.concatenate([upper, lower[::-1]])


def _fill(mask: NDArray[np.uint8], outline: NDArray[np.floating]) -> None:
    """Fill an outline (N, 2) of a mask, in place."""
    limit = 1 << 14
    corners = np.rint(outline.clip(-limit, limit) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, 4)


def _keep_lips(
    mask: NDArray[np.uint8], face: "Face", frame: NDArray[np.uint8], doubt: float
) -> None:
    """Take out of an open mouth, in place, what looks like the lips and is near them.

    The outline of the inner lips can be too wide, above all where lips are shut. What it holds then
    is lip: neither as dark as a mouth nor as pale as teeth. The tongue, which is like lips, lies
    deeper.

    Args:
        mask: (320, 260), 255 within the outline.
        face: whose.
        frame: (H, W, 3) uint8 RGB.
        doubt: 0..1, how much of what looks like lips is taken out.
    """
    outer, inner = (face.crop.to_crop(face.landmarks[lips]) for lips in (_OUTER_LIPS, _INNER_LIPS))
    height, width = mask.shape
    x0, y0 = np.floor(outer.min(axis=0) - 2).clip(0, (width, height)).astype(int).tolist()
    x1, y1 = np.ceil(outer.max(axis=0) + 3).clip(0, (width, height)).astype(int).tolist()
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    mouth = mask[y0:y1, x0:x1]
    lips = np.zeros_like(mouth)
    cv2.fillPoly(lips, [np.rint(outer - (x0, y0)).astype(np.int32)], 255)
    cv2.fillPoly(lips, [np.rint(inner - (x0, y0)).astype(np.int32)], 0)
    matrix = face.crop.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ (x0, y0)
    height, width = mouth.shape
    shown = sampled(frame, matrix, (width, height))
    color = cv2.GaussianBlur(shown, (0, 0), _LIPS_SOFT_PX).astype(np.float32)
    bright = color @ np.array([0.299, 0.587, 0.114], np.float32) + 1
    red = (color[..., 0] - color[..., 1]) / bright
    is_lip = lips > 0
    if is_lip.sum() < 16:
        return
    usual, usual_red = (float(np.median(plane[is_lip])) for plane in (bright, red))
    alike = doubt * (1 - smoothstep(*_UNLIKE_LIPS, np.abs(bright / usual - 1)))
    alike *= smoothstep(*_AS_RED, red / max(usual_red, _LEAST_RED))
    depth = cv2.distanceTransform((mouth > 127).astype(np.uint8), cv2.DIST_L2, 3)
    alike *= 1 - smoothstep(*_DEEP_PX, depth)
    mouth[:] = np.rint(mouth * (1 - alike)).astype(np.uint8)


def covers(alpha: NDArray[np.uint8], template: "Template", parts: tuple[FacePart, ...]) -> bool:
    """Return whether a texture with this alpha, in template space, covers parts on purpose."""
    size = CROP_SHAPE[::-1]
    small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    there = template.probabilities[list(parts)].sum(axis=0) > 0.6
    return bool(there.any() and small[there].mean() > 96)


def _beside_eyes(face: "Face") -> NDArray[np.float32]:
    """1 where the network sees no eye, (h, w) of its parts, and where one is shut."""
    eyes = np.asarray(face.probabilities[list(EYES)], np.float32)
    is_open = open_eyes(face)
    if is_open is None:
        return 1 - smoothstep(*_EYE, eyes.sum(axis=0))
    return 1 - np.tensordot(is_open, smoothstep(*_EYE, eyes), 1)


def _on_crop(seen: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a mask (h, w), 0..1, softened and at every px of the crop, 0..255."""
    soft = cv2.GaussianBlur(seen, (0, 0), 0.7 * seen.shape[1] / 130)
    bytes_ = cv2.convertScaleAbs(cv2.max(soft, 0.0), alpha=255)
    return np.asarray(cv2.resize(bytes_, CROP_SHAPE[::-1], interpolation=cv2.INTER_LINEAR))


def _positions(
    field: NDArray[np.float32], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return template px (x, y) of the points of a coarser grid over the crop."""
    (height, width), (rows, columns) = CROP_SHAPE, shape
    x = (np.arange(columns, dtype=np.float32) + 0.5) * (width / columns) - 0.5
    y = (np.arange(rows, dtype=np.float32) + 0.5) * (height / rows) - 0.5
    u, v = (cv2.resize(np.ascontiguousarray(c, np.float32), (columns, rows)) for c in field)
    return x[None] + u, y[:, None] + v
