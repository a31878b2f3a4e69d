from itertools import product

import av
import cv2
import numpy as np
import pytest

from facewarp.media.frames import Frame
from facewarp.media.orientation import Orientation
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.yuv.codes import StoredCodes, changed_box
from facewarp.media.yuv.conversion import rgb_of

ORIENTATIONS = [
    Orientation(turns, mirrored) for turns, mirrored in product(range(4), (False, True))
]


UPRIGHT = Orientation()


def stored(rng, orientation=UPRIGHT, size=(24, 16)):
    """Codes of a soft picture of limited range."""
    width, height = size
    planes = [
        cv2.GaussianBlur(rng.integers(30, 220, (h, w), np.uint8), (0, 0), 1.5)
        for w, h in ((width, height), *[(width // 2, height // 2)] * 2)
    ]
    return StoredCodes(planes, 1, False, orientation)


def painted(codes, image):
    planes = [np.zeros_like(plane) for plane in codes.planes]
    codes.painted(planes, codes.image(), image)
    return planes


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_codes_change_where_the_image_does_and_nowhere_else(rng, orientation):
    codes = stored(rng, orientation)
    image = codes.image().copy()
    marked = np.zeros(image.shape[:2], bool)
    marked[3:8, 5:10] = True
    image[marked] = (250, 20, 40)
    planes = painted(codes, image)
    there = orientation.stored(marked.astype(np.uint8)).astype(bool)
    assert (planes[0][~there] == codes.planes[0][~there]).all()
    assert (planes[0][there] != codes.planes[0][there]).all()
    cells = there.reshape(there.shape[0] // 2, 2, -1, 2).any((1, 3))
    for plane, before in zip(planes[1:], codes.planes[1:], strict=True):
        assert (plane[~cells] == before[~cells]).all()
    shown = StoredCodes(planes, 1, False, orientation).image()
    assert np.abs(shown[5:7, 7:9].astype(int) - (250, 20, 40)).max() <= 3


def test_an_image_left_alone_is_written_as_it_was_stored(rng):
    codes = stored(rng)
    for plane, before in zip(painted(codes, codes.image().copy()), codes.planes, strict=True):
        np.testing.assert_array_equal(plane, before)


def test_a_box_of_changes_holds_them_all(rng):
    before = rng.integers(0, 256, (14, 10, 3), dtype=np.uint8)
    assert changed_box(before, before.copy()) is None
    after = before.copy()
    after[3, 7, 1] ^= 1
    assert changed_box(before, after) == (6, 2, 8, 4)
    after[13, 0, 2] ^= 128
    assert changed_box(before, after) == (0, 2, 8, 14)


@pytest.mark.parametrize("width", [14, 16, 64])  # rows of whole words of eight bytes, and others
def test_a_box_of_changes_is_the_smallest_one_of_even_pixels(rng, width):
    before = rng.integers(0, 256, (10, width, 3), np.uint8)
    for _ in range(60):
        after = before.copy()
        places = rng.integers((0, 0, 0), before.shape, (rng.integers(1, 4), 3))
        after[tuple(places.T)] ^= 1
        (x0, y0), (x1, y1) = places[:, 1::-1].min(axis=0), places[:, 1::-1].max(axis=0)
        told = (x0 // 2 * 2, y0 // 2 * 2, x1 // 2 * 2 + 2, y1 // 2 * 2 + 2)
        assert changed_box(before, after) == told


def test_chroma_is_interpolated_between_the_middles_of_its_cells(rng):
    codes = stored(rng, size=(8, 6))
    luma = np.full((6, 8), 128, np.uint8)
    exact = [cv2.resize(p.astype(float), (8, 6)) for p in codes.planes[1:]]
    image = rgb_of((luma, *codes.planes[1:]), 1, is_full=True)
    red, blue = (image[..., c].astype(float) for c in (0, 2))
    assert np.abs(red - (128 + 1.5748 * (exact[1] - 128)).clip(0, 255)).max() < 1.4
    assert np.abs(blue - (128 + 1.8556 * (exact[0] - 128)).clip(0, 255)).max() < 1.5


def planes_of(path):
    """Y, Cb and Cr of every picture of a video."""
    with av.open(str(path)) as container:
        return [
            [
                np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()
                for plane in picture.planes
            ]
            for picture in container.decode(video=0)
        ]


@pytest.mark.parametrize("turn", [0, 90, 180])
def test_a_painted_copy_keeps_the_rest_bit_for_bit(write_clip, tmp_path, rng, turn):
    noise = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(3)]
    path = write_clip(tmp_path / "clip.mp4", noise, turn=turn)
    out = tmp_path / "out.mp4"
    with open_source(path) as source:
        source.keep_codes()
        with open_sink(out, like=source, quality=100) as sink:
            for frame in (packed.unpacked() for packed in source):
                image = frame.image.copy()
                image[10:20, 12:30] = 255
                sink.write(frame.with_image(image))
    for before, after in zip(planes_of(path), planes_of(out), strict=True):
        for old, new in zip(before, after, strict=True):
            differ = (old != new).mean()
            assert 0.03 < differ <= (10 * 18) / (48 * 64)


def test_a_packed_frame_gives_its_image_again(write_clip, tmp_path, rng):
    noise = [rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)] * 2
    with open_source(write_clip(tmp_path / "clip.mp4", noise, turn=90)) as source:
        plain = [frame.image for frame in source]
        source.keep_codes()
        for packed, image in zip(source, plain, strict=True):
            frame = packed.unpacked()
            assert packed.nbytes == frame.image.nbytes / 2
            assert frame.packed().nbytes == packed.nbytes
            np.testing.assert_array_equal(frame.image, image)


def test_a_frame_without_codes_keeps_its_image_when_packed():
    frame = Frame(np.ones((4, 6, 3), np.uint8), 0.0, 0)
    assert frame.packed() is frame
    assert frame.unpacked() is frame


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_windows_are_those_of_the_whole_image(rng, orientation):
    codes = stored(rng, orientation, (36, 22))
    image = codes.image()
    height, width = image.shape[:2]
    viewed = codes.viewed()
    assert (viewed.shape, viewed.ndim, viewed.dtype) == (image.shape, 3, np.uint8)
    for _ in range(25):
        (x0, x1), (y0, y1) = (sorted(rng.choice(size + 1, 2, False)) for size in (width, height))
        for one in (codes.viewed(), viewed):  # made anew, and out of what was made before
            np.testing.assert_array_equal(one[y0:y1, x0:x1], image[y0:y1, x0:x1])


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[3:9],
        np.s_[2:-3, 5:],
        np.s_[:, :, :3],
        np.s_[:, :, :1],
        np.s_[::16, ::16],
        np.s_[4, 5],
        np.s_[5:5, 3:9],
        np.s_[..., 1],
    ],
)
def test_a_viewed_image_is_indexed_as_its_array(rng, key):
    codes = stored(rng, size=(36, 22))
    found = codes.viewed()[key]
    np.testing.assert_array_equal(found, codes.image()[key])
    assert isinstance(found, np.ndarray)


def test_a_viewed_image_becomes_the_array(rng):
    codes = stored(rng, size=(36, 22))
    for made in (np.asarray(codes.viewed()), np.array(codes.viewed())):
        np.testing.assert_array_equal(made, codes.image())
        assert made.dtype == np.uint8


def test_only_what_is_looked_at_is_converted(rng, monkeypatch):
    codes, asked = stored(rng, size=(400, 300)), []
    window = StoredCodes.window
    monkeypatch.setattr(
        StoredCodes, "window", lambda self, box: (asked.append(box), window(self, box))[1]
    )
    viewed = codes.viewed()
    viewed[100:150, 200:260]
    viewed[99:151, 199:261]  # a little larger
    viewed[110:120, 210:220]
    assert len(asked) == 1
    x0, y0, x1, y1 = asked[0]
    assert (x1 - x0) * (y1 - y0) < 0.1 * 400 * 300


def test_a_packed_frame_is_looked_at_without_being_unpacked(rng):
    codes = stored(rng, size=(36, 22))
    frame = Frame.of_codes(codes, 0.5, 3, 0, "clip.mp4")
    assert frame.packed().nbytes == codes.nbytes
    assert frame.file == "clip.mp4"
    np.testing.assert_array_equal(frame.viewed[4:9, 2:20], frame.unpacked().image[4:9, 2:20])
    image = np.zeros((4, 4, 3), np.uint8)
    assert Frame(image, 0.0, 0).viewed is image
