"""Options and table of commands that run many jobs: who is running, what came out, time left."""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from facewarp.cli.console import printable
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.batch.worker_pool import Event
    from facewarp.cli.console import Output

Ray = Annotated[
    str | None,
    typer.Option(help="Run on this Ray cluster: auto or HOST:PORT.", metavar="ADDRESS"),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=1,
        metavar="SECONDS",
        help="End what takes longer, each by itself; it has failed, the others go on.",
    ),
]

_LAST: Final = 6
_DRAW_EVERY_S: Final = 0.1


def threads_for(workers: int | None, ray: str | None) -> int | None:
    """Return how many threads each job computes with, so that jobs do not share cores.

    Args:
        workers: jobs that run at once; None for one.
        ray: the cluster they run on, whose tasks take a core each.

    Returns:
        None for all cores.

    Raises:
        FacewarpError: both are given.
    """
    if ray is not None:
        if workers is not None:
            raise FacewarpError("--workers and --ray exclude each other", fix="Give one of them.")
        return 1
    count = workers or 1
    return max((os.cpu_count() or 1) // count, 1) if count > 1 else None


class BatchTable:
    """Show events of a batch; outside a terminal as a line for each job that ended.

    Args:
        output: where to.
        total: number of jobs.
        what: one job is, in the singular.
        columns: what is shown of each that ended.
        cells: from what was found, or None, to the cells of these columns.
        weights: how much work each job is, by name; all the same without.
    """

    def __init__(
        self,
        output: "Output",
        total: int,
        what: str,
        columns: Sequence[str],
        cells: Callable[[dict[str, Any] | None], Sequence[str]],
        weights: dict[str, float] | None = None,
    ) -> None:
        self._output, self._total, self._what = output, total, what
        self._columns, self._cells = columns, cells
        self._weights = weights or {}
        self._all = sum(self._weights.values()) or float(total)
        self._ended = self._unworked = 0.0  # by weight
        self._running: dict[str, tuple[float, float]] = {}
        self._last: deque[tuple[str, dict[str, Any] | None, str]] = deque(maxlen=_LAST)
        self._counts = {"done": 0, "skipped": 0, "failed": 0}
        self._began, self._drawn_at = time.monotonic(), 0.0
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
        if event.kind == "silent":
            minutes = event.silent_s / 60
            self._output.warn(
                f"{name}: no progress for {minutes:.0f} minutes; --time-limit SECONDS ends what "
                "hangs, Ctrl-C all"
            )
            return
        if event.outcome is None:
            began = self._running.get(name, (time.monotonic(), 0.0))[0]
            self._running[name] = (began, event.share)
        else:
            self._end(name, event.outcome.status, event.outcome.summary)
        now = time.monotonic()
        if self._live is not None and now - self._drawn_at >= _DRAW_EVERY_S:
            self._drawn_at = now
            self._live.update(self._drawn(), refresh=True)

    def _end(self, name: str, status: str, found: dict[str, Any] | None) -> None:
        self._running.pop(name, None)
        self._counts[status] += 1
        self._ended += self._weights.get(name, 1.0)
        if status != "done":  # what is finished or broken says nothing of the others' time
            self._unworked += self._weights.get(name, 1.0)
        self._last.append((name, found, status))
        if self._live is None and self._total > 1 and not self._output.quiet:
            ended, left = sum(self._counts.values()), self._left()
            line = f"{ended}/{self._total} {printable(name)}: {status}"
            line += f" ({left})" if left and ended < self._total else ""
            self._output.stderr.print(line, markup=False, highlight=False, soft_wrap=True)

    def _share(self) -> float:
        """Return the work that is done, in the unit of the weights."""
        parts = (self._weights.get(n, 1.0) * share for n, (_, share) in self._running.items())
        return self._ended + sum(parts)

    def _drawn(self) -> Group:
        head = Table.grid(padding=(0, 2))
        head.add_row(
            ProgressBar(total=self._all, completed=self._share(), width=40),
            f"{sum(self._counts.values())} of {self._total}",
            f"[green]{self._counts['done']} done[/]",
            f"[cyan]{self._counts['skipped']} finished before[/]",
            f"[red]{self._counts['failed']} failed[/]",
            self._left(),
        )
        table = Table(box=None, pad_edge=False)
        table.add_column(self._what)
        for column in ("", *self._columns):
            table.add_column(column, justify="right", no_wrap=True)
        for name, found, status in self._last:
            table.add_row(Text(printable(name)), Text(status), *self._cells(found))
        for name, (began, part) in self._running.items():
            bar = f"{100 * part:.0f} %  {time.monotonic() - began:.0f} s"
            table.add_row(Text(printable(name), style="bold"), Text(bar, style="bold"))
        return Group(head, table)

    def _left(self) -> str:
        worked = self._share() - self._unworked
        if worked <= 0:
            return ""
        left = (self._all - self._share()) * (time.monotonic() - self._began) / worked
        return f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left"
