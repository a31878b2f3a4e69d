"""Transparent parts of videos stay transparent, or are black and that is said."""

from fractions import Fraction

import av
import numpy as np
import pytest

from facewarp.live.capture.open_live_source import find_file_source
from facewarp.media.sources import open_source

SIZE = (64, 48)
SHOWN, HIDDEN = (40, 160, 90), (220, 30, 40)
CODECS = {
    "cut.webm": ("libvpx-vp9", "yuva420p", {"auto-alt-ref": "0", "crf": "4", "b": "0"}),
    "cut.mov": ("prores_ks", "yuva444p10le", {"profile": "4444"}),
    "cut.mkv": ("ffv1", "yuva420p", {}),
}


@pytest.fixture
def make_cut_out(tmp_path):
    def make(name, opaque=False):
        """A clip that shows one color in its middle; around it, transparent, lies another."""
        path = tmp_path / name
        codec, pix_fmt, options = CODECS[name]
        with av.open(str(path), "w") as container:
            stream = container.add_stream(
                codec, rate=25, width=SIZE[0], height=SIZE[1], pix_fmt=pix_fmt, options=options
            )
            for number in range(4):
                picture = av.VideoFrame(*SIZE, "gbrap")
                alpha = np.full(SIZE[::-1], 255 if opaque else 0, np.uint8)
                alpha[:, 16:48] = 255
                colors = np.where(alpha[..., None] == 255, SHOWN, HIDDEN).astype(np.uint8)
                planes = (colors[..., 1], colors[..., 2], colors[..., 0], alpha)
                for plane, values in zip(picture.planes, planes, strict=True):
                    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
                    rows[:, : plane.width] = values
                picture = picture.reformat(format=pix_fmt, threads=1)
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        return path

    return make


def near(color, expected):
    return np.abs(np.asarray(color).astype(int) - expected).max() <= 14


@pytest.mark.parametrize("name", CODECS)
def test_alpha_is_read(make_cut_out, name):
    source = open_source(make_cut_out(name))
    frames = list(source)
    assert source.has_alpha
    assert len(frames) == 4
    for frame in frames:
        assert frame.alpha.shape == (48, 64)
        assert (frame.alpha[24, [4, 32, 60]] == [0, 255, 0]).all()
        assert near(frame.image[24, 32], SHOWN)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("out", ["out.webm", "out.mov", "out.mkv"])
def test_alpha_is_kept_where_the_file_can_hold_it(make_cut_out, copied, name, out):
    path = make_cut_out(name)
    source = copied(path, out)
    after = next(iter(open_source(path.parent / out)))
    assert (np.abs(after.alpha[24, [4, 32, 60]].astype(int) - [0, 255, 0]) <= 2).all()
    assert near(after.image[24, 32], SHOWN)
    assert "transparent" not in " ".join(source.notes)


@pytest.mark.parametrize("name", CODECS)
def test_what_is_transparent_is_black_where_it_can_not_be_held(
    make_cut_out, contents, copied, name
):
    path = make_cut_out(name)
    source = copied(path, "out.mp4")
    image = contents(path.parent / "out.mp4").images[1]
    assert near(image[24, 32], SHOWN)
    assert near(image[24, 4], 0)
    assert "transparent parts are written black" in source.notes[-1]


@pytest.mark.parametrize("name", CODECS)
def test_live_never_shows_what_is_transparent(make_cut_out, name):
    with find_file_source(str(make_cut_out(name)))() as source:
        frame = next(iter(source))
    assert near(frame.image[24, 4], 0)
    assert near(frame.image[24, 32], SHOWN)


def test_opaque_pictures_need_no_word(make_cut_out, contents, copied):
    path = make_cut_out("cut.mkv", opaque=True)
    source = copied(path, "out.mov")
    assert (source.has_alpha, source.notes) == (False, [])
    assert contents(path.parent / "out.mov").codec == "h264"


def grow(content: bytes, added: bytes) -> bytes:
    """Return an MP4 whose index comes last with more at the end of its HEVC configuration."""
    end = content.index(b"hvcC") - 4
    end += int.from_bytes(content[end : end + 4])
    grown = bytearray(content)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1", b"hvcC"):
        at = content.index(name) - 4
        size = int.from_bytes(content[at : at + 4]) + len(added)
        grown[at : at + 4] = size.to_bytes(4)
    arrays = content.index(b"hvcC") + 4 + 22
    grown[arrays] += 1
    return bytes(grown[:end] + added + grown[end:])


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_an_alpha_layer_that_is_not_read_is_told(tmp_path, is_cancelled):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        options = {"x265-params": "log-level=none"}
        stream = container.add_stream("libx265", rate=25, width=64, height=48, options=options)
        stream.pix_fmt, stream.codec_context.codec_tag = "yuv420p", "hvc1"
        for _ in range(3):
            image = np.full((48, 64, 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert open_source(path).notes == []

    unit = b"\x4e\x01\xa5\x04" + (b"\x80" if is_cancelled else b"\0") + b"\0\x7f\x90\x80"
    array = b"\xa7\0\x01" + len(unit).to_bytes(2) + unit
    path.write_bytes(grow(path.read_bytes(), array))
    source = open_source(path)
    assert sum(1 for _ in source) == 3
    told = [note for note in source.notes if "alpha layer of HEVC is not read" in note]
    assert len(told) == (not is_cancelled)
