"""The cohort table, one row per patient (`cohort.csv`)."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from facewarp.batch.jobs import Batch, Outcome
from facewarp.system.atomic_files import plain_cell, written

#: Columns of ``cohort.csv`` that hold measurements, in their order.
MEASURED: Final = (
    "lv_edv_ml",
    "lv_esv_ml",
    "lv_sv_ml",
    "lv_ef_percent",
    "lv_mass_g",
    "rv_edv_ml",
    "rv_esv_ml",
    "rv_sv_ml",
    "rv_ef_percent",
    "peak_circumferential_engineering_percent",
    "peak_radial_engineering_percent",
    "peak_thickening_percent",
    "lowest_agreement_percent",
    "loop_p95_mm",
    "folds_percent",
)

_ABOUT: Final = (
    "patient", "status", "error", "source", "seconds", "bytes", "peak_mb", "phases", "quality",
    "odd",
)  # fmt: skip


_OWN: Final = ("lv_edv_ml", "lv_esv_ml", "lv_mass_g", "rv_edv_ml", "rv_esv_ml")
REPEATS: Final = "the very same numbers as"
NOT_AS_WRITTEN: Final = (
    KeyError, TypeError, AttributeError, ValueError, IndexError, StopIteration,
)  # fmt: skip
"""What `row_of` raises where a result was changed by hand."""


def write_cohort(cohort: Batch) -> None:
    """Write the table and the page of a cohort into its folder.

    Raises:
        FacewarpError: they could not be written.
    """
    from facewarp.cardiac.cohort.page import cohort_page

    cohort = replace(cohort, outcomes=tuple(map(_readable, cohort.outcomes)))
    rows = [row_of(outcome) for outcome in cohort.outcomes]
    name_repeats(rows)
    names = [*_ABOUT, *MEASURED, *(f"true_{name}" for name in MEASURED if _has(rows, name))]
    with (
        written(cohort.folder / "cohort.csv") as path,
        open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, names, restval="", extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            texts = {k: plain_cell(v) if isinstance(v, str) else v for k, v in row.items()}
            writer.writerow(texts)
    page = cohort_page(cohort, rows)
    with written(cohort.folder / "cohort.html") as path:
        path.write_text(page, "utf-8", errors="backslashreplace")


def _readable(outcome: Outcome) -> Outcome:
    """Return a patient's outcome; one whose result was changed by hand has failed, alone."""
    try:
        row_of(outcome)
    except NOT_AS_WRITTEN as error:
        what = f"its indices.json is not as it was written: {type(error).__name__} {error}"
        return replace(outcome, status="failed", summary=None, error=what)
    return outcome


def row_of(outcome: Outcome) -> dict[str, Any]:
    """Return a patient's row of ``cohort.csv``."""
    row: dict[str, Any] = {
        "patient": outcome.name,
        "status": outcome.status,
        "error": outcome.error,
        "source": str(outcome.source),
        "seconds": round(outcome.seconds, 2),
        "bytes": outcome.bytes,
        "peak_mb": "" if outcome.peak_mb is None else round(outcome.peak_mb),
    }
    found = outcome.summary
    if found is None:
        return row
    odd = [flag["name"] for flag in found["flags"] if flag["verdict"] != "ok"]
    verdicts = {flag["verdict"] for flag in found["flags"]}
    row |= {
        "phases": found["phases"],
        "quality": next(verdict for verdict in ("bad", "look", "ok") if verdict in verdicts),
        "odd": "; ".join(odd),
        **_flat(found),
        "lowest_agreement_percent": round(100 * min(found["quality"]["agreement"]), 2),
        "loop_p95_mm": found["quality"]["loop_p95_mm"],
        "folds_percent": found["quality"]["folds_percent"],
    }
    if found["strain"] is not None:
        whole = found["strain"]["regions"][0]
        row |= {name: whole[name] for name in MEASURED if name in whole}
    if found["truth"] is not None:
        row |= {f"true_{name}": value for name, value in _flat(found["truth"]).items()}
    return {name: "" if value is None else value for name, value in row.items()}


def name_repeats(rows: Sequence[dict[str, Any]]) -> None:
    """Tell of patients with the very same numbers as another in what is odd of them.

    One scan under two names counts twice in every statistic, and no two scans are alike to the
    last digit.

    Args:
        rows: of the patients, changed in place.
    """
    alike: dict[tuple[float, ...], list[dict[str, Any]]] = {}
    for row in rows:
        numbers = [row[name] for name in _OWN if row.get(name, "") != ""]
        if len(numbers) == len(_OWN):
            alike.setdefault(tuple(numbers), []).append(row)
    for members in alike.values():
        for row in members if len(members) > 1 else []:
            others = ", ".join(one["patient"] for one in members if one is not row)
            row["repeats"] = f"{REPEATS} {others}"
            row["odd"] = "; ".join(filter(None, [row["odd"], row["repeats"]]))


def _has(rows: Sequence[dict[str, Any]], name: str) -> bool:
    return any(f"true_{name}" in row for row in rows)


def _flat(found: dict[str, Any]) -> dict[str, float | None]:
    """Return ``indices.json``'s indices, or those of the truth in it, as one level of names."""
    told: dict[str, float | None] = {}
    for side in ("lv", "rv"):
        for name in ("edv_ml", "esv_ml", "sv_ml", "ef_percent"):
            told[f"{side}_{name}"] = found[side][name]
    told["lv_mass_g"] = found["lv_mass_g"]
    return told
