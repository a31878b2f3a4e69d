import struct

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from facewarp.media.orientation import Orientation

EIGHT = [Orientation(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("orientation", EIGHT)
def test_stored_undoes_upright(image, orientation):
    upright = orientation.upright(image)
    assert orientation.turned_size((9, 6)) == (upright.shape[1], upright.shape[0])
    assert np.array_equal(orientation.stored(upright), image)


@pytest.mark.parametrize("orientation", EIGHT)
def test_display_matrix_and_back(orientation):
    matrix = struct.pack("=9i", *orientation.display_matrix((9, 6)))
    assert Orientation.from_display_matrix(matrix) == orientation


@pytest.mark.parametrize("orientation", EIGHT)
def test_display_matrix_moves_pixels_where_upright_puts_them(image, orientation):
    a, b, _, c, d, _, x, y, w = np.array(orientation.display_matrix((9, 6))) / 65_536
    assert w == 1 << 14  # 1 in 2.30 fixed point
    upright = orientation.upright(image)
    q, p = np.mgrid[0:6, 0:9]
    shown_x = a * (p + 0.5) + c * (q + 0.5) + x - 0.5
    shown_y = b * (p + 0.5) + d * (q + 0.5) + y - 0.5
    assert np.array_equal(upright[shown_y.astype(int), shown_x.astype(int)], image)


@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_as_pillow_does_it(image, tag):
    picture = PIL.Image.fromarray(image)
    picture.getexif()[274] = tag
    expected = np.asarray(PIL.ImageOps.exif_transpose(picture))
    assert np.array_equal(Orientation.from_exif(tag).upright(image), expected)


def test_anything_unknown_is_upright():
    assert Orientation.from_exif(77) == Orientation.from_display_matrix(b"") == Orientation()
