"""Pictures are cropped, turned and scaled as the file says, by `track` and `live` alike."""

import gc
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.live.capture.open_live_source import find_file_source
from facewarp.live.capture.stream_source import StreamSource
from facewarp.media.sources import open_source, read_video
from facewarp.media.video.pixels.frame_conversion import square_size

BOX = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"]


def element(number, value):
    return bytes.fromhex(number) + b"\x82" + value.to_bytes(2, "big")


def in_element(data, path, new):
    """A Matroska file with elements more at the end of the one that a path of ids leads to."""
    out, place = b"", 0
    while place < len(data):
        width = 9 - data[place].bit_length()
        name = data[place : place + width]
        at = place + width
        width = 9 - data[at].bit_length()
        length = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        start = at + width
        is_open = length == (1 << 7 * width) - 1
        body = data[start:] if is_open else data[start : start + length]
        end = len(data) if is_open else start + length
        if name == path[0]:
            body = in_element(body, path[1:], new) if len(path) > 1 else body + new
            out += name + (len(body) | 1 << 56).to_bytes(8, "big") + body
        else:
            out += data[place:end]
        place = end
    return out


@pytest.fixture
def cropped_clip(make_clip, in_box):
    def make(name, turn=0):
        """A clip of 64x48 of whose edges 8, 16, 4 and 12 px (left, right, top, bottom) go."""
        path = make_clip(name, frames=5, shades=False, turn=turn)
        data = path.read_bytes()
        if name.endswith("mkv"):
            ids = [bytes.fromhex(number) for number in ("18538067", "1654AE6B", "AE", "E0")]
            crop = element("54CC", 8) + element("54DD", 16)
            crop += element("54BB", 4) + element("54AA", 12)
            path.write_bytes(in_element(data, ids, crop))
        else:  # 40x32, its middle 4 px left of and above the middle of all
            moved = 0x1_0000_0000 - 4
            clap = struct.pack(">I4s8I", 40, b"clap", 40, 1, 32, 1, moved, 1, moved, 1)
            path.write_bytes(in_box(data, BOX, clap))
        return path

    return make


@pytest.mark.parametrize("name", ["crop.mkv", "crop.mp4"])
def test_cropping_told_by_the_container_is_done(cropped_clip, contents, copied, picture, name):
    path = cropped_clip(name)
    expected = picture((64, 48))[4:36, 8:48].astype(int)
    source = open_source(path)
    frame = next(iter(source))
    assert source.size == (40, 32)
    assert np.abs(frame.image - expected).mean() < 6
    copied(path)
    after = contents(path.parent / "out.mp4")
    assert after.size == (40, 32)
    assert np.abs(after.images[0] - expected).mean() < 8


def test_cropping_counts_before_turning(cropped_clip, picture):
    source = open_source(cropped_clip("crop.mp4", turn=90))
    frame = next(iter(source))
    expected = np.rot90(picture((64, 48))[4:36, 8:48], -1).astype(int)
    assert source.size == (32, 40)
    assert np.abs(frame.image - expected).mean() < 6


@pytest.mark.parametrize(
    ("size", "aspect", "square"),
    [
        ((320, 360), Fraction(2), (640, 360)),
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((720, 480), Fraction(8, 9), (720, 540)),
        ((64, 48), Fraction(1), (64, 48)),
    ],
)
def test_the_side_that_is_too_short_grows(size, aspect, square):
    assert square_size(size, aspect) == square


def test_live_shows_square_pixels(make_flashes, tmp_path, contents):
    path = make_flashes("dv.mp4", size=(64, 96), aspect=Fraction(2), sounds=())
    with find_file_source(str(path))() as played:
        frames = list(played)
    assert played.size == (128, 96)
    assert frames[0].image.shape == (96, 128, 3)
    bright = frames[0].image[..., 0] > 150
    assert bright[:46, :62].all()
    assert not bright[:, 66:].any()
    (stored, *_) = read_video(path)
    assert stored.image.shape == (96, 64, 3)  # what track writes back with its aspect


def test_a_stream_shows_square_pixels_too(make_flashes, monkeypatch):
    path = make_flashes("dv.mp4", size=(64, 96), aspect=Fraction(2), sounds=())
    monkeypatch.setattr(StreamSource, "_connect", lambda self: opened(path))

    def opened(path):
        container = av.open(str(path))
        return container, container.streams.video[0]

    source = StreamSource("http://127.0.0.1/dv.mp4")
    assert source.size == (128, 96)
    assert {frame.image.shape for frame in source} == {(96, 128, 3)}


def test_turned_pixels_keep_their_proportion(make_flashes, tmp_path):
    path = make_flashes("dv.mp4", size=(64, 96), aspect=Fraction(2), sounds=())
    turned = tmp_path / "turned.mp4"
    with av.open(str(path)) as source, av.open(str(turned), "w") as container:
        copy = container.add_stream_from_template(source.streams.video[0])
        copy.set_display_rotation(-90)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    with find_file_source(str(turned))() as played:
        assert played.size == (96, 128)
        assert next(iter(played)).image.shape == (128, 96, 3)


# Sizes that change within a file


@pytest.fixture
def changing(tmp_path, picture):
    def make(name, sizes, codec="libvpx", container_format=None):
        """A clip of several encoders' packets, a quarter of a second each, in one stream."""
        path = tmp_path / name
        with av.open(str(path), "w", format=container_format) as container:
            stream = container.add_stream(
                codec, rate=20, width=sizes[0][0], height=sizes[0][1], pix_fmt="yuv420p"
            )
            container.start_encoding()
            for part, size in enumerate(sizes):
                encoder = av.CodecContext.create(codec, "w")
                encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
                encoder.framerate, encoder.time_base = Fraction(20), Fraction(1, 20)
                if codec == "libx264":
                    encoder.options = {"tune": "zerolatency", "crf": "10"}
                else:
                    encoder.options = {"lag-in-frames": "0", "crf": "4", "b": "2M"}
                packets = []
                for number in range(5):
                    shown = av.VideoFrame.from_ndarray(picture(size), format="rgb24")
                    shown = shown.reformat(format="yuv420p", threads=1)
                    shown.pts, shown.time_base = number, Fraction(1, 20)
                    packets += encoder.encode(shown)
                packets += encoder.encode(None)
                for packet in packets:
                    ticks = round((packet.pts + 5 * part) * Fraction(1, 20) / stream.time_base)
                    packet.pts = packet.dts = ticks
                    packet.time_base, packet.stream = stream.time_base, stream
                    container.mux(packet)
        return path

    return make


def within(image, size, colors_of, picture):
    """Whether an image is a whole picture of a size, scaled to fit, between black borders."""
    height, width = image.shape[:2]
    scale = min(width / size[0], height / size[1])
    inner = round(size[0] * scale), round(size[1] * scale)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    part = image[top : top + inner[1], left : left + inner[0]]
    border = image.copy()
    border[top : top + inner[1], left : left + inner[0]] = 0
    is_same = np.abs(colors_of(part) - colors_of(picture(size))).max() < 16
    return is_same and border.mean() < 3


@pytest.mark.parametrize(
    ("name", "codec"),
    [("turn.webm", "libvpx"), ("turn.mkv", "libvpx"), ("turn.ts", "libx264")],
)
def test_a_size_that_changes_gets_borders_within_the_largest(
    changing, contents, copied, colors_of, picture, name, codec
):
    sizes = [(64, 36), (128, 72), (72, 128), (64, 36)]
    path = changing(name, sizes, codec)
    source = open_source(path)
    assert source.size == (128, 72)
    images = [frame.image for frame in source]
    assert {image.shape for image in images} == {(72, 128, 3)}
    assert len(images) == 20
    for part, size in enumerate(sizes):
        assert within(images[5 * part + 2], size, colors_of, picture)
    assert source.notes == ["the pictures change size: all are shown within 128x72"]
    copied(path)
    assert contents(path.parent / "out.mp4").size == (128, 72)


def test_one_size_needs_no_word(changing):
    source = open_source(changing("same.webm", [(64, 36), (64, 36)]))
    list(source)
    assert source.notes == []


def test_pictures_that_were_converted_are_not_held_back(talk):
    """PyAV's pictures refer to themselves once their side data was read."""
    gc.collect()
    gc.disable()
    try:
        with open_source(talk) as source:
            assert sum(1 for _ in source) == 10
            held = [one for one in gc.get_objects() if type(one) is av.VideoFrame]
    finally:
        gc.enable()
    assert len(held) <= 5


@pytest.mark.parametrize(
    ("size", "aspect", "shown"),
    [((64, 96), Fraction(2), (128, 96)), ((128, 96), Fraction(4, 3), (128, 72))],
)
def test_pixels_that_change_shape_keep_their_proportion(
    make_flashes, tmp_path, copied, size, aspect, shown
):
    parts = [
        make_flashes("a.ts", size=(128, 96), sounds=()),
        make_flashes("b.ts", size=size, aspect=aspect, first_second=2, sounds=()),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(read_video(path))
    assert len(frames) == 100
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    for frame in (frames[0], frames[50]):  # the upper left quarter is lit
        lit = frame.image[..., 0] > 150
        width, height = (128, 96) if frame is frames[0] else shown
        assert lit.any(0).sum() == pytest.approx(width / 2, abs=3)
        assert lit.any(1).sum() == pytest.approx(height / 2, abs=3)
    source = copied(path)
    told = "the pixels change shape: all pictures are shown within 128x96"
    assert told in source.notes
