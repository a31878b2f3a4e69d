"""Crops: the mapping between crop and frame, and the picture that is cut out by it."""

import math

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop, bounding_square, eye_roll
from facewarp.face.image_formats import to_gray, to_rgb


def blobs(shape, centers, sigma):
    """Bright Gaussian dots on black: a picture whose centroids are known to a fraction of a px."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for x, y in centers:
        image += np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))
    return (image * 250).round().astype(np.uint8)


def centroid(image, near, radius):
    """Intensity centroid (x, y) inside a window around ``near``."""
    x0, y0 = np.maximum(np.round(near).astype(int) - radius, 0)
    window = image[y0 : y0 + 2 * radius + 1, x0 : x0 + 2 * radius + 1].astype(float)
    yy, xx = np.mgrid[: window.shape[0], : window.shape[1]]
    return np.array([(xx * window).sum(), (yy * window).sum()]) / window.sum() + (x0, y0)


@pytest.mark.parametrize("roll", [0.0, 0.4, -2.0, math.pi])
@pytest.mark.parametrize("side", [40.0, 160.0, 900.0])
def test_to_crop_undoes_to_frame(roll, side):
    crop = Crop.around((513.2, 77.9), side, roll=roll, margin=1.9)
    points = np.random.default_rng(0).uniform(-50, 400, (3, 17, 2))
    np.testing.assert_allclose(crop.to_crop(crop.to_frame(points)), points, atol=1e-9)
    np.testing.assert_allclose(crop.to_frame(crop.to_crop(points)), points, atol=1e-9)


def test_around_places_center_scale_and_roll():
    crop = Crop.around((100, 50), 80, roll=math.radians(30), margin=2.0)
    assert crop.shape == CROP_SHAPE == (320, 260)
    assert crop.scale == pytest.approx(2.0 * 80 / 320)
    assert crop.roll == pytest.approx(math.radians(30))
    np.testing.assert_allclose(crop.to_frame([129.5, 159.5]), [100, 50], atol=1e-9)
    x_axis = crop.to_frame([130.5, 159.5]) - crop.to_frame([129.5, 159.5])
    np.testing.assert_allclose(
        x_axis, 0.5 * np.array([math.cos(math.pi / 6), 0.5]), atol=1e-9
    )  # towards +y of the frame


def test_identity_crop_returns_the_pixels_themselves():
    image = np.random.default_rng(1).integers(0, 256, (320, 260, 3), dtype=np.uint8)
    crop = Crop(np.array([[1.0, 0, 0], [0, 1, 0]]))
    np.testing.assert_array_equal(crop.extract(image), image)


def test_whole_pixel_shift_is_a_slice():
    image = np.random.default_rng(2).integers(0, 256, (400, 400), dtype=np.uint8)
    crop = Crop(np.array([[1.0, 0, 31], [0, 1, 17]]))
    np.testing.assert_array_equal(crop.extract(image), image[17 : 17 + 320, 31 : 31 + 260])


@pytest.mark.parametrize("roll", [0.0, 0.35, -0.8])
@pytest.mark.parametrize("side", [70.0, 150.0, 300.0, 620.0])  # scale 0.44, 0.94, 1.9, 3.9
def test_dots_land_where_to_crop_says(side, roll):
    crop = Crop.around((700.3, 590.8), side, roll=roll)
    inside = np.array([(70.3, 80.1), (190.6, 90.2), (128.5, 250.9)])
    dots = crop.to_frame(inside)
    picture = crop.extract(blobs((1200, 1400), dots, sigma=5 * crop.scale))
    found = [centroid(picture, p, 24) for p in inside]
    np.testing.assert_allclose(found, inside, atol=0.05)


@pytest.mark.parametrize("shift", [0.25, 0.5, 0.8])
def test_subpixel_shift_moves_a_dot_by_it(shift):
    image = blobs((330, 270), [(130, 160)], sigma=4)
    picture = Crop(np.array([[1.0, 0, shift], [0, 1, -shift]])).extract(image)
    found = centroid(picture, (130, 160), 20)
    np.testing.assert_allclose(found, [130 - shift, 160 + shift], atol=0.03)


def test_shrinking_averages_instead_of_aliasing():
    checks = (np.indices((1600, 1600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    for side in (300.0, 410.0, 630.0):
        picture = Crop.around((800.2, 799.7), side).extract(checks)
        assert picture.std() < 12
        assert picture.mean() == pytest.approx(127.5, abs=2)


def test_label_images_keep_their_ids():
    labels = np.zeros((1000, 1000), np.uint8)
    labels[400:600, 400:600] = 7
    picture = Crop.around((500, 500), 400).extract(labels, interpolation=cv2.INTER_NEAREST)
    assert set(np.unique(picture)) == {0, 7}


def test_border_is_replicated_partly_and_wholly_outside():
    image = np.full((50, 60, 3), 90, np.uint8)
    image[:, :5] = (200, 10, 10)
    partly = Crop.around((0, 25), 30).extract(image)
    assert tuple(partly[160, 0]) == (200, 10, 10)
    assert tuple(partly[160, -1]) == (90, 90, 90)
    outside = Crop.around((-500, -400), 30).extract(image)
    assert outside.shape == (320, 260, 3)
    assert (outside == (200, 10, 10)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [None, 3, 4])
def test_extract_keeps_dtype_and_channels(dtype, channels):
    shape = (40, 50) if channels is None else (40, 50, channels)
    picture = Crop.around((20, 20), 90).extract(np.ones(shape, dtype))
    assert picture.dtype == dtype
    assert picture.shape == CROP_SHAPE + shape[2:]


def test_frame_box_clips_and_can_be_empty():
    crop = Crop(np.array([[1.0, 0, 10], [0, 1, -20]]))
    assert crop.frame_box((480, 640, 3)) == (10, 0, 270, 300)
    x0, y0, x1, y1 = Crop.around((-900, 50), 60).frame_box((480, 640))
    assert x0 == x1 == 0
    assert 0 <= y0 <= y1 <= 480
    turned = Crop.around((300, 200), 50, roll=0.5)
    x0, y0, x1, y1 = turned.frame_box((480, 640))
    assert (turned.outline() >= (x0 - 0.5, y0 - 0.5)).all()
    assert (turned.outline() <= (x1 - 0.5, y1 - 0.5)).all()


def test_around_points_bounds_the_rolled_points():
    rng = np.random.default_rng(3)
    points = rng.uniform((-40, -50), (40, 50), (68, 2))
    points[36:42] = rng.normal((-20, -10), 1, (6, 2))
    points[42:48] = rng.normal((20, -10), 1, (6, 2))
    upright = Crop.around_points(points + 300, roll=0.0)
    angle = 0.6
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    rolled = Crop.around_points(points @ rotation.T + 300, roll=angle)
    np.testing.assert_allclose(
        rolled.to_crop(points @ rotation.T + 300), upright.to_crop(points + 300), atol=1e-9
    )
    levelled = Crop.around_points(points @ rotation.T + 300)
    assert levelled.roll == pytest.approx(angle + eye_roll(points))


def test_bounding_square_takes_the_longer_side():
    center, side = bounding_square(np.array([(0, 0), (10, 4)]))
    np.testing.assert_allclose(center, [5, 2])
    assert side == 10


def test_roll_needs_68_points_or_a_number():
    with pytest.raises(FacewarpError, match="68 landmarks"):
        Crop.around_points(np.zeros((5, 2)))


@pytest.mark.parametrize("side", [0.0, math.nan, math.inf])
def test_impossible_sides_are_refused(side):
    with pytest.raises(FacewarpError, match="crop needs"):
        Crop.around((0, 0), side)


def test_extract_refuses_an_empty_picture():
    with pytest.raises(FacewarpError, match="HxW"):
        Crop.around((0, 0), 10).extract(np.zeros((0, 10), np.uint8))


def test_matrix_cannot_be_changed_by_accident():
    crop = Crop.around((0, 0), 10)
    with pytest.raises(ValueError, match="read-only"):
        crop.matrix[0, 0] = 3


def test_to_gray_reads_a_window_of_a_picture_as_it_reads_a_copy(rng):
    picture = rng.integers(0, 256, (20, 30, 4), dtype=np.uint8)
    plain = np.ascontiguousarray(picture[..., :3])
    views = [plain[3:9, 2:11], plain[::2], plain[::-1], plain[:, ::-1], plain[:, ::3]]
    for view in (*views, plain[..., ::-1], picture[2:5, :, :3], plain[4:5], plain[:, 7:8]):
        np.testing.assert_array_equal(to_gray(view), to_gray(view.copy()))


@pytest.mark.parametrize(
    ("given", "said"), [(None, "got NoneType.*imread"), ("a.jpg", "got str"), ([[0]], "got list")]
)
def test_what_is_no_array_is_no_picture(given, said):
    with pytest.raises(FacewarpError, match=f"expected a picture as an array, {said}"):
        to_gray(given)


def test_to_gray_reads_every_kind_of_picture():
    rgb = np.random.default_rng(4).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    gray = to_gray(rgb)
    weights = rgb @ np.array([0.299, 0.587, 0.114])
    assert gray.shape == (20, 30)
    assert gray.dtype == np.uint8
    np.testing.assert_allclose(gray, weights, atol=1)
    alpha = np.full((20, 30, 1), 3, np.uint8)
    np.testing.assert_array_equal(to_gray(np.dstack([rgb, alpha])), gray)
    np.testing.assert_array_equal(to_gray(gray), gray)
    np.testing.assert_array_equal(to_gray(gray[:, :, None]), gray)
    np.testing.assert_array_equal(to_gray(np.dstack([gray, alpha])), gray)
    np.testing.assert_array_equal(to_gray(rgb.astype(np.uint16) * 257), gray)
    np.testing.assert_array_equal(to_gray(rgb / 255.0), gray)
    np.testing.assert_array_equal(to_gray(gray > 127), (gray > 127) * 255)


def test_to_rgb_keeps_color_and_repeats_gray():
    rgb = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_rgb(rgb), rgb)
    np.testing.assert_array_equal(to_rgb(np.dstack([rgb, rgb[:, :, 0]])), rgb)
    np.testing.assert_array_equal(to_rgb(rgb.astype(np.uint16) * 257), rgb)
    np.testing.assert_array_equal(to_rgb(rgb[:, :, 0]), rgb[:, :, [0, 0, 0]])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((4, 4), np.int32),
        np.full((4, 4), 200.0),
        np.full((4, 4), np.nan),
    ],
)
def test_to_gray_refuses_what_it_would_have_to_guess(image):
    with pytest.raises(FacewarpError):
        to_gray(image)


@pytest.mark.parametrize("side", [60, 200, 900])
def test_every_other_pixel_of_a_crop_is_what_the_whole_crop_has_there(rng, side):
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    crop = Crop.around((190.3, 140.8), side, roll=0.2, margin=1.0, shape=(64, 48))
    np.testing.assert_array_equal(crop.extract(image, every=2), crop.extract(image)[::2, ::2])


@pytest.mark.parametrize("cell", [2, 3, 4, 5, 6, 7, 8, 14, 15])
def test_a_crop_that_shrinks_is_the_mean_of_its_cells(cell, rng):
    picture = rng.integers(0, 256, (24 * cell, 18 * cell, 3), dtype=np.uint8)
    middle = (cell - 1) / 2
    crop = Crop(np.array([[cell, 0, middle], [0, cell, middle]]), (24, 18))
    means = picture.reshape(24, cell, 18, cell, 3).mean((1, 3))
    assert abs(crop.extract(picture).astype(float) - means).max() <= 1.5  # rounded a few times
    assert abs((crop.extract(picture) - means).mean()) < 0.6
