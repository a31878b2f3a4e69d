"""Render the gallery: images and short clips of every effect, from free faces only.

The faces are the shipped clip's and portrait's; the styles are painted by code, of the average
face.
"""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from facewarp.core.arrays import ImageArray
from facewarp.drawing.contact_sheet import tile_sheet
from facewarp.errors import FacewarpError
from facewarp.face.effects.factory import Effect, make_effect
from facewarp.face.effects.options import STYLE_MODES
from facewarp.face.effects.plugins import Turns
from facewarp.face.effects.style import list_styles, shipped_style
from facewarp.face.face import Face
from facewarp.face.gallery.preview import drawn, largest_face, worn
from facewarp.face.rendering.textures import list_textures
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.system.atomic_files import write_text, written

WINDOW: Final = (slice(70, 530), slice(170, 630))
"""Rows and columns of the shipped clip in which its face stays."""

EVERY: Final = 6  # frames of the clip to one of a short clip's
CLIP_PX: Final = 208
FRAME_MS: Final = 120

CLIPS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("labels", "labels", {}),
    ("mesh", "mesh", {}),
    ("field", "field", {}),
    ("tiger", "texture", {"texture": "tiger"}),
    ("sunglasses", "texture", {"texture": "sunglasses"}),
    ("evening make-up", "texture", {"texture": "evening"}),
    ("outline", "texture", {"texture": "outline"}),
    ("bronze", "style", {"style": "bronze"}),
    ("painting", "style", {"style": "painting"}),
)
"""Caption, effect and its options."""

LOOKS: Final = (
    "makeup",
    "makeup+lips=#5a0032:0.9",
    "makeup+lips=#d2691e+shadow=#2e8b57:0.8",
    "freckles",
    "evening",
    "evening+shadow=#7a1fa2+lips=black:0.9",
)


@dataclass(frozen=True)
class Entry:
    """One picture of the page.

    Attributes:
        file: its name in the folder.
        title: a heading.
        text: what is seen, and the command that makes it.
    """

    file: str
    title: str
    text: str


def render_gallery(
    out: Path,
    tracker: FaceTracker,
    portrait: ImageArray,
    clip: Iterable[tuple[ImageArray, float]],
    advance: Callable[[], None] = lambda: None,
) -> list[Entry]:
    """Render every image and the page ``index.html`` into a folder, each file atomically.

    Args:
        out: the folder, made if missing.
        tracker: what registers faces.
        portrait: (H, W, 3) uint8 RGB, the shipped one.
        clip: frames of the shipped clip, and their times.
        advance: called after each file.

    Raises:
        FacewarpError: the folder can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the gallery cannot be written: {error.strerror or error}"
        raise FacewarpError(what, out, "Choose another place by --out.") from error
    entries = [
        Entry(
            "textures.webp",
            "Textures",
            "Every texture that ships. <code>facewarp track talk.mp4 --effect texture --texture "
            "tiger</code>",
        ),
        Entry(
            "makeup.webp",
            "Make-up",
            "Looks, and looks with parts changed. <code>--texture makeup --makeup "
            "lips=#5a0032:0.9</code>",
        ),
        Entry(
            "styles.webp",
            "Styles",
            "A painting, a drawing and a bronze of nobody, and their colours, detail, and both. "
            "<code>--effect style --style bronze --style-mode texture</code>",
        ),
        Entry(
            "turns.webp",
            "Each face its own",
            "Effects by turns. <code>--each texture:butterfly,style:bronze</code>",
        ),
    ]
    makers: list[Callable[[], ImageArray]] = [
        lambda: tile_sheet(list(worn(portrait, tracker, list_textures()).items()), 4, 260),
        lambda: tile_sheet(list(worn(portrait, tracker, LOOKS).items()), 3, 320),
        lambda: _styles(portrait, tracker),
        lambda: _turns(portrait, tracker),
    ]
    for entry, make in zip(entries, makers, strict=True):
        _save(out / entry.file, [make()], 78)
        advance()
    seen = _followed(clip, tracker)
    for caption, name, options in CLIPS:
        effect = make_effect(name, annotate=False, **options)
        frames = [_window(effect(image, faces, tracker.template)) for image, faces in seen]
        file = f"clip-{caption.replace(' ', '-')}.webp"
        _save(out / file, frames, 58)
        entries.append(Entry(file, caption, "The shipped clip."))
        advance()
    _write_page(out / "index.html", entries)
    return entries


def files_of_gallery() -> int:
    """How many pictures a gallery has."""
    return 4 + len(CLIPS)


def _styles(portrait: ImageArray, tracker: FaceTracker) -> ImageArray:
    """Each style beside the portrait in its three modes."""
    frame, face = largest_face(portrait, tracker, 400)
    tiles: list[tuple[str, ImageArray]] = []
    for name in list_styles():
        style = shipped_style(name)
        effects: dict[str, Effect] = {
            mode: make_effect("style", style=style, style_mode=mode, annotate=False)
            for mode in STYLE_MODES
        }
        views = drawn(frame, face, tracker.template, effects, 400)
        tiles.append((name, style.picture))
        tiles += [(f"{name}, {mode}", view) for mode, view in views.items()]
    return tile_sheet(tiles, 4, 260)


def _turns(portrait: ImageArray, tracker: FaceTracker) -> ImageArray:
    """Three faces in one picture, each with an effect of its own."""
    heads = [portrait[8:232, 116:330], portrait[8:232, 116:330][:, ::-1]] * 2
    large = [cv2.resize(h, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for h in heads[:3]]
    crowd = np.asarray(np.hstack(large), np.uint8)
    tracker.reset()
    faces = tracker(crowd, 0.0)
    ordered = sorted(faces, key=lambda face: face.box[0])
    effects = [
        make_effect("texture", texture="butterfly", annotate=False),
        make_effect("style", style="bronze", annotate=False),
        make_effect("texture", texture="wireframe", annotate=False),
    ]
    shown = [face.changed(id=number) for number, face in enumerate(ordered)]
    tracker.reset()
    return Turns(effects)(crowd, shown, tracker.template)


def _followed(
    clip: Iterable[tuple[ImageArray, float]], tracker: FaceTracker
) -> list[tuple[ImageArray, list[Face]]]:
    """Return some frames of a clip with their faces; all frames are followed."""
    tracker.reset()
    kept = []
    for index, (image, time) in enumerate(clip):
        faces = tracker(image, time)
        if index % EVERY == 0:
            kept.append((image, faces))
    tracker.reset()
    return kept


def _window(picture: ImageArray) -> ImageArray:
    size = (CLIP_PX, CLIP_PX)
    return np.asarray(cv2.resize(picture[WINDOW], size, interpolation=cv2.INTER_AREA), np.uint8)


def _save(path: Path, frames: Sequence[ImageArray], quality: int) -> None:
    """Write one picture, or several as a loop, as WebP."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    options = {"save_all": True, "append_images": rest, "duration": FRAME_MS, "loop": 0}
    with written(path) as temporary:
        first.save(temporary, "WEBP", quality=quality, method=6, **(options if rest else {}))


_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>facewarp gallery</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem;
  color: #23262e; background: #fafaf8 }}
img {{ max-width: 100%; border-radius: 6px }} code {{ background: #eceae4; padding: 0 .3em }}
.clips {{ display: flex; flex-wrap: wrap; gap: 1rem }} figure {{ margin: 0; text-align: center }}
</style>
<h1>facewarp gallery</h1>
<p>Rendered by <code>facewarp gallery</code> from the portrait and the clip that come with facewarp,
and from styles that code has painted. Pictures with a style are not as a camera saw them.</p>
{sections}
<h2>Moving</h2>
<div class="clips">{clips}</div>
</html>
"""


def _write_page(path: Path, entries: Sequence[Entry]) -> None:
    sections, clips = [], []
    for entry in entries:
        title = html.escape(entry.title)
        image = f'<img src="{html.escape(entry.file)}" alt="{title}" loading="lazy">'
        if entry.file.startswith("clip-"):
            clips.append(f"<figure>{image}<figcaption>{title}</figcaption></figure>")
        else:
            sections.append(f"<h2>{title}</h2>\n<p>{entry.text}</p>\n{image}")
    write_text(path, _PAGE.format(sections="\n".join(sections), clips="\n".join(clips)))
