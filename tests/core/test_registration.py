"""What enters a registration and what it warps: types, sizes, exactness."""

import pickle

import numpy as np
import pytest
import torch

from facewarp.core.registration import Registration, as_gray
from facewarp.errors import FacewarpError


def shifted_by(x_px):
    """A registration by a shift along x."""
    field = np.zeros((2, 32, 24), np.float32)
    field[0] = x_px
    labels = np.zeros((32, 24), np.uint8)
    return Registration(field, labels, labels, ("background", "face"))


def test_a_mask_of_bool_is_warped_to_where_half_of_a_pixel_is_inside():
    mask = np.zeros((32, 24), bool)
    mask[:, 10:15] = True
    for shift, columns in ((0.4, range(10, 15)), (0.6, range(9, 14)), (-2.0, range(12, 17))):
        warped = shifted_by(shift).warp(mask)
        assert warped.dtype == bool
        assert np.flatnonzero(warped[16]).tolist() == list(columns)


@pytest.mark.parametrize("points", [np.zeros(2), np.zeros((1, 3)), np.zeros((2, 68)), [[[1, 2]]]])
def test_points_of_another_shape_are_told(points):
    with pytest.raises(FacewarpError, match=r"where \(N, 2\) is wanted"):
        shifted_by(3.0).warp_points(points)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (np.uint8, 255),
        (np.int8, -128),
        (np.uint16, 65535),
        (np.int32, 2**31 - 1),
        (np.uint32, 2**32 - 1),
        (np.int64, 2**40 + 1),
        (np.float16, 0.1),
        (np.float32, 0.1),
        (np.float64, 1 / 3),
        (np.float64, 1e-300),
    ],
)
def test_a_value_of_any_type_is_warped_to_itself(kind, value):
    image = np.full((32, 24), value, kind)
    warped = shifted_by(0.3).warp(image)
    assert warped.dtype == kind
    np.testing.assert_array_equal(warped, image)


def test_a_list_is_warped_as_the_array_it_stands_for():
    image = np.arange(32 * 24.0).reshape(32, 24)
    found = shifted_by(2.0)
    np.testing.assert_array_equal(found.warp(image.tolist()), found.warp(image))
    ids = (image % 3).astype(int)
    np.testing.assert_array_equal(found.warp_labels(ids.tolist()), found.warp_labels(ids))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.full((32, 24), 2**63 - 1), "integers up to 9223372036854775807, which"),
        (np.full((32, 24), -(2**60)), "which floating point does not hold"),
        (np.zeros((32, 24), complex), "complex values.*magnitude"),
        (np.full((32, 24), "a"), "is no image"),
        (None, "of type NoneType.*imread"),
        (np.zeros((5, 24)), r"shape \(5, 24\), but moving was \(32, 24\)"),
    ],
)
def test_what_cannot_be_warped_is_refused(image, said):
    with pytest.raises(FacewarpError, match=said):
        shifted_by(0.3).warp(image)


def test_a_registration_goes_to_other_processes():
    found = pickle.loads(pickle.dumps(shifted_by(2.0)))
    assert found.field[0, 0, 0] == 2.0
    assert found.classes == ("background", "face")


def test_gray_is_the_same_from_every_type():
    gray = np.array([[0, 51, 255]], np.uint8)
    expected = torch.tensor([[[[0.0, 0.2, 1.0]]]])
    for image in (
        gray,
        gray.astype(np.uint16) * 257,
        gray / 255,
        np.repeat(gray[..., None], 3, -1),
        np.dstack([gray, gray, gray, np.zeros_like(gray)]),
        gray[..., None],
    ):
        torch.testing.assert_close(as_gray(image, 2), expected)


def test_a_black_image_of_any_type_is_black():
    for kind in (np.uint8, np.uint16, np.int16, np.int64):
        assert not as_gray(np.zeros((4, 5), kind), 2).any()
