"""Pictures written one by one, or several into one file, each file atomically."""

import logging
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.PngImagePlugin
from PIL.TiffImagePlugin import AppendingTiffWriter

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, PLATE_SUFFIXES, Frame, Source
from facewarp.media.images.source import FolderSource, ImageSource
from facewarp.media.orientation import fit_within
from facewarp.media.outputs import Output
from facewarp.media.plates import files as plates
from facewarp.system.atomic_files import OutputFile, write_error

_log = logging.getLogger(__name__)

ANIMATION_SUFFIXES: Final = frozenset({".apng", ".png", ".tif", ".tiff", ".webp"})
"""Pictures that hold several, and alpha."""
ALPHA_SUFFIXES: Final = ANIMATION_SUFFIXES | {".avif"}
"""Pictures that hold alpha."""

_JPEG: dict[str, Any] = {"quality": 95, "subsampling": 0}
_PNG: dict[str, Any] = {"compress_level": 4}
_TIFF: dict[str, Any] = {"compression": "tiff_lzw"}
_SAVE: dict[str, dict[str, Any]] = {
    **dict.fromkeys((".jfif", ".jpe", ".jpeg", ".jpg"), _JPEG),
    **dict.fromkeys((".apng", ".png"), _PNG),
    **dict.fromkeys((".tif", ".tiff"), _TIFF),
    ".avif": {"quality": 90, "subsampling": "4:4:4", "speed": 8},
    ".webp": {"quality": 95},
}
_PROFILE_SUFFIXES = frozenset(_SAVE)  # pictures that hold a color profile
_FORMATS = {".apng": "PNG", ".png": "PNG", ".webp": "WEBP"}
_MAX_APNG_BYTES = 3 << 30  # Pillow holds all of an APNG's pictures until it is written


class ImageWriter(Output):
    """One picture file, its kind told by the suffix, with the frame's alpha where it holds it.

    Args:
        target: The file.
        like: The source, which is not overwritten and whose color profile is carried along.
        comment: What the file's metadata says of it: a text chunk "Comment" of a PNG, a comment of
            a JPEG, else the description in its Exif data.
        lossless: Whether a WebP keeps every value.
        pixel_aspect: Width of a pixel over its height, which plates tell; by default the source's.
    """

    def __init__(
        self,
        target: Path,
        like: Source | None = None,
        comment: str | None = None,
        *,
        lossless: bool = False,
        pixel_aspect: float | None = None,
    ) -> None:
        super().__init__(target)
        self._aspect = pixel_aspect or (1.0 if like is None else float(like.sample_aspect))
        self._comment, self._lossless = comment, lossless
        self._output = OutputFile(target, [like.path] if like else [])
        self._profile = like.icc_profile if isinstance(like, ImageSource) else None

    def write(self, frame: Frame) -> None:
        """Write the picture, (H, W, 3) uint8 RGB.

        Raises:
            FacewarpError: It could not be written, or there was one already.
        """
        if self.kept:
            what = "a picture file holds one picture, and more came"
            raise FacewarpError(what, self.target, "Write to a folder or a video.")
        suffix = self.target.suffix.lower()
        options = _SAVE.get(suffix, {}) | _comment_options(suffix, self._comment)
        if self._lossless and suffix == ".webp":
            options |= {"lossless": True, "exact": True, "quality": 50}
        is_same = frame.path is not None and frame.path.suffix.lower() == suffix
        holds_alpha = suffix in ALPHA_SUFFIXES or suffix == ".exr" or is_same
        if frame.alpha is not None and not holds_alpha:
            tell_lost_alpha(self.target)
        try:
            keeps_bits = frame.deep is not None and not frame.deep.has_eight_bits
            if suffix in PLATE_SUFFIXES or (keeps_bits and suffix in plates.DEEP_SUFFIXES):
                place, like = self._output.temporary, frame.path
                plates.write_plate(
                    place,
                    frame.image,
                    frame.deep,
                    like,
                    self._comment,
                    frame.alpha,
                    pixel_aspect=self._aspect,
                )
            else:
                stored, profile = _in_own_colors(frame, suffix)
                _to_pillow(stored, suffix).save(
                    self._output.temporary, icc_profile=profile or self._profile, **options
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


class _Pages(AppendingTiffWriter):
    """Pillow's writer of TIFF pages, which may be closed twice.

    As an `io.BytesIO` it is closed once more when it is collected, which from Python 3.13 on writes
    a traceback to the terminal where the file below is closed already.
    """

    def close(self) -> None:
        if not self.f.closed:
            super().close()


class AnimationWriter(Output):
    """An animated WebP or PNG, or a TIFF of several pages, with alpha.

    Frames go to a TIFF first, which is the result or is encoded from when it is complete: so no
    more than one is held at a time (but APNG: Pillow holds them all while it encodes).

    Args:
        target: The file, of a suffix in `ANIMATION_SUFFIXES`.
        like: The source, which is not overwritten and tells the size and how long the last
            picture is shown.
        comment: See `ImageWriter`.

    Raises:
        FacewarpError: The file can't be written, or would be too large.
    """

    def __init__(self, target: Path, like: Source, comment: str | None = None) -> None:
        super().__init__(target)
        self._like, self._comment, self._suffix = like, comment, target.suffix.lower()
        self._size: tuple[int, int] | None = None
        self._times: list[float] = []
        self._output = OutputFile(target, [like.path])
        self._pages = self._output.temporary.with_suffix(".pages.tif")
        if self._suffix in (".tif", ".tiff"):
            self._pages = self._output.temporary
        try:
            self._tiff = _Pages(str(self._pages), new=True)
        except OSError as error:
            self.abort()
            raise write_error(error, target) from error

    def write(self, frame: Frame) -> None:
        """Write the next picture, (H, W, 3) uint8 RGB; the first tells the size of all.

        Raises:
            FacewarpError: It could not be written.
        """
        height, width = frame.image.shape[:2]
        self._size = self._size or (width, height)
        is_png = _FORMATS.get(self._suffix) == "PNG"
        if is_png and (self.kept + 1) * 4 * width * height > _MAX_APNG_BYTES:
            what = "the pictures are too many for an animated PNG"
            raise FacewarpError(what, self.target, "Write a video, .webp or .tif.")
        alpha = None if frame.alpha is None else fit_within(frame.alpha, self._size)
        fitted = Frame(fit_within(frame.image, self._size), frame.time, frame.index, alpha=alpha)
        options = _SAVE[".tif"] | _comment_options(".tif", self._comment if not self.kept else None)
        try:
            _to_pillow(fitted, ".tif").save(self._tiff, "TIFF", **options)
            self._tiff.newFrame()
        except (OSError, ValueError, RuntimeError, struct.error) as error:
            raise write_error(error, self.target) from error
        self._times.append(frame.time)
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if not self.kept:
            self.abort()
            if keep_partial:
                return
            raise FacewarpError("no picture was written", self.target)
        try:
            self._tiff.close()
            if self._pages != self._output.temporary:
                self._encode()
                self._pages.unlink(missing_ok=True)
        except (OSError, ValueError, MemoryError, struct.error) as error:
            self.abort()
            raise write_error(error, self.target) from error
        self._output.commit()

    def abort(self) -> None:
        """See `Output.abort`."""
        self.kept = 0
        self._pages.unlink(missing_ok=True)
        self._output.discard()

    def _encode(self) -> None:
        """Encode the pages of the TIFF as one animation."""
        options = _SAVE[self._suffix] | _comment_options(self._suffix, self._comment)
        with PIL.Image.open(self._pages) as pages:
            pages.save(
                self._output.temporary,
                _FORMATS[self._suffix],
                save_all=True,
                duration=self._durations_ms(),
                loop=0,
                **options,
            )

    def _durations_ms(self) -> list[int]:
        ends = [*self._times[1:], self._end()]
        return [
            max(1, round(1000 * (end - begin)))
            for begin, end in zip(self._times, ends, strict=True)
        ]

    def _end(self) -> float:
        """When the last picture ends, s."""
        told = self._like.end_time
        return told if told > self._times[-1] else self._times[-1] + 1 / self._like.fps


class FolderWriter(Output):
    """A picture for every picture of a folder, under the same name.

    What is read only (HEIC) becomes a JPEG. Each is complete when it appears, so those that are
    there stay whatever happens later.

    Args:
        target: The folder, made if missing; not the one the pictures come from.
        like: Where the pictures come from.
        comment: See `ImageWriter`.
    """

    def __init__(self, target: Path, like: FolderSource, comment: str | None = None) -> None:
        super().__init__(target)
        self._comment = comment
        if target.exists() and target.samefile(like.folder):
            what = "output and input are the same folder"
            raise FacewarpError(what, target, "Give the output another name.")
        self._names = _written_names(like.paths)
        inputs = {_identity(path) for path in like.paths}
        for name in self._names.values():  # a link among the outputs may lead back to an input
            goal = target / name
            if goal.exists() and _identity(goal) in inputs:
                what = "output and input are the same file"
                raise FacewarpError(what, goal, "Give the output another folder.")
        OutputFile(target / self._names[like.paths[0]]).discard()

    def write(self, frame: Frame) -> None:
        """Write the picture, (H, W, 3) uint8 RGB, under the name of the one it was made from.

        Raises:
            FacewarpError: It could not be written.
        """
        assert frame.path is not None
        target = self.target / self._names[frame.path]
        with ImageWriter(target, ImageSource(frame.path), self._comment) as picture:
            picture.write(frame)
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        if not self.kept and not keep_partial:
            raise FacewarpError("no picture was written", self.target)

    def abort(self) -> None:
        """Leaves the pictures that are finished."""


def written_name(path: Path) -> str:
    """Name a picture's output: with .jpg, if its kind is read only."""
    if path.suffix.lower() in IMAGE_SUFFIXES | PLATE_SUFFIXES:
        return path.name
    from facewarp.media.images.files import has_alpha

    return f"{path.stem}.png" if has_alpha(path) else f"{path.stem}.jpg"


def tell_lost_alpha(target: Path) -> None:
    """Say that an output can't hold the transparency of its input, and what can."""
    _log.warning(
        "%s: transparency is not kept in %s, what was transparent is black; %s",
        target,
        target.suffix.lower(),
        ", ".join(sorted(ALPHA_SUFFIXES)) + ", of videos .mkv, .mov and .webm keep it",
    )


def _written_names(paths: list[Path]) -> dict[Path, str]:
    """Name each picture's output; where two would be the same, with the old suffix too."""
    names: dict[Path, str] = {}
    taken = {path.name for path in paths}
    for path in paths:
        name = written_name(path)
        if name != path.name and name in taken:
            name = f"{path.name}{Path(name).suffix}"
        names[path] = name
        taken.add(name)
    return names


def _in_own_colors(frame: Frame, suffix: str) -> tuple[Frame, bytes | None]:
    """Return a frame with the codes of its own profile, and that; as it is where none fits."""
    deep = frame.deep
    profile = None if deep is None else deep.profile
    if deep is None or not deep.has_eight_bits or profile is None or profile.icc is None:
        return frame, None
    if suffix not in _PROFILE_SUFFIXES:
        return frame, None
    return replace(frame, image=np.asarray(deep.codes, np.uint8), deep=None), profile.icc


def _to_pillow(frame: Frame, suffix: str) -> PIL.Image.Image:
    """Return a frame for Pillow: with its alpha where the kind of file holds it, else on black."""
    if frame.alpha is None:
        return PIL.Image.fromarray(frame.image)
    if suffix in ALPHA_SUFFIXES:
        return PIL.Image.fromarray(np.dstack([frame.image, frame.alpha]))
    return PIL.Image.fromarray(frame.flattened())


def _comment_options(suffix: str, comment: str | None) -> dict[str, Any]:
    """Return what Pillow is told to write a comment into a file of this kind."""
    if comment is None:
        return {}
    if suffix in (".png", ".apng"):
        info = PIL.PngImagePlugin.PngInfo()
        info.add_text("Comment", comment)
        return {"pnginfo": info}
    if suffix in (".jpg", ".jpeg", ".jpe", ".jfif"):
        return {"comment": comment}
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.ImageDescription] = comment
    return {"exif": exif}


def _identity(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino
