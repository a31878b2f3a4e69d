"""Which decoded pictures can be made RGB at all: others would come out green, without a word."""

import struct
from pathlib import Path
from typing import Final

import av

from facewarp.errors import FacewarpError, shell_word
from facewarp.media.yuv.side_data import side_data

_NAMES: Final = {
    8: "YCgCo",
    10: "BT.2020 with constant luminance",
    11: "SMPTE ST 2085",
    12: "primaries with non-constant luminance",
    13: "primaries with constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
"""Matrices (H.273) that are not read here, nor by FFmpeg's scaler."""

_BY_ZIMG: Final = (8, 10, 12, 13)
_ZIMG: Final = "-vf zscale=m=709,format=yuv420p -c:v libx264 -crf 12 -c:a copy out.mp4"
_LIBPLACEBO: Final = (
    "-vf libplacebo=colorspace=bt709:color_primaries=bt709:color_trc=bt709:format=yuv420p "
    "-c:v libx264 -crf 12 -c:a copy out.mp4"
)


def refuse_unreadable(picture: av.VideoFrame, path: Path | str) -> None:
    """Refuse a decoded picture whose colours are not read here.

    Args:
        picture: The first one of a video.
        path: What to call it.

    Raises:
        FacewarpError: its matrix is not known, or it is Dolby Vision without a usual picture below.
    """
    if _is_dolby_vision_alone(picture):
        raise FacewarpError(
            "the video is Dolby Vision of profile 5, whose colors can't be read here",
            path,
            "Convert it first, by an FFmpeg that has libplacebo: "
            f"ffmpeg -i {shell_word(path)} {_LIBPLACEBO}",
        )
    matrix = int(picture.colorspace)
    if picture.format.is_rgb or len(picture.format.components) < 3 or matrix not in _NAMES:
        return
    how = _ZIMG if matrix in _BY_ZIMG else _LIBPLACEBO
    raise FacewarpError(
        f"the video's colors are coded as {_NAMES[matrix]} (matrix {matrix}), "
        "which can't be read here",
        path,
        f"Convert it first: ffmpeg -i {shell_word(path)} {how}",
    )


def _is_dolby_vision_alone(picture: av.VideoFrame) -> bool:
    """Whether its codes mean something by their Dolby Vision metadata only (profiles 5 and 10.0).

    So does FFmpeg tell them: AVDOVIRpuDataHeader has profile 0 and the full range.
    """
    data = side_data(picture, "DOVI_METADATA") or b""
    if len(data) < struct.calcsize("=QQQ"):
        return False
    header = data[struct.unpack_from("N", data)[0] :]
    return len(header) > 10 and (header[4], header[10]) == (0, 1)
