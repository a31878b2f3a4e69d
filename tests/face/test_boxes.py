import numpy as np
import pytest

from facewarp.face.boxes import box_around, center_of, overlap, side_of, square_at


def test_a_box_holds_its_points():
    box = box_around(np.array([(3.0, 9.0), (7.0, 2.0), (5.0, 5.0)]))
    assert box == (3, 2, 7, 9)
    np.testing.assert_allclose(center_of(box), (5, 5.5))
    assert side_of(box) == 7


def test_a_square_is_about_its_center():
    box = square_at(np.array([10.0, 20.0]), 6)
    assert box == (7, 17, 13, 23)
    np.testing.assert_allclose(center_of(box), (10, 20))


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),
        ((2, 2, 7, 7), 0.25),
        ((10, 0, 20, 10), 0.0),
        ((30, 30, 40, 40), 0.0),
        ((-5, 20, 15, 30), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(other, share):
    assert overlap((0, 0, 10, 10), other) == pytest.approx(share)
    assert overlap(other, (0, 0, 10, 10)) == pytest.approx(share)
