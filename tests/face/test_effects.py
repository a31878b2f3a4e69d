"""Effects: they draw where the face is, by its own geometry, and nowhere else."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.effects import EFFECTS, make_effect
from facewarp.face.layers import Labels, Texture
from facewarp.face.template import Template
from facewarp.face.tracker import Face
from facewarp.face.views import CANONICAL_SHAPE, Field, canonical_view, displacement_colours

HEIGHT, WIDTH = CROP_SHAPE
FRAME = (480, 640)
NAMES = sorted(EFFECTS)


@pytest.fixture(scope="module")
def template():
    return Template.load("average")


@pytest.fixture
def frame(rng):
    coarse = rng.integers(40, 220, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, FRAME[::-1], interpolation=cv2.INTER_CUBIC)


def face_at(template, center=(320, 240), side=150.0, roll=0.0, field=None, back=None, **changes):
    """A face whose crop shows the template itself, unless there is a field."""
    crop = Crop.around(center, side, roll=roll)
    zero = np.zeros((2, *CROP_SHAPE), np.float32)
    landmarks = crop.to_frame(template.landmarks)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    face = Face(
        id=3,
        state="tracking",
        confidence=0.9,
        box=(*low, *high),
        landmarks=landmarks,
        crop=crop,
        field=zero if field is None else field,
        field_from_template=zero if back is None else back,
        probabilities=np.zeros((8, 80, 65), np.float32),
        folds_percent=0.0,
    )
    return replace(face, **changes)


def dot_texture(at, k=4, radius=3.0):
    """A transparent texture with one opaque white dot at a template point."""
    y, x = np.mgrid[: HEIGHT * k, : WIDTH * k]
    distance = np.hypot((x + 0.5) / k - 0.5 - at[0], (y + 0.5) / k - 0.5 - at[1])
    alpha = np.clip((radius - distance) * k + 0.5, 0, 1)
    return np.dstack([np.full((*alpha.shape, 3), 255), 255 * alpha]).astype(np.uint8)


def centroid(image):
    weight = image.astype(float)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def solid_texture(colour, k=2):
    rgba = np.zeros((HEIGHT * k, WIDTH * k, 4), np.uint8)
    rgba[...] = (*colour, 255)
    rgba[0, 0, 3] = 254  # not opaque everywhere: stays uncut
    return rgba


def build(name, **options):
    if name == "texture":
        options.setdefault("texture", dot_texture((130, 160), radius=40))
    return make_effect(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_given_is_not_modified(name, frame, template):
    before = frame.copy()
    frame.flags.writeable = False
    out = build(name)(frame, [face_at(template)], template)
    np.testing.assert_array_equal(frame, before)
    assert out is not frame
    assert not np.shares_memory(out, frame)
    assert out.dtype == np.uint8


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_only_the_face_is_drawn_on(name, frame, template):
    face = face_at(template, center=(250, 230), side=120, roll=0.2)
    out = build(name, annotate=False)(frame, [face], template)
    x0, y0, x1, y1 = face.crop.frame_box(frame.shape)
    assert (out[y0:y1, x0:x1] != frame[y0:y1, x0:x1]).any()
    outside = np.ones(FRAME, bool)
    outside[y0:y1, x0:x1] = False
    np.testing.assert_array_equal(out[outside], frame[outside])


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_opacity_zero_leaves_the_frame(name, frame, template):
    out = build(name, opacity=0.0, annotate=False)(frame, [face_at(template)], template)
    np.testing.assert_array_equal(out, frame)


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_half_opacity_lies_between(name, frame, template):
    frames = [
        build(name, opacity=opacity, annotate=False)(frame, [face_at(template)], template)
        for opacity in (0.25, 1.0)
    ]
    change = [np.abs(out.astype(int) - frame).mean() for out in frames]
    assert 0.05 * change[1] < change[0] < 0.5 * change[1]


@pytest.mark.parametrize("center", [(-10, 240), (640, 0), (320, 500), (-2000, 100), (320, 9000)])
@pytest.mark.parametrize("name", NAMES)
def test_faces_partly_or_fully_outside(name, center, frame, template):
    for annotate in (False, True):
        out = build(name, annotate=annotate)(frame, [face_at(template, center)], template)
        assert out.shape == ((*CANONICAL_SHAPE, 3) if name == "canonical" else frame.shape)


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_tiny_faces_and_tiny_frames(name, template):
    frame = np.full((9, 7, 3), 90, np.uint8)
    face = face_at(template, center=(3, 4), side=3)
    assert build(name)(frame, [face], template).shape == frame.shape


@pytest.mark.parametrize("name", ["labels", "mesh", "texture"])
def test_of_a_lost_face_only_the_tag_is_drawn(name, frame, template):
    lost = face_at(template, state="lost", confidence=0.0)
    out = build(name, annotate=False)(frame, [lost], template)
    np.testing.assert_array_equal(out, frame)
    tagged = build(name, annotate=True)(frame, [lost], template)
    changed = np.flatnonzero((tagged != frame).any(axis=(1, 2)))
    assert 0 < len(changed) < 40
    assert changed[-1] < lost.box[1]


def test_a_tag_stays_in_the_frame_and_is_dim_when_uncertain(frame, template):
    effect = build("texture", texture=dot_texture((130, 160), radius=1))
    changes = []
    for state in ("tracking", "uncertain"):
        face = face_at(template, center=(320, 20), state=state)
        out = effect(frame, [face], template).astype(int)
        changes.append(np.abs(out - frame)[:30].max())
    assert changes[0] > changes[1] > 10


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(("roll", "side"), [(0.0, 160.0), (0.3, 300.0), (-0.6, 90.0)])
def test_a_dot_of_the_texture_falls_where_it_belongs(template, k, roll, side):
    """Pixel centres: texture = (template + 0.5) * k - 0.5, template = crop, frame = the crop's."""
    point = (88.0, 201.0)
    face = face_at(template, center=(330.3, 241.7), side=side, roll=roll)
    effect = Texture(dot_texture(point, k), blend="glow", annotate=False)
    out = effect(np.zeros((*FRAME, 3), np.uint8), [face], template)
    np.testing.assert_allclose(centroid(out[..., 0]), face.crop.to_frame(point), atol=0.15)


def test_the_field_moves_the_texture(template):
    """The field points from the frame into the template: +5 there shows the dot 5 px before."""
    point, shift = np.array([120.0, 150.0]), np.array([5.0, -8.0])
    field = np.broadcast_to(shift[:, None, None], (2, *CROP_SHAPE)).astype(np.float32)
    face = face_at(template, field=field, side=320)
    effect = Texture(dot_texture(point), blend="glow", annotate=False)
    out = effect(np.zeros((*FRAME, 3), np.uint8), [face], template)
    expected = face.crop.to_frame(point - shift)
    np.testing.assert_allclose(centroid(out[..., 0]), expected, atol=0.15)


def test_a_large_texture_on_a_small_face_keeps_its_mean(template):
    """Stripes of one texture px must average out, not alias."""
    rgba = solid_texture((255, 255, 255), k=4)
    rgba[:, ::2, :3] = 0
    face = face_at(template, side=40)
    out = Texture(rgba, blend="glow", annotate=False)(
        np.full((*FRAME, 3), 128, np.uint8), [face], template
    )
    x, y = np.rint(face.crop.to_frame([129.5, 159.5])).astype(int)
    inner = out[y - 15 : y + 15, x - 12 : x + 12, 0].astype(float)
    assert inner.std() < 6
    assert abs(inner.mean() - 127.5) < 3


def test_a_texture_takes_the_frames_light(template):
    """A face lit from the left: the texture is brighter at the left, with its own hue."""
    frame = np.zeros((*FRAME, 3), np.uint8)
    frame[:] = np.linspace(360, -80, FRAME[1]).clip(5, 250)[None, :, None]
    face = face_at(template, side=160)
    left, right = (
        np.rint(face.crop.to_frame([[x, 170], [x, 170]])[0]).astype(int) for x in (80, 180)
    )
    for blend, lit in (("paint", True), ("mask", True), ("glow", False)):
        effect = Texture(solid_texture((140, 70, 35)), blend=blend, annotate=False)
        out = effect(frame, [face], template).astype(float)
        a, b = out[left[1], left[0]], out[right[1], right[0]]
        if lit:
            assert a[0] > 1.2 * b[0]
            np.testing.assert_allclose(a / a[0], b / b[0], atol=0.03)
        else:
            np.testing.assert_allclose([a, b], [(140, 70, 35)] * 2, atol=1)


def test_an_opaque_picture_is_cut_to_the_face(template):
    face = face_at(template, side=160)
    frame = np.full((*FRAME, 3), 100, np.uint8)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 1] = 255
    out = Texture(rgb, blend="glow", annotate=False)(frame, [face], template)
    nose = np.rint(face.landmarks[30]).astype(int)
    corner = np.rint(face.crop.to_frame([15, 300])).astype(int)
    assert out[nose[1], nose[0], 1] > 245
    np.testing.assert_array_equal(out[corner[1], corner[0]], 100)


def test_labels_have_their_parts_colours(template):
    face = face_at(template, side=200)
    frame = np.full((*FRAME, 3), 128, np.uint8)
    out = Labels(annotate=False)(frame, [face], template).astype(int)
    mouth = np.rint(face.landmarks[[51, 57]].mean(axis=0)).astype(int)
    eye = np.rint(face.landmarks[36:42].mean(axis=0)).astype(int)
    assert out[mouth[1], mouth[0], 0] > out[mouth[1], mouth[0], 2] + 30  # orange
    assert out[eye[1], eye[0], 1] > out[eye[1], eye[0], 0] + 30  # green


def test_two_faces_are_both_drawn(template):
    frame = np.zeros((*FRAME, 3), np.uint8)
    faces = [face_at(template, (170, 240), 110), face_at(template, (470, 240), 110, id=4)]
    out = Texture(dot_texture((130, 160)), blend="glow", annotate=False)(frame, faces, template)
    for face in faces:
        x, y = np.rint(face.crop.to_frame([130, 160])).astype(int)
        assert out[y, x, 0] > 200


def test_the_mesh_runs_through_the_landmarks(template):
    face = face_at(template, side=200)
    out = build("mesh", annotate=False)(np.zeros((*FRAME, 3), np.uint8), [face], template)
    for x, y in np.rint(face.landmarks[[8, 27, 30, 33]]).astype(int):
        assert out[y, x].max() > 100


def test_effects_follow_a_change_of_the_template(template):
    """What is prepared for one template is not used for the next."""
    frame, face = np.full((*FRAME, 3), 128, np.uint8), face_at(template)
    effect = make_effect("labels", annotate=False)
    first = effect(frame, [face], template)
    bare = np.zeros_like(template.probabilities)
    bare[0] = 1
    second = effect(frame, [face], replace(template, probabilities=bare))
    assert (first != frame).any()
    np.testing.assert_array_equal(second, frame)


def test_folds_are_red_and_only_there(template):
    """u_x = -2 (x - 130) in a square turns the crop over there: its determinant is -1."""
    field = np.zeros((2, *CROP_SHAPE), np.float32)
    x = np.arange(110, 151)
    field[0, 130:191, 110:151] = -2.0 * (x - 130)
    face = face_at(template, side=160, field=field)  # one frame px is one crop px
    assert face.crop.scale == pytest.approx(1)
    out = Field(annotate=False)(np.full((*FRAME, 3), 90, np.uint8), [face], template)
    red = (out == (255, 0, 0)).all(axis=2)
    for point, folded in (((130, 160), True), ((118, 140), True), ((70, 160), False)):
        x0, y0 = np.rint(face.crop.to_frame(point)).astype(int)
        assert red[y0, x0] == folded
    # The flanks of the square, where the field jumps back, do not fold: 38 x 61 px do.
    assert 38 * 59 <= red.sum() <= 43 * 61


def test_displacement_colours_tell_direction_and_length():
    field = np.zeros((2, 1, 4), np.float32)
    field[:, 0] = np.array([[24, 0], [-24, 0], [6, 0], [0, 0]]).T
    right, left, short, none = displacement_colours(field, 24.0)[0].astype(int)
    assert right[0] > 200 > 60 > right[1]  # red
    assert left[1] > 200
    assert left[2] > 200  # cyan
    assert 100 < short[3] < 150 < right[3]
    assert none[3] == 0


def test_canonical_undoes_the_crop_and_the_field(template, frame):
    """What lies at q of the template's view is the frame at crop(q + field_from_template(q))."""
    back = np.zeros((2, *CROP_SHAPE), np.float32)
    back[0], back[1] = 4, -3
    face = face_at(template, (300.5, 250), 150, roll=0.25, back=back)
    view = canonical_view(frame, face)
    assert view.shape == (*CANONICAL_SHAPE, 3)
    for point in ([100, 120], [150, 200], [60, 180]):
        pixel = np.array(point) * 2 + 0.5  # centre of 2x2 px of the view
        x, y = face.crop.to_frame(np.array(point) + (4, -3))
        expected = cv2.getRectSubPix(frame, (1, 1), (x, y))[0, 0]
        i, j = int(pixel[1]), int(pixel[0])
        got = view[i : i + 2, j : j + 2].reshape(4, 3).mean(axis=0)
        np.testing.assert_allclose(got, expected, atol=3)


def test_canonical_averages_a_large_face(template):
    rows, columns = np.mgrid[:1600, :1400]
    checks = (((rows + columns) % 2) * 255).astype(np.uint8)
    face = face_at(template, (700, 800), 780, roll=0.1)
    view = canonical_view(np.dstack([checks] * 3), face, (160, 130))
    assert view[20:-20, 20:-20].std() < 25


def test_canonical_is_dim_without_a_face(template, frame):
    effect = make_effect("canonical", annotate=False)
    lost = face_at(template, state="lost")
    for faces in ([], [lost]):
        out = effect(frame, faces, template)
        assert out.shape == (*CANONICAL_SHAPE, 3)
        assert out.max() < 80


def test_canonical_inset_keeps_the_frame(template, frame):
    faces = [face_at(template, (200, 300), 90), face_at(template, (450, 300), 90, id=4)]
    out = make_effect("canonical", inset=True, annotate=False)(frame, faces, template)
    assert out.shape == frame.shape
    changed = (out != frame).any(axis=2)
    assert changed[20:100, 540:620].mean() > 0.5
    assert not changed[200:].any()
    assert not changed[:, :300].any()


def test_no_faces_no_change(template, frame):
    for name in ("labels", "mesh", "texture"):
        np.testing.assert_array_equal(build(name)(frame, [], template), frame)


@pytest.mark.parametrize("bad", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_frames_of_another_kind_are_refused(bad, template):
    with pytest.raises(FacewarpError, match="effects take frames"):
        make_effect("labels")(bad, [], template)


def test_unknown_names_say_what_there_is():
    with pytest.raises(FacewarpError, match=r"Did you mean labels.*canonical"):
        make_effect("label")
    with pytest.raises(FacewarpError, match=r"no texture of this name.*Did you mean tiger"):
        make_effect("texture", texture="tigre")
    with pytest.raises(FacewarpError, match="no blend 'add'"):
        make_effect("texture", blend="add")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("labels", {"texture": "tiger"}),
        ("mesh", {"blend": "glow"}),
        ("canonical", {"opacity": 0.5}),
        ("field", {"inset": True}),
    ],
)
def test_options_that_do_not_fit_are_refused(name, option):
    with pytest.raises(FacewarpError, match=f"takes no {next(iter(option))}"):
        make_effect(name, **option)


@pytest.mark.parametrize("opacity", [-0.1, 1.5, math.nan])
def test_opacity_has_a_range(opacity):
    with pytest.raises(FacewarpError, match=r"within 0\.\.1"):
        make_effect("labels", opacity=opacity)
