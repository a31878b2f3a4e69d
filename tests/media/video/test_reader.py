import logging
import os
import re
import struct
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

import facewarp.media.video.pixels.color_conversion
from facewarp.errors import FacewarpError
from facewarp.media.sources import open_source, read_video
from tests.fixtures.edits import set_edits


def test_constant_rate(make_clip):
    with open_source(make_clip(frames=12)) as source:
        frames = list(source)
    assert (source.kind, source.name, source.size) == ("video", "clip.mp4", (64, 48))
    assert (source.fps, source.frame_count, source.rotation) == (25.0, 12, 0)
    assert source.duration_s == pytest.approx(0.48)
    assert not source.has_audio
    assert not source.is_variable_rate
    assert source.exhausted
    assert not source.truncated
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(12)], abs=1e-9)
    image = frames[0].image
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    assert image.flags.c_contiguous


def test_ntsc_times_do_not_drift(make_clip):
    rate = Fraction(30_000, 1001)
    source = open_source(make_clip(frames=90, rate=rate, size=(32, 32)))
    times = [frame.time for frame in source]
    assert times == pytest.approx([k * 1001 / 30_000 for k in range(90)], abs=1e-9)
    assert source.rate == rate


def test_variable_rate(make_clip):
    ticks = [0, 3000, 6000, 13_500, 14_400, 30_000]
    source = open_source(make_clip(ticks=ticks, time_base=Fraction(1, 90_000), rate=30))
    assert [frame.time for frame in source] == pytest.approx([t / 90_000 for t in ticks], abs=1e-9)
    assert source.is_variable_rate


def test_b_frames_come_in_the_order_shown(make_clip, colors_of):
    frames = list(read_video(make_clip(frames=20, options={"bf": "3", "crf": "10"})))
    reds = [colors_of(frame.image)[0, 0] for frame in frames]
    assert reds == sorted(reds, reverse=True)
    assert len(set(reds)) > 15


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_upright(make_clip, picture, colors_of, turn, mirrored):
    path = make_clip(turn=turn, mirrored=mirrored, frames=2, shades=False)
    source = open_source(path)
    frame = next(iter(source))
    stored = picture((64, 48))
    turned = np.rot90(stored, -turn // 90)
    expected = turned[:, ::-1] if mirrored else turned
    assert source.size == (expected.shape[1], expected.shape[0])
    assert frame.image.shape == expected.shape
    assert np.abs(colors_of(frame.image) - colors_of(expected)).max() <= 6
    if not mirrored:
        assert frame.rotation == source.rotation == turn


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (1.32, None), (None, 0.2), (0.0, 9.0)])
def test_range_is_cut_out_of_the_whole(make_clip, name, start, end):
    path = make_clip(name, frames=50, size=(32, 32), options={"g": "12", "bf": "0", "crf": "10"})
    whole = list(read_video(path))
    expected = [
        frame for frame in whole
        if frame.time >= (start or 0) - 1e-6 and (end is None or frame.time < end)
    ]  # fmt: skip
    source = open_source(path, start, end)
    part = list(source)
    assert [frame.time for frame in part] == [frame.time for frame in expected]
    assert [frame.index for frame in part] == list(range(len(expected)))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, expected, strict=True))
    assert source.frame_count == pytest.approx(len(part), abs=1)
    assert source.exhausted == (end is None or end == 9.0)


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (9.0, None, "start is 9 s, but the video ends at 0.48 s"),
        (-1.0, None, "before the video begins"),
        (0.3, 0.3, "not after the start"),
    ],
)
def test_range_errors(make_clip, start, end, says):
    with pytest.raises(FacewarpError, match=says):
        open_source(make_clip(), start, end)


def test_one_frame(make_clip):
    source = open_source(make_clip(frames=1))
    assert len(list(source)) == source.frame_count == 1
    assert not source.truncated


def test_odd_size_and_rgb(make_clip):
    source = open_source(make_clip("clip.mkv", codec="ffv1", size=(65, 49), pix_fmt="bgr0"))
    assert source.size == (65, 49)
    assert next(iter(source)).image.shape == (49, 65, 3)


def test_transport_stream_starts_at_zero(make_clip):
    path = make_clip("clip.ts", ticks=range(25_000, 25_012))
    with av.open(str(path)) as container:
        assert container.start_time > 900 * av.time_base
    frames = list(read_video(path))
    assert [f.time for f in frames] == pytest.approx([k / 25 for k in range(12)], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "form", "codec"),
    [
        ("c.h264", "h264", "libx264"),
        ("c.m2v", "mpeg2video", "mpeg2video"),
        ("c.m4v", "m4v", "mpeg4"),
    ],
)
@pytest.mark.parametrize("rate", [25, 30, Fraction(24000, 1001), 50])
def test_bare_streams_have_the_pace_that_their_pictures_tell(make_clip, name, form, codec, rate):
    with open_source(make_clip(name, container_format=form, codec=codec, rate=rate)) as source:
        times = [frame.time for frame in source]
    assert (source.rate, source.is_variable_rate, source.notes) == (rate, False, [])
    assert times == pytest.approx([k / rate for k in range(12)], abs=1e-4)


def test_a_bare_stream_that_tells_no_pace_is_said_to_have_none(make_clip):
    path = make_clip(
        "c.mjpeg", container_format="mjpeg", codec="mjpeg", pix_fmt="yuvj420p", rate=30
    )
    with open_source(path) as source:
        assert [frame.time for frame in source] == pytest.approx([k / 25 for k in range(12)])
    (note,) = source.notes
    assert "no frames a second are told, 25 are taken" in note


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(FacewarpError, match=r"this is a pipe.*pipe\.mp4"):
        open_source(tmp_path / "pipe.mp4")


def test_a_source_can_be_read_twice(make_clip):
    source = open_source(make_clip())
    first, second = list(source), list(source)
    assert [a.time for a in first] == [b.time for b in second]


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_leaving_early_ends_the_thread(make_clip):
    with open_source(make_clip(frames=60)) as source:
        for frame in source:
            if frame.index == 3:
                break
    assert not _threads()
    assert not source.exhausted
    frames = read_video(source.path)
    next(frames)
    assert _threads()
    frames.close()
    assert not _threads()


def test_an_error_in_the_thread_comes_out_where_frames_are_read(make_clip, monkeypatch):
    def broken(*_):
        raise RuntimeError("met in the thread")

    monkeypatch.setattr(facewarp.media.video.pixels.color_conversion.RGBReader, "__call__", broken)
    with pytest.raises(RuntimeError, match="met in the thread"):
        list(read_video(make_clip()))
    assert not _threads()


def test_foreign_text_in_metadata(make_clip):
    path = make_clip("clip.mkv")
    data = path.read_bytes()
    assert data.count(b"Lavf") > 0
    path.write_bytes(data.replace(b"Lavf", b"\xff\xfe\xfa\xf0"))
    assert len(list(read_video(path))) == 12


# Bad input: one clear line, naming the file


def _message(path, **options) -> str:
    with pytest.raises(FacewarpError) as caught:
        list(open_source(path, **options))
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert caught.value.fix
    return text


def test_missing_file(tmp_path):
    assert "no such file" in _message(tmp_path / "nothing.mp4")


def test_empty_file(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "empty" in _message(path)


@pytest.mark.parametrize("name", ["text.mp4", "text.txt", "text.avi", "text"])
def test_text(tmp_path, name):
    path = tmp_path / name
    path.write_text("These are words and not pictures.\n" * 50)
    assert "not a video" in _message(path)


def test_sound_alone(tmp_path, make_clip):
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "only sound" in _message(path)


def test_index_at_the_end_missing(make_clip):
    path = make_clip(frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut short" in _message(path)


def test_no_frames(tmp_path):
    path = tmp_path / "none.mp4"
    with av.open(str(path), "w") as container:
        container.add_stream("libx264", rate=25, width=32, height=32, pix_fmt="yuv420p")
        container.start_encoding()
    assert "no pictures" in _message(path)


def test_folder_where_a_file_is_due(tmp_path):
    with pytest.raises(FacewarpError, match="this is a folder"):
        read_video(tmp_path)


def test_errors_come_when_the_video_is_opened(tmp_path):
    with pytest.raises(FacewarpError):
        read_video(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_cut_in_the_middle_gives_what_there_is(make_clip, caplog, name):
    path = make_clip(
        name, frames=100, options={"g": "10"}, container_options={"movflags": "+faststart"}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    source = open_source(path)
    with caplog.at_level(logging.WARNING):
        frames = list(source)
    assert 10 < len(frames) < 95
    assert source.truncated
    assert str(path) in caplog.text
    assert f"{len(frames)} frames could be read" in caplog.text


def test_damage_in_the_middle_is_stepped_over(make_clip, caplog):
    path = make_clip("clip.mp4", frames=100, options={"g": "5", "bf": "0"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + len(data) // 2
    data[start : start + 300] = bytes(range(0, 250, 1))[:300].ljust(300, b"\xab")
    path.write_bytes(data)
    source = open_source(path)
    with caplog.at_level(logging.WARNING):
        frames = list(source)
    assert len(frames) > 80
    assert frames[-1].time > 3.8


@pytest.mark.parametrize("name", ["late.mp4", "late.mov", "late.mkv"])
def test_a_start_within_pictures_that_set_in_late_is_found(make_clip, name):
    path = make_clip(name, ticks=range(25, 35), sound="aac")  # pictures from 1 to 1.4 s
    with open_source(path, 1.2, 1.32) as source:
        assert [frame.time for frame in source] == pytest.approx([1.2, 1.24, 1.28])
        assert source.frame_count == 3
        assert source.duration_s == pytest.approx(1.4, abs=0.05)
    with pytest.raises(FacewarpError, match=r"ends at 1\.4\d? s"):
        open_source(path, 1.5)


def test_a_wait_that_is_in_the_length_already_is_not_missing_at_the_end(make_clip, caplog):
    path = make_clip("late.mp4", frames=60, sound="aac")
    whole = [(2.4, 0.0)]
    set_edits(path, {"vide": [(1.2, None), (1.0, 0.4)], "soun": whole})
    with open_source(path) as source:
        times = [frame.time for frame in source]
        assert (times[0], times[-1]) == pytest.approx((1.2, 2.16))
        assert source.duration_s == pytest.approx(2.2, abs=0.05)
        assert not source.truncated
    assert "cut short" not in caplog.text


def test_pictures_stored_from_the_bottom_up_are_read(tmp_path, picture, colors_of):
    with av.open(str(tmp_path / "player.avi"), "w") as container:
        stream = container.add_stream("amv", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(picture((64, 48)), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(tmp_path / "player.avi") as source:
        source.keep_codes()
        images = [frame.unpacked().image for frame in source]
    assert len(images) == 40
    assert np.abs(colors_of(images[-1]) - colors_of(picture((64, 48)))).max() < 20


def told_by_libmatroska(path, seconds):
    """Make a file of FFmpeg's one of mkvmerge's: it tells its length, and not its last time."""
    data = path.read_bytes()
    writer = data[data.index(b"Lavf") :].partition(b"W")[0][:13]
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes
    data = data[:at] + struct.pack(">d", 1000 * seconds) + data[at + 8 :]
    data = data.replace(writer, b"libmatroska".ljust(len(writer)))
    told = f"00:00:{seconds:012.9f}".encode()  # of the track, as a tag
    path.write_bytes(re.sub(rb"\d\d:\d\d:\d\d\.\d{9}", told, data))


@pytest.mark.parametrize("first", [50, 500])  # of ticks of 0.04 s: less and more than its length
def test_a_length_of_mkvmerge_is_none_of_the_clock(make_clip, first, caplog):
    path = make_clip("part-002.mkv", ticks=range(first, first + 60))
    told_by_libmatroska(path, 2.4)
    with av.open(str(path)) as container:
        assert container.duration == 2_400_000
        assert container.start_time == first * 40_000
    with open_source(path, 2.0) as source:
        assert source.duration_s == pytest.approx(2.4, abs=0.01)
        times = [frame.time for frame in source]
    assert times == pytest.approx(np.arange(50, 60) / 25)
    assert not source.truncated
    assert "cut short" not in caplog.text


@pytest.mark.parametrize("options", [{}, {"movflags": "frag_keyframe+empty_moov"}])
def test_mp4_files_joined_by_cat_are_said_to_be_so(make_clip, options):
    path = make_clip("a.mp4", container_options=options)
    one = path.read_bytes()
    with open_source(path) as source:
        assert source.notes == []
    path.write_bytes(one + one)
    with open_source(path) as source:
        assert ["2 MP4 files stand in it" in note for note in source.notes] == [True]
        assert len(list(source)) >= 12
