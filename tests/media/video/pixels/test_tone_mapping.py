"""HLG, PQ and wide gamut are read as BT.709, and what is written says so."""

import re

import av
import numpy as np
import pytest

from facewarp.media.frames import Frame, HDRImage
from facewarp.media.gamut import gamut_matrix
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source, read_video
from facewarp.media.video.pixels.color_conversion import Color, RGBReader
from facewarp.media.video.pixels.tone_mapping import (
    HLG,
    PQ,
    WHITE_CD_M2,
    HDRFormat,
    hlg_to_light,
    light_to_hlg,
    light_to_pq,
    painted_hdr,
    pq_to_light,
    roll_off,
    to_bt709,
)

# sRGB-like colours of faces and things, dimmer than half of diffuse white
COLORS = np.array([[60, 60, 60], [150, 110, 90], [40, 90, 140], [120, 40, 40], [90, 150, 60]])
TIGER = (235, 140, 30)
SIZE = (160, 96)


def codes_of(colors, transfer):
    """(..., 3) HDR codes of BT.2020 that show what 8-bit BT.709 colours show."""
    light = WHITE_CD_M2 * (np.asarray(colors) / 255) ** 2.4 @ gamut_matrix(1, 9).T
    return light_to_pq(light) if transfer == PQ else light_to_hlg(light)


def ten_bits(codes):
    """A picture of BT.2020 in 10 bits, limited range, from (H, W, 3) codes."""
    red, blue = 0.2627, 0.0593
    luma = codes @ [red, 1 - red - blue, blue]
    chroma = (
        (codes[..., 2] - luma) / (2 - 2 * blue),
        (codes[..., 0] - luma) / (2 - 2 * red),
    )
    height, width = luma.shape
    picture = av.VideoFrame(width, height, "yuv420p10le")
    planes = [64 + 876 * luma, *(512 + 896 * c[::2, ::2] for c in chroma)]
    for plane, values in zip(picture.planes, planes, strict=True):
        rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
        rows[:, : plane.width] = np.rint(values)
    return picture


@pytest.fixture
def make_hdr(tmp_path):
    def make(transfer=HLG, name="hdr.mov", primaries=9, matrix=9, frames=4, params=""):
        path = tmp_path / name
        stripes = np.repeat(COLORS, SIZE[0] // len(COLORS), axis=0)
        if transfer in (PQ, HLG):
            codes = codes_of(stripes, transfer)
        else:
            linear = (stripes / 255) ** 2.4 @ gamut_matrix(1, primaries).T
            codes = linear ** (1 / 2.4)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                "libx265", rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p10le",
                options={"x265-params": f"log-level=none:lossless=1{params}"},
            )  # fmt: skip
            codec = stream.codec_context
            codec.colorspace, codec.color_primaries, codec.color_trc = matrix, primaries, transfer
            codec.color_range = 1
            for number in range(frames):
                picture = ten_bits(np.repeat(codes[None], SIZE[1], axis=0))
                picture.pts = number
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return path

    return make


def stripe_colors(image, count=5):
    width = image.shape[1] // count
    return np.array([image[image.shape[0] // 2, width // 2 + width * k] for k in range(count)])


def test_pq_is_as_bt2100_says():
    assert pq_to_light(np.array([0.0, 0.5, 0.580_69, 1.0])) == pytest.approx(
        [0, 92.246, 203.0, 10_000], rel=1e-3
    )
    codes = np.linspace(0, 1, 50)
    assert light_to_pq(pq_to_light(codes)) == pytest.approx(codes, abs=1e-6)


def test_hlg_is_as_bt2100_says():
    gray = hlg_to_light(np.array([[0.75] * 3, [1.0] * 3, [0.5] * 3]))[:, 0]
    assert gray == pytest.approx([203, 1000, 50.7], rel=0.01)
    codes = np.random.default_rng(0).uniform(0.1, 0.95, (50, 3))
    assert light_to_hlg(hlg_to_light(codes)) == pytest.approx(codes, abs=1e-3)


def test_dim_light_stays_and_bright_light_is_rolled_off():
    light = np.array([0.5, 20.0, 90.0, 203.0, 500.0, 1000.0])
    shown = roll_off(light)
    assert shown[:3] == pytest.approx(light[:3], rel=1e-3)
    assert np.all(np.diff(shown) > 0)
    assert shown[-1] == pytest.approx(WHITE_CD_M2, rel=1e-3)
    assert 140 < shown[3] < 203


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_gray_stays_gray_and_in_range(transfer):
    codes = np.random.default_rng(1).uniform(0, 1, (500, 3))
    shown = to_bt709(codes, 9, transfer)
    assert np.all((shown >= 0) & (shown <= 1))
    grays = to_bt709(np.repeat(np.linspace(0, 1, 30)[:, None], 3, 1), 9, transfer)
    assert np.ptp(grays, axis=1).max() < 1e-3
    assert np.all(np.diff(grays[:, 0]) >= 0)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_is_read_as_what_it_shows(make_hdr, transfer, caplog):
    source = open_source(make_hdr(transfer))
    frames = list(source)
    error = stripe_colors(frames[0].image) - COLORS
    assert np.abs(error).max() <= 4
    name = {PQ: "PQ", HLG: "HLG"}[transfer]
    assert source.notes == [
        f"the video is {name} (HDR): read as BT.709, tone-mapped, with 8 bits a channel"
    ]
    assert caplog.text.count("tone-mapped") == 1


@pytest.mark.parametrize(
    ("primaries", "transfer"), [(9, 14), (9, 1), (12, 1), (11, 1), (4, 6), (8, 1)]
)
def test_wide_gamut_is_read_as_what_it_shows(make_hdr, primaries, transfer):
    source = open_source(make_hdr(transfer, primaries=primaries))
    assert np.abs(stripe_colors(next(iter(source)).image) - COLORS).max() <= 4
    assert "wide gamut" in source.notes[0]


CURVES = {
    8: lambda light: light,
    9: lambda light: 1 + np.log10(light) / 2,
    10: lambda light: 1 + np.log10(light) / 2.5,
    17: lambda light: (light * 48 / 52.37) ** (1 / 2.6),
}


@pytest.mark.parametrize("transfer", CURVES)
@pytest.mark.parametrize("pix_fmt", ["gbrp16le", "yuv444p10le"])
def test_linear_and_logarithmic_codes_are_read_as_what_they_show(tmp_path, transfer, pix_fmt):
    codes = np.rint(65_535 * CURVES[transfer]((COLORS / 255) ** 2.4)).astype(np.uint16)
    image = np.repeat(np.repeat(codes, SIZE[0] // len(COLORS), axis=0)[None], SIZE[1], axis=0)
    path = tmp_path / "curve.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=SIZE[0], height=SIZE[1])
        stream.pix_fmt = pix_fmt
        codec = stream.codec_context
        codec.color_primaries, codec.color_trc, codec.color_range = 1, transfer, 1
        codec.colorspace = 0 if pix_fmt.startswith("gbr") else 1
        picture = av.VideoFrame(*SIZE, "gbrp16le")
        for plane, channel in zip(picture.planes, (1, 2, 0), strict=True):
            np.frombuffer(plane, np.uint16).reshape(SIZE[1], -1)[:, : SIZE[0]] = image[..., channel]
        if pix_fmt != "gbrp16le":
            picture = picture.reformat(format=pix_fmt, dst_colorspace=1, dst_color_range=1)
        picture.color_trc, picture.color_primaries, picture.pts = transfer, 1, 0
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    source = open_source(path)
    assert np.abs(stripe_colors(next(iter(source)).image) - COLORS).max() <= 3
    assert source.color == Color()
    assert "read as BT.709" in source.notes[0]


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.webm"])
def test_paint_has_its_own_colors_and_tags_say_what_the_pixels_are(
    make_hdr, contents, transfer, out
):
    path = make_hdr(transfer)
    with open_source(path) as source, open_sink(path.parent / out, like=source) as sink:
        for frame in source:
            image = frame.image.copy()
            image[:32] = TIGER
            sink.write(frame.with_image(image))
    after = contents(path.parent / out)
    assert after.tags == (1, 1, 1)
    (shown, *_) = read_video(path.parent / out)
    assert np.abs(shown.image[16, ::10].astype(int) - TIGER).max() <= 8
    assert np.abs(stripe_colors(shown.image) - COLORS).max() <= 8


# HDR that stays HDR


def kept(path, out, paint=None, **options):
    """Copies HDR as HDR, painted; returns the source."""
    with open_source(path) as source:
        source.keep_hdr()
        with open_sink(path.parent / out, like=source, **options) as sink:
            for frame in source:
                image = frame.image.copy()
                if paint is not None:
                    image[:32] = paint
                sink.write(frame.with_image(image))
    return source


def codes_in(path):
    """The first picture's (H, W, 3) HDR codes of 0 to 1, its format, its tags and its codec."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        codec = container.streams.video[0].codec_context.name
        codes = RGBReader((picture.width, picture.height)).deep(picture) / 65_535
        tags = (picture.colorspace, picture.color_primaries, picture.color_trc)
        return codes, picture.format.name, tags, codec


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(
    ("out", "codec"), [("out.mp4", "hevc"), ("out.mkv", "hevc"), ("out.webm", "libdav1d")]
)
def test_hdr_can_be_kept_in_ten_bits(make_hdr, transfer, out, codec):
    path = make_hdr(transfer)
    source = kept(path, out)
    before, after = codes_in(path), codes_in(path.parent / out)
    assert after[1:] == ("yuv420p10le", (9, 9, transfer), codec)
    assert np.abs(after[0] - before[0]).mean() < 0.01
    assert "painted and written in its own colors" in source.notes[0]


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("codec", ["prores422", "prores4444"])
def test_hdr_in_prores_is_read_as_hdr(make_hdr, transfer, codec):
    path = make_hdr(transfer)
    kept(path, "out.mov", codec=codec)
    assert codes_in(path.parent / "out.mov")[2] == (9, 9, transfer)
    with open_source(path) as before, open_source(path.parent / "out.mov") as after:
        shown, copied = (next(iter(source)).image.astype(float) for source in (before, after))
    assert np.abs(shown - copied).mean() < 2


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_paint_on_kept_hdr_shows_its_own_colors(make_hdr, transfer):
    path = make_hdr(transfer)
    kept(path, "out.mp4", TIGER)
    codes = codes_in(path.parent / "out.mp4")[0]
    expected = np.repeat(codes_of([TIGER], transfer), 10, axis=0)
    assert codes[16, ::16] == pytest.approx(expected, abs=0.03)
    assert np.abs(codes[64:] - codes_in(path)[0][64:]).mean() < 0.01


def test_soft_edges_of_paint_are_soft_on_bright_light():
    light = np.full((1, 100, 3), 800.0)
    codes = np.rint(65_535 * light_to_pq(light)).astype(np.uint16)
    shown = np.rint(255 * to_bt709(codes / 65_535, 9, PQ)).astype(np.uint8)
    opacity = np.linspace(0, 1, 100)[None, :, None]
    painted = np.rint(shown * (1 - opacity) + np.array(TIGER) * opacity).astype(np.uint8)
    result = painted_hdr(painted, HDRImage(codes, shown), 9, PQ) / 65_535
    assert result[0, 0] == pytest.approx(codes[0, 0] / 65_535)
    assert result[0, -1] == pytest.approx(codes_of([TIGER], PQ)[0], abs=1e-3)
    assert np.abs(np.diff(result[0], axis=0)).max() < 0.02


MASTERED = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def format_of(path):
    with av.open(str(path)) as container:
        return HDRFormat.of(next(container.decode(video=0)))


@pytest.mark.parametrize(
    ("out", "options"), [("out.mp4", {}), ("out.webm", {}), ("out.mkv", {"codec": "av1"})]
)
def test_the_mastering_display_that_was_told_stays(tmp_path, make_hdr, out, options):
    path = make_hdr(PQ, params=f":master-display={MASTERED}:max-cll=1000,400")
    source = kept(path, out, **options)
    coded = format_of(tmp_path / out)
    numbers = [[int(n) for n in re.findall(r"\d+", s)] for s in (coded.mastering, MASTERED)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=2)  # AV1's fractions are binary
    assert coded.light_level == "1000,400"
    assert len(source.notes) == 1


def test_a_mastering_display_that_is_lost_is_told(tmp_path, make_hdr):
    plain = kept(make_hdr(PQ, name="plain.mp4"), "plain.mov", codec="prores422")
    assert len(plain.notes) == 1  # which says that it is HDR
    path = make_hdr(PQ, params=f":master-display={MASTERED}:max-cll=1000,400")
    source = kept(path, "out.mov", codec="prores422")
    assert "mastering display and light level are left out" in source.notes[0]
    assert format_of(tmp_path / "out.mov").mastering is None


def test_av1_reports_nothing_to_standard_error(make_clip, tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("SVT_LOG", raising=False)
    with (
        open_source(make_clip(size=(64, 64), frames=2)) as source,
        open_sink(tmp_path / "out.mkv", like=source, codec="av1") as sink,
    ):
        for frame in source:
            sink.write(frame)
    assert "Svt" not in capfd.readouterr().err


def hdr10_plus(coded: bytes) -> bytes:
    """A stream of HEVC with a message of HDR10+ (SMPTE ST 2094-40) before each picture."""
    # one window; 27 bits of a display, no table; 3 + 1 of 17 bits, none of percentiles; no curve
    widths = [(1, 2), (4_000_000, 27), (0, 1), *[(9000, 17)] * 4, (0, 4), (100, 10), (0, 3)]
    bits = "".join(f"{value:0{width}b}" for value, width in widths)
    bits += "0" * (-len(bits) % 8)
    told = bytes.fromhex("b5003c00010401") + int(bits, 2).to_bytes(len(bits) // 8, "big")
    message = bytes([0x4E, 0x01, 4, len(told)]) + told + b"\x80"
    message = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", message)
    units = re.split(rb"\x00?\x00\x00\x01", coded)[1:]
    made = b""
    for unit in units:
        is_picture = unit[0] >> 1 < 32 and unit[2] & 0x80  # the first slice of one
        made += (b"\0\0\0\1" + message if is_picture else b"") + b"\0\0\0\1" + unit
    return made


def test_hdr10_plus_is_said_to_be_left_out(make_hdr, tmp_path, caplog):
    plain = make_hdr(PQ, name="plain.hevc")
    (tmp_path / "plus.hevc").write_bytes(hdr10_plus(plain.read_bytes()))
    kept(plain, "plain.mp4")
    assert "HDR10+" not in caplog.text
    kept(tmp_path / "plus.hevc", "plus.mp4")
    assert "HDR10+, brightness told scene by scene, is left out" in caplog.text


def test_an_effect_of_another_size_is_hdr_no_more(make_hdr, contents):
    path = make_hdr(HLG)
    with open_source(path) as source:
        source.keep_hdr()
        with open_sink(path.parent / "out.mp4", like=source, size=(64, 64)) as sink:
            for frame in source:
                sink.write(frame.with_image(np.full((64, 64, 3), 90, np.uint8)))
    assert contents(path.parent / "out.mp4").tags == (1, 1, 1)


def test_what_is_no_hdr_is_written_as_ever(make_clip, contents):
    path = make_clip()
    source = kept(path, "out.mkv")
    assert source.hdr_format is None
    assert contents(path.parent / "out.mkv").codec == "h264"


def test_a_live_recording_is_not_gray(make_hdr, contents, tmp_path):
    from facewarp.live.capture.open_live_source import find_file_source
    from facewarp.live.interfaces import ProcessedFrame
    from facewarp.live.loop import LiveLoop
    from facewarp.live.outputs.recorder import Recorder
    from facewarp.live.timing import LiveStats

    source = find_file_source(str(make_hdr(HLG)))()
    recorder = Recorder(tmp_path / "live.mp4", 25, wait=True)
    LiveLoop(
        source,
        lambda frame: ProcessedFrame(frame.image, [], {}),
        [recorder],
        LiveStats(),
        newest=False,
    ).run()
    after = contents(tmp_path / "live.mp4")
    assert after.tags == (1, 1, 1)
    assert np.abs(stripe_colors(after.images[0]) - COLORS).max() <= 8


def test_ten_bits_of_bt709_are_said_to_become_eight(make_clip, copied):
    path = make_clip("deep.mkv", pix_fmt="yuv420p10le", tags=(1, 1, 1))
    source = copied(path)
    assert source.notes == ["the video has 10 bits a channel: read and written with 8"]
    assert isinstance(next(iter(read_video(path))), Frame)
