"""Write a comparison on hearts: tables, sorted Dice, slices, training curves, one HTML page."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.motion.model_grid import model_input
from facewarp.cardiac.parts import PART_COLORS, HeartPart
from facewarp.core import fields
from facewarp.drawing.png import write_png
from facewarp.training.comparison.figures import (
    by_dice,
    draw_curves,
    draw_pairs,
    draw_parts,
    stacked,
    wrapped,
)
from facewarp.training.comparison.hearts import HeartComparison, MeasuredOnHearts
from facewarp.training.comparison.result_table import TableLayout, write_comparison
from facewarp.training.datasets.acdc import labels_on
from facewarp.training.datasets.hearts import TITLES, ReadPatient, load_patient
from facewarp.training.evaluation.evaluation_json import number
from facewarp.training.evaluation.heart_methods import ED, ES, HeartMethod
from facewarp.training.evaluation.hearts import PARTS
from facewarp.training.validation.hearts import examples

CAPTIONS = {
    "dice-by-method.png": "Dice of every patient, from the best to the worst, method by method.",
    "dice-by-part.png": "Dice of every patient, part by part, of the two best methods.",
    "examples.png": "The best, the median and the worst patient of the best method, middle slice: "
    "ED and ES with their true parts, and ES carried onto ED by each method, with its parts "
    "(as the paper's Figure 8).",
    "training-curves.png": "Validation Dice and training loss of the runs.",
}
_TILE = (192, 192)  # width and height of an example
_SHOWN_VOX = 96  # of a slice, around the heart
_CAPTION_PX = 26
_GAP_PX = 20
_INK = (40, 40, 40)


def write_heart_comparison(
    folder: Path,
    comparison: HeartComparison,
    methods: Sequence[HeartMethod],
    folders: Sequence[Path],
    runs: Path,
    read: ReadPatient = load_patient,
) -> list[Path]:
    """Write tables, figures and page into a folder; each file is whole or not there.

    Args:
        folder: made where it is not there.
        comparison: what was measured.
        methods: the same methods, to draw the examples with.
        folders: of the patients.
        runs: the folder of the training runs, for their curves.
        read: reads a patient's folder.

    Returns:
        The files, ``index.html`` last.
    """
    measured = comparison.methods
    figures = [
        draw_pairs(folder / "dice-by-method.png", measured, "patients"),
        draw_parts(folder / "dice-by-part.png", measured, PARTS, PART_COLORS, "patients"),
        draw_slices(folder / "examples.png", comparison, methods, folders, read),
    ]
    trained = {method.name: runs / method.name for method in measured}
    curves = draw_curves(folder / "training-curves.png", trained, "patients")
    if curves is not None:
        figures.append(curves)
    return write_comparison(folder, comparison, HEART_TABLE, "patients.csv", figures, CAPTIONS)


def _cells(method: MeasuredOnHearts) -> list[str]:
    means = method.means()
    columns = (
        *(("dice_mean", 1), ("dice_rv", 1), ("dice_myo", 1), ("dice_lv", 1), ("hd95_mm", 2)),
        *(("jacobian_std", 3), ("sdlogj", 3), ("folds_percent", 3), ("seconds_per_pair", 2)),
    )
    cells = [number(float(means[key]), digits) for key, digits in columns]
    size = number(method.parameters / 1e6, 2) if method.parameters else "-"
    return [method.name, *cells, size]


def _about(comparison: HeartComparison) -> str:
    ways = "both directions" if comparison.protocol.both_directions else "ES registered to ED"
    return (
        f"{comparison.pair_count} patients of {TITLES[comparison.dataset]}, {comparison.split}; "
        f"protocol {comparison.protocol.name}, {ways}; {comparison.machine}."
    )


HEART_TABLE = TableLayout(
    subject="Hearts",
    heads=[
        *("method", "Dice %", "RV", "myocardium", "LV", "HD95 mm", "std of J", "SDlogJ"),
        *("folds %", "s a patient", "M parameters"),
    ],
    cells=_cells,
    about=_about,
)


def draw_slices(
    path: Path,
    comparison: HeartComparison,
    methods: Sequence[HeartMethod],
    folders: Sequence[Path],
    read: ReadPatient = load_patient,
) -> Path:
    """Render the best, the median and the worst patient of the best method, by every method."""
    best = by_dice(comparison.methods)[0]
    rows = []
    for index, rank in examples(best.scores).items():
        patient = read(folders[index])
        grid = comparison.protocol.grid(patient.images[ED])
        truth = [labels_on(grid, volume) for volume in patient.labels]
        images = model_input(patient.stacked(), grid)
        z, view = _middle(truth[ED])
        shown = [(images[phase][z], truth[phase][z]) for phase in (ED, ES)]
        tiles = [
            _tile(image[view], parts[view], f"{patient.name} {name}")
            for (image, parts), name in zip(shown, ("ED", f"ES ({rank})"), strict=True)
        ]
        for method, measured in zip(methods, comparison.methods, strict=True):
            field = method.register(patient, grid, both=False).fields[0]
            moving = torch.from_numpy(images[ES])[None, None]
            warped = fields.warp(moving, torch.from_numpy(field)[None])[0, 0, z].numpy()
            parts = comparison.protocol.carry(truth[ES], field)[z]
            dice = 100 * measured.scores[index].dice_mean
            tiles.append(_tile(warped[view], parts[view], f"{method.name}: {dice:.1f}"))
        rows.append(wrapped(tiles, most=5))
    write_png(path, stacked(rows, _GAP_PX))
    return path


def _middle(parts: NDArray[np.uint8]) -> tuple[int, tuple[slice, slice]]:
    """Return the middle slice of a heart, and the square of it that is shown."""
    slices = np.flatnonzero(parts.any(axis=(1, 2)))
    z = int(slices[len(slices) // 2]) if len(slices) else len(parts) // 2
    places = np.nonzero(parts[z])
    view = []
    for axis, n in zip(places, parts.shape[1:], strict=True):
        middle = (axis.min() + axis.max()) // 2 if len(axis) else n // 2
        first = int(np.clip(middle - _SHOWN_VOX // 2, 0, max(0, n - _SHOWN_VOX)))
        view.append(slice(first, first + _SHOWN_VOX))
    return z, (view[0], view[1])


def _tile(image: NDArray[np.float32], parts: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    """Render a slice with the contours of its parts, under a caption."""
    gray = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    drawn = cv2.resize(gray, _TILE, interpolation=cv2.INTER_CUBIC)
    drawn = np.repeat(np.asarray(drawn, np.uint8)[..., None], 3, axis=2)
    for part in HeartPart:
        share = cv2.resize((parts == part).astype(np.float32), _TILE, interpolation=cv2.INTER_CUBIC)
        mask = (cv2.GaussianBlur(share, (0, 0), 1.5) > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        if part:
            cv2.drawContours(drawn, outlines, -1, PART_COLORS[part].tolist(), 1, cv2.LINE_AA)
    head = np.full((_CAPTION_PX, _TILE[0], 3), 255, np.uint8)
    place = (3, _CAPTION_PX - 8)
    cv2.putText(head, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    tile = np.concatenate([head, drawn])
    return np.pad(tile, ((0, 4), (0, 4), (0, 0)), constant_values=255)
