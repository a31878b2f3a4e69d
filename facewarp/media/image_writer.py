"""Pictures written one by one, each of them atomically."""

from pathlib import Path
from typing import Any

import PIL.ExifTags
import PIL.Image
import PIL.PngImagePlugin

from facewarp.errors import FacewarpError
from facewarp.media.frames import Frame, Source
from facewarp.media.image_source import FolderSource, ImageSource
from facewarp.media.outputs import Output
from facewarp.system.atomic_files import OutputFile, write_error

_SAVE: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".png": {"compress_level": 4},
    ".tif": {"compression": "tiff_lzw"},
    ".tiff": {"compression": "tiff_lzw"},
    ".webp": {"quality": 95},
}


class ImageWriter(Output):
    """One picture file, its kind told by the suffix.

    Args:
        target: The file.
        like: The source, which is not overwritten and whose colour profile is carried along.
        comment: What the file's metadata says of it: a text chunk "Comment" of a PNG, a comment of
            a JPEG, else the description in its Exif data.
    """

    def __init__(
        self, target: Path, like: Source | None = None, comment: str | None = None
    ) -> None:
        super().__init__(target)
        self._comment = comment
        self._output = OutputFile(target, [like.path] if like else [])
        self._profile = like.icc_profile if isinstance(like, ImageSource) else None

    def write(self, frame: Frame) -> None:
        """Writes the picture, (H, W, 3) uint8 RGB.

        Raises:
            FacewarpError: It could not be written, or there was one already.
        """
        if self.kept:
            what = "a picture file holds one picture, and more came"
            raise FacewarpError(what, self.target, "Write to a folder or a video.")
        suffix = self.target.suffix.lower()
        options = _SAVE.get(suffix, {}) | _comment_options(suffix, self._comment)
        try:
            PIL.Image.fromarray(frame.image).save(
                self._output.temporary, icc_profile=self._profile, **options
            )
        except (OSError, ValueError) as error:
            raise write_error(error, self.target) from error
        self.kept = 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if self.kept:
            self._output.commit()
            return
        self._output.discard()
        if not keep_partial:
            raise FacewarpError("no picture was written", self.target)

    def abort(self) -> None:
        """See `Output.abort`."""
        self.kept = 0
        self._output.discard()


class FolderWriter(Output):
    """A picture for every picture of a folder, under the same name.

    Each is complete when it appears, so those that are there stay whatever happens later.

    Args:
        target: The folder, made if missing; not the one the pictures come from.
        like: Where the pictures come from.
        comment: See `ImageWriter`.
    """

    def __init__(self, target: Path, like: FolderSource, comment: str | None = None) -> None:
        super().__init__(target)
        self._comment = comment
        self._paths = like.paths
        if target.exists() and target.samefile(like.path):
            what = "output and input are the same folder"
            raise FacewarpError(what, target, "Give the output another name.")
        inputs = {_identity(path) for path in like.paths}
        for path in like.paths:  # a link among the outputs may lead back to an input
            goal = target / path.name
            if goal.exists() and _identity(goal) in inputs:
                what = "output and input are the same file"
                raise FacewarpError(what, goal, "Give the output another folder.")
        OutputFile(target / like.paths[0].name).discard()

    def write(self, frame: Frame) -> None:
        """Writes the picture, (H, W, 3) uint8 RGB, under the name of the one it was made from.

        Raises:
            FacewarpError: It could not be written.
        """
        path = self._paths[frame.index]
        with ImageWriter(self.target / path.name, ImageSource(path), self._comment) as picture:
            picture.write(frame)
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if not self.kept and not keep_partial:
            raise FacewarpError("no picture was written", self.target)

    def abort(self) -> None:
        """Leaves the pictures that are finished."""


def _comment_options(suffix: str, comment: str | None) -> dict[str, Any]:
    """What Pillow is told to write a comment into a file of this kind."""
    if comment is None:
        return {}
    if suffix == ".png":
        info = PIL.PngImagePlugin.PngInfo()
        info.add_text("Comment", comment)
        return {"pnginfo": info}
    if suffix in (".jpg", ".jpeg"):
        return {"comment": comment}
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.ImageDescription] = comment
    return {"exif": exif}


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino
