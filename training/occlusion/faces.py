"""Photographs as the faces that objects are put before: a crop, what of it is face, and where."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import Crop
from facewarp.face.occlusion.network import wide_crop
from facewarp.face.parts import FacePart
from facewarp.training.datasets.celebamask import parts_of_ids, read_masks
from facewarp.training.datasets.photo import FacePhoto
from facewarp.training.occlusion.canvas import FacePlace, Floats

SHAPE: Final = (320, 264)
"""(H, W) of the pictures that objects are drawn on: twice the network's."""

_SKIN, _NOSE, _GLASSES, _INNER_MOUTH, _HAIR = 1, 2, 3, 10, 13
_FACE: Final = (1, 2, 4, 5, 6, 7, 10, 11, 12)
_UNSURE: Final = (8, 9, 15, 16, 17)  # ears, neck and what hangs there: a texture may end anywhere
_IS_FACE: Final = np.isin(np.arange(19), _FACE).astype(np.float32)
_IS_KNOWN: Final = 1 - np.isin(np.arange(19), _UNSURE).astype(np.float32)
_DARK = 0.55  # of the skin's brightness: below, glasses are sunglasses
_MARGIN, _SHIFT, _ROLL = (1.65, 2.4), 0.1, 8.0
_BELOW_BROWS = 0.12  # of the face's side: where landmarks tell skin from hair no more


class Detail(IntEnum):
    """What may be shut or darkened of a face and is face as before."""

    EYE = 1
    BROW = 2
    MOUTH = 3  # between the lips


@dataclass(frozen=True, eq=False)
class BaseFace:
    """A view of a photograph.

    Attributes:
        image: (H, W, 3) RGB 0..1.
        visible: (H, W) how much of each px is the face: 0 before hair, hat and background.
        known: (H, W) 0..1, where that is known.
        hair: (H, W) 0..1, hair that others may wear.
        place: where the face lies.
        details: (H, W) uint8 `Detail`, 0 elsewhere.
    """

    image: Floats
    visible: Floats
    known: Floats
    hair: Floats
    place: FacePlace
    details: NDArray[np.uint8]


def base_face(photo: FacePhoto, rng: np.random.Generator) -> BaseFace:
    """Cut a photograph as a tracker would, a little off."""
    roll = np.deg2rad(rng.normal(0, _ROLL))
    center = np.array(photo.box_center) + photo.box_side * rng.uniform(-_SHIFT, _SHIFT, 2)
    crop = Crop.around(center, photo.box_side, roll=roll, margin=rng.uniform(*_MARGIN))
    wide = wide_crop(crop, 1)
    image: Floats = wide.extract(photo.color()).astype(np.float32) / np.float32(255)
    if photo.masks is None:
        visible, known = _from_points(photo, wide)
        hair = np.zeros(SHAPE, np.float32)
        parts = _labels(photo.labels, wide)
        details = _details(parts, _between_lips(photo, wide))
    else:
        ids = _labels(_ids(photo), wide)
        visible, known = _from_masks(ids, image)
        hair = (ids == _HAIR).astype(np.float32)
        parts = parts_of_ids(ids)
        details = _details(parts, ids == _INNER_MOUTH)
    known = known * _inside(photo, wide)
    place = _place(photo, wide, image, parts, visible, hair)
    if rng.random() < 0.5:
        image, visible, known, hair = (
            np.ascontiguousarray(v[:, ::-1]) for v in (image, visible, known, hair)
        )
        details = np.ascontiguousarray(details[:, ::-1])
        place = _mirrored(place)
    soft = [cv2.GaussianBlur(v, (0, 0), 1.0) for v in (visible, hair)]
    return BaseFace(image, soft[0], known, soft[1], place, details)


def _ids(photo: FacePhoto) -> NDArray[np.uint8]:
    """CelebAMask's own ids on the photograph's grid."""
    ids = read_masks(photo.path)
    size = photo.image.shape[::-1]
    if ids.shape != photo.image.shape:
        ids = np.asarray(cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return ids


def _labels(labels: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    found = crop.extract(labels, interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, np.uint8)


def _inside(photo: FacePhoto, crop: Crop) -> Floats:
    """1 inside of the photograph, 0 where its border is repeated."""
    height, width = photo.image.shape
    points = crop.to_crop([(1, 1), (width - 2, 1), (width - 2, height - 2), (1, height - 2)])
    mask = np.zeros(SHAPE, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(points).astype(np.int32), 1)
    return mask.astype(np.float32)


def _from_masks(ids: NDArray[np.uint8], image: Floats) -> tuple[Floats, Floats]:
    """Return what is face by CelebAMask's ids, and where that is known.

    Lenses are drawn like rims there: clear glasses tell nothing, sunglasses hide.
    """
    visible, known = _IS_FACE[ids], _IS_KNOWN[ids]
    glasses, skin = ids == _GLASSES, ids == _SKIN
    if glasses.any():
        gray = image.mean(axis=-1)
        clear = not skin.any() or np.median(gray[glasses]) > _DARK * np.median(gray[skin])
        if clear:
            known[cv2.dilate(glasses.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    return visible, known


def _from_points(photo: FacePhoto, crop: Crop) -> tuple[Floats, Floats]:
    """Return what is face by 68 points: what lies between brows and jaw; of the rest nothing."""
    face = (_labels(photo.labels, crop) > 0).astype(np.uint8)
    assert photo.landmarks is not None
    points = crop.to_crop(photo.landmarks)
    radius = int(0.03 * photo.box_side / crop.scale) | 1
    known = cv2.erode(face, np.ones((radius, radius), np.uint8))
    brows = points[[0, *range(17, 27), 16]]
    lift = _BELOW_BROWS * (points[27] - points[8])
    above = np.vstack([brows + 0.3 * lift, brows[::-1] + 20 * lift])
    cv2.fillPoly(known, [np.rint(above).clip(-4096, 4096).astype(np.int32)], 0)
    return face.astype(np.float32), known.astype(np.float32)


def _details(parts: NDArray[np.uint8], between: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Eyes, brows and what is seen between the lips."""
    details = np.zeros(SHAPE, np.uint8)
    details[np.isin(parts, (FacePart.EYE_LEFT, FacePart.EYE_RIGHT))] = Detail.EYE
    details[np.isin(parts, (FacePart.BROW_LEFT, FacePart.BROW_RIGHT))] = Detail.BROW
    details[between] = Detail.MOUTH
    return details


def _between_lips(photo: FacePhoto, crop: Crop) -> NDArray[np.bool_]:
    """Return the inner of the two outlines of a mouth, by its 68 points."""
    assert photo.landmarks is not None
    inner = crop.to_crop(photo.landmarks[60:68]).clip(-4096, 4096)
    mask = np.zeros(SHAPE, np.uint8)
    cv2.fillPoly(mask, [np.rint(inner).astype(np.int32)], 1)
    return mask > 0


def _place(
    photo: FacePhoto,
    crop: Crop,
    image: Floats,
    parts: NDArray[np.uint8],
    visible: Floats,
    hair: Floats,
) -> FacePlace:
    unit = 0.42 * photo.box_side / crop.scale
    center = crop.to_crop(np.array(photo.box_center))
    right = crop.to_crop(np.array(photo.box_center) + (1, 0)) - center
    right /= np.linalg.norm(right)
    down = np.array([-right[1], right[0]])
    middle = center - down * 0.5 * unit
    eyes = np.stack([middle - right * unit / 2, middle + right * unit / 2])
    mouth = center + down * 0.65 * unit
    for i, part in enumerate((FacePart.EYE_LEFT, FacePart.EYE_RIGHT)):
        if (found := _middle(parts == part)) is not None:
            eyes[i] = found
    if eyes[1, 0] - eyes[0, 0] < 0.2 * unit:
        eyes = np.stack([middle - right * unit / 2, middle + right * unit / 2])
    if (found := _middle(parts == FacePart.MOUTH)) is not None:
        mouth = found
    few = (slice(None, None, 3), slice(None, None, 3))
    image, worn = image[few], hair[few] > 0.5
    cheeks = (visible[few] > 0.9) & ((parts[few] == FacePart.FACE) | (parts[few] == FacePart.NOSE))
    skin = np.median(image[cheeks], axis=0) if cheeks.any() else np.array([0.7, 0.5, 0.4])
    tone = np.median(image[worn], axis=0) if worn.sum() > 9 else skin * 0.25
    return FacePlace(
        SHAPE, eyes, mouth, float(unit), skin.astype(np.float32), tone.astype(np.float32)
    )


def _middle(mask: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    if moments["m00"] < 8:
        return None
    return np.array([moments["m10"], moments["m01"]]) / moments["m00"]


def _mirrored(place: FacePlace) -> FacePlace:
    flip = np.array([SHAPE[1] - 1, 0.0])
    eyes = (flip + place.eyes * (-1, 1))[::-1]
    mouth = flip + place.mouth * (-1, 1)
    return FacePlace(SHAPE, eyes, mouth, place.unit, place.skin, place.hair)
