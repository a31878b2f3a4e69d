"""Nobody enters unseen: faces are labelled from their first frame on, and surplus ones counted."""

from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cli.faces.track import ALL_FACES
from facewarp.face.tracking.lookback import Lookback
from facewarp.face.tracking.track import OFFLINE
from facewarp.media.frames import Frame

RATE = 20
FIRST = 12  # the frame in which the second face enters


def clip(portrait, px, count=24, first=FIRST, size=(1280, 480)):
    """Frames of a large face, and from one frame on a small one of so many px beside it."""
    still = np.full((size[1], size[0], 3), 108, np.uint8)
    portrait.draw(still, (260, 240), 2.0)
    both = still.copy()
    portrait.draw(both, (900, 200), px / portrait.SIDE)
    return [Frame(both if i >= first else still, i / RATE, i) for i in range(count)]


def followed(tracker, frames, **options):
    """Ids of the faces there, frame by frame."""
    found = list(Lookback(tracker, **options)(frames))
    assert [frame.index for frame, _ in found] == [frame.index for frame in frames]
    return [[face.id for face in faces if face.state != "lost"] for _, faces in found]


@pytest.fixture
def offline(make_tracker):
    with make_tracker(config=OFFLINE, smooth=True) as tracker:
        yield tracker


@pytest.mark.slow
@pytest.mark.parametrize("px", [24, 57, 96])
def test_a_face_entering_beside_another_is_there_from_its_first_frame(offline, portrait, px):
    ids = followed(offline, clip(portrait, px))
    assert ids == [[0]] * FIRST + [[0, 1]] * (24 - FIRST)


@pytest.mark.slow
def test_a_lone_small_face_is_there_from_its_first_frame(offline, portrait):
    blank = np.full((480, 1280, 3), 108, np.uint8)
    shown = blank.copy()
    portrait.draw(shown, (900, 200), 57 / portrait.SIDE)
    frames = [Frame(shown if i >= 5 else blank, i / RATE, i) for i in range(18)]
    assert followed(offline, frames) == [[]] * 5 + [[0]] * 13


@pytest.mark.slow
def test_a_face_that_slides_in_keeps_its_track_and_is_smooth(offline, portrait):
    frames = []
    for i in range(24):
        image = np.full((480, 1280, 3), 108, np.uint8)
        portrait.draw(image, (260, 240), 2.0)
        portrait.draw(image, (1330 - 12 * i, 200), 0.6)
        frames.append(Frame(image, i / RATE, i))
    found = list(Lookback(offline)(frames))
    places = {
        frame.index: face.landmarks.mean(0)
        for frame, faces in found
        for face in faces
        if face.id == 1 and face.state != "lost"
    }
    assert min(places) <= 8  # half of it is in the picture from frame 5 on
    assert sorted(places) == list(range(min(places), 24))
    steps = np.diff([places[i] for i in sorted(places)], axis=0)
    np.testing.assert_allclose(steps[2:], np.tile((-12, 0), (len(steps) - 2, 1)), atol=3)


@pytest.mark.slow
def test_large_frames_are_searched_as_often_as_few_are_held(offline, portrait):
    frames = clip(portrait, 57, count=18, first=7)
    held = 4 * frames[0].image.nbytes
    assert followed(offline, frames, max_bytes=held) == [[0]] * 7 + [[0, 1]] * 11


def crowd(portrait, columns=4, rows=2):
    image = np.full((rows * 160, columns * 180, 3), 108, np.uint8)
    for row in range(rows):
        for column in range(columns):
            portrait.draw(image, (90 + 180 * column, 80 + 160 * row), 0.8)
    return image


@pytest.mark.slow
@pytest.mark.parametrize(("faces", "expected"), [(5, 5), (8, 8), (ALL_FACES, 8)])
def test_surplus_faces_are_counted(make_tracker, portrait, faces, expected):
    with make_tracker(config=OFFLINE, faces=faces) as tracker:
        assert len(tracker(crowd(portrait), 0.0)) == expected
        assert tracker.most_seen == 8


@pytest.mark.slow
def test_surplus_faces_that_come_later_are_counted_too(make_tracker, portrait):
    one = np.full((320, 720, 3), 108, np.uint8)
    portrait.draw(one, (90, 80), 0.8)
    with make_tracker(config=OFFLINE, faces=1) as tracker:
        for number in range(4):
            tracker(one if number < 2 else crowd(portrait), number * 1.0)
        assert tracker.most_seen == 8


def test_more_faces_than_a_batch_are_registered_alike(make_tracker, portrait):
    with make_tracker() as tracker:
        image = crowd(portrait)
        crops = [face.crop for face in (tracker(image, 0.0))] * 2
        together = tracker._fitter.register(image, crops)
    assert len(together) == 10
    for one, again in zip(together[:5], together[5:], strict=True):
        np.testing.assert_allclose(one.landmarks, again.landmarks, atol=0.05)


class NobodyThere:
    """Stands in for a tracker: finds nobody, and notes how many frames it was shown."""

    config, searches_ahead = OFFLINE, False

    def __init__(self):
        self.entered, self.withdrawn, self.shown = [], {}, 0

    def __call__(self, image, time):
        self.shown += 1
        return []

    def search_soon(self):
        pass


@pytest.mark.parametrize("rate", [24, 25, 30, 30000 / 1001, 60])
def test_a_frame_is_given_out_once_the_search_after_it_is_over(rate):
    tracker, last = NobodyThere(), int(3 * rate)
    frames = [Frame(np.zeros((8, 8, 3), np.uint8), i / rate, i) for i in range(last)]
    given = []
    for frame, _ in Lookback(tracker)(frames):
        if tracker.shown < last:
            newest = frames[tracker.shown - 1].time
            given.append(round((newest - frame.time) * rate))
    half = int(np.ceil(OFFLINE.search_every_s * rate - 1e-6))
    assert set(given) == {half}


class Follower(NobodyThere):
    """Stands in for a tracker that follows one face; says what is told of it.

    Args:
        others: whether the second search finds somebody else.
        states: state of the face in some frames.
    """

    searches_ahead = True

    def __init__(self, *, others=False, states=None):
        super().__init__()
        self._others, self._states = others, states or {}
        self.looked, self.asked = -np.inf, []

    def __call__(self, image, time):
        number, self.shown = self.shown, self.shown + 1
        if time - self.looked >= OFFLINE.look_every_s - 1e-9:
            self.looked = time
        state = self._states.get(number, "tracking")
        return [SimpleNamespace(id=0, box=(0, 0, 4, 4), state=state)]

    def sees_others_ahead(self, image, time, faces):
        self.asked.append((time, [face.id for face in faces]))
        return self._others


def waits(tracker, count=26, rate=20):
    """How many frames were tracked when each was given out."""
    frames = [Frame(np.zeros((8, 8, 3), np.uint8), i / rate, i) for i in range(count)]
    given = {frame.index: tracker.shown for frame, _ in Lookback(tracker)(frames)}
    assert list(given) == list(range(count))
    return given


def test_the_first_frame_does_not_wait_where_nobody_is_to_come():
    tracker = Follower()
    given = waits(tracker)
    assert tracker.asked == [(0.5, [0])]
    assert given[0] == 1
    assert {given[i] for i in range(1, 5)} == {5}  # after the next look over the whole frame
    assert {given[i] for i in range(5, 9)} == {9}
    assert [given[i] for i in range(10, 15)] == [21, 22, 23, 24, 25]


@pytest.mark.parametrize(
    "tracker",
    [Follower(others=True), Follower(states={0: "uncertain"}), Follower(states={0: "lost"})],
)
def test_frames_wait_where_somebody_may_come(tracker):
    given = waits(tracker)
    assert [given[i] for i in range(10)] == list(range(11, 21))


@pytest.mark.parametrize("state", ["uncertain", "lost"])
def test_frames_wait_from_where_the_face_is_not_sure(state):
    given = waits(Follower(states={6: state}))
    assert [given[i] for i in (0, 1, 4, 5)] == [1, 5, 5, 9]
    assert given[6] == 17


def test_clips_that_end_before_their_second_search_are_given_out_whole():
    tracker = Follower(others=True)
    assert set(waits(tracker, count=7).values()) == {7}


def shown_ahead(tracker, frames):
    """Frames with their faces, of a clip whose searches begin as frames are read."""
    with tracker.searching_ahead() as ahead:

        def read():
            for frame in frames:
                ahead.see(frame.image, frame.time)
                yield frame

        return [
            (frame.index, [face for face in faces if face.state != "lost"])
            for frame, faces in Lookback(tracker)(read())
        ]


@pytest.mark.slow
@pytest.mark.parametrize("first", [4, 30])
def test_searches_ahead_leave_nobody_out(offline, portrait, first):
    frames = clip(portrait, 57, count=14, first=first)
    alone = first < len(frames)
    found = shown_ahead(offline, frames)
    offline.reset()
    plain = list(Lookback(offline)(frames))
    assert [len(faces) for _, faces in found] == [1 + (alone and i >= first) for i in range(14)]
    for (_, ahead), (_, faces) in zip(found, plain, strict=True):
        for one, other in zip(ahead, faces, strict=True):
            np.testing.assert_array_equal(one.landmarks, other.landmarks)


def test_a_face_is_not_followed_back_into_a_much_larger_one(offline, portrait):
    small, large = (portrait.frame(scale=scale) for scale in (0.6, 1.1))
    (face,) = offline(small, 0.0)
    assert offline.register_before(small, face, []) is not None
    assert offline.register_before(large, face, []) is None


def test_frames_since_a_cut_bear_the_id_of_who_is_there(offline, scene):
    other = np.ascontiguousarray(scene(other=240)[:, ::-1])
    shown = [scene(plain=240)] * 8 + [other] * 12
    ids = followed(offline, [Frame(image, i / 25, i) for i, image in enumerate(shown)])
    assert ids == [[0]] * 8 + [[1]] * 12
