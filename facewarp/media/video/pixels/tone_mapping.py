"""HDR and wide-gamut video as BT.709: what its transfer and primaries say, seen on a usual screen.

Light is computed as ITU-R BT.2100 defines it for HLG and PQ, with diffuse white at 203 cd/m2 as
BT.2408 recommends. What is dimmer than about half of that keeps its light; brighter light, up to
1000 cd/m2, is rolled off by the curve of BT.2390 (EETF) into what BT.709 can show. The result is a
table over three dimensions that FFmpeg's `lut3d` looks up.
"""

import struct
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from facewarp.media.frames import HDRImage
from facewarp.media.gamut import BT709, BT2020, CHROMATICITIES, gamut_matrix
from facewarp.media.yuv.side_data import side_data

FloatArray = NDArray[np.float64]

PQ: Final = 16
HLG: Final = 18
_LINEAR, _LOG100, _LOG316, _DCI = 8, 9, 10, 17
_UNTAGGED: Final = 2
_NAMES: Final = {PQ: "PQ", HLG: "HLG"}
_CURVES: Final = {
    _LINEAR: "linear light",
    _LOG100: "logarithmic (100:1)",
    _LOG316: "logarithmic (316:1)",
    _DCI: "DCI (SMPTE ST 428-1)",
}
_WIDE: Final = {
    4: "NTSC of 1953",
    8: "film",
    9: "BT.2020",
    10: "CIE XYZ",
    11: "DCI-P3",
    12: "Display P3",
}

WHITE_CD_M2: Final = 203.0
PEAK_CD_M2: Final = 1000.0
_DISPLAY_GAMMA: Final = 2.4  # BT.1886
_HLG_SYSTEM_GAMMA: Final = 1.2  # at 1000 cd/m2
_STEPS: Final = 65
_CURVE_STEPS: Final = 16_384
_PAINT_STEPS: Final = 64  # of 255, from which on paint hides all of a picture's own light
_FULL: Final = 65_535

_LUMA_2020: Final = np.array([0.2627, 0.6780, 0.0593])
_LUMA_709: Final = np.array([0.2126, 0.7152, 0.0722])


def needs_mapping(primaries: int, transfer: int) -> bool:
    """Whether RGB of these H.273 tags is not what BT.709 would show."""
    return transfer in _NAMES or transfer in _CURVES or primaries in _WIDE


def describe(primaries: int, transfer: int) -> str:
    """Return what to call video of these tags."""
    if transfer in _NAMES:
        return f"{_NAMES[transfer]} (HDR)"
    said = [f"wide gamut ({_WIDE[primaries]})"] if primaries in _WIDE else []
    said += [_CURVES[transfer]] if transfer in _CURVES else []
    return " and ".join(said)


def pq_to_light(code: FloatArray) -> FloatArray:
    """Return cd/m2 from PQ codes of 0 to 1 (BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.clip(code, 0, 1) ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def light_to_pq(light: FloatArray) -> FloatArray:
    """Return PQ codes of 0 to 1 from cd/m2; the inverse of `pq_to_light`."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.clip(light / 10_000, 0, 1) ** m1
    return np.asarray(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def hlg_to_light(code: FloatArray) -> FloatArray:
    """Return cd/m2 of a display of 1000 cd/m2 from HLG codes (..., 3) of BT.2020 (BT.2100)."""
    a, b, c = 0.178_832_77, 0.284_668_92, 0.559_910_73
    code = np.clip(code, 0, 1)
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    luma = scene @ _LUMA_2020
    return np.asarray(PEAK_CD_M2 * scene * luma[..., None] ** (_HLG_SYSTEM_GAMMA - 1))


def light_to_hlg(light: FloatArray) -> FloatArray:
    """Return HLG codes (..., 3) from cd/m2; the inverse of `hlg_to_light`."""
    a, b, c = 0.178_832_77, 0.284_668_92, 0.559_910_73
    light = np.clip(light / PEAK_CD_M2, 0, 1)
    luma = np.maximum(light @ _LUMA_2020, 1e-9)
    scene = light * luma[..., None] ** ((1 - _HLG_SYSTEM_GAMMA) / _HLG_SYSTEM_GAMMA)
    low = np.sqrt(3 * np.clip(scene, 0, 1 / 12))
    return np.asarray(
        np.where(scene <= 1 / 12, low, a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)
    )


def roll_off(light: FloatArray) -> FloatArray:
    """Return light (cd/m2, to 1000) as a display of 203 cd/m2 shows it (BT.2390, EETF)."""
    peak = float(light_to_pq(np.array(PEAK_CD_M2)))
    top = float(light_to_pq(np.array(WHITE_CD_M2))) / peak
    knee = 1.5 * top - 0.5
    level = np.clip(light_to_pq(light) / peak, 0, 1)
    t = np.clip((level - knee) / (1 - knee), 0, 1)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * top
    )
    return pq_to_light(np.where(level < knee, level, curve) * peak)


def to_bt709(code: FloatArray, primaries: int, transfer: int) -> FloatArray:
    """Return BT.709 codes of 0 to 1 as a display shows them, from R'G'B' codes of these tags.

    Args:
        code: (..., 3), 0 to 1.
        primaries: As H.273 numbers them.
        transfer: The same.
    """
    if transfer in _NAMES:
        light = pq_to_light(code) if transfer == PQ else hlg_to_light(code)
        strongest = np.maximum(light.max(-1, keepdims=True), 1e-6)
        linear = light * (roll_off(strongest) / strongest) / WHITE_CD_M2
    else:
        linear = _light_of(np.clip(code, 0, 1), transfer)
    other = BT2020 if transfer in _NAMES else BT709
    linear = linear @ gamut_matrix(primaries if primaries in CHROMATICITIES else other, BT709).T
    return np.asarray(_within_gamut(linear) ** (1 / _DISPLAY_GAMMA))


def _light_of(code: FloatArray, transfer: int) -> FloatArray:
    """Light of 0 to 1 from codes that are neither HLG nor PQ (H.273, table 3)."""
    if transfer == _LINEAR:
        return code
    if transfer in (_LOG100, _LOG316):
        decades = 2.0 if transfer == _LOG100 else 2.5
        return np.where(code > 0, 10 ** (decades * (code - 1)), 0.0)
    if transfer == _DCI:
        return np.clip(52.37 / 48 * code**2.6, 0, 1)
    return np.asarray(code**_DISPLAY_GAMMA)


def _within_gamut(linear: FloatArray) -> FloatArray:
    """Colours out of range move towards grey of their luminance, just as far as needed."""
    luma = np.clip(linear @ _LUMA_709, 0, 1)[..., None]
    away = linear - luma
    limit = np.where(away > 0, 1 - luma, -luma)
    share = np.where(np.abs(away) > 1e-9, limit / np.where(away == 0, 1, away), 1.0)
    return np.clip(luma + away * np.clip(share.min(-1, keepdims=True), 0, 1), 0, 1)


def paint_codes(rgb: NDArray[np.uint8], primaries: int, transfer: int) -> FloatArray:
    """Return HDR codes (..., 3) of 0 to 1 for painted BT.709 colours, their white at 203 cd/m2."""
    linear = (rgb.astype(np.float64) / 255) ** _DISPLAY_GAMMA
    wide = primaries if primaries in CHROMATICITIES else BT2020
    light = WHITE_CD_M2 * np.clip(linear @ gamut_matrix(BT709, wide).T, 0, 1)
    return light_to_pq(light) if transfer == PQ else light_to_hlg(light)


def painted_hdr(
    image: NDArray[np.uint8], hdr: HDRImage, primaries: int, transfer: int
) -> NDArray[np.uint16]:
    """Return HDR codes of a painted picture: those it had where nothing was painted.

    Paint takes the place of the picture as it differs from what was shown, so that its soft edges
    stay soft on light brighter than BT.709 can show.

    Args:
        image: (H, W, 3), painted.
        hdr: The picture before.
        primaries: Of the HDR codes, as H.273 numbers them.
        transfer: The same.

    Returns:
        (H, W, 3), full range.
    """
    codes = hdr.codes.copy()
    rows, columns = np.nonzero((image != hdr.shown).any(-1))
    painted, shown = image[rows, columns], hdr.shown[rows, columns]
    apart = np.abs(painted.astype(np.int16) - shown).max(-1, keepdims=True)
    stays = np.clip(1 - apart / _PAINT_STEPS, 0, 1)
    beyond = codes[rows, columns] / _FULL - paint_codes(shown, primaries, transfer)
    mixed = paint_codes(painted, primaries, transfer) + stays * beyond
    codes[rows, columns] = np.rint(np.clip(mixed, 0, 1) * _FULL)
    return codes


@dataclass(frozen=True)
class HDRFormat:
    """How an HDR video is coded, for a copy to be coded alike.

    Attributes:
        matrix: As H.273 numbers it, as the next two.
        primaries: 9 for BT.2020.
        transfer: `PQ` or `HLG`.
        mastering: The display it was mastered on, as x265 writes it; None if that is not told.
        light_level: "brightest picture element,brightest picture", cd/m2; None likewise.
    """

    matrix: int
    primaries: int
    transfer: int
    mastering: str | None = None
    light_level: str | None = None

    @classmethod
    def of(cls, picture: av.VideoFrame) -> "HDRFormat | None":
        """Return the format of a decoded picture; None where it is no HDR."""
        transfer = int(picture.color_trc)
        if transfer not in _NAMES:
            return None
        return cls(
            int(picture.colorspace),
            int(picture.color_primaries),
            transfer,
            _mastering(side_data(picture, "MASTERING_DISPLAY_METADATA") or b""),
            _light_level(side_data(picture, "CONTENT_LIGHT_LEVEL") or b""),
        )


def _mastering(data: bytes) -> str | None:
    """AVMasteringDisplayMetadata: ten ratios (red, green, blue, white, least, most), two flags."""
    if len(data) < 88:
        return None
    numbers = struct.unpack("=22i", data[:88])
    values = [n / d if d else 0.0 for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
    if not (numbers[20] and numbers[21]):
        return None
    red, green, blue, white = (values[k : k + 2] for k in (0, 2, 4, 6))
    points = "".join(
        f"{name}({round(x * 50_000)},{round(y * 50_000)})"
        for name, (x, y) in (("G", green), ("B", blue), ("R", red), ("WP", white))
    )
    return f"{points}L({round(values[9] * 10_000)},{round(values[8] * 10_000)})"


def _light_level(data: bytes) -> str | None:
    return "{},{}".format(*struct.unpack("=2I", data[:8])) if len(data) >= 8 else None


class ToneMapper:
    """Decoded pictures of one format and one set of tags to 8-bit planar RGB of BT.709."""

    def __init__(self, picture: av.VideoFrame) -> None:
        self.key = key_of(picture)
        primaries, transfer = int(picture.color_primaries), int(picture.color_trc)
        with tempfile.TemporaryDirectory() as folder:
            tables = [("lut3d", "tetrahedral", Path(folder) / "table.cube")]
            if transfer in _CURVES:  # steps that are even in light are too coarse in the dark
                tables.insert(0, ("lut1d", "linear", Path(folder) / "curve.cube"))
                tables[0][2].write_text(_curve(transfer))
                transfer = BT709
            tables[-1][2].write_text(_cube(primaries, transfer))
            self._graph = _graph(picture, tables)

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the picture in the format "gbrp"."""
        transfer = picture.color_trc
        picture.color_trc = BT709  # FFmpeg's scaler refuses curves that it has no formula for
        try:
            self._graph.vpush(picture)
        finally:
            picture.color_trc = transfer
        return self._graph.vpull()


def key_of(picture: av.VideoFrame) -> tuple[object, ...]:
    """Return what must stay for a `ToneMapper` to fit."""
    return (
        *(picture.format.name, picture.width, picture.height, int(picture.colorspace)),
        *(int(picture.color_range), int(picture.color_primaries), int(picture.color_trc)),
    )


@cache
def _cube(primaries: int, transfer: int) -> str:
    axis = np.linspace(0, 1, _STEPS)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # red changes fastest
    mapped = to_bt709(np.stack([red, green, blue], -1), primaries, transfer).reshape(-1, 3)
    rows = "\n".join(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in mapped.tolist())
    return f"LUT_3D_SIZE {_STEPS}\n{rows}\n"


@cache
def _curve(transfer: int) -> str:
    codes = _light_of(np.linspace(0, 1, _CURVE_STEPS), transfer) ** (1 / _DISPLAY_GAMMA)
    rows = "\n".join(f"{code:.6f} {code:.6f} {code:.6f}" for code in codes.tolist())
    return f"LUT_1D_SIZE {_CURVE_STEPS}\n{rows}\n"


def _graph(picture: av.VideoFrame, tables: list[tuple[str, str, Path]]) -> Graph:
    """Build the filters of an input, of tables (filter, interpolation, file) and of an output."""
    graph = Graph()
    graph.threads = 1
    matrix = int(picture.colorspace)
    is_hdr = int(picture.color_trc) in _NAMES or int(picture.color_primaries) == BT2020
    if matrix == _UNTAGGED:
        matrix = BT2020 if is_hdr else BT709
    given = (
        f"video_size={picture.width}x{picture.height}:pix_fmt={picture.format.name}"
        f":time_base=1/90000:colorspace={matrix}"
        f":range={int(picture.color_range) or 1}"
    )
    wide = "gbrp" if picture.format.components[0].bits == 8 else "gbrp12le"
    if len(tables) > 1:
        wide = "gbrp16le"
    steps = [
        graph.add("buffer", given),
        graph.add("scale", flags="bilinear+accurate_rnd+full_chroma_int"),
        graph.add("format", wide),
        *(graph.add(name, file=str(file), interp=how) for name, how, file in tables),
        graph.add("format", "gbrp"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps)
    graph.configure()
    return graph
