"""The One-Euro filter against what it is known to do, and faces made to order smoothed by it."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.face.crop import Crop
from facewarp.face.crop_fields import inverted, sample_field
from facewarp.face.face import Face
from facewarp.face.similarity import compose_affine, fit_similarity, inverse, turned_about
from facewarp.face.temporal.smoothing import FaceSmoother, OneEuro, OneEuroFilter, SmoothingConfig

PLAIN = OneEuro(min_hz=1.0, beta=0.0)  # without a beta it is a low-pass filter of first order
FPS = 30
GRID = (80, 65)  # of the network's fields


def filtered(config, values, times, unit=1.0):
    """Values (T, ...) points at times through a filter."""
    one = OneEuroFilter(config)
    steps = np.diff(times, prepend=times[0] - 1)
    return np.array(
        [one(value, dt, unit) for value, dt in zip(np.asarray(values), steps, strict=True)]
    )


# --- the filter


def test_a_constant_stays_exactly_as_it_is(rng):
    value = rng.normal(size=(7, 2))
    times = np.cumsum(rng.uniform(0.001, 0.5, 30))
    out = filtered(OneEuro(0.5, 50.0), np.repeat(value[None], 30, 0), times)
    assert (out == value).all()


def test_white_noise_shrinks_as_theory_says(rng):
    noise = rng.normal(size=(400, 2000, 2))
    out = filtered(PLAIN, noise, np.arange(400) / FPS)
    share = 1 - math.exp(-2 * math.pi / FPS)
    assert out[100:].std() == pytest.approx(math.sqrt(share / (2 - share)), rel=0.02)


@pytest.mark.parametrize("spacing", ["even", "uneven"])
def test_a_step_is_followed_as_theory_says(rng, spacing):
    gaps = np.full(40, 1 / FPS) if spacing == "even" else rng.uniform(0.005, 0.1, 40)
    times = np.cumsum(gaps)
    values = np.ones((40, 1, 2))
    values[0] = 0
    out = filtered(PLAIN, values, times)[:, 0, 0]
    np.testing.assert_allclose(out, 1 - np.exp(-2 * math.pi * (times - times[0])), atol=1e-12)


def test_the_frame_rate_hardly_matters():
    config = OneEuro(min_hz=0.7, beta=30.0, noise=0.02, speed_hz=2.0)

    def run(fps):
        times = np.arange(3 * fps + 1) / fps
        swing = np.column_stack([np.sin(2 * math.pi * times), np.cos(3 * times)])
        return filtered(config, 0.2 * swing[:, None], times)[:: fps // 30]

    slow, fast = run(30), run(60)
    assert np.abs(slow - fast).max() < 0.02 * 0.4
    assert np.abs(run(120) - fast).max() < np.abs(slow - fast).max()


def test_what_is_fast_lags_less_and_what_is_lost_in_noise_lags_more():
    def lag_s(config, speed):
        times = np.arange(300) / FPS
        ramp = speed * times[:, None, None] * np.array([1.0, 0.0])
        return float((ramp - filtered(config, ramp, times))[-1, 0, 0]) / speed

    published = OneEuro(min_hz=1.0, beta=20.0)
    assert lag_s(published, 0.3) < 0.4 * lag_s(published, 0.05) < 0.3 * lag_s(PLAIN, 0.05)
    wary = replace(published, noise=0.05)
    assert lag_s(wary, 0.02) > 1.2 * lag_s(published, 0.02)
    weak, wary = (replace(config, beta=4.0) for config in (published, wary))
    assert lag_s(wary, 2.0) == pytest.approx(lag_s(weak, 2.0), rel=0.1)


def test_size_does_not_matter_to_the_filter(rng):
    walk = np.cumsum(rng.normal(size=(60, 5, 2)), 0) * 0.01
    config, times = OneEuro(0.7, 60.0, 0.02), np.arange(60) / FPS
    small, large = filtered(config, walk, times), filtered(config, 300 * walk, times, 1 / 300)
    np.testing.assert_allclose(large, 300 * small, rtol=1e-9)


# --- similarities


def test_a_similarity_is_found_and_undone(rng):
    points = rng.uniform(0, 300, (30, 2))
    matrix = turned_about(np.array([10.0, 20.0]), np.array([200.0, 50.0]), 1.7, 2.5)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(fit_similarity(points, moved), matrix, atol=1e-9)
    np.testing.assert_allclose(compose_affine(inverse(matrix), matrix), np.eye(2, 3), atol=1e-9)
    assert np.linalg.norm(matrix @ (10, 20, 1) - (200, 50)) < 1e-9


# --- faces


class Head:
    """A face with a shape of its own, registered without error on any crop."""

    def __init__(self, template, bumps=(0.0, 0.0)):
        self.template, self.bumps = template, bumps

    def at(self, center=(320.0, 240.0), side=150.0, roll=0.0):
        """The similarity from template px to frame px."""
        return Crop.around(center, side, roll=roll).matrix

    def face(self, pose, crop=None, noise=None):
        crop = crop or Crop(pose)
        y, x = 4 * np.indices(GRID, dtype=float) + 1.5
        points = np.stack([x, y], -1)
        to_crop = compose_affine(inverse(crop.matrix), pose)
        back = _apply(to_crop, points + self._bump(points, self.bumps[0]))
        in_template = _apply(inverse(to_crop), points)
        onto = in_template + self._bump(in_template, self.bumps[1])
        fields = [np.moveaxis(one - points, -1, 0).astype(np.float32) for one in (onto, back)]
        if noise is not None:
            fields = [one + _noise(noise) for one in fields]
        fields[0] = inverted(fields[1], steps=10)  # as registrations are
        landmarks = self.template.landmarks
        landmarks = landmarks + sample_field(fields[1], landmarks)
        return Face(
            0, "tracking", 0.9, (0, 0, 1, 1), crop.to_frame(landmarks), crop, *fields,
            np.zeros((8, 80, 65), np.float32), 0.0,
        )  # fmt: skip

    @staticmethod
    def _bump(points, size):
        x, y = np.moveaxis(points, -1, 0)
        return size * np.stack([np.sin(y / 40), np.cos(x / 40)], -1)


def _apply(affine, points):
    return points @ affine[:, :2].T + affine[:, 2]


def _noise(rng):
    """What a network's noise is like: smooth over some pixels."""
    coarse = rng.normal(0, 0.15, (2, 20, 16)).astype(np.float32)
    return np.stack([cv2.resize(one, GRID[::-1], interpolation=cv2.INTER_CUBIC) for one in coarse])


def seen_by_field(face, points):
    """Template px that the field has at points of the frame."""
    here = face.crop.to_crop(points)
    return here + sample_field(face.grid_field, here)


def jitter(values):
    return np.linalg.norm(np.diff(values, 2, axis=0), axis=-1).mean()


@pytest.fixture
def head(template):
    return Head(template, bumps=(4.0, -4.0))


@pytest.fixture
def smoother(template):
    return FaceSmoother(template)


def test_the_first_face_is_left_alone(head, smoother):
    face = head.face(head.at())
    assert smoother(face, 0.0) is face


def test_a_face_at_rest_stays_exactly_where_it_is(head, smoother, rng):
    face = head.face(head.at(roll=0.3))
    before = [face.field.copy(), face.field_from_template.copy()]
    for time in np.cumsum(rng.uniform(0, 0.1, 8)):
        out = smoother(face, time)
    np.testing.assert_allclose(out.field, face.field, atol=1e-4)
    np.testing.assert_allclose(out.field_from_template, face.field_from_template, atol=1e-4)
    np.testing.assert_allclose(out.landmarks, face.landmarks, atol=1e-3)
    np.testing.assert_array_equal(face.field, before[0])
    np.testing.assert_array_equal(face.field_from_template, before[1])
    assert out.crop is face.crop
    assert out.field.dtype == out.field_from_template.dtype == np.float32


def test_a_crop_that_moves_about_moves_nothing(head, smoother, rng):
    pose = head.at(roll=-0.2)
    points = head.face(pose).landmarks
    for index in range(12):
        shift, size, turn = rng.normal(0, 3, 2), rng.normal(0, 0.02), rng.normal(0, 0.03)
        crop = Crop.around((320, 240) + shift, 150 * (1 + size), roll=turn - 0.2)
        out = smoother(head.face(pose, crop), index / FPS)
        np.testing.assert_allclose(out.landmarks, points, atol=0.05)
        if index == 0:
            expected = seen_by_field(out, points)
        np.testing.assert_allclose(seen_by_field(out, points), expected, atol=0.08)


def test_noise_shrinks_in_both_directions(head, smoother, rng):
    still, raw, smooth = head.at(), [], []
    where = head.face(still).landmarks
    for index in range(60):
        pose = still + rng.normal(0, [[0.0003, 0.0003, 0.06]] * 2)
        face = head.face(still, noise=rng)
        face = replace(face, crop=Crop(pose))
        out = smoother(face, index / FPS)
        raw.append((face.landmarks, seen_by_field(face, where)))
        smooth.append((out.landmarks, seen_by_field(out, where)))
    for direction in range(2):
        before, after = (
            jitter(np.array([pair[direction] for pair in pairs[10:]])) for pairs in (raw, smooth)
        )
        assert after < before / 4


def swinging(head, index, fps=FPS, size=1.0):
    """A head that swings, nods, comes nearer and turns."""
    t = 2 * math.pi * index / fps
    center = size * np.array([320 + 40 * math.sin(t), 240 + 15 * math.sin(0.7 * t)])
    side = size * 150 * (1 + 0.1 * math.sin(0.5 * t))
    return head.at(center, side, 0.2 * math.sin(0.8 * t))


@pytest.mark.slow
def test_a_moving_head_is_followed_without_delay(head, smoother):
    distances = []
    for index in range(90):
        face = head.face(swinging(head, index))
        out = smoother(face, index / FPS)
        distances.append(np.linalg.norm(out.landmarks - face.landmarks, axis=1).mean())
    speed = 2 * math.pi * 40 / FPS  # px a frame, at its fastest
    assert max(distances) < 0.5 * speed
    assert np.mean(distances) < 0.1 * speed


def test_both_directions_go_on_undoing_each_other(head, template, smoother):
    head.bumps = (0.0, 0.0)  # undo each other exactly
    for index in range(40):
        out = smoother(head.face(swinging(head, index)), index / FPS)
        back = seen_by_field(out, out.landmarks)
        np.testing.assert_allclose(back, template.landmarks, atol=0.05)


@pytest.mark.slow
def test_the_frame_rate_hardly_matters_to_faces(head, template):
    def run(fps):
        smoother = FaceSmoother(template)
        out = [smoother(head.face(swinging(head, i, fps)), i / fps) for i in range(2 * fps)]
        return np.array([face.landmarks for face in out[:: fps // 30]])

    assert np.linalg.norm(run(30) - run(60), axis=-1).max() < 0.5


def test_the_size_of_the_face_does_not_matter(head, template):
    def run(size):
        smoother, rng = FaceSmoother(template), np.random.default_rng(3)
        out = [
            smoother(head.face(swinging(head, i, size=size), noise=rng), i / FPS) for i in range(20)
        ]
        return np.array([face.landmarks for face in out])

    np.testing.assert_allclose(run(3.0), 3 * run(1.0), atol=0.05)


def test_a_face_that_jumps_is_not_dragged_along(head, smoother):
    for index in range(5):
        smoother(head.face(swinging(head, index)), index / FPS)
    far = head.face(head.at(center=(420.0, 240.0)))
    assert smoother(far, 5 / FPS) is far
    assert smoother(far, 6 / FPS) is not far  # and from there it goes on


def test_after_reset_nothing_is_remembered(head, smoother):
    smoother(head.face(head.at()), 0.0)
    smoother.reset()
    face = head.face(head.at(center=(323.0, 240.0)))
    assert smoother(face, 1 / FPS) is face


def test_another_face_in_the_same_place_is_shown_as_it_is(template, smoother):
    one, other = Head(template, (8.0, -8.0)), Head(template, (-8.0, 8.0))
    pose = one.at()
    for index in range(10):
        smoother(one.face(pose), index / FPS)
    face = other.face(pose)
    out = smoother(face, 10 / FPS)
    assert np.linalg.norm(out.landmarks - face.landmarks, axis=1).max() < 1


@pytest.mark.slow
def test_equal_times_count_as_frames(head, template):
    def run(times):
        smoother = FaceSmoother(template)
        return [
            smoother(head.face(swinging(head, i)), time).landmarks for i, time in enumerate(times)
        ]

    frozen = run(np.zeros(30))
    np.testing.assert_allclose(frozen, run(np.arange(30) / FPS), atol=1e-6)


def test_a_head_may_turn_upside_down(head, smoother):
    for index in range(40):
        face = head.face(head.at(roll=math.pi + 0.05 * (index - 20)))
        out = smoother(face, index / FPS)
        assert np.linalg.norm(out.landmarks - face.landmarks, axis=1).max() < 8


@pytest.mark.slow
def test_how_much_is_smoothed_can_be_said(head, template, rng):
    def run(config):
        smoother, noise = FaceSmoother(template, config), np.random.default_rng(7)
        return jitter(
            np.array(
                [smoother(head.face(head.at(), noise=noise), i / FPS).landmarks for i in range(30)]
            )[5:]
        )

    weak, strong = (SmoothingConfig(OneEuro(hz, 0.0), OneEuro(hz, 0.0)) for hz in (8.0, 0.5))
    assert run(strong) < 0.3 * run(weak)
