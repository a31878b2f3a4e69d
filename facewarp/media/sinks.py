"""Where frames go: one call finds the writer for what is read and what is wanted."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.media.frames import (
    IMAGE_SUFFIXES,
    PLATE_SUFFIXES,
    READ_ONLY_SUFFIXES,
    Frame,
    Kind,
    Source,
)
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
from facewarp.media.plates.files import DEEP_SUFFIXES
from facewarp.media.video.audio_copy import AudioMode
from facewarp.media.video.encoders import ALPHA, FORMATS, is_deep_codec
from facewarp.media.video.writer import VideoWriter
from facewarp.media.video.writer_options import WriterOptions

__all__ = [
    "AudioMode",
    "ClipWriter",
    "NoPictures",
    "Sink",
    "is_video",
    "largest_size",
    "name_for",
    "name_of_output",
    "numbered_output",
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
        target: See `VideoWriter`.
        like: Where the pictures come from.
        options: See `VideoWriter`; by default the size is that in which all of them fit.
    """

    def __init__(self, target: Path, like: Source, options: WriterOptions) -> None:
        self._canvas = options.size or largest_size(like)
        self._depth_source = like
        brings_alpha = isinstance(like, AnimationSource | FolderSource) and like.has_alpha
        is_own_size = options.size in (None, like.size)
        options = replace(
            options,
            size=self._canvas,
            alpha=options.alpha or brings_alpha,
            pixel_aspect=pixel_aspect_of(like) if is_own_size else Fraction(1),
        )
        super().__init__(target, like, options)

    def write(self, frame: Frame) -> None:
        """Fits a picture (H, W, 3) uint8 RGB into the video; see `VideoWriter.write`."""
        alpha = frame.alpha
        if alpha is not None and not self.has_alpha and not self._told_alpha:
            self._told_alpha = True
            tell_lost_alpha(self.target)
        alpha = fit_within(alpha, self._canvas) if alpha is not None and self.has_alpha else None
        shown = frame.image if self.has_alpha else frame.flattened()
        image = fit_within(shown, self._canvas)
        deep = frame.deep if image is frame.image else None
        is_cut = deep is None and frame.deep is not None and not frame.deep.has_eight_bits
        if is_cut and self._depth_source is not None:
            self._depth_source.note("pictures that get borders are written with 8 bits a channel")
        fitted = Frame(image, frame.time, frame.index, frame.rotation, alpha=alpha, deep=deep)
        super().write(fitted)


def _is_folder(like: Source, target: Path) -> bool:
    return like.kind == "folder" and not target.suffix


def _check_alpha(target: Path, like: Source | None) -> None:
    """Refuse what holds no alpha."""
    suffix = target.suffix.lower()
    is_clip = like is not None and like.kind != "image"
    numbered = numbered_output(target, like.kind if like else None) is not None
    if suffix in ALPHA or (suffix in ALPHA_SUFFIXES and (numbered or not is_clip)):
        return
    if suffix in ALPHA_SUFFIXES:
        NumberedName.needed(target, "a picture for each frame")
    what = f"{suffix or 'a name without a suffix'} holds no alpha"
    known = f"{target.stem}.mov (ProRes 4444), .webm or .mkv (VP9), or {target.stem}_%04d.png"
    raise FacewarpError(what, target, f"Call it {known}.")


def keeps_depth(target: Path, codec: str | None = None) -> bool:
    """Whether an output has more than 8 bits a channel."""
    suffix = target.suffix.lower()
    return is_deep_codec(codec) if suffix in FORMATS else suffix in DEEP_SUFFIXES


def is_video(target: Path) -> bool:
    """Whether a file is written as a video, by its suffix."""
    return target.suffix.lower() in FORMATS


def numbered_output(target: Path, kind: Kind | None = None) -> NumberedName | None:
    """Return the names of an output of numbered pictures; None where it is one file.

    A `#` or `%d` in the name of a video, or of what is made of a single picture, is no number.

    Args:
        target: what is written.
        kind: of what is read; None where that is not known.
    """
    if is_video(target) or kind == "image":
        return None
    return NumberedName.of(target)


def pixel_aspect_of(source: Source) -> Fraction:
    """Width of a pixel of a source's frames over its height; 1 for nearly all."""
    return source.sample_aspect.limit_denominator(1000)


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
    codec: str | None = None,
    quality: int | None = None,
) -> Sink:
    """Open the file or folder that frames are written to.

    A file appears when it is whole: an error inside the ``with`` leaves none, Ctrl-C what there is.

    Args:
        out_path: A video (.mp4, .m4v, .mov, .mkv, .webm), a picture, or a folder; see
            `target_for`.
        like: The source of the frames, which the output resembles and never overwrites.
        size: (width, height) px of the frames of a video, if not the source's.
        fps: Average frames a second of a video that comes from no video.
        audio: What becomes of the sound of a video; see `WriterOptions`. True and False stand for
            "copy" and "none".
        comment: What the metadata of every file says of it.
        alpha: Whether the frames have alpha, whatever the source has.
        first: Number of a clip's first frame, for numbered pictures.
        codec: One of `encoders.CODECS`, of a video.
        quality: 0 to 100, of a video; see `encoders.with_quality`.

    Raises:
        FacewarpError: The output can't be written, is an input, or does not fit the source.

    Example:
        >>> with facewarp.open_source("clip.mp4") as source:
        ...     with facewarp.open_sink("negative.mp4", like=source) as sink:
        ...         for frame in source:
        ...             sink.write(frame.with_image(255 - frame.image))
    """
    if first < 0:
        raise FacewarpError(f"a clip's first frame has no number {first}", fix="Count from 0 on.")
    how = "none" if audio is False else "copy" if audio is True else audio
    options = WriterOptions(
        size, fps, how, comment=comment, alpha=alpha, codec=codec, quality=quality
    )
    target = target_for(out_path, like)
    suffix = target.suffix.lower()
    if alpha:
        _check_alpha(target, like)
    if like is not None:
        _tell_losses(target, like, codec, alpha)
    if numbered_output(target, like.kind if like else None) is not None and codec is None:
        return SequenceWriter(target, like, comment, first=first, alpha=alpha)
    if suffix in FORMATS:
        if like is None or like.kind == "video":
            return VideoWriter(target, like, options)
        return ClipWriter(target, like, options)
    if codec is not None or quality is not None:
        what = "pictures have no codec or quality to choose"
        raise FacewarpError(what, target, "Leave --codec and --quality out, or write a video.")
    return _open_pictures(target, like, comment)


def _tell_losses(target: Path, like: Source, codec: str | None, alpha: bool) -> None:
    """Tell what of a source an output can't hold: bits of a channel, the shape of pixels."""
    suffix = target.suffix.lower()
    is_deep = like.is_deep and not alpha
    if is_deep and not (keeps_depth(target, codec) or _is_folder(like, target)):
        kept = "--codec hevc10, prores422 or prores4444, numbered .exr, .png or .tif keep more"
        like.note(f"more than 8 bits a channel are written with 8 to {target.name}; {kept}")
    if suffix in IMAGE_SUFFIXES and (aspect := pixel_aspect_of(like)) != 1:
        like.note(
            f"its pixels are {float(aspect):.4g} times as wide as high, which {suffix} does not "
            "tell: set it where the pictures are read, or write .exr, .dpx or a video"
        )


def _open_pictures(target: Path, like: Source | None, comment: str | None) -> Sink:
    """Open a picture, an animation or a folder of pictures.

    Raises:
        FacewarpError: It can't be written, is an input, or does not fit the source.
    """
    suffix = target.suffix.lower()
    if like is not None and like.kind == "animation" and suffix in ANIMATION_SUFFIXES:
        return AnimationWriter(target, like, comment)
    if isinstance(like, FolderSource):
        if suffix in IMAGE_SUFFIXES | PLATE_SUFFIXES:
            what = "a folder of pictures does not fit into one picture"
            raise FacewarpError(what, target, "Give a folder or a video as output.")
        return FolderWriter(target, like, comment)
    if suffix in IMAGE_SUFFIXES | PLATE_SUFFIXES:
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
    """Return the file or folder that `open_sink` will write to.

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
    """Return the name of a file made from a source: its own, with a suffix that can be written.

    Args:
        like: A video or picture.
        mark: What the name gets before its suffix.
    """
    name = name_for(like.path, like.kind)
    return f"{Path(name).stem}{mark}{Path(name).suffix}"


def name_for(source: Path, kind: Kind) -> str:
    """Name a file made from a video or picture that need not be open; see `name_of_output`."""
    path = source.resolve()
    suffix = path.suffix.lower()
    if kind == "image":
        return written_name(path)
    if suffix in FORMATS or (kind == "animation" and suffix in ANIMATION_SUFFIXES):
        return path.name
    return f"{path.stem}.mp4"
