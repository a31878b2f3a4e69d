"""Inputs and outputs of `facewarp track`: open inputs, list mixed folders, name outputs."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.clips.clip.extra_outputs import ExtraOutputs
    from facewarp.clips.clip.track_job import TrackJob
    from facewarp.clips.settings import ClipSettings, Part
    from facewarp.media.frames import Source


@dataclass(frozen=True)
class LeftOut:
    """A file of a mixed folder that can't be tracked, and why; an error unless it is no image."""

    path: Path
    why: str
    is_error: bool


def is_mixed(inputs: list[Path]) -> bool:
    """Return whether the only input is a folder that holds videos: each file is an input."""
    if len(inputs) != 1 or not inputs[0].is_dir():
        return False
    from facewarp.clips.discovery import VIDEO_SUFFIXES

    return any(path.suffix.lower() in VIDEO_SUFFIXES for path in _files_of(inputs[0]))


def folders_in(inputs: list[Path], out: str | None, data: str | None) -> list[Path]:
    """Return the folders in folders that were named, which are not searched; no output's."""
    from facewarp.clips.discovery import visible

    own = {Path(name).resolve() for name in (out, data) if name is not None}
    named = [path for path in inputs if path.is_dir()]
    inside = [path for folder in named for path in visible(folder) if path.is_dir()]
    return [path for path in inside if path.resolve() not in own]


def plan(
    inputs: list[Path],
    out: str | None,
    data: str | None,
    settings: "ClipSettings",
    extras: "ExtraOutputs",
) -> "list[TrackJob]":
    """Open every input, so that a bad one is known before work begins, and name the outputs.

    Args:
        inputs: files, folders and patterns.
        out: what `--out` says.
        data: what `--data` says.
        settings: of all inputs; the effect's name stands in outputs that are not named.
        extras: what else is written; the pictures themselves are then only if `out` names them.

    Raises:
        FacewarpError: an input can't be read, or an output not be written; two outputs are one
            file, or one is read.
    """
    from facewarp.cli.option_groups import named_files
    from facewarp.clips.clip.track_job import TrackJob
    from facewarp.clips.names import is_name_of_one_file
    from facewarp.media.numbered_names import NumberedName
    from facewarp.media.sources import open_source
    from facewarp.system.atomic_files import check_apart, check_target

    several = len(inputs) > 1
    if several and out is None:
        raise FacewarpError("several inputs need a folder to write to", fix="Give --out FOLDER.")
    if several and out is not None and is_name_of_one_file(out):
        fix = f"Give --out FOLDER, or --out '{Path(out).parent / '{name}'}{{suffix}}'."
        raise FacewarpError("several inputs, but one output", out, fix)
    if several and data is not None and Path(data).suffix in {".jsonl", ".csv"}:
        raise FacewarpError(
            "several inputs need a folder for their data", data, "Give --data FOLDER."
        )
    _check_names(out, data)
    part, effect = settings.part, settings.effect.label
    sources = [open_source(path, part.start, part.end, part.fps) for path in inputs]
    pictures = out is not None or not extras.paths
    jobs = [
        TrackJob(
            source,
            _target(source, out, effect, several) if pictures else extras.paths[0],
            _data(source, data, several),
            extras,
            pictures,
            settings.encoding,
        )
        for source in sources
    ]
    names = Counter(path for job in jobs for path in (job.target, job.data) if path is not None)
    for path, count in names.items():
        if several and count > 1:
            what = f"{count} outputs would have the same name"
            raise FacewarpError(what, path, "Track these inputs one by one, or rename one.")
    targets = [job.target for job in jobs if pictures]
    records = [job.data for job in jobs if job.data is not None]
    check_apart(
        map(NumberedName.plain, [*targets, *records, *extras.paths]),
        [*inputs, *named_files(settings.effect, settings.tracking)],
    )
    for job in jobs:
        if job.source.kind != "folder":
            check_target(job.target, inputs)
        if job.data is not None:
            check_target(job.data, inputs)
    return jobs


def plan_mixed(
    folder: Path, out: str | None, data: str | None, settings: "ClipSettings"
) -> "Iterator[TrackJob | LeftOut]":
    """Open the files of a folder of videos and images one after the other.

    A file that can't be opened is reported and left out. Files whose outputs would have one name
    get their old suffix into it.

    Raises:
        FacewarpError: `--out` or `--data` is a file, or the folder itself.
    """
    from facewarp.clips.clip.track_job import TrackJob
    from facewarp.clips.discovery import VIDEO_SUFFIXES
    from facewarp.clips.names import is_name_of_one_file
    from facewarp.media.images.files import is_image_file
    from facewarp.media.sinks import name_of_output
    from facewarp.media.sources import open_source

    _check_names(out, data)
    target = Path(out if out is not None else f"{folder.resolve().name}-{settings.effect.label}")
    places = [target] if data is None else [target, Path(data)]
    for place in places:
        names_file = place == target and out is not None and is_name_of_one_file(out)
        names_file |= place.suffix.lower() in {".jsonl", ".csv"} and not place.is_dir()
        if names_file or (place.exists() and not place.is_dir()):
            what = "a folder of videos and pictures needs a folder to write to"
            raise FacewarpError(what, place, "Give --out FOLDER (and --data FOLDER).")
        if place.exists() and place.samefile(folder):
            what = "output and input are the same folder"
            raise FacewarpError(what, place, "Give the output another name.")
    paths = _files_of(folder)
    names, stems = {path.name for path in paths}, Counter(path.stem for path in paths)
    for path in paths:
        is_image = is_image_file(path)
        if not is_image and path.suffix.lower() not in VIDEO_SUFFIXES:
            yield LeftOut(path, "no picture or video", is_error=False)
            continue
        try:
            source = open_source(path, *_part_of(settings.part, is_image=is_image))
        except FacewarpError as error:
            yield LeftOut(path, str(error), is_error=True)
            continue
        name = name_of_output(source)
        if name != path.name and name in names:
            name = f"{path.name}{Path(name).suffix}"
        names.add(name)
        stem = path.stem if stems[path.stem] == 1 else path.name
        record = None if data is None else Path(data) / f"{stem}.jsonl"
        yield TrackJob(source, target / name, record, encoding=settings.encoding)


def _part_of(part: "Part", *, is_image: bool) -> tuple[float | None, float | None, float | None]:
    """Return start and end for a clip, the rate for images."""
    return (None, None, part.fps) if is_image else (part.start, part.end, None)


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder, not below it, in natural order, without hidden ones."""
    from facewarp.clips.discovery import visible

    return [path for path in visible(folder) if path.is_file()]


def _check_names(out: str | None, data: str | None) -> None:
    for name in (out, data):
        if name is not None and "\0" in name:
            raise FacewarpError("no file has such a name", repr(name), "Give another one.")


def _target(source: "Source", out: str | None, effect: str, several: bool) -> Path:
    """Return where images go: what --out says, or INPUT-EFFECT in the working folder."""
    from facewarp.media.sinks import name_of_output, target_for

    if out is not None and not several:
        return target_for(out, source)
    if out is not None:
        is_folder = source.kind == "folder"
        return (
            Path(out) / source.path.resolve().name if is_folder else target_for(f"{out}/", source)
        )
    if source.kind == "folder":
        return Path(f"{_name_of_folder(source)}-{effect}")
    return Path(name_of_output(source, f"-{effect}"))


def _name_of_folder(source: "Source") -> str:
    """Return the name after which the output of a folder or a pattern is called."""
    from facewarp.media.images.source import is_pattern

    path = source.path.resolve()
    return path.parent.name if is_pattern(source.path) else path.name


def _data(source: "Source", data: str | None, several: bool) -> Path | None:
    if data is None:
        return None
    path = Path(data)
    if several or path.is_dir() or data.endswith(("/", os.sep)):
        return path / f"{source.path.resolve().stem}.jsonl"
    return path
