"""The summary of a batch of clips: a table (`summary.csv`) and everything (`summary.json`)."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from facewarp.batch.jobs import Batch, Outcome
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import plain_cell, write_json, written
from facewarp.version import __version__

TABLE: Final = "summary.csv"
WHOLE: Final = "summary.json"
COLUMNS: Final = (
    "clip", "status", "error", "input", "output", "data", "frames", "frames_without_face",
    "faces", "faces_left_out", "tracking", "uncertain", "lost", "mean_confidence", "truncated",
    "seconds", "bytes", "peak_mb", "warnings",
)  # fmt: skip


def check_summary(folder: Path, *, overwrite: bool) -> None:
    """Make sure that no file of somebody else is called as the summary.

    Raises:
        FacewarpError: one is.
    """
    for name, begins in ((TABLE, "clip,status,"), (WHOLE, '{\n "facewarp"')):
        path = folder / name
        if overwrite or not path.exists():
            continue
        try:
            is_ours = path.read_text("utf-8")[: len(begins)] == begins
        except (OSError, UnicodeDecodeError):
            is_ours = False
        if not is_ours:
            what = "a file that is no summary of facewarp has its name"
            raise FacewarpError(what, path, "Move it away, or give another --out.")


def write_summary(batch: Batch, left_out: Sequence[Path]) -> None:
    """Write the summary of a batch into its folder.

    Args:
        batch: what came out.
        left_out: files that are neither picture nor video.

    Raises:
        FacewarpError: it could not be written.
    """
    with (
        written(batch.folder / TABLE) as path,
        open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for outcome in batch.outcomes:
            row = {k: "" if v is None else v for k, v in _row(outcome).items()}
            writer.writerow({k: plain_cell(v) if isinstance(v, str) else v for k, v in row.items()})
    told = {"facewarp": __version__, **told_of(batch, left_out)}
    write_json(batch.folder / WHOLE, json.loads(json.dumps(told, default=str)))


def told_of(batch: Batch, left_out: Sequence[Path]) -> dict[str, Any]:
    """Return what came out of a batch, for programs."""
    clips = [
        {"clip": one.name, "status": one.status, **one.summary, "bytes": one.bytes}
        for one in batch.outcomes
        if one.summary is not None
    ]
    failed = [
        {"clip": one.name, "input": str(one.source), "error": one.error}
        for one in batch.of("failed")
    ]
    return {"clips": clips, "failed": failed, "left_out": [str(path) for path in left_out]}


def _row(outcome: Outcome) -> dict[str, Any]:
    """Return a clip's row of the table."""
    row: dict[str, Any] = {
        "clip": outcome.name,
        "status": outcome.status,
        "error": outcome.error,
        "input": str(outcome.source),
        "seconds": round(outcome.seconds, 2),
        "bytes": outcome.bytes,
        "peak_mb": None if outcome.peak_mb is None else round(outcome.peak_mb),
    }
    found = outcome.summary
    if found is None:
        return row
    states = found.get("states") or {}
    confidence = found.get("mean_confidence")
    return row | {
        **{name: found.get(name) for name in COLUMNS if name in found and name not in row},
        **{name: states.get(name) for name in ("tracking", "uncertain", "lost")},
        "mean_confidence": None if confidence is None else round(confidence, 4),
        "warnings": "; ".join([*found.get("notes", []), *found.get("warnings", [])]),
    }
