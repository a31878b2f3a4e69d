"""Which encoder a video file gets, and with what settings."""

import logging
import os
from dataclasses import dataclass, field
from fractions import Fraction

import av

from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_log = logging.getLogger(__name__)

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""Suffix -> FFmpeg's name of the container."""

_MP4 = {"movflags": "+faststart", "movie_timescale": "90000"}
CONTAINER_OPTIONS = {"mp4": _MP4, "mov": _MP4}
"""The index goes first, for browsers; the default clock of 1 ms would shift sound that sets in late
by up to half of that."""

_LIVE_MP4 = {
    "movflags": "+hybrid_fragmented",
    "frag_duration": "1000000",
    "movie_timescale": "90000",
}
_LIVE_MATROSKA = {"cluster_time_limit": "1000"}
LIVE_CONTAINER_OPTIONS = {
    "mp4": _LIVE_MP4,
    "mov": _LIVE_MP4,
    "matroska": _LIVE_MATROSKA,
    "webm": _LIVE_MATROSKA,
}
"""For recordings: pieces of a second that play by themselves, joined when the file is finished."""


@dataclass(frozen=True)
class Encoder:
    """An encoder by FFmpeg's name, and its settings.

    Attributes:
        name: E.g. "libx264".
        options: Passed to it as they are.
        bits_per_pixel: Where it has no constant quality, what it may spend; else 0.
        finest_tick: The largest denominator of a time base it takes; 0 where there is no limit.
        live: What is set otherwise while recording, where speed counts more than size.
        pix_fmt: The pixel format it is given.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    bits_per_pixel: float = 0.0
    finest_tick: int = 0
    live: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"

    def options_for(
        self, size: tuple[int, int], rate: Fraction, *, live: bool = False
    ) -> dict[str, str]:
        """The options, with a bit rate for a video of this size and rate where one is needed."""
        options = {**self.options, **self.live} if live else dict(self.options)
        if not self.bits_per_pixel:
            return options
        bits = self.bits_per_pixel * size[0] * size[1] * float(rate)
        return {"b": str(max(400_000, round(bits))), **options}

    def time_base(self, wanted: Fraction) -> Fraction:
        """The time base wanted, or the finest one possible that 24, 25, 29.97 .. 60 fps divide."""
        if self.finest_tick and wanted.denominator > self.finest_tick:
            return Fraction(1, 60_000)
        return wanted

    def opens(self, size: tuple[int, int], rate: Fraction) -> bool:
        """Whether this build and machine have it: hardware encoders are known on trying only."""
        try:
            codec = av.CodecContext.create(self.name, "w")
            assert isinstance(codec, av.VideoCodecContext)
            codec.width, codec.height = size
            codec.pix_fmt = self.pix_fmt
            codec.framerate = rate
            codec.time_base = self.time_base(Fraction(1, 90_000))
            codec.options = self.options_for(size, rate)
            codec.open()
        except (av.FFmpegError, ValueError, OSError) as error:
            _log.debug("encoder %s: %s", self.name, error)
            return False
        return True


_X264 = "bframes=3:b-adapt=0:weightb=1:mbtree=1:rc-lookahead=5:cabac=1:deblock=0,0"
"""What x264's quickest preset leaves out and files profit from most: B-frames, bits for what later
frames refer to, arithmetic coding. About as small as with "superfast", in 0.6 of the time."""

H264 = (
    Encoder(
        "libx264",
        {"preset": "ultrafast", "crf": "16", "forced-idr": "1", "x264-params": _X264},
        live={"crf": "18", "tune": "zerolatency", "x264-params": "deblock=0,0"},
    ),
    Encoder("libopenh264", bits_per_pixel=0.15),
    Encoder("h264_videotoolbox", bits_per_pixel=0.15),
    Encoder("h264_mf", bits_per_pixel=0.15),
    Encoder("mpeg4", bits_per_pixel=0.25, finest_tick=65_535),
)
"""For .mp4, .m4v, .mov and .mkv, the first that works: H.264, or MPEG-4 part 2 for want of it."""

WEBM = (
    Encoder(
        "libvpx-vp9",
        {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
        live={"cpu-used": "8", "lag-in-frames": "0"},
    ),
    Encoder("libvpx", {"deadline": "realtime", "cpu-used": "6"}, bits_per_pixel=0.2),
)
"""For .webm, the first that works: VP9, or VP8."""


HDR = (
    Encoder(
        "libx265",
        {"preset": "superfast", "crf": "17", "forced-idr": "1", "x265-params": "log-level=none"},
        pix_fmt="yuv420p10le",
    ),
)
"""For HDR in .mp4, .m4v, .mov and .mkv: HEVC Main 10."""

HDR_WEBM = (
    Encoder(
        "libsvtav1",
        {"preset": "9", "crf": "22", "svtav1-params": "lookahead=0"},
        pix_fmt="yuv420p10le",
    ),
    Encoder(
        "libvpx-vp9",
        {"crf": "22", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
        pix_fmt="yuv420p10le",
    ),
)
"""For HDR in .webm: AV1, or VP9 profile 2, which many builds of libvpx lack."""


_ALPHA_VP9 = Encoder(
    "libvpx-vp9",
    {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "auto-alt-ref": "0"},
    pix_fmt="yuva420p",
)
ALPHA = {
    ".mkv": (_ALPHA_VP9,),
    ".mov": (Encoder("prores_ks", {"profile": "4444"}, pix_fmt="yuva444p10le"),),
    ".webm": (_ALPHA_VP9,),
}
"""For video with transparent parts, by suffix: VP9, or ProRes 4444."""


def choose_encoder(
    suffix: str,
    size: tuple[int, int],
    rate: Fraction,
    *,
    hdr: bool = False,
    alpha: bool = False,
) -> Encoder:
    """The first encoder for a container that works here.

    Args:
        suffix: Of the file, one of `FORMATS`.
        size: (width, height) px, even.
        rate: Average frames a second.
        hdr: Whether pictures have 10 bits a channel.
        alpha: Whether they have transparent parts; for a suffix in `ALPHA`.

    Raises:
        FacewarpError: None works.
    """
    candidates: tuple[Encoder, ...]
    if alpha:
        candidates = ALPHA[suffix]
    elif hdr:
        os.environ.setdefault("SVT_LOG", "1")  # or it reports to standard error
        candidates = HDR_WEBM if suffix == ".webm" else HDR
    else:
        candidates = WEBM if suffix == ".webm" else H264
    for encoder in candidates:
        if encoder.opens(size, rate):
            if encoder is not candidates[0]:
                _log.warning("%s is missing, writing with %s", candidates[0].name, encoder.name)
            return encoder
    names = ", ".join(encoder.name for encoder in candidates)
    what = f"no encoder for {suffix} takes {size[0]}x{size[1]} pictures here, of {names}"
    raise FacewarpError(
        what, fix=f"Reinstall PyAV: {install_command(packages=['--force-reinstall', 'av'])}"
    )
