"""A frame and where frames come from: what every reader and writer speaks of."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.media.transfer import Profile, Transfer, from_display, to_display
from facewarp.system.closing import Closing

_log = logging.getLogger(__name__)

Image = NDArray[np.uint8]
Kind = Literal["video", "image", "animation", "folder", "camera", "stream"]

IMAGE_SUFFIXES = frozenset(
    {
        ".apng", ".avif", ".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif",
        ".tiff", ".webp",
    }
)  # fmt: skip
"""Pictures that are read and written."""
PLATE_SUFFIXES = frozenset({".dpx", ".exr"})
"""Plates of film and effects, which are read and written with the extra `plates`."""
READ_ONLY_SUFFIXES = frozenset(
    {
        ".dib", ".heic", ".heif", ".hif", ".ico", ".pbm", ".pcx", ".pgm", ".pnm", ".sgi", ".tga",
    }
)  # fmt: skip
"""Pictures that are read only; what is drawn on them is written as JPEG, or PNG with alpha."""
STILL_RATE = Fraction(25)
"""Frames a second that pictures count as, which have no clock of their own."""


_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


class Codes(Protocol):
    """A picture as its video stores it; see `facewarp.media.yuv.codes.StoredCodes`."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        ...

    def image(self) -> Image:
        """Return the upright image (H, W, 3), the same at every call."""
        ...

    def viewed(self) -> Image:
        """Return what stands in for that image, and makes only those windows that are asked for."""
        ...

    def canvas(self) -> Image:
        """Return what stands in for a copy of that image, to be painted on."""
        ...


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright: what the file says about turning is already done.
            Never changed in place: a sink may still be writing it.
        time: Seconds on the file's own clock, strictly increasing along a source.
        index: 0-based position among the frames of the source's range.
        rotation: Degrees, clockwise, by which the stored picture was turned to stand upright:
            0, 90, 180 or 270.
        alpha: (H, W) uint8, 255 = opaque, of pictures that have it; None where all is opaque.
        path: The file it was read from, where a source has one for each frame; else None.
        source: The name of the clip it is a frame of; None for cameras and streams.
        hdr: The picture before it was brought to what `image` can show; only if it was asked for.
        deep: The picture with all bits that its source has, of plates and where they are asked for.
        codes: The picture as a video stores it, from which `image` was made; only if asked for.
        shown: What `codes` show, where `image` is something else since: it was painted.

    Example:
        >>> frame = next(facewarp.read_video("clip.mp4"))
        >>> frame.time, frame.index, frame.image.shape
        (0.0, 0, (600, 800, 3))
        >>> negative = frame.with_image(255 - frame.image)  # the same moment
    """

    image: Image
    time: float
    index: int
    rotation: int = 0
    alpha: Image | None = field(default=None, kw_only=True)
    path: Path | None = field(default=None, kw_only=True)
    source: str | None = field(default=None, kw_only=True)
    hdr: "HDRImage | None" = field(default=None, kw_only=True)
    deep: "DeepImage | None" = field(default=None, kw_only=True)
    codes: Codes | None = field(default=None, kw_only=True, repr=False)
    shown: Image | None = field(default=None, kw_only=True, repr=False)

    @property
    def file(self) -> str | None:
        """The name of the file it comes from, its own or that of its clip."""
        return self.source if self.path is None else self.path.name

    def with_image(self, image: Image) -> "Frame":
        """Return the same moment with another picture (H, W, 3), which a sink can be given.

        The alpha goes along where the sizes agree.
        """
        fits = self.alpha is not None and self.alpha.shape == image.shape[:2]
        codes = self.codes if image.shape == self.image.shape else None
        keeps_hdr = self.hdr is not None and self.hdr.codes.shape == image.shape
        return replace(
            self,
            image=image,
            alpha=self.alpha if fits else None,
            hdr=self.hdr if keeps_hdr else None,
            deep=self.deep if image is self.image else None,
            codes=codes,
            shown=None if codes is None else self.image if self.shown is None else self.shown,
        )

    def packed(self) -> "Frame":
        """Drop the frame's image where `unpacked` can make it again: half of the memory."""
        return self if self.codes is None else replace(self, image=_NO_IMAGE)

    def unpacked(self) -> "Frame":
        """Return the frame with its image."""
        if self.codes is None or self.image is not _NO_IMAGE:
            return self
        return replace(self, image=self.codes.image())

    @property
    def viewed(self) -> Image:
        """The image for whoever looks at a few windows of it: of a packed frame only they are made.

        It may be an array-like of its shape, whose slices are arrays; see `yuv.views.ViewedImage`.
        """
        if self.codes is None or self.image is not _NO_IMAGE:
            return self.image
        return self.codes.viewed()

    def on_canvas(self) -> "Frame | None":
        """Return the frame with an image to paint on, of which only what is used is made.

        It stands in for an array, see `yuv.views.Canvas`. None where the frame is not packed.
        """
        if self.codes is None or self.image is not _NO_IMAGE:
            return None
        return replace(self, image=self.codes.canvas())

    @classmethod
    def of_codes(
        cls, codes: Codes, time: float, index: int, rotation: int, source: str | None
    ) -> "Frame":
        """Return a packed frame: its image is made when it is unpacked."""
        return cls(_NO_IMAGE, time, index, rotation, codes=codes, source=source)

    @property
    def nbytes(self) -> int:
        """Size of all its pictures in memory."""
        size = self.image.nbytes + (0 if self.alpha is None else self.alpha.nbytes)
        size += 0 if self.hdr is None else self.hdr.codes.nbytes
        size += 0 if self.codes is None else self.codes.nbytes
        return size + (0 if self.deep is None else self.deep.codes.nbytes)

    def flattened(self) -> Image:
        """Return the image (H, W, 3) as it looks on black, for what holds no alpha."""
        if self.alpha is None:
            return self.image
        opaque = (self.image.astype(np.uint16) * self.alpha[..., None] + 127) // 255
        return opaque.astype(np.uint8)


@dataclass(frozen=True, eq=False)
class HDRImage:
    """A picture of high dynamic range, and what it was shown as.

    Attributes:
        codes: (H, W, 3) uint16, R'G'B' codes of the video's own transfer and primaries, full range.
        shown: (H, W, 3) uint8, the same as BT.709: where a painted image differs, it was painted.
    """

    codes: NDArray[np.uint16]
    shown: Image


@dataclass(frozen=True, eq=False)
class DeepImage:
    """A picture whose values are not those that a screen shows: of more bits, or other colors.

    Attributes:
        codes: (H, W, 3) uint8 or uint16, the whole range, or float32, where 1 is white.
        transfer: What the values are.
        to_bt709: (3, 3), light of these values to that of BT.709's primaries, which a screen shows;
            None where they are the same, or not told.
        profile: What the codes mean, in place of the two, where a color profile tells it.
    """

    codes: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
    transfer: Transfer = "display"
    to_bt709: NDArray[np.float32] | None = None
    profile: Profile | None = None

    @property
    def has_eight_bits(self) -> bool:
        """Whether it is of other colors only, and not of more bits."""
        return self.codes.dtype == np.uint8

    @property
    def _top(self) -> int:
        """The largest of whole codes."""
        return 255 if self.has_eight_bits else 65_535

    @property
    def is_display(self) -> bool:
        """Whether its values are codes that a screen takes."""
        return self.transfer == "display" and self.profile is None and self.to_bt709 is None

    def shown(self) -> Image:
        """Return what a screen shows of it, (H, W, 3) uint8."""
        if self.codes.dtype == np.uint16 and self.is_display:
            return np.asarray((self.codes.astype(np.uint32) + 128) // 257, np.uint8)
        shown = np.nan_to_num(self.display(np.s_[:, :]), nan=0.0, posinf=1.0, neginf=0.0)
        return np.rint(255 * shown.clip(0, 1)).astype(np.uint8)

    def display(self, window: tuple[slice, slice]) -> NDArray[np.float32]:
        """Return the display codes of a part, float32, white at 1 and light above it beyond."""
        values = self.codes[window].astype(np.float32)
        if self.codes.dtype != np.float32:
            values /= np.float32(self._top)
        if self.profile is not None:
            return self.profile.to_display(values)
        if self.to_bt709 is not None:
            values = values @ self.to_bt709.T
        return to_display(values, self.transfer)

    def coded(
        self, display: NDArray[np.float32]
    ) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]:
        """Return display codes as values of this picture's kind; the inverse of `display`."""
        if self.profile is not None:
            values = self.profile.from_display(display)
        else:
            values = from_display(display, self.transfer)
            if self.to_bt709 is not None:
                values = values @ np.linalg.inv(self.to_bt709).T
        if self.codes.dtype == np.float32:
            return values
        kind = np.uint8 if self.has_eight_bits else np.uint16
        return np.rint(self._top * values.clip(0, 1)).astype(kind)


def time_base_of(rate: Fraction) -> Fraction:
    """Return a step of time, s, of which a frame at a constant rate takes a whole number."""
    return Fraction(1, rate.numerator * max(1, 90_000 // rate.numerator))


class Source(Closing, ABC):
    """A file, a folder, a camera or a stream as a sequence of `Frame`.

    Iterating reads from the start again each time. As a context manager it closes what reading
    has left open.

    Attributes:
        path: The file or folder; the device of a camera, the address of a stream.
        kind: "video", "image", "animation" (a file of several pictures), "folder", "camera" or
            "stream".
        size: (width, height) px of the upright picture; of the first one for a folder.
        rate: Average frames a second, exact; `STILL_RATE` for pictures.
        time_base: Seconds, the smallest step of the timestamps.
        first_s: When the first picture of the file is shown, s.
        start: First second read, or None.
        end: Reading stops before this second, or None.
        frame_count: Frames expected in the range, an estimate for videos; None if unknown.
        duration_s: Length of the whole file in seconds; None if unknown.
        rotation: See `Frame.rotation`.
        sample_aspect: Width of an image's pixel over its height, images being upright.
        is_clip: Whether the frames follow one another in time; not so in a folder of pictures.
        has_audio: Whether there is sound to carry along.
        is_variable_rate: Whether the frames are unevenly spaced in time.
        truncated: Whether reading met damage or a premature end; known once it was read.
        exhausted: Whether the last iteration came to the end of the file.
        end_time: When the last frame that was read ends, s; 0 where that is not known.
        is_live: Whether its frames come by the clock, wanted or not.
        notice: Why no frames come just now, such as "camera lost, waiting"; None for files.
        notes: What a user should know of how it is read, each once.
    """

    kind: Kind
    is_live = False
    notice: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = (0, 0)
        self.rate = STILL_RATE
        self.time_base = Fraction(1, 90_000)
        self.first_s = 0.0
        self.start: float | None = None
        self.end: float | None = None
        self.frame_count: int | None = None
        self.duration_s: float | None = None
        self.rotation = 0
        self.sample_aspect = Fraction(1)
        self.is_clip = True
        self.has_audio = False
        self.is_variable_rate = False
        self.truncated = False
        self.exhausted = False
        self.end_time = 0.0
        self.notes: list[str] = []

    @property
    def label(self) -> str:
        """How messages name it: its path, or an address as it may be displayed."""
        return str(self.path)

    def note(self, text: str) -> None:
        """Tell the user, once, something about how this is read."""
        if text not in self.notes:
            self.notes.append(text)
            _log.warning("%s: %s", self.label, text)

    def frames_before(self, time: float) -> int | None:
        """Return how many pictures of the file are shown before a second; None where unknown."""
        return None

    def timecode_at(self, index: int) -> str | None:
        """Return the SMPTE timecode of a frame that is read, ``hh:mm:ss:ff``; None without one."""
        return None

    def opened_at(self, start: float) -> "Source":
        """Return the same input with the same rate, to be read from a second of its own on.

        Raises:
            FacewarpError: it has no such second.
        """
        what = f"this can't be read from {start:g} s on"
        raise FacewarpError(what, self.path)

    @property
    def is_deep(self) -> bool:
        """Whether these are pictures of more than 8 bits a channel."""
        return False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def fps(self) -> float:
        """Average frames a second; for times use `Frame.time`, never a count divided by this."""
        return float(self.rate)

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Return the frames of the range in the order they are shown."""

    def close(self) -> None:
        """End any reading that is under way."""
        return
