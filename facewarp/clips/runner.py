"""Run a batch of clips, and write its summary."""

from collections.abc import Sequence
from pathlib import Path

from facewarp.batch.jobs import Batch
from facewarp.batch.runner import run_batch
from facewarp.batch.worker_pool import EventHandler
from facewarp.clips.clip_job import RECORDS, ClipJob
from facewarp.clips.discovery import Found
from facewarp.clips.names import base_folder, name_outputs
from facewarp.clips.settings import ClipSettings
from facewarp.clips.summary import check_summary, write_summary


def plan_clips(
    found: Found,
    out: str,
    data: str | None,
    settings: ClipSettings,
    *,
    resume: bool = True,
    overwrite: bool = False,
    threads: int | None = None,
    engine: str | None = None,
) -> list[ClipJob]:
    """Return a job for each clip.

    Args:
        found: the clips.
        out: where pictures go: a folder or a pattern of `names`.
        data: where track data goes; None without.
        settings: of all clips.
        resume: whether finished clips are left as they are.
        overwrite: whether outputs are replaced that are there already.
        threads: for each job; None for all cores.
        engine: chosen for all workers; None for the settings'.

    Raises:
        FacewarpError: names that do not go together, or settings that can't be.
    """
    records = base_folder(out) / RECORDS
    check_summary(base_folder(out), overwrite=overwrite)
    settings.check()
    jobs = []
    for one in name_outputs(found.clips, out, data, settings, resume=resume):
        try:
            name = one.target.relative_to(base_folder(out))
        except ValueError:
            name = Path(one.clip.name)
        record = records / name.parent / f"{name.name}.json"
        jobs.append(ClipJob(one, record, settings, resume, overwrite, threads, engine))
    return jobs


def run_clips(
    jobs: Sequence[ClipJob],
    out: Path,
    left_out: Sequence[Path] = (),
    *,
    workers: int | None = None,
    ray_address: str | None = None,
    time_limit_s: float | None = None,
    on_event: EventHandler | None = None,
) -> Batch:
    """Track clips, each in a process of its own, and write the summary; also on Ctrl-C.

    Args:
        jobs: the clips.
        out: the folder of the summary.
        left_out: files that are neither picture nor video.
        workers: processes; None for one.
        ray_address: run on this Ray cluster instead.
        time_limit_s: for each clip.
        on_event: called with every event, as it happens.

    Raises:
        FacewarpError: the cluster can't be reached, or the summary can't be written.
    """
    batch = run_batch(
        jobs,
        out,
        "clips",
        workers=workers or 1,
        ray_address=ray_address,
        time_limit_s=time_limit_s,
        on_event=on_event,
        on_interrupt=lambda batch: write_summary(batch, left_out),
    )
    write_summary(batch, left_out)
    return batch
