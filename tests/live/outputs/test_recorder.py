"""What is kept of a session: recordings that play however it ends, screenshots."""

import errno
import os
import subprocess
import sys
import threading

import av
import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.live.capture.open_live_source import find_file_source
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.outputs import recorder as recorder_module
from facewarp.live.outputs.recorder import Recorder
from facewarp.live.session import Session
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.orientation import fit_within
from facewarp.media.sources import read_video

STATS = LiveStats()


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def shots(picture, times, size=(64, 48), first=0):
    for index, moment in enumerate(times, first):
        image = picture(size, 2 * (index % 60))
        yield Frame(image, moment, index), ProcessedFrame(image, [], {})


def record(recorder, pictures):
    for frame, made in pictures:
        recorder.present(frame, made, STATS)
    recorder.close()


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
def test_a_recording_has_the_times_of_the_frames_from_0_on(picture, contents, tmp_path, name):
    times = [100.0, 100.03, 100.07, 100.1, 103.0, 103.5]
    recorder = Recorder(tmp_path / name, 30.0, wait=True)
    record(recorder, shots(picture, times))
    found = contents(tmp_path / name)
    assert found.times == pytest.approx([moment - 100.0 for moment in times], abs=0.001)
    assert found.sound == []
    assert (recorder.kept, recorder.missed) == (6, 0)
    assert os.listdir(tmp_path) == [name]


def test_its_pictures_are_those_shown(picture, contents, colors_of, tmp_path):
    record(Recorder(tmp_path / "out.mp4", 25.0, wait=True), shots(picture, [0.0, 0.04]))
    for index, image in enumerate(contents(tmp_path / "out.mp4").images):
        expected = colors_of(picture((64, 48), 2 * index))
        assert np.abs(colors_of(image) - expected).max() <= 8


def test_pictures_of_another_size_are_fitted_in(picture, contents, tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", 25.0, wait=True)
    pictures = [*shots(picture, [0.0]), *shots(picture, [0.04], size=(30, 90), first=1)]
    record(recorder, pictures)
    found = contents(tmp_path / "out.mp4")
    assert [image.shape for image in found.images] == [(48, 64, 3)] * 2
    second = found.images[1].astype(int)
    assert second[:, :20].mean() < 25 < second[:, 28:36].mean()


def test_an_encoder_that_was_opened_before_takes_the_first_picture(
    picture, contents, tmp_path, monkeypatch
):
    recorder = Recorder(tmp_path / "out.mp4", 25.0, wait=True)
    recorder.open((64, 48))
    monkeypatch.delattr(recorder_module, "VideoWriter")  # no second one can be made
    record(recorder, shots(picture, [5.0, 5.04, 5.08]))
    assert contents(tmp_path / "out.mp4").times == pytest.approx([0, 0.04, 0.08], abs=0.001)


def test_an_encoder_opened_for_another_size_is_opened_anew(picture, contents, tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", 25.0, wait=True)
    recorder.open((640, 480))
    record(recorder, shots(picture, [0.0, 0.04]))
    assert contents(tmp_path / "out.mp4").size == (64, 48)
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_an_opened_encoder_without_pictures_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", 30.0)
    recorder.open((64, 48))
    recorder.close()
    assert os.listdir(tmp_path) == []


def test_a_session_opens_its_recording_before_the_first_picture(picture, contents, tmp_path):
    stats, path = LiveStats(), tmp_path / "show.mp4"
    session = Session(stats, 30.0, record=path, wait=True, size=(64, 48))
    assert os.listdir(tmp_path) == []
    session.attach(None)
    assert len(os.listdir(tmp_path)) == 1  # the hidden file beside it
    run(picture, session, stats, {})
    assert len(contents(path).times) == 40
    assert os.listdir(tmp_path) == ["show.mp4"]


@pytest.mark.parametrize("size", [(10, 10), (64, 48), (200, 3), (7, 300)])
def test_fitting_keeps_proportions_and_touches_two_edges(size):
    image = np.full((size[1], size[0], 3), 255, np.uint8)
    whole = fit_within(image, (64, 48))
    rows, columns = np.nonzero(whole.max(2))[0], np.nonzero(whole.max(2))[1]
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert (width, height) == (64, 48) or width == 64 or height == 48
    assert whole.shape == (48, 64, 3)
    scale = min(64 / size[0], 48 / size[1])
    assert (width, height) == (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))


def test_a_lagging_encoder_costs_pictures_of_the_recording_and_no_time(picture, tmp_path):
    recorder = Recorder(tmp_path / "out.mp4", 30.0)
    gate = threading.Event()
    pictures = list(shots(picture, [index / 30 for index in range(60)]))
    recorder.present(*pictures[0], STATS)
    writer = recorder._writer
    write = writer._thread._deal

    def stuck(frame):
        assert gate.wait(60)
        write(frame)

    writer._thread._deal = stuck
    for shot in pictures[1:]:
        recorder.present(*shot, STATS)  # would wait for ever here
    assert recorder.missed >= 40
    gate.set()
    recorder.close()
    assert recorder.kept + recorder.missed == 60
    frames = list(read_video(tmp_path / "out.mp4"))
    assert len(frames) == recorder.kept
    assert frames[-1].time < 1


@pytest.mark.parametrize(
    ("name", "told"), [("out.avi", ".mp4"), ("out", ".mp4"), ("file/out.mp4", "not a folder")]
)
def test_a_bad_target_is_told_before_the_show(tmp_path, name, told):
    (tmp_path / "file").touch()
    with pytest.raises(FacewarpError, match=told):
        Recorder(tmp_path / name, 30.0)
    assert os.listdir(tmp_path) == ["file"]


def test_the_source_is_not_overwritten(make_clip):
    path = make_clip()
    with pytest.raises(FacewarpError, match="same file"):
        Recorder(path, 30.0, inputs=(path,))


def test_a_recording_without_pictures_leaves_nothing(tmp_path):
    Recorder(tmp_path / "out.mp4", 30.0).close()
    assert os.listdir(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
import av
import numpy as np
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.live.outputs.recorder import Recorder
from facewarp.media.sources import Frame

recorder, rng = Recorder(Path(sys.argv[1]), 30.0, wait=True), np.random.default_rng(0)
image = rng.integers(0, 255, (240, 320, 3), np.uint8)
for index in range(240):
    image = np.roll(image, 3, axis=1)
    recorder.present(Frame(image, index / 30, index), ProcessedFrame(image, [], {}), LiveStats())
os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_what_a_killed_process_recorded_can_be_played(tmp_path, suffix):
    command = [sys.executable, "-c", KILLED, str(tmp_path / f"out.{suffix}")]
    assert subprocess.run(command, timeout=250).returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out.")
    frames = list(read_video(left))
    assert 150 <= len(frames) <= 240  # some were in the encoder still
    assert frames[-1].time == pytest.approx((len(frames) - 1) / 30, abs=0.01)


def test_what_was_recorded_before_the_disk_filled_up_is_kept(picture, tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "out.mkv", 30.0, wait=True)
    pictures = list(shots(picture, [index / 30 for index in range(90)]))
    for shot in pictures[:60]:
        recorder.present(*shot, STATS)
    writer = recorder._writer

    def full(frame):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer._thread, "_deal", full)
    with pytest.raises(FacewarpError, match="no space is left"):
        all(recorder.present(*shot, STATS) is None for shot in pictures[60:])
    with pytest.raises(FacewarpError, match="what was recorded before is kept"):
        recorder.close()
    assert os.listdir(tmp_path) == ["out.mkv"]
    assert len(list(read_video(tmp_path / "out.mkv"))) >= 30


@pytest.fixture
def bounded_files():
    """Lets no file grow past so many bytes, as a full disk does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_recording_that_filled_the_disk_ends_with_a_whole_fragment(
    suffix, tmp_path, bounded_files
):
    path = tmp_path / f"out.{suffix}"
    recorder = Recorder(path, 30.0, wait=True)
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    images = [np.roll(noise, 7 * index, axis=1) for index in range(200)]
    pairs = [
        (Frame(image, index / 30, index), ProcessedFrame(image, [], {}))
        for index, image in enumerate(images)
    ]
    bounded_files(1_000_000)
    with pytest.raises(FacewarpError, match="no space is left"):
        all(recorder.present(*pair, STATS) is None for pair in pairs)
    with pytest.raises(FacewarpError, match="what was recorded before is kept"):
        recorder.close()
    content, end = path.read_bytes(), 0
    while end < len(content):
        end += int.from_bytes(content[end : end + 4])
    assert end == len(content)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert not any(packet.is_corrupt for packet in packets)
    assert len(list(read_video(path))) == len(packets) > 0


# --- sessions


class Frames:
    name, notice = "frames", None

    def __init__(self, picture, count):
        self.picture, self.count = picture, count

    def __iter__(self):
        for frame, _ in shots(self.picture, [index / 30 for index in range(self.count)]):
            yield frame

    def close(self):
        pass


def show(frame):
    return ProcessedFrame(frame.image, [], {})


class At:
    """A presenter that does something at a frame."""

    def __init__(self, deeds):
        self.deeds, self.told = deeds, []

    def present(self, frame, made, stats):
        if frame.index in self.deeds:
            self.told.append(self.deeds[frame.index]())

    def idle(self, stats):
        pass

    def close(self):
        pass


def run(picture, session, stats, deeds, count=40):
    viewer = At(deeds)
    loop = LiveLoop(Frames(picture, count), show, [session, viewer], stats, newest=False)
    session.attach(loop)
    loop.run()
    return viewer.told


def test_a_session_records_from_start_to_end(picture, contents, tmp_path):
    stats = LiveStats()
    session = Session(stats, 30.0, record=tmp_path / "show.mp4", wait=True)
    assert stats.recording == "show.mp4"
    run(picture, session, stats, {})
    assert len(contents(tmp_path / "show.mp4").times) == 40
    assert stats.recording is None
    assert [recorder.kept for recorder in session.recordings] == [40]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_what_becomes_true_while_it_is_recorded_is_in_the_metadata(
    picture, contents, tmp_path, suffix
):
    stats, said = LiveStats(), []
    path = tmp_path / f"show{suffix}"
    session = Session(
        stats, 30.0, record=path, wait=True, comment=lambda: said[0] if said else None
    )
    run(picture, session, stats, {5: lambda: said.append("in a style") or ""})
    with av.open(str(path)) as container:
        metadata = {name.lower(): text for name, text in container.metadata.items()}
        times = [float(f.time) for f in container.decode(video=0)]
    assert metadata["comment"] == "in a style"
    assert len(times) == 40
    assert np.diff(times) == pytest.approx(1 / 30, abs=0.002)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_recordings_are_begun_and_ended_while_it_runs(picture, contents, folder):
    stats = LiveStats()
    session = Session(stats, 30.0, wait=True)
    names = []

    def record():
        line = session.record()
        names.append(stats.recording)
        return line

    told = run(picture, session, stats, {5: record, 15: record, 20: record})
    assert [line.split()[0] for line in told] == ["recording", "recorded", "recording"]
    assert names[1] is None
    files = [recorder.target for recorder in session.recordings]
    assert [path.name for path in files] == [names[0], names[2]]
    assert len(set(files)) == 2
    first, second = (contents(path).times for path in files)
    assert first == pytest.approx([index / 30 for index in range(10)], abs=0.001)
    assert len(second) == 19


def test_a_failed_recording_does_not_end_the_show_but_is_told(picture, tmp_path, monkeypatch):
    stats = LiveStats()
    session = Session(stats, 30.0, record=tmp_path / "show.mp4", wait=True)

    def failing(frame, made, stats):
        raise FacewarpError("no space is left to write", "show.mp4")

    monkeypatch.setattr(session.recordings[0], "present", failing)
    with pytest.raises(FacewarpError, match="no space"):
        run(picture, session, stats, {})
    assert stats.presented == 40


def test_a_disk_that_fills_up_is_told_once_with_what_is_kept(
    picture, tmp_path, monkeypatch, caplog
):
    stats = LiveStats()
    session = Session(stats, 30.0, record=tmp_path / "show.mkv", wait=True)

    def full(frame):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill():
        monkeypatch.setattr(session.recordings[0]._writer._thread, "_deal", full)

    with pytest.raises(FacewarpError, match=r"no space .*; what .* before is kept") as met:
        run(picture, session, stats, {30: fill}, count=60)
    assert stats.presented == 60
    assert [record.getMessage() for record in caplog.records] == [
        "recording stopped, the session goes on: no space is left to write"
    ]
    assert str(met.value) not in caplog.text


def test_a_screenshot_is_the_picture_shown(picture, tmp_path):
    stats = LiveStats()
    session = Session(stats, 30.0, screenshots=tmp_path / "shots")
    told = run(picture, session, stats, {12: session.screenshot, 13: session.screenshot})
    assert told == [f"screenshot {path.name}" for path in session.pictures]
    assert len(set(session.pictures)) == 2
    for index, path in enumerate(session.pictures, 12):
        assert np.array_equal(np.asarray(PIL.Image.open(path)), picture((64, 48), 2 * index))


def test_there_is_no_screenshot_before_the_first_picture(tmp_path):
    with pytest.raises(FacewarpError, match="no picture yet"):
        Session(LiveStats(), 30.0, screenshots=tmp_path).screenshot()


def test_a_screenshot_that_cannot_be_written_is_told(picture, tmp_path):
    (tmp_path / "file").touch()
    stats = LiveStats()
    session = Session(stats, 30.0, screenshots=tmp_path / "file")
    run(picture, session, stats, {})
    with pytest.raises(FacewarpError, match="not a folder"):
        session.screenshot()
    assert session.pictures == []


def test_a_viewer_can_pause_and_stop(picture):
    stats = LiveStats()
    session = Session(stats, 30.0)
    viewer = At({3: session.pause, 9: session.stop})
    woken = []

    def idle(stats):
        if stats.paused:
            woken.append((stats.notice, session.pause()))

    viewer.idle = idle  # once a picture is held, nothing but a key can let the next one come
    loop = LiveLoop(Frames(picture, 40), show, [session, viewer], stats, newest=False)
    session.attach(loop)
    loop.run()
    assert viewer.told[0] == "paused"
    assert woken == [("paused", "going on")]
    assert stats.presented == 10


@pytest.mark.parametrize("tags", [(1, 1, 1), (6, 6, 6), (5, 5, 6)])
def test_a_recording_is_tagged_as_what_it_shows(make_clip, contents, folder, tags):
    path = make_clip(tags=tags, frames=6, shades=False)
    source = find_file_source(str(path))()
    session = Session(LiveStats(), 25, record=folder / "out.mp4", wait=True, color=source.color)
    LiveLoop(
        source,
        lambda frame: ProcessedFrame(frame.image, [], {}),
        [session],
        LiveStats(),
        newest=False,
    ).run()
    before, after = contents(path), contents(folder / "out.mp4")
    assert after.tags == before.tags == tags
    assert np.abs(after.images[0].astype(int) - before.images[0]).mean() < 3
