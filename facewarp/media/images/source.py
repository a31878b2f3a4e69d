"""Still pictures as sources: one file, or the files of a folder or of a numbered sequence."""

import fnmatch
import itertools
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal

from facewarp.errors import FacewarpError
from facewarp.media.colors.numbers import has_gain_map
from facewarp.media.colors.profiles import srgb_profile
from facewarp.media.frames import (
    IMAGE_SUFFIXES,
    PLATE_SUFFIXES,
    READ_ONLY_SUFFIXES,
    Frame,
    Source,
    time_base_of,
)
from facewarp.media.images.files import (
    UNREAD_KINDS,
    format_of,
    has_alpha,
    open_picture,
    orientation_after_loading,
    pages_of,
    read_picture,
    upright_size,
)
from facewarp.media.numbered_names import NumberedName
from facewarp.media.plates import files as plates
from facewarp.system.installation import install_command

_log = logging.getLogger(__name__)

_READABLE = "Save it again as PNG or JPEG."
_READ = IMAGE_SUFFIXES | READ_ONLY_SUFFIXES | PLATE_SUFFIXES
_SHOWN = 3  # of what is missing or left out, named one by one


class ImageSource(Source):
    """One picture as a source of one frame at time 0.

    Attributes:
        icc_profile: The color profile of a picture whose codes are sRGB, for a copy to carry; else
            None: profiles of other colors go along with the frame's own codes.
    """

    kind: Literal["image"] = "image"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.icc_profile: bytes | None = None
        self.frame_count = 1
        if path.suffix.lower() in PLATE_SUFFIXES:
            self.size = plates.size_of(path)
            self.sample_aspect = Fraction(plates.pixel_aspect_of(path))
            return
        with open_picture(path) as picture:
            self.size = upright_size(picture)
            self.rotation = orientation_after_loading(picture).degrees
            self.icc_profile = srgb_profile(picture)

    @property
    def is_deep(self) -> bool:
        """Whether it is read with more than 8 bits a channel."""
        return reads_deep(self.path)

    def __iter__(self) -> Iterator[Frame]:
        """Return the one frame."""
        self.exhausted = False
        yield _frame(self.path, 0.0, 0, self.note)
        self.exhausted = True


class FolderSource(Source):
    """The pictures of a folder in natural order ("2.png" before "10.png"), not of its folders.

    With a pattern in place of the folder, such as ``shots/%04d.png`` or ``shots/*.png``, those
    that fit. A picture that can't be read is left out with a warning. Its index stays unused.

    A numbered pattern (``%04d``, ``####``) is a clip: the pictures follow one another in time,
    their indices are the numbers in their names, and a number that is missing is time in which the
    picture before stays. A folder becomes a clip where a rate is given.

    Args:
        path: The folder or pattern.
        rate: Frames a second of a clip; None for `STILL_RATE` and what the path says.
        start: Where in a clip to begin, s.
        end: Where in it to stop, s.

    Attributes:
        paths: The pictures.
        indices: Of their frames: numbers of a numbered sequence, else their places in ``paths``.
        is_numbered: Whether the path is a pattern with a number.
    """

    kind: Literal["folder"] = "folder"

    def __init__(
        self,
        path: Path,
        rate: Fraction | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(path)
        self.paths = sorted(self._entries(), key=natural_order)
        if not self.paths:
            raise FacewarpError(*_nothing_in(path))
        self.indices = list(range(len(self.paths)))
        self.is_numbered = is_pattern(path) and NumberedName.of(path) is not None
        self.is_clip = self.is_numbered or rate is not None
        self.rate = rate or self.rate
        self.time_base = time_base_of(self.rate)
        if self.is_numbered:
            self._number()
        elif self.is_clip:
            self._tell_gaps()
        self.start, self.end = start, end
        if not self.is_clip and (start is not None or end is not None):
            what = "start and end are for videos, this is pictures"
            raise FacewarpError(what, path, "Omit them, or give --fps if the pictures are a clip.")
        self.frame_count = len(self.paths)
        for picture in self.paths:
            try:
                first = ImageSource(picture)
                self.size, self.sample_aspect = first.size, first.sample_aspect
            except FacewarpError as error:
                problem = error
                continue
            return
        what = f"none of the folder's pictures can be read; the last: {problem.what}"
        raise FacewarpError(what, path, problem.fix)

    def opened_at(self, start: float) -> "FolderSource":
        """See `Source.opened_at`."""
        return FolderSource(self.path, self.rate if self.is_clip else None, start)

    @cached_property
    def has_alpha(self) -> bool:
        """Whether any of the pictures can have alpha, by their headers."""
        return any(map(has_alpha, self.paths))

    @property
    def is_deep(self) -> bool:
        """Whether the first picture is read with more than 8 bits a channel."""
        return reads_deep(self.paths[0])

    @property
    def folder(self) -> Path:
        """Where the pictures are."""
        return self.path.parent if is_pattern(self.path) else self.path

    @cached_property
    def largest_size(self) -> tuple[int, int]:
        """(width, height) px in which every picture fits, for a video of them all."""
        sizes = Counter(filter(None, map(_size_of, self.paths)))
        if len(sizes) > 1:
            width, height = (max(size[axis] for size in sizes) for axis in (0, 1))
            _log.warning(
                "%s: pictures of %d sizes; they are shown with borders in %dx%d",
                *(self.path, len(sizes), width, height),
            )
            return width, height
        return self.size

    def __iter__(self) -> Iterator[Frame]:
        """Return the pictures, `rate` of them a second."""
        self.exhausted, self.truncated = False, False
        first = self.indices[0]
        for index, path in zip(self.indices, self.paths, strict=True):
            time = float((index - first) / self.rate)
            if self.start is not None and time < self.start:
                continue
            if self.end is not None and time >= self.end:
                break
            try:
                frame = _frame(path, time, index, self.note)
            except FacewarpError as error:
                _log.warning("left out: %s", error)
                self.truncated = True
                continue
            yield frame
        self.exhausted = True

    def _entries(self) -> list[Path]:
        folder, fits = self.folder, re.compile("")
        if folder != self.path:
            fits = _pattern(self.path.name)
        try:
            entries = [entry for entry in folder.iterdir() if fits.match(entry.name)]
        except OSError as error:
            what = "the folder can't be read"
            raise FacewarpError(what, folder, "Check its permissions.") from error
        unread = [e for e in entries if e.suffix.lower() in UNREAD_KINDS and e.is_file()]
        if unread:
            names = _some(sorted(entry.name for entry in unread))
            _log.warning("%s: left out, pictures of kinds that are not read: %s", folder, names)
        return [entry for entry in entries if _is_picture(entry)]

    def _number(self) -> None:
        """Take the numbers in the names as indices, and tell which are missing."""
        pattern = _pattern(self.path.name)
        numbers: dict[int, Path] = {}
        for path in self.paths:
            found = pattern.match(path.name)
            assert found is not None
            numbers.setdefault(int(found[1]), path)
        self.indices = sorted(numbers)
        self.paths = [numbers[number] for number in self.indices]
        if missing := _missing(self.indices):
            _log.warning("%s: %s; the picture before stays for as long", self.path, missing)

    def _tell_gaps(self) -> None:
        """Tell which numbers are missing where names count pictures; they take no time then."""
        found = [re.fullmatch(r"(.*?)(\d+)(\D*)", path.name) for path in self.paths]
        names = [name for name in found if name is not None]
        frames = {(name[1], name[3]) for name in names}
        if len(names) < len(self.paths) or len(frames) > 1:
            return
        numbers = [int(name[2]) for name in names]
        steps = Counter(after - before for before, after in itertools.pairwise(numbers))
        missing = _missing(numbers)
        if missing and steps.most_common(1)[0][0] == 1:
            before, digits, after = names[0].groups()
            pattern = self.path / f"{before}%0{len(digits)}d{after}"
            _log.warning(
                "%s: %s; the picture after follows at once: name %s to keep their time",
                *(self.path, missing, pattern),
            )


def _missing(numbers: list[int]) -> str:
    """Say which numbers are missing among rising ones; nothing where none is."""
    gaps = [(a + 1, b - 1) for a, b in itertools.pairwise(numbers) if b - a > 1]
    count = sum(last - first + 1 for first, last in gaps)
    spans = [str(a) if a == b else f"{a} to {b}" for a, b in gaps]
    is_one = count == 1
    return f"{count} number{' is' if is_one else 's are'} missing ({_some(spans)})" if gaps else ""


def reads_deep(path: Path) -> bool:
    """Whether a picture is read with more than 8 bits a channel."""
    return plates.is_deep(path) and plates.has_openimageio()


def natural_order(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Return a sorting key under which the numbers in names count as numbers.

    A minus after an underscore, a dot or a space, or at the beginning, is the sign of its number.
    """
    parts = re.split(r"((?:(?<![^._ ])-)?\d+)", path.stem.casefold())
    key = [(0, int(part)) if place % 2 else (1, part) for place, part in enumerate(parts)]
    return key, path.name


def is_pattern(path: Path) -> bool:
    """Whether a path that is not there is a sequence: ``%04d``, ``####``, ``*``, ``?`` or ``[``."""
    try:
        if path.exists():
            return False
    except (OSError, ValueError):  # a NUL in the name, or one that is too long
        return False
    return NumberedName.of(path) is not None or re.search(r"[*?\[]", path.name) is not None


def _pattern(name: str) -> re.Pattern[str]:
    """Return what fits a pattern; the number of a numbered one is its first group."""
    numbered = NumberedName.of(Path(name))
    return re.compile(fnmatch.translate(name)) if numbered is None else numbered.pattern


def _is_picture(path: Path) -> bool:
    is_shown = not path.name.startswith(".")
    return is_shown and path.suffix.lower() in _READ and path.is_file()


def _frame(path: Path, time: float, index: int, note: Callable[[str], None]) -> Frame:
    """Return a picture file as a frame; tells of pictures in the file that are left out."""
    if path.suffix.lower() in PLATE_SUFFIXES or reads_deep(path):
        image, alpha, deep = plates.read_plate(path, note)
        return Frame(image, time, index, alpha=alpha, path=path, deep=deep)
    if plates.is_deep(path):
        note(f"16 bits a channel are read as 8; to keep them: {install_command('plates')}")
    with open_picture(path) as opened:
        pages = pages_of(opened)
        if opened.mode.startswith("I") or opened.mode == "F":
            note("gray of more than 8 bits is read and written with 8")
    if len(pages) > 1:
        _log.warning("%s holds %d pictures; the first is taken", path, len(pages))
    picture = read_picture(path, pages[0])
    if picture.told is not None:
        note(picture.told)
    if has_gain_map(path, format_of(path)):
        note("the map that makes it HDR is left out: the ordinary picture is read and written")
    return Frame(
        picture.image,
        time,
        index,
        picture.rotation,
        alpha=picture.alpha,
        path=path,
        deep=picture.deep,
    )


def _size_of(path: Path) -> tuple[int, int] | None:
    try:
        return ImageSource(path).size
    except FacewarpError:
        return None


def _nothing_in(path: Path) -> tuple[str, Path, str]:
    kinds = ", ".join(sorted(suffix.lstrip(".") for suffix in _READ))
    pattern = is_pattern(path)
    what = "no pictures have such names" if pattern else "the folder holds no pictures"
    return what, path, f"Known kinds: {kinds}."


def _some(names: list[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
