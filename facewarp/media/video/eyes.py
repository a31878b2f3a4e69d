"""Videos for two eyes, and of all around: what a file says of it, and what a copy keeps.

PyAV writes no such mark into MP4 and MOV. Matroska and WebM take that of stereo as a tag.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

import av

from facewarp.media.yuv.side_data import side_data

_INVERTED: Final = 1
_TWO_VIEWS: Final = 8
_STEREO: Final = {
    1: ("side by side", "left_right", "right_left"),
    2: ("top and bottom", "top_bottom", "bottom_top"),
    3: ("in turn", None, None),
    4: ("as a checkerboard", None, None),
    6: ("row by row", None, None),
    7: ("column by column", None, None),
}
"""FFmpeg's number of how both eyes' pictures are packed -> words, and Matroska's names of both
orders where WebM has them too."""

_AROUND: Final = {
    0: "equirectangular", 1: "cubemap", 2: "equirectangular tiles", 3: "half equirectangular",
    5: "fisheye",
}  # fmt: skip
_KEPT_BY: Final = ("matroska", "webm")


@dataclass(frozen=True)
class Eyes:
    """For how many eyes a video is, and whether it shows all around.

    Attributes:
        packed: how both eyes' pictures lie in one, in words; None for one eye.
        mode: the same as Matroska and WebM call it; None where a copy can't tell it.
        around: the projection of a video of all around, in words; None for a plain one.
        has_unread_view: whether a second eye's pictures are coded apart (MV-HEVC).
    """

    packed: str | None = None
    mode: str | None = None
    around: str | None = None
    has_unread_view: bool = False

    @classmethod
    def of(cls, picture: av.VideoFrame) -> Self:
        """Read what a decoded picture is marked with."""
        stereo, flags = _numbers(picture, "STEREO3D", 2) or (0, 0)
        around = _AROUND.get((_numbers(picture, "SPHERICAL", 1) or (-1,))[0])
        packed, *modes = _STEREO.get(stereo, (None, None, None))
        mode = modes[bool(flags & _INVERTED)]
        return cls(packed, mode, around, stereo == _TWO_VIEWS)

    @property
    def tags(self) -> dict[str, str]:
        """What a stream's metadata is to say of it."""
        return {} if self.mode is None else {"stereo_mode": self.mode}

    def lost_in(self, container: str) -> str | None:
        """Tell which mark a copy has not; None where nothing is lost.

        Args:
            container: FFmpeg's name of its format.
        """
        if self.around is not None:
            mark = f"360 degrees ({self.around})"
            fix = "players show it flat, until it is marked again"
        elif self.packed is not None and (self.mode is None or container not in _KEPT_BY):
            mark = f"stereo 3D ({self.packed})"
            fix = ".mkv and .webm keep that" if self.mode else "mark it again"
        else:
            return None
        return f"the copy is not marked as {mark}: {fix}"


def _numbers(picture: av.VideoFrame, kind: str, count: int) -> tuple[int, ...] | None:
    """Return the first whole numbers of a picture's side data; None without it."""
    found = side_data(picture, kind)
    return None if found is None else struct.unpack(f"={count}i", found[: 4 * count])
