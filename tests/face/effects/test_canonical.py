"""Views of the registration: the field with its folds, and the face carried to the template."""

import cv2
import numpy as np
import pytest

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.canonical import CANONICAL_SHAPE, canonical_view
from facewarp.face.effects.displacement_field import Field, displacement_colors
from facewarp.face.effects.factory import make_effect

FRAME = (480, 640)


def test_folds_are_red_and_only_there(template, face_at):
    """u_x = -2 (x - 130) in a square turns the crop over there: its determinant is -1."""
    field = np.zeros((2, *CROP_SHAPE), np.float32)
    x = np.arange(110, 151)
    field[0, 130:191, 110:151] = -2.0 * (x - 130)
    face = face_at(side=160, field=field)  # one frame px is one crop px
    assert face.crop.scale == pytest.approx(1)
    out = Field(annotate=False)(np.full((*FRAME, 3), 90, np.uint8), [face], template)
    red = (out[..., 0] > 200) & (out[..., 1:].max(axis=2) < 120)
    for point, folded in (((130, 160), True), ((118, 140), True), ((70, 160), False)):
        x0, y0 = np.rint(face.crop.to_frame(point)).astype(int)
        assert red[y0, x0] == folded
    # The flanks of the square, where the field jumps back, do not fold: 38 x 61 px do.
    assert 38 * 59 <= red.sum() <= 43 * 61


def test_displacement_colors_tell_direction_and_length():
    field = np.zeros((2, 1, 4), np.float32)
    field[:, 0] = np.array([[24, 0], [-24, 0], [6, 0], [0, 0]]).T
    right, left, short, none = displacement_colors(field, 24.0)[0].astype(int)
    assert right[0] > 200 > 60 > right[1]  # red
    assert left[1] > 200
    assert left[2] > 200  # cyan
    assert 100 < short[3] < 150 < right[3]
    assert none[3] == 0


def test_canonical_undoes_the_crop_and_the_field(template, frame, face_at):
    """What lies at q of the template's view is the frame at crop(q + field_from_template(q))."""
    back = np.zeros((2, *CROP_SHAPE), np.float32)
    back[0], back[1] = 4, -3
    face = face_at((300.5, 250), 150, roll=0.25, back=back)
    view = canonical_view(frame, face)
    assert view.shape == (*CANONICAL_SHAPE, 3)
    for point in ([100, 120], [150, 200], [60, 180]):
        pixel = np.array(point) * 2 + 0.5  # centre of 2x2 px of the view
        x, y = face.crop.to_frame(np.array(point) + (4, -3))
        expected = cv2.getRectSubPix(frame, (1, 1), (x, y))[0, 0]
        i, j = int(pixel[1]), int(pixel[0])
        got = view[i : i + 2, j : j + 2].reshape(4, 3).mean(axis=0)
        np.testing.assert_allclose(got, expected, atol=3)


def test_canonical_averages_a_large_face(face_at):
    rows, columns = np.mgrid[:1600, :1400]
    checks = (((rows + columns) % 2) * 255).astype(np.uint8)
    face = face_at((700, 800), 780, roll=0.1)
    view = canonical_view(np.dstack([checks] * 3), face, (160, 130))
    assert view[20:-20, 20:-20].std() < 25


def test_canonical_is_dim_without_a_face(template, frame, face_at):
    effect = make_effect("canonical", annotate=False)
    lost = face_at(state="lost")
    for faces in ([], [lost]):
        out = effect(frame, faces, template)
        assert out.shape == (*CANONICAL_SHAPE, 3)
        assert out.max() < 80


def test_canonical_inset_keeps_the_frame(template, frame, face_at):
    faces = [face_at((200, 300), 90), face_at((450, 300), 90, id=4)]
    out = make_effect("canonical", inset=True, annotate=False)(frame, faces, template)
    assert out.shape == frame.shape
    changed = (out != frame).any(axis=2)
    assert changed[20:100, 540:620].mean() > 0.5
    assert not changed[200:].any()
    assert not changed[:, :300].any()
