"""Where frames go: one call finds the writer for what is read and what is wanted."""

import os
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, READ_ONLY_SUFFIXES, Frame, Source
from facewarp.media.images.animation import AnimationSource
from facewarp.media.images.sequence import FIRST, SequenceWriter
from facewarp.media.images.source import FolderSource
from facewarp.media.images.writer import (
    ALPHA_SUFFIXES,
    ANIMATION_SUFFIXES,
    AnimationWriter,
    FolderWriter,
    ImageWriter,
    tell_lost_alpha,
    written_name,
)
from facewarp.media.numbered_names import NumberedName
from facewarp.media.orientation import fit_within
from facewarp.media.outputs import Output
from facewarp.media.video.audio_copy import AudioMode
from facewarp.media.video.encoders import ALPHA, FORMATS
from facewarp.media.video.writer import VideoWriter

__all__ = [
    "AudioMode",
    "ClipWriter",
    "NoPictures",
    "Sink",
    "is_video",
    "largest_size",
    "name_of_output",
    "open_sink",
    "target_for",
]


class NoPictures(Output):
    """Takes frames and writes none, where only other things are wanted of a clip.

    Args:
        target: What stands for the result in reports.
    """

    def write(self, frame: Frame) -> None:
        """Count a frame."""
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""

    def abort(self) -> None:
        """See `Output.abort`."""


Sink = VideoWriter | ImageWriter | AnimationWriter | FolderWriter | SequenceWriter | NoPictures


class ClipWriter(VideoWriter):
    """A video made of pictures: of any sizes, with borders; on black if it can't hold alpha.

    Args:
        target: See `VideoWriter`, as the others.
        like: Where the pictures come from.
        size: (width, height) px of the video; by default that in which all of them fit.
        fps: Frames a second.
        comment: What the metadata says.
        alpha: See `VideoWriter`.
    """

    def __init__(
        self,
        target: Path,
        like: Source,
        *,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        comment: str | None = None,
        alpha: bool = False,
    ) -> None:
        self._canvas = size or largest_size(like)
        alpha |= isinstance(like, AnimationSource | FolderSource) and like.has_alpha
        super().__init__(
            target, like=like, size=self._canvas, fps=fps, comment=comment, alpha=alpha
        )

    def write(self, frame: Frame) -> None:
        """Fits a picture (H, W, 3) uint8 RGB into the video; see `VideoWriter.write`."""
        alpha = frame.alpha
        if alpha is not None and not self._has_alpha and not self._told_alpha:
            self._told_alpha = True
            tell_lost_alpha(self.target)
        alpha = fit_within(alpha, self._canvas) if alpha is not None and self._has_alpha else None
        shown = frame.image if self._has_alpha else frame.flattened()
        image = fit_within(shown, self._canvas)
        super().write(Frame(image, frame.time, frame.index, frame.rotation, alpha=alpha))


def _check_alpha(target: Path, like: Source | None) -> None:
    """Refuse what holds no alpha."""
    suffix = target.suffix.lower()
    is_clip = like is not None and like.kind != "image"
    numbered = NumberedName.of(target) is not None
    if suffix in ALPHA or (suffix in ALPHA_SUFFIXES and (numbered or not is_clip)):
        return
    if suffix in ALPHA_SUFFIXES:
        NumberedName.needed(target, "a picture for each frame")
    what = f"{suffix or 'a name without a suffix'} holds no alpha"
    known = f"{target.stem}.mov (ProRes 4444), .webm or .mkv (VP9), or {target.stem}_%04d.png"
    raise FacewarpError(what, target, f"Call it {known}.")


def is_video(target: Path) -> bool:
    """Whether a file is written as a video, by its suffix."""
    return target.suffix.lower() in FORMATS


def largest_size(source: Source) -> tuple[int, int]:
    """(width, height) px in which every frame of a source fits."""
    return source.largest_size if isinstance(source, FolderSource) else source.size


def open_sink(
    out_path: str | os.PathLike[str],
    *,
    like: Source | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    audio: AudioMode | bool = "copy",
    comment: str | None = None,
    alpha: bool = False,
    first: int = FIRST,
) -> Sink:
    """Opens the file or folder that frames are written to.

    Args:
        out_path: A video (.mp4, .m4v, .mov, .mkv, .webm), a picture, or a folder; see
            `target_for`.
        like: The source of the frames, which the output resembles and never overwrites.
        size: (width, height) px of the frames of a video, if not the source's.
        fps: Average frames a second of a video that comes from no video.
        audio: What becomes of the sound of a video; see `VideoWriter`.
        comment: What the metadata of every file says of it.
        alpha: Whether the frames have alpha, whatever the source has.
        first: Number of a clip's first frame, for numbered pictures.

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
    if alpha:
        _check_alpha(target, like)
    if NumberedName.of(target) is not None and suffix not in FORMATS:
        return SequenceWriter(target, like, comment, first=first, alpha=alpha)
    if suffix in FORMATS:
        if like is None or like.kind == "video":
            return VideoWriter(
                target,
                like=like,
                size=size,
                fps=fps,
                audio=audio,
                comment=comment,
                alpha=alpha,
            )
        return ClipWriter(target, like, size=size, fps=fps, comment=comment, alpha=alpha)
    if like is not None and like.kind == "animation" and suffix in ANIMATION_SUFFIXES:
        return AnimationWriter(target, like, comment)
    if isinstance(like, FolderSource):
        if suffix in IMAGE_SUFFIXES:
            what = "a folder of pictures does not fit into one picture"
            raise FacewarpError(what, target, "Give a folder or a video as output.")
        return FolderWriter(target, like, comment)
    if suffix in IMAGE_SUFFIXES:
        if like is not None and like.kind in ("video", "animation"):
            name = {"video": "a video", "animation": "an animation"}[like.kind]
            what = f"{name} does not fit into a picture"
            fix = f"Give a video as output: {target.stem}.mp4"
            if like.kind == "animation":
                fix += f"; or one of {', '.join(sorted(ANIMATION_SUFFIXES))}"
            raise FacewarpError(what, target, fix)
        return ImageWriter(target, like, comment)
    if suffix in READ_ONLY_SUFFIXES:
        what = f"{suffix} is read, but not written"
        raise FacewarpError(what, target, f"Call it {target.stem}.jpg or .avif.")
    known = ", ".join([*FORMATS, *sorted(IMAGE_SUFFIXES)])
    what = f"no writer for {suffix!r} files" if suffix else "the output has no suffix"
    raise FacewarpError(what, target, f"Use one of {known}, or a folder: {target}{os.sep}")


def target_for(out_path: str | os.PathLike[str], like: Source | None = None) -> Path:
    """The file or folder that `open_sink` will write to.

    A path that is a folder, or ends like one, holds a video or picture under the source's name
    (as .mp4, or .jpg, if that has a suffix that is not written). For a folder of pictures it is
    the folder itself.
    """
    target = Path(out_path)
    is_folder = os.fspath(out_path).endswith(("/", os.sep)) or target.is_dir()
    if not is_folder or like is None or like.kind == "folder":
        return target
    return target / name_of_output(like)


def name_of_output(like: Source, mark: str = "") -> str:
    """The name of a file made from a source: its own, with a suffix that can be written.

    Args:
        like: A video or picture.
        mark: What the name gets before its suffix.
    """
    path = like.path.resolve()
    suffix = path.suffix.lower()
    if like.kind == "image":
        name = written_name(path)
    elif suffix in FORMATS or (like.kind == "animation" and suffix in ANIMATION_SUFFIXES):
        name = path.name
    else:
        name = f"{path.stem}.mp4"
    return f"{Path(name).stem}{mark}{Path(name).suffix}"
