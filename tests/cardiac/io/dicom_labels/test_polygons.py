"""Areas of contours, against the circles and rectangles that they follow."""

import numpy as np
import pytest
from fixtures.dicom_labels import circle

from facewarp.cardiac.io.dicom_labels.polygons import filled, outlined, through_centers


def test_a_pixel_is_inside_if_its_center_is():
    square = np.array([[1.4, 2.6], [5.4, 2.6], [5.4, 4.4], [1.4, 4.4]])
    expected = np.zeros((7, 9), bool)
    expected[3:5, 2:6] = True
    for points in (square, square[::-1], np.roll(square, 1, axis=0)):
        np.testing.assert_array_equal(filled([points], (7, 9)), expected)


def test_areas_side_by_side_share_no_pixel_and_leave_none_out():
    """Edges through pixel centers belong to one side alone."""
    left, right = ([[0, 0], [4, 0], [4, 4], [0, 4]], [[4, 0], [8, 0], [8, 4], [4, 4]])
    one, other, both = (
        filled([np.array(p, float)], (6, 10))
        for p in (left, right, [[0, 0], [8, 0], [8, 4], [0, 4]])
    )
    assert not (one & other).any()
    np.testing.assert_array_equal(one | other, both)
    assert both.sum() == 32


@pytest.mark.parametrize("radius", [3.0, 8.0, 20.0])
def test_circles_have_their_area_wherever_their_middle_is(radius):
    """No bias by half a pixel: it would be 1 / radius of the area, 33, 12 and 5 %."""
    rng = np.random.default_rng(0)
    middles = 30 + rng.uniform(0, 1, (200, 2))
    found = [filled([circle(m, radius, 360)], (60, 60)).sum() for m in middles]
    truth = np.pi * radius**2
    assert np.mean(found) == pytest.approx(truth, rel=0.004)
    assert np.std(found) < 0.8 * np.sqrt(radius)  # of the pixels along the edge
    masks = [filled([circle(m, radius, 360)], (60, 60)) for m in middles]
    off = [np.argwhere(mask).mean(axis=0)[::-1] - m for mask, m in zip(masks, middles, strict=True)]
    assert np.abs(np.mean(off, axis=0)).max() < 0.02


def test_holes_are_cut_out_by_contours_within_and_by_keyholes():
    outer, inner = circle((30, 30), 20, 180), circle((30, 30), 9, 180)
    ring = filled([outer, inner], (60, 60))
    assert ring.sum() == pytest.approx(np.pi * (400 - 81), rel=0.01)
    assert not ring[30, 30]
    for hole in (inner, inner[::-1]):
        keyhole = np.concatenate([outer, outer[:1], hole, hole[:1]])
        np.testing.assert_array_equal(filled([keyhole], (60, 60)), ring)


def test_what_reaches_beyond_the_grid_is_cut_off():
    found = filled([circle((2, 3), 8.2, 90)], (20, 20))
    whole = filled([circle((22, 23), 8.2, 90)], (60, 60))
    np.testing.assert_array_equal(found, whole[20:40, 20:40])
    assert not filled([circle((-40, 3), 8, 90)], (20, 20)).any()


def test_contours_through_the_outermost_pixels_are_told_and_give_the_mask_back():
    """As OpenCV's findContours traces masks, which rt-utils writes."""
    import cv2

    y, x = np.mgrid[:40, :40]
    mask = np.hypot(y - 17.3, x - 20.6) < 9
    (points,), _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    polygon = points[:, 0].astype(float)
    assert through_centers([polygon])
    assert filled([polygon], mask.shape).sum() < 0.92 * mask.sum()
    again = filled([polygon], mask.shape) | outlined([polygon], mask.shape)
    np.testing.assert_array_equal(again, mask)
    assert not through_centers([circle((20, 20), 9)])
    assert not through_centers([polygon + 0.5])
    assert not through_centers([])
