"""Faces of a made skin, moved by known motions and registered with errors, held to that skin."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import GRID_SHAPE, inverted, resized, sample_field, upsample_field
from facewarp.face.temporal.image_alignment import (
    NormalEquations,
    shrunk,
    similarity_of,
    without_light,
)
from facewarp.face.temporal.photometric import PhotometricRefinement
from facewarp.face.temporal.photometric_state import PhotometricConfig
from facewarp.face.temporal.smoothing import FaceSmoother

FPS = 30
GRAIN = 2.0  # deviation of a camera's noise, gray levels


def smooth_noise(rng, size, px, cells):
    """A field or picture of about this deviation, that changes over so many px."""
    coarse = rng.normal(0, px, (CROP_SHAPE[0] // cells + 2, CROP_SHAPE[1] // cells + 2))
    return cv2.resize(coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def skin(rng):
    """A gray picture in template space, with detail of several sizes."""
    return sum(smooth_noise(rng, CROP_SHAPE, level, cells) for level, cells in ((25, 24), (14, 6)))


@pytest.fixture
def made(template, face_at, skin, rng):
    """Make the face of a frame: its true motion (2, 80, 65) px, and a registration of it."""

    def make(motion, error_px=1.0, shown=skin, cover=None, light=1.0, error=None):
        wrong = [smooth_noise(rng, GRID_SHAPE, error_px, 20) for _ in range(2)]
        back = motion + (np.stack(wrong) if error is None else error)
        onto = upsample_field(inverted(motion.astype(np.float32)))
        y, x = np.mgrid[: CROP_SHAPE[0], : CROP_SHAPE[1]].astype(np.float32)
        gray = cv2.remap(shown, x + onto[0], y + onto[1], cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
        gray = (gray + 120) * light + rng.normal(0, GRAIN, CROP_SHAPE)
        if cover is not None:
            gray = np.where(cover[0], cover[1], gray)
        gray = gray.round().clip(0, 255).astype(np.uint8)
        back = back.astype(np.float32)
        return face_at(side=160.0, field=inverted(back), back=back, gray=gray)

    return make


def moved(x=0.0, y=0.0, open_px=0.0):
    """A shift, and a chin that goes down."""
    rows, columns = np.mgrid[: GRID_SHAPE[0], : GRID_SHAPE[1]] * 4.0
    chin = open_px * np.exp(-((columns - 130) ** 2 / 2 / 45**2 + (rows - 215) ** 2 / 2 / 30**2))
    return np.stack([np.full(GRID_SHAPE, x), y + chin]).astype(np.float32)


@pytest.fixture
def points(template):
    """Points of the skin within the landmarks."""
    low, high = template.landmarks.min(0) + 12, template.landmarks.max(0) - 12
    x, y = np.meshgrid(np.arange(low[0], high[0], 9), np.arange(low[1], high[1], 9))
    return np.stack([x.ravel(), y.ravel()], 1)


def errors(faces, motions, points):
    """Where points are shown, less where they are (T, N, 2), crop px."""
    return np.stack(
        [
            sample_field(face.grid_field_from_template, points) - sample_field(motion, points)
            for face, motion in zip(faces, motions, strict=True)
        ]
    )


def slip(faces, motions, points):
    """Mean motion over the skin from frame to frame, crop px."""
    steps = np.diff(errors(faces, motions, points), axis=0)
    return float(np.linalg.norm(steps, axis=-1)[4:].mean())


def follow(refinement, faces):
    return [refinement(face, index / FPS) for index, face in enumerate(faces)]


def test_what_is_drawn_no_longer_slides_over_the_skin(made, template, points):
    motions = [moved(1.3 * i, 4 * np.sin(i / 3), 10 * np.sin(i / 5) ** 2) for i in range(16)]
    faces = [made(motion) for motion in motions]
    refined = follow(PhotometricRefinement(template), faces)
    assert slip(faces, motions, points) > 0.8
    assert slip(refined, motions, points) < 0.12
    drift = errors(refined, motions, points)[1:] - errors(refined, motions, points)[0]
    assert np.linalg.norm(drift, axis=-1).mean() < 0.5


def test_paint_and_mesh_are_one_map(made, template, points):
    refined = follow(PhotometricRefinement(template), [made(moved(i, 0, i)) for i in range(4)])[-1]
    there = points + sample_field(refined.grid_field_from_template, points)
    back = there + sample_field(refined.grid_field, there)
    assert np.linalg.norm(back - points, axis=1).max() < 0.2
    landmarks = refined.crop.to_crop(refined.landmarks)
    back = landmarks + sample_field(refined.grid_field, landmarks)
    assert np.linalg.norm(back - template.landmarks, axis=1).max() < 0.3


def test_a_face_at_rest_hardly_trembles_and_a_slow_one_is_not_late(made, template, points):
    still = [moved() for _ in range(14)]
    refined = follow(PhotometricRefinement(template), [made(motion) for motion in still])
    shown = errors(refined, still, points)[4:]
    assert np.linalg.norm(np.diff(shown, 2, axis=0), axis=-1).mean() < 0.03
    slow = [moved(0.15 * i) for i in range(20)]
    refined = follow(PhotometricRefinement(template), [made(motion) for motion in slow])
    late = errors(refined, slow, points)[:, :, 0].mean(1)
    assert abs(late[-1] - late[0]) < 0.15


def test_light_and_shadow_move_nothing(made, template, points):
    motions = [moved(0.5 * i) for i in range(12)]
    x = np.arange(CROP_SHAPE[1])

    def light(i):
        shadow = 1 / (1 + np.exp(-(x - 60 - 12 * i) / 3))
        return (0.6 + 0.4 * shadow) * (1 + 0.2 * np.sin(i))

    faces = [made(motion, light=light(i)) for i, motion in enumerate(motions)]
    refined = follow(PhotometricRefinement(template), faces)
    assert slip(faces, motions, points) > 0.8
    assert slip(refined, motions, points) < 0.25


def test_a_hand_that_passes_takes_nothing_along(made, template, points, rng):
    motions = [moved(0.3 * i) for i in range(20)]
    own = smooth_noise(rng, (CROP_SHAPE[0], 2 * CROP_SHAPE[1]), 40, 8) + 150
    x = np.arange(CROP_SHAPE[1])

    def cover(i):
        mask = (abs(x - (15 * i - 40)) < 28)[None] & (np.arange(CROP_SHAPE[0]) > 130)[:, None]
        return mask, np.roll(own, 15 * i, axis=1)[:, : CROP_SHAPE[1]]

    faces = [made(motion, cover=cover(i)) for i, motion in enumerate(motions)]
    refined = follow(PhotometricRefinement(template), faces)
    found = errors(refined, motions, points)
    away = np.linalg.norm(found - found[2], axis=-1)
    assert away.max() < 8  # the hand itself goes 300 px
    assert away[-1].mean() < 0.8


@pytest.mark.parametrize("hidden", [True, False])
def test_a_map_that_began_behind_a_hand_follows_the_registration(made, template, points, hidden):
    behind = np.full((160, 130), 255, np.uint8)
    behind[70:, :75] = 0 if hidden else 255
    wrong, right = np.full((2, *GRID_SHAPE), 4.0), np.zeros((2, *GRID_SHAPE))
    shown = [(behind, wrong)] * 5 + [(np.full_like(behind, 255), right)] * 40
    faces = [made(moved(), error=error).changed(matte=matte) for matte, error in shown]
    last = follow(PhotometricRefinement(template), faces)[-1:]
    off = np.linalg.norm(errors(last, [moved()], points), axis=-1).mean()
    assert off < 0.8 if hidden else off > 4  # else the skin of its first frame is what it shows


def test_a_map_begins_when_a_hand_before_the_face_has_gone(made, template):
    behind, free = np.full((160, 130), 255, np.uint8), np.full((160, 130), 255, np.uint8)
    behind[70:, :75] = 0
    faces = [made(moved()).changed(matte=behind if i < 20 else free) for i in range(36)]
    begun = [
        now is not face
        for now, face in zip(follow(PhotometricRefinement(template), faces), faces, strict=True)
    ]
    assert begun.index(True) in range(29, 32)  # a third of a second after it went
    assert all(begun[32:])


def test_what_stays_before_a_face_belongs_to_it(made, template):
    behind = np.full((160, 130), 255, np.uint8)
    behind[70:, :75] = 0
    faces = [made(moved()).changed(matte=behind) for _ in range(50)]
    begun = [
        now is not face
        for now, face in zip(follow(PhotometricRefinement(template), faces), faces, strict=True)
    ]
    assert begun.index(True) in range(44, 48)  # 1.5 s


def test_what_hid_a_face_at_first_is_not_learnt(made, template, points):
    """The chin moves as soon as what was before it from the first frame on has gone."""
    rows = np.arange(CROP_SHAPE[0])[:, None] >= 180
    cover = np.broadcast_to(rows, CROP_SHAPE), 60.0
    behind, free = np.full((160, 130), 255, np.uint8), np.full((160, 130), 255, np.uint8)
    behind[90:] = 0
    still = [made(moved(), error_px=0.0, cover=cover).changed(matte=behind) for _ in range(50)]
    motions = [moved(0, 0, 12 * np.sin(i / 6) ** 2) for i in range(24)]
    opens = [made(motion, error_px=1.0).changed(matte=free) for motion in motions]
    shown = follow(PhotometricRefinement(template), [*still, *opens])[-len(opens) :]
    chin = points[points[:, 1] > 190]
    assert slip(shown, motions, chin) < 0.5 * slip(opens, motions, chin)


def test_after_a_cut_it_starts_anew(made, template, rng):
    refinement = PhotometricRefinement(template)
    follow(refinement, [made(moved(i)) for i in range(4)])
    other = smooth_noise(rng, CROP_SHAPE, 30, 9)
    face = made(moved(4), shown=other)
    assert refinement(face, 4 / FPS) is face


@pytest.mark.parametrize("what", ["first", "gap", "reset", "no picture"])
def test_with_nothing_to_go_on_a_face_stays_as_registered(made, template, what):
    refinement = PhotometricRefinement(template)
    time = 0.0
    if what != "first":
        refinement(made(moved()), 0.0)
        time = 2.0 if what == "gap" else 1 / FPS
    if what == "reset":
        refinement.reset()
    face = made(moved(1))
    face = replace(face, gray=None) if what == "no picture" else face
    assert refinement(face, time) is face


def test_the_registration_is_the_anchor(made, template, points):
    """A map that began far off comes back, and is not held by the skin."""
    refinement = PhotometricRefinement(template, config=PhotometricConfig(anchor_s=0.5))
    wrong = np.full((2, *GRID_SHAPE), 5.0, np.float32)
    still = [moved() for _ in range(30)]
    faces = [made(moved(), error=wrong if i == 0 else 0 * wrong) for i in range(30)]
    away = np.linalg.norm(errors(follow(refinement, faces), still, points), axis=-1).mean(1)
    assert away[0] > 6
    assert away[-1] < 0.25 * away[0]
    assert (np.diff(away) < 0.05).all()


def test_equal_times_count_as_frames(made, template, points):
    motions = [moved(1.0 * i) for i in range(8)]
    refinement = PhotometricRefinement(template)
    refined = [refinement(made(motion), 3.0) for motion in motions]
    assert slip(refined, motions, points) < 0.15


def test_it_follows_smoothing_and_a_crop_that_moves(made, template, points):
    refinement = PhotometricRefinement(template, FaceSmoother(template))
    motions = [moved(0.2 * i, 0, 6 * np.sin(i / 4) ** 2) for i in range(10)]
    refined = follow(refinement, [made(motion) for motion in motions])
    assert slip(refined, motions, points) < 0.12


# --- image alignment


def test_light_is_taken_off(skin):
    gray = (skin + 120).clip(0, 255)
    darker = 20 + 0.6 * gray
    before, after = (without_light(picture.astype(np.uint8)) for picture in (gray, darker))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.995
    assert abs(before - after).mean() < 0.1


def test_a_similarity_is_found_by_one_step(skin):
    cells = (20, 20)
    y, x = np.mgrid[:80, :80].astype(np.float32)
    smooth = cv2.GaussianBlur(skin / 25, (0, 0), 3).astype(np.float32)
    sampled = lambda u, v: cv2.remap(smooth, x + 50 + u, y + 80 + v, cv2.INTER_CUBIC)  # noqa: E731
    turn, zoom = 0.004, 0.003
    u = 0.5 + zoom * (x - 79.5) - turn * (y - 79.5)
    v = -0.3 + zoom * (y - 79.5) + turn * (x - 79.5)
    equations = NormalEquations(sampled(0, 0), cells)
    b = equations.right_side(sampled(-u, -v))
    motion = equations.similarity(b, np.ones(cells, np.float32))
    expected = np.dstack([cv2.resize(c, cells, interpolation=cv2.INTER_AREA) for c in (u, v)])
    assert np.abs(motion - 2 * expected).max() < 0.3
    left = equations.local(equations.after(b, motion), np.ones(cells, np.float32))
    assert np.linalg.norm(left, axis=-1).mean() < 0.2


def test_the_similarity_of_a_motion_is_the_one_that_was_made(rng):
    y, x = np.mgrid[:12, :9].astype(np.float32)
    turn, zoom = 0.03, -0.02
    made = np.dstack([0.5 + zoom * x - turn * y, -0.3 + turn * x + zoom * y]).astype(np.float32)
    weights = rng.uniform(0.1, 1, (12, 9)).astype(np.float32)
    assert np.abs(similarity_of(made, weights) - made).max() < 1e-4
    hidden = made.copy()
    hidden[3:6] += 5  # what counts for nothing moves another way
    weights[3:6] = 0
    assert np.abs(similarity_of(hidden, weights) - made).max() < 1e-4


def test_noise_is_held_back_and_motion_is_not(rng):
    noise = rng.normal(0, 0.05, (40, 40, 2)).astype(np.float32)
    assert np.abs(shrunk(noise, 0.08)).mean() < 0.1 * np.abs(noise).mean()
    motion = np.full((40, 40, 2), 1.0, np.float32)
    assert np.abs(shrunk(motion, 0.08) - motion).max() < 0.01
    assert resized(np.moveaxis(motion, -1, 0), (20, 20)).shape == (2, 20, 20)
