"""Paint the shipped textures, placed by the template's landmarks.

``python -m facewarp.training.texture_painting.paint OUT`` writes every one as OUT/NAME.png, and the
masks of make-up into OUT/makeup/. Nothing but code and the template's landmarks goes into them, so
they are repainted when the template changes. Files have palettes of 256 colors, chosen by k-means
on RGBA: a fifth of the size without a visible difference on a face.
"""

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, PngImagePlugin
from scipy.spatial import cKDTree

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.rendering.makeup import FOLDER, LOOKS, PARTS, made_up
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.textures import BLEND_KEY
from facewarp.face.template.template import Template
from facewarp.system.atomic_files import written
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import Painting
from facewarp.training.texture_painting.butterfly import butterfly
from facewarp.training.texture_painting.circuit import circuit
from facewarp.training.texture_painting.makeup import makeup_masks
from facewarp.training.texture_painting.mask import venetian_mask
from facewarp.training.texture_painting.outline import checker, outline
from facewarp.training.texture_painting.skull import skull
from facewarp.training.texture_painting.sunglasses import sunglasses
from facewarp.training.texture_painting.tiger import tiger
from facewarp.training.texture_painting.wireframe import wireframe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShippedTexture:
    """How a texture is painted, what it shows, and how it meets the frame."""

    paint: Callable[[Anatomy], Painting]
    title: str
    blend: Blend


TEXTURES: dict[str, ShippedTexture] = {
    "butterfly": ShippedTexture(butterfly, "Face paint: a butterfly", "paint"),
    "checker": ShippedTexture(checker, "Coloured squares that show how the skin moves", "paint"),
    "circuit": ShippedTexture(circuit, "A glowing circuit board with a chip", "glow"),
    "mask": ShippedTexture(venetian_mask, "Venetian half mask with gilded scrolls", "mask"),
    "outline": ShippedTexture(outline, "The face as a neon sign", "glow"),
    "skull": ShippedTexture(skull, "Face paint: a skull", "paint"),
    "sunglasses": ShippedTexture(sunglasses, "Sunglasses that mirror a sunset", "mask"),
    "tiger": ShippedTexture(tiger, "Face paint: a tiger", "paint"),
    "wireframe": ShippedTexture(wireframe, "Glowing wireframe", "glow"),
}
"""Every texture by name."""


def paint_texture(name: str, landmarks: ArrayLike) -> NDArray[np.uint8]:
    """Paint one of `TEXTURES`: (1280, 1040, 4) uint8 RGBA.

    Args:
        name: which.
        landmarks: (68, 2) of the template, px of its 320x260 crop.
    """
    return TEXTURES[name].paint(Anatomy.of(landmarks)).texture()


def with_palette(rgba: NDArray[np.uint8], colors: int = 256) -> Image.Image:
    """Return a picture (h, w, 4) with no more than so many colours, the clear one among them.

    The palette is the k-means of the picture's pixels with colour counted by its alpha, so that
    what is hardly seen does not take up colours.
    """
    flat = rgba.reshape(-1, 4).astype(np.float32)
    counted = np.concatenate([flat[:, :3] * (flat[:, 3:] / 255), flat[:, 3:]], axis=1)
    painted = counted[flat[:, 3] > 0]
    rng = np.random.default_rng(0)
    sample = painted[rng.integers(0, len(painted), min(len(painted), 60_000))]
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.2)
    _, _, centers = cv2.kmeans(sample, colors - 1, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    centers = np.concatenate([np.zeros((1, 4), np.float32), centers])
    nearest = cKDTree(centers).query(counted)[1].astype(np.uint8)
    straight = centers.copy()
    straight[:, :3] *= 255 / np.maximum(straight[:, 3:], 1)
    table = np.rint(straight.clip(0, 255)).astype(np.uint8)
    table[0] = 0
    image = Image.fromarray(nearest.reshape(rgba.shape[:2])).convert("P")
    image.putpalette(table[:, :3].tobytes())
    image.info["transparency"] = table[:, 3].tobytes()
    return image


def save_masks(landmarks: ArrayLike, folder: Path) -> list[Path]:
    """Write the masks of make-up as FOLDER/makeup/PART.png, and thumbnails of the looks."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    masks = makeup_masks(Anatomy.of(landmarks))
    paths = []
    for part in PARTS:
        path = folder / FOLDER / f"{part}.png"
        # 64 steps of grey are plenty under a colour.
        steps = np.rint(masks[part] / 255 * 63) * (255 / 63)
        with written(path) as temporary:
            Image.fromarray(np.rint(steps).astype(np.uint8)).save(temporary, "PNG", optimize=True)
        paths.append(path)
    for name, look in LOOKS.items():
        path = folder / FOLDER / f"look-{name}.png"
        small = cv2.resize(made_up(look, masks), CROP_SHAPE[::-1], interpolation=cv2.INTER_AREA)
        image = with_palette(np.asarray(small, np.uint8))
        with written(path) as temporary:
            image.save(temporary, "PNG", optimize=True, transparency=image.info["transparency"])
        paths.append(path)
    return paths


def save_texture(name: str, rgba: NDArray[np.uint8], folder: Path) -> Path:
    """Write a painted texture as FOLDER/NAME.png with its title, licence and blend inside."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", TEXTURES[name].title)
    info.add_text("Copyright", "The facewarp authors, Apache-2.0")
    info.add_text(BLEND_KEY, TEXTURES[name].blend)
    path = folder / f"{name}.png"
    image = with_palette(rgba)
    with written(path) as temporary:
        image.save(
            temporary, "PNG", pnginfo=info, optimize=True, transparency=image.info["transparency"]
        )
    return path


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--template", default="average", help="a name or a template's .npz")
    parser.add_argument("--only", choices=sorted(TEXTURES), action="append", metavar="NAME")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    landmarks = Template.load(arguments.template).landmarks
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or sorted(TEXTURES):
        path = save_texture(name, paint_texture(name, landmarks), arguments.out)
        logger.info("%s: %.0f kB", path, path.stat().st_size / 1000)
    if not arguments.only:
        for path in save_masks(landmarks, arguments.out):
            logger.info("%s: %.0f kB", path, path.stat().st_size / 1000)


if __name__ == "__main__":
    main()
