"""Helen, AFW and other photographs with 68 iBUG points, and Smith's part labels of Helen."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.parts import LANDMARK_COUNT, FacePart
from facewarp.training.datasets.photo import (
    FacePhoto,
    assign_sides,
    box_of_masks,
    box_of_points,
    face_axis_x,
    read_gray,
)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SMITH_SPLITS = ("exemplars", "tuning", "testing")
_SMITH_LABELS = 11


def read_pts(path: str | Path) -> NDArray[np.float64]:
    """Read the 68 points of an iBUG ``.pts`` file.

    Args:
        path: text file: ``version``, ``n_points``, then one ``x y`` a line in braces, 1-based px.

    Returns:
        (68, 2) float64 (x, y) px, 0-based: the centre of the first pixel is (0, 0).

    Raises:
        FacewarpError: unreadable file, missing braces, a line that isn't two finite numbers, or
            another number of points; names the file and the line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FacewarpError("the points can't be read", path, str(error)) from error
    text = [line.strip() for line in lines]
    if "{" not in text or "}" not in text[text.index("{") :]:
        raise FacewarpError(
            "the points are not between a line '{' and a line '}'",
            path,
            "Use iBUG .pts files: version, n_points, then one 'x y' a line in braces.",
        )
    first = text.index("{") + 1
    last = text.index("}", first)
    points: list[tuple[float, float]] = []
    for number, line in enumerate(text[first:last], start=first + 1):
        if not line:
            continue
        try:
            x, y = (float(word) for word in line.replace(",", " ").split())
        except ValueError:
            x = y = np.nan
        if not (np.isfinite(x) and np.isfinite(y)):
            raise FacewarpError(
                f"'{line[:40]}' is not a point", f"{path}, line {number}", "Write 'x y' in pixels."
            )
        points.append((x, y))
    if len(points) != LANDMARK_COUNT:
        raise FacewarpError(
            f"{len(points)} points where {LANDMARK_COUNT} are needed",
            path,
            "Use the iBUG 68-point annotation.",
        )
    return np.array(points, dtype=np.float64) - 1.0


def load_helen(folder: str | Path, split: str | None = None) -> list[FacePhoto]:
    """Load every photograph of a folder, in name order.

    Two layouts are read: ``NAME.jpg`` (or png) beside ``NAME.pts``; and that of Smith et al.
    (CVPR 2013): ``images/NAME.jpg`` with ``labels/NAME/NAME_lbl00.png`` to ``..._lbl10.png``.

    Args:
        folder: either layout's top folder.
        split: for Smith's layout: "exemplars", "tuning" or "testing", by the list file of that
            name; all photographs when None.

    Returns:
        Photographs with landmarks (first layout) or masks (second).

    Raises:
        FacewarpError: no such folder, nothing in it, or a photograph without its annotation.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FacewarpError("there is no such folder", folder, "Check the path.")
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return _load_smith(folder, split)
    if split is not None:
        raise FacewarpError(
            f"the split '{split}' needs the layout with images/ and labels/",
            folder,
            "Leave the split out, or name the folder of one split.",
        )
    images = list_images(folder)
    if not images:
        raise FacewarpError(
            "no photographs here",
            folder,
            "Give a folder with NAME.jpg and NAME.pts, or with images/ and labels/.",
        )
    missing = [path.name for path in images if not path.with_suffix(".pts").is_file()]
    if missing:
        raise FacewarpError(
            f"{len(missing)} photographs have no .pts file: {name_some(missing)}",
            folder,
            "Add the points or move the photographs away.",
        )
    return [_load_with_points(path) for path in images]


def list_images(folder: Path) -> list[Path]:
    """List the photographs of a folder, in name order."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(found, key=lambda path: path.stem)


def name_some(names: list[str], most: int = 5) -> str:
    """Return the first few names, for a message."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _load_with_points(path: Path) -> FacePhoto:
    landmarks = read_pts(path.with_suffix(".pts"))
    image = read_gray(path)
    center, side = box_of_points(landmarks)
    height, width = image.shape
    if side <= 1 or not (0 <= center[0] < width and 0 <= center[1] < height):
        raise FacewarpError(
            f"the points lie outside of the photograph of {width} x {height} px",
            path.with_suffix(".pts"),
            "Give the points in pixels of this very photograph.",
        )
    return FacePhoto(path.stem, path, image, None, landmarks, center, side).limited()


def _load_smith(folder: Path, split: str | None) -> list[FacePhoto]:
    images = list_images(folder / "images")
    if split is not None:
        wanted = _smith_names(folder, split)
        images = [path for path in images if path.stem in wanted]
    if not images:
        raise FacewarpError("no photographs here", folder / "images", "Check the folder.")
    missing = [
        path.name
        for path in images
        if not all(file.is_file() for file in _smith_files(folder, path.stem))
    ]
    if missing:
        raise FacewarpError(
            f"{len(missing)} photographs lack some of their 11 labels: {name_some(missing)}",
            folder / "labels",
            "Each needs labels/NAME/NAME_lbl00.png to NAME_lbl10.png.",
        )
    return [_load_with_labels(folder, path) for path in images]


def _smith_files(folder: Path, name: str) -> list[Path]:
    return [folder / "labels" / name / f"{name}_lbl{i:02d}.png" for i in range(_SMITH_LABELS)]


def _smith_names(folder: Path, split: str) -> set[str]:
    """Read the names of a list file, whose lines are ``number , NAME``."""
    path = folder / f"{split}.txt"
    if split not in SMITH_SPLITS or not path.is_file():
        raise FacewarpError(
            f"no list of the split '{split}'", path, f"Use one of {', '.join(SMITH_SPLITS)}."
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.split(",")[-1].strip() for line in lines if line.strip()}


def _load_with_labels(folder: Path, path: Path) -> FacePhoto:
    image = read_gray(path)
    layers = []
    for file in _smith_files(folder, path.stem):
        layer = read_gray(file)
        if layer.shape != image.shape:
            raise FacewarpError(
                f"the label is {layer.shape} px and its photograph {image.shape}",
                file,
                "Use the labels of the same, resized release.",
            )
        layers.append(layer.astype(np.uint16))
    masks = _merge_smith_labels(layers)
    box = box_of_masks(masks)
    if box is None:
        raise FacewarpError(
            "the labels hold no face", folder / "labels" / path.stem, "Move the photograph away."
        )
    return FacePhoto(path.stem, path, image, masks, None, *box).limited()


def _merge_smith_labels(layers: list[NDArray[np.uint16]]) -> NDArray[np.uint8]:
    """Return the most probable of the eight parts; hair is background, lips are mouth."""
    background, skin, *pairs, nose, upper, inner, lower, hair = layers
    parts = np.stack([background + hair, skin, *pairs, nose, upper + inner + lower])
    winner = parts.argmax(axis=0).astype(np.uint8)
    masks: NDArray[np.uint8] = winner.copy()
    axis = face_axis_x(winner == FacePart.NOSE, winner == FacePart.FACE)
    for left, right in (
        (FacePart.BROW_LEFT, FacePart.BROW_RIGHT),
        (FacePart.EYE_LEFT, FacePart.EYE_RIGHT),
    ):
        on_left, on_right = assign_sides(winner == left, winner == right, axis)
        masks[on_left] = left
        masks[on_right] = right
    return masks
