"""`facewarp eval acdc --shift`: hearts on made shifts of their scans, and what was told of it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.cardiac.motion.confidence import HeartCalibration
    from facewarp.core.model import Model
    from facewarp.training.datasets.hearts import ReadPatient
    from facewarp.training.evaluation.heart_protocols import HeartProtocol
    from facewarp.training.evaluation.heart_shift_summary import ShiftSummary, Warned
    from facewarp.training.evaluation.heart_shifts import ShiftCase

_COLUMNS = (
    "shift", "n", "own parts", "fall", "carried", "fall", "EF error", "RV EF", "Dice told",
    "EF told", "flags",
)  # fmt: skip


def shift_hearts(
    output: Output,
    names: str,
    model: "Model",
    folders: Sequence[Path],
    way: "HeartProtocol",
    about: dict[str, Any],
    *,
    read: "ReadPatient",
    seed: int,
    refined: bool,
    out: Path | None,
    figures: Path | None,
) -> None:
    """Measure patients under shifts; tell by kind and strength what was lost, and whether it told.

    Args:
        output: of the command.
        names: of the shifts, `KIND` or `KIND:STRENGTH`, with commas, or `all`.
        model: a heart model.
        folders: the patients'.
        way: how registration is measured.
        about: what the JSON says of the run besides.
        read: reads a patient's folder.
        seed: of the shifts.
        refined: as in `cine`.
        out: a row per case goes there; rows of an earlier run are taken over.
        figures: folder of the reliability plot.
    """
    from facewarp.cardiac.motion.confidence import HeartCalibration
    from facewarp.cardiac.motion.slice_parts import slices_beside
    from facewarp.system.machine import machine
    from facewarp.training.evaluation.heart_shift_summary import Warned, summarise_shifts
    from facewarp.training.evaluation.heart_shifts import evaluate_shifts, read_cases, write_cases
    from facewarp.training.release.heart_confidence import plot_reliability
    from facewarp.training.synthetic.scan_shifts import chosen_shifts

    shifts = chosen_shifts(None if names == "all" else names.split(","))
    calibration = HeartCalibration.of_slices(slices_beside(model))
    settings = f"{way.name}, seed {seed}, {'refined' if refined else 'as predicted'}"
    known = read_cases(out, model, settings) if out is not None and out.is_file() else []
    total = len(folders) * (len(shifts) + 1)
    if known:
        output.say(f"{len(known)} cases are in {escape(str(out))} already")

    def keep(cases: "Sequence[ShiftCase]") -> None:
        if out is not None:
            write_cases(out, [*cases, *_others(known, cases)], settings)

    try:
        with output.progress("patients under shifts", total=total, unit="cases") as advance:
            patients = [read(folder) for folder in folders]
            cases = evaluate_shifts(
                *(model, patients, way, shifts),
                seed=seed,
                refined=refined,
                known=known,
                keep=keep,
                advance=advance,
            )
    except KeyboardInterrupt as stop:
        kept = f"finished cases are in {out}: the same command goes on" if out else "nothing kept"
        stop.add_note(f"{kept}; --out keeps them" if out is None else kept)
        raise
    summaries, warned = summarise_shifts(cases, calibration), Warned.of(cases, calibration)
    output.emit_json(
        {
            **about,
            "settings": settings,
            "weights_sha256": model.sha256,
            "slices_sha256": "" if model.slices is None else model.slices.sha256,
            "machine": machine(),
            "shifts": [asdict(one) for one in summaries],
            "warned": asdict(warned),
            "calibration_fitted_on": "" if calibration is None else calibration.fitted_on,
        }
    )
    output.say(_table(summaries, str(about["split"])))
    output.say(_legend(), told(warned, calibration))
    if out is not None:
        output.say(f"Written: {escape(str(out))}")
    if figures is not None and calibration is not None:
        path = figures / "heart-reliability.png"
        plot_reliability(cases, calibration, path, f"{about['split']}; {cases[0].model}")
        output.say(f"Written: {escape(str(path))}")


def _others(known: "Sequence[ShiftCase]", cases: "Sequence[ShiftCase]") -> "list[ShiftCase]":
    """Cases of earlier runs that were not asked for now, so that no row is lost."""
    now = {case.key for case in cases}
    return [case for case in known if case.key not in now]


def _table(summaries: "Sequence[ShiftSummary]", split: str) -> Table:
    table = Table(
        title=f"Under made shifts, {split}: Dice %, EF in points", box=None, padding=(0, 1, 0, 0)
    )
    for name in _COLUMNS:
        table.add_column(
            name, justify="right" if name != "shift" else "left", no_wrap=name == "shift"
        )
    for one in summaries:
        lost = one.n - one.n_found
        table.add_row(
            f"{one.kind} {one.strength}".strip(),
            f"{one.n}" + (f", {lost} lost" if lost else ""),
            _shown(one.parts_dice),
            _shown(one.parts_fall),
            _shown(one.dice),
            _shown(one.fall),
            _shown(one.ef_error),
            _shown(one.rv_ef_error),
            _shown(one.expected_dice),
            _shown(one.expected_ef_error),
            f"{one.flagged_percent:.0f} %",
        )
    return table


def _legend() -> str:
    from facewarp.training.synthetic.scan_shifts import SHIFTS

    lines = []
    for one in SHIFTS.values():
        amounts = f": {', '.join(f'{amount:g}' for amount in one.amounts)} {one.unit}".rstrip()
        is_numbered = not one.unit and one.amounts == (1, 2, 3)  # the meaning says each
        lines.append(f"{one.name:<9} {one.meaning}{'' if is_numbered else amounts}")
    return (
        "[dim]" + "\n".join(lines) + "\ncarried: true labels, by the field; told: what the model "
        "expected; flags: patients with a check\nthat is not ok. EF is held against the whole "
        "scan's before the shift.[/]\n"
    )


def told(warned: "Warned", calibration: "HeartCalibration | None") -> str:
    """Say in words whether confidence and flags told of the errors."""
    from facewarp.cardiac.motion.confidence import FAR_OFF
    from facewarp.training.evaluation.heart_shift_summary import NEAR

    flags = (
        f"EF off by more than {FAR_OFF:.0f} points: {warned.far_off_flagged} of "
        f"{warned.n_far_off} flagged; within {NEAR:.0f}: {warned.near_flagged} of {warned.n_near}"
    )
    if calibration is None:
        return f"[bold]flags[/]      {flags}\n[bold]confidence[/] not calibrated in these weights"
    return (
        f"[bold]flags[/]      {flags}\n"
        f"[bold]confidence[/] expected and true Dice differ by {_shown(warned.calibration_error)} "
        f"points on average, rank correlation {_shown(warned.rank_correlation, 2)}; of EF errors "
        f"{_shown(warned.ef_rank_correlation, 2)}"
    )


def _shown(value: float, digits: int = 1) -> str:
    return "-" if value != value else f"{round(value, digits) + 0.0:.{digits}f}"


def check_shift_options(methods: str | None, picture: Path | None) -> None:
    """Refuse options that are of other measurements.

    Raises:
        FacewarpError: one is given.
    """
    for name, value in (("--methods", methods), ("--picture", picture)):
        if value is not None:
            what = f"{name} does not go with --shift"
            raise FacewarpError(what, name, "Leave one of them out.")
