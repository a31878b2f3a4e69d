"""Images made where they are looked at: the bytes of the whole image, and what is painted stays."""

import cv2
import numpy as np
import pytest

from facewarp.media.orientation import Orientation
from facewarp.media.yuv.codes import StoredCodes
from facewarp.media.yuv.views import Canvas

ORIENTATIONS = [Orientation(), Orientation(1), Orientation(2, mirrored=True)]


def stored(rng, orientation=ORIENTATIONS[0], size=(220, 150)):
    width, height = size
    planes = [
        cv2.GaussianBlur(rng.integers(30, 220, (h, w), np.uint8), (0, 0), 1.5)
        for w, h in ((width, height), *[(width // 2, height // 2)] * 2)
    ]
    return StoredCodes(planes, 1, False, orientation)


def windows(rng, shape, count):
    for _ in range(count):
        (y0, y1), (x0, x1) = (sorted(rng.choice(size + 1, 2, False)) for size in shape[:2])
        yield np.s_[y0:y1, x0:x1]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_canvas_is_painted_on_as_an_image_is(rng, orientation):
    codes = stored(rng, orientation)
    image, canvas = codes.image().copy(), codes.canvas()
    held = canvas[20:40, 30:50]  # a window that somebody keeps
    for window in windows(rng, image.shape, 12):
        for one in (image, canvas):
            part = one[window]
            part[::2] = part[::2] // 2 + 60
        one = rng.integers(1, 20, 2).tolist()
        steps = np.s_[one[0] :: one[0] + 1, one[1] :: one[1] + 2]
        np.testing.assert_array_equal(canvas[steps], image[steps])
        np.testing.assert_array_equal(canvas[(*steps, 1)], image[(*steps, 1)])
    np.testing.assert_array_equal(held, image[20:40, 30:50])
    np.testing.assert_array_equal(np.asarray(canvas), image)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_painted_canvas_has_the_codes_of_a_painted_image(rng, orientation):
    codes = stored(rng, orientation)
    image, canvas = codes.image().copy(), codes.canvas()
    for window in windows(rng, image.shape, 3):
        for one in (image, canvas):
            cv2.circle(one[window], (4, 4), 9, (250, 30, 60), -1)
    by_image, by_canvas = ([np.zeros_like(p) for p in codes.planes] for _ in range(2))
    codes.painted(by_image, codes.image(), image)
    codes.painted(by_canvas, codes.image(), canvas)
    for one, other in zip(by_image, by_canvas, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != own).any() for one, own in zip(by_canvas, codes.planes, strict=True))


def test_of_a_canvas_no_more_is_made_than_is_used(rng):
    codes = stored(rng, size=(640, 480))
    canvas = codes.canvas()
    canvas[::16, ::16]
    assert canvas.pieces() == []
    canvas[100:140, 210:250] = 7
    canvas[110:120, 220:230]
    made = sum(before.size for _, before, _ in canvas.pieces())
    assert made < 0.1 * 640 * 480 * 3
    assert (canvas[100:140, 210:250] == 7).all()


@pytest.mark.parametrize("key", [np.s_[4, 5], np.s_[..., 1], np.s_[40:3:-2, 3:9], np.s_[7:7]])
def test_any_other_key_is_that_of_the_array(rng, key):
    codes = stored(rng)
    canvas = codes.canvas()
    assert isinstance(canvas, Canvas)
    np.testing.assert_array_equal(canvas[key], codes.image()[key])


@pytest.mark.parametrize("steps", [(1, 3), (2, 2), (5, 1), (16, 16), (7, 60)])
@pytest.mark.parametrize("first", [0, 1, 6])
def test_every_so_many_px_are_those_of_the_image(rng, steps, first):
    codes = stored(rng)
    key = np.s_[first :: steps[0], first + 1 :: steps[1]]
    np.testing.assert_array_equal(codes.canvas()[key], codes.image()[key])


def test_around_what_was_made_blocks_are_made_that_do_not_overlap(rng):
    """A window in the middle first: all around it is converted in four blocks, not by tiles."""
    canvas = stored(rng, size=(640, 640)).canvas()
    canvas[200:300, 250:350]
    canvas[:, :]
    assert len(canvas.pieces()) == 5
    times = np.zeros((640, 640), int)
    for (x0, y0, x1, y1), _, _ in canvas.pieces():
        times[y0:y1, x0:x1] += 1
    assert (times == 1).all()
