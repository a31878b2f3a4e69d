"""A table on the terminal while many patients are processed: who is running, and the results."""

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from facewarp.cardiac.cohort.worker_pool import Event
    from facewarp.cli.console import Output

_LAST: Final = 6
COLUMNS: Final = ("LV EDV", "ESV", "EF", "mass", "RV EDV", "ESV", "EF", "agree", "quality")


class CohortTable:
    """Show events of a cohort; outside a terminal as a line for each patient that ended.

    Args:
        output: where to.
        total: number of patients.
    """

    def __init__(self, output: "Output", total: int) -> None:
        self._output, self._total = output, total
        self._running: dict[str, tuple[float, float]] = {}
        self._last: deque[tuple[str, dict[str, Any] | None, str]] = deque(maxlen=_LAST)
        self._counts = {"done": 0, "skipped": 0, "failed": 0}
        self._began = time.monotonic()
        shown = output.stderr.is_terminal and not output.quiet
        self._live = Live(console=output.stderr, auto_refresh=False) if shown else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update(Text(""), refresh=True)
            self._live.stop()

    def __call__(self, event: "Event") -> None:
        """Show an event."""
        name = event.job.name
        if event.outcome is None:
            began = self._running.get(name, (time.monotonic(), 0.0))[0]
            self._running[name] = (began, event.share)
        else:
            self._running.pop(name, None)
            self._counts[event.outcome.status] += 1
            self._last.append((name, event.outcome.summary, event.outcome.status))
            if self._live is None and self._total > 1 and not self._output.quiet:
                ended = sum(self._counts.values())
                line = f"{ended}/{self._total} {name}: {event.outcome.status}"
                self._output.stderr.print(line, markup=False, highlight=False)
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)

    def _drawn(self) -> Group:
        ended = sum(self._counts.values())
        share = ended + sum(share for _, share in self._running.values())
        head = Table.grid(padding=(0, 2))
        head.add_row(
            ProgressBar(total=self._total, completed=share, width=40),
            f"{ended} of {self._total}",
            f"[green]{self._counts['done']} done[/]",
            f"[cyan]{self._counts['skipped']} finished before[/]",
            f"[red]{self._counts['failed']} failed[/]",
            self._left(share),
        )
        table = Table(box=None, pad_edge=False)
        table.add_column("patient")
        for column in ("", *COLUMNS):
            table.add_column(column, justify="right", no_wrap=True)
        for name, found, status in self._last:
            table.add_row(Text(name), Text(status), *row_of(found))
        for name, (began, part) in self._running.items():
            bar = f"{100 * part:.0f} %  {time.monotonic() - began:.0f} s"
            table.add_row(Text(name, style="bold"), Text(bar, style="bold"))
        return Group(head, table)

    def _left(self, share: float) -> str:
        worked = share - self._counts["skipped"]
        if worked <= 0:
            return ""
        left = (self._total - share) * (time.monotonic() - self._began) / worked
        return f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left"


def row_of(found: dict[str, Any] | None) -> list[str]:
    """Return a patient's cells from the contents of its `indices.json`."""
    if found is None:
        return ["-"] * len(COLUMNS)

    def shown(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.0f} {unit}"

    cells = []
    for side in (found["lv"], found["rv"]):
        cells += [shown(side["edv_ml"], "ml"), shown(side["esv_ml"], "ml")]
        cells.append(shown(side["ef_percent"], "%"))
    cells.insert(3, shown(found["lv_mass_g"], "g"))
    verdicts = {flag["verdict"] for flag in found["flags"]}
    quality = next(verdict for verdict in ("bad", "look", "ok") if verdict in verdicts)
    return [*cells, shown(100 * min(found["quality"]["agreement"]), "%"), quality]
