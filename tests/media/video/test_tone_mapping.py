"""HLG, PQ and wide gamut are read as BT.709, and what is written says so."""

import av
import numpy as np
import pytest

from facewarp.media.frames import Frame
from facewarp.media.sources import open_source, read_video
from facewarp.media.video.tone_mapping import (
    HLG,
    PQ,
    WHITE_CD_M2,
    gamut_matrix,
    hlg_to_light,
    light_to_hlg,
    light_to_pq,
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
    def make(transfer=HLG, name="hdr.mov", primaries=9, matrix=9, frames=4, colors=COLORS):
        path = tmp_path / name
        stripes = np.repeat(colors, SIZE[0] // len(colors), axis=0)
        if transfer in (PQ, HLG):
            codes = codes_of(stripes, transfer)
        else:
            linear = (stripes / 255) ** 2.4 @ gamut_matrix(1, primaries).T
            codes = linear ** (1 / 2.4)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                "libx265", rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p10le",
                options={"x265-params": "log-level=none:lossless=1"},
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


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 14), (9, 1), (12, 1)])
def test_wide_gamut_is_read_as_what_it_shows(make_hdr, primaries, transfer):
    source = open_source(make_hdr(transfer, primaries=primaries))
    assert np.abs(stripe_colors(next(iter(source)).image) - COLORS).max() <= 4
    assert "wide gamut" in source.notes[0]


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.webm"])
def test_paint_has_its_own_colors_and_tags_say_what_the_pixels_are(
    make_hdr, contents, transfer, out
):
    path = make_hdr(transfer)
    from facewarp.media.sinks import open_sink

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
