"""Evaluate what ``facewarp cine`` measures on phantoms, whose true values are known."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.quality import mean_dice
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import MYOCARDIUM_G_PER_ML
from facewarp.cardiac.quantification.strain import RegionKind, Strain
from facewarp.cardiac.strain_repeats import with_strain_intervals
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_csv
from facewarp.system.machine import machine
from facewarp.training.synthetic.phantom.folder import CINE, LABELS, check_files, read_recipe
from facewarp.training.synthetic.phantom.recipe import PhantomRecipe
from facewarp.training.synthetic.phantom.scan import PhantomScan
from facewarp.training.synthetic.phantom.true_strain import (
    Direction,
    TrueRegion,
    point_strain,
    true_strain,
)

#: Errors that are aimed at: mean over phantoms of the absolute error, by the column's name.
TARGETS: Final = {
    "ef_error": 1.0,
    "gcs_error": 1.0,
    "grs_error": 4.0,
    "segment_error": 2.5,
    "displacement_mm": 0.6,
}


@dataclass(frozen=True)
class PhantomScore:
    """One phantom: what is true, what was found, and how far apart they are.

    Strain is engineering strain at end-systole, percent; ``gcs`` and ``grs`` are global
    circumferential and radial strain. ``_same_points`` errors are against the true motion of the
    very points, segments and reference phase that were measured, so that what is left is the
    registration's; without it the truth is that of the true wall and segments.

    Attributes:
        name: of the phantom.
        ef_true, ef: of the left ventricle, percent.
        edv_true_ml, edv_ml, esv_true_ml, esv_ml: of the left ventricle.
        mass_true_g, mass_g: of its wall.
        gcs_true, gcs, gcs_same_points, grs_true, grs, grs_same_points: global strain; the last of
            each is the true strain at the points measured.
        segment_error, segment_error_same_points: mean over segments of the absolute error of
            circumferential strain.
        infarct_true, infarct: circumferential strain of the segment that does not contract; NaN
            without one.
        displacement_mm: mean over the true wall of the error of in-plane displacement from ED to
            ES.
        across_mm, along_mm: its two components, mean absolute: at right angles to the wall, and
            along it (twist), where the picture shows no edge.
        motion_mm: mean of the true in-plane displacement.
        dice_ed, dice_es: of the labels found with the true ones, mean over the parts, percent.
        moments_off: phases by which ED and ES were told wrongly, together.
        gcs_half_width, grs_half_width: half of the 95 % intervals; NaN without.
        gcs_held, grs_held: whether the truth lies in them, 1 or 0.
        segments_half_width, segments_held: of circumferential strain: the mean of the half-widths
            over segments, and the share of segments whose truth lies in its interval.
    """

    name: str
    ef_true: float
    ef: float
    edv_true_ml: float
    edv_ml: float
    esv_true_ml: float
    esv_ml: float
    mass_true_g: float
    mass_g: float
    gcs_true: float
    gcs: float
    gcs_same_points: float
    grs_true: float
    grs: float
    grs_same_points: float
    segment_error: float
    segment_error_same_points: float
    infarct_true: float
    infarct: float
    displacement_mm: float
    across_mm: float
    along_mm: float
    motion_mm: float
    dice_ed: float
    dice_es: float
    moments_off: int
    gcs_half_width: float
    gcs_held: float
    grs_half_width: float
    grs_held: float
    segments_half_width: float
    segments_held: float

    def row(self) -> dict[str, float | str]:
        """Return the score as columns of a table, with the errors that have a target."""
        return {
            **asdict(self),
            "ef_error": abs(self.ef - self.ef_true),
            "gcs_error": abs(self.gcs - self.gcs_true),
            "grs_error": abs(self.grs - self.grs_true),
            "gcs_error_same_points": abs(self.gcs - self.gcs_same_points),
            "grs_error_same_points": abs(self.grs - self.grs_same_points),
        }


@dataclass(frozen=True)
class PhantomEvaluation:
    """Means over phantoms.

    Attributes:
        n_phantoms: how many.
        errors: mean absolute error by name: those of `TARGETS`, of volumes, and the others of
            `PhantomScore.row`.
        biases: mean of found minus true, by name.
        targets: see `TARGETS`.
        phantoms: every phantom's row.
    """

    n_phantoms: int
    errors: dict[str, float]
    biases: dict[str, float]
    targets: dict[str, float]
    phantoms: tuple[dict[str, float | str], ...]
    refined: bool
    weights_sha256: str
    slices_sha256: str
    machine: str

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as one JSON-ready object."""
        return asdict(self)


_PAIRS: Final = {
    "ef": ("ef", "ef_true"),
    "edv_ml": ("edv_ml", "edv_true_ml"),
    "esv_ml": ("esv_ml", "esv_true_ml"),
    "mass_g": ("mass_g", "mass_true_g"),
    "gcs": ("gcs", "gcs_true"),
    "grs": ("grs", "grs_true"),
}
_MEANS: Final = (
    *("segment_error", "segment_error_same_points", "displacement_mm", "across_mm", "along_mm"),
    *("motion_mm", "gcs_error_same_points", "grs_error_same_points", "dice_ed", "dice_es"),
    *("gcs_half_width", "gcs_held", "grs_half_width", "grs_held"),
    *("segments_half_width", "segments_held"),
)


def evaluate_phantoms(
    model: Model,
    folders: Sequence[Path],
    *,
    refined: bool = True,
    copies: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> PhantomEvaluation:
    """Analyze phantoms as ``facewarp cine`` does, and hold the results against the truth.

    Args:
        model: a heart model.
        folders: of phantoms, as ``facewarp phantom`` writes them.
        refined: whether fields are refined, as ``cine`` does.
        copies: perturbed copies for intervals of strain, see `strain_repeats`; 0 for none.
        advance: called after each phantom.

    Raises:
        FacewarpError: no phantom, one that can't be read, or one in which no heart is seen.
    """
    if not folders:
        raise FacewarpError("there is no phantom to measure on", fix="See facewarp phantom --help.")
    scores = []
    for folder in folders:
        scores.append(score_phantom(folder, model, refined=refined, copies=copies))
        advance()
    rows = tuple(score.row() for score in scores)
    return PhantomEvaluation(
        len(rows),
        {
            **{f"{name}_error": _mae(rows, *pair) for name, pair in _PAIRS.items()},
            **{name: _mean(rows, name) for name in _MEANS},
        },
        {name: _mean(rows, found) - _mean(rows, true) for name, (found, true) in _PAIRS.items()},
        dict(TARGETS),
        rows,
        refined,
        model.sha256,
        "" if model.slices is None else model.slices.sha256,
        machine(),
    )


def score_phantom(
    folder: Path, model: Model, *, refined: bool = True, copies: int = 0
) -> PhantomScore:
    """Analyze one phantom and compare."""
    recipe = read_recipe(folder)
    check_files(folder, (CINE, LABELS))
    labels = np.asarray(read_volume(folder / LABELS).data, np.uint8)
    result = analyse_cine(folder / CINE, model, refined=refined)
    if copies:
        result = with_strain_intervals(result, model, copies, CineOptions(refined=refined))
    return compare(recipe, labels, result)


def compare(recipe: PhantomRecipe, labels: Labels, result: CineResult) -> PhantomScore:
    """Hold a result against a phantom's truth.

    Args:
        recipe: of the phantom.
        labels: ``(T, D, H, W)`` true labels.
        result: of its cine.
    """
    scan = recipe.scanner()
    motion, ed, es = recipe.motion, result.ed, result.es
    regions = {(r.kind, r.number): r for r in true_strain(motion, scan.contraction[[0, scan.es]])}
    indices, nan = result.indices, float("nan")
    found, same = result.strain, None
    if found is not None:
        same = true_strain_at(scan, result, found)
    scar = recipe.infarct_segment
    segments = [n for kind, n in regions if kind == "segment"]
    at_es = {n: _found(found, "segment", n, "circumferential_engineering", es) for n in segments}
    off = [at_es[n] - _true(regions["segment", n], "circumferential") for n in segments]
    off_same = [
        at_es[n] - _found(same, "segment", n, "circumferential_engineering", 0) for n in segments
    ]
    return PhantomScore(
        recipe.name,
        motion.ejection_fraction,
        nan if indices.lv.ef_percent is None else indices.lv.ef_percent,
        motion.lv_ml(0.0),
        indices.lv.edv_ml,
        motion.lv_ml(1.0),
        indices.lv.esv_ml,
        motion.wall_ml * MYOCARDIUM_G_PER_ML,
        indices.lv_mass_g,
        _true(regions["global", 0], "circumferential"),
        _found(found, "global", 0, "circumferential_engineering", es),
        _found(same, "global", 0, "circumferential_engineering", 0),
        _true(regions["global", 0], "radial"),
        _found(found, "global", 0, "radial_engineering", es),
        _found(same, "global", 0, "radial_engineering", 0),
        _mean_size(off),
        _mean_size(off_same),
        nan if scar is None else _true(regions["segment", scar], "circumferential"),
        nan if scar is None else at_es[scar],
        *displacement_errors(scan, labels, result),
        100 * mean_dice(labels[ed], result.labels[ed]),
        100 * mean_dice(labels[es], result.labels[es]),
        min(ed, recipe.scan.phases - ed) + abs(es - scan.es),
        *_held(result, [regions["global", 0]], "circumferential"),
        *_held(result, [regions["global", 0]], "radial"),
        *_held(result, [regions["segment", n] for n in segments], "circumferential"),
    )


def _held(result: CineResult, regions: Sequence[TrueRegion], way: Direction) -> tuple[float, float]:
    """Return the mean half-width of intervals at ES, and the share of them that hold the truth."""
    intervals, name = result.strain_intervals, f"{way}_engineering"
    widths, held = [], []
    for region in regions if intervals is not None else ():
        assert intervals is not None
        found = intervals.strain.region(_kind(region), region.number)
        half = np.nan if found is None else intervals.half_width(found, name)[result.es]
        if found is not None and np.isfinite(half):
            widths.append(float(half))
            off = getattr(found, name)[result.es] - _true(region, way)
            held.append(float(abs(off) <= half))
    return _mean_size(widths), _mean_size(held)


def displacement_errors(
    scan: PhantomScan, labels: Labels, result: CineResult
) -> tuple[float, float, float, float]:
    """Return errors of in-plane displacement from ED to ES over the true wall, mm.

    Returns:
        Mean length of the error, mean absolute error across the wall and along it, and the mean
        length of the true displacement.
    """
    ends = scan.contraction[[result.ed, result.es]].tolist()
    spacing = np.asarray(scan.settings.spacing_mm)
    wall = labels[result.ed] == HeartPart.MYOCARDIUM
    true, found = (
        np.moveaxis(field, 0, -1)[wall] * spacing
        for field in (scan.field(*ends), result.field(result.es))
    )
    places = scan.grid_points()[wall]
    error = (found - true)[:, :2]
    outwards = scan.to_stack(places * [1, 1, 0])[:, :2]
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-9)
    across = (error * outwards).sum(axis=1)
    along = error[:, 0] * -outwards[:, 1] + error[:, 1] * outwards[:, 0]
    return (
        float(np.linalg.norm(error, axis=1).mean()),
        float(np.abs(across).mean()),
        float(np.abs(along).mean()),
        float(np.linalg.norm(true[:, :2], axis=1).mean()),
    )


def true_strain_at(scan: PhantomScan, result: CineResult, found: Strain) -> Strain:
    """Return the true strain of the points that were measured, from ED to ES as found.

    The same samples, directions, segments and weights: only the motion is the true one.

    Returns:
        A strain of one phase, end-systole.
    """
    grid, motion = result.motion.grid, scan.chest.motion
    start, end = scan.contraction[[result.ed, result.es]].tolist()
    into_volume = grid.to_volume[:3, :3] @ np.diag(1 / np.asarray(grid.spacing_mm))
    points = found.wall.points_mm(found.wall.radii_mm)
    voxels = points @ into_volume.T + grid.to_volume[:3, 3]
    rest = motion.unmoved(scan.heart_points(voxels), start)
    gradient = motion.gradient(rest, end) @ np.linalg.inv(motion.gradient(rest, start))
    to_heart = scan.turn @ np.diag(scan.settings.spacing_mm) @ into_volume
    cos, sin = (f(found.wall.angles)[None, :, None] for f in (np.cos, np.sin))
    zero = np.zeros(points.shape[:-1])
    around, outwards = (
        point_strain(gradient, np.stack([x + zero, y + zero, zero], axis=-1) @ to_heart.T)[None]
        for x, y in ((-sin, cos), (cos, sin))
    )
    es = slice(result.es, result.es + 1)
    return replace(
        found,
        circumferential_green=around,
        radial_green=outwards,
        thickness_mm=found.thickness_mm[es],
        inner_mm=found.inner_mm[es],
        outer_mm=found.outer_mm[es],
    )


def write_phantoms_csv(path: Path, found: PhantomEvaluation) -> None:
    """Write a row per phantom."""
    write_csv(path, list(found.phantoms))


def _kind(region: TrueRegion) -> RegionKind:
    return "global" if region.kind == "global" else "segment"


def _true(region: TrueRegion, way: Direction) -> float:
    return float(region.engineering[way][-1])


def _found(strain: Strain | None, kind: RegionKind, number: int, name: str, phase: int) -> float:
    region = None if strain is None else strain.region(kind, number)
    return float("nan") if region is None else float(getattr(region, name)[phase])


def _mean_size(values: Sequence[float]) -> float:
    known = np.abs(np.asarray(values)[np.isfinite(values)])
    return float(known.mean()) if known.size else float("nan")


def _column(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float:
    values = np.asarray(_column(rows, name))
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _mae(rows: Sequence[dict[str, Any]], found: str, true: str) -> float:
    pairs = zip(_column(rows, found), _column(rows, true), strict=True)
    return _mean_size([one - other for one, other in pairs])
