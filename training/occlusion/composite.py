"""Composites: a face, things before it with the shadows they cast, light, and a camera's faults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion import hair, objects
from facewarp.training.occlusion.canvas import FacePlace, Floats, Layer, noise, polygon, ramp, soft
from facewarp.training.occlusion.eyewear import glasses, wire_glasses
from facewarp.training.occlusion.faces import SHAPE, BaseFace
from facewarp.training.occlusion.hands import any_hand, hand, matched

Rng = np.random.Generator
Maker = Callable[[FacePlace, Rng], Layer]
Fault = Literal["light", "camera"]
"""What makes pictures harder: made shadows and make-up; exposure, blur, noise, compression."""

MAKERS: dict[str, tuple[float, Maker]] = {
    "hand": (0.30, hand),
    "fringe": (0.09, hair.fringe),
    "locks": (0.06, hair.locks_beside),
    "strands": (0.05, hair.strands),
    "glasses": (0.14, glasses),
    "microphone": (0.08, objects.microphone),
    "cup": (0.05, objects.cup),
    "phone": (0.05, objects.phone),
    "cable": (0.05, objects.cable),
    "caption": (0.07, objects.caption),
    "mask": (0.04, objects.mask),
    "brim": (0.03, objects.brim),
    "blob": (0.04, objects.blob),
}
"""Maker of each kind of thing, and its share among those that scores are told of."""

TRAINING: dict[str, float] = {"strands": 0.10, "cable": 0.08, "blob": 0.06, "donor": 0.08}
"""Shares in training that differ from those of `MAKERS`, and that of another's hair."""

HARD: dict[str, tuple[float, Maker]] = {
    "any hand": (0.10, any_hand),
    "wire glasses": (0.08, wire_glasses),
    "skin": (0.06, objects.skin),
}
"""Share and maker of what is drawn in training alone: scores stay those of the same things."""

NOTHING = 0.25  # share of faces with nothing before them but light
SECOND = 0.3  # share of those with something that have something more


@dataclass(frozen=True, eq=False)
class Composite:
    """A picture and what it shows, at half the size it was drawn.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        visible: (h, w) uint8, 255 where the face itself is seen.
        known: (h, w) uint8, where that is known.
        covered: (h, w) uint8, alpha of what was put before it.
        face: (h, w) uint8, 255 where the face was seen before that.
        kinds: what was put before it, names of `MAKERS` and ``"donor"``.
    """

    image: NDArray[np.uint8]
    visible: NDArray[np.uint8]
    known: NDArray[np.uint8]
    covered: NDArray[np.uint8]
    face: NDArray[np.uint8]
    kinds: tuple[str, ...] = ()


def compose(
    base: BaseFace,
    donor: Callable[[], BaseFace],
    rng: Rng,
    kind: str | None = None,
    spared: frozenset[Fault] = frozenset(),
) -> Composite:
    """Put things before a face.

    Args:
        base: the face.
        donor: gives another, whose hair or background is cut out.
        rng: random generator.
        kind: a name of `MAKERS`, ``"donor"``, ``"light"`` (shadows, highlights and make-up alone)
            or ``"free"`` (not even that) for just that; None for anything.
        spared: what the picture is spared of all that makes it harder. The same numbers are drawn,
            so that all else stays as it is.
    """
    image, visible, known = base.image, base.visible, base.known
    covered = np.zeros(SHAPE, np.float32)
    if kind != "free":
        lit = _lit(image, base.place, rng)
        image = image if "light" in spared else lit
    nothing = rng.random() < NOTHING if kind is None else kind in ("light", "free")
    kinds = [] if nothing else [kind or _drawn_kind(rng)]
    while kinds and kind is None and len(kinds) < 3 and rng.random() < SECOND:
        kinds.append(_drawn_kind(rng))
    for name in kinds:
        layer = _layer(name, base.place, donor, rng)
        image, alpha = _laid_on(image, layer, base.place, rng)
        covered = alpha + covered * (1 - alpha)
    visible = visible * (1 - covered)
    known = np.maximum(known, (covered > 0.5).astype(np.float32))
    known = np.where((base.known < 0.5) & (covered > 0.02) & (covered < 0.98), 0, known)
    taken = _photographed(image, rng)
    if "camera" in spared:
        taken = _as_uint8(_half(image))
    return Composite(
        taken,
        _halved(visible),
        _halved(known),
        _halved(covered),
        _halved(base.visible * base.known),
        tuple(kinds),
    )


def _drawn_kind(rng: Rng) -> str:
    found = {name: share for name, (share, _) in (MAKERS | HARD).items()} | TRAINING
    names, shares = list(found), np.array(list(found.values()))
    return str(rng.choice(names, p=shares / shares.sum()))


def _layer(name: str, place: FacePlace, donor: Callable[[], BaseFace], rng: Rng) -> Layer:
    if name == "donor":
        return _cut_out(place, donor(), rng)
    if name == "blob" and rng.random() < 0.6:
        image = donor().image
        turned = np.rot90(image, 2) if rng.random() < 0.5 else image
        moved = np.array([[1, 0, rng.normal(0, 80)], [0, 1, rng.normal(0, 80)]])
        texture = cv2.warpAffine(
            np.ascontiguousarray(turned), moved, SHAPE[::-1], borderMode=cv2.BORDER_REFLECT
        )
        return objects.blob(place, rng, texture)
    return (MAKERS | HARD)[name][1](place, rng)


def _cut_out(place: FacePlace, donor: BaseFace, rng: Rng) -> Layer:
    """Another photograph's hair, laid over this face."""
    if float(donor.hair.mean()) < 0.02:
        return hair.fringe(place, rng)
    scale = place.unit / donor.place.unit * rng.uniform(0.85, 1.2)
    source = donor.place.eyes.mean(0)
    target = place.at(rng.normal(0, 0.35), rng.uniform(-0.1, 0.8))
    angle = rng.normal(0, 0.25)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[c, -s], [s, c]])
    matrix = np.column_stack([linear, target - linear @ source])
    color = cv2.warpAffine(donor.image, matrix, SHAPE[::-1], borderMode=cv2.BORDER_REFLECT)
    alpha = cv2.warpAffine(donor.hair, matrix, SHAPE[::-1], borderMode=cv2.BORDER_REPLICATE)
    return Layer(color, alpha, rng.uniform(0, 0.4), rng.uniform(1, 6))


def _laid_on(image: Floats, layer: Layer, place: FacePlace, rng: Rng) -> tuple[Floats, Floats]:
    """Lay a layer on a picture with its shadow; returns the picture and the layer's alpha."""
    color, alpha = layer.color, layer.alpha.clip(0, 1)
    if rng.random() < 0.6:
        color = matched(color, place.skin, rng) if rng.random() < 0.5 else _in_light(color, image)
    if rng.random() < 0.25:
        color, alpha = _moving(color, alpha, rng)
    elif rng.random() < 0.5:
        sharpness = rng.uniform(0.3, 2.2)
        alpha = cv2.GaussianBlur(alpha, (0, 0), sharpness)
        color = cv2.GaussianBlur(color, (0, 0), sharpness)
    if layer.shadow > 0.02:
        offset = rng.normal(0, 1, 2) * layer.lift
        moved = np.array([[1, 0, offset[0]], [0, 1, offset[1] + 0.3 * layer.lift]])
        shade = cv2.warpAffine(alpha, moved, SHAPE[::-1], borderMode=cv2.BORDER_REPLICATE)
        shade = cv2.GaussianBlur(shade, (0, 0), max(0.6, 0.6 * layer.lift))
        image = image * (1 - layer.shadow * shade)[..., None]
    image = image + alpha[..., None] * (color - image)
    return np.asarray(image, np.float32), np.asarray(alpha, np.float32)


def _in_light(color: Floats, image: Floats) -> Floats:
    """Give a layer the color of the light and the contrast of the picture."""
    low, high = np.percentile(image[::8, ::8], (2, 98), axis=(0, 1))
    return np.asarray(low + color * (high - low).clip(0.1), np.float32)


def _moving(color: Floats, alpha: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Blur a layer along a direction, as by motion while the shutter is open."""
    length = int(rng.integers(3, 22))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle = (length - 1) / 2
    step = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(np.rint(middle + sign * step).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    kernel /= kernel.sum()
    blurred = cv2.filter2D(alpha, -1, kernel)
    mixed = cv2.filter2D(color * alpha[..., None], -1, kernel) / blurred.clip(1e-3)[..., None]
    return np.where(blurred[..., None] > 1e-3, mixed, color).astype(np.float32), blurred


def _lit(image: Floats, place: FacePlace, rng: Rng) -> Floats:
    """Change the light on a face: shadows, highlights, make-up, stubble. Nothing of it hides it."""
    if rng.random() < 0.35:  # a shadow with a sharp or soft edge
        corners = place.at(rng.normal(0, 1.2, 5), rng.normal(0.5, 1.2, 5))
        hull = cv2.convexHull(corners.astype(np.float32))[:, 0]
        edge = rng.choice([rng.uniform(0.5, 2), rng.uniform(2, 25)])
        shade = cv2.GaussianBlur(polygon(SHAPE, hull), (0, 0), edge) * rng.uniform(0.2, 0.75)
        image = image * (1 - shade)[..., None]
    if rng.random() < 0.2:  # one side in the dark
        image = image * (1 - rng.uniform(0.2, 0.8) * ramp(SHAPE, rng.uniform(0, 6.3)))[..., None]
    if rng.random() < 0.25:  # highlights
        spot = np.exp(-((noise(SHAPE, 40, rng) - 2).clip(None, 0) ** 2) * 3) * rng.uniform(0.1, 0.6)
        image = image + (spot * image.mean(axis=-1))[..., None]
    if rng.random() < 0.3:  # make-up, flush, freckles
        for _ in range(int(rng.integers(1, 4))):
            middle = place.at(rng.choice([-0.55, 0, 0.55]), rng.choice([-0.05, 0.5, 1.1]))
            spot = np.zeros(SHAPE, np.uint8)
            size = np.rint(place.unit * rng.uniform(0.1, 0.35, 2)).astype(int)
            cv2.ellipse(spot, (np.rint(middle).astype(int).tolist(), size.tolist(), 0), 255, -1)
            cover = soft(spot, place.unit * 0.06)[..., None] * np.float32(rng.uniform(0.1, 0.6))
            image = image * (1 - cover * (1 - rng.uniform(0.2, 1, 3).astype(np.float32)))
    if rng.random() < 0.15:  # stubble
        spot = polygon(SHAPE, place.at([-0.9, 0, 0.9, 0.7, 0, -0.7], [0.7, 0.85, 0.7, 1.7, 2, 1.7]))
        grain = noise(SHAPE, 2, rng) * 0.25 + 0.5
        cover = cv2.GaussianBlur(spot, (0, 0), 8) * grain.clip(0, 1) * rng.uniform(0.2, 0.7)
        image = image + cover[..., None] * (place.hair * 0.7 - image)
    return np.asarray(image, np.float32)


def _photographed(image: Floats, rng: Rng) -> NDArray[np.uint8]:
    """Halve a picture and give it a camera's color, sharpness, noise and compression."""
    image = _half(image)
    if rng.random() < 0.3:
        small = rng.uniform(0.35, 0.9)
        size = image.shape[1::-1]
        image = cv2.resize(image, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.15:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    if rng.random() < 0.5:
        image = image * rng.normal(1, 0.1, 3).astype(np.float32)
    image = image.clip(0, None) ** np.float32(np.exp(rng.normal(0, 0.2)))
    image = image * np.float32(np.exp(rng.normal(0, 0.18))) + np.float32(rng.normal(0, 0.03))
    if rng.random() < 0.5:
        image = image + rng.uniform(0, 0.035) * rng.standard_normal(image.shape, np.float32)
    shown = _as_uint8(image)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))]
        coded = cv2.imencode(".jpg", shown, quality)[1]
        shown = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return shown


def _halved(values: Floats) -> NDArray[np.uint8]:
    return _as_uint8(_half(np.asarray(values, np.float32)))


def _half(values: Floats) -> Floats:
    size = (SHAPE[1] // 2, SHAPE[0] // 2)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _as_uint8(values: Floats) -> NDArray[np.uint8]:
    return np.rint(255 * values.clip(0, 1)).astype(np.uint8)
