"""Colours that can't be read are refused, not shown green; usual ones are read."""

import struct
from fractions import Fraction

import av
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.sources import open_source


@pytest.fixture
def tagged(make_clip, tmp_path):
    """Make a clip that tells another matrix than it was coded with."""

    def make(matrix):
        path = tmp_path / f"m{matrix}.mp4"
        with av.open(str(make_clip("plain.mp4"))) as source, av.open(str(path), "w") as target:
            video = source.streams.video[0]
            copy = target.add_stream_from_template(video)
            told = f"h264_metadata=matrix_coefficients={matrix}"
            change = av.BitStreamFilterContext(told, video, copy)
            for packet in source.demux(video):
                for changed in change.filter(packet if packet.size else None):
                    changed.stream = copy
                    target.mux(changed)
        return path

    return make


@pytest.mark.parametrize(
    ("matrix", "name", "how"),
    [(8, "YCgCo", "zscale=m=709"), (10, "constant luminance", "zscale"), (14, "ICtCp", "placebo")],
)
def test_a_matrix_that_is_not_read_is_refused_with_what_to_do(tagged, matrix, name, how):
    path = tagged(matrix)
    with pytest.raises(FacewarpError) as refused:
        open_source(path)
    assert name in refused.value.what
    assert how in (refused.value.fix or "")
    assert refused.value.where == str(path)


@pytest.mark.parametrize("matrix", [1, 2, 6, 9])
def test_usual_matrices_are_read(tagged, matrix):
    assert len(list(open_source(tagged(matrix)))) == 12


def _bits(*parts):
    """A string of bits from (length, value), or a value alone as an Exp-Golomb code."""
    text = ""
    for part in parts:
        if isinstance(part, tuple):
            length, value = part
        else:
            length, value = 2 * (part + 1).bit_length() - 1, part + 1
        text += f"{value:0{length}b}"
    return text


def reshaping_unit(profile):
    """A NAL unit with the metadata of Dolby Vision (RPU, profile 5 or 8) that changes nothing."""
    is_five = profile == 5
    text = _bits(
        (6, 2), (11, 18), (4, 0 if is_five else 1), (4, 0), (1, 1), (1, 0), (2, 0), 23, (2, 1),
        (1, is_five), 2, 2, 4, (1, 0), (3, 0), (1, 0), (1, 1), (1, 0), (1, 0), 0, 0, 0,
    )  # fmt: skip
    text += _bits(0, (10, 0), (10, 1023)) * 3 + _bits(0, 0)
    text += _bits(0, 0, (1, 0), 0, (23, 0), 1, (23, 0)) * 3
    text += "0" * (-len(text) % 8)
    body = bytes(int(text[k : k + 8], 2) for k in range(0, len(text), 8))
    check = 0xFFFFFFFF
    for byte in body:
        check ^= byte << 24
        for _ in range(8):
            check = (check << 1 ^ 0x04C11DB7 if check & 0x80000000 else check << 1) & 0xFFFFFFFF
    raw = bytes([62 << 1, 1, 25]) + body + struct.pack(">I", check) + b"\x80"
    safe, zeros = bytearray(), 0
    for byte in raw:  # three bytes that begin a unit must not come within one
        if zeros >= 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = 0 if byte else zeros + 1
    return b"\0\0\0\1" + bytes(safe)


@pytest.fixture
def make_dolby_vision(tmp_path):
    def make(profile):
        path = tmp_path / f"dv{profile}.hevc"
        coder = av.CodecContext.create("libx265", "w")
        coder.width, coder.height, coder.pix_fmt = 160, 96, "yuv420p10le"
        coder.time_base = Fraction(1, 25)
        coder.options = {"x265-params": "log-level=none:repeat-headers=1:annexb=1"}
        if profile == 8:
            coder.color_primaries, coder.color_trc, coder.colorspace = 9, 16, 9
        data = b""
        for number in (0, 1, None):
            picture = None
            if number is not None:
                picture = av.VideoFrame(160, 96, "yuv420p10le")
                picture.pts = number
            for packet in coder.encode(picture):
                data += bytes(packet) + reshaping_unit(profile)
        path.write_bytes(data)
        return path

    return make


def test_dolby_vision_without_a_usual_picture_is_refused(make_dolby_vision):
    with pytest.raises(FacewarpError, match="Dolby Vision of profile 5") as refused:
        open_source(make_dolby_vision(5))
    assert "libplacebo" in (refused.value.fix or "")


def test_dolby_vision_over_hdr10_is_read_as_that(make_dolby_vision):
    source = open_source(make_dolby_vision(8))
    assert len(list(source)) == 2
    assert source.notes[0].startswith("the video is PQ (HDR)")
