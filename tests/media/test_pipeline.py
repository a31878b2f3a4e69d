"""One pass: what comes out has the frames, times and sound of what went in, or is not there."""

import json
import threading
import time
from fractions import Fraction
from functools import partial

import numpy as np
import PIL.Image
import pytest
from fixtures.waiting import until

from facewarp.errors import FacewarpError
from facewarp.media.pipeline import Pass, run_pass
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.track_records import open_records


def following(find):
    """What finds something in one frame after the other, as `run_pass` wants it."""
    return lambda frames: ((frame, find(frame)) for frame in frames)


@following
def nothing(frame):
    """What is found in a frame."""


def darker(frame, found=None):
    """The frame at half its brightness, and one record."""
    record = {"frame": frame.index, "time_s": frame.time, "face": 0, "state": "tracking"}
    return frame.image // 2, [record]


def stopping(index, error):
    """Work that fails at a frame."""

    def work(frame, found):
        if frame.index == index:
            raise error
        return darker(frame)

    return work


def passed(clip, out, work=darker, data=None, **options):
    source = open_source(clip)
    records = (lambda: open_records(data)) if data else None
    sink = partial(open_sink, out, like=source)
    return run_pass(source, sink, nothing, work, records, **options)


@pytest.mark.parametrize(
    "clip",
    [
        {},
        {"rate": Fraction(30_000, 1001)},
        {"ticks": [0, 1, 4, 5, 9, 20, 21], "time_base": Fraction(1, 30)},
        {"turn": 90},
        {"sound": "aac"},
        {"name": "clip.mkv", "sound": "libopus"},
    ],
    ids=["plain", "29.97", "variable", "upright", "sound", "mkv"],
)
def test_frames_times_turn_and_sound_are_kept(make_clip, contents, tmp_path, clip):
    path = make_clip(**clip)
    seen = []
    out = tmp_path / f"out{path.suffix}"
    done = passed(path, out, lambda frame, _: (seen.append(frame.index), darker(frame))[1])
    before, after = contents(path), contents(out)
    assert done.frames == len(before.times) == len(seen)
    assert seen == list(range(len(seen)))
    np.testing.assert_allclose(after.times, before.times, atol=1e-5)
    assert (after.size, after.rotation) == (before.size, before.rotation)
    assert after.sound == before.sound
    for old, new in zip(before.images, after.images, strict=True):
        assert np.abs(old.astype(int) // 2 - new).mean() < 6


def test_a_pass_tells_what_it_did(make_clip, tmp_path):
    path, out, calls = make_clip(frames=7), tmp_path / "out.mp4", []
    done = passed(path, out, advance=lambda: calls.append(1))
    assert (done.source, done.output, done.frames, done.truncated) == (path, out, 7, False)
    assert done.fps == pytest.approx(7 / done.seconds)
    assert len(calls) == 7
    assert Pass(path, out, 0, 0.0, False).fps == 0


def test_records_are_written_beside_the_pictures(make_clip, tmp_path):
    path, data = make_clip(frames=5), tmp_path / "track.jsonl"
    passed(path, tmp_path / "out.mp4", data=data)
    records = [json.loads(line) for line in data.read_text().splitlines()]
    assert [record["frame"] for record in records] == [0, 1, 2, 3, 4]
    assert [record["time_s"] for record in records] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_pictures_pass_through_like_videos(tmp_path, picture):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, shade in [("2.png", 40), ("10.png", 80), ("1.png", 0)]:
        PIL.Image.fromarray(picture((30, 20), shade)).save(folder / name)
    done = passed(folder, tmp_path / "out", data=tmp_path / "track.csv")
    assert done.frames == 3
    for name in ("1.png", "2.png", "10.png"):
        old, new = (np.array(PIL.Image.open(tmp_path / d / name)) for d in ("in", "out"))
        np.testing.assert_array_equal(new, old // 2)
    frames = [line.split(",")[0] for line in (tmp_path / "track.csv").read_text().splitlines()]
    assert frames == ["frame", "0", "1", "2"]
    done = passed(folder / "2.png", tmp_path / "one.png")
    assert (done.frames, done.output) == (1, tmp_path / "one.png")


def test_a_damaged_source_is_said_to_be_one(make_clip, tmp_path):
    path = make_clip("clip.ts", frames=60, codec="mpeg2video", sound=None)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(3000) + content[middle + 3000 :])
    done = passed(path, tmp_path / "out.mp4")
    assert done.truncated
    assert done.frames > 0


@pytest.mark.parametrize("error", [FacewarpError("no"), ValueError("bug"), SystemExit(3)])
def test_an_error_leaves_nothing_and_what_was_there_before(make_clip, tmp_path, error):
    path, out = make_clip(), tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(type(error)):
        passed(path, out, stopping(4, error), tmp_path / "track.jsonl")
    assert sorted(tmp_path.iterdir()) == before
    assert out.read_bytes() == b"precious"


def test_data_does_not_appear_without_the_pictures(make_clip, tmp_path, monkeypatch):
    source = open_source(make_clip())
    sink = open_sink(tmp_path / "out.mp4", like=source)
    close = sink.close

    def fail(**options):
        close(**options)
        raise FacewarpError("no space is left to write")

    monkeypatch.setattr(sink, "close", fail)
    records = partial(open_records, tmp_path / "track.jsonl")
    with pytest.raises(FacewarpError, match="no space"):
        run_pass(source, lambda: sink, nothing, darker, records)
    assert not (tmp_path / "track.jsonl").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("index", "told"), [(5, "the first 5 frames"), (1, "the first frame")])
def test_an_interrupted_pass_keeps_what_was_done(make_clip, contents, tmp_path, index, told):
    out, data = tmp_path / "out.mp4", tmp_path / "track.jsonl"
    path = make_clip(sound="aac")
    stop_there = stopping(index, KeyboardInterrupt())

    def work(frame, found):
        time.sleep(0.02)  # the source is read to its end long before
        return stop_there(frame, found)

    with pytest.raises(KeyboardInterrupt) as stop:
        passed(path, out, work, data)
    assert stop.value.__notes__ == [f"kept {told} in {out} and their data in {data}"]
    kept = contents(out)
    np.testing.assert_allclose(kept.times, contents(path).times[:index], atol=1e-5)
    assert kept.sound_times[-1] < (index + 1) / 25
    assert len([json.loads(line) for line in data.read_text().splitlines()]) == index
    assert not list(tmp_path.glob(".*"))


def test_a_pass_interrupted_before_its_first_frame_keeps_nothing(make_clip, tmp_path):
    path, out = make_clip(), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt) as stop:
        passed(path, out, stopping(0, KeyboardInterrupt()), tmp_path / "track.jsonl")
    assert stop.value.__notes__ == [f"nothing was written to {out}"]
    assert list(tmp_path.iterdir()) == [path]


def test_finding_runs_ahead_of_drawing_and_never_out_of_turn(make_clip, tmp_path):
    found, drawn, ahead = [], [], []

    def find(frame):
        found.append((frame.index, threading.current_thread().name))
        return 10 * frame.index

    def draw(frame, ten):
        drawn.append((frame.index, ten))
        if frame.index == 20:
            until(lambda: len(found) - len(drawn) > 4)
        time.sleep(0.005)
        ahead.append(len(found) - len(drawn))
        return darker(frame)

    path = make_clip(frames=40)
    source = open_source(path)
    run_pass(source, partial(open_sink, tmp_path / "out.mp4", like=source), following(find), draw)
    assert drawn == [(index, 10 * index) for index in range(40)]
    assert {name for _, name in found} == {f"find {path.name}"}
    assert 4 < max(ahead) <= 18  # a thorough search is bridged, and memory is bounded


def test_what_fails_in_finding_is_raised_and_leaves_nothing(make_clip, tmp_path):
    def find(frame):
        if frame.index == 3:
            raise FacewarpError("the camera is upside down")

    source = open_source(make_clip())
    before = set(threading.enumerate())
    sink = partial(open_sink, tmp_path / "out.mp4", like=source)
    with pytest.raises(FacewarpError, match="upside down"):
        run_pass(source, sink, following(find), darker)
    assert not list(tmp_path.glob("*out*"))
    assert set(threading.enumerate()) <= before
