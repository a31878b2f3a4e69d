"""CelebAMask-HQ dataset: photographs with manual part masks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart
from facewarp.training.datasets.helen import list_images, name_some
from facewarp.training.datasets.photo import (
    FacePhoto,
    assign_sides,
    box_of_masks,
    face_axis_x,
    read_gray,
)

_SKIN, _NOSE, _GLASSES = 1, 2, 3
_EYES, _BROWS = (4, 5), (6, 7)
_MOUTH = (10, 11, 12)
_CLASSES = 19


def load_celebamask(folder: str | Path, *, trim_forehead: bool = False) -> list[FacePhoto]:
    """Load every photograph of ``images/`` with its mask of ``masks/``, in name order.

    Args:
        folder: folder that holds ``images/NAME.jpg`` and ``masks/NAME.png`` (palette or grey,
            ids 0 to 18).
        trim_forehead: cut the face off where masks from 68 points would end (see
            `trim_above_brows`), to train both kinds together; not for evaluation.

    Returns:
        Photographs with masks and without landmarks.

    Raises:
        FacewarpError: folder, photographs or masks missing or not fitting one another.
    """
    folder = Path(folder)
    if not (folder / "images").is_dir() or not (folder / "masks").is_dir():
        raise FacewarpError(
            "no images/ and masks/ here", folder, "Give the folder that holds these two."
        )
    images = list_images(folder / "images")
    if not images:
        raise FacewarpError("no photographs here", folder / "images", "Check the folder.")
    masks = [folder / "masks" / f"{path.stem}.png" for path in images]
    missing = [path.name for path in masks if not path.is_file()]
    if missing:
        raise FacewarpError(
            f"{len(missing)} masks are missing: {name_some(missing)}",
            folder / "masks",
            "Add them or move their photographs away.",
        )
    return [_load(*pair, trim_forehead) for pair in zip(images, masks, strict=True)]


def read_masks(photo: Path) -> NDArray[np.uint8]:
    """Read CelebAMask-HQ's own ids (H, W), 0 to 18, of the photograph ``images/NAME.jpg``.

    Raises:
        FacewarpError: ``masks/NAME.png`` can't be read.
    """
    return _read_ids(photo.parent.parent / "masks" / f"{photo.stem}.png")


def _load(image_path: Path, mask_path: Path, trim_forehead: bool) -> FacePhoto:
    image = read_gray(image_path)
    ids = _read_ids(mask_path)
    if ids.shape != image.shape:
        raise FacewarpError(
            f"the mask is {ids.shape} px and its photograph {image.shape}",
            mask_path,
            "Resize the mask (nearest neighbour) to its photograph.",
        )
    masks = parts_of_ids(ids)
    box = box_of_masks(masks)
    if box is None:
        raise FacewarpError("the mask holds no face", mask_path, "Move the pair away.")
    if trim_forehead:
        masks = trim_above_brows(masks)
    return FacePhoto(image_path.stem, image_path, image, masks, None, *box).limited()


def _read_ids(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            ids = np.array(picture)
    except (OSError, UnidentifiedImageError) as error:
        raise FacewarpError("the mask can't be read", path, "Copy it again.") from error
    if ids.ndim != 2 or ids.max() >= _CLASSES:
        raise FacewarpError(
            f"the mask is not a picture of class ids 0 to {_CLASSES - 1}",
            path,
            "Use palette or grey PNG with CelebAMask-HQ's classes.",
        )
    return ids.astype(np.uint8)


def parts_of_ids(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn CelebAMask-HQ's ids into face parts.

    Skin and glasses are face; the lips and the inside of the mouth are the mouth; ears, neck and
    hair are background. Left and right are told by position, because some images were mirrored
    without their ids.

    Args:
        ids: (H, W) uint8, 0 to 18.

    Returns:
        (H, W) uint8 `FacePart` ids.
    """
    parts = np.zeros(ids.shape, dtype=np.uint8)
    parts[np.isin(ids, (_SKIN, _GLASSES))] = FacePart.FACE
    parts[ids == _NOSE] = FacePart.NOSE
    parts[np.isin(ids, _MOUTH)] = FacePart.MOUTH
    axis = face_axis_x(ids == _NOSE, ids == _SKIN)
    for pair, left, right in (
        (_BROWS, FacePart.BROW_LEFT, FacePart.BROW_RIGHT),
        (_EYES, FacePart.EYE_LEFT, FacePart.EYE_RIGHT),
    ):
        on_left, on_right = assign_sides(ids == pair[0], ids == pair[1], axis)
        parts[on_left] = left
        parts[on_right] = right
    return parts


def trim_above_brows(parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a face mask off above the brows, about where a mask from 68 points ends.

    The points' face ends at the brows lifted by 0.35 of the way from chin to nose bridge. Here
    the bridge lies between the eyes, the chin where the face ends below it.

    Args:
        parts: (H, W) uint8 `FacePart` ids.

    Returns:
        A copy with the forehead shortened; unchanged when an eye or a brow isn't visible.
    """
    trimmed = parts.copy()
    centers = {}
    for part in (FacePart.EYE_LEFT, FacePart.EYE_RIGHT, FacePart.BROW_LEFT, FacePart.BROW_RIGHT):
        rows, columns = np.nonzero(parts == part)
        if rows.size == 0:
            return trimmed
        centers[part] = np.array([columns.mean(), rows.mean()])
    between = centers[FacePart.EYE_RIGHT] - centers[FacePart.EYE_LEFT]
    across = between / np.linalg.norm(between)
    up = np.array([across[1], -across[0]])
    bridge = (centers[FacePart.EYE_LEFT] + centers[FacePart.EYE_RIGHT]) / 2
    rows, columns = np.nonzero(parts == FacePart.FACE)
    if rows.size == 0:
        return trimmed
    height = np.stack([columns, rows], axis=1) @ up
    brow = (centers[FacePart.BROW_LEFT] + centers[FacePart.BROW_RIGHT]) @ up / 2
    limit = brow + 0.35 * (bridge @ up - height.min())
    above = height > limit
    trimmed[rows[above], columns[above]] = FacePart.BACKGROUND
    return trimmed
