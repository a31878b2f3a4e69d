"""The loop: newest first, nothing twice, every stage stamped, every thread ended."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from fixtures.waiting import until

import facewarp.live.loop
from facewarp.errors import FacewarpError
from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import CapturedFrame, ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame

IMAGE = np.zeros((4, 6, 3), np.uint8)
SECONDS = {"detect": 0.001, "register": 0.002, "render": 0.003}


class Frames:
    """A source of so many frames, a pause before each; None for ever."""

    name = "frames"
    notice = None

    def __init__(self, count=None, pause=0.0, error=None):
        self.count, self.pause, self.error = count, pause, error
        self.made = 0
        self.closed = threading.Event()

    def __iter__(self):
        while self.made != self.count:
            if self.closed.wait(self.pause):
                return
            yield Frame(IMAGE, self.made / 30, self.made)
            self.made += 1
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed.set()


class Shown:
    """A presenter that notes what it is given; slow if it is told so, by what `lasts` returns."""

    def __init__(self, lasts=lambda frame: None):
        self.frames, self.notices, self.idled, self.closed = [], [], 0, 0
        self.threads = set()
        self.lasts = lasts

    def present(self, frame, made, stats):
        self.threads.add(threading.current_thread())
        self.frames.append(frame)
        self.lasts(frame)

    def idle(self, stats):
        self.threads.add(threading.current_thread())
        self.idled += 1
        self.notices.append(stats.notice)

    def close(self):
        self.closed += 1


def work(frame):
    return ProcessedFrame(frame.image, [], SECONDS)


def working(pause):
    def slowly(frame):
        time.sleep(pause)
        return work(frame)

    return slowly


def lasting(source, count):
    """Wait as long as a source takes for so many further frames, however slow the machine is."""

    def last(frame):
        wanted = min(frame.index + count, source.count)
        until(lambda: source.made >= wanted or source.closed.is_set())

    return last


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def run(source, work=work, shown=None, **options):
    shown, stats, timings = shown or Shown(), LiveStats(), []
    options.setdefault("on_timing", timings.append)
    report = LiveLoop(source, work, [shown], stats, **options).run()
    assert shown.closed == 1
    return shown, timings, report


def indices(shown):
    return [frame.index for frame in shown.frames]


# --- handing over


def test_the_newest_item_replaces_the_one_before():
    place = FrameQueue(drop_oldest=True)
    assert place.put(1)
    assert place.put(2)
    assert place.take(0) == 2
    assert place.dropped == 1
    assert place.take(0) is None


def test_without_newest_the_putter_waits_for_room():
    place, put = FrameQueue(drop_oldest=False, depth=2), []

    def putting():
        for number in range(10):
            place.put(number)
            put.append(number)
        place.end()

    thread = threading.Thread(target=putting)
    thread.start()
    until(lambda: len(put) == 2)
    time.sleep(0.2)
    assert len(put) == 2
    taken = []
    while not place.ended:
        taken.append(place.take(1.0))
    thread.join()
    assert taken == list(range(10))
    assert place.dropped == 0


def test_what_lies_there_at_the_end_is_still_taken():
    place = FrameQueue(drop_oldest=True)
    place.put("last")
    place.end()
    assert not place.ended
    assert place.take(0) == "last"
    assert place.ended
    assert place.take(10) is None


def test_closing_frees_whoever_waits_to_put():
    place = FrameQueue(drop_oldest=False)
    place.put(1)
    threading.Timer(0.1, place.close).start()
    assert place.put(2) is False
    assert place.take(10) is None


# --- order and freshness


def test_unpaced_every_frame_is_presented_in_order():
    shown, timings, report = run(Frames(50), working(0.002), newest=False)
    assert indices(shown) == list(range(50))
    assert [timing.index for timing in timings] == list(range(50))
    assert all(timing.dropped == 0 for timing in timings)
    assert not report.stopped
    assert report.summary["captured"] == report.summary["presented"] == 50


@pytest.mark.parametrize(("work_frames", "show_frames"), [(6, 0), (0, 6), (4, 4)])
def test_live_frames_are_new_each_time_and_what_was_replaced_is_counted(work_frames, show_frames):
    source = Frames(60, pause=0.005)
    worked = lasting(source, work_frames)
    slowly = lambda frame: (worked(frame), work(frame))[1]  # noqa: E731
    shown, timings, report = run(source, slowly, Shown(lasting(source, show_frames)))
    seen = indices(shown)
    assert all(earlier < later for earlier, later in pairwise(seen))
    assert len(seen) < 50
    steps = [later - earlier - 1 for earlier, later in pairwise([-1, *seen])]
    assert [timing.dropped for timing in timings] == steps
    assert report.summary["dropped"] == sum(steps) > 10
    assert report.summary["captured"] == 60
    assert seen[-1] == 59  # the last one was not replaced by any


def test_a_fast_consumer_drops_nothing():
    ready = threading.Semaphore(1)

    class Patient(Frames):
        def __iter__(self):
            for frame in super().__iter__():
                ready.acquire()
                yield frame

    shown, _, report = run(Patient(30), on_timing=lambda timing: ready.release())
    assert indices(shown) == list(range(30))
    assert report.summary["dropped"] == 0


def test_work_begins_on_the_newest_frame_there_is():
    go_on, begun = threading.Semaphore(0), []

    class Bursts(Frames):  # of five, the next while the work on one of the last goes on
        def __iter__(self):
            for frame in super().__iter__():
                if frame.index and frame.index % 5 == 0:
                    go_on.acquire()
                yield frame

    def slow(frame):
        begun.append(frame.index)
        go_on.release()
        until(lambda: source.made >= min(5 * len(begun) + 5, 60))
        return work(frame)

    source = Bursts(60)
    run(source, slow)
    assert begun[0] < 5
    assert begun[1:] == list(range(9, 60, 5))


# --- stamps


def test_stamps_are_in_order_and_stages_are_those_of_the_work():
    _, timings, report = run(Frames(10, pause=0.005), working(0.01), newest=False)
    for timing in timings:
        assert timing.captured <= timing.started <= timing.finished <= timing.presented
        assert timing.age_s == pytest.approx(timing.presented - timing.captured)
        assert timing.finished - timing.started >= 0.01
        assert (timing.detect_s, timing.register_s, timing.render_s) == (0.001, 0.002, 0.003)
    assert report.summary["p50_ms"]["register"] == pytest.approx(2.0, rel=0.006)


def test_a_frame_that_knows_when_it_was_captured_is_believed():
    stamps = []

    class Camera(Frames):
        def __iter__(self):
            for index in range(3):
                stamps.append(time.perf_counter() - 0.5)
                yield CapturedFrame(IMAGE, index / 30, index, 0, stamps[-1])

    _, timings, _ = run(Camera(), newest=False)
    assert [timing.captured for timing in timings] == stamps
    assert all(timing.age_s >= 0.5 for timing in timings)


# --- limits, stopping and pausing


def test_a_limit_of_frames_is_kept():
    source = Frames(pause=0.001)
    shown, _, report = run(source, frames=7)
    assert len(shown.frames) == 7
    assert report.stopped
    assert source.closed.is_set()


def test_a_limit_of_seconds_is_kept_also_without_frames():
    _, _, report = run(Frames(pause=60), seconds=0.3)
    assert report.stopped
    assert 0.3 <= report.seconds < 55  # the source would have given something after 60
    assert report.summary["presented"] == 0
    assert report.summary["fps"] is None


def test_stopping_from_another_thread_ends_an_unpaced_source_too():
    shown = Shown()
    loop = LiveLoop(Frames(), working(0.001), [shown], LiveStats(), newest=False)
    threading.Timer(0.2, loop.stop).start()
    assert loop.run().stopped
    assert indices(shown) == list(range(len(shown.frames)))
    loop.stop()


def test_a_paused_file_goes_on_where_it_was():
    counts = []

    class Pausing(Shown):  # from one of its calls to another, however slow the machine is
        def present(self, frame, made, stats):
            super().present(frame, made, stats)
            if frame.index == 20:
                loop.pause(True)

        def idle(self, stats):
            super().idle(stats)
            if stats.paused:
                counts.append(len(self.frames))
            if len(counts) == 6:
                loop.pause(False)

    shown = Pausing()
    loop = LiveLoop(Frames(200, pause=0.001), work, [shown], LiveStats(), newest=False)
    loop.run()
    assert counts[-1] < 40  # those that were on their way
    assert "paused" in shown.notices
    assert indices(shown) == list(range(200))


def test_what_a_camera_gives_while_paused_was_not_dropped():
    shown, stats = Shown(), LiveStats()

    class Pausing(Frames):  # by what it has given, however slow the machine is
        def __iter__(self):
            for frame in super().__iter__():
                if frame.index in (25, 100):
                    loop.pause(frame.index == 25)
                yield frame

    loop = LiveLoop(Pausing(150, pause=0.004), work, [shown], stats)
    report = loop.run()
    assert np.diff(indices(shown)).max() > 20
    counted = report.summary["presented"] + report.summary["dropped"]
    assert counted == report.summary["captured"] < 130
    assert indices(shown)[-1] == 149


def test_a_paused_loop_can_be_stopped():
    loop = LiveLoop(Frames(), work, [Shown()], LiveStats(), newest=False)
    threading.Timer(0.05, loop.pause, [True]).start()
    threading.Timer(0.2, loop.stop).start()
    assert loop.run().stopped


# --- notices


def test_a_source_that_is_lost_says_so_to_presenters():
    class Lost(Frames):
        notice = "camera lost, waiting"

    class Watching(Shown):
        def idle(self, stats):
            super().idle(stats)
            if self.idled == 6:
                loop.stop()

    shown = Watching()
    loop = LiveLoop(Lost(pause=60), work, [shown], LiveStats())
    report = loop.run()
    assert set(shown.notices) == {"camera lost, waiting"}
    assert report.seconds > 0.2  # nothing turns in circles meanwhile


def test_a_source_without_pictures_is_told_after_a_while(monkeypatch):
    monkeypatch.setattr(facewarp.live.loop, "_QUIET_S", 1000.0)

    class Watching(Shown):
        def idle(self, stats):
            super().idle(stats)
            loop._last_arrival -= 400.0  # so much later it is
            if self.idled == 4:
                loop.stop()

    shown = Watching()
    loop = LiveLoop(Frames(pause=60), work, [shown], LiveStats())
    loop.run()
    assert shown.notices == [None] * 3 + ["waiting for pictures from frames"]


def test_presenters_are_called_in_the_thread_that_runs_the_loop():
    shown = Shown()

    class Late(Frames):
        def __iter__(self):
            for frame in super().__iter__():
                yield frame
                until(lambda index=frame.index: shown.idled > index)

    run(Late(3), shown=shown)
    assert shown.threads == {threading.current_thread()}
    assert shown.idled > 0


# --- errors


@pytest.mark.parametrize("newest", [True, False])
def test_an_error_of_the_source_surfaces_after_what_came_before_it(newest):
    shown = Shown()

    class Damaged(Frames):
        def __iter__(self):
            for frame in super().__iter__():
                # Or a newer one might take its place.
                until(lambda index=frame.index: len(shown.frames) == index)
                yield frame

    source = Damaged(3, error=FacewarpError("the file is damaged"))
    with pytest.raises(FacewarpError, match="damaged"):
        LiveLoop(source, work, [shown], LiveStats(), newest=newest).run()
    assert shown.closed == 1
    assert len(shown.frames) >= 2


def test_an_error_of_the_work_surfaces_and_everything_is_closed():
    def failing(frame):
        raise ValueError("no such effect")

    shown, source = Shown(), Frames()
    with pytest.raises(ValueError, match="no such effect"):
        LiveLoop(source, failing, [shown], LiveStats()).run()
    assert shown.closed == 1
    assert source.closed.is_set()


def test_an_error_of_a_presenter_surfaces_and_the_others_are_closed():
    class Broken(Shown):
        def present(self, frame, made, stats):
            raise OSError("gone")

        def close(self):
            super().close()
            raise RuntimeError("gone too")

    broken, sound = Broken(), Shown()
    with pytest.raises(OSError, match="gone"):
        LiveLoop(Frames(), work, [broken, sound], LiveStats()).run()
    assert (broken.closed, sound.closed) == (1, 1)


def test_an_error_in_closing_surfaces():
    class Broken(Shown):
        def close(self):
            raise FacewarpError("the disk is full")

    sound = Shown()
    with pytest.raises(FacewarpError, match="disk is full"):
        LiveLoop(Frames(3), work, [Broken(), sound], LiveStats()).run()
    assert sound.closed == 1


def test_ctrl_c_while_presenting_ends_everything():
    class Interrupted(Shown):
        def present(self, frame, made, stats):
            super().present(frame, made, stats)
            if len(self.frames) == 3:
                raise KeyboardInterrupt

    shown, source = Interrupted(), Frames()
    with pytest.raises(KeyboardInterrupt):
        LiveLoop(source, work, [shown], LiveStats()).run()
    assert (len(shown.frames), shown.closed) == (3, 1)


def test_what_is_held_does_not_grow_with_a_slow_consumer():
    alive = []

    class Counted(Frames):
        def __iter__(self):
            import weakref

            for frame in super().__iter__():
                own = Frame(np.zeros((2, 2, 3), np.uint8), frame.time, frame.index)
                alive.append(weakref.ref(own))
                yield own

    most = []

    def slow(frame):
        time.sleep(0.01)
        most.append(sum(1 for reference in alive if reference() is not None))
        return work(frame)

    for newest in (True, False):
        alive.clear()
        most.clear()

        class Forgetful(Shown):
            def present(self, frame, made, stats):
                time.sleep(0.01)

        run(Counted(60, pause=0.001), slow, Forgetful(), newest=newest)
        assert max(most) <= 9


class Staged:
    """A processor of two stages that notes which threads they run in; slow if it is told so."""

    def __init__(self, tracking=0.0, drawing=0.0, fails=""):
        self.pauses, self.fails = (tracking, drawing), fails
        self.threads = set()

    def __call__(self, frame):
        return self.draw(self.track(frame))

    def track(self, frame):
        return self._stage("track", self.pauses[0], frame)

    def draw(self, tracked):
        return work(self._stage("draw", self.pauses[1], tracked))

    def _stage(self, name, pause, frame):
        self.threads.add((name, threading.current_thread().name))
        if self.fails == name and frame.index == 2:
            raise FacewarpError(f"could not {name}")
        time.sleep(pause)
        return frame


def test_two_stages_overlap_and_lose_nothing_of_a_file():
    staged, shown = Staged(), Shown()
    is_tracked = [threading.Event() for _ in range(21)]
    track, draw = staged.track, staged.draw

    def tracking(frame):
        is_tracked[frame.index].set()
        return track(frame)

    def drawing(frame):
        assert frame.index == 19 or is_tracked[frame.index + 1].wait(20)
        return draw(frame)

    staged.track, staged.draw = tracking, drawing
    LiveLoop(Frames(20), staged, [shown], LiveStats(), newest=False).run()
    assert [frame.index for frame in shown.frames] == list(range(20))
    assert staged.threads == {("track", "track"), ("draw", "draw")}


def test_two_stages_drop_no_frame_once_it_is_tracked():
    staged, shown = Staged(), Shown()
    source, tracked, drawn = Frames(10_000, pause=0.003), [], []
    find, draw, slow = staged.track, staged.draw, lasting(source, 15)
    staged.track = lambda frame: (tracked.append(frame.index), find(frame))[1]
    staged.draw = lambda frame: (drawn.append(frame.index), slow(frame), draw(frame))[2]
    LiveLoop(source, staged, [shown], LiveStats(), frames=15).run()
    assert drawn == tracked[: len(drawn)]
    assert len(tracked) - len(drawn) <= 3
    assert drawn[-1] > len(drawn)  # newer ones took the place of those not tracked


@pytest.mark.parametrize("stage", ["track", "draw"])
def test_an_error_of_either_stage_ends_the_loop(stage):
    with pytest.raises(FacewarpError, match=f"could not {stage}"):
        LiveLoop(Frames(), Staged(fails=stage), [Shown()], LiveStats(), newest=False).run()
