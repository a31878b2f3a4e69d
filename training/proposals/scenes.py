"""Random scenes of small faces, with the square of each: what the proposal network learns from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import Box

SIDE: Final = 192
"""Side of a scene, px."""

_MOST: Final = 5  # faces put into a scene
_SIDES_PX: Final = (7.0, 34.0)  # of their boxes
_PLAIN: Final = 0.15  # share of scenes on a made background
_DRAWN: Final = 0.15  # share of photographs turned into drawings
_TURNED_RAD: Final = 1.2  # the farthest roll; most are a third of it


@dataclass(frozen=True, eq=False)
class LabelledPhoto:
    """A photograph and the boxes of its faces.

    Attributes:
        image: (H, W, 3) uint8 RGB, its longer side a few hundred px.
        boxes: of the faces a detector found, BlazeFace's squares, px.
    """

    image: NDArray[np.uint8]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture with small faces.

    Attributes:
        image: (SIDE, SIDE, 3) uint8 RGB.
        faces: (N, 3) center x, y and side of each box, px; some lie outside.
    """

    image: NDArray[np.uint8]
    faces: NDArray[np.float64]


def random_scene(photos: Sequence[LabelledPhoto], rng: np.random.Generator) -> Scene:
    """Compose a scene: a background, faces of other photographs on it, light and noise.

    Args:
        photos: to draw from; each shows at least one face.
        rng: source of randomness.
    """
    canvas = np.empty((SIDE, SIDE, 3), np.uint8)
    faces: list[NDArray[np.float64]] = []
    if rng.random() < _PLAIN:
        canvas[:] = _made_background(rng)
    else:
        photo = _pick(photos, rng)
        scale = float(np.exp(rng.uniform(np.log(0.6), np.log(2.0))))
        at = rng.uniform(0, 1, 2) * photo.image.shape[1::-1]
        _put(canvas, faces, photo, at, scale, np.full(2, SIDE / 2), rng, whole=True)
    for _ in range(rng.integers(0, _MOST + 1)):
        photo = _pick(photos, rng)
        x0, y0, x1, y1 = photo.boxes[rng.integers(len(photo.boxes))]
        side = float(np.exp(rng.uniform(*np.log(_SIDES_PX))))
        at = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        place = rng.uniform(0, SIDE, 2)
        reach = (x1 - x0) * (1 if rng.random() < 0.7 else 100)  # or all of the photograph
        _put(canvas, faces, photo, at, side / (x1 - x0), place, rng, reach=reach)
    image = _worn(canvas, rng)
    return Scene(image, np.array(faces, np.float64).reshape(-1, 3))


def _pick(photos: Sequence[LabelledPhoto], rng: np.random.Generator) -> LabelledPhoto:
    """Return a photograph, mirrored or drawn by chance."""
    photo = photos[int(rng.integers(len(photos)))]
    image, boxes = photo.image, photo.boxes
    if rng.random() < 0.5:
        width = image.shape[1]
        image = np.ascontiguousarray(image[:, ::-1])
        boxes = tuple((width - 1 - x1, y0, width - 1 - x0, y1) for x0, y0, x1, y1 in boxes)
    if rng.random() < _DRAWN:
        low = rng.uniform(30, 90)
        edges = cv2.Canny(image, low, low * rng.uniform(1.5, 3))
        lines = (255 - edges)[..., None] * rng.uniform(0.4, 1.0)
        share = rng.uniform(0.2, 0.8)
        image = (share * image + (1 - share) * lines).clip(0, 255).astype(np.uint8)
    return LabelledPhoto(image, boxes)


def _put(
    canvas: NDArray[np.uint8],
    faces: list[NDArray[np.float64]],
    photo: LabelledPhoto,
    at: NDArray[np.float64],
    scale: float,
    place: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    whole: bool = False,
    reach: float = 0.0,
) -> None:
    """Put a photograph, or a window of it, onto a canvas; add its faces and drop those it hides.

    Args:
        canvas: changed.
        faces: changed: center and side of each.
        photo: what is put.
        at: (x, y) px of the photograph that comes to lie at `place`.
        scale: canvas px per px of the photograph.
        place: (x, y) px of the canvas.
        rng: of the roll and of the window's form.
        whole: cover all of the canvas, beyond the photograph by its border.
        reach: side of the face whose surroundings are put.
    """
    spread = 0.4 if rng.random() < 0.8 else _TURNED_RAD
    angle = float(np.clip(rng.normal(0, spread / 2), -_TURNED_RAD, _TURNED_RAD))
    image, shrunk = photo.image, 1.0
    if scale < 0.5:
        shrunk = 2 * scale
        size = [max(1, round(length * shrunk)) for length in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn / shrunk, place - turn @ at])
    put = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    corners = np.array([(0, 0), image.shape[1::-1]], np.float64) / shrunk
    if not whole:
        half = reach * rng.uniform(0.6, 1.8, (2, 2))
        low, high = np.maximum(at - half[0], corners[0]), np.minimum(at + half[1], corners[1])
        corners = np.array([low, high])
    (x0, y0), (x1, y1) = corners
    outline = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ turn.T + matrix[:, 2]
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), 255)
    if whole:
        mask[:] = 255
    faces[:] = [face for face in faces if not _within(mask, face)]
    canvas[mask > 0] = put[mask > 0]
    for left, top, right, bottom in photo.boxes:
        center = turn @ (np.array([left + right, top + bottom]) / 2) + matrix[:, 2]
        face = np.array([*center, scale * (right - left)])
        if whole or _within(mask, face):
            faces.append(face)


def _within(mask: NDArray[np.uint8], face: NDArray[np.float64]) -> bool:
    """Whether a face's center lies in a mask."""
    x, y = np.rint(face[:2]).astype(int)
    return bool(0 <= x < SIDE and 0 <= y < SIDE and mask[y, x])


def _made_background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Colors, stripes, blobs or boxes, as drawings and empty rooms have them."""
    canvas = np.full((SIDE, SIDE, 3), rng.integers(0, 256, 3), np.float32)
    kind = rng.integers(4)
    yy, xx = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    if kind == 1:
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 60)
        wave = np.sin((xx * np.cos(angle) + yy * np.sin(angle)) * 2 * np.pi / period)
        canvas += wave[..., None] * rng.uniform(-90, 90, 3)
    elif kind == 2:
        cells = int(rng.integers(3, 40))
        blobs = rng.uniform(-110, 110, (cells, cells, 3)).astype(np.float32)
        canvas += cv2.resize(blobs, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    elif kind == 3:
        for _ in range(rng.integers(4, 40)):
            one, other = rng.integers(0, SIDE, (2, 2)).tolist()
            color = rng.uniform(0, 255, 3).tolist()
            if rng.random() < 0.5:
                cv2.rectangle(canvas, one, other, color, int(rng.integers(-1, 4)))
            else:
                cv2.circle(canvas, one, int(rng.integers(2, 30)), color, int(rng.integers(-1, 4)))
    return canvas.clip(0, 255).astype(np.uint8)


def _worn(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture in another light, with blur, noise and JPEG's blocks."""
    scene = image.astype(np.float32) / 255
    if rng.random() < 0.15:
        scene[:] = scene.mean(axis=2, keepdims=True)
    gamma = float(np.exp(rng.normal(0, 0.35)))
    gain = rng.uniform(0.08, 0.5) if rng.random() < 0.2 else rng.uniform(0.6, 1.2)
    scene = np.power(scene, gamma) * gain * rng.normal(1, 0.06, 3) + rng.normal(0, 0.04)
    if rng.random() < 0.3:
        scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.3, 1.0))
    if rng.random() < 0.5:
        scene = scene + rng.normal(0, rng.uniform(0, 0.04), scene.shape)
    worn = (255 * scene).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        stored = cv2.imencode(".jpg", worn, quality)[1]
        return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)
    return worn
