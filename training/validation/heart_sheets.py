"""Contact sheets of registered hearts, and plots of the agreement of volumes.

The plots hold numbers alone, no image data, so that they may be shown where the scans may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.parts import PART_COLORS
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.training.evaluation.heart_volumes import Agreement, HeartVolumes
from facewarp.training.validation.plots import matplotlib_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {"lv": "Left ventricle", "rv": "Right ventricle"}
PLOTTED = (("edv_ml", "EDV", "ml"), ("esv_ml", "ESV", "ml"), ("ef_percent", "EF", "%"))
COLUMNS = ("ED", "ES", "ES, warped", "true parts, ED", "ES's parts, warped", "own parts, ED")
_GROUP_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # Okabe, Ito
_CAPTION_PX = 20
_ZOOM = 2
_INK, _PAPER = (40, 40, 40), 255


@dataclass(frozen=True, eq=False)
class HeartPicture:
    """One row of a contact sheet: a slice of a patient's registered phases.

    Attributes:
        caption: above the row.
        images: (3, H, W) float 0..1: ED, ES, and ES warped to ED.
        parts: (3, H, W) uint8: ED's true parts, ES's warped to ED, the segmentation of ED.
    """

    caption: str
    images: NDArray[np.float32]
    parts: NDArray[np.uint8]


def sheet(rows: Sequence[HeartPicture]) -> NDArray[np.uint8]:
    """Render patients one below the other, `COLUMNS` in each row: (H, W, 3) uint8 RGB."""
    blocks = [_row(row) for row in rows]
    width = blocks[0].shape[1]
    header = np.full((_CAPTION_PX, width, 3), _PAPER, dtype=np.uint8)
    for index, name in enumerate(COLUMNS):
        _write(header, name, index * width // len(COLUMNS) + 4)
    return np.concatenate([header, *blocks])


def write_volume_plots(
    folder: Path, volumes: Sequence[HeartVolumes], subject: str, origin: str
) -> list[Path]:
    """Write a plot per ventricle: found against true, and the Bland-Altman plot below.

    Args:
        folder: where ``heart-volumes-lv.png`` and ``heart-volumes-rv.png`` go.
        volumes: of patients; at least two in whom both numbers are known.
        subject: who they are, for the title.
        origin: of the data, in small type below.

    Returns:
        The files.

    Raises:
        FacewarpError: too few patients, no matplotlib, or a folder that can't be written to.
    """
    if sum(one.found is not None for one in volumes) < 2:
        raise FacewarpError("a plot of agreement needs at least 2 patients", "--figures")
    return [
        _write_plot(folder / f"heart-volumes-{side}.png", volumes, side, subject, origin)
        for side in TITLES
    ]


def _write_plot(
    path: Path, volumes: Sequence[HeartVolumes], side: str, subject: str, origin: str
) -> Path:
    figure_of = matplotlib_figure()
    figure = figure_of(figsize=(10.5, 6.8), dpi=110, layout="constrained")
    axes = figure.subplots(2, len(PLOTTED))
    groups = sorted({one.group for one in volumes})
    colors = {group: _GROUP_COLORS[i % len(_GROUP_COLORS)] for i, group in enumerate(groups)}
    for column, (measure, name, unit) in enumerate(PLOTTED):
        top, bottom = axes[0, column], axes[1, column]
        together = Agreement.of(volumes, side, measure)
        _correlation(top, together, name, unit)
        _bland_altman(bottom, together, name, unit)
        for group in groups:
            part = Agreement.of([one for one in volumes if one.group == group], side, measure)
            style = {"s": 22, "color": colors[group], "label": group or "patients", "zorder": 3}
            top.scatter(part.true, part.found, **style)
            bottom.scatter((part.true + part.found) / 2, part.found - part.true, **style)
    if len(groups) > 1:
        axes[0, 0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.suptitle(f"{TITLES[side]}, {subject}", fontsize=12)
    figure.supxlabel(origin, fontsize=7, color="#666666")
    with written(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return path


def _correlation(axes: "Axes", agreement: Agreement, name: str, unit: str) -> None:
    ends = np.concatenate([agreement.true, agreement.found])
    low, high = float(ends.min()), float(ends.max())
    reach = 0.06 * (high - low) + 1
    axes.plot([low - reach, high + reach], [low - reach, high + reach], color="#999999", lw=1)
    axes.set(xlim=(low - reach, high + reach), ylim=(low - reach, high + reach), aspect="equal")
    axes.set_xlabel(f"{name} of the true labels, {unit}", fontsize=9)
    axes.set_ylabel(f"{name} found, {unit}", fontsize=9)
    axes.set_title(
        f"r = {agreement.correlation:.3f}, mean absolute error {agreement.mae:.1f} {unit}",
        fontsize=9,
    )
    _plain(axes)


def _bland_altman(axes: "Axes", agreement: Agreement, name: str, unit: str) -> None:
    low, high = agreement.limits
    lines = ((agreement.bias, "bias", "-"), (low, "-1.96 SD", "--"), (high, "+1.96 SD", "--"))
    for value, words, style in lines:
        axes.axhline(value, color="#444444", lw=1, ls=style)
        axes.annotate(
            f"{words} {value:+.1f}",
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(-3, 3),
            textcoords="offset points",
            ha="right",
            fontsize=7.5,
            color="#444444",
        )
    axes.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    difference = agreement.found - agreement.true
    reach = 1.35 * max(float(np.abs(difference).max()), abs(low), abs(high), 1.0)
    axes.set_ylim(-reach, reach)
    axes.set_xlabel(f"mean of both, {unit}", fontsize=9)
    axes.set_ylabel(f"{name} found minus true, {unit}", fontsize=9)
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _row(row: HeartPicture) -> NDArray[np.uint8]:
    grays = [(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in row.images]
    tiles = [np.repeat(gray[..., None], 3, axis=2) for gray in grays]
    for labels in row.parts:
        tinted = cv2.addWeighted(tiles[0], 0.55, PART_COLORS[labels], 0.45, 0)
        tiles.append(np.where(labels[..., None] > 0, tinted, tiles[0]).astype(np.uint8))
    size = (_ZOOM * tiles[0].shape[1], _ZOOM * tiles[0].shape[0])
    strip = np.concatenate(
        [cv2.resize(tile, size, interpolation=cv2.INTER_NEAREST) for tile in tiles], axis=1
    )
    caption = np.full((_CAPTION_PX, strip.shape[1], 3), _PAPER, dtype=np.uint8)
    _write(caption, row.caption, 4)
    return np.concatenate([caption, strip])


def _write(canvas: NDArray[np.uint8], text: str, x: int) -> None:
    where = (x, canvas.shape[0] - 6)
    cv2.putText(canvas, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
