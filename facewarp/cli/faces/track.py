"""`facewarp track`: render an effect onto every face of videos, images and folders."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from facewarp.cli.console import Output, output_of
from facewarp.cli.faces.compositing_options import CompositingOptions, EncodingOptions
from facewarp.cli.faces.effect_options import EffectSelection
from facewarp.cli.faces.track_batch import BatchOptions, track_batch
from facewarp.cli.model_options import (
    EngineOptions,
    FaceModelOptions,
    RefinementOptions,
    Thorough,
    tracker_options,
)
from facewarp.cli.option_groups import Panel, any_existing, option_groups
from facewarp.errors import FacewarpError
from facewarp.system.machine import limit_blas
from facewarp.system.start import resume_collection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from facewarp.cli.faces.track_jobs import LeftOut
    from facewarp.clips.clip.extra_outputs import ExtraPatterns
    from facewarp.clips.clip.track_job import Tally, TrackJob
    from facewarp.clips.settings import ClipSettings
    from facewarp.face.effects.factory import Effect
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.pipeline import Pass


Result = dict[str, Any]
"""Result of an input, for programs."""


ALL_FACES: Final = 10_000
"""What ``--faces all`` asks for; known here, since NumPy must not be loaded yet."""


def parse_faces(text: str | int) -> int:
    """Parse how many faces to track at once: a number, or "all"."""
    if str(text).strip().lower() == "all":
        return ALL_FACES
    try:
        count = int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor all") from None
    if not 1 <= count <= ALL_FACES:
        raise typer.BadParameter(f"{count} is not in the range 1<=x<={ALL_FACES}")
    return count


DRAWN = Panel("What is drawn")
WRITTEN = Panel("What is written")
TRACKING = Panel("How faces are tracked")


@option_groups
def track(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Videos, images, or folders of images.", metavar="INPUT..."),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="File to write; a folder for several inputs.",
            show_default="INPUT-EFFECT",
        ),
    ] = None,
    *,
    effects: Annotated[EffectSelection, DRAWN],
    models: Annotated[FaceModelOptions, TRACKING],
    compositing: Annotated[CompositingOptions, WRITTEN],
    encoding: Annotated[EncodingOptions, WRITTEN],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Track data as .jsonl or .csv; a folder for several inputs."
        ),
        WRITTEN,
    ] = None,
    faces: Annotated[
        int,
        typer.Option(
            parser=parse_faces, metavar="COUNT|all", help="How many faces to track at once."
        ),
        TRACKING,
    ] = 5,
    refinement: Annotated[RefinementOptions, TRACKING],
    tags: Annotated[
        bool, typer.Option("--tags", help="Tag faces with id, state and confidence."), DRAWN
    ] = False,
    start: Annotated[
        float | None, typer.Option(metavar="SECOND", help="Where to start in a video.")
    ] = None,
    end: Annotated[
        float | None, typer.Option(metavar="SECOND", help="Where in a video to stop.")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Frames a second of images; those of a folder are then one clip.",
            show_default="25 for numbered ones",
        ),
    ] = None,
    run: Annotated[EngineOptions, TRACKING],
    thorough: Annotated[Thorough, TRACKING] = False,
    batch: Annotated[BatchOptions, Panel("Many clips")],
) -> None:
    """Render labels, a mesh, a texture or a style onto every face of videos and images.

    The output has the frames, timestamps, rotation and sound of the input. Numbered images
    (f_%04d.png) are one clip. Of a folder that holds videos every file is tracked, and --json
    prints a line for each.

    With an option of "Many clips", or {name} in --out, every file of every folder is a clip of
    its own, and so are those of a list (.txt, .csv), with or without one. One that fails does not
    stop the others, nothing is overwritten, finished clips are not done again, and the folder gets
    summary.csv and summary.json. Names of outputs may be patterns with {name}, {file}, {folder}
    and {suffix}.

    Examples:
      facewarp track talk.mp4 --out tracked.mp4
      facewarp track talk.mp4 --out tiger.mp4 --effect texture --texture tiger
      facewarp track talk.mp4 --effect texture --makeup lips=crimson:0.9
      facewarp track talk.mp4 --effect style --style bronze
      facewarp track two.mp4 --each texture:tiger,texture:skull
      facewarp track photo.jpg --out mesh.png --effect mesh --faces 8
      facewarp track holiday/ --out overlays/ --data overlays.csv
      facewarp track shots/f_%04d.png --fps 30 --out shots.mp4
      facewarp track plate.####.exr --fps 24 --out graded.####.exr
      facewarp track shot.mov --out out.mov --codec prores422
      facewarp track a.mp4 b.mov --out results/ --data results/
      facewarp track footage/ stills/ -r --out results/ --workers 4 --resume
      facewarp track footage/ --out 'm/{name}.mp4' --workers 2 --effect mesh
      facewarp track shot.mov --alpha effect.mov --effect texture --texture tiger
      facewarp track shot.mov --passes passes/shot.####.exr --resume
      facewarp track shot.mov --tracks shot.nk --tracks shot_blender.py
      facewarp track talk.mp4 --expressions talk.csv --neutral 1.5
    """
    output = output_of(ctx)
    is_batch = batch.wanted(inputs, out, data)
    if is_batch:
        resume_collection()
    elif run.engine != "torch":
        limit_blas()
    from facewarp.clips.settings import ClipSettings, Part

    settings = ClipSettings(
        effects,
        tags,
        tracker_options(models, refinement, run, faces, thorough=thorough),
        Part(start, end, fps),
        encoding.encoding(),
        compositing.patterns(),
    )
    if is_batch:
        track_batch(output, inputs, out, data, settings, batch)
    else:
        _track_inputs(output, inputs, out, data, settings, resume=bool(batch.resume))


def _track_inputs(
    output: Output,
    inputs: list[Path],
    out: str | None,
    data: str | None,
    settings: "ClipSettings",
    *,
    resume: bool,
) -> None:
    """Track inputs one after the other, here.

    Args:
        output: where results are printed.
        inputs: what the command line names.
        out: what `--out` says.
        data: what `--data` says.
        settings: of all inputs.
        resume: keep files of passes that are whole and made from the same.
    """
    import cv2

    from facewarp.face.tracking.track import OFFLINE
    from facewarp.media.images.sequence import FIRST
    from facewarp.media.images.source import is_pattern
    from facewarp.system.closing import MadeAhead
    from facewarp.system.memory import keep_freed_memory

    if not any(map(is_pattern, inputs)):
        any_existing(inputs)
    cv2.setNumThreads(1)  # decoding, registering and encoding keep the cores busy
    keep_freed_memory()
    make_tracker = partial(settings.tracking.make, config=OFFLINE, in_pipeline=True)
    with MadeAhead(make_tracker) as ahead:  # networks are made ready beside all that follows
        from facewarp.cli.faces.track_batch import warn_of_folders
        from facewarp.cli.faces.track_jobs import folders_in, is_mixed, plan, plan_mixed

        effect = settings.effect.make(settings.tracking.model, settings.annotate)
        mixed = is_mixed(inputs)
        _check_extras(inputs, settings.extras, mixed=mixed)
        jobs = None
        if not mixed:
            extras = settings.outputs_beside(str, resume=resume)
            jobs = plan(inputs, out, data, settings, extras)
        warn_of_folders(output, folders_in(inputs, out, data))
        if jobs and (unused := _without_use(jobs, settings)):
            output.warn(f"{' and '.join(unused)}: of no use here, where no input is a video")
        if jobs and settings.extras.first_frame != FIRST and not any(map(_counts_names, jobs)):
            output.warn("--first-frame: of no use here, where no output counts frames")
        tracker = ahead.get()
        resume_collection()
        track_one = partial(_track, output, tracker, effect)
        if jobs is not None:
            results = _track_all(jobs, track_one)
            output.emit_json(results if len(jobs) > 1 else results[0])
        else:
            _track_each(output, plan_mixed(inputs[0], out, data, settings), track_one)


def _check_extras(inputs: list[Path], extras: "ExtraPatterns", *, mixed: bool) -> None:
    """Check that what is written beside a picture is wanted of one input.

    Raises:
        FacewarpError: there are several.
    """
    if not extras.wanted:
        return
    if len(inputs) > 1:
        what = "--alpha, --passes, --tracks and --expressions name the files of one input"
        raise FacewarpError(what, fix="Track the inputs one by one.")
    if mixed:
        what = "a folder that holds videos has a result for each of them"
        fix = "Track one video for --alpha, --passes, --tracks or --expressions."
        raise FacewarpError(what, inputs[0], fix)


def _without_use(jobs: "list[TrackJob]", settings: "ClipSettings") -> list[str]:
    """Return the options given that change nothing of any input."""
    from facewarp.media.sinks import is_video

    unused, encoding = [], settings.encoding
    if settings.part.fps is not None and all(
        job.source.kind == "image" and not is_video(job.target) for job in jobs
    ):
        unused.append("--fps")
    if all(job.source.kind != "video" for job in jobs):
        unused += [f"--audio {encoding.audio}"] * (encoding.audio != "copy")
        unused += ["--keep-hdr"] * encoding.keep_hdr
    return unused


def _counts_names(job: "TrackJob") -> bool:
    """Return whether the number of a frame stands in an output or in its name."""
    from facewarp.media.sinks import numbered_output

    named = (job.target, job.extras.alpha) if job.pictures else (job.extras.alpha,)
    is_numbered = [path and numbered_output(path, job.source.kind) for path in named]
    return bool(job.extras.passes or job.extras.tracks) or any(is_numbered)


def _track_all(jobs: "list[TrackJob]", track_one: "Callable[[TrackJob], Result]") -> list[Result]:
    """Track inputs one after the other; the first that fails ends the command."""
    results: list[Result] = []
    for job in jobs:
        try:
            results.append(track_one(job))
        except KeyboardInterrupt as stop:
            if results:
                stop.add_note(f"finished before: {len(results)} of {len(jobs)} inputs")
            raise
    return results


def _track_each(
    output: Output,
    files: "Iterator[TrackJob | LeftOut]",
    track_one: "Callable[[TrackJob], Result]",
) -> None:
    """Track the files of a mixed folder; report one that fails, and go on."""
    from facewarp.cli.faces.track_jobs import LeftOut

    tracked = failed = 0
    for one in files:
        path = one.path if isinstance(one, LeftOut) else one.source.path
        try:
            if isinstance(one, LeftOut):
                result = {"input": path, "error" if one.is_error else "skipped": one.why}
                failed += one.is_error
                if one.is_error:
                    output.error(one.why)
            else:
                result = track_one(one)
                tracked += 1
        except FacewarpError as error:
            output.error(str(error))
            result, failed = {"input": path, "error": str(error)}, failed + 1
        except KeyboardInterrupt as stop:
            stop.add_note(f"finished before: {tracked} files")
            raise
        output.emit_json(result)
    if failed:
        what = f"{failed} of {failed + tracked} files could not be tracked"
        raise FacewarpError(what, fix="The lines above say why.")


def _track(output: Output, tracker: "FaceTracker", effect: "Effect", job: "TrackJob") -> Result:
    from facewarp.clips.clip.track_video import track_video
    from facewarp.clips.results import result_of, warnings_of

    source = job.source
    with output.progress(f"tracking {source.name}", source.frame_count) as advance:
        done, tally = track_video(tracker, effect, job, advance=advance)
    _report(output, done, tally)
    for warning in warnings_of(done, tally, tracker.config.faces):
        output.warn(warning)
    return result_of(done, tally, job, tracker.config.faces)


def _report(output: Output, done: "Pass", tally: "Tally") -> None:
    from rich.markup import escape

    count, mean = len(tally.faces), tally.mean_confidence
    found = "no face" if mean is None else f"{count} face{'s' if count > 1 else ''}"
    output.say(
        f"[green]{escape(str(done.output))}[/]: {done.frames} "
        f"frame{'s' if done.frames != 1 else ''} in {done.seconds:.1f} s ({done.fps:.1f} fps), "
        f"{found}" + ("" if mean is None else f", mean confidence {mean:.2f}")
    )
    beside = [path for path in tally.extras if path != done.output]
    if beside:
        output.say("  beside it: " + escape(", ".join(map(str, beside))))
    if mean is not None and tally.frames_without:
        output.say(f"  no face in {tally.frames_without} of {done.frames} frames")
