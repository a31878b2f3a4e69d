"""What is asked of a video that is written."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import get_args

from facewarp.errors import FacewarpError
from facewarp.media.video.audio_copy import AudioMode
from facewarp.media.video.encoders import CODECS
from facewarp.media.video.pixels.color_conversion import Color


@dataclass(frozen=True)
class WriterOptions:
    """What is asked of a video that is written.

    Attributes:
        size: (width, height) px of the upright frames; by default the source's.
        fps: average frames a second where there is no video to take it from.
        audio: what becomes of the source's sound: "copy" carries it along, converting only what the
            container can't hold; "convert" converts to what the container is made for; "none"
            leaves it out.
        live: whether it is recorded while it happens: encoded quickly rather than small, and
            written so that what there is plays even if the process is killed or the disk fills up.
        comment: what the file's metadata says of it.
        color: the color tags of pictures that come from no video.
        alpha: whether frames have alpha even if the source has none, for files that can hold it.
        codec: one of `encoders.CODECS`, in place of the container's own.
        quality: 0 to 100, see `encoders.with_quality`.
        pixel_aspect: width of a frame's pixel over its height, of frames that come from no video.

    Raises:
        FacewarpError: one of them is asked for that there is not.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    audio: AudioMode = "copy"
    live: bool = False
    comment: str | None = None
    color: Color = field(default_factory=Color)
    alpha: bool = False
    codec: str | None = None
    quality: int | None = None
    pixel_aspect: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            what = f"a video has no frames of {self.size[0]}x{self.size[1]} px"
            raise FacewarpError(what, fix="Give width and height.")
        if self.fps is not None and not 0 < self.fps < math.inf:  # streams tell 90000 and more
            what = f"a video can't have {self.fps:g} frames a second"
            raise FacewarpError(what, fix="Give more than 0.")
        if self.audio not in get_args(AudioMode):
            what = f"sound can't be treated as {self.audio!r}"
            raise FacewarpError(what, fix=f"Choose one of {', '.join(get_args(AudioMode))}.")
        if self.codec is not None and self.codec not in CODECS:
            what = f"there is no codec {self.codec!r}"
            raise FacewarpError(what, fix=f"Codecs: {', '.join(CODECS)}.")
        if self.quality is not None and not 0 <= self.quality <= 100:
            what = f"a quality is within 0..100, not {self.quality}"
            raise FacewarpError(what, fix="80 looks about like the original.")
