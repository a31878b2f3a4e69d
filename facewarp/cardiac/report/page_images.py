"""Pictures of a report, each held by the page itself."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import (
    Image,
    WebPImagePlugin,  # noqa: F401 - or it is looked for among all formats, each of which is imported
)

from facewarp.cardiac.cine_result import CineResult, SeenCine
from facewarp.cardiac.plots.figures import contour_tables, film_slices, heart_view
from facewarp.cardiac.quantification.aha_segments import LEVEL_NAMES
from facewarp.cardiac.quantification.lv_wall import view_to_mm
from facewarp.cardiac.quantification.strain import Strain
from facewarp.core.arrays import ImageArray, Points

_FEWEST: Final = 3  # phases that make a film
_ARROW_PX: Final = 420
_AROUND: Final = 1.35  # of the wall's own extent
_ARROWS: Final = 24  # around each edge of the wall
_QUALITY: Final = 82
_EFFORT: Final = 0  # a tenth larger than by 2, in two thirds of the time


def data_uri(picture: ImageArray) -> str:
    """Return a picture ``(H, W, 3)`` as the address that holds it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=_QUALITY, method=_EFFORT)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


@dataclass(frozen=True)
class SeenPictures:
    """What a page shows of what was seen: pictures as the addresses that hold them.

    Attributes:
        contours: every slice at ED and ES with outlines.
        film: some slices of every phase; none of a cine of too few.
    """

    contours: str
    film: tuple[str, ...] = ()


def seen_pictures(seen: SeenCine) -> SeenPictures:
    """Render what a page shows of what was seen."""
    (table,) = contour_tables(seen, [""])
    film = map(data_uri, film_slices(seen)) if moves(seen) else ()
    return SeenPictures(data_uri(table), tuple(film))


def moves(seen: SeenCine) -> bool:
    """Whether there are phases enough for a film."""
    return len(seen.cine.frames) >= _FEWEST


def motion_arrows(result: CineResult, strain: Strain) -> Iterator[tuple[str, str]]:
    """One slice of each level at ED, with arrows from there to where the wall is at ES.

    Yields:
        What it shows, and an ``<svg>`` element.
    """
    view = heart_view(result.seen, _ARROW_PX)
    to_view = np.linalg.inv(view_to_mm(result.motion.grid))
    step = strain.inner_mm.shape[2] // _ARROWS
    for level in sorted(set(strain.segments.levels.tolist())):
        members = np.flatnonzero(strain.segments.levels == level)
        index = int(members[len(members) // 2])
        z = int(strain.wall.slices[index])
        picture = view.picture(result.ed, z, outlines=False)
        height, width = picture.shape[:2]
        lines, reached = [], []
        for edge, color in ((strain.inner_mm, "#ff9d5c"), (strain.outer_mm, "#ffd23e")):
            ends = []
            for phase in (result.ed, result.es):
                points = edge[phase, index, ::step]
                voxels = points @ to_view[:3, :3].T + to_view[:3, 3]
                ends.append(view.places(voxels[:, :2]))
            reached += ends
            lines += [
                _arrow(start, end, color)
                for start, end, valid in zip(*ends, strain.wall.valid[index, ::step], strict=True)
                if valid
            ]
        low, high = (f(np.concatenate(reached), axis=0) for f in (np.min, np.max))
        side = _AROUND * float((high - low).max())
        left, top = ((low + high - side) / 2).tolist()
        name = f"{LEVEL_NAMES[level]}, slice {z + 1}"
        yield (
            name,
            (
                f'<svg viewBox="{left:.1f} {top:.1f} {side:.1f} {side:.1f}" width="320" role="img" '
                f'aria-label="motion from ED to ES, {name}">'
                f'<image href="{data_uri(picture)}" width="{width}" height="{height}"/>'
                f'<g stroke-width="{side / 160:.2f}">{"".join(lines)}</g></svg>'
            ),
        )


def _arrow(start: Points, end: Points, color: str) -> str:
    (ax, ay), (bx, by) = start.tolist(), end.tolist()
    length = float(np.hypot(bx - ax, by - ay))
    line = f"M{ax:.1f} {ay:.1f}L{bx:.1f} {by:.1f}"
    if length > 3:
        ux, uy = (bx - ax) / length, (by - ay) / length
        head = min(7.0, length / 2)
        for side in (0.5, -0.5):
            x, y = bx - head * (ux - side * uy), by - head * (uy + side * ux)
            line += f"M{bx:.1f} {by:.1f}L{x:.1f} {y:.1f}"
    return f'<path d="{line}" fill="none" stroke="{color}" stroke-linecap="round"/>'
