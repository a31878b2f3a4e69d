"""The corrected map puts lips and lids where they are seen, does not fold, and is one map."""

from dataclasses import replace

import numpy as np
import pytest

from facewarp.face.crop_fields import compose_fields, jacobian_determinant, sample_field
from facewarp.face.details.correction import FINE_PX, Correction, FieldCorrector, corrector_of
from facewarp.face.details.refinement import DetailRefinement
from facewarp.face.face import template_to_frame
from facewarp.face.temporal.smoothing import OneEuroFilter, SmoothingConfig


@pytest.fixture
def corrector(template):
    return FieldCorrector(template.landmarks)


@pytest.fixture
def face(face_at):
    return face_at(side=160.0)


def wanted(corrector, face, change, weight=1.0):
    """A correction by which each control point moves down by `change(points)` template px."""
    points = corrector.points
    pose = np.eye(2, 3)
    heights = points[:, 1] + change(points)
    return Correction(pose, points, heights, np.full(len(points), weight))


def opening(face):
    points = face.crop.to_crop(face.landmarks)
    return float(np.linalg.norm(points[62] - points[66]))


def lower_lip_by(px):
    """Move what lies under the middle of the mouth, most at its middle."""

    def change(points):
        x, y = points.T
        inside = np.clip(1 - ((x - 129.5) / 30) ** 2, 0, None)
        return px * inside * (y > 185) * (y < 230)

    return change


@pytest.mark.parametrize("px", [-7.0, 5.0, 28.0])
def test_a_mouth_shuts_and_opens_without_folds(corrector, face, px):
    before = opening(face)
    found = corrector.corrected(face, wanted(corrector, face, lower_lip_by(px)))
    expected = max(before + px, 0.5)
    assert opening(found) == pytest.approx(expected, abs=0.12 * abs(px))
    back = found.grid_field_from_template
    assert (jacobian_determinant(back / FINE_PX) <= 0).sum() == 0
    np.testing.assert_allclose(found.landmarks[17:48], face.landmarks[17:48], atol=0.2)
    np.testing.assert_allclose(found.landmarks[:17], face.landmarks[:17], atol=0.15 * abs(px))
    np.testing.assert_array_equal(found.landmarks, template_to_frame(found, corrector.landmarks))


@pytest.mark.parametrize("px", [-7.0, 5.0, 28.0])
def test_both_directions_are_one_map(corrector, face, px):
    found = corrector.corrected(face, wanted(corrector, face, lower_lip_by(px)))
    there = compose_fields(found.grid_field_from_template / FINE_PX, found.grid_field / FINE_PX)
    off = FINE_PX * np.linalg.norm(there, axis=0)
    assert np.percentile(off, 99.5) < 0.5
    assert off.max() < 3


def test_without_trust_the_face_stays_as_it_is(corrector, face):
    assert corrector.corrected(face, wanted(corrector, face, lower_lip_by(9), 0.0)) is face


def test_half_trust_goes_half_of_the_way(corrector, face):
    whole, half = (
        opening(corrector.corrected(face, wanted(corrector, face, lower_lip_by(12), weight)))
        for weight in (1.0, 0.5)
    )
    assert half - opening(face) == pytest.approx((whole - opening(face)) / 2, rel=0.1)


def test_points_of_a_column_never_pass_one_another(corrector, face, rng):
    noise = rng.normal(0, 12, len(corrector.points))
    found = corrector.corrected(face, wanted(corrector, face, lambda _: noise))
    points = corrector.points + sample_field(found.grid_field_from_template, corrector.points)
    assert np.isfinite(points).all()
    lips = points[corrector.places[0]].reshape(4, -1, 2)[..., 1]
    assert np.diff(lips[:, 2:-2], axis=0).min() > -0.6


def refinement(template, smooth=True):
    make = (lambda: OneEuroFilter(SmoothingConfig().details)) if smooth else None
    return DetailRefinement(template, None, make)


def detailed(face, shares):
    from facewarp.face.details.patches import PatchLayout
    from facewarp.face.face import Details

    frames = PatchLayout(face.crop.to_crop(face.landmarks)).frames(
        face.crop.to_crop(face.landmarks)
    )
    return replace(face, details=Details(shares.astype(np.float32), frames))


def shares_of(opening_px, hidden=0.0):
    """Pictures of a mouth, so many patch px open, and of open eyes."""
    rows = 2.0 * np.arange(32)[:, None] - 0.5
    columns = 2 * np.arange(32) + 0.5
    shares = np.zeros((2, 6, 32, 32))
    heights = np.array([23, 29, 29 + opening_px, 37 + opening_px])
    inside = (columns > 12) & (columns < 52)
    for part in (1, 2, 3):
        covered = np.minimum(heights[part], rows + 2) - np.maximum(heights[part - 1], rows)
        shares[0, part] = covered.clip(0, 2) / 2 * inside
    shares[0] *= 1 - hidden
    shares[0, 5] = hidden
    shares[:, 0] = 1 - shares[:, 1:].sum(1)
    return shares


def test_an_opening_shows_in_its_first_frame_and_jitter_does_not(template, face, rng):
    refine, plain = refinement(template), refinement(template, smooth=False)
    seen = [detailed(face, shares_of(2 + rng.normal(0, 0.05))) for _ in range(40)]
    still, trembling = (
        [opening(one(face, i / 30)) for i, face in enumerate(seen)] for one in (refine, plain)
    )
    raw = [
        opening(refinement(template, smooth=False)(detailed(face, shares_of(o)), 0.0))
        for o in (2.0, 14.0)
    ]
    jitter, before = (np.abs(np.diff(values[10:], 2)).mean() for values in (still, trembling))
    assert jitter < 0.6 * before
    assert np.mean(still[20:]) == pytest.approx(raw[0], abs=0.1)
    opened = [opening(refine(detailed(face, shares_of(14.0)), (40 + i) / 30)) for i in range(3)]
    assert opened[0] > raw[0] + 0.75 * (raw[1] - raw[0])
    assert opened[2] > raw[0] + 0.9 * (raw[1] - raw[0])


@pytest.mark.parametrize("smooth", [False, True])
def test_another_refinement_goes_on_from_it(template, face, smooth):
    before, after = refinement(template, smooth), refinement(template)
    for i in range(5):
        shown = before(detailed(face, shares_of(14.0)), i / 30)
    after.take_over(before)
    again = after(detailed(face, shares_of(14.0)), 5 / 30)
    np.testing.assert_allclose(again.landmarks, shown.landmarks, atol=0.5)


def test_a_hidden_mouth_goes_back_to_the_map_of_the_skin(template, face):
    refine = refinement(template)
    for i in range(10):
        shown = refine(detailed(face, shares_of(14.0)), i / 30)
    assert opening(shown) > opening(face) + 5
    for i in range(10, 40):
        shown = refine(detailed(face, shares_of(14.0, hidden=0.95)), i / 30)
    assert opening(shown) == pytest.approx(opening(face), abs=0.3)
    refine.reset()
    again = refine(face, 2.0)
    assert again is face  # nothing was looked at closely


def test_a_corrector_is_made_once_for_a_template(template):
    made = corrector_of(template.landmarks)
    assert corrector_of(template.landmarks.copy()) is made
    assert corrector_of(template.landmarks + 1.0) is not made
    np.testing.assert_array_equal(made.points, FieldCorrector(template.landmarks).points)
