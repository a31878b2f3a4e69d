"""Plates keep their values to the last bit, and all else that their files hold."""

import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.frames import DeepImage
from facewarp.media.images import source as image_source
from facewarp.media.images.source import FolderSource, ImageSource
from facewarp.media.plates import files
from facewarp.media.plates.files import is_deep, read_plate, write_plate
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.transfer import from_display, to_display
from tests.fixtures.profiles import PROPHOTO, rgb_profile

oiio = pytest.importorskip("OpenImageIO")


@pytest.fixture
def values(rng):
    return rng.integers(0, 65_536, (24, 32, 3), dtype=np.uint16)


def written_by_oiio(
    path, pixels, *, names=("R", "G", "B"), kind=None, box=None, arrays=None, **attributes
):
    """A file by OpenImageIO; `box` is x, y, width, height of the display window."""
    height, width, count = pixels.shape
    spec = oiio.ImageSpec(width, height, count, kind or oiio.UINT16)
    spec.channelnames = names
    spec.attribute("oiio:UnassociatedAlpha", 1)
    for name, value in attributes.items():
        spec.attribute(name.replace("__", ":"), value)
    for name, (kind, value) in (arrays or {}).items():
        spec.attribute(name, kind, value)
    if box is not None:
        spec.x, spec.y = 10, 6
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = box
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(spec.roi, pixels)
    assert buffer.write(str(path)), buffer.geterror()
    return path


def passed_through(path, target, paint=None):
    """Copy a picture through source and sink, one px painted by way of its deep values."""
    with open_source(path) as source, open_sink(target, like=source) as sink:
        for frame in source:
            assert frame.deep is not None
            if paint is not None:
                frame.deep.codes[paint] = 0
            sink.write(frame)
    return target


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_stay_sixteen(tmp_path, values, name):
    path = written_by_oiio(tmp_path / name, values)
    assert is_deep(path)
    image, alpha, deep = read_plate(path)
    assert alpha is None
    assert (deep.codes == values).all()
    assert np.abs(image - values / 257).max() <= 0.5
    out = passed_through(path, tmp_path / f"out-{name}", (3, 5))
    told = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)[..., ::-1]
    values[3, 5] = 0
    assert told.dtype == np.uint16
    assert (told == values).all()


def test_alpha_and_profile_of_a_16_bit_png_stay(tmp_path, rng):
    pixels = rng.integers(0, 65_536, (24, 32, 4), dtype=np.uint16)
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    path = written_by_oiio(tmp_path / "a.png", pixels, names=("R", "G", "B", "A"))
    data = path.read_bytes()
    body = b"iCCP" + b"p\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:33] + chunk + data[33:])  # after IHDR
    assert PIL.Image.open(path).info["icc_profile"] == profile
    out = passed_through(path, tmp_path / "out.png")
    told = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    assert (told == pixels).all()
    assert PIL.Image.open(out).info["icc_profile"] == profile


def test_an_exr_keeps_light_channels_windows_and_metadata(tmp_path, rng):
    pixels = (rng.random((24, 32, 5)) * 4).astype(np.float32)  # brighter than white too
    path = written_by_oiio(
        tmp_path / "a.exr", pixels, names=("R", "G", "B", "Z", "mask.A"), kind=oiio.FLOAT,
        box=(0, 0, 60, 40), PixelAspectRatio=2.0, shot="010", compression="zips",
    )  # fmt: skip
    source = ImageSource(path)
    assert (source.size, source.sample_aspect) == ((60, 40), 2.0)
    out = passed_through(path, tmp_path / "out.exr", (6, 10))
    told = oiio.ImageBuf(str(out))
    spec = told.spec()
    expected = pixels.copy()
    expected[0, 0, :3] = 0
    names = list(spec.channelnames)
    order = [names.index(name) for name in ("R", "G", "B", "Z", "mask.A")]
    assert (told.get_pixels(oiio.FLOAT)[..., order] == expected).all()
    assert (spec.x, spec.y, spec.full_width, spec.full_height) == (10, 6, 60, 40)
    assert spec.get_float_attribute("PixelAspectRatio") == 2.0
    assert spec.get_string_attribute("shot") == "010"
    assert spec.get_string_attribute("compression") == "zips"


AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)  # ACEScg
AP1_OF_BT709 = [[0.6131, 0.3395, 0.0474], [0.0702, 0.9164, 0.0135], [0.0206, 0.1096, 0.8698]]


def test_an_exr_of_acescg_is_seen_and_painted_in_bt709(tmp_path):
    shown = np.array([[200, 60, 40], [60, 160, 60], [220, 170, 140]])
    light = ((shown / 255 + 0.055) / 1.055) ** 2.4  # sRGB, all above its knee
    pixels = np.repeat((light @ np.transpose(AP1_OF_BT709))[None], 4, 0).astype(np.float32)
    told = {"chromaticities": (oiio.TypeDesc("float[8]"), AP1)}
    path = written_by_oiio(tmp_path / "a.exr", pixels, kind=oiio.FLOAT, arrays=told)
    image, _, deep = read_plate(path)
    assert np.abs(image[0] - shown).max() <= 1
    again = deep.coded(deep.display(np.s_[:, :]))
    assert again == pytest.approx(pixels, abs=1e-3)
    out = passed_through(path, tmp_path / "out.exr")
    assert (oiio.ImageBuf(str(out)).get_pixels(oiio.FLOAT) == pixels).all()
    assert oiio.ImageBuf(str(out)).spec().getattribute("chromaticities") == pytest.approx(AP1)


def test_chromaticities_that_are_none_are_said(tmp_path, values):
    told = {"chromaticities": (oiio.TypeDesc("float[8]"), (0.0,) * 8)}
    path = written_by_oiio(
        tmp_path / "a.exr", values / np.float32(65_535), kind=oiio.FLOAT, arrays=told
    )
    notes = []
    assert read_plate(path, notes.append)[2].to_bt709 is None
    assert "chromaticities" in notes[0]


@pytest.mark.parametrize("compression", ["dwaa", "dwab", "b44", "b44a", "pxr24", "piz"])
def test_values_stay_under_compressions_with_loss(tmp_path, rng, compression):
    pixels = rng.random((64, 96, 3)).astype(np.float32)
    path = written_by_oiio(tmp_path / "a.exr", pixels, kind=oiio.HALF, compression=compression)
    before = oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT)
    source = ImageSource(path)
    out = oiio.ImageBuf(str(passed_through(path, tmp_path / "out.exr")))
    assert (out.get_pixels(oiio.FLOAT) == before).all()
    is_told = compression.startswith("dwa")
    list(source)
    assert any("written with zips" in note for note in source.notes) == is_told
    kept = out.spec().get_string_attribute("compression")
    assert kept == ("zips" if is_told else compression)


@pytest.mark.parametrize(("space", "transfer"), [("KodakLog", "log"), ("Rec709", "display")])
def test_ten_bits_of_a_dpx_stay_and_log_is_seen_as_light(tmp_path, rng, space, transfer):
    ten = rng.integers(95, 1024, (24, 32, 3), dtype=np.uint16)
    pixels = (ten.astype(np.uint32) << 6 | ten >> 4).astype(np.uint16)
    path = written_by_oiio(
        tmp_path / "a.dpx", pixels, oiio__BitsPerSample=10, oiio__ColorSpace=space
    )
    image, _, deep = read_plate(path)
    assert deep.transfer == transfer
    out = passed_through(path, tmp_path / "out.dpx", (3, 5))
    pixels[3, 5] = 0
    told = oiio.ImageBuf(str(out))
    assert (told.get_pixels(oiio.UINT16) == pixels).all()
    assert told.spec().get_int_attribute("oiio:BitsPerSample") == 10
    if transfer == "log":  # Cineon's white is 685 of 1023, its black 95
        assert image[ten >= 685].min() == 255
        assert image[ten == 95].max(initial=0) == 0


@pytest.mark.parametrize("transfer", ["display", "linear", "log"])
def test_going_to_display_and_back_changes_nothing(transfer):
    low = 0.1 if transfer == "log" else 0.0
    values = np.linspace(low, 1 if transfer != "linear" else 8, 500, dtype=np.float32)
    again = from_display(to_display(values, transfer), transfer)
    assert again == pytest.approx(values, rel=2e-4, abs=2e-5)


def test_middle_gray_of_light_is_shown_as_srgb_has_it():
    deep = DeepImage(np.full((1, 1, 3), 0.2140, np.float32), "linear")
    assert deep.shown().tolist() == [[[127, 127, 127]]] or deep.shown().tolist() == [[[128] * 3]]


def test_pictures_of_8_bits_become_light_in_an_exr(tmp_path):
    image = np.full((8, 8, 3), 188, np.uint8)
    write_plate(tmp_path / "a.exr", image, None)
    told = oiio.ImageBuf(str(tmp_path / "a.exr"))
    assert told.get_pixels(oiio.FLOAT) == pytest.approx(0.5029, abs=1e-3)
    assert str(told.spec().format) == "half"


def test_numbers_of_a_sequence_stay_and_gaps_are_said(tmp_path, values, caplog):
    for number in (7, 8, 10):
        written_by_oiio(tmp_path / f"f.{number:04d}.png", values)
    with open_source(tmp_path / "f.####.png", fps=24) as source:
        assert isinstance(source, FolderSource)
        assert source.is_clip
        assert source.is_numbered
        assert "1 number is missing (9)" in caplog.text
        with open_sink(tmp_path / "o" / "g_%05d.tif", like=source) as sink:
            for frame in source:
                sink.write(frame)
    found = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert found == ["g_00007.tif", "g_00008.tif", "g_00010.tif"]
    told = oiio.ImageBuf(str(tmp_path / "o" / found[0])).get_pixels(oiio.UINT16)
    assert (told == values).all()


def test_what_is_lost_is_said(tmp_path, values, monkeypatch):
    path = written_by_oiio(tmp_path / "a.png", values)
    with open_source(path) as source:
        open_sink(tmp_path / "a.jpg", like=source).abort()
        assert "written with 8" in source.notes[0]
    monkeypatch.setattr(files, "has_openimageio", lambda: False)
    monkeypatch.setattr(image_source.plates, "has_openimageio", lambda: False)
    with open_source(path) as source:
        (frame,) = source
        assert frame.deep is None
        assert "read as 8" in source.notes[0]
        assert "install" in source.notes[0]


def test_an_exr_without_the_package_names_the_command(tmp_path, monkeypatch):
    written_by_oiio(tmp_path / "a.exr", np.zeros((8, 8, 3), np.float32), kind=oiio.HALF)
    monkeypatch.setitem(__import__("sys").modules, "OpenImageIO", None)
    with pytest.raises(FacewarpError, match="Install it"):
        open_source(tmp_path / "a.exr")


def test_a_damaged_plate_is_one_clear_line(tmp_path):
    path = tmp_path / "a.exr"
    path.write_bytes(b"\x76\x2f\x31\x01 this is none")
    with pytest.raises(FacewarpError, match="can't be read"):
        open_source(path)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", ["a.exr", "a.dpx", "a.tif", "a.png"])
def test_a_plate_that_ends_early_is_refused(tmp_path, rng, name, turned):
    pixels = rng.random((64, 48, 3), dtype=np.float32)
    kind = oiio.HALF if name.endswith("exr") else oiio.UINT16
    told = {"Orientation": 6} if turned else {}
    path = written_by_oiio(tmp_path / name, pixels, kind=kind, **told)
    read_plate(path)
    whole = path.read_bytes()
    for share in (0.5, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(FacewarpError, match="damaged"):
            read_plate(path)


def test_a_plate_of_a_sequence_that_ends_early_is_left_out_and_told(tmp_path, values, caplog):
    for number in range(1, 5):
        written_by_oiio(tmp_path / f"a.{number}.png", values)
    whole = (tmp_path / "a.2.png").read_bytes()
    (tmp_path / "a.2.png").write_bytes(whole[: len(whole) // 2])
    with open_source(tmp_path) as source:
        assert len(list(source)) == 3
    assert "a.2.png" in caplog.text


def test_bytes_of_a_header_that_are_no_text_are_one_clear_line(tmp_path, rng):
    path = written_by_oiio(tmp_path / "a.exr", rng.random((8, 8, 3), np.float32), kind=oiio.HALF)
    path.write_bytes(path.read_bytes().replace(b"chlist\0", b"\xf6hlist\0"))
    with pytest.raises(FacewarpError, match="can't be read"):
        open_source(path)


def test_a_plate_without_colors_is_said(tmp_path):
    planes = np.zeros((8, 8, 3), np.float32)
    path = written_by_oiio(tmp_path / "a.exr", planes, names=("N.X", "N.Y", "N.Z"), kind=oiio.FLOAT)
    with pytest.raises(FacewarpError, match="no channels R, G, B"):
        list(open_source(path))


def test_8_bit_pictures_are_not_deep(tmp_path):
    for name in ("a.png", "a.tif", "a.jpg"):
        PIL.Image.new("RGB", (8, 8)).save(tmp_path / name)
        assert not is_deep(tmp_path / name)
    PIL.Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "gray.png")
    assert not is_deep(tmp_path / "gray.png")


def test_gray_of_16_bits_is_said_to_become_8(tmp_path):
    PIL.Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "gray.png")
    with open_source(tmp_path / "gray.png") as source:
        (frame,) = source
        assert frame.deep is None
        assert "gray of more than 8 bits" in source.notes[0]


def test_further_parts_of_an_exr_are_said_to_be_left_out(tmp_path):
    exr = pytest.importorskip("OpenEXR")
    plane = np.zeros((8, 8), np.float16)
    kind = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    parts = [
        exr.Part({**kind, "name": name}, dict.fromkeys("RGB", plane))
        for name in ("beauty", "other")
    ]
    exr.File(parts).write(str(tmp_path / "a.exr"))
    with open_source(tmp_path / "a.exr") as source:
        list(source)
        assert "holds 2 parts: only the first" in source.notes[0]


def test_borders_of_8_bits_are_said(tmp_path, values):
    written_by_oiio(tmp_path / "f.1.png", values)
    written_by_oiio(tmp_path / "f.2.png", np.ascontiguousarray(values[:, :20]))
    target = tmp_path / "a.mov"
    with open_source(tmp_path / "f.#.png") as source:
        with open_sink(target, like=source, codec="prores422") as sink:
            for frame in source:
                sink.write(frame)
        assert "borders are written with 8 bits" in " ".join(source.notes)


def test_wide_pixels_are_told_by_plates_and_videos_or_said(tmp_path, contents, caplog):
    for number in (1, 2):
        pixels = np.full((24, 32, 3), 0.2 * number, np.float32)
        written_by_oiio(tmp_path / f"in.{number}.exr", pixels, kind=oiio.HALF, PixelAspectRatio=2.0)

    def copied(source_name, target):
        with open_source(tmp_path / source_name) as source, open_sink(target, like=source) as sink:
            for frame in source:
                sink.write(frame)

    copied("in.#.exr", tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").aspect == 2
    for kind in ("exr", "dpx"):
        copied("out.mp4", tmp_path / f"v.#.{kind}")  # from a video, of which there is no plate
        copied("in.#.exr", tmp_path / f"p.#.{kind}")
        for name in (f"v.1.{kind}", f"p.2.{kind}"):
            spec = oiio.ImageBuf(str(tmp_path / name)).spec()
            assert spec.get_float_attribute("PixelAspectRatio") == 2
    assert "times as wide" not in caplog.text
    copied("out.mp4", tmp_path / "out.#.png")
    assert "2 times as wide as high, which .png does not tell" in caplog.text


def test_a_wide_profile_of_16_bits_is_shown_and_stays(tmp_path, values):
    profile = rgb_profile(PROPHOTO, 1.8)
    kind = f"uint8[{len(profile)}]"
    path = written_by_oiio(
        tmp_path / "a.tif", values, arrays={"ICCProfile": (kind, np.frombuffer(profile, np.uint8))}
    )
    image, _, deep = read_plate(path)
    assert np.array_equal(deep.codes, values)
    assert np.abs(image.astype(int) - values // 257).max() > 20
    for name in ("same.tif", "other.png"):
        out = passed_through(path, tmp_path / name, paint=(3, 4))
        again = read_plate(out)[2]
        assert again.profile is not None
        assert again.profile.icc == profile
        changed = np.argwhere((again.codes != values).any(2))
        assert changed.tolist() == [[3, 4]]
