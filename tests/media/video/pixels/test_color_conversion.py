import av
import numpy as np
import pytest

from facewarp.media.frames import Frame
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source, read_video
from facewarp.media.video.pixels.color_conversion import Color, RGBReader, YUVWriter
from facewarp.media.video.stream_info import StreamInfo

WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
BLOCK = 16


@pytest.fixture
def colors():
    """(6, 8, 3) colours of all kinds, black and white among them."""
    table = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    table[0, :4] = [(0, 0, 0), (255, 255, 255), (128, 128, 128), (224, 172, 140)]
    return table


def blocks(colors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(colors.repeat(BLOCK, 0).repeat(BLOCK, 1))


def middles(image: np.ndarray) -> np.ndarray:
    return image[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK].astype(float)


def analogue(rgb: np.ndarray, matrix: int, full: bool = False) -> list[np.ndarray]:
    """Y, Cb, Cr of 8-bit RGB by the definition of the matrix (H.273)."""
    kr, kb = WEIGHTS[matrix]
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    if full:
        return [y, cb + 128, cr + 128]
    return [16 + y * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255]


def planes(picture: av.VideoFrame) -> list[np.ndarray]:
    return [
        np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
        for plane in picture.planes
    ]


@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_yuv_is_what_the_matrix_says(colors, matrix):
    picture = YUVWriter(Color(matrix, 1, 1))(blocks(colors))
    assert (picture.format.name, picture.colorspace) == ("yuv420p", matrix)
    luma, *chroma = planes(picture)
    expected = analogue(colors, matrix)
    assert np.abs(middles(luma) - expected[0]).max() <= 1
    for plane, values in zip(chroma, expected[1:], strict=True):
        inside = plane[BLOCK // 4 :: BLOCK // 2, BLOCK // 4 :: BLOCK // 2]
        assert np.abs(inside - values).max() <= 1.1


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_rgb_is_what_the_matrix_says(colors, matrix, full):
    values = [np.clip(np.rint(plane), 0, 255) for plane in analogue(blocks(colors), matrix, full)]
    stacked = np.concatenate(
        [plane[::s, ::s].ravel() for plane, s in zip(values, (1, 2, 2), strict=True)]
    )
    height, width = 6 * BLOCK, 8 * BLOCK
    picture = av.VideoFrame.from_ndarray(
        stacked.astype(np.uint8).reshape(height * 3 // 2, width), format="yuv420p"
    )
    picture.colorspace, picture.color_range = matrix, 2 if full else 1
    error = middles(RGBReader((width, height))(picture)) - colors
    assert np.abs(error).max() <= 2.5
    assert np.abs(error.mean((0, 1))).max() < 0.3  # no shift: the quick way of swscale has -1.3


@pytest.mark.parametrize("tags", [(1, 1, 1), (6, 6, 6), (2, 2, 2)])
def test_tags_and_colors_of_a_copy_are_the_original_s(
    make_clip, contents, tmp_path, colors_of, tags
):
    path = make_clip(tags=None if tags == (2, 2, 2) else tags, size=(64, 64), frames=4)
    with open_source(path) as source, open_sink(tmp_path / "copy.mp4", like=source) as sink:
        for frame in source:
            sink.write(frame)
    before, after = contents(path), contents(tmp_path / "copy.mp4")
    assert before.tags == after.tags == tags
    for a, b in zip(before.images, after.images, strict=True):
        error = colors_of(a) - colors_of(b)
        assert np.abs(error).max() <= 4
        assert abs(error.mean()) < 0.7


@pytest.mark.parametrize("codec", ["prores422", "prores4444"])
@pytest.mark.parametrize("tags", [(1, 1, 1), (6, 6, 6), (9, 9, 1)])
def test_pictures_of_prores_tell_the_tags_that_their_file_tells(make_clip, tmp_path, tags, codec):
    path = make_clip(tags=tags, size=(64, 64), frames=2)
    with (
        open_source(path) as source,
        open_sink(tmp_path / "copy.mov", like=source, codec=codec) as sink,
    ):
        told = source.color
        for frame in source:
            sink.write(frame)
    with av.open(str(tmp_path / "copy.mov")) as container:
        picture = next(container.decode(video=0))
    assert Color(picture.colorspace, picture.color_primaries, picture.color_trc) == told


def chroma_of(path):
    """Where FFmpeg says that a file's samples of chroma lie."""
    with av.open(str(path)) as container:
        return StreamInfo.of(container).chroma_locations.get(0)


@pytest.mark.parametrize("out", ["out.mp4", "out.mkv", "out.webm"])
@pytest.mark.parametrize("location", ["left", "topleft", "center"])
def test_samples_of_chroma_lie_where_they_did(make_clip, copied, tmp_path, location, out):
    options = {"crf": "10", "chroma_sample_location": location}
    path = make_clip(frames=2, options=options, size=(64, 64))
    assert chroma_of(path) == location
    copied(path, tmp_path / out)
    assert chroma_of(tmp_path / out) == location


@pytest.mark.parametrize("pix_fmt", ["yuvj420p", "yuvj444p"])
def test_chroma_of_motion_jpeg_and_of_full_chroma_is_centered(make_clip, copied, pix_fmt):
    path = make_clip("clip.mkv", codec="mjpeg", pix_fmt=pix_fmt, frames=2)
    copied(path)
    assert chroma_of(path.parent / "out.mp4") == "center"


def test_chroma_that_is_made_of_pixels_is_centered(colors, tmp_path):
    with open_sink(tmp_path / "own.mp4", size=(8 * BLOCK, 6 * BLOCK), fps=10) as sink:
        sink.write(Frame(blocks(colors), 0.0, 0))
    assert chroma_of(tmp_path / "own.mp4") == "center"


def test_full_range_becomes_limited_and_looks_the_same(make_clip, contents, tmp_path, colors_of):
    path = make_clip("clip.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=3)
    with open_source(path) as source, open_sink(tmp_path / "copy.mp4", like=source) as sink:
        frames = list(source)
        for frame in frames:
            sink.write(frame)
    for before, after in zip(frames, read_video(tmp_path / "copy.mp4"), strict=True):
        assert np.abs(colors_of(before.image) - colors_of(after.image)).max() <= 3


def test_pictures_of_our_own_are_tagged(colors, contents, tmp_path):
    image = blocks(colors)
    with open_sink(tmp_path / "own.mp4", size=(8 * BLOCK, 6 * BLOCK), fps=10) as sink:
        for index in range(3):
            sink.write(Frame(image, index / 10, index))
    assert contents(tmp_path / "own.mp4").tags == (1, 1, 1)
    (shown, *_) = read_video(tmp_path / "own.mp4")
    error = middles(shown.image) - colors
    assert np.abs(error.mean((0, 1))).max() < 0.5
    assert np.abs(error).max() <= 6


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize(("tag", "low", "high"), [(1, 16, 235), (2, 0, 255), (0, 0, 255)])
def test_gray_of_the_limited_range_is_black_and_white_at_its_ends(bits, tag, low, high):
    levels = np.linspace(low, high, 4)
    step = 2 ** (bits - 8) if tag == 1 else (2**bits - 1) / 255
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    picture = av.VideoFrame(64, 64, "gray" if bits == 8 else "gray10le")
    stripes = np.rint(levels * step).astype(kind).repeat(64 // 4)
    row = picture.planes[0].line_size // np.dtype(kind).itemsize
    rows = np.zeros((64, row), kind)
    rows[:, :64] = stripes
    picture.planes[0].update(rows.tobytes())
    picture.color_range = tag
    reader = RGBReader((64, 64))
    np.testing.assert_allclose(reader(picture)[5, ::16, 1], [0, 85, 170, 255], atol=1.1)
    if bits > 8:
        deep = reader.deep(picture)[5, ::16].astype(float) / 65535
        np.testing.assert_allclose(deep, np.repeat([[0], [1 / 3], [2 / 3], [1]], 3, 1), atol=3e-3)


@pytest.mark.parametrize(("told", "kept"), [((0, 6, 13), (1, 6, 13)), ((0, 2, 2), (1, 1, 1))])
def test_rgb_keeps_the_primaries_and_the_curve_it_tells(make_clip, copied, contents, told, kept):
    path = make_clip("rgb.mov", codec="png", pix_fmt="rgb24", tags=told)
    assert copied(path).color == Color(*kept)
    assert contents(path.parent / "out.mp4").tags == kept
