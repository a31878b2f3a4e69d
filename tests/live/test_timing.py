"""Times of frames: counted rates, percentiles, lines of statistics, in memory that stays."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from fixtures.full_disk import small_files as small_files

from facewarp.errors import FacewarpError
from facewarp.live.outputs.memory_watch import MemoryWatch
from facewarp.live.outputs.timing_log import TimingWriter
from facewarp.live.timing import STAGES, LiveStats, Timing
from facewarp.system.memory import resident_bytes


def timing(index=0, captured=0.0, age=0.02, dropped=0, **stages):
    spent = {"detect_s": 0.001, "register_s": 0.004, "render_s": 0.002, **stages}
    return Timing(
        index=index,
        time_s=index / 30,
        captured=captured,
        started=captured + 0.1 * age,
        finished=captured + 0.8 * age,
        presented=captured + age,
        dropped=dropped,
        **spent,
    )


def test_nothing_is_known_before_the_first_frame():
    stats = LiveStats()
    shown, whole = stats.snapshot(), stats.summary()
    assert shown["fps"] is None
    assert shown["age_ms"] is None
    assert (shown["frames"], shown["dropped"]) == (0, 0)
    assert whole["fps"] is None
    assert set(whole["p50_ms"]) == set(STAGES)
    assert set(whole["p95_ms"].values()) == {None}
    json.dumps([shown, whole], allow_nan=False)


def test_rates_are_counted_from_what_was_presented():
    stats = LiveStats()
    for index in range(31):
        stats.arrive(index / 60)
        stats.add(timing(index, captured=index / 20))
    assert stats.summary()["fps"] == pytest.approx(20)
    assert stats.summary()["seconds"] == pytest.approx(1.5)
    assert stats.snapshot()["fps"] == pytest.approx(20)
    assert stats.snapshot()["capture_fps"] == pytest.approx(60)


def test_the_display_forgets_what_was_long_ago():
    stats = LiveStats()
    for index in range(100):
        stats.add(timing(index, captured=index / 10, age=1.0))
    for index in range(100):
        stats.add(timing(index, captured=20 + index / 50, age=0.02))
    shown = stats.snapshot()
    assert shown["fps"] == pytest.approx(50, abs=0.1)
    assert shown["age_ms"] == pytest.approx(20)
    assert shown["frames"] == 200
    assert stats.summary()["p95_ms"]["age"] == pytest.approx(1000, rel=0.01)


def test_percentiles_are_those_of_all_frames_within_a_percent(rng):
    stats, ages = LiveStats(), rng.lognormal(np.log(0.02), 0.6, 4000)
    for index, age in enumerate(ages):
        stats.add(timing(index, captured=index / 30, age=age))
    whole = stats.summary()
    for share, name in ((50, "p50_ms"), (95, "p95_ms")):
        assert whole[name]["age"] == pytest.approx(1000 * np.percentile(ages, share), rel=0.01)
        assert whole[name]["process"] == pytest.approx(700 * np.percentile(ages, share), rel=0.01)
        assert whole[name]["register"] == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("age", [0.0, 1e-9, 3.0, 1e6])
def test_no_time_is_too_short_or_too_long_to_be_counted(age):
    stats = LiveStats()
    stats.add(timing(age=age, register_s=0.0))
    whole = stats.summary()
    assert whole["presented"] == 1
    assert whole["p50_ms"]["age"] == pytest.approx(min(1000 * age, 1e6), rel=0.02, abs=0.011)
    assert whole["p50_ms"]["register"] == 0.0


def test_dropped_frames_add_up():
    stats = LiveStats()
    for index in range(5):
        stats.add(timing(index, captured=index / 30, dropped=index))
    assert stats.dropped == stats.summary()["dropped"] == stats.snapshot()["dropped"] == 10


def test_statistics_take_no_more_memory_after_an_hour_than_after_a_minute():
    stats = LiveStats()

    def held():
        tracemalloc.start()
        for index in range(400):
            stats.arrive(index / 30)
            stats.add(timing(index, captured=index / 30))
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return size

    held()
    assert held() < 100_000


def test_a_line_a_frame_with_stamps_from_the_beginning(tmp_path):
    path = tmp_path / "times.jsonl"
    writer = TimingWriter(path, zero=100.0)
    writer(timing(7, captured=101.5, dropped=2))
    writer(timing(8, captured=101.6))
    writer.close()
    writer.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "frame": 7, "time_s": 0.233333, "captured_s": 1.5, "started_s": 1.502,
        "finished_s": 1.516, "presented_s": 1.52, "detect_s": 0.001, "register_s": 0.004,
        "render_s": 0.002, "age_s": 0.02, "dropped": 2,
    }  # fmt: skip
    assert (len(lines), writer.kept) == (2, 2)


def test_lines_appear_under_their_name_at_the_end_only(tmp_path):
    path = tmp_path / "new" / "times.jsonl"
    writer = TimingWriter(path, 0.0)
    writer(timing())
    assert not path.exists()
    (hidden,) = path.parent.iterdir()
    assert json.loads(hidden.read_text())["frame"] == 0  # a killed process leaves whole lines
    writer.close()
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_keeps_whole_lines_and_is_told_at_the_end(tmp_path, small_files, caplog):
    path = tmp_path / "times.jsonl"
    writer = TimingWriter(path, 0.0)
    with small_files(1000):
        for index in range(20):
            writer(timing(index))
    assert 0 < writer.kept < 20
    assert caplog.text.count("nothing more is written, the session goes on") == 1
    with pytest.raises(FacewarpError, match=r"no space.*times\.jsonl"):
        writer.close()
    writer.close()
    lines = [json.loads(line)["frame"] for line in path.read_text().splitlines()]
    assert lines == list(range(writer.kept))
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FacewarpError, match="part of the path is a file"):
        TimingWriter(tmp_path / "file" / "times.jsonl", 0.0)


def test_memory_of_the_process_grows_with_what_it_holds():
    if resident_bytes() is None:
        pytest.skip("this system does not tell")
    code = (  # in a process of its own: another test's freed memory would be taken first
        "import numpy as np\n"
        "from facewarp.system.memory import resident_bytes\n"
        "before = resident_bytes()\n"
        "block = np.ones(64 << 20, np.uint8)\n"
        "print(resident_bytes() - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) > 0.8 * (64 << 20)


def test_memory_is_noted_at_the_start_once_settled_then_now_and_then_and_at_the_end(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("facewarp.live.outputs.memory_watch.time.perf_counter", lambda: now[0])
    watch = MemoryWatch(every_s=60, settled_s=10)
    for _ in range(200):
        now[0] += 1
        watch.idle()
    watch.close()
    assert [moment for moment, _ in watch.notes] == [0, 10, 70, 130, 190, 200]
    assert watch.summary()["settled"] == round(watch.notes[1][1], 1)
    assert all(size > 10 for _, size in watch.notes)


def test_a_short_session_has_no_settled_memory():
    watch = MemoryWatch()
    watch.close()
    assert watch.summary()["settled"] is None
    assert watch.summary()["end"] > 10
