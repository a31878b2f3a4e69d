"""What the page draws with: textures, make-up and labels as pictures, and the table of effects."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facewarp.face.effects.labels import label_picture
from facewarp.face.effects.options import EFFECT_NAMES, EFFECT_OPTIONS, options_of
from facewarp.face.rendering.makeup import looks_of, part_masks
from facewarp.face.rendering.occlusion import EYES, covers
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.textures import (
    list_textures,
    load_texture,
    texture_blend,
    texture_title,
)
from facewarp.face.template.template import Template

DRAWN: Final = ("labels", "mesh", "texture", "canonical", "field")
"""Effects that the page draws; those of the others that only Python has are left out."""

_WIDTH: Final = 520  # px, twice the crop: more is not seen on a face of 640 x 480

_TILE_BRIGHTNESS: Final = 0.85


@dataclass(frozen=True)
class PagePicture:
    """A picture in template space.

    Attributes:
        name: of the texture, or "labels".
        title: what it shows.
        blend: how it meets the frame.
        covers_eyes: whether it covers eyes on purpose, as glasses do.
        webp: the file.
    """

    name: str
    title: str
    blend: Blend
    covers_eyes: bool
    webp: bytes


def page_pictures(template: Template) -> Iterator[PagePicture]:
    """Make the labels' picture and every texture, for the template that they are painted on."""
    rgba = label_picture(template)
    yield PagePicture("labels", "Parts of the face", "paint", True, _webp(rgba))
    for name in list_textures():
        rgba = load_texture(name)
        yield PagePicture(
            name,
            texture_title(name),
            texture_blend(name),
            covers(rgba[..., 3], template, EYES),
            _webp(rgba),
        )


def face_picture(template: Template) -> bytes:
    """Return the template's face, a little darker, on nothing: it wears the textures of tiles."""
    shade = np.rint(_TILE_BRIGHTNESS * template.color.astype(np.float32))
    alpha = np.rint(255 * (1 - template.probabilities[0]))
    return _webp(np.dstack([shade, alpha]).astype(np.uint8))


def makeup_masks() -> dict[str, bytes]:
    """Return the mask of each part of make-up as a WebP, white where most is put on."""
    found = {}
    for part, mask in part_masks().items():
        size = (_WIDTH, round(mask.shape[0] * _WIDTH / mask.shape[1]))
        small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        file = io.BytesIO()
        Image.fromarray(small).save(file, "WEBP", quality=90, method=2)
        found[part] = file.getvalue()
    return found


def effects_table() -> dict[str, Any]:
    """Return the effects that the page draws, their options and defaults, and looks of make-up."""
    drawn = [name for name in EFFECT_NAMES if name in DRAWN]
    return {
        "effects": drawn,
        "options": {name: options_of(name) for name in drawn},
        "defaults": {name: option.default for name, option in EFFECT_OPTIONS.items()},
        "looks": looks_of(list_textures()),
    }


def _webp(rgba: NDArray[np.uint8]) -> bytes:
    """Encode a picture, at most so wide as is seen."""
    if rgba.shape[1] > _WIDTH:
        size = (_WIDTH, round(rgba.shape[0] * _WIDTH / rgba.shape[1]))
        alpha = rgba[..., 3:].astype(np.float32) / 255
        color = cv2.resize(rgba[..., :3] * alpha, size, interpolation=cv2.INTER_AREA)
        share = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        color /= np.maximum(share, 1e-4)[..., None]
        rgba = np.rint(np.dstack([color, 255 * share]).clip(0, 255)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "WEBP", quality=90, method=2, alpha_quality=90)
    return file.getvalue()
