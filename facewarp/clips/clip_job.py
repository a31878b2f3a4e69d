"""Track one clip of a batch, from its file to its record; skip what is finished."""

import glob
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from facewarp.batch.fingerprint import fingerprint, fingerprint_of
from facewarp.batch.jobs import Outcome, Report
from facewarp.clips.clip.track_job import TrackJob
from facewarp.clips.clip.track_video import track_video
from facewarp.clips.discovery import Clip, visible
from facewarp.clips.names import Outputs
from facewarp.clips.output_check import count_frames
from facewarp.clips.results import Result, result_of, warnings_of
from facewarp.clips.settings import ClipSettings
from facewarp.errors import FacewarpError, nothing_there
from facewarp.face.effects.factory import Effect
from facewarp.face.tracking.track import OFFLINE
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.frames import Source
from facewarp.media.sources import open_source
from facewarp.system.atomic_files import check_target, sweep, write_json
from facewarp.system.memory import keep_freed_memory
from facewarp.version import __version__

RECORDS: Final = ".facewarp"
"""Folder in that of a batch which holds the record of every finished clip."""
_NOT_AS_WRITTEN: Final = (KeyError, TypeError, AttributeError, ValueError, RecursionError)
_REPORT_EVERY_S: Final = 0.25


@dataclass(frozen=True)
class ClipJob:
    """A clip to track.

    Attributes:
        outputs: what is read, and where the results go.
        record: the file that says with what it was made.
        settings: that all clips are tracked with.
        resume: whether a finished clip is left as it is.
        overwrite: whether outputs are replaced that are there already.
        threads: for computing; None for all.
        engine: what runs the model, where it was chosen for all workers; None for the settings'.
    """

    outputs: Outputs
    record: Path
    settings: ClipSettings
    resume: bool = True
    overwrite: bool = False
    threads: int | None = None
    engine: str | None = None

    @property
    def name(self) -> str:
        """See `facewarp.batch.jobs.Job`."""
        return self.clip.name

    @property
    def clip(self) -> Clip:
        """What is read."""
        return self.outputs.clip

    @property
    def source(self) -> Path:
        """See `facewarp.batch.jobs.Job`."""
        return self.clip.path

    @property
    def target(self) -> Path:
        """See `facewarp.batch.jobs.Job`."""
        return self.outputs.target

    def run(self, report: Report) -> Outcome:
        """Track the clip and write its record, unless it is finished already."""
        about = self._about()
        if self.resume and (found := self._already(about)) is not None:
            return found
        self._check_free()
        result = self._track(report, about["settings"])
        sizes = {os.path.relpath(p, self.record.parent): p.stat().st_size for p in self.written()}
        plain = json.loads(json.dumps(result, default=_as_text))
        write_json(self.record, {"about": about, "files": sizes, "result": plain})
        return self._outcome("done", plain)

    def already(self) -> Outcome | None:
        """See `facewarp.batch.jobs.Job`."""
        return self._already(self._about())

    def written(self) -> list[Path]:
        """Return the files that hold the results, as far as they are there."""
        return [file for path in self.outputs.paths for file in self._files_of(path)]

    def frames_written(self) -> int:
        """Count the frames of what is written; see `count_frames`."""
        if self.outputs.numbered(self.target) is None:
            return count_frames(self.target)
        return sum(map(count_frames, self._files_of(self.target)))

    def sweep(self) -> None:
        """See `facewarp.batch.jobs.Job`."""
        for path in self.outputs.paths:
            numbered = self.outputs.numbered(path)
            begin = path.stem if numbered is None else numbered.before
            for folder in (path.parent, path):  # the second one where it holds pictures
                if folder.is_dir():
                    for entry in folder.glob(f".{glob.escape(begin if folder != path else '')}*"):
                        stem, mark, _ = entry.name.rpartition(".partial")[0].rpartition(".")
                        if mark:
                            sweep(folder, f"{stem}.", f".partial{entry.suffix}")

    def absolute(self) -> "ClipJob":
        """See `facewarp.batch.jobs.Job`."""
        return replace(
            self,
            outputs=self.outputs.absolute(),
            record=self.record.absolute(),
            settings=self.settings.absolute(),
        )

    def _already(self, about: dict[str, Any]) -> Outcome | None:
        found = finished(self, about)
        return None if found is None else self._outcome("skipped", found["result"])

    def _outcome(self, status: Any, result: Result) -> Outcome:
        size = sum(path.stat().st_size for path in self.written())
        return Outcome(self.name, self.source, self.target, status, result, bytes=size)

    def _about(self) -> dict[str, Any]:
        """Return input and options of a clip: equal ones give the same files."""
        path = self.clip.path
        if self.clip.kind == "images" and not path.is_dir():
            files = [p for p in visible(path.parent) if p.is_file()]
            source = fingerprint_of(files)
        elif path.exists():
            source = fingerprint(path)
        else:
            raise nothing_there(path)
        settings = json.loads(json.dumps(self.settings.identity()))
        return {"facewarp": __version__, "settings": settings, "source": source}

    def _check_free(self) -> None:
        """Refuse to replace what is there already, unless that was asked for."""
        for path in self.outputs.paths:
            resumes = (
                path == self.outputs.extras.passes and self.resume
            )  # looks at each file itself
            if self._files_of(path) and not self.overwrite and not resumes:
                what = "the output is there already, and not from this input with these settings"
                raise FacewarpError(what, path, "Give --overwrite, or another --out.")
            if not path.is_dir():
                check_target(path, [self.clip.path])

    def _files_of(self, path: Path) -> list[Path]:
        """Return the files that an output, a folder or a numbered name stands for."""
        numbered = self.outputs.numbered(path)
        if path.is_dir():
            return [file for file in visible(path) if file.is_file()]
        if numbered is not None and path.parent.is_dir():
            files = [file for file in path.parent.iterdir() if numbered.pattern.match(file.name)]
            return sorted(files)
        return [path] if path.is_file() else []

    def _track(self, report: Report, identity: dict[str, Any]) -> Result:
        settings = self.settings
        tracker, effect = _ready(settings, identity, self.engine or settings.tracking.engine)
        with _logged() as lines, _opened(self.clip, settings) as source:
            job = TrackJob(
                source,
                self.target,
                self.outputs.data,
                self.outputs.extras,
                encoding=settings.encoding,
            )
            advance = _Advance(source.frame_count, report)
            done, tally = track_video(tracker, effect, job, advance=advance)
        most = tracker.config.faces
        result = result_of(done, tally, job, most)
        told = [line for line in lines if not any(note in line for note in source.notes)]
        files = self.frames_written()
        return {**result, "written": files, "warnings": [*warnings_of(done, tally, most), *told]}


def finished(job: ClipJob, about: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of a finished clip; None if it must be done (again).

    It is finished if it was made from the same input by the same program, weights and settings,
    every file it wrote is there with the size it had, and its pictures open and are as many.
    """
    try:
        found = json.loads(job.record.read_text("utf-8"))
        same = found["about"] == about
        sizes, folder = found["files"], job.record.parent
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
        ours = {os.path.relpath(path, folder) for path in job.written()} >= set(sizes)
        length = found["result"]["written"]
        if not (isinstance(found["result"], dict) and same and whole and ours and sizes):
            return None
        return found if job.frames_written() == length else None
    except (OSError, FacewarpError, *_NOT_AS_WRITTEN):
        return None


_Key: TypeAlias = tuple[ClipSettings, dict[str, Any], str]
_kept: tuple[_Key, FaceTracker, Effect] | None = None


def _ready(
    settings: ClipSettings, identity: dict[str, Any], engine: str
) -> tuple[FaceTracker, Effect]:
    """Return the tracker and the effect of some settings, made once a process.

    They are made anew where a file of theirs has changed: `identity` holds the hashes.
    """
    global _kept
    key = settings, identity, engine
    if _kept is None or _kept[0] != key:
        import cv2

        cv2.setNumThreads(1)  # decoding, registering and encoding keep the cores busy
        keep_freed_memory()
        options = replace(settings.tracking, engine=engine)
        tracker = options.make(config=OFFLINE, in_pipeline=True)
        effect = settings.effect.make(options.model, settings.annotate)
        _kept = key, tracker, effect
    return _kept[1:]


@contextmanager
def _opened(clip: Clip, settings: ClipSettings) -> Iterator[Source]:
    part = settings.part
    if clip.kind == "video":
        source = open_source(clip.path, part.start, part.end)
    else:
        source = open_source(clip.path, fps=part.fps)
    with source:
        yield source


class _Advance:
    """Report the share of frames that are done, now and then."""

    def __init__(self, total: int | None, report: Report) -> None:
        self._total, self._report, self._count = total or 0, report, 0
        self._told = time.monotonic()

    def __call__(self) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._told >= _REPORT_EVERY_S:
            self._told = now
            self._report(min(self._count / max(self._total, self._count + 1), 0.99))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Yield a list that gets the warnings of a clip; nothing is printed by a worker."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, keeper = logging.getLogger("facewarp"), Keeper(logging.WARNING)
    before = logger.propagate
    logger.addHandler(keeper)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(keeper)
        logger.propagate = before


def _as_text(value: object) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
