import numpy as np
import pytest

from facewarp.training.synthetic.known_motion import Channel, Motion
from facewarp.training.synthetic.tracking_error import TrackedPoints, point_error


@pytest.fixture
def motion():
    """Nothing for half a second, then 40 px to the right within a second."""
    return Motion(2.0, 10, (50.0, 50.0), {"shift_x_px": Channel((0.5, 1.5), (0.0, 40.0))})


@pytest.fixture
def landmarks(rng):
    return rng.uniform(20, 80, (68, 2))


def frames_of(motion, landmarks, error=0.0, scale=1.0):
    """What a tracker would report that is ``error`` px too far right once things move."""
    frames = []
    for index in range(motion.frame_count):
        time = index / motion.fps
        found = motion.map_points(landmarks, time)
        if time > 0.5:
            found = found + (error, 0.0)
        frames.append(TrackedPoints(time, found, scale))
    return frames


def test_a_perfect_track_has_no_error(motion, landmarks):
    error = point_error(motion, frames_of(motion, landmarks))
    assert error.mean_px == pytest.approx(0, abs=1e-9)
    assert error.missed_frames == 0


def test_distances_count_in_px_of_the_crop(motion, landmarks):
    error = point_error(motion, frames_of(motion, landmarks, error=3.0, scale=2.0))
    assert error.p95_px == pytest.approx(1.5)
    assert error.mean_px == pytest.approx(1.5 * 14 / 20)  # 14 of 20 frames come after the rest
    assert error.per_frame_px[0] == pytest.approx(0)


def test_missed_frames_are_counted_and_left_out(motion, landmarks):
    frames = frames_of(motion, landmarks)
    frames[10] = TrackedPoints(1.0, None, 1.0)
    error = point_error(motion, frames)
    assert error.missed_frames == 1
    assert np.isnan(error.per_frame_px[10])
    assert error.mean_px == pytest.approx(0, abs=1e-9)


def test_no_track_at_rest_is_an_error(motion, landmarks):
    frames = [TrackedPoints(f.time_s, None, 1.0) for f in frames_of(motion, landmarks)[:6]]
    with pytest.raises(ValueError, match="before it moves"):
        point_error(motion, frames)
