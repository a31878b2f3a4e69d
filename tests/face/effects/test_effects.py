"""Effects: they draw where the face is, by its own geometry, and nowhere else."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.canonical import CANONICAL_SHAPE
from facewarp.face.effects.factory import EFFECTS, make_effect
from facewarp.face.effects.labels import Labels, label_picture
from facewarp.face.effects.style import STYLE_SHAPE, StyleFace
from facewarp.face.effects.texture import Texture
from facewarp.face.rendering.color_transfer import PartColors
from facewarp.media.orientation import Orientation
from facewarp.media.yuv.codes import StoredCodes

HEIGHT, WIDTH = CROP_SHAPE
FRAME = (480, 640)
NAMES = sorted(EFFECTS)


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


def solid_texture(color, k=2):
    rgba = np.zeros((HEIGHT * k, WIDTH * k, 4), np.uint8)
    rgba[...] = (*color, 255)
    rgba[0, 0, 3] = 254  # not opaque everywhere: stays uncut
    return rgba


def plain_style():
    """A green face with stripes."""
    picture = np.zeros((*STYLE_SHAPE, 3), np.uint8)
    picture[...] = (60, 190, 90)
    picture[:, ::8] = (20, 90, 40)
    mean, spread = np.full((4, 3), (60.0, -40.0, 30.0)), np.full((4, 3), 9.0)
    return StyleFace("stripes", picture, PartColors(mean, spread, np.full(4, True)), 0.9)


def build(name, **options):
    if name == "texture":
        options.setdefault("texture", dot_texture((130, 160), radius=40))
    if name == "style":
        options.setdefault("style", plain_style())
    return make_effect(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_given_is_not_modified(name, frame, template, face_at):
    before = frame.copy()
    frame.flags.writeable = False
    out = build(name)(frame, [face_at()], template)
    np.testing.assert_array_equal(frame, before)
    assert out is not frame
    assert not np.shares_memory(out, frame)
    assert out.dtype == np.uint8


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_only_the_face_is_drawn_on(name, frame, template, face_at):
    face = face_at(center=(250, 230), side=120, roll=0.2)
    out = build(name, annotate=False)(frame, [face], template)
    x0, y0, x1, y1 = face.crop.frame_box(frame.shape)
    assert (out[y0:y1, x0:x1] != frame[y0:y1, x0:x1]).any()
    outside = np.ones(FRAME, bool)
    outside[y0:y1, x0:x1] = False
    np.testing.assert_array_equal(out[outside], frame[outside])


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_opacity_zero_leaves_the_frame(name, frame, template, face_at):
    out = build(name, opacity=0.0, annotate=False)(frame, [face_at()], template)
    np.testing.assert_array_equal(out, frame)


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_half_opacity_lies_between(name, frame, template, face_at):
    frames = [
        build(name, opacity=opacity, annotate=False)(frame, [face_at()], template)
        for opacity in (0.25, 1.0)
    ]
    change = [np.abs(out.astype(int) - frame).mean() for out in frames]
    assert 0.05 * change[1] < change[0] < 0.5 * change[1]


@pytest.mark.parametrize("center", [(-10, 240), (640, 0), (320, 500), (-2000, 100), (320, 9000)])
@pytest.mark.parametrize("name", NAMES)
def test_faces_partly_or_fully_outside(name, center, frame, template, face_at):
    for annotate in (False, True):
        out = build(name, annotate=annotate)(frame, [face_at(center)], template)
        assert out.shape == ((*CANONICAL_SHAPE, 3) if name == "canonical" else frame.shape)


@pytest.mark.parametrize("name", ["labels", "mesh", "texture", "field"])
def test_tiny_faces_and_tiny_frames(name, template, face_at):
    frame = np.full((9, 7, 3), 90, np.uint8)
    face = face_at(center=(3, 4), side=3)
    assert build(name)(frame, [face], template).shape == frame.shape


@pytest.mark.parametrize("name", ["labels", "mesh", "texture"])
def test_of_a_lost_face_only_the_tag_is_drawn(name, frame, template, face_at):
    lost = face_at(state="lost", confidence=0.0)
    out = build(name, annotate=False)(frame, [lost], template)
    np.testing.assert_array_equal(out, frame)
    tagged = build(name, annotate=True)(frame, [lost], template)
    changed = np.flatnonzero((tagged != frame).any(axis=(1, 2)))
    assert 0 < len(changed) < 40
    assert changed[-1] < lost.box[1]


def test_a_tag_stays_in_the_frame_and_is_dim_when_uncertain(frame, template, face_at):
    effect = build("texture", texture=dot_texture((130, 160), radius=1))
    changes = []
    for state in ("tracking", "uncertain"):
        face = face_at(center=(320, 20), state=state)
        out = effect(frame, [face], template).astype(int)
        changes.append(np.abs(out - frame)[:30].max())
    assert changes[0] > changes[1] > 10


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(("roll", "side"), [(0.0, 160.0), (0.3, 300.0), (-0.6, 90.0)])
def test_a_dot_of_the_texture_falls_where_it_belongs(template, k, roll, side, face_at):
    """Pixel centres: texture = (template + 0.5) * k - 0.5, template = crop, frame = the crop's."""
    point = (88.0, 201.0)
    face = face_at(center=(330.3, 241.7), side=side, roll=roll)
    effect = Texture(dot_texture(point, k), blend="glow", annotate=False)
    out = effect(np.zeros((*FRAME, 3), np.uint8), [face], template)
    np.testing.assert_allclose(centroid(out[..., 0]), face.crop.to_frame(point), atol=0.15)


def test_the_field_moves_the_texture(template, face_at):
    """The field points from the frame into the template: +5 there shows the dot 5 px before."""
    point, shift = np.array([120.0, 150.0]), np.array([5.0, -8.0])
    field = np.broadcast_to(shift[:, None, None], (2, *CROP_SHAPE)).astype(np.float32)
    face = face_at(field=field, side=320)
    effect = Texture(dot_texture(point), blend="glow", annotate=False)
    out = effect(np.zeros((*FRAME, 3), np.uint8), [face], template)
    expected = face.crop.to_frame(point - shift)
    np.testing.assert_allclose(centroid(out[..., 0]), expected, atol=0.15)


def test_a_large_texture_on_a_small_face_keeps_its_mean(template, face_at):
    """Stripes of one texture px must average out, not alias."""
    rgba = solid_texture((255, 255, 255), k=4)
    rgba[:, ::2, :3] = 0
    face = face_at(side=40)
    out = Texture(rgba, blend="glow", annotate=False)(
        np.full((*FRAME, 3), 128, np.uint8), [face], template
    )
    x, y = np.rint(face.crop.to_frame([129.5, 159.5])).astype(int)
    inner = out[y - 15 : y + 15, x - 12 : x + 12, 0].astype(float)
    assert inner.std() < 6
    assert abs(inner.mean() - 127.5) < 3


def test_a_texture_takes_the_frames_light(template, face_at):
    """A face lit from the left: the texture is brighter at the left, with its own hue."""
    frame = np.zeros((*FRAME, 3), np.uint8)
    frame[:] = np.linspace(360, -80, FRAME[1]).clip(5, 250)[None, :, None]
    face = face_at(side=160)
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


def test_an_opaque_picture_is_cut_to_the_face(template, face_at):
    face = face_at(side=160)
    frame = np.full((*FRAME, 3), 100, np.uint8)
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 1] = 255
    out = Texture(rgb, blend="glow", annotate=False)(frame, [face], template)
    nose = np.rint(face.landmarks[30]).astype(int)
    corner = np.rint(face.crop.to_frame([15, 300])).astype(int)
    assert out[nose[1], nose[0], 1] > 245
    np.testing.assert_array_equal(out[corner[1], corner[0]], 100)


def test_labels_have_their_parts_colors(template, face_at):
    face = face_at(side=200)
    frame = np.full((*FRAME, 3), 128, np.uint8)
    out = Labels(annotate=False)(frame, [face], template).astype(int)
    mouth = np.rint(face.landmarks[[51, 57]].mean(axis=0)).astype(int)
    eye = np.rint(face.landmarks[36:42].mean(axis=0)).astype(int)
    assert out[mouth[1], mouth[0], 0] > out[mouth[1], mouth[0], 2] + 30  # orange
    assert out[eye[1], eye[0], 1] > out[eye[1], eye[0], 0] + 30  # green


def test_a_picture_of_labels_is_drawn_once_for_each_template(template):
    """Clip after clip has the same; what they share is not to be written to."""
    picture = label_picture(template)
    assert label_picture(replace(template, name="the same")) is picture
    assert not picture.flags.writeable
    mirrored = label_picture(replace(template, probabilities=template.probabilities[..., ::-1]))
    assert (mirrored != picture).any()


def test_two_faces_are_both_drawn(template, face_at):
    frame = np.zeros((*FRAME, 3), np.uint8)
    faces = [face_at((170, 240), 110), face_at((470, 240), 110, id=4)]
    out = Texture(dot_texture((130, 160)), blend="glow", annotate=False)(frame, faces, template)
    for face in faces:
        x, y = np.rint(face.crop.to_frame([130, 160])).astype(int)
        assert out[y, x, 0] > 200


def test_the_mesh_runs_through_the_landmarks(template, face_at):
    face = face_at(side=200)
    out = build("mesh", annotate=False)(np.zeros((*FRAME, 3), np.uint8), [face], template)
    for x, y in np.rint(face.landmarks[[8, 27, 30, 33]]).astype(int):
        assert out[y, x].max() > 100


def test_effects_follow_a_change_of_the_template(template, face_at):
    """What is prepared for one template is not used for the next."""
    frame, face = np.full((*FRAME, 3), 128, np.uint8), face_at()
    effect = make_effect("labels", annotate=False)
    first = effect(frame, [face], template)
    bare = np.zeros_like(template.probabilities)
    bare[0] = 1
    second = effect(frame, [face], replace(template, probabilities=bare))
    assert (first != frame).any()
    np.testing.assert_array_equal(second, frame)


def test_no_faces_no_change(template, frame):
    for name in ("labels", "mesh", "texture"):
        np.testing.assert_array_equal(build(name)(frame, [], template), frame)


@pytest.mark.parametrize("bad", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32)])
@pytest.mark.parametrize("effect", EFFECTS)
def test_frames_of_another_kind_are_refused(bad, effect, template):
    with pytest.raises(FacewarpError, match="effects take frames"):
        make_effect(effect)(bad, [], template)


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


def test_the_mesh_goes_on_to_the_hairline_where_a_matte_tells_it(template, face_at):
    face = face_at(side=200.0)
    black = np.zeros((*FRAME, 3), np.uint8)
    effect = build("mesh", annotate=False)
    top = face.crop.to_frame(template.mesh_points[68:78])[:, 1].min()
    matte = np.full((160, 130), 255, np.uint8)
    highest = {}
    for name, rows in {"none": None, "bare forehead": 0, "fringe": 60}.items():
        if rows is not None:
            matte[:rows] = 0
        seen = replace(face, matte=None if rows is None else matte.copy())
        highest[name] = np.flatnonzero(effect(black, [seen], template).any((1, 2)))[0]
    assert abs(highest["none"] - top) < 4
    assert highest["bare forehead"] < top - 20 * face.crop.scale
    assert highest["fringe"] > top + 5


@pytest.mark.parametrize("name", ["labels", "texture"])
@pytest.mark.parametrize("corner", [(0, 0), (170, 90), (420, 300)])
def test_a_canvas_is_painted_as_the_whole_frame_is(rng, face_at, template, name, corner):
    planes = [
        cv2.GaussianBlur(rng.integers(40, 200, (h, w), np.uint8), (0, 0), 3)
        for w, h in ((640, 480), (320, 240), (320, 240))
    ]
    codes = StoredCodes(planes, 1, False, Orientation())
    opened = face_at(center=corner).landmarks.copy()
    opened[65:68, 1] += 14  # an open mouth is looked at closely
    faces = [
        face_at(center=corner, landmarks=opened, id=0),
        face_at(center=(320, 240), side=110.0, id=1, state="uncertain"),
    ]
    whole, by_windows = (make_effect(name, annotate=True) for _ in range(2))
    assert by_windows.paints_windows
    for _ in range(3):
        painted = whole(codes.image(), faces, template)
        canvas = codes.canvas()
        by_windows.paint(canvas, faces, template)
        np.testing.assert_array_equal(np.asarray(canvas), painted)
    assert (painted != codes.image()).any()
