"""Sheets: each effect on the hard frames of clips, to be looked at before and after a change."""

import html
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from PIL import Image

from facewarp.drawing.contact_sheet import tile_sheet
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.effects.factory import Effect, make_effect
from facewarp.face.effects.options import EFFECT_NAMES, EFFECT_OPTIONS, MatchName
from facewarp.face.effects.style import list_styles
from facewarp.face.gallery.hard_frames import HardFrame
from facewarp.face.rendering.textures import list_textures
from facewarp.system.atomic_files import write_text, written

if TYPE_CHECKING:
    from facewarp.core.arrays import ImageArray
    from facewarp.face.template.template import Template

PLAIN: Final = "plain"
"""Name of the sheet on which nothing is drawn."""

_MARGIN: Final = 2.15  # how much of a frame is shown around a face's landmarks
_HEIGHT_PX: Final = 360
_COLUMNS: Final = 4
_BESIDE: Final = (214, 214, 210)  # color beside a frame


def every_look() -> list[str]:
    """Return the names of all effects, textures, looks and styles that ship."""
    textures = [f"texture:{name}" for name in list_textures()]
    return ["labels", "mesh", *textures, *(f"style:{name}" for name in list_styles())]


def make_look(word: str, match: MatchName | None = None) -> Effect:
    """Make an effect by a name like ``mesh``, ``texture:tiger`` or ``style:bronze``.

    Args:
        word: the name.
        match: what of the frame textures take on, see `options.MatchName`.

    Raises:
        FacewarpError: there is no such effect, texture or style.
    """
    name, _, of = word.partition(":")
    if of and not (name in EFFECT_NAMES and name in EFFECT_OPTIONS):
        takes = ", ".join(effect for effect in EFFECT_NAMES if effect in EFFECT_OPTIONS)
        what = f"the effect {name!r} takes nothing after a colon"
        raise FacewarpError(what, word, f"Those that do: {takes}.")
    options: dict[str, Any] = {name: of} if of else {}
    if name == "texture":
        options["match"] = match
    return make_effect(name, annotate=False, **options)


class SheetFolder:
    """Writes a folder of sheets, and a page that shows them.

    Args:
        folder: made if missing.

    Attributes:
        files: what was written.

    Raises:
        FacewarpError: the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"the sheets cannot be written: {error.strerror or error}"
            raise FacewarpError(what, folder, "Choose another place by --out.") from error
        self._folder = folder
        self.files: list[Path] = []

    def write(
        self,
        frames: Sequence[HardFrame],
        looks: Sequence[str],
        template: "Template",
        match: MatchName | None = None,
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        """Draw a sheet of all frames for each look, and one with nothing drawn.

        Args:
            frames: what is drawn on.
            looks: names, see `make_look`.
            template: what faces were registered with.
            match: see `make_look`.
            advance: called after each sheet.

        Raises:
            FacewarpError: there is no frame, or no such look.
        """
        if not frames:
            what = "no face is seen in these clips"
            raise FacewarpError(what, fix="Give clips in which a face is seen.")
        self._save(PLAIN, _sheet(frames, lambda frame: frame.image))
        advance()
        for look in looks:
            effect = make_look(look, match)
            self._save(look, _sheet(frames, partial(_drawn, effect=effect, template=template)))
            advance()
        names = [PLAIN, *looks]
        shown = "\n".join(
            f'<h2>{html.escape(name)}</h2>\n<img src="{html.escape(path.name)}" alt="">'
            for name, path in zip(names, self.files, strict=True)
        )
        page = self._folder / "index.html"
        write_text(page, _PAGE.format(sheets=shown))
        self.files.append(page)

    def _save(self, look: str, sheet: "ImageArray") -> None:
        name = re.sub(r"[^\w.+=#-]+", "-", look).replace("#", "")
        path = self._folder / f"sheet-{name}.webp"
        with written(path) as temporary:
            Image.fromarray(sheet).save(temporary, "WEBP", quality=88)
        self.files.append(path)


def _seen_through(view: Crop, picture: "ImageArray") -> "ImageArray":
    """Cut a view out of a picture; what lies beside the picture is gray."""
    size = view.shape[1], view.shape[0]
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, view.matrix, size, flags=way, borderValue=_BESIDE)
    return np.asarray(cut, np.uint8)


def _drawn(frame: HardFrame, effect: Effect, template: "Template") -> "ImageArray":
    return effect(frame.image, [frame.face], template)


def _sheet(frames: Sequence[HardFrame], draw: Callable[[HardFrame], "ImageArray"]) -> "ImageArray":
    shape = _HEIGHT_PX, round(_HEIGHT_PX * CROP_SHAPE[1] / CROP_SHAPE[0])
    tiles = []
    for frame in frames:
        view = Crop.around_points(frame.face.landmarks, margin=_MARGIN, shape=shape)
        picture = _seen_through(view, draw(frame))
        tiles.append((f"{frame.kind}: {frame.clip} {frame.number}", picture))
    return tile_sheet(tiles, _COLUMNS, _HEIGHT_PX)


_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>facewarp sheets</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #23262e;
  background: #fafaf8 }} img {{ max-width: 100% }}</style>
<h1>Effects on hard frames</h1>
{sheets}
</html>
"""
