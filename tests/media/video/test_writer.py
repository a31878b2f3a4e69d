import errno
import logging
from fractions import Fraction

import av
import numpy as np
import pytest

import facewarp.media.video.audio_copy
import facewarp.media.video.encoders
from facewarp.errors import FacewarpError
from facewarp.media.frames import Frame
from facewarp.media.orientation import Orientation
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source, read_video
from facewarp.media.video.encoders import Encoder
from facewarp.media.video.writer import VideoWriter


def copy(path, out, start=None, end=None, *, fail=None, after=0, opened=None, **options):
    """Reads and writes a clip; raises `fail` after so many frames. The sink goes to `opened`."""
    opened = [] if opened is None else opened
    with open_source(path, start, end) as source, open_sink(out, like=source, **options) as sink:
        opened.append(sink)
        for frame in source:
            if fail and frame.index == after:
                raise fail
            sink.write(frame)
    assert names(out.parent, ".partial") == []
    return sink


def names(folder, part=""):
    return sorted(entry.name for entry in folder.iterdir() if part in entry.name)


def write(out, images, **options):
    with open_sink(out, **options) as sink:
        for index, image in enumerate(images):
            sink.write(Frame(image, index / 25, index))


CLIPS = {
    "constant": {"frames": 12},
    "ntsc": {"frames": 20, "rate": Fraction(30_000, 1001)},
    "variable": {
        "ticks": [0, 3000, 6000, 13_500, 14_400, 30_000],
        "time_base": Fraction(1, 90_000),
    },
    "late": {"ticks": range(25, 40)},
    "one": {"frames": 1},
    "two": {"frames": 2},
}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("out", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
def test_count_and_times_stay(make_clip, contents, tmp_path, clip, out):
    path = make_clip("clip.mp4", **CLIPS[clip])
    sink = copy(path, tmp_path / out)
    before, after = contents(path), contents(tmp_path / out)
    assert sink.kept == len(before.times) == len(after.times)
    exact = out.endswith(("mp4", "mov"))  # the others count milliseconds
    assert after.times == pytest.approx(before.times, abs=1e-9 if exact else 0.000_51)
    assert after.codec == ("vp9" if out.endswith("webm") else "h264")


@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv", "clip.avi"])
def test_times_stay_across_containers(make_clip, contents, tmp_path, name):
    path = make_clip(name, frames=20, options={"bf": "0"})
    copy(path, tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").times == pytest.approx(
        [frame.time for frame in read_video(path)], abs=1e-6
    )


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.webm"])
def test_turn_stays_as_it_is_stored(make_clip, contents, tmp_path, colors_of, turn, out):
    path = make_clip(turn=turn, frames=3, shades=False)
    copy(path, tmp_path / out)
    before, after = contents(path), contents(tmp_path / out)
    assert (after.rotation, after.size) == (before.rotation, before.size)
    for a, b in zip(read_video(path), read_video(tmp_path / out), strict=True):
        assert a.image.shape == b.image.shape
        assert np.abs(colors_of(a.image) - colors_of(b.image)).max() <= 8


def test_mirrored_turn_stays(make_clip, tmp_path, colors_of):
    path = make_clip(turn=90, mirrored=True, frames=2, shades=False)
    copy(path, tmp_path / "out.mp4")
    (a, *_), (b, *_) = read_video(path), read_video(tmp_path / "out.mp4")
    assert np.abs(colors_of(a.image) - colors_of(b.image)).max() <= 8


def test_another_size_is_stored_upright(make_clip, contents, tmp_path):
    path = make_clip(turn=90, frames=3)
    with (
        open_source(path) as source,
        open_sink(tmp_path / "out.mp4", like=source, size=(32, 40)) as sink,
    ):
        for frame in source:
            sink.write(frame.with_image(np.zeros((40, 32, 3), np.uint8)))
    after = contents(tmp_path / "out.mp4")
    assert (after.size, after.rotation) == ((32, 40), 0)


def test_odd_sizes_grow_by_their_edge(make_clip, contents, tmp_path, colors_of):
    path = make_clip("clip.mkv", codec="ffv1", size=(65, 49), pix_fmt="bgr0", frames=3)
    copy(path, tmp_path / "out.mp4")
    after = contents(tmp_path / "out.mp4")
    assert after.size == (66, 50)
    (frame, *_) = read_video(path)
    assert np.abs(after.images[0][:49, :65].astype(int) - frame.image).mean() < 4
    for grown, edge in (
        (after.images[0][49], after.images[0][48]),
        (after.images[0][:, 65], after.images[0][:, 64]),
    ):
        assert np.abs(grown.astype(int) - edge).max() <= 6


def test_pixels_that_are_not_square_stay_so(make_clip, contents, tmp_path):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    copy(path, tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").aspect == Fraction(16, 11)


@pytest.mark.parametrize("turn", [Orientation(1), Orientation(2), Orientation(3, mirrored=True)])
def test_wide_pixels_of_a_turned_clip_are_as_high_upright(contents, tmp_path, turn):
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=64, height=48, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        stream.set_display_matrix(turn.display_matrix((64, 48)))
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    upright = Fraction(3, 2) if turn.quarter_turns == 2 else Fraction(2, 3)
    with open_source(path) as source:
        assert source.sample_aspect == upright
        source.for_display()
        shown = 96 / 48
        (frame,) = source
        height, width = frame.image.shape[:2]
        assert width / height == (shown if turn.quarter_turns == 2 else 1 / shown)
    copy(path, tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").aspect == Fraction(3, 2)
    with open_source(tmp_path / "out.mp4") as source:
        assert (source.sample_aspect, source.orientation) == (upright, turn)


# Sound


@pytest.mark.parametrize(
    ("name", "sound", "out"),
    [
        ("clip.mp4", "aac", "out.mp4"),
        ("clip.mp4", "aac", "out.mov"),
        ("clip.mov", "aac", "out.mp4"),
        ("clip.mkv", "mp3", "out.mp4"),
        ("clip.mpg", "mp2", "out.mp4"),
        ("clip.mkv", "libopus", "out.webm"),
        ("clip.mkv", "libopus", "out.mkv"),
        ("clip.mov", "pcm_s16le", "out.mkv"),
    ],
)
def test_sound_is_copied_as_it_is(make_clip, contents, tmp_path, name, sound, out):
    codec = "mpeg1video" if name.endswith("mpg") else "libx264"
    path = make_clip(name, frames=25, sound=sound, codec=codec)
    copy(path, tmp_path / out)
    before, after = contents(path), contents(tmp_path / out)
    assert before.sound
    assert after.sound == before.sound
    # against the pictures, whose clock an MPEG program stream starts anywhere
    lag = before.times[0] - after.times[0]
    assert after.sound_times == pytest.approx([t - lag for t in before.sound_times], abs=0.001)


def test_sound_that_sets_in_late_does_not_move(make_clip, contents, tmp_path):
    path = make_clip(frames=50, sound="aac", late=0.777)
    copy(path, tmp_path / "out.mp4")
    before, after = contents(path), contents(tmp_path / "out.mp4")
    assert after.sound == before.sound
    assert after.sound_times == pytest.approx(before.sound_times, abs=0.000_1)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_matroska_keeps_pictures_and_sound_where_they_are(make_clip, contents, tmp_path, name):
    path = make_clip(name, frames=25, sound="aac")
    copy(path, tmp_path / "out.mkv")
    before, after = contents(path), contents(tmp_path / "out.mkv")
    assert before.sound_times[0] < 0  # the silence that the encoder puts before the sound
    assert after.times[0] == 0
    assert after.sound[-1] == before.sound[-1]
    assert after.sound_times[-1] == pytest.approx(before.sound_times[-1], abs=0.001)
    assert begins(tmp_path / "out.mkv") == pytest.approx(begins(path), abs=0.012)


def begins(path):
    """Seconds at which a file's sound can first be heard."""
    with av.open(str(path)) as container:
        for piece in container.decode(container.streams.audio[0]):
            loud = np.flatnonzero(np.abs(piece.to_ndarray()[0]) > 0.05)
            if len(loud):
                return piece.time + loud[0] / piece.sample_rate
    return None


def test_sound_beyond_the_pictures_is_kept(make_clip, contents, tmp_path):
    path = make_clip(frames=10, sound="aac", sound_seconds=2.0)
    copy(path, tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").sound == contents(path).sound


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.2), (1.01, None), (None, 0.7)])
def test_sound_of_a_part_keeps_in_step(make_clip, contents, tmp_path, start, end):
    path = make_clip(frames=50, sound="aac")
    copy(path, tmp_path / "out.mp4", start, end)
    before, after = contents(path), contents(tmp_path / "out.mp4")
    first = before.sound.index(after.sound[5]) - 5
    assert after.sound == before.sound[first : first + len(after.sound)]
    shift = before.sound_times[first + 5] - after.sound_times[5]
    times = [t for t in before.times if t >= (start or 0) and (end is None or t < end)]
    assert after.times == pytest.approx([t - shift for t in times], abs=0.000_1)
    assert after.times[0] == 0
    assert (start is None) or 0 <= after.sound_times[0] < 0.03
    assert after.sound_times[-1] < after.times[-1] + 0.045


def test_sound_the_container_can_not_hold_is_converted_with_a_warning(
    make_clip, contents, tmp_path, caplog
):
    path = make_clip(sound="aac")
    with caplog.at_level(logging.WARNING):
        copy(path, tmp_path / "out.webm")
    after = contents(tmp_path / "out.webm")
    assert len(after.times) == 12
    assert after.sound
    assert "becomes Opus" in caplog.text
    assert "mkv" in caplog.text


def test_sound_a_container_refuses_late_is_converted_too(make_clip, contents, tmp_path):
    path = make_clip("clip.mkv", sound="flac")
    copy(path, tmp_path / "out.mov")  # known to QuickTime's tables, refused at its header
    assert contents(tmp_path / "out.mov").sound


def test_sound_that_no_one_can_write_is_left_out_with_a_warning(
    make_clip, contents, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(facewarp.media.video.audio_copy, "_works", lambda *_: False)
    copy(make_clip(sound="aac"), tmp_path / "out.webm")
    assert contents(tmp_path / "out.webm").sound == []
    assert "left out sound track 1 (aac)" in caplog.text


def test_sound_can_be_left_out(make_clip, contents, tmp_path):
    copy(make_clip(sound="aac"), tmp_path / "out.mp4", audio=False)
    assert contents(tmp_path / "out.mp4").sound == []


# Encoders


def test_the_index_comes_first(make_clip, tmp_path):
    copy(make_clip(), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_mpeg4_for_want_of_h264(make_clip, contents, tmp_path, monkeypatch, caplog):
    encoders = (Encoder("no_such_encoder"), facewarp.media.video.encoders.H264[-1])
    monkeypatch.setattr(facewarp.media.video.encoders, "H264", encoders)
    path = make_clip(
        rate=Fraction(30_000, 1001), time_base=Fraction(1, 90_000), ticks=range(0, 30_030, 3003)
    )
    with caplog.at_level(logging.WARNING):
        copy(path, tmp_path / "out.mp4")
    after = contents(tmp_path / "out.mp4")
    assert after.codec == "mpeg4"
    assert after.times == pytest.approx(contents(path).times, abs=1e-9)
    assert "no_such_encoder is missing" in caplog.text


def test_no_encoder_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(facewarp.media.video.encoders, "H264", (Encoder("no_such_encoder"),))
    with pytest.raises(FacewarpError, match="no encoder"):
        open_sink(tmp_path / "out.mp4", size=(64, 48))
    assert list(tmp_path.iterdir()) == []


# Ends of all kinds


def test_ctrl_c_leaves_a_playable_file(make_clip, contents, tmp_path):
    path = make_clip(frames=60, sound="aac")
    out = tmp_path / "out.mp4"
    opened = []
    with pytest.raises(KeyboardInterrupt):
        copy(path, out, fail=KeyboardInterrupt, after=20, opened=opened)
    after = contents(out)
    assert opened[0].kept == len(after.times) == 20
    assert after.times == pytest.approx([k / 25 for k in range(20)])
    assert 0.7 < after.sound_times[-1] < 0.8
    assert names(tmp_path) == ["clip.mp4", "out.mp4"]


def test_ctrl_c_before_the_first_frame_leaves_nothing(make_clip, tmp_path):
    opened = []
    with pytest.raises(KeyboardInterrupt):
        copy(make_clip(), tmp_path / "out.mp4", fail=KeyboardInterrupt, opened=opened)
    assert opened[0].kept == 0
    assert names(tmp_path) == ["clip.mp4"]


def test_ctrl_c_while_the_file_is_completed_does_not_lose_it(make_clip, tmp_path, monkeypatch):
    finish = facewarp.media.prefetch.WriteBehind.finish
    calls = []

    def interrupted(self):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        finish(self)

    monkeypatch.setattr(facewarp.media.prefetch.WriteBehind, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy(make_clip(), tmp_path / "out.mp4")
    assert len(list(read_video(tmp_path / "out.mp4"))) == 12


def test_any_other_exception_leaves_nothing(make_clip, tmp_path):
    with pytest.raises(RuntimeError):
        copy(make_clip(), tmp_path / "out.mp4", fail=RuntimeError, after=8)
    assert names(tmp_path) == ["clip.mp4"]


def test_a_failed_run_leaves_an_older_result_alone(make_clip, tmp_path):
    out = tmp_path / "out.mp4"
    path = make_clip()
    copy(path, out)
    older = out.read_bytes()
    with pytest.raises(RuntimeError):
        copy(path, out, fail=RuntimeError, after=3)
    assert out.read_bytes() == older


def test_no_frames(tmp_path):
    with pytest.raises(FacewarpError, match="no frame was written"):
        open_sink(tmp_path / "out.mp4", size=(32, 32)).close()
    assert list(tmp_path.iterdir()) == []


def test_closing_and_aborting_twice_is_fine(make_clip, tmp_path):
    sink = copy(make_clip(), tmp_path / "out.mp4")
    sink.close()
    sink.abort()
    assert (tmp_path / "out.mp4").exists()


def test_an_error_of_the_encoding_thread_surfaces(make_clip, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoWriter, "_encode_held", full)
    with pytest.raises(FacewarpError, match="no space is left"):
        copy(make_clip(frames=60), tmp_path / "out.mp4")
    assert names(tmp_path) == ["clip.mp4"]


def test_a_disk_that_fills_up(tmp_path, small_files):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    with small_files(60_000), pytest.raises(FacewarpError, match="no space is left") as caught:
        write(tmp_path / "out.mp4", (np.roll(noise, k, 1) for k in range(99)), size=(128, 128))
    assert "out.mp4" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_another_size_are_refused(tmp_path):
    images = [np.zeros((32, 32, 3), np.uint8), np.zeros((32, 16, 3), np.uint8)]
    with pytest.raises(FacewarpError, match="picture 1 has 16x32 pixels, the video 32x32"):
        write(tmp_path / "out.mp4", images, size=(32, 32))
    assert list(tmp_path.iterdir()) == []


def test_large_pictures(tmp_path, contents):
    write(tmp_path / "out.mp4", [np.zeros((2160, 3840, 3), np.uint8)], size=(3840, 2160))
    assert contents(tmp_path / "out.mp4").size == (3840, 2160)


@pytest.fixture
def with_chapters(tmp_path):
    """A clip of 10 frames at 25 a second, in chapters of 0.16 and 0.24 s."""
    path = tmp_path / "chapters.mkv"
    with av.open(str(path), "w") as container:
        times = ((0, 160, "One"), (160, 400, "Two"))
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": start,
                    "end": end,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (start, end, title) in enumerate(times, 1)
            ]
        )
        stream = container.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        for number in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("out", ["out.mov", "out.mp4", "out.mkv"])
@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (None, None, [("One", 0.0, 0.16), ("Two", 0.16, 0.4)]),
        (0.12, 0.32, [("One", 0.0, 0.04), ("Two", 0.04, 0.2)]),
        (0.2, None, [("Two", 0.0, 0.2)]),
    ],
)
def test_chapters_are_kept_and_cut(with_chapters, copied, out, start, end, kept):
    copied(with_chapters, out, start, end)
    found = open_source(with_chapters.parent / out).chapters
    assert [chapter.tags["title"] for chapter in found] == [title for title, *_ in kept]
    times = [(chapter.start, chapter.end) for chapter in found]
    assert times == [pytest.approx(one[1:], abs=1e-3) for one in kept]


def test_subtitles_that_are_left_out_are_told(with_chapters, tmp_path):
    source = open_source(with_chapters)
    assert source.subtitles == 0
    source.subtitles = 2
    with open_sink(tmp_path / "out.mp4", like=source) as sink:
        for frame in source:
            sink.write(frame)
    assert any("2 tracks of subtitles" in note for note in source.notes)
