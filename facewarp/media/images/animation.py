"""Files of several pictures (animated WebP, APNG, AVIF, pages of TIFF) as the clips they are."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import PIL.Image

from facewarp.errors import FacewarpError
from facewarp.media.frames import STILL_RATE, Frame, Source, time_base_of
from facewarp.media.images.apng import Canvas
from facewarp.media.images.files import (
    DAMAGE,
    MAX_PIXELS,
    check_size,
    decode,
    open_picture,
    orientation_after_loading,
    pages_of,
    upright_size,
)
from facewarp.media.orientation import fit_within
from facewarp.media.plates.files import is_deep

_log = logging.getLogger(__name__)

_MAX_DURATION_MS = 3_600_000
_TRIED = 8  # pictures whose durations tell the average rate
_NO_DURATION_S = Fraction(1, 10)  # what browsers take for none


class AnimationSource(Source):
    """The pictures of one file, each for as long as the file says.

    Pages of TIFF have no durations; `rate` of them are shown a second, and pages of several sizes
    with borders at the largest.

    Args:
        path: The file.
        rate: Frames a second, in place of the file's own; None for those.
        start: The first second wanted.
        end: The second to stop before.

    Attributes:
        has_alpha: Whether its pictures can have alpha.
    """

    kind: Literal["animation"] = "animation"

    def __init__(
        self,
        path: Path,
        rate: Fraction | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        super().__init__(path)
        self.start, self.end = start, end
        self.time_base = Fraction(1, 1000)
        self._canvas: Canvas | None = None
        with open_picture(path) as picture:
            self._pages = pages_of(picture)
            self._is_timed = picture.format != "TIFF" and rate is None
            self.has_alpha = picture.has_transparency_data
            self.rotation = orientation_after_loading(picture).degrees
            self.size = self._largest(picture)
            self.rate = rate or (self._average(picture) if self._is_timed else STILL_RATE)
        if not self._is_timed:
            self.time_base = time_base_of(self.rate)
        if is_deep(path):
            self.note("several pictures of 16 bits a channel in one file are read as 8")
        self.frame_count = len(self._pages)

    def opened_at(self, start: float) -> "AnimationSource":
        """See `Source.opened_at`."""
        return AnimationSource(self.path, None if self._is_timed else self.rate, start)

    def __iter__(self) -> Iterator[Frame]:
        """Return the pictures of the range; they end early where the file is damaged."""
        self.exhausted = self.truncated = False
        time, count, is_cut = Fraction(0), 0, False
        with open_picture(self.path) as picture:
            for place, page in enumerate(self._pages):
                try:
                    picture.seek(page)
                    shown = decode(self._composed(picture, place), self.path)
                except (FacewarpError, *DAMAGE) as error:
                    _log.warning(
                        "%s: damaged, %d of %d pictures could be read (%s)",
                        *(self.path, place, len(self._pages), error),
                    )
                    self.truncated = True
                    break
                is_cut = self.end is not None and float(time) >= self.end
                if is_cut:
                    break
                if self.start is None or float(time) >= self.start:
                    alpha = None if shown.alpha is None else fit_within(shown.alpha, self.size)
                    image = fit_within(shown.image, self.size)
                    turn, told = shown.rotation, self.name
                    yield Frame(image, float(time), count, turn, alpha=alpha, source=told)
                    count += 1
                time += self._duration(picture) if self._is_timed else 1 / self.rate
                self.end_time = float(time)
        if not count:
            what = "there are no pictures in the range asked for"
            raise FacewarpError(what, self.path, "Change --start or --end.")
        self.exhausted = not is_cut

    def _composed(self, picture: PIL.Image.Image, place: int) -> PIL.Image.Image:
        """Return the picture that an open file is at, as all before it leave it."""
        if picture.format != "PNG":
            return picture
        if place == 0 or self._canvas is None:
            self._canvas = Canvas(self.path)
        picture.load()
        composed = PIL.Image.fromarray(self._canvas.picture(place))
        if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I"):
            composed = composed.convert("LA")  # a profile of gray is one of its values
        composed.info = {key: told for key, told in picture.info.items() if key != "transparency"}
        return composed

    def _largest(self, picture: PIL.Image.Image) -> tuple[int, int]:
        """(width, height) px in which every page of a TIFF fits; the canvas of other formats."""
        if picture.format != "TIFF":
            return upright_size(picture)
        sizes, refused = set(), None
        for page in self._pages:
            picture.seek(page)
            try:
                check_size(picture, self.path)
            except FacewarpError as error:  # told of again where its turn comes
                refused = refused or error
                continue
            sizes.add(upright_size(picture))
        if not sizes and refused is not None:
            raise refused
        width, height = max(size[0] for size in sizes), max(size[1] for size in sizes)
        if width * height > MAX_PIXELS:
            what = f"pages of {len(sizes)} sizes fit only into {width}x{height} pixels"
            raise FacewarpError(what, self.path, "Give a file with pages of one size.")
        if len(sizes) > 1:
            _log.warning("%s: pages of %d sizes are shown with borders", self.path, len(sizes))
        return width, height

    def _average(self, picture: PIL.Image.Image) -> Fraction:
        """Frames a second, by the durations of the first pictures."""
        durations = []
        for page in self._pages[:_TRIED]:
            try:
                picture.seek(page)
                picture.load()
            except DAMAGE:
                break
            durations.append(self._duration(picture))
        mean = sum(durations, Fraction(0)) / len(durations) if durations else _NO_DURATION_S
        return (1 / mean).limit_denominator(1001)

    def _duration(self, picture: PIL.Image.Image) -> Fraction:
        """Seconds that the picture just decoded is shown."""
        told = picture.info.get("duration", 0)
        if not isinstance(told, int | float) or not 0 < told < _MAX_DURATION_MS:
            return _NO_DURATION_S
        return Fraction(told).limit_denominator(1000) / 1000
