"""Paints the textures that come with facewarp, placed by the template's landmarks.

``python -m facewarp.training.paint_textures OUT`` writes every one as OUT/NAME.png. Nothing but
code and the template's landmarks goes into them, so they are repainted when the template changes.
"""

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, PngImagePlugin

from facewarp.errors import FacewarpError
from facewarp.face.light import Blend
from facewarp.face.textures import BLEND_KEY
from facewarp.training.anatomy import Anatomy
from facewarp.training.brushes import Painting
from facewarp.training.paint_butterfly import butterfly
from facewarp.training.paint_mask import venetian_mask
from facewarp.training.paint_skull import skull
from facewarp.training.paint_tiger import tiger
from facewarp.training.paint_wireframe import wireframe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShippedTexture:
    """How a texture is painted, what it shows, and how it meets the frame."""

    paint: Callable[[Anatomy], Painting]
    title: str
    blend: Blend


TEXTURES: dict[str, ShippedTexture] = {
    "butterfly": ShippedTexture(butterfly, "Face paint: a butterfly", "paint"),
    "mask": ShippedTexture(venetian_mask, "Venetian half mask with gilded scrolls", "mask"),
    "skull": ShippedTexture(skull, "Face paint: a skull", "paint"),
    "tiger": ShippedTexture(tiger, "Face paint: a tiger", "paint"),
    "wireframe": ShippedTexture(wireframe, "Glowing wireframe", "glow"),
}
"""Every texture by name."""


def paint_texture(name: str, landmarks: ArrayLike) -> NDArray[np.uint8]:
    """Paint one of :data:`TEXTURES`: (1280, 1040, 4) uint8 RGBA.

    Args:
        name: which.
        landmarks: (68, 2) of the template, px of its 320x260 crop.
    """
    return TEXTURES[name].paint(Anatomy.of(landmarks)).texture()


def save_texture(name: str, rgba: NDArray[np.uint8], folder: Path) -> Path:
    """Write a painted texture as FOLDER/NAME.png with its title, licence and blend inside."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", TEXTURES[name].title)
    info.add_text("Copyright", "The facewarp authors, Apache-2.0")
    info.add_text(BLEND_KEY, TEXTURES[name].blend)
    path = folder / f"{name}.png"
    unfinished = path.with_suffix(".png.part")
    Image.fromarray(rgba).save(unfinished, "PNG", pnginfo=info, optimize=True)
    unfinished.replace(path)
    return path


def read_landmarks(template: Path) -> NDArray[np.float64]:
    """The array "landmarks" of a template's .npz file, (68, 2)."""
    try:
        with np.load(template) as content:
            return np.asarray(content["landmarks"], np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise FacewarpError(
            "this is no template with landmarks",
            template,
            "Build one with: facewarp template build.",
        ) from error


def main() -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--template", type=Path, help="a template's .npz (default: average)")
    parser.add_argument("--only", choices=sorted(TEXTURES), action="append", metavar="NAME")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if arguments.template is not None:
        landmarks = read_landmarks(arguments.template)
    else:
        shipped = files("facewarp.assets").joinpath("templates", "average.npz")
        with as_file(shipped) as path:
            landmarks = read_landmarks(path)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or sorted(TEXTURES):
        path = save_texture(name, paint_texture(name, landmarks), arguments.out)
        logger.info("%s: %.0f kB", path, path.stat().st_size / 1000)


if __name__ == "__main__":
    main()
