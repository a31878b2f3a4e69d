"""One's own face as the template, and faces and templates in a mirror."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fixtures.mirror import mirrored_face, mirrored_template

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop, eye_roll
from facewarp.face.effects.factory import make_effect
from facewarp.face.parts import MIRROR_PARTS, FacePart
from facewarp.face.template.mesh import face_mesh
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import OwnFace, find_face
from facewarp.face.tracking.registration import FaceRegistrar

HEIGHT, WIDTH = CROP_SHAPE


@pytest.fixture(scope="module")
def near(portrait):
    """Roughly where the portrait's face is."""
    return Crop.around(portrait.MIDDLE + (6, -5), 1.1 * portrait.SIDE)


@pytest.fixture(scope="module")
def own(portrait, near, fitter):
    return OwnFace.taken("snapshot", portrait.image, near, fitter)


@pytest.fixture(scope="module")
def own_fitter(own, fitter):
    return FaceRegistrar(own.template, fitter.model, "cpu", fitter.sure)


# --- the template of one face


def test_landmarks_stay_meaningful(own, own_fitter, fitter, portrait, near):
    """With the own template they lie where they lay with the average."""
    gray = cv2.cvtColor(portrait.image, cv2.COLOR_RGB2GRAY)
    average, mine = (one.register_refined(gray, [near])[0] for one in (fitter, own_fitter))
    assert mine.confidence > 0.78
    assert mine.folds_percent == 0
    distance = np.linalg.norm(mine.landmarks - average.landmarks, axis=1)
    assert distance.mean() < 0.02 * portrait.SIDE
    assert distance.max() < 0.06 * portrait.SIDE
    labels = own.template.labels
    for part, points in [
        (FacePart.EYE_LEFT, slice(36, 42)),
        (FacePart.EYE_RIGHT, slice(42, 48)),
        (FacePart.BROW_LEFT, slice(18, 21)),
        (FacePart.MOUTH, slice(48, 60)),
    ]:
        x, y = own.template.landmarks[points].mean(0)
        assert labels[round(y), round(x)] == part


def test_the_picture_it_was_taken_from_hardly_moves(own, own_fitter):
    crop = Crop(np.eye(2, 3), CROP_SHAPE)
    face = own_fitter.register(own.template.image, [crop])[0]
    inside = own.template.labels > 0
    moved, before = (np.linalg.norm(u, axis=0)[inside].mean() for u in (face.field, own.field))
    assert moved < 2.5  # what the network errs by, px of the crop
    assert moved < 0.5 * before
    assert face.confidence > 0.82


def test_it_is_cut_as_the_tracker_cuts_faces(own):
    points = own.template.landmarks
    assert abs(eye_roll(points)) < 0.03
    low, high = points.min(0), points.max(0)
    assert (high - low).max() == pytest.approx(HEIGHT / 2, rel=0.02)
    np.testing.assert_allclose((low + high) / 2, ((WIDTH - 1) / 2, (HEIGHT - 1) / 2), atol=2)


def test_the_mesh_is_the_template_s_own_on_the_face(own, fitter):
    template = own.template
    np.testing.assert_array_equal(template.triangles, fitter.template.triangles)
    np.testing.assert_allclose(template.mesh_points[:68], template.landmarks, atol=0.5)
    a, b, c = template.mesh_points[template.triangles].swapaxes(0, 1)
    areas = np.cross(np.pad(b - a, ((0, 0), (0, 1))), np.pad(c - a, ((0, 0), (0, 1))))[:, 2]
    assert (areas < 0).all() or (areas > 0).all()


def test_it_has_the_picture_s_colors_and_probabilities(own):
    template = own.template
    assert template.color.shape == (*CROP_SHAPE, 3)
    assert template.image.shape == CROP_SHAPE
    assert np.ptp(template.color.astype(int).mean((0, 1))) > 3
    np.testing.assert_allclose(template.probabilities.sum(0), 1, atol=1e-5)
    assert template.origin["registered_with"] == "average"


def test_it_survives_its_file(own, tmp_path):
    own.template.save(tmp_path / "me.npz")
    loaded = Template.load(tmp_path / "me.npz")
    np.testing.assert_array_equal(loaded.triangles, own.template.triangles)
    np.testing.assert_array_equal(loaded.mesh_points, own.template.mesh_points)
    np.testing.assert_array_equal(loaded.landmarks, own.template.landmarks)


@pytest.mark.parametrize("kind", ["outside", "not whole", "not finite", "flat"])
def test_a_file_with_a_mesh_that_is_none_is_told(own, tmp_path, kind):
    own.template.save(tmp_path / "me.npz")
    arrays = dict(np.load(tmp_path / "me.npz"))
    if kind == "outside":
        arrays["triangles"][0, 0] = len(arrays["mesh_points"])
    elif kind == "not whole":
        arrays["triangles"] = arrays["triangles"].astype(float)
    elif kind == "not finite":
        arrays["mesh_points"][0] = np.nan
    else:
        arrays["mesh_points"] = arrays["mesh_points"].ravel()
    np.savez(tmp_path / "me.npz", **arrays)
    with pytest.raises(FacewarpError, match=r"mesh.*me\.npz"):
        Template.load(tmp_path / "me.npz")


def test_a_file_without_a_mesh_gets_one(own, tmp_path):
    own.template.save(tmp_path / "me.npz")
    arrays = dict(np.load(tmp_path / "me.npz"))
    del arrays["mesh_points"], arrays["triangles"]
    np.savez(tmp_path / "me.npz", **arrays)
    loaded = Template.load(tmp_path / "me.npz")
    points, triangles = face_mesh(loaded.landmarks)
    np.testing.assert_array_equal(loaded.mesh_points, points)
    np.testing.assert_array_equal(loaded.triangles, triangles)


def test_what_is_no_face_is_no_template(fitter, portrait, near):
    with pytest.raises(FacewarpError, match="not seen well enough"):
        OwnFace.taken("x", np.full_like(portrait.image, 128), near, fitter)
    frame = portrait.frame((80, 60), scale=0.3, size=(160, 120))
    with pytest.raises(FacewarpError, match="too small"):
        OwnFace.taken("x", frame, Crop.around((80, 60), 0.3 * portrait.SIDE), fitter)


def test_a_face_is_found_in_a_picture(portrait):
    frame = np.full((480, 640, 3), 108, np.uint8)
    portrait.draw(frame, (150, 150), 0.8)
    portrait.draw(frame, (430, 260), 1.5)  # the largest
    crop = find_face(frame)
    middle = crop.to_frame(((WIDTH - 1) / 2, (HEIGHT - 1) / 2))
    np.testing.assert_allclose(middle, (430, 260), atol=0.2 * 1.5 * portrait.SIDE)
    assert crop.scale * HEIGHT / 2 == pytest.approx(1.5 * portrait.SIDE, rel=0.2)
    with pytest.raises(FacewarpError, match="no face is found"):
        find_face(np.full((240, 320, 3), 128, np.uint8))


# --- textures on it


def centroid(alpha):
    y, x = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    return np.array([(x * alpha).sum(), (y * alpha).sum()]) / alpha.sum()


@pytest.mark.parametrize("landmark", [8, 19, 30, 36, 45, 48, 57])
def test_a_texture_goes_where_the_same_part_is(own, fitter, landmark):
    """A dot on a landmark of the average is on that landmark of the own face, to 3 crop px."""
    k = 2
    y, x = np.mgrid[: k * HEIGHT, : k * WIDTH]
    at = (fitter.template.landmarks[landmark] + 0.5) * k - 0.5
    distance = np.hypot(x - at[0], y - at[1])
    alpha = np.clip(6 - distance, 0, 1) * 255
    rgba = np.dstack([np.full((*alpha.shape, 3), (200, 90, 20)), alpha]).astype(np.uint8)
    worn = own.template.wears(rgba)
    expected = (own.template.landmarks[landmark] + 0.5) * k - 0.5
    np.testing.assert_allclose(centroid(worn[..., 3].astype(float)), expected, atol=6)
    solid = worn[..., 3] > 250
    assert solid.any()
    np.testing.assert_allclose(
        worn[solid][:, :3].astype(int), [[200, 90, 20]] * solid.sum(), atol=3
    )


def test_a_texture_carried_by_nothing_is_the_same(own, rng):
    still = replace(own.template, texture_field=np.zeros_like(own.field))
    rgba = rng.integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 4), dtype=np.uint8)
    rgba[..., 3] |= 128
    worn = still.wears(rgba)
    np.testing.assert_array_equal(worn[..., 3], rgba[..., 3])
    np.testing.assert_allclose(worn[..., :3].astype(int), rgba[..., :3].astype(int), atol=2)
    assert (still.wears(np.zeros_like(rgba)) == 0).all()


# --- in a mirror


@pytest.fixture(scope="module")
def in_frame(portrait, own_fitter):
    """A frame with the head turned, and its face registered with an asymmetric template."""
    frame = np.full((240, 320, 3), 108, np.uint8)
    frame[:, :150] = 60
    portrait.draw(frame, (140, 120), 0.9, degrees=12)
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return frame, own_fitter.register_refined(gray, [Crop.around((140, 120), 86, roll=0.2)])[0]


@pytest.mark.parametrize("effect", ["labels", "mesh", "texture", "canonical"])
def test_the_mirrored_face_looks_as_the_mirrored_picture(in_frame, own, effect, rng):
    frame, face = in_frame
    options, mirrored_options = {}, {}
    if effect == "texture":
        coarse = rng.integers(0, 256, (10, 8, 4), dtype=np.uint8)
        rgba = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        options = {"texture": rgba}
        mirrored_options = {"texture": np.ascontiguousarray(rgba[:, ::-1])}
    flipped = np.ascontiguousarray(frame[:, ::-1])
    plain = make_effect(effect, annotate=False, **options)(frame, [face], own.template)
    there = make_effect(effect, annotate=False, **mirrored_options)(
        flipped, [mirrored_face(face, 320)], mirrored_template(own.template)
    )
    difference = np.abs(there.astype(int) - plain[:, ::-1]).max(-1)
    if effect == "labels":  # what is left has the colours of what is left, in a mirror too
        inside = difference[difference > 0]
        assert np.median(inside) < 40
    else:
        assert difference.mean() < 1.0
        assert (difference > 40).mean() < 0.01


def test_a_mirror_twice_is_none(in_frame, own):
    _, face = in_frame
    again = mirrored_face(mirrored_face(face, 320), 320)
    for name in ("landmarks", "field", "field_from_template", "probabilities", "box"):
        np.testing.assert_allclose(getattr(again, name), getattr(face, name), atol=1e-9)
    np.testing.assert_allclose(again.crop.matrix, face.crop.matrix, atol=1e-9)
    template, back = own.template, mirrored_template(mirrored_template(own.template))
    for name in ("image", "color", "probabilities", "landmarks", "mesh_points"):
        np.testing.assert_allclose(getattr(back, name), getattr(template, name), atol=1e-9)
    assert {frozenset(t) for t in back.triangles.tolist()} == {
        frozenset(t) for t in template.triangles.tolist()
    }


def test_sides_swap_their_names(in_frame, own):
    _, face = in_frame
    there = mirrored_face(face, 320)
    assert there.landmarks[36:42, 0].mean() < there.landmarks[42:48, 0].mean()
    np.testing.assert_allclose(
        there.landmarks[36:42].mean(0), (319, 0) + face.landmarks[42:48].mean(0) * (-1, 1)
    )
    assert eye_roll(there.landmarks) == pytest.approx(-eye_roll(face.landmarks))
    assert there.crop.roll == pytest.approx(-face.crop.roll)
    mirrored = mirrored_template(own.template)
    np.testing.assert_array_equal(mirrored.labels, MIRROR_PARTS[own.template.labels[:, ::-1]])
    np.testing.assert_allclose(mirrored.mesh_points[:68], mirrored.landmarks, atol=0.5)


def test_the_fields_still_join_face_and_template(in_frame):
    """p + field(p) of the mirrored face is the mirror image of where it was."""
    _, face = in_frame
    there = mirrored_face(face, 320)
    for name in ("field", "field_from_template"):
        before, after = getattr(face, name), getattr(there, name)
        y, x = 200, 90
        mirrored = np.array([WIDTH - 1 - x, y]) + after[:, y, WIDTH - 1 - x]
        expected = np.array([x, y]) + before[:, y, x]
        np.testing.assert_allclose(mirrored, (WIDTH - 1 - expected[0], expected[1]), atol=1e-3)
