"""Groupwise averages: of drawn faces by a model that is always right, and of the portrait."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facewarp.core.geometry import pixel_grid, resize_image
from facewarp.core.model import load
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.parts import MIRROR_PARTS, FacePart, mirrored_points
from facewarp.face.template.template import Template
from facewarp.face.template_building.groupwise import Member, average_face
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.training.datasets.landmark_masks import part_masks
from facewarp.training.release.build_template import first_shape

WIDTH = CROP_SHAPE[1]
GRAY = 30  # of a drawn face, times its part
MIDDLE = np.array([(WIDTH - 1) / 2, (CROP_SHAPE[0] - 1) / 2])


class Moments:
    """A stand-in for a model: parts are grey values, and faces are similar to each other."""

    def __init__(self):
        self.config = SimpleNamespace(
            grid_shape=CROP_SHAPE, feature_shape=(160, 130), n_classes=len(FacePart)
        )

    def probabilities(self, images):
        ids = torch.round(images * 255 / GRAY)
        onehot = (ids == torch.arange(len(FacePart)).view(1, -1, 1, 1)).float()
        return resize_image(onehot, (160, 130))

    def fields(self, fixed, moving):
        (to, to_size), (at, at_size) = self.place(moving), self.place(fixed)
        grid = pixel_grid(tuple(fixed.shape[2:]))
        return to + (grid - at) * (to_size / at_size) - grid

    def place(self, parts):
        """Centre and size of the faces, px of the parts."""
        weight = 1 - parts[:, :1]
        grid, mass = pixel_grid(tuple(parts.shape[2:])), weight.sum((2, 3), keepdim=True)
        center = (weight * grid).sum((2, 3), keepdim=True) / mass
        return center, mass.sqrt()


@pytest.fixture(scope="module")
def shape():
    return Template.load().landmarks


def drawn(landmarks, has_landmarks=True):
    labels = part_masks(landmarks, CROP_SHAPE)
    gray = (GRAY * labels).astype(np.uint8)
    return Member(gray, np.dstack([gray] * 3), labels, landmarks if has_landmarks else None)


def moved(landmarks, shift=(0, 0), scale=1.0):
    return MIDDLE + shift + scale * (landmarks - MIDDLE)


@pytest.fixture(scope="module")
def group(shape):
    """Six faces; mean shift down 4 px, mean size 1."""
    places = [((9, 2), 0.92), ((-5, 10), 1.08), ((0, 0), 1.0), ((4, 4), 1.0), ((-12, 6), 0.96)]
    members = [drawn(moved(shape, *place)) for place in places]
    return [*members, drawn(moved(shape, (3, 2), 1.04), has_landmarks=False)]


@pytest.fixture(scope="module")
def average(shape, group):
    start, _ = first_shape([drawn(moved(shape, (0, -6), 0.94))])
    return average_face(Moments(), group, start, rounds=3, batch=4)


def middle(probability):
    y, x = np.indices(probability.shape)
    return np.array([(probability * x).sum(), (probability * y).sum()]) / probability.sum()


def test_the_average_has_the_mean_shape(average, shape):
    expected = moved(shape, (0, 4))
    np.testing.assert_allclose(
        average.landmarks, expected, atol=1.5
    )  # a pixel of the parts is 2 px
    still = drawn(expected)
    for part in FacePart:
        want, got = still.labels == part, average.probabilities[part]
        assert got.sum() == pytest.approx(want.sum(), rel=0.1), part
        np.testing.assert_allclose(middle(got), middle(want.astype(float)), atol=1)


def test_the_shape_has_settled_after_the_first_round(average):
    assert average.drift_px[0] > 8
    assert max(average.drift_px[1:]) < 0.3


def test_the_average_is_mirror_symmetric_to_the_last_bit(average):
    np.testing.assert_array_equal(average.image, average.image[:, ::-1])
    np.testing.assert_array_equal(average.color, average.color[:, ::-1])
    mirrored = average.probabilities[MIRROR_PARTS][..., ::-1]
    np.testing.assert_allclose(average.probabilities, mirrored, atol=1e-6)
    np.testing.assert_allclose(
        average.landmarks, mirrored_points(average.landmarks, WIDTH), atol=1e-9
    )


def test_probabilities_stay_probabilities(average):
    assert average.probabilities.min() >= 0
    np.testing.assert_allclose(average.probabilities.sum(0), 1, atol=1e-5)


def test_pictures_of_aligned_faces_stay_sharp(average, shape):
    at = drawn(moved(shape, (0, 4)))
    inside, beside = at.labels == FacePart.MOUTH, at.labels == FacePart.FACE
    contrast = average.image[inside].mean() - average.image[beside].mean()
    lone = at.image[at.labels > 0].std() / 34  # what standardising makes of the contrast
    assert contrast == pytest.approx((FacePart.MOUTH - FacePart.FACE) * GRAY / lone, rel=0.15)


def test_a_bright_face_weighs_no_more_than_a_dark_one(shape):
    labels = part_masks(shape, CROP_SHAPE)
    members = [
        Member(gray, np.dstack([gray] * 3), labels, shape)
        for gray in ((GRAY * labels).astype(np.uint8), (10 + 8 * labels).astype(np.uint8))
    ]
    start, _ = first_shape(members)

    class Still(Moments):
        def fields(self, fixed, moving):
            return torch.zeros(len(fixed), 2, *fixed.shape[2:])

    both = average_face(Still(), members, start, rounds=1)
    alone = [average_face(Still(), [member], start, rounds=1) for member in members]
    skin = labels > 0
    first, second = (one.image[skin].astype(int) for one in alone)
    assert np.abs(first - second).mean() < 3
    np.testing.assert_allclose(both.image[skin], (first + second) / 2, atol=1.1)


def test_how_many_are_registered_at_once_does_not_matter(shape, group, average):
    start, _ = first_shape([drawn(moved(shape, (0, -6), 0.94))])
    calls = []
    other = average_face(
        Moments(), group, start, rounds=3, batch=1, advance=lambda: calls.append(1)
    )
    assert len(calls) == 3 * len(group)
    np.testing.assert_allclose(other.landmarks, average.landmarks, atol=1e-3)
    assert np.abs(other.image.astype(int) - average.image).max() <= 1


def test_a_group_without_landmarks_is_refused(shape):
    start, _ = first_shape([drawn(shape)])
    with pytest.raises(ValueError, match="with landmarks"):
        average_face(Moments(), [drawn(shape, has_landmarks=False)], start)


@pytest.mark.slow
def test_copies_of_the_portrait_average_to_their_mean_shape(portrait):
    fitter = FaceRegistrar("average", load("face"), "cpu", sure=0.7)
    gray = portrait.image[..., 1].copy()
    (face,) = fitter.register_refined(gray, [Crop.around(portrait.MIDDLE, portrait.SIDE)])
    members = []
    for shift, margin in [((6, -4), 2.0), ((-5, 3), 1.9), ((0, 6), 2.1), ((-2, -5), 2.0)]:
        crop = Crop.around(portrait.MIDDLE + shift, portrait.SIDE, margin=margin)
        landmarks = crop.to_crop(face.landmarks)
        labels = part_masks(landmarks, CROP_SHAPE)
        members.append(Member(crop.extract(gray), crop.extract(portrait.image), labels, landmarks))
    start, mean = first_shape(members)
    average = average_face(fitter.model, members, start, rounds=2)
    error = np.linalg.norm(average.landmarks - mean, axis=1)
    assert error.mean() < 4
    np.testing.assert_array_equal(average.image, average.image[:, ::-1])
    # One face, aligned: eyes darker than the cheeks beside them, as in each of the copies.
    eye, cheek = mean[36:42].mean(0), (mean[36:42].mean(0) + mean[48]) / 2
    dark, light = (average.image[round(y), round(x)] for x, y in (eye, cheek))
    assert dark < light - 20
