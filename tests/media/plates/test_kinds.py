"""Plates of other kinds: gray, deep, luminance and chroma; PNG and TIFF that tell more."""

import struct
import zlib
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.plates.files import is_deep, read_plate
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.transfer import codes_of

oiio = pytest.importorskip("OpenImageIO")

P3 = (31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6000)
CHUNKS = {
    "Display P3 by numbers": ((b"cICP", bytes((12, 13, 0, 1))),),
    "Display P3 by primaries": (
        (b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", struct.pack(">8I", *P3)),
    ),
    "light": ((b"gAMA", struct.pack(">I", 100_000)),),
}  # fmt: skip
SAME = {
    "sRGB": ((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))),
    "gamma of most": ((b"gAMA", struct.pack(">I", 45_455)),),
    "gamma of FFmpeg's clips": ((b"gAMA", struct.pack(">I", 50_994)),),
}


def png(path, codes, chunks):
    """A PNG of 8 or 16 bits, RGB, with chunks before its pixels."""
    height, width = codes.shape[:2]
    bits = 8 * codes.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in codes)
    head = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    path.write_bytes(data)
    return path


def shown(path):
    with open_source(path) as source:
        return next(iter(source)).image.astype(int)


@pytest.mark.parametrize("told", [*CHUNKS, *SAME])
def test_png_of_16_bits_tells_its_colors_like_one_of_8(tmp_path, rng, told):
    codes = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    chunks = (CHUNKS | SAME)[told]
    eight = shown(png(tmp_path / "8.png", codes, chunks))
    wide = png(tmp_path / "16.png", codes.astype(np.uint16) * 257, chunks)
    assert np.abs(shown(wide) - eight).max() <= 1
    assert (np.abs(eight - codes).max() > 8) == (told in CHUNKS)
    if told == "light":
        assert np.abs(eight - 255 * codes_of(codes / np.float32(255))).max() <= 1
    if told == "Display P3 by primaries":
        by_numbers = png(tmp_path / "n.png", codes, CHUNKS["Display P3 by numbers"])
        assert np.abs(eight - shown(by_numbers)).max() <= 2


@pytest.mark.parametrize("told", CHUNKS)
def test_a_copy_of_a_png_of_16_bits_is_seen_like_it(tmp_path, rng, told):
    codes = rng.integers(16_000, 40_000, (8, 9, 3), dtype=np.uint16)
    path = png(tmp_path / "in.png", codes, CHUNKS[told])
    with open_source(path) as source, open_sink(tmp_path / "out.png", like=source) as sink:
        for frame in source:
            sink.write(frame)
    out = tmp_path / "out.png"
    assert np.abs(shown(out) - shown(path)).max() <= 1
    is_srgb = told == "Display P3 by primaries"  # which OpenImageIO does not write
    kept = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert kept.dtype == np.uint16
    assert (kept == codes).all() == (not is_srgb)


def big_tiff(path, codes):
    """A BigTIFF of 16 bits, as programs write what may exceed 4 GB."""
    height, width = codes.shape[:2]
    bits_at, pixels_at = 256, 272
    tags = (
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 16 | 16 << 16 | 16 << 32),
        (259, 3, 1, 1), (262, 3, 1, 2), (273, 16, 1, pixels_at), (277, 3, 1, 3),
        (278, 3, 1, height), (279, 16, 1, codes.nbytes),
    )  # fmt: skip
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", len(tags))
    head += b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8)
    path.write_bytes(head.ljust(bits_at + 16, b"\0") + codes.tobytes())
    return path


def test_a_big_tiff_of_16_bits_keeps_them(tmp_path, rng):
    codes = rng.integers(0, 65_536, (8, 9, 3), dtype=np.uint16)
    path = big_tiff(tmp_path / "a.tif", codes)
    assert is_deep(path)
    assert (read_plate(path)[2].codes == codes).all()


def test_pages_of_16_bits_are_said_to_become_8(tmp_path, rng):
    codes = rng.integers(0, 65_536, (8, 9, 3), dtype=np.uint16)
    path = str(tmp_path / "a.tif")
    output = oiio.ImageOutput.create(path)
    spec = oiio.ImageSpec(9, 8, 3, oiio.UINT16)
    for mode in ("Create", "AppendSubimage"):
        assert output.open(path, spec, mode)
        output.write_image(codes)
    output.close()
    source = open_source(path)
    assert len(list(source)) == 2
    assert ["16 bits" in note for note in source.notes] == [True]


def test_paint_on_a_gray_plate_becomes_gray_and_that_is_said(tmp_path):
    path = tmp_path / "a.exr"
    spec = oiio.ImageSpec(9, 8, 1, oiio.FLOAT)
    spec.channelnames = ("Y",)
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(spec.roi, np.full((8, 9, 1), 0.18, np.float32))
    assert buffer.write(str(path))
    with open_source(path) as source, open_sink(tmp_path / "out.exr", like=source) as sink:
        for frame in source:
            frame.deep.codes[2, 3] = (1, 0, 0)
            sink.write(frame)
        assert source.notes == ["a gray plate: what is painted on it becomes gray"]
    told = oiio.ImageBuf(str(tmp_path / "out.exr")).get_pixels(oiio.FLOAT)
    assert told.shape == (8, 9, 1)
    assert told[2, 3] == pytest.approx(0.2126)
    assert (np.delete(told.ravel(), 2 * 9 + 3) == np.float32(0.18)).all()


def test_a_deep_exr_is_refused(tmp_path):
    path = str(tmp_path / "a.exr")
    names, kinds = ("R", "G", "B", "A", "Z"), [oiio.HALF] * 4 + [oiio.FLOAT]
    spec = oiio.ImageSpec(4, 4, 5, oiio.FLOAT)
    spec.channelnames, spec.channelformats, spec.deep = names, tuple(kinds), True
    data = oiio.DeepData()
    data.init(16, 5, kinds, list(names))
    output = oiio.ImageOutput.create(path)
    assert output.open(path, spec)
    assert output.write_deep_image(data)
    output.close()
    with pytest.raises(FacewarpError, match="deep OpenEXR"):
        open_source(path)


@pytest.mark.parametrize(
    ("names", "kind", "says"),
    [
        (("Y", "RY", "BY"), oiio.HALF, "luminance and chroma"),
        (("R", "G", "B"), oiio.UINT32, "whole numbers"),
    ],
)
def test_an_exr_that_is_no_light_of_red_green_and_blue_is_refused(tmp_path, names, kind, says):
    path = tmp_path / "a.exr"
    spec = oiio.ImageSpec(4, 4, 3, kind)
    spec.channelnames = names
    assert oiio.ImageBuf(spec).write(str(path))
    with pytest.raises(FacewarpError, match=says):
        list(open_source(path))


def by_ffmpeg(path, values):
    """A DPX of 10 bits as FFmpeg up to 8.0 writes it: "linear", and pixels at 1664."""
    encoder = av.CodecContext.create("dpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = values.shape[1], values.shape[0], "gbrp10le"
    encoder.time_base = Fraction(1, 25)
    picture = av.VideoFrame(encoder.width, encoder.height, "gbrp10le")
    for plane, channel in zip(picture.planes, (1, 2, 0), strict=True):
        rows = np.frombuffer(plane, np.uint16).reshape(plane.height, -1)
        rows[:, : plane.width] = values[..., channel]
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    data = bytearray(b"".join(map(bytes, packets)))
    data[160:260] = b"Lavc61.3.100".ljust(100, b"\0")
    data[801:803] = 2, 2
    path.write_bytes(data)
    return path


def test_a_dpx_of_ffmpeg_is_no_light_and_its_pixels_are_no_timecode(tmp_path, rng):
    values = rng.integers(0, 1024, (48, 64, 3), dtype=np.uint16)
    path = by_ffmpeg(tmp_path / "a.dpx", values)
    told = oiio.ImageBuf(str(path)).spec()
    assert told.get_string_attribute("dpx:Transfer") == "Linear"
    assert told.getattribute("smpte:TimeCode") is not None
    with open_source(path) as source, open_sink(tmp_path / "out.dpx", like=source) as sink:
        for frame in source:
            assert np.abs(frame.image - values / 1023 * 255).max() <= 1
            sink.write(frame)
        assert ["by FFmpeg" in note for note in source.notes] == [True]
    out = oiio.ImageBuf(str(tmp_path / "out.dpx"))
    assert (out.get_pixels(oiio.UINT16) >> 6 == values).all()
    names = {attribute.name for attribute in out.spec().extra_attribs}
    assert not names & {"smpte:TimeCode", "dpx:TimeCode", "smpte:KeyCode", "dpx:SlateInfo"}
    assert not {name for name in names if "Rate" in name}
    assert np.abs(shown(tmp_path / "out.dpx") - shown(path)).max() == 0


def test_an_exr_of_ffmpeg_is_light_and_said_to_be_taken_so(tmp_path):
    spec = oiio.ImageSpec(9, 8, 3, oiio.FLOAT)
    spec.attribute("writer", "lavc")
    assert oiio.ImageBuf(spec).write(str(tmp_path / "a.exr"))
    source = open_source(tmp_path / "a.exr")
    assert next(iter(source)).deep.transfer == "linear"
    assert ["zscale=t=linear" in note for note in source.notes] == [True]
