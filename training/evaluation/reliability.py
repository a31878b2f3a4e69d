"""Reliability diagram of the confidence: faces registered on good and on bad crops.

``python -m facewarp.training.evaluation.reliability --data helen/testset [--plot FILE.png]
[--json]``

A confidence of 0.8 should mean a Dice of 0.8 of the template's labels, warped to a face, with the
true parts. The network knows their Dice with its own segmentation; `calibrated` measures the curve
between the two, `facewarp.training.release.ship` stores it in the weights, and this command
measures the calibration on other photographs.
"""

import argparse
import copy
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import isotonic_regression

from facewarp.core import fields
from facewarp.core.geometry import resize_image
from facewarp.core.metrics import dice_per_part, mean_over_present
from facewarp.core.model import Model, load
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.face import Face
from facewarp.face.tracking.confidence import KEY, Calibration
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.system.machine import machine
from facewarp.training.dataloading.face_data import helen_test_photos
from facewarp.training.datasets.crops import cut
from facewarp.training.datasets.photo import FacePhoto

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Confidences between which registrations are counted together."""

_CURVE_EDGES = (0.0, 0.3, 0.45, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 1.0)
_FEWEST = 8  # registrations, for a point of the curve
_SHIFTS = (0.0, 0.1, 0.25, 0.5, 1.0)  # of the face's side
_SIZES = (0.5, 0.75, 1.0, 1.4, 2.0)
_TURNS_DEG = (0.0, 20.0, 45.0, 90.0, 180.0)
_FAR_OFF = 15.0  # percent of the face's side


@dataclass(frozen=True)
class Registration:
    """One registration to the template.

    Attributes:
        confidence: of the tracker, 0..1.
        dice: of the template's warped labels with the true ones, mean over parts present, 0..1.
        error_percent: mean distance of the landmarks from the true ones, of the face's side.
    """

    confidence: float
    dice: float
    error_percent: float


@dataclass(frozen=True)
class Bin:
    """A bin of registrations by confidence.

    Attributes:
        low, high: edges of the confidence.
        count: of registrations.
        confidence, dice: means.
        error_percent: median distance of landmarks, percent of the face's side.
        far_off_percent: share that is off by more than 15 % of the face's side.
    """

    low: float
    high: float
    count: int
    confidence: float
    dice: float
    error_percent: float
    far_off_percent: float


def registrations(
    fitter: FaceRegistrar, photos: Sequence[FacePhoto], seed: int = 0
) -> list[Registration]:
    """Register each photograph on crops from exact to far off, with refinement.

    Args:
        fitter: model and template.
        photos: with 68 points.
        seed: of the directions of the crops' errors.
    """
    rng = np.random.default_rng(seed)
    found = []
    for photo in photos:
        for crop in crops_of(photo, rng):
            face = fitter.register(photo.image, [crop])[0]
            found.append(measured(face, photo, fitter))
            better = fitter.register_refined(photo.image, [crop])[0]
            if better.crop is not crop:
                found.append(measured(better, photo, fitter))
    return found


def crops_of(photo: FacePhoto, rng: np.random.Generator) -> Iterator[Crop]:
    """Return crops of a face: exact, and with errors of position, size or rotation."""
    center, side = np.array(photo.box_center), photo.box_side
    for shift in _SHIFTS:
        angle = rng.uniform(0, 2 * np.pi)
        yield Crop.around(center + shift * side * np.array([np.cos(angle), np.sin(angle)]), side)
    for size in _SIZES:
        yield Crop.around(center, side, margin=2 * size)
    for turn in _TURNS_DEG:
        yield Crop.around(center, side, roll=np.deg2rad(turn) * rng.choice((-1, 1)))


def measured(face: Face, photo: FacePhoto, fitter: FaceRegistrar) -> Registration:
    """Measure a registration against the truth."""
    assert photo.landmarks is not None
    truth = cut(photo, face.crop.matrix).labels
    onto = torch.from_numpy(face.field)[None]
    template = torch.from_numpy(fitter.template.probabilities)[None]
    carried = fields.warp(resize_image(template, CROP_SHAPE), onto).argmax(1)[0].numpy()
    dice = dice_per_part(carried.astype(np.uint8), truth, template.shape[1])
    distance = np.linalg.norm(face.landmarks - photo.landmarks, axis=1).mean()
    return Registration(
        face.confidence, mean_over_present(dice), float(100 * distance / photo.box_side)
    )


def binned(found: Sequence[Registration], edges: Sequence[float] = EDGES) -> list[Bin]:
    """Bin registrations by confidence between edges, without empty bins."""
    table = np.array([(r.confidence, r.dice, r.error_percent) for r in found])
    bins = []
    for low, high in itertools.pairwise(edges):
        rows = table[(table[:, 0] >= low) & ((table[:, 0] < high) | (high == edges[-1]))]
        if len(rows):
            means, off = rows.mean(0), 100 * (rows[:, 2] > _FAR_OFF).mean()
            bins.append(
                Bin(
                    *(low, high, len(rows), float(means[0]), float(means[1])),
                    *(float(np.median(rows[:, 2])), float(off)),
                )
            )
    return bins


def calibrated(model: Model, photos: Sequence[FacePhoto], template: str = "average") -> Calibration:
    """Return the calibration curve from agreement to true Dice, on photographs not trained on.

    Means of agreement and Dice in bins of agreement, made monotonic; extrapolated beyond the
    highest mean.

    Args:
        model: to measure; it is not changed.
        photos: with 68 points.
        template: to register to.

    Raises:
        FacewarpError: too few registrations for a curve.
    """
    plain = copy.copy(model)
    plain.metadata = {**model.metadata, KEY: Calibration(((0, 0), (1, 1))).to_text()}
    bins = binned(
        registrations(FaceRegistrar(template, plain, "cpu", sure=0.0), photos), _CURVE_EDGES
    )
    bins = [b for b in bins if b.count >= _FEWEST]
    if len(bins) < 2:
        what = f"{len(photos)} photographs are too few to tell what a confidence is worth"
        raise FacewarpError(what, fix="Give some dozens.")
    at = np.array([b.confidence for b in bins])
    rising = isotonic_regression([b.dice for b in bins], weights=[b.count for b in bins]).x
    slope = (rising[-1] - rising[-2]) / (at[-1] - at[-2])
    last = min(1.0, rising[-1] + slope * (1 - at[-1]))
    return Calibration(((0.0, 0.0), *zip(at.tolist(), rising.tolist(), strict=True), (1.0, last)))


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: mean |true Dice - confidence|, weighted by bins."""
    weights = np.array([b.count for b in bins], float)
    gaps = np.abs([b.confidence - b.dice for b in bins])
    return float((weights * gaps).sum() / weights.sum())


def plot(bins: Sequence[Bin], path: Path, title: str) -> None:
    """Plot true Dice and landmark error against confidence, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
    at = [b.confidence for b in bins]
    sizes = [12 + 1.2 * np.sqrt(b.count) * 6 for b in bins]
    left.plot([0, 1], [0, 1], color="0.7", lw=1, ls="--", label="confidence = true Dice")
    left.plot(at, [b.dice for b in bins], color="#1f78b4", lw=1)
    left.scatter(at, [b.dice for b in bins], s=sizes, color="#1f78b4", zorder=3)
    left.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="Dice with the true parts")
    left.legend(frameon=False, loc="upper left")
    right.plot(at, [b.error_percent for b in bins], color="#e31a1c", marker="o", ms=4)
    right.set(xlim=(0, 1), yscale="log", xlabel="confidence")
    right.set_ylabel("landmark error, % of the face's side (median)")
    right.grid(visible=True, which="both", lw=0.3)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="NAME.jpg with NAME.pts")
    parser.add_argument("--model", default="face")
    parser.add_argument("--template", default="average")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--limit", type=int, default=70, help="photographs (default: 70)")
    parser.add_argument("--plot", type=Path, help="draw it, as PNG")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    try:
        _, photos = helen_test_photos(given.data)
        model = load(given.model, engine=given.engine)
        fitter = FaceRegistrar(given.template, model, "cpu", sure=0.7)
        found = registrations(fitter, photos[: given.limit])
        bins = binned(found)
        title = f"{len(found)} registrations of {min(given.limit, len(photos))} photographs"
        title += f"; weights {model.sha256[:12]}"
        if given.plot is not None:
            plot(bins, given.plot, title)
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    off = calibration_error(bins)
    if given.json:
        record = {"bins": [asdict(b) for b in bins], "calibration_error": off}
        text = json.dumps({**record, "weights_sha256": model.sha256, "machine": machine()})
    else:
        lines = [f"{title}; mean |confidence - Dice| {off:.3f}"]
        lines += ["", "| confidence | count | mean | true Dice | landmarks off, % | far off, % |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {b.low:.2f} to {b.high:.2f} | {b.count} | {b.confidence:.3f} | {b.dice:.3f} "
            f"| {b.error_percent:.1f} | {b.far_off_percent:.0f} |"
            for b in bins
        ]
        text = "\n".join(lines)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
