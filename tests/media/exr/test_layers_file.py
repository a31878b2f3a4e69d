"""OpenEXR files read back by OpenEXR's own reader and by OpenImageIO."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.exr import layers_file, sequence
from facewarp.media.exr.cryptomatte import attributes, channels, id_of, murmur3
from facewarp.media.exr.layers_file import LayersFile, is_whole, read_layers, write_layers
from facewarp.media.exr.sequence import LayersSequence

pytest.importorskip("OpenEXR")


@pytest.fixture
def made(rng):
    planes = rng.random((40, 30, 3)).astype(np.float32)
    return LayersFile(
        (200, 100),
        (20, 10, 50, 50),
        {
            "st_to_template.u": planes[..., 0],  # views: not contiguous
            "st_to_template.v": planes[::-1, :, 1],
            "matte.A": planes[..., 2].astype(np.float16),
        },
        pixel_aspect=2.0,
        attributes={"framesPerSecond": Fraction(24000, 1001), "facewarp/note": "ä"},
    )


def test_two_readers_find_every_value(made, tmp_path):
    path = tmp_path / "a.exr"
    write_layers(path, made)
    header, found = read_layers(path)
    assert header["pixelAspectRatio"] == 2.0
    assert header["framesPerSecond"] == Fraction(24000, 1001)
    assert [tuple(edge) for edge in header["dataWindow"]] == [(20, 10), (49, 49)]
    assert [tuple(edge) for edge in header["displayWindow"]] == [(0, 0), (199, 99)]
    for name, values in made.channels.items():
        assert found[name].dtype == values.dtype
        assert (found[name] == values).all()
    oiio = pytest.importorskip("OpenImageIO")
    picture = oiio.ImageBuf(str(path))
    spec = picture.spec()
    assert (spec.x, spec.y, spec.full_width, spec.full_height) == (20, 10, 200, 100)
    assert spec.get_float_attribute("PixelAspectRatio") == 2.0
    pixels = picture.get_pixels(oiio.FLOAT)
    for name, values in made.channels.items():
        assert (pixels[..., spec.channelnames.index(name)] == values).all()


def test_a_full_disk_is_said_and_leaves_nothing(made, tmp_path, monkeypatch):
    exr = layers_file.openexr()

    class Full(exr.File):
        def write(self, name):
            raise RuntimeError(f'Failed to write "{name}". No space left on device.')

    class Module:
        ZIPS_COMPRESSION, scanlineimage, File = exr.ZIPS_COMPRESSION, exr.scanlineimage, Full

    monkeypatch.setattr(layers_file, "openexr", lambda: Module)
    with pytest.raises(FacewarpError, match="no space is left"):
        write_layers(tmp_path / "a.exr", made)
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_is_not_whole(made, tmp_path):
    path = tmp_path / "a.exr"
    write_layers(path, made)
    assert is_whole(path, "facewarp/note", "ä")
    assert not is_whole(path, "facewarp/note", "b")
    assert not is_whole(tmp_path / "none.exr", "facewarp/note", "ä")
    path.write_bytes(path.read_bytes()[:-3000])
    assert not is_whole(path, "facewarp/note", "ä")


def test_whole_files_are_kept_on_resuming(made, tmp_path):
    pattern = tmp_path / "p.###.exr"
    told = {"input": "a.mov"}
    with LayersSequence(pattern, told) as first:
        assert not first.has(7)
        first.write(7, made)
        first.count(resumed=False)
    assert [path.name for path in tmp_path.iterdir()] == ["p.007.exr"]
    with LayersSequence(pattern, told, resume=True) as again:
        assert again.has(7)
        assert not again.has(8)
        again.count(resumed=True)
        assert (again.kept, again.resumed) == (1, 1)
    with LayersSequence(pattern, {"input": "b.mov"}, resume=True) as other:
        assert not other.has(7)
        other.write(7, made)
        other.count(resumed=False)
        assert (other.kept, other.resumed) == (1, 0)


@pytest.mark.parametrize(
    ("name", "told"), [("p.exr", "needs a number"), ("p.####.tif", "written as OpenEXR")]
)
def test_names_that_will_not_do_are_refused(tmp_path, name, told):
    with pytest.raises(FacewarpError, match=told):
        LayersSequence(tmp_path / name, {})


def test_without_the_package_the_command_to_install_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    with pytest.raises(FacewarpError, match="Install it"):
        sequence.LayersSequence(tmp_path / "p.####.exr", {})


def test_the_system_error_of_other_failures_is_told(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FacewarpError, match="part of the path is a file"):
        write_layers(tmp_path / "file" / "a.exr", made)


# MurmurHash3's own test vectors, and the ids that Cryptomatte's published tests have
HASHES = {b"": 0, b"hello": 0x248BFA47, b"hello, world": 0x149BBB7F}
IDS = {
    "hello": 6.0705627102400005616e-17,
    "cube": -4.08461912519e15,
    "sphere": 2.79018604383e15,
    "plane": 3.66557617593e-11,
    "равнина": -1.3192631212399999468e-25,
    "mädchen": 6.2361298211599995797e25,
}


def test_hashes_and_ids_are_the_published_ones():
    assert {data: murmur3(data) for data in HASHES} == HASHES
    assert murmur3(b"", 1) == 0x514E28B7
    for name, value in IDS.items():
        assert id_of(name) == np.float32(value)


def test_objects_are_ranked_by_coverage():
    one, two = np.array([[1, 0.25, 0]]), np.array([[0, 0.75, 0]])
    planes = channels("face_id", {"face0": one, "face1": two}, (1, 3))
    assert list(planes) == [f"face_id00.{channel}" for channel in "RGBA"]
    assert planes["face_id00.G"][0].tolist() == [1, 0.75, 0]
    assert planes["face_id00.A"][0].tolist() == [0, 0.25, 0]
    assert planes["face_id00.R"][0].tolist() == [id_of("face0"), id_of("face1"), 0]
    assert planes["face_id00.B"][0].tolist() == [0, id_of("face0"), 0]
    assert channels("face_id", {}, (1, 3)) == {}


def test_the_manifest_names_every_id():
    told = attributes("face_id", ["face0", "face12"])
    (key,) = {name.rsplit("/", 1)[0] for name in told}
    assert key == f"cryptomatte/{murmur3(b'face_id'):08x}"[:19]
    manifest = json.loads(told[f"{key}/manifest"])
    for name, bits in manifest.items():
        assert np.array([int(bits, 16)], np.uint32).view(np.float32)[0] == id_of(name)
    assert told[f"{key}/name"] == "face_id"


@pytest.mark.parametrize(
    ("told", "found"),
    [("01:02:03:23", "01:02:03:23"), ("10:09:59;29", "10:09:59:29"), ("00:00:00:45", "")],
)
def test_a_timecode_is_read_by_two_readers(made, tmp_path, told, found):
    oiio = pytest.importorskip("OpenImageIO")
    path = tmp_path / "a.exr"
    write_layers(path, replace(made, attributes={"timeCode": told}))
    spec = oiio.ImageInput.open(str(path)).spec()
    assert spec.get_string_attribute("smpte:TimeCode") == found
    header, _ = read_layers(path)
    assert ("timeCode" in header) == bool(found)  # ST 12-1 counts to 39
    if found:
        assert header["timeCode"].dropFrame == (told[-3] == ";")
