"""The map of paint is smooth on calm skin, and exact where parts meet."""

import cv2
import numpy as np
import pytest

from facewarp.face.effects.factory import make_effect
from facewarp.face.rendering.calm_skin import calm_skin, smoothed, stiffened
from facewarp.face.rendering.template_overlay import TemplatePicture

GRIDS = [(80, 65), (160, 130)]


@pytest.fixture(scope="module")
def points(template):
    """Template px of calm skin, and of what has to meet."""
    marks = template.landmarks
    calm = [(marks[21] + marks[22]) / 2 - (0, 30), (marks[31] + marks[3]) / 2 - (4, 0)]
    return np.rint(calm).astype(int), np.rint(marks[[8, 38, 44, 51, 57, 30]]).astype(int)


def wrinkled(shape, rng):
    """A field with noise of one point in it on top of a slope."""
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    slope = np.stack([9 * x + 4 * y, 6 * y - 5 * x])
    coarse = rng.normal(0, 1.5, (2, 40, 32))
    rough = np.stack([cv2.resize(c, shape[::-1], interpolation=cv2.INTER_LINEAR) for c in coarse])
    return (slope + rough).astype(np.float32), slope.astype(np.float32)


def test_forehead_and_cheeks_are_calm_and_parts_are_not(template, points):
    calm = calm_skin(template)
    free, bound = points
    assert (calm[free[:, 1], free[:, 0]] > 0.8).all()
    assert (calm[bound[:, 1], bound[:, 0]] < 0.05).all()
    assert calm[5, 130] > 0.9  # the forehead's upper end is no part's


@pytest.mark.parametrize("shape", GRIDS)
def test_wrinkles_go_where_the_skin_is_calm(template, points, shape, rng):
    field, slope = wrinkled(shape, rng)
    out = smoothed(field, np.ones((320, 260), np.float32))
    inner = np.s_[:, shape[0] // 8 : -shape[0] // 8, shape[1] // 8 : -shape[1] // 8]
    assert (out - slope)[inner].std() < 0.6 * (field - slope)[inner].std()
    np.testing.assert_array_equal(smoothed(field, np.zeros((320, 260), np.float32)), field)


@pytest.mark.parametrize("shape", GRIDS)
def test_an_affine_map_stays_as_it_is(template, shape, rng):
    _, slope = wrinkled(shape, rng)
    out = smoothed(slope, calm_skin(template))
    inner = np.s_[:, shape[0] // 8 : -shape[0] // 8, shape[1] // 8 : -shape[1] // 8]
    np.testing.assert_allclose(out[inner], slope[inner], atol=0.05)


def test_lines_of_a_picture_are_straighter(template, face_at, points, rng):
    rough = np.stack([cv2.resize(c, (130, 160)) for c in rng.normal(0, 2.0, (2, 40, 32))])
    face = face_at(center=(320, 240), side=220.0, field=rough.astype(np.float32))
    rgba = np.zeros((640, 520, 4), np.uint8)
    height = int(points[0][0, 1])
    rgba[2 * height - 3 : 2 * height + 3, 140:380] = 255
    wobble = []
    for calm in (None, calm_skin(template)):
        frame = np.zeros((480, 640, 3), np.uint8)
        TemplatePicture(rgba, calm=calm).lay_on(frame, face, "glow")
        line = frame[..., 0].astype(float)[:, 270:370]
        wobble.append(((np.arange(480)[:, None] * line).sum(0) / line.sum(0)).std())
    assert wobble[1] < 0.7 * wobble[0]


def test_a_solid_thing_does_not_follow_lids(template, face_at):
    """Lids that shut move make-up; the rim of glasses above them stays straight."""
    eye = template.landmarks[36:42].mean(axis=0)
    y, x = np.mgrid[:80, :65] * 4 + 1.5
    field = np.zeros((2, 80, 65), np.float32)
    field[1] = 9 * np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / (2 * 6.0**2))
    face = face_at(side=160.0, field=field)
    rgba = np.zeros((320, 260, 4), np.uint8)
    rgba[: round(eye[1]), 40:220] = (0, 0, 0, 255)
    frame = np.full((480, 640, 3), 200, np.uint8)
    ends = {}
    for blend in ("paint", "mask"):
        effect = make_effect("texture", texture=rgba, blend=blend, match="none", annotate=False)
        dark = face.crop.extract(effect(frame, [face], template))[..., 1] < 100
        lowest = [np.flatnonzero(dark[: round(eye[1]) + 20, round(c)]).max() for c in (eye[0], 130)]
        ends[blend] = abs(lowest[0] - lowest[1])
    assert ends["paint"] >= 5
    assert ends["mask"] <= 0.7 * ends["paint"]


def test_a_stiff_thing_moves_by_a_homography_and_does_not_blink():
    y, x = np.mgrid[:80, :65] * 4.0 + 1.5
    depth = 1 + 0.0007 * (x - 130) - 0.0004 * (y - 160)
    moved = np.stack(
        [((x - 130) * 1.1 + 0.1 * (y - 160)) / depth + 137, ((y - 160) * 0.95) / depth + 152]
    )
    field = (moved - [x, y]).astype(np.float32)
    weights = np.zeros((80, 65), np.float32)
    weights[25:45, 12:54] = 255
    np.testing.assert_allclose(stiffened(field, weights), field, atol=0.1)
    bump = 6 * np.exp(-(((x - 95) / 14) ** 2 + ((y - 140) / 6) ** 2))
    blinking = field + np.stack([0 * bump, bump]).astype(np.float32)
    off = np.abs(stiffened(blinking, weights) - field)[:, 25:45, 12:54]
    assert off.max() < 0.35 * bump.max()
    shape = np.diff(stiffened(blinking, weights), n=2, axis=2)
    assert np.abs(shape).max() < 0.2 * np.abs(np.diff(blinking, n=2, axis=2)).max()


def test_with_nothing_to_go_by_a_field_stays():
    field = np.random.default_rng(0).normal(0, 2, (2, 80, 65)).astype(np.float32)
    np.testing.assert_array_equal(stiffened(field, np.zeros((80, 65), np.float32)), field)
