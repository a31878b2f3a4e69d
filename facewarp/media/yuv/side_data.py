"""What comes with a decoded picture beside its codes: how it is turned, on what it was mastered."""

from typing import Any, cast

import av
from av.sidedata.sidedata import Type

from facewarp.media.orientation import Orientation


def side_data(picture: av.VideoFrame, name: str) -> bytes | None:
    """Return data that came with a picture; None without it.

    Args:
        picture: as it was decoded.
        name: PyAV's of the kind of data, `AVFrameSideDataType` of FFmpeg without its beginning.
    """
    _name_all()
    found = picture.side_data.get(name)
    return None if found is None else bytes(cast(Any, found))


def orientation_of(picture: av.VideoFrame) -> Orientation:
    """How a decoded picture of a video is turned."""
    matrix = side_data(picture, "DISPLAYMATRIX")
    return Orientation() if matrix is None else Orientation.from_display_matrix(matrix)


def _name_all() -> None:
    """Let PyAV list data of kinds that it has no name for.

    Else a picture that brings such data (the EXIF of Motion JPEG and TIFF, the views of MV-HEVC,
    LCEVC) refuses to tell any (`findings/pyav-exif-hides-side-data.sh`).
    """
    kinds = cast(Any, Type)
    if "_missing_" not in vars(kinds):
        kinds._missing_ = classmethod(_unnamed)


def _unnamed(kinds: Any, value: int) -> Any:
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNNAMED_{value}", value
    kinds._value2member_map_[value] = kind
    return kind
