"""Codecs that are asked for: what they are read back as, and what is kept of 10 bits."""

import os
from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.frames import DeepImage, Frame
from facewarp.media.sinks import keeps_depth, open_sink
from facewarp.media.sources import open_source
from facewarp.media.video.encoders import CODECS, DecodeTimes, choose_encoder, with_quality


def write(target, codec, quality=None, deep=None, frames=2):
    rows, columns = np.mgrid[:64, :64]
    image = np.dstack([rows * 4, columns * 3, rows + columns]).astype(np.uint8)
    with open_sink(target, size=(64, 64), fps=25, codec=codec, quality=quality) as sink:
        for number in range(frames):
            shown = image if deep is None else deep.shown()
            sink.write(Frame(shown, number / 25, number, deep=deep))
    return target


def ramp():
    """A shallow ramp of 10-bit gray levels, as 16-bit codes: 4 of them are one of 8 bits."""
    ten = np.repeat((400 + np.arange(64) // 4)[None], 64, 0)
    return DeepImage(np.repeat((ten * 65_535 // 1023)[..., None], 3, 2).astype(np.uint16))


@pytest.mark.parametrize(
    ("name", "codec", "read_as", "pix_fmt"),
    [
        ("a.mp4", "hevc", "hevc", "yuv420p"),
        ("a.mov", "hevc10", "hevc", "yuv420p10le"),
        ("a.mov", "prores422", "prores", "yuv422p10le"),
        ("a.mkv", "prores4444", "prores", "yuv444p10le"),
        ("a.webm", "vp9", "vp9", "yuv420p"),
    ],
)
def test_a_codec_is_read_back_as_such(tmp_path, name, codec, read_as, pix_fmt):
    with av.open(str(write(tmp_path / name, codec))) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == read_as
        assert stream.codec_context.pix_fmt in (pix_fmt, pix_fmt.replace("10", "12"))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mov", "prores422"), ("b.mov", "prores4444"), ("c.mp4", "hevc10")]
)
def test_ten_bits_go_in_and_out(tmp_path, name, codec):
    deep = ramp()
    with open_source(write(tmp_path / name, codec, 100, deep)) as source:
        source.keep_depth()
        frames = list(source)
        assert source.notes == []
    apart = np.abs(frames[0].deep.codes.astype(int) - deep.codes)[:, 4:-4]
    assert np.median(apart) < 64  # one step of 10 bits
    assert apart.mean() < 90  # and of 8 bits: 257
    assert (frames[0].image == frames[0].deep.shown()).mean() > 0.5


def test_ten_bits_that_become_eight_are_said(tmp_path):
    with open_source(write(tmp_path / "a.mov", "prores422", deep=ramp())) as source:
        assert next(iter(source)).deep is None
        assert "10 bits a channel: read and written with 8" in source.notes[0]


def test_quality_is_a_scale_from_0_to_100():
    crf = [int(with_quality(CODECS["h264"][1], q).options["crf"]) for q in (0, 50, 80, 100)]
    assert crf == [51, 40, 16, 0]
    grades = [with_quality(CODECS["prores422"][1], q).options["profile"] for q in (0, 30, 60, None)]
    assert grades == ["proxy", "lt", "standard", "hq"]
    assert with_quality(CODECS["prores4444"][1], 95).options["profile"] == "4444xq"


def test_a_better_quality_is_nearer_and_larger(tmp_path):
    sizes, apart = [], []
    for quality in (30, 90):
        path = write(tmp_path / f"{quality}.mp4", "h264", quality, frames=1)
        image = next(iter(open_source(path))).image
        rows, columns = np.mgrid[:64, :64]
        wanted = np.dstack([rows * 4, columns * 3, rows + columns]).astype(np.uint8)
        apart.append(np.abs(image.astype(int) - wanted).mean())
        sizes.append(path.stat().st_size)
    assert sizes[1] > sizes[0]
    assert apart[1] < apart[0]


@pytest.mark.parametrize(
    ("name", "codec", "told"),
    [
        ("a.mp4", "prores422", "does not go into .mp4"),
        ("a.webm", "h264", "does not go into .webm"),
        ("f_%03d.png", "h264", "no codec or quality"),
    ],
)
def test_a_codec_that_does_not_fit_is_said(tmp_path, name, codec, told):
    with pytest.raises(FacewarpError, match=told):
        write(tmp_path / name, codec)


def test_which_outputs_have_more_than_8_bits(tmp_path):
    deep = {"f_%04d.png": None, "f.####.exr": None, "a.mov": "prores422", "b.mp4": "hevc10"}
    flat = {"f_%04d.jpg": None, "a.mov": None, "b.mp4": "h264"}
    assert all(keeps_depth(tmp_path / name, codec) for name, codec in deep.items())
    assert not any(keeps_depth(tmp_path / name, codec) for name, codec in flat.items())


def test_hdr_is_not_written_with_8_bits():
    rate = Fraction(25)
    with pytest.raises(FacewarpError, match="HDR needs 10"):
        choose_encoder(".mp4", (64, 48), rate, hdr=True, codec="h264")
    encoder = choose_encoder(".mov", (64, 48), rate, hdr=True, codec="prores422")
    assert encoder.pix_fmt == "yuv422p10le"


def test_decoding_times_out_of_memory_are_made_anew():
    def packet(pts, dts):
        made = av.Packet(b"x")
        made.pts, made.dts = pts, dts
        return made

    timed = DecodeTimes(40)
    sound = timed([packet(0, -80), packet(120, -40), packet(40, 0)])
    assert [p.dts for p in sound] == [-80, -40, 0]
    timed = DecodeTimes(40)
    broken = timed([packet(0, -(1 << 40)), packet(80, 1 << 40), packet(40, None)])
    assert [p.dts for p in broken] == [-80, -40, 0]
    assert all(p.dts <= p.pts for p in broken)


@pytest.mark.parametrize("size", [(16_386, 64), (64, 16_386)])
def test_pictures_too_large_for_h264_are_refused_with_codecs_that_take_them(size):
    with pytest.raises(FacewarpError, match=r"too large for H\.264") as refused:
        choose_encoder(".mp4", size, Fraction(25))
    assert "--codec hevc" in (refused.value.fix or "")


@pytest.mark.parametrize("size", [(62, 640), (640, 62)])
@pytest.mark.parametrize(("codec", "hdr"), [("hevc", False), ("hevc10", True), (None, True)])
def test_pictures_too_small_for_hevc_are_refused_before_it_sees_them(size, codec, hdr):
    with pytest.raises(FacewarpError, match="too small for HEVC"):
        choose_encoder(".mp4", size, Fraction(25), hdr=hdr, codec=codec)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux alone has such classes")
def test_an_encoder_does_not_take_the_machine_from_other_programs(tmp_path):
    write(tmp_path / "a.webm", "av1")
    classes = {os.sched_getscheduler(int(name)) for name in os.listdir("/proc/self/task")}
    assert not classes & {os.SCHED_FIFO, os.SCHED_RR}
