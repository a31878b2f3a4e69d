"""Find the clips that a command line names: files, folders, patterns, lists."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facewarp.batch.lists import is_list, listed
from facewarp.errors import FacewarpError
from facewarp.media.images.files import is_image_file
from facewarp.media.images.source import is_pattern, natural_order

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif",
        ".h264", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
        ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogv",
        ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m",
    }
)  # fmt: skip
"""Files of a folder that are tried as videos."""


@dataclass(frozen=True)
class Clip:
    """An input of a batch.

    Attributes:
        path: a file, a pattern of numbered pictures, or a folder whose pictures are one clip.
        name: where it lies below the folder that was named, with ``/``; told apart from others.
        kind: ``"images"`` is a pattern or folder.
    """

    path: Path
    name: str
    kind: str

    @property
    def parent(self) -> Path:
        """The folder of the name, relative."""
        return Path(self.name).parent


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes:
        clips: in natural order.
        left_out: files that are neither picture nor video.
        folders: in the folders that were named, and not searched.
    """

    clips: tuple[Clip, ...]
    left_out: tuple[Path, ...]
    folders: tuple[Path, ...] = ()


def find_clips(
    inputs: Sequence[Path],
    *,
    recursive: bool = False,
    as_clips: bool = False,
    leave_out: Iterable[Path] = (),
) -> Found:
    """Find the clips of some inputs, in natural order, each once.

    Args:
        inputs: files, patterns of numbered pictures (``f_%04d.png``), folders, or lists of such
            (``.txt``, ``.lst``, ``.csv``). Of several folders each name gets that of its folder.
        recursive: whether folders in folders are searched.
        as_clips: whether the pictures of a folder that holds nothing else are one clip.
        leave_out: folders that are not searched: what is written to.

    Raises:
        FacewarpError: a folder or list can't be read, or there is nothing.
    """
    named = [p for i in inputs for p in (listed(i, "clip") if is_list(i) else [i])]
    search = _Search(recursive, as_clips, {path.resolve() for path in leave_out})
    several = len(named) > 1
    clips: dict[Path, Clip] = {}
    for path in named:
        top = Path(path.resolve().name) if several else Path()
        for clip in search.below(path, top) if path.is_dir() else [_named(path)]:
            clips.setdefault(clip.path.resolve(), clip)
    if not clips:
        where = ", ".join(map(str, inputs))
        fix = "Give videos and pictures, or folders of them" + ("." if recursive else ", or -r.")
        raise FacewarpError("there is no picture or video here", where, fix)
    return Found(tuple(_apart(clips.values())), tuple(search.left_out), tuple(search.folders))


def _named(path: Path) -> Clip:
    """Return the clip of a file or pattern that was named itself."""
    if is_pattern(path) and not path.exists():
        return Clip(path, path.resolve().parent.name, "images")
    return Clip(path, path.resolve().name, "image" if _is_image(path) else "video")


def _is_image(path: Path) -> bool:
    return path.is_file() and is_image_file(path)


def _apart(clips: Iterable[Clip]) -> Iterator[Clip]:
    """Yield clips whose names differ: those of files of one name get the folders above, too."""
    clips = list(clips)
    counts = Counter(clip.name for clip in clips)
    for clip in clips:
        if counts[clip.name] == 1:
            yield clip
            continue
        folder = clip.path.resolve().parent
        above = folder.parent if clip.kind == "images" and is_pattern(clip.path) else folder
        name = "/".join([*above.parts[1:], clip.name])
        yield Clip(clip.path, name, clip.kind)


class _Search:
    """A search of folders."""

    def __init__(self, recursive: bool, as_clips: bool, leave_out: set[Path]) -> None:
        self.recursive, self.as_clips, self.leave_out = recursive, as_clips, leave_out
        self.left_out: list[Path] = []
        self.folders: list[Path] = []
        self._searched: set[Path] = set()  # without links: one may lead back to a folder above

    def below(self, folder: Path, name: Path) -> Iterator[Clip]:
        """Yield the clips in a folder, whose names begin with one."""
        place = folder.resolve()
        if place in self._searched:
            return
        self._searched.add(place)
        entries = visible(folder)
        # A link that leads to nothing is a clip that is missing, and fails as one.
        files = [path for path in entries if path.is_file() or not path.exists()]
        self.left_out += [path for path in entries if path.is_fifo() or path.is_socket()]
        images = {path for path in files if is_image_file(path)}
        videos = {path for path in files if path.suffix.lower() in VIDEO_SUFFIXES} - images
        if self.as_clips and images and not videos:
            whole = name if name.parts else Path(folder.resolve().name)
            yield Clip(folder, whole.as_posix(), "images")
            files = [path for path in files if path not in images]
        for path in files:
            if path not in images and path not in videos:
                self.left_out.append(path)
                continue
            kind = "image" if path in images else "video"
            yield Clip(path, (name / path.name).as_posix(), kind)
        folders = [path for path in entries if path.is_dir()]
        folders = [path for path in folders if path.resolve() not in self.leave_out]
        if not self.recursive:
            self.folders += folders
            return
        for path in folders:
            yield from self.below(path, name / path.name)


def visible(folder: Path) -> list[Path]:
    """Return what a folder holds, in natural order, without what is hidden.

    Raises:
        FacewarpError: it can't be read.
    """
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        what = "the folder can't be read"
        raise FacewarpError(what, folder, "Check its permissions.") from error
    return sorted(entries, key=natural_order)
