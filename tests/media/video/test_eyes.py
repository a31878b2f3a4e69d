"""Videos for two eyes, and of all around: what a copy keeps, and what is said."""

import struct
from fractions import Fraction

import av
import pytest

from facewarp.media.sources import open_source

BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind, *parts):
    return box(kind, bytes(4), *parts)


def stereo(mode):
    return full(b"st3d", bytes([mode]))


ALL_AROUND = box(
    b"sv3d", full(b"svhd", b"x\0"),
    box(b"proj", full(b"prhd", bytes(12)), full(b"equi", bytes(16))),
)  # fmt: skip


def marked(path, extra):
    """Put boxes into the description of the pictures (Spherical Video V2)."""
    data, parents, start, end = bytearray(path.read_bytes()), [], 0, path.stat().st_size
    for name in BOXES:
        while True:
            length, kind = struct.unpack(">I4s", data[start : start + 8])
            if kind == name:
                break
            start += length
            assert start < end
        parents.append(start)
        end = start + length
        start += 16 if name == b"stsd" else 8
    data[end:end] = extra
    for place in parents:
        length = int.from_bytes(data[place : place + 4])
        data[place : place + 4] = struct.pack(">I", length + len(extra))
    path.write_bytes(data)
    return path


def mode_of(path):
    with av.open(str(path)) as container:
        return container.streams.video[0].metadata.get("stereo_mode")


@pytest.fixture
def clip(make_clip):
    return make_clip(size=(128, 64), frames=2)


@pytest.mark.parametrize(("number", "mode"), [(1, "top_bottom"), (2, "left_right")])
@pytest.mark.parametrize("out", ["out.mkv", "out.webm"])
def test_stereo_stays_stereo_where_the_file_can_tell_it(clip, copied, tmp_path, number, mode, out):
    source = copied(marked(clip, stereo(number)), out)
    assert source.notes == []
    assert mode_of(tmp_path / out) == mode
    with open_source(tmp_path / out) as again:  # whose pixels are as wide as they were
        assert (again.size, again.sample_aspect) == ((128, 64), Fraction(1))
        assert again.eyes == source.eyes


@pytest.mark.parametrize(
    ("boxes", "out", "told"),
    [
        (stereo(2), "out.mp4", "stereo 3D (side by side): .mkv and .webm keep that"),
        (stereo(1), "out.mov", "stereo 3D (top and bottom): .mkv"),
        (ALL_AROUND, "out.mp4", "360 degrees (equirectangular): players show it flat"),
        (stereo(2) + ALL_AROUND, "out.mkv", "360 degrees (equirectangular)"),
    ],
)
def test_a_mark_that_is_lost_is_told(clip, copied, boxes, out, told):
    (note,) = copied(marked(clip, boxes), out).notes
    assert told in note


def test_a_clip_for_one_eye_is_not_spoken_of(clip, copied):
    assert copied(marked(clip, stereo(0))).notes == []
