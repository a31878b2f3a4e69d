"""FaceSearch: thorough beside faces, and in a thread of its own."""

import threading
import time
from itertools import chain

import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.tracking.face_search import SearchAhead
from facewarp.face.tracking.track import OFFLINE, TrackerConfig

BLANK = np.full((480, 720, 3), 108, np.uint8)


class Slow:
    """A detector whose thorough searches wait to be let go on."""

    def __init__(self, detector):
        self.detector = detector
        self.go_on, self.begun = threading.Event(), threading.Event()
        self.error, self.threads, self.seen = None, [], []

    def cut_off(self, image):
        return None

    def detect(self, image, *, thorough=False, is_known=None):
        if thorough is False:
            return self.detector.detect(image)
        self.threads.append(threading.current_thread())
        self.seen.append(image)
        self.begun.set()
        assert self.go_on.wait(60)
        if self.error is not None:
            raise self.error
        return self.detector.detect(image, thorough=thorough)


@pytest.fixture
def slow(detector):
    slow = Slow(detector)
    yield slow
    slow.go_on.set()


@pytest.fixture
def live(make_tracker, slow):
    """A tracker that searches in a thread."""
    with make_tracker(faces=2, detector=slow, threaded_search=True) as tracker:
        yield tracker
        slow.go_on.set()


def searching():
    return [one for one in threading.enumerate() if one.name.startswith("facewarp-search")]


def finish(tracker):
    """Wait until the search is done, whose findings the tracker has not taken yet."""
    for _ in range(1000):
        if tracker._search._background._search.done():
            return
        time.sleep(0.02)
    raise AssertionError("the search does not end")


def crowd(portrait, at=(600, 120)):
    """A large face, and one that a look at the whole frame does not show."""
    frame = BLANK.copy()
    portrait.draw(frame, (200, 250), 1.6)
    portrait.draw(frame, at, 0.35)
    return frame


# --- in line


@pytest.mark.slow
def test_a_small_face_that_comes_is_found_beside_another_after_a_while(make_tracker, portrait):
    tracker = make_tracker(faces=2, config=TrackerConfig(search_beside_every_s=1.0))
    alone = BLANK.copy()
    portrait.draw(alone, (200, 250), 1.6)
    assert len(tracker(alone, 0.0)) == 1
    counts = [len(tracker(crowd(portrait), time)) for time in (0.3, 0.9, 1.1)]
    assert counts == [1, 1, 2]


def test_no_search_is_wasted_when_all_faces_are_followed(make_tracker, portrait, slow):
    slow.go_on.set()
    config = TrackerConfig(search_beside_every_s=0.1)
    tracker = make_tracker(faces=1, detector=slow, config=config)
    for index in range(5):
        tracker(portrait.frame(), index / 5)
    assert len(slow.threads) == 1


# --- in a thread


def test_no_thread_without_need(make_tracker, portrait):
    with make_tracker(faces=2) as tracker:
        tracker(portrait.frame(), 0.0)
        assert searching() == []


def test_frames_go_on_while_the_search_lasts(live, slow, portrait):
    assert [face.id for face in live(crowd(portrait), 0.0)] == [0]
    assert slow.begun.wait(60)
    assert slow.threads[0] is not threading.main_thread()
    for step in range(1, 4):
        (face,) = live(crowd(portrait), step / 25)
        assert face.state == "tracking"
    slow.go_on.set()
    finish(live)
    assert len(live(crowd(portrait), 0.2)) == 2
    assert len(slow.threads) == 1


def test_a_face_that_moved_during_the_search_is_found_where_it_is(live, slow, portrait):
    live(crowd(portrait, (600, 120)), 0.0)
    assert slow.begun.wait(60)
    slow.go_on.set()
    finish(live)
    there = (600 - 18, 120 + 14)  # most of its own size away by now
    faces = live(crowd(portrait, there), 0.3)
    assert len(faces) == 2
    assert faces[1].state == "tracking"
    middle = (np.add(faces[1].box[:2], faces[1].box[2:])) / 2
    np.testing.assert_allclose(middle, there, atol=6)


def test_a_face_that_left_during_the_search_is_not_believed(live, slow, portrait):
    live(crowd(portrait), 0.0)
    slow.go_on.set()
    finish(live)
    alone = BLANK.copy()
    portrait.draw(alone, (200, 250), 1.6)
    assert len(live(alone, 0.1)) == 1
    assert len(live(alone, 0.2)) == 1


def test_the_search_sees_its_own_copy_of_the_frame(live, slow, portrait):
    frame = crowd(portrait)
    live(frame, 0.0)
    assert slow.begun.wait(60)
    frame[:] = 0
    assert (slow.seen[0] == crowd(portrait)).all()


def test_what_was_searched_before_a_reset_is_forgotten(live, slow, portrait):
    live(crowd(portrait), 0.0)
    assert slow.begun.wait(60)
    search = live._search._background._search
    live.reset()
    slow.go_on.set()
    assert len(search.result(20)) >= 1
    assert live(BLANK, 0.0) == []
    assert live(BLANK, 0.04) == []


def test_an_error_of_the_search_is_told(live, slow, portrait):
    slow.error = FacewarpError("the graph is gone")
    live(BLANK, 0.0)
    slow.go_on.set()
    finish(live)
    with pytest.raises(FacewarpError, match="the graph is gone"):
        live(BLANK, 0.04)
    slow.error = None
    assert live(BLANK, 0.08) == []


def test_closing_ends_the_thread(make_tracker, slow, portrait):
    with make_tracker(faces=2, detector=slow, threaded_search=True) as tracker:
        tracker(crowd(portrait), 0.0)
        assert slow.begun.wait(60)
        assert len(searching()) == 1
        slow.go_on.set()
    assert searching() == []
    tracker.close()


@pytest.mark.slow
def test_one_detector_serves_two_threads(detector, portrait):
    frame = crowd(portrait)
    expected = detector.detect(frame)
    found = []

    def search():
        for _ in range(12):
            found.append(detector.detect(frame))

    threads = [threading.Thread(target=search) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(found) == 24
    for faces in found:
        assert [face.box for face in faces] == [face.box for face in expected]


# --- ahead of the tracker


class Scans:
    """Notes which frames were scanned; an image stands for itself."""

    def __init__(self):
        self.scanned = []

    def scan(self, image):
        self.scanned.append(image)
        return image


def search(ahead, count, *, every, lead=3):
    """Show frames, a tenth of a second each, some ahead of a tracker that searches every so many.

    Returns:
        For each search the scan it got.
    """
    got = []
    for index in range(count + lead):
        if index < count:
            ahead.see(index, index / 10)
        tracked = index - lead
        if tracked >= 0 and tracked % every == 0:
            got.append(ahead.take(tracked / 10))
    return got


def test_regular_searches_are_begun_ahead():
    scans = Scans()
    ahead = SearchAhead(scans, 0.5)
    assert search(ahead, 21, every=5) == [0, 5, 10, 15, 20]
    ahead.close()
    assert scans.scanned == [0, 5, 10, 15, 20]
    assert searching() == []


def test_no_more_is_guessed_where_searches_are_rarer():
    scans = Scans()
    ahead = SearchAhead(scans, 0.5)
    assert search(ahead, 61, every=20) == [0, None, None, None]
    ahead.close()
    assert set(scans.scanned) <= {0, 5, 10}  # those not begun yet are cancelled


def test_guesses_begin_again_with_regular_searches():
    ahead = SearchAhead(Scans(), 0.5)
    search(ahead, 41, every=20)
    later = [ahead.take(time) for time in (4.5, 5.0)]
    ahead.see(55, 5.5)
    assert [*later, ahead.take(5.5)] == [None, None, 55]
    ahead.close()


def test_what_is_found_ahead_is_what_would_be_found(make_tracker, portrait, detector):
    frames = [crowd(portrait)] * 3
    times = [0.0, 0.2, 0.5]
    plain = make_tracker(config=OFFLINE)
    expected = [plain(image, time) for image, time in zip(frames, times, strict=True)]
    tracker = make_tracker(config=OFFLINE)
    with tracker.searching_ahead() as ahead:
        for image, time in zip(frames, times, strict=True):
            ahead.see(image, time)
        assert len(ahead._scans) == 2
        found = [tracker(image, time) for image, time in zip(frames, times, strict=True)]
        assert not ahead._scans
    assert [len(faces) for faces in found] == [2, 2, 2]
    for one, other in zip(chain(*found), chain(*expected), strict=True):
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
    assert searching() == []
