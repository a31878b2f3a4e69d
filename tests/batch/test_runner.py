"""Runs that are stopped: what had appeared by then counts, however late Ctrl-C came."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from facewarp.batch.jobs import Outcome
from facewarp.batch.runner import run_batch


@dataclass(frozen=True)
class WritingJob:
    """A job that writes a file, after or before which Ctrl-C comes where its name says so."""

    name: str
    target: Path
    threads: int | None = None

    @property
    def source(self):
        return Path(self.name)

    def run(self, report):
        report(0.5)
        if self.name == "stopped before":
            raise KeyboardInterrupt
        self.target.write_text(self.name, "utf-8")
        if self.name == "stopped after":
            raise KeyboardInterrupt
        return Outcome(self.name, self.source, self.target, "done", {})

    def already(self):
        if not self.target.is_file():
            return None
        return Outcome(self.name, self.source, self.target, "skipped", {})

    def sweep(self):
        """Nothing is half-written."""

    def absolute(self):
        return self


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["stopped after", "c"], ["stopped after"]),
        (["a", "stopped after", "c"], ["a", "stopped after"]),
        (["a", "stopped before", "c"], ["a"]),
        (["stopped before", "c"], []),
    ],
)
def test_what_appeared_before_it_was_counted_is_kept(tmp_path, names, kept):
    jobs, told = [WritingJob(name, tmp_path / name) for name in names], []
    with pytest.raises(KeyboardInterrupt) as stop:
        run_batch(jobs, tmp_path, "hearts", on_interrupt=told.append)
    note = f"kept {len(kept)} of {len(names)} hearts in {tmp_path}; the same command goes on"
    assert stop.value.__notes__ == [note]
    assert [[(one.name, one.status) for one in batch.outcomes] for batch in told] == (
        [[(name, "done") for name in kept]] if kept else []
    )
