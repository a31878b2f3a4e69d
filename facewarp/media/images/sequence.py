"""Numbered pictures: one file a frame, `f_%04d.png` or `f_####.exr`."""

from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, PLATE_SUFFIXES, Frame, Source
from facewarp.media.images.source import FolderSource, ImageSource
from facewarp.media.images.writer import ALPHA_SUFFIXES, ImageWriter
from facewarp.media.numbered_names import NumberedName
from facewarp.media.outputs import Output
from facewarp.media.plates.files import openimageio

FIRST: Final = 1
"""Number of a clip's first frame, as Nuke, Blender and FFmpeg count."""


class SequenceWriter(Output):
    """A numbered picture for every frame; each is complete when it appears, and stays.

    Args:
        target: the pattern of the names.
        like: where the frames come from.
        comment: see `ImageWriter`.
        first: see `number_of`.
        alpha: whether the pictures have to hold alpha; those of WebP are then lossless.

    Raises:
        FacewarpError: the pattern has no number, or its kind of file is not written.
    """

    def __init__(
        self,
        target: Path,
        like: Source | None,
        comment: str | None = None,
        *,
        first: int = FIRST,
        alpha: bool = False,
    ) -> None:
        super().__init__(target)
        self._name = NumberedName.needed(target, "a picture for each frame")
        self._like, self._comment, self._first, self._alpha = like, comment, first, alpha
        known = ALPHA_SUFFIXES if alpha else IMAGE_SUFFIXES | PLATE_SUFFIXES
        if self._name.suffix not in known:
            what = f"{self._name.suffix or 'a name without a suffix'} is not written as pictures"
            what += " with alpha" if alpha else ""
            raise FacewarpError(what, target, f"Use one of {', '.join(sorted(known))}.")
        if self._name.suffix in PLATE_SUFFIXES:
            openimageio()
        self._aspect = 1.0 if like is None else float(like.sample_aspect)
        self._inputs = {path.resolve() for path in getattr(like, "paths", ())}

    def write(self, frame: Frame) -> None:
        """Write the frame's picture.

        Raises:
            FacewarpError: it could not be written, or is one of the inputs.
        """
        target = self._name.path(number_of(frame, self._like, self._first))
        if target.resolve() in self._inputs:
            what = "output and input are the same file"
            raise FacewarpError(what, target, "Give the output another name.")
        like = None if frame.path is None else ImageSource(frame.path)  # its color profile
        with ImageWriter(
            target, like, self._comment, lossless=self._alpha, pixel_aspect=self._aspect
        ) as picture:
            picture.write(frame)
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if not self.kept and not keep_partial:
            raise FacewarpError("no picture was written", self.target)

    def abort(self) -> None:
        """Leave the pictures that are finished."""


def number_of(frame: Frame, source: Source | None, first: int = FIRST) -> int:
    """Return the number of a frame's file: its own, where it comes from numbered pictures.

    Args:
        frame: of the source.
        source: where it comes from.
        first: number of the first frame of what has no numbers.
    """
    if isinstance(source, FolderSource) and source.is_numbered:
        return frame.index
    return frame.index + first
