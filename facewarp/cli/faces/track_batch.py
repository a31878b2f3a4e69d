"""`facewarp track` of many clips: options, progress, the table at the end."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from facewarp.cli.batch import BatchTable, Ray, TimeLimit, threads_for
from facewarp.cli.console import Output, cell, printable
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facewarp.batch.jobs import Batch, Outcome
    from facewarp.clips.discovery import Found
    from facewarp.clips.settings import ClipSettings

_COLUMNS: Final = ("frames", "faces", "confidence")
_MOST_ROWS: Final = 40
_FOLDER: Final = "Give --out FOLDER, or --out 'FOLDER/{name}-mesh.mp4'."


@dataclass(frozen=True)
class BatchOptions:
    """Many clips at once; any of these options makes the inputs a batch.

    `overwrite` of a single file does not: what it is written to is replaced anyhow.

    Attributes:
        workers: clips tracked at once.
        ray: cluster to run on.
        resume: whether finished clips are left as they are.
        overwrite: whether outputs are replaced.
        recursive: whether folders in folders are searched.
        time_limit: for each clip, s.
    """

    workers: Annotated[
        int | None,
        typer.Option(
            help="Clips tracked in parallel; every file of a folder is one.", min=1, max=256
        ),
    ] = None
    ray: Ray = None
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="Leave finished clips, and files of --passes, as they are, after a check.",
            show_default="resume, of many clips",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace outputs of many clips that are there already."),
    ] = False
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Search folders in folders, too.")
    ] = False
    time_limit: TimeLimit = None

    def wanted(self, inputs: list[Path], out: str | None, data: str | None) -> bool:
        """Whether inputs are a batch: by an option, a pattern, as a list or folders of videos."""
        from facewarp.batch.lists import is_list
        from facewarp.cli.faces.track_jobs import is_mixed

        lists = any(is_list(path) and _names_clips(path) for path in inputs)
        one_file = len(inputs) == 1 and inputs[0].is_file()
        asked = (self.workers, self.ray, self.time_limit, self.recursive)
        patterns = False
        if "{" in f"{out}{data}":  # what names clips brings NumPy before its threads are limited
            from facewarp.clips.names import holds_field

            patterns = holds_field(out) or holds_field(data)
        if lists or any(asked) or patterns or (self.overwrite and not one_file):
            return True
        many = len(inputs) > 1 or any(path.is_dir() or is_list(path) for path in inputs)
        if self.resume is not None and many:
            return True
        return len(inputs) > 1 and any(is_mixed([path]) for path in inputs)


def _names_clips(path: Path) -> bool:
    """Whether a file is a list, and not a text that has its suffix by chance."""
    from facewarp.batch.lists import listed

    try:
        return bool(listed(path, "clip"))
    except FacewarpError:
        return False


def track_batch(
    output: Output,
    inputs: list[Path],
    out: str | None,
    data: str | None,
    settings: "ClipSettings",
    options: BatchOptions,
) -> None:
    """Track many clips, and end with 1 where one failed.

    Args:
        output: where to.
        inputs: what the command line names.
        out: what `--out` says.
        data: what `--data` says.
        settings: of all clips.
        options: how they are run.
    """
    from facewarp.clips.discovery import find_clips
    from facewarp.clips.names import base_folder, is_name_of_one_file
    from facewarp.clips.runner import plan_clips, run_clips

    if out is None:
        what = "many clips need a folder to write to"
        raise FacewarpError(what, fix=_FOLDER)
    if is_name_of_one_file(out):
        raise FacewarpError("many clips, or options of many clips, but one output", out, _FOLDER)
    threads = threads_for(options.workers, options.ray)
    own = [base_folder(name) for name in (out, data) if name is not None]
    found = find_clips(
        inputs,
        recursive=options.recursive,
        as_clips=settings.part.fps is not None,
        leave_out=own,
    )
    jobs = plan_clips(
        found,
        out,
        data,
        settings,
        resume=options.resume is not False,
        overwrite=options.overwrite,
        threads=threads,
        engine=_engine_for_all(settings) if (options.workers or 1) > 1 else None,
    )
    weights = {job.name: float(_size(job.source)) for job in jobs}
    with BatchTable(output, len(jobs), "clip", _COLUMNS, _cells, weights) as table:
        batch = run_clips(
            jobs,
            base_folder(out),
            found.left_out,
            workers=options.workers,
            ray_address=options.ray,
            time_limit_s=options.time_limit,
            on_event=table,
        )
    _tell(output, batch, found)


def _engine_for_all(settings: "ClipSettings") -> str | None:
    """Return the engine that `auto` means, measured before workers keep the cores busy."""
    wanted = settings.tracking
    if wanted.engine != "auto":
        return None
    from facewarp.core.model import load

    return load(wanted.model, wanted.device, wanted.engine).engine.name


def _size(path: Path) -> int:
    """Return the bytes of a clip, for the time left; 1 where unknown."""
    try:
        if path.is_dir():
            return sum(one.stat().st_size for one in path.iterdir() if one.is_file()) or 1
        return path.stat().st_size or 1
    except OSError:
        return 1


def _tell(output: Output, batch: "Batch", found: "Found") -> None:
    """Print the table, and end with 1 where a clip failed."""
    from facewarp.clips.summary import TABLE, WHOLE, told_of

    told = told_of(batch, found.left_out)
    told["folders_not_searched"] = [str(path) for path in found.folders]
    output.emit_json({**told, "summary": [batch.folder / TABLE, batch.folder / WHOLE]})
    warn_of_folders(output, found.folders)
    _warn_of_clips(output, (*batch.of("done"), *batch.of("skipped")))
    failed = batch.of("failed")
    output.say(_table(batch))
    for outcome in failed:
        if output.verbose and outcome.trace:
            output.stderr.print(outcome.trace, markup=False, highlight=False, soft_wrap=True)
        output.error(f"{outcome.name}: {outcome.error}")
    counts = f"{len(batch.of('done'))} tracked, {len(batch.of('skipped'))} finished before"
    if found.left_out:
        counts += f", {len(found.left_out)} other files left out"
    output.say(f"{counts}; summary in {cell(batch.folder / TABLE)}")
    if failed:
        output.error(f"{len(failed)} of {len(batch.outcomes)} clips failed")
        raise typer.Exit(1)


def _warn_of_clips(output: Output, outcomes: "Sequence[Outcome]") -> None:
    """Say what is to be known of clips; what many of them share in one line."""
    clips = defaultdict[str, list[str]](list)
    for outcome in outcomes:
        found = outcome.summary or {}
        for told in (*found.get("notes", ()), *found.get("warnings", ())):
            clips[told].append(outcome.name)
    for told, names in clips.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        output.warn(f"{names[0]}{more}: {told}")


def warn_of_folders(output: Output, folders: "Sequence[Path]") -> None:
    """Say which folders in the folders that were named are not searched."""
    if folders:
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        output.warn(f"not searched: the folder {folders[0]}{more}; --recursive does")


def _table(batch: "Batch") -> Table:
    """Return a row for each clip, those that failed first; of very many not all."""
    table = Table(box=None, pad_edge=False)
    table.add_column("clip", overflow="fold")
    for name in ("", *_COLUMNS, "time", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    order = {"failed": 0, "done": 1, "skipped": 2}
    chosen = batch.outcomes
    if len(chosen) > _MOST_ROWS:
        chosen = tuple(sorted(chosen, key=lambda one: order[one.status])[:_MOST_ROWS])
    colors = {"failed": "red", "done": "green", "skipped": "cyan"}
    for one in chosen:
        table.add_row(
            Text(printable(one.name)),
            Text(one.status, style=colors[one.status]),
            *_cells(one.summary),
            f"{one.seconds:.1f} s" if one.seconds else "-",
            f"{one.bytes / 1e6:.2f} MB" if one.bytes else "-",
        )
    if len(batch.outcomes) > len(chosen):
        table.add_row(Text(f"... and {len(batch.outcomes) - len(chosen)} more"))
    return table


def _cells(found: dict[str, Any] | None) -> list[str]:
    """Return a clip's cells from its result."""
    if found is None:
        return ["-"] * len(_COLUMNS)
    confidence = found["mean_confidence"]
    shown = "-" if confidence is None else f"{confidence:.2f}"
    return [str(found["frames"]), str(found["faces"]), shown]
