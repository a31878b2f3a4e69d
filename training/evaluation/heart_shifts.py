"""Evaluate hearts on made shifts of their scans: what is lost, and whether it is told."""

import csv
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.cine import analyse
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.evidence import Evidence, Triple
from facewarp.cardiac.motion.orientation import Orientation, find_orientation
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.report.quality_flags import flags_of_the_result, quality_flags
from facewarp.core.metrics import dice_per_part, mean_over_present
from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_csv
from facewarp.training.dataloading.heart_data import heart_grid
from facewarp.training.datasets.acdc import HeartPatient, labels_on
from facewarp.training.evaluation.heart_methods import ED, ES
from facewarp.training.evaluation.heart_protocols import HeartProtocol, carry_field
from facewarp.training.evaluation.heart_volumes import of, true_indices, two_frames
from facewarp.training.synthetic.scan_shifts import CLEAN, SHIFTS, Scan

log = logging.getLogger(__name__)

NO_HEART: Final = "no heart found"
_NAMES: Final = ("rv", "myo", "lv")
_NONE: Final[Triple] = (0.0, 0.0, 0.0)
_SPACING: Final = "slices_apart_mm"


@dataclass(frozen=True)
class ShiftCase:
    """One patient under one shift.

    Attributes:
        patient: the patient's folder.
        group: the diagnosis.
        kind: of the shift, or `CLEAN`.
        strength: of the shift, "" for `CLEAN`.
        model: hashes of the weights.
        parts_dice: of the labels that ``facewarp cine`` reports with the true ones, on the scan's
            voxels, 0..1, right ventricle, myocardium and left ventricle, mean of ED and ES; 0 where
            no heart was found.
        dice: of the true labels carried by the field, by the protocol; likewise.
        ef_true, rv_ef_true: percent, of the true labels *before* the shift.
        ef, rv_ef: as reported; NaN where no heart was found.
        flags: checks of the result that were not "ok", with their verdicts.
        evidence: of the model's own errors; None where there is none.
    """

    patient: str
    group: str
    kind: str
    strength: str
    model: str
    parts_dice: Triple
    dice: Triple
    ef_true: float
    ef: float
    rv_ef_true: float
    rv_ef: float
    flags: tuple[str, ...]
    evidence: Evidence | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Patient, kind and strength."""
        return self.patient, self.kind, self.strength

    @property
    def ef_error(self) -> float:
        """Size of the error of the left ventricle's EF, points; NaN where there is none."""
        return abs(self.ef - self.ef_true)

    def row(self) -> dict[str, str | float]:
        """Return the case as a row of a table, Dice in percent; `from_row` reads it."""
        names = ("patient", "group", "kind", "strength", "model", "ef_true", "ef", "rv_ef_true")
        told: dict[str, str | float] = {name: getattr(self, name) for name in (*names, "rv_ef")}
        for column, dice in (("parts_dice", self.parts_dice), ("dice", self.dice)):
            told[column] = 100 * mean_over_present(dice)
            told |= {f"{column}_{n}": 100 * d for n, d in zip(_NAMES, dice, strict=True)}
        told["flags"] = "; ".join(self.flags)
        for field in fields(Evidence):
            value = None if self.evidence is None else getattr(self.evidence, field.name)
            if field.type is Triple:
                for part, name in enumerate(_NAMES):
                    told[f"{field.name}_{name}"] = "" if value is None else value[part]
            else:
                told[field.name] = "" if value is None else value
        return told

    @classmethod
    def from_row(cls, row: dict[str, str]) -> "ShiftCase":
        """Return the case of a row that `row` gave, all as text.

        Raises:
            ValueError, KeyError: it is no such row.
        """

        def three(column: str, scale: float) -> Triple:
            rv, wall, lv = (_number(row[f"{column}_{name}"]) * scale for name in _NAMES)
            return rv, wall, lv

        evidence = None
        if row["expected_rv"]:
            row = {_SPACING: "0", **row}  # rows of earlier versions lack it
            evidence = Evidence(
                *(
                    three(field.name, 1.0) if field.type is Triple else float(row[field.name])
                    for field in fields(Evidence)
                )  # type: ignore[arg-type]
            )
        return cls(
            patient=row["patient"],
            group=row["group"],
            kind=row["kind"],
            strength=row["strength"],
            model=row["model"],
            ef_true=_number(row["ef_true"]),
            ef=_number(row["ef"]),
            rv_ef_true=_number(row["rv_ef_true"]),
            rv_ef=_number(row["rv_ef"]),
            parts_dice=three("parts_dice", 0.01),
            dice=three("dice", 0.01),
            flags=tuple(row["flags"].split("; ")) if row["flags"] else (),
            evidence=evidence,
        )


def shifted(patient: HeartPatient, kind: str, strength: str = "", seed: int = 0) -> HeartPatient:
    """Return a patient with both phases and their labels shifted alike.

    Args:
        patient: the patient.
        kind: of `SHIFTS`, or `CLEAN`.
        strength: of `STRENGTHS`.
        seed: of directions, places and noise, which differ from patient to patient.
    """
    if kind == CLEAN:
        return patient
    labels = np.stack([one.data for one in patient.labels])
    own = zlib.crc32(f"{seed} {patient.name}".encode())
    scan = SHIFTS[kind](Scan(patient.stacked(), labels, patient.images[ED].affine), strength, own)

    def volumes(pair: tuple[Volume, Volume], data: NDArray[Any]) -> tuple[Volume, Volume]:
        first, second = (
            replace(one, data=now, affine=scan.affine) for one, now in zip(pair, data, strict=True)
        )
        return first, second

    return replace(
        patient,
        images=volumes(patient.images, scan.images),
        labels=volumes(patient.labels, scan.labels),
    )


def measure_case(
    model: Model,
    patient: HeartPatient,
    protocol: HeartProtocol,
    kind: str,
    strength: str = "",
    seed: int = 0,
    *,
    refined: bool = True,
    orientation: Orientation | None = None,
) -> ShiftCase:
    """Shift a patient, measure it as ``facewarp cine`` does, and compare with the truth.

    Args:
        model: a heart model.
        patient: as scanned.
        protocol: how registration is measured.
        kind: of the shift, or `CLEAN`.
        strength: of the shift.
        seed: of it.
        refined: as in `analyse`.
        orientation: of the heart in the scan, where it is known.
    """
    true = true_indices(patient)
    given = shifted(patient, kind, strength, seed)
    case = ShiftCase(
        *(patient.name, patient.info.group, kind, strength, model_names(model)),
        *(_NONE, _NONE),
        *(of(true, "lv", "ef_percent"), float("nan"), of(true, "rv", "ef_percent"), float("nan")),
        (NO_HEART,),
        None,
    )
    try:
        result = analyse(
            two_frames(given), model, CineOptions(refined=refined), orientation=orientation
        )
    except FacewarpError as error:
        log.warning("%s, %s %s: %s", patient.name, kind, strength, error)
        return case
    return replace(
        case,
        parts_dice=_parts_dice(given, result),
        dice=_registered_dice(given, result, protocol),
        ef=of(result.indices, "lv", "ef_percent"),
        rv_ef=of(result.indices, "rv", "ef_percent"),
        flags=tuple(f"{f.name}: {f.verdict}" for f in flags_of_the_result(quality_flags(result))),
        evidence=result.evidence,
    )


def _parts_dice(patient: HeartPatient, result: CineResult) -> Triple:
    phases = [result.cine.frames.index(frame) for frame in (patient.info.ed, patient.info.es)]
    pairs = zip(phases, patient.labels, strict=True)
    found = [dice_per_part(result.labels[p], one.data, len(HeartPart)) for p, one in pairs]
    return _means(found)


def _registered_dice(patient: HeartPatient, result: CineResult, protocol: HeartProtocol) -> Triple:
    """Return Dice of labels carried by the cine's fields, on the protocol's grid."""
    grid, motion = protocol.grid(patient.images[ED]), result.motion
    truth = [labels_on(grid, volume) for volume in patient.labels]
    start, other = motion.ed, 1 - motion.ed
    fields_mm = {ED: motion.from_ed[other], ES: motion.to_ed[other]}  # by the fixed phase
    if result.cine.frames[start] != patient.info.ed:  # the curve tells it the other way around
        fields_mm = {ED: fields_mm[ES], ES: fields_mm[ED]}
    found = []
    for fixed in (ED, ES)[: 1 + protocol.both_directions]:
        field = carry_field(fields_mm[fixed], motion.grid, grid)
        carried = protocol.carry(truth[1 - fixed], field)
        found.append(dice_per_part(carried, truth[fixed], len(HeartPart)))
    return _means(found)


def _means(phases: Sequence[NDArray[np.float64]]) -> Triple:
    rv, wall, lv = (mean_over_present(part) for part in np.array(phases).T)
    return rv, wall, lv


def evaluate_shifts(
    model: Model,
    patients: Sequence[HeartPatient],
    protocol: HeartProtocol,
    shifts: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
    refined: bool = True,
    known: Sequence[ShiftCase] = (),
    keep: Callable[[Sequence[ShiftCase]], None] = lambda cases: None,
    advance: Callable[..., None] = lambda **_: None,
) -> list[ShiftCase]:
    """Measure patients as scanned and under shifts, one kind and strength after the other.

    Which way a heart lies is found once in each patient, and again where a shift changes slices or
    axes: the search of 16 directions takes two thirds of the time.

    Args:
        model: a heart model.
        patients: as scanned.
        protocol: how registration is measured.
        shifts: pairs of kind and strength.
        seed: of the shifts.
        refined: as in `analyse`.
        known: cases of an earlier run with the same weights and seed; they aren't measured again.
        keep: called with all cases so far after each kind and strength, and when interrupted.
        advance: called after each case, with what it was of.

    Returns:
        The cases, those of `known` that were not asked for left out.

    Raises:
        FacewarpError: it is no heart model.
    """
    heart_grid(model.config)
    before = {case.key: case for case in known}
    found: list[ShiftCase] = []
    lies: dict[str, Orientation | None] = {}
    try:
        for kind, strength in ((CLEAN, ""), *shifts):
            for patient in patients:
                case = before.get((patient.name, kind, strength))
                if case is None:
                    if patient.name not in lies:
                        lies[patient.name] = _orientation(model, patient)
                    kept = kind == CLEAN or SHIFTS[kind].keeps_place
                    case = measure_case(
                        *(model, patient, protocol, kind, strength, seed),
                        refined=refined,
                        orientation=lies[patient.name] if kept else None,
                    )
                found.append(case)
                advance(description=f"{kind} {strength}".strip())
            keep(found)
    except KeyboardInterrupt:
        if found:
            keep(found)
        raise
    return found


def _orientation(model: Model, patient: HeartPatient) -> Orientation | None:
    """Return how a heart lies in its scan; None where the model finds no heart."""
    cine = two_frames(patient)
    try:
        return find_orientation(model, cine.volume, cine.frames.index(patient.info.ed))
    except FacewarpError:
        return None


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def model_names(model: Model) -> str:
    """Return the first digits of the hashes of a heart model and its part network of slices."""
    return model.sha256[:12] + ("" if model.slices is None else f"+{model.slices.sha256[:12]}")


def write_cases(path: Path, cases: Sequence[ShiftCase], settings: str) -> None:
    """Write a row per case.

    Args:
        path: a CSV file.
        cases: in their order.
        settings: how they were measured, the same for all.
    """
    write_csv(path, [{**case.row(), "settings": settings} for case in cases])


def read_cases(path: Path, model: Model | None = None, settings: str = "") -> list[ShiftCase]:
    """Read what `write_cases` wrote.

    Args:
        path: a CSV file.
        model: whose cases they must be, if given.
        settings: how they must have been measured, then.

    Raises:
        FacewarpError: it is no such file, or of other weights or settings.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        cases = [ShiftCase.from_row(row) for row in rows]
        told = {(row["model"], row["settings"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = "this is no table of hearts under shifts"
        raise FacewarpError(what, path, "Name another file.") from error
    if model is not None and told - {(model_names(model), settings)}:
        what = "these rows are of other weights or settings"
        raise FacewarpError(what, path, "Move it away, or name another file with --out.")
    return cases
