"""DPX whose header ends before the parts of film and television: pixels stand where these would."""

import re
import struct
from pathlib import Path
from typing import Any, Final

_TELEVISION_AT: Final = 1920  # of SMPTE ST 268, where the part of film ends
_HEADER_END: Final = 2048
_ORDERS: Final = {b"SDPX": ">", b"XPDS": "<"}
_FILM: Final = (
    "smpte:KeyCode", "dpx:Format", "dpx:FramePosition", "dpx:SequenceLength", "dpx:HeldCount",
    "dpx:FrameRate", "dpx:ShutterAngle", "dpx:FrameId", "dpx:SlateInfo", "dpx:FilmEdgeCode",
)  # fmt: skip
_TELEVISION: Final = (
    "smpte:TimeCode", "dpx:TimeCode", "dpx:UserBits", "dpx:Interlace", "dpx:FieldNumber",
    "dpx:Signal", "dpx:HorizontalSampleRate", "dpx:VerticalSampleRate", "dpx:TemporalFrameRate",
    "dpx:TimeOffset", "dpx:Gamma", "dpx:BlackLevel", "dpx:BlackGain", "dpx:BreakPoint",
    "dpx:WhiteLevel", "dpx:IntegrationTimes",
)  # fmt: skip


def without_pixels(spec: Any, path: Path) -> None:
    """Take out of a DPX's metadata what OpenImageIO has read of its pixels, as of FFmpeg's files.

    Args:
        spec: OpenImageIO's, changed in place.
        path: of the file it was read from; others than DPX are left as they are.
    """
    if path.suffix.lower() != ".dpx":
        return
    with path.open("rb") as file:
        head = file.read(8)
    (pixels_at,) = struct.unpack(f"{_ORDERS.get(head[:4], '>')}I", head[4:])
    for names, at in ((_FILM, _TELEVISION_AT), (_TELEVISION, _HEADER_END)):
        if pixels_at < at:
            for name in names:
                spec.erase_attribute(re.escape(name))
