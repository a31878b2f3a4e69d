"""Figures of a comparison, as in the paper: sorted Dice, examples, training curves."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core import fields
from facewarp.core.metrics import mean_over_present
from facewarp.drawing.png import write_png
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.system.atomic_files import written
from facewarp.training.checkpoint import LOG
from facewarp.training.comparison.faces import FaceComparison, register_pair
from facewarp.training.datasets.crops import FaceCrop
from facewarp.training.evaluation.face_methods import FaceMethod
from facewarp.training.evaluation.faces import PARTS
from facewarp.training.validation.face_sheets import colored
from facewarp.training.validation.plots import matplotlib_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":")
_TILE = (195, 240)  # width and height of an example
_CAPTION_PX = 34
_GAP_PX = 26


class Ranked(Protocol):
    """A method that was measured, on faces or on hearts."""

    @property
    def name(self) -> str:
        """Of the method."""
        ...

    @property
    def scores(self) -> "Sequence[Scored]":
        """Of its pairs."""
        ...


class Scored(Protocol):
    """A pair's score."""

    @property
    def dice(self) -> NDArray[np.float64]:
        """Of each part, NaN where absent, 0 to 1."""
        ...

    @property
    def dice_mean(self) -> float:
        """Mean over the parts present, 0 to 1."""
        ...


AnyRanked = TypeVar("AnyRanked", bound=Ranked)


def draw_pairs(path: Path, methods: Sequence[Ranked], pairs: str = "pairs") -> Path:
    """Plot the Dice of every pair, best first, a line a method; `pairs` is their name."""
    figure = matplotlib_figure()(figsize=(9.5, 5.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(by_dice(methods)):
        values = np.sort([100 * score.dice_mean for score in method.scores])[::-1]
        color, style = _COLORS[index % 7], _STYLES[index // 7 % 3]
        label = f"{method.name} ({values.mean():.1f})"
        axes.plot(np.arange(1, len(values) + 1), values, style, color=color, lw=1.7, label=label)
    _label(axes, f"{pairs}, each method's best first", "Dice, mean over parts, %")
    _finish(figure, axes, path)
    return path


def draw_parts(
    path: Path,
    methods: Sequence[Ranked],
    parts: Sequence[str] = PARTS,
    colors: NDArray[np.uint8] = PART_COLORS,
    pairs: str = "pairs",
) -> Path:
    """Plot the Dice of every pair by part, best first; a panel for each of the two best methods.

    Args:
        path: the file.
        methods: what was measured.
        parts: their names.
        colors: of the background and of each part, (n + 1, 3).
        pairs: their name.
    """
    best = by_dice(methods)[:2]
    figure = matplotlib_figure()(figsize=(5.3 * len(best), 4.6), dpi=110, layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(best), sharey=True))
    for axes, method in zip(panels, best, strict=True):
        for index, part in enumerate(parts):
            values = np.array([100 * score.dice[index] for score in method.scores])
            values = np.sort(values[~np.isnan(values)])[::-1]
            color = tuple(colors[index + 1] / 255 * 0.9)
            style = "--" if part.endswith("right") else "-"
            name = part.replace("_", " ")
            axes.plot(np.arange(1, len(values) + 1), values, style, color=color, label=name)
        axes.set_title(method.name, fontsize=11)
        _label(axes, f"{pairs}, each part's best first", "Dice, %")
    _finish(figure, panels[-1], path)
    return path


def draw_curves(path: Path, runs: Mapping[str, Path], held_out: str) -> Path | None:
    """Plot loss and validation Dice of runs of ``facewarp train``.

    Args:
        path: of the PNG file.
        runs: folders by name of the run; those without a run are left out.
        held_out: name of the validation data, in the plural.

    Returns:
        The path; None if there is no run at all.
    """
    found = {name: one for name, one in runs.items() if (one / LOG).is_file()}
    if not found:
        return None
    figure = matplotlib_figure()(figsize=(10.6, 4.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, (name, folder) in enumerate(found.items()):
        style = {"color": _COLORS[index % 7], "label": name, "lw": 1.5}
        steps, align = _column(folder / LOG, "align")
        shown = align > 0  # while parts learn alone there is none
        left.plot(steps[shown], _smoothed(align[shown]), **style)
        steps, dice = _column(folder / "validation.csv", "dice_mean")
        right.plot(steps, dice, marker="o", ms=3.5, **style)
    _label(left, "step", "alignment loss, running mean")
    _label(right, "step", f"Dice of {held_out} held out, %")
    _finish(figure, right, path)
    return path


def draw_examples(
    path: Path, comparison: FaceComparison, methods: Sequence[FaceMethod], crops: Sequence[FaceCrop]
) -> Path:
    """Render the best, the median and the worst pair of the best method, by every method.

    Of each pair, the fixed and the moving image with their true parts, then moving and its parts
    warped to fixed, with their Dice.
    """
    best = by_dice(comparison.methods)[0]
    ranked = sorted(range(len(crops)), key=lambda i: best.scores[i].dice_mean, reverse=True)
    chosen = dict.fromkeys((ranked[0], ranked[len(ranked) // 2], ranked[-1]))
    rows = []
    for index in chosen:
        fixed, moving = crops[index], crops[(index + 1) % len(crops)]
        tiles = [
            _tile(fixed.image, fixed.labels, "fixed"),
            _tile(moving.image, moving.labels, "moving"),
        ]
        for method, measured in zip(methods, comparison.methods, strict=True):
            result = register_pair(method, fixed, moving)
            image = torch.from_numpy(moving.image).float()[None, None]
            warped = fields.warp(image, result.field)[0, 0].round().numpy().astype(np.uint8)
            dice = 100 * measured.scores[index].dice_mean
            tiles.append(_tile(warped, result.labels, f"{method.name}: {dice:.1f}"))
        rows.append(wrapped(tiles))
    write_png(path, stacked(rows, _GAP_PX))
    return path


def _tile(image: NDArray[np.uint8], labels: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """Render an image with its parts under a caption."""
    tinted = colored(image, np.where(labels == FacePart.FACE, 0, labels).astype(np.uint8))
    face = np.ascontiguousarray((labels == FacePart.FACE).astype(np.uint8))
    outlines, _ = cv2.findContours(face, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tinted, outlines, -1, PART_COLORS[FacePart.FACE].tolist(), 2)
    small = cv2.resize(tinted, _TILE, interpolation=cv2.INTER_AREA)
    head = np.full((_CAPTION_PX, _TILE[0], 3), 255, np.uint8)
    place = (3, _CAPTION_PX - 10)
    cv2.putText(head, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.41, (40,) * 3, 1, cv2.LINE_AA)
    return np.concatenate([head, np.asarray(small, np.uint8)])


def wrapped(tiles: Sequence[NDArray[np.uint8]], most: int = 9) -> NDArray[np.uint8]:
    """Arrange tiles in as few rows of at most `most` as possible, of equal length."""
    blank = np.full_like(tiles[0], 255)
    columns = math.ceil(len(tiles) / math.ceil(len(tiles) / most))
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    strips = [padded[i : i + columns] for i in range(0, len(padded), columns)]
    return np.concatenate([np.concatenate(strip, axis=1) for strip in strips])


def stacked(rows: Sequence[NDArray[np.uint8]], gap_px: int) -> NDArray[np.uint8]:
    """Stack images of one width (h, w, 3) with white gaps between."""
    gap = np.full((gap_px, rows[0].shape[1], 3), 255, np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)][:-1])


def by_dice(methods: Sequence[AnyRanked]) -> list[AnyRanked]:
    """Sort methods by mean Dice, best first."""

    def mean(method: AnyRanked) -> float:
        return mean_over_present([score.dice_mean for score in method.scores])

    return sorted(methods, key=mean, reverse=True)


def _column(path: Path, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read steps and values of a column of a run's table; empty where it has none."""
    rows: list[dict[str, str]] = []
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get(name)]
    return np.array([float(r["step"]) for r in rows]), np.array([float(r[name]) for r in rows])


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running mean over a twentieth of the values."""
    if not len(values):
        return values
    width = max(1, len(values) // 20)
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def _label(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=10)
    axes.set_ylabel(y, fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(figure: "Figure", axes: "Axes", path: Path) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8.5, frameon=False)
    with written(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
