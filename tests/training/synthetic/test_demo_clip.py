"""The known motion and the clip made by it, and the drawn faces."""

import json
from importlib.resources import files

import av
import cv2
import numpy as np
import pytest
from scipy import ndimage

from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart
from facewarp.training.synthetic.demo_clip import FPS, SHAPE, Scene, demo_motion
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.synthetic.known_motion import Bump, Channel, Motion, load_motion

DEMO = files("facewarp.assets").joinpath("demo")
TIMES = [0.3, 0.95, 1.5, 2.45, 2.9, 3.4, 3.6, 4.6, 5.5]


@pytest.fixture(scope="module")
def motion():
    return demo_motion()


def grid_of_points(step=9.0):
    """Points all over the clip."""
    xx, yy = np.meshgrid(np.arange(0, SHAPE[1], step), np.arange(0, SHAPE[0], step))
    return np.stack([xx, yy], axis=-1)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


# --- channels and bumps


def test_channel_passes_its_keys_and_stops_there():
    channel = Channel((1.0, 2.0, 4.0), (0.0, 10.0, -2.0))
    assert [channel.at(t) for t in (-5, 1, 2, 4, 9)] == [0, 0, 10, -2, -2]
    assert channel.at(1.5) == 5
    assert channel.at(2.001) == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize("times", [(1.0, 1.0), (2.0, 1.0), (1.0,)])
def test_channel_refuses_unordered_keys(times):
    with pytest.raises(FacewarpError, match="channel"):
        Channel(times, (0.0, 1.0))


def test_bump_is_full_in_its_middle_and_nothing_at_its_rim():
    bump = Bump("brows", (10, 20), (4, 8), (0, -5))
    weight = bump.weight(np.array([(10, 20), (14, 20), (10, 28), (90, 20), (12, 20)], float))
    np.testing.assert_allclose(weight, [1, 0, 0, 0, 0.75**3])


@pytest.mark.parametrize(
    ("channel", "value", "expected"),
    [
        ("shift_x_px", 12.0, (112, 50)),
        ("shift_y_px", -3.0, (100, 47)),
        ("zoom", 2.0, (160, 60)),
        ("roll_deg", 90.0, (30, 100)),
        ("shear", 0.5, (105, 50)),
    ],
)
def test_global_channels_do_what_they_say(channel, value, expected):
    motion = Motion(1, 30, (40, 40), {channel: Channel((0.0,), (value,))})
    np.testing.assert_allclose(motion.map_points([100, 50], 0.5), expected, atol=1e-9)


# --- the demo's motion


@pytest.mark.parametrize("time_s", TIMES)
def test_motion_is_undone_everywhere(motion, time_s):
    points = grid_of_points()
    there = motion.map_points(points, time_s)
    np.testing.assert_allclose(motion.unmap_points(there, time_s), points, atol=1e-4)
    back = motion.unmap_points(points, time_s)
    np.testing.assert_allclose(motion.map_points(back, time_s), points, atol=1e-3)


def test_motion_rests_at_both_ends(motion):
    points = grid_of_points(50)
    for time_s in (0, 0.3, 0.6, 6.5, 7.0):
        np.testing.assert_allclose(motion.map_points(points, time_s), points, atol=1e-9)


def test_motion_is_plausible(motion):
    """Nothing of the face is faster than 8 px a frame, and nothing folds."""
    points = grid_of_points(6)[25:87, 42:92]
    for index in range(0, motion.frame_count, 2):
        time_s = index / FPS
        step = motion.map_points(points, time_s + 1 / FPS) - motion.map_points(points, time_s)
        assert np.linalg.norm(step, axis=-1).max() < 8
        dy, dx = np.gradient(motion.expression(points, time_s), 6.0, axis=(0, 1))
        jacobian = np.stack([dx, dy], axis=-1) + np.eye(2)
        assert np.linalg.det(jacobian).min() > 0.3


def test_motion_is_strong(motion):
    reached = {
        name: [motion.value(name, t) for t in np.arange(0, 7, 0.05)]
        for name in ("roll_deg", "zoom", "brows", "open")
    }
    assert min(reached["roll_deg"]) < -14
    assert min(reached["zoom"]) < 0.86
    assert max(reached["zoom"]) > 1.19
    assert max(reached["brows"]) > 0.95
    assert max(reached["open"]) > 0.95


def test_motion_too_steep_to_invert_is_an_error():
    steep = Motion(
        1, 30, (0, 0), {"a": Channel((0.0,), (1.0,))}, (Bump("a", (50, 50), (5, 5), (40, 0)),)
    )
    with pytest.raises(FacewarpError, match="inverted"):
        steep.unmap_points(grid_of_points(1.0)[:100, :100], 0)


def test_motion_survives_its_file(motion, tmp_path):
    motion.save(tmp_path / "motion.json")
    assert load_motion(tmp_path / "motion.json") == motion


@pytest.mark.parametrize("text", ["{", "[]", '{"fps": 30}', '{"channels": 3, "bumps": []}'])
def test_what_is_not_a_motion_is_named(tmp_path, text):
    path = tmp_path / "motion.json"
    path.write_text(text)
    with pytest.raises(FacewarpError, match=r"not a motion.*motion\.json"):
        load_motion(path)
    with pytest.raises(FacewarpError, match="can't read the motion"):
        load_motion(tmp_path / "none.json")


# --- pictures


def test_rendered_frames_follow_the_motion(motion):
    """What is seen at map_points(p) is what was at p: a pattern as steep as 25 grey levels a px."""

    def pattern(x, y):
        return 127 + 100 * np.sin(0.25 * x) * np.cos(0.25 * y)

    yy, xx = np.mgrid[:512, :512]
    scene = Scene(np.repeat(pattern(xx, yy).round().astype(np.uint8)[:, :, None], 3, axis=2))
    portrait_px = np.random.default_rng(0).uniform((180, 80), (270, 180), (2000, 2))
    at_rest = np.array([400.0, 318.0]) + 2.2 * (portrait_px - np.array([224.0, 132.0]))
    for time_s in (0.0, 2.45):
        picture = scene.frame(motion, time_s)[:, :, 0].astype(float)
        there = motion.map_points(at_rest, time_s)
        seen = ndimage.map_coordinates(picture, there.T[::-1], order=3)
        difference = seen - pattern(*portrait_px.T)
        assert np.sqrt(np.mean(difference**2)) < 0.6  # rounding to whole grey levels, twice
        assert abs(difference.mean()) < 0.05


def test_shipped_clip_is_the_rendered_motion(motion):
    assert load_motion(str(DEMO / "motion.json")) == motion
    clip = DEMO / "astronaut.mp4"
    assert len(clip.read_bytes()) < 2_500_000
    stored = cv2.imread(str(DEMO / "portrait.png"))
    scene = Scene(np.ascontiguousarray(stored[:, :, ::-1]))
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate) == (motion.frame_count, FPS)
        for index, frame in enumerate(container.decode(stream)):
            assert frame.time == pytest.approx(index / FPS, abs=1e-6)
            if index in (0, 75):
                picture = frame.to_ndarray(format="rgb24")
                assert picture.shape == (*SHAPE, 3)
                assert psnr(picture, scene.frame(motion, frame.time)) > 33
    assert index == motion.frame_count - 1


def test_synthetic_faces_have_points_and_parts(rng):
    faces = synthetic_faces(rng, 6)
    assert len({face.name for face in faces}) == 6
    for face in faces:
        assert face.image.dtype == np.uint8
        assert face.landmarks.shape == (68, 2)
        assert (face.landmarks > 0).all()
        assert (face.landmarks < face.image.shape[::-1]).all()
        assert set(np.unique(face.labels)) == set(FacePart)
        for left, right in ((FacePart.EYE_LEFT, FacePart.EYE_RIGHT),):
            assert np.nonzero(face.labels == left)[1].mean() < (
                np.nonzero(face.labels == right)[1].mean()
            )
        brows = (face.labels == FacePart.BROW_LEFT) | (face.labels == FacePart.BROW_RIGHT)
        assert face.image[brows].mean() < face.image[face.labels == FacePart.FACE].mean() - 10


def test_synthetic_faces_repeat_with_the_seed():
    first, again = (synthetic_faces(np.random.default_rng(7), 2) for _ in range(2))
    other = synthetic_faces(np.random.default_rng(8), 1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
    assert (first[0].image != other[0].image).any()


def test_motion_file_is_readable_json():
    data = json.loads((DEMO / "motion.json").read_text())
    assert data["fps"] == FPS
    assert set(data) == {"duration_s", "fps", "center", "channels", "bumps"}
