"""Name what is written of each clip of a batch: folders, or patterns with ``{name}``."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from facewarp.clips.clip.extra_outputs import ExtraOutputs
from facewarp.clips.discovery import Clip
from facewarp.clips.settings import ClipSettings
from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, PLATE_SUFFIXES, Kind
from facewarp.media.images.files import open_picture, pages_of
from facewarp.media.images.writer import ANIMATION_SUFFIXES
from facewarp.media.numbered_names import NumberedName
from facewarp.media.sinks import is_video, name_for, numbered_output

_FIELD = re.compile(r"\{(\w*)\}")
FIELDS = ("name", "file", "folder", "suffix")
"""Of patterns: the input's name without suffix, with it, its folder below the one named, and the
suffix its output has by itself."""


@dataclass(frozen=True)
class Outputs:
    """Where the results of a clip go.

    Attributes:
        clip: which.
        target: its pictures: a file, or a folder of a clip that is a folder.
        data: its track data; None without.
        extras: what else is written.
    """

    clip: Clip
    target: Path
    data: Path | None
    extras: ExtraOutputs = field(default_factory=ExtraOutputs)

    @property
    def paths(self) -> list[Path]:
        """All files, folders and numbered names."""
        data = [] if self.data is None else [self.data]
        return [self.target, *data, *self.extras.paths]

    def numbered(self, path: Path) -> NumberedName | None:
        """Return the names of one of the paths that stands for a file a frame; else None."""
        if path not in (self.target, self.extras.alpha, self.extras.passes):
            return None
        return numbered_output(path, _kind_of(self.clip))

    def absolute(self) -> "Outputs":
        """Return the same with absolute paths."""
        extras = self.extras
        alpha, passes, data = (
            None if path is None else path.absolute()
            for path in (extras.alpha, extras.passes, self.data)
        )
        tracks = tuple(replace(one, path=one.path.absolute()) for one in extras.tracks)
        clip = replace(self.clip, path=self.clip.path.absolute())
        extras = replace(extras, alpha=alpha, passes=passes, tracks=tracks)
        return Outputs(clip, self.target.absolute(), data, extras)


def is_pattern_of_names(text: str) -> bool:
    """Whether an output is named by a pattern."""
    return "{" in text


def holds_field(text: str | None) -> bool:
    """Whether a name holds a field of patterns: a brace alone may be part of a file's name."""
    return text is not None and any(one in FIELDS for one in _FIELD.findall(text))


def is_name_of_one_file(out: str) -> bool:
    """Whether an output names one video or picture: no pattern, and no folder that is there."""
    path = Path(out)
    if is_pattern_of_names(out) or out.endswith(("/", os.sep)) or path.is_dir():
        return False
    return is_video(path) or path.suffix.lower() in IMAGE_SUFFIXES | PLATE_SUFFIXES


def base_folder(out: str) -> Path:
    """Return the folder below which everything of a batch lies: a pattern's fixed part."""
    if not is_pattern_of_names(out):
        return Path(out)
    fixed: list[str] = []
    for part in Path(out).parts:
        if "{" in part:
            break
        fixed.append(part)
    return Path(*fixed)


def name_outputs(
    clips: Sequence[Clip],
    out: str,
    data: str | None,
    settings: ClipSettings,
    *,
    resume: bool = True,
) -> list[Outputs]:
    """Name the outputs of clips: no two alike, none of them an input.

    Args:
        clips: of the batch.
        out: a folder, or a pattern such as ``out/{folder}/{name}-mesh.mp4``.
        data: likewise, ``.jsonl`` files in a folder; None without.
        settings: hold the patterns of what else is written.
        resume: keep whole files of passes.

    Raises:
        FacewarpError: a pattern or a folder that can't be, two outputs of one name, or an output
            that is an input.
    """
    _check_folders(out, data)
    wanted = settings.extras
    further = {"--alpha": wanted.alpha, "--passes": wanted.passes}
    _check_patterns([*further.items(), *(("--tracks", one) for one in wanted.tracks)])
    own = {clip.path: _own_name(clip) for clip in clips}
    taken = Counter((clip.parent / own[clip.path]).as_posix() for clip in clips)
    names = {clip.name for clip in clips}
    stems = Counter(Path(clip.name).with_suffix("").as_posix() for clip in clips)
    outputs = []
    for clip in clips:
        name = (clip.parent / own[clip.path]).as_posix()
        if name != clip.name and (name in names or taken[name] > 1):
            suffix = Path(own[clip.path]).suffix
            name = f"{clip.name}{suffix}"  # photo.heic beside photo.jpg becomes photo.heic.jpg
        is_alone = stems[Path(clip.name).with_suffix("").as_posix()] == 1 or clip.kind == "images"
        stem = Path(clip.name).stem if is_alone and clip.kind != "images" else Path(clip.name).name
        fill = partial(_filled, clip=clip, stem=stem, name=name)
        target = Path(fill(out)) if is_pattern_of_names(out) else Path(out) / name
        if is_pattern_of_names(out):
            _check_fits(clip, target, out)
        record = None
        if data is not None and is_pattern_of_names(data):
            record = Path(fill(data))
        elif data is not None:
            record = Path(data) / clip.parent / f"{stem}.jsonl"
        extras = settings.outputs_beside(fill, resume=resume)
        outputs.append(Outputs(clip, target, record, extras))
    _check_apart(outputs)
    return outputs


def _check_fits(clip: Clip, target: Path, pattern: str) -> None:
    """Refuse a pattern that gives a clip of many pictures the name of one picture."""
    kind, suffix = _kind_of(clip), target.suffix.lower()
    several = clip.kind == "images" or kind != "image"
    holds = ANIMATION_SUFFIXES if kind == "animation" else ()
    is_picture = suffix in IMAGE_SUFFIXES | PLATE_SUFFIXES and suffix not in holds
    if several and is_picture and numbered_output(target, kind) is None:
        what = f"{clip.name} does not fit into one picture"
        start = pattern.removesuffix(target.suffix)
        raise FacewarpError(what, target, f"Give --out '{start}{{suffix}}'.")


def _own_name(clip: Clip) -> str:
    """Return the name an output has by itself."""
    if clip.kind == "images":
        return Path(clip.name).name
    return name_for(clip.path, _kind_of(clip))


def _kind_of(clip: Clip) -> Kind:
    if clip.kind == "video":
        return "video"
    try:
        with open_picture(clip.path) as picture:
            return "animation" if len(pages_of(picture)) > 1 else "image"
    except FacewarpError:
        return "image"  # it is told when it is its turn


def _filled(pattern: str, *, clip: Clip, stem: str, name: str) -> str:
    """Return the path that a pattern means for a clip."""
    values = {
        "name": stem,
        "file": Path(clip.name).name,
        "folder": clip.parent.as_posix(),
        "suffix": Path(name).suffix if clip.kind != "images" else "",
    }
    for one in _FIELD.findall(pattern):
        if one not in values:
            known = ", ".join(f"{{{known}}}" for known in FIELDS)
            raise FacewarpError(f"there is no {{{one}}} in patterns", pattern, f"Use {known}.")
    return _FIELD.sub(lambda found: values[found[1]], pattern)


def _check_folders(out: str, data: str | None) -> None:
    for option, text in (("--out", out), ("--data", data)):
        if text is None or is_pattern_of_names(text):
            continue
        place = Path(text)
        if "\0" in text:
            raise FacewarpError("no file has such a name", repr(text), "Give another one.")
        is_file = place.exists() and not place.is_dir()
        if is_file or (place.suffix in (".jsonl", ".csv") and not place.is_dir()):
            what = "many clips need a folder to write to, or a pattern"
            fix = f"Give {option} FOLDER or {option} '{place.parent / '{name}'}{place.suffix}'."
            raise FacewarpError(what, text, fix)


def _check_patterns(named: Iterable[tuple[str, str | None]]) -> None:
    for option, text in named:
        if text is not None and not is_pattern_of_names(text):
            what = f"{option} names the files of one clip"
            fix = f"Put {{name}} into it: {Path(text).parent / '{name}'}{Path(text).suffix}"
            raise FacewarpError(what, text, fix)


def _check_apart(outputs: Iterable[Outputs]) -> None:
    outputs = list(outputs)
    paths = [path for one in outputs for path in one.paths]
    path, count = Counter(paths).most_common(1)[0]
    if count > 1:
        what = f"{count} outputs would have the same name"
        fix = "Put {folder} or {file} into the pattern, or rename one of them."
        raise FacewarpError(what, path, fix)
    inputs = {one.clip.path.resolve() for one in outputs}
    inputs |= {path.parent for path in inputs if "%" in path.name}
    for path in paths:
        if path.resolve() in inputs:
            what = "output and input are the same"
            raise FacewarpError(what, path, "Give another --out.")
