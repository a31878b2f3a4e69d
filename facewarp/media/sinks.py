"""Where frames go: one call finds the writer for what is read and what is wanted."""

import os
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, Source
from facewarp.media.image_source import FolderSource
from facewarp.media.image_writer import FolderWriter, ImageWriter
from facewarp.media.video.encoders import FORMATS
from facewarp.media.video.writer import VideoWriter

Sink = VideoWriter | ImageWriter | FolderWriter


def open_sink(
    out_path: str | os.PathLike[str],
    *,
    like: Source | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    audio: bool = True,
    comment: str | None = None,
) -> Sink:
    """Opens the file or folder that frames are written to.

    Args:
        out_path: A video (.mp4, .m4v, .mov, .mkv, .webm), a picture, or a folder; see
            `target_for`.
        like: The source of the frames, which the output resembles and never overwrites.
        size: (width, height) px of the frames of a video, if not the source's.
        fps: Average frames a second of a video that comes from no video.
        audio: Whether to carry the sound of a video along.
        comment: What the metadata of every file says of it.

    Raises:
        FacewarpError: The output can't be written, is an input, or does not fit the source.

    Example:
        >>> with open_source("in.mov") as source:  # doctest: +SKIP
        ...     with open_sink("out.mp4", like=source) as sink:
        ...         for frame in source:
        ...             sink.write(frame.with_image(255 - frame.image))
    """
    target = target_for(out_path, like)
    suffix = target.suffix.lower()
    if suffix in FORMATS:
        return VideoWriter(target, like=like, size=size, fps=fps, audio=audio, comment=comment)
    if isinstance(like, FolderSource):
        if suffix in IMAGE_SUFFIXES:
            what = "a folder of pictures does not fit into one picture"
            raise FacewarpError(what, target, "Give a folder or a video as output.")
        return FolderWriter(target, like, comment)
    if suffix in IMAGE_SUFFIXES:
        if like is not None and like.kind == "video":
            what = "a video does not fit into a picture"
            raise FacewarpError(what, target, f"Give a video as output: {target.stem}.mp4")
        return ImageWriter(target, like, comment)
    known = ", ".join([*FORMATS, *sorted(IMAGE_SUFFIXES)])
    what = f"no writer for {suffix!r} files" if suffix else "the output has no suffix"
    raise FacewarpError(what, target, f"Use one of {known}, or a folder: {target}{os.sep}")


def target_for(out_path: str | os.PathLike[str], like: Source | None = None) -> Path:
    """The file or folder that `open_sink` will write to.

    A path that is a folder, or ends like one, holds a video or picture under the source's name
    (as .mp4 if a video has a suffix that is not written). For a folder of pictures it is the
    folder itself.
    """
    target = Path(out_path)
    is_folder = os.fspath(out_path).endswith(("/", os.sep)) or target.is_dir()
    if not is_folder or like is None or like.kind == "folder":
        return target
    if like.kind == "image" or like.path.suffix.lower() in FORMATS:
        return target / like.name
    return target / f"{like.path.stem}.mp4"
