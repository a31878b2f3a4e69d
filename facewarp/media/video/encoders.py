"""Which encoder a video file gets, and with what settings."""

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

import av

from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command
from facewarp.system.machine import keep_scheduling

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
        """Return the options, with a bit rate for this size and frame rate where one is needed."""
        options = {**self.options, **self.live} if live else dict(self.options)
        if not self.bits_per_pixel:
            return options
        bits = self.bits_per_pixel * size[0] * size[1] * float(rate)
        return {"b": str(max(400_000, round(bits))), **options}

    def time_base(self, wanted: Fraction) -> Fraction:
        """Return the time base wanted, or the finest possible that 24, 25, 29.97 .. 60 fps fit."""
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
            with keep_scheduling():
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


class DecodeTimes:
    """Gives packets decoding times where the encoder left them unset.

    x265 computes them from a delay that it knows only after a few pictures; of shorter clips they
    are now and then whatever was in memory, which the file then can't hold.

    Args:
        period: Ticks a picture.
    """

    _FARTHEST: Final = 100_000  # pictures, an hour: pictures that are held long are far apart too
    _DELAY: Final = 2

    def __init__(self, period: int) -> None:
        self._period = max(period, 1)
        self._last: int | None = None

    def __call__(self, packets: Iterable[av.Packet]) -> list[av.Packet]:
        """Repair packets in the order they are coded in, in place."""
        repaired = list(packets)
        for packet in repaired:
            if packet.pts is None:
                continue
            time, last = packet.dts, self._last
            is_wrong = time is None or not 0 <= packet.pts - time <= self._FARTHEST * self._period
            if time is None or is_wrong or (last is not None and time <= last):
                first = packet.pts - self._DELAY * self._period
                time = first if last is None else last + self._period
                packet.dts = time
            self._last = time
        return repaired


_X265 = {"preset": "superfast", "crf": "17", "forced-idr": "1", "x265-params": "log-level=none"}
_PRORES_422 = Encoder("prores_ks", {"profile": "hq", "vendor": "apl0"}, pix_fmt="yuv422p10le")
_PRORES_4444 = Encoder("prores_ks", {"profile": "4444", "vendor": "apl0"}, pix_fmt="yuv444p10le")
_MP4_AND_MKV, _PRORES, _OPEN = (".mp4", ".m4v", ".mov", ".mkv"), (".mov", ".mkv"), (".webm", ".mkv")
CODECS: dict[str, tuple[tuple[str, ...], Encoder]] = {
    "h264": (_MP4_AND_MKV, H264[0]),
    "hevc": (_MP4_AND_MKV, Encoder("libx265", _X265)),
    "hevc10": (_MP4_AND_MKV, Encoder("libx265", _X265, pix_fmt="yuv420p10le")),
    "prores422": (_PRORES, _PRORES_422),
    "prores4444": (_PRORES, _PRORES_4444),
    "vp9": (_OPEN, WEBM[0]),
    "av1": ((*_OPEN, ".mp4"), HDR_WEBM[0]),
}
"""What `--codec` may name: suffixes of files that hold it, and its encoder."""

_H264_SIDE = 16_384
_HEVC_SIDE = 64
"""Blocks of libx265 have 64 px; smaller pictures have ended the whole process."""

# CRF for each step of quality below 100, and the worst there is
_CRF = {"libx264": (0.8, 51), "libx265": (0.8, 51), "libvpx-vp9": (1.2, 63), "libsvtav1": (1.1, 63)}
_PRORES_PROFILES = ((25, "proxy"), (50, "lt"), (75, "standard"), (101, "hq"))


def is_deep_codec(name: str | None) -> bool:
    """Whether a codec of `CODECS` has 10 bits a channel."""
    return name is not None and "10" in CODECS[name][1].pix_fmt


def chosen_encoder(name: str, suffix: str) -> Encoder:
    """Return the encoder of a codec for a file.

    Raises:
        FacewarpError: the file does not hold it.
    """
    suffixes, encoder = CODECS[name]
    if suffix in suffixes:
        return encoder
    what = f"{name} does not go into {suffix or 'a file without a suffix'}"
    raise FacewarpError(what, "--codec", f"It goes into {', '.join(suffixes)}.")


def with_quality(encoder: Encoder, quality: int | None) -> Encoder:
    """Return an encoder with a quality of 0 to 100; its own for None.

    About 80 is what the encoders have by themselves. 100 is without loss for H.264 of 8 bits and
    HEVC; ProRes has four grades, and 4444 one more from 90 on.
    """
    if quality is None:
        return encoder
    options = dict(encoder.options)
    if encoder.name == "prores_ks":
        is_4444 = options["profile"].startswith("4444")
        grade = next(name for limit, name in _PRORES_PROFILES if quality < limit)
        options["profile"] = ("4444xq" if quality >= 90 else "4444") if is_4444 else grade
    elif encoder.name in _CRF:
        step, worst = _CRF[encoder.name]
        options["crf"] = str(min(round((100 - quality) * step), worst))
    return replace(encoder, options=options)


def with_mastering(
    options: dict[str, str], encoder: str, mastering: str | None, light_level: str | None
) -> dict[str, str] | None:
    """Return an encoder's options with what HDR was mastered on; None where it can't tell that.

    Args:
        options: of the encoder.
        encoder: its name.
        mastering: see `HDRFormat`, as is `light_level`.
        light_level: "brightest picture element,brightest picture", cd/m2.
    """
    if mastering is None and light_level is None:
        return options
    told: dict[str, str | None]
    if encoder == "libx265":
        key, told = "x265-params", {"master-display": mastering, "max-cll": light_level}
    elif encoder == "libsvtav1":
        shown = None if mastering is None else _in_units(mastering)
        key, told = "svtav1-params", {"mastering-display": shown, "content-light": light_level}
    else:
        return None
    params = [f"{name}={value}" for name, value in told.items() if value is not None]
    return {**options, key: ":".join([options[key], *params])}


def _in_units(mastering: str) -> str:
    """Return x265's whole numbers as coordinates of color, and as cd/m2."""

    def scaled(found: re.Match[str]) -> str:
        whole = 10_000 if found[1] == "L" else 50_000
        return f"{found[1]}({int(found[2]) / whole:.5f},{int(found[3]) / whole:.5f})"

    return re.sub(r"([A-Z]+)\((\d+),(\d+)\)", scaled, mastering)


def choose_encoder(
    suffix: str,
    size: tuple[int, int],
    rate: Fraction,
    *,
    hdr: bool = False,
    alpha: bool = False,
    codec: str | None = None,
    quality: int | None = None,
) -> Encoder:
    """Return the first encoder for a container that works here.

    Args:
        suffix: Of the file, one of `FORMATS`.
        size: (width, height) px, even.
        rate: Average frames a second.
        hdr: Whether pictures have 10 bits a channel.
        alpha: Whether they have transparent parts; for a suffix in `ALPHA`.
        codec: One of `CODECS`, in place of the container's own.
        quality: See `with_quality`.

    Raises:
        FacewarpError: None works, or the codec does not go into the file.
    """
    candidates: tuple[Encoder, ...]
    wanted = None if codec is None else chosen_encoder(codec, suffix)
    if alpha:
        candidates = ALPHA[suffix]
        if wanted is not None and wanted.name != candidates[0].name:
            what = f"{codec} holds no alpha in {suffix}"
            raise FacewarpError(what, "--codec", "Leave it out.")
    elif wanted is not None:
        if hdr and not is_deep_codec(codec):
            what = f"{codec} has 8 bits a channel, HDR needs 10"
            raise FacewarpError(what, "--codec", "Choose hevc10, or leave --keep-hdr out.")
        candidates = (wanted,)
    elif hdr:
        candidates = HDR_WEBM if suffix == ".webm" else HDR
    else:
        candidates = WEBM if suffix == ".webm" else H264
    if candidates[0].name == "libx265" and min(size) < _HEVC_SIDE:
        what = f"pictures of {size[0]}x{size[1]} are too small for HEVC: {_HEVC_SIDE} px a side"
        raise FacewarpError(what, fix="Choose --codec h264 or prores422, or enlarge them first.")
    if any(encoder.name == "libsvtav1" for encoder in candidates):
        os.environ.setdefault("SVT_LOG", "1")  # or it reports to standard error
    candidates = tuple(with_quality(encoder, quality) for encoder in candidates)
    for encoder in candidates:
        if encoder.opens(size, rate):
            if encoder is not candidates[0]:
                _log.warning("%s is missing, writing with %s", candidates[0].name, encoder.name)
            return encoder
    if candidates[0].name == H264[0].name and max(size) > _H264_SIDE:
        what = f"pictures of {size[0]}x{size[1]} are too large for H.264: {_H264_SIDE} px a side"
        raise FacewarpError(what, fix="Choose --codec hevc or prores422, or write .webm.")
    names = ", ".join(encoder.name for encoder in candidates)
    what = f"no encoder for {suffix} takes {size[0]}x{size[1]} pictures here, of {names}"
    raise FacewarpError(
        what, fix=f"Reinstall PyAV: {install_command(packages=['--force-reinstall', 'av'])}"
    )
