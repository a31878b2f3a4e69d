import csv
import json
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.rendering.deep_painting import painted as painted_deep
from facewarp.media.frames import Frame
from facewarp.media.images.writer import FolderWriter, ImageWriter
from facewarp.media.sinks import numbered_output, open_sink, target_for
from facewarp.media.sources import open_source
from facewarp.media.track_records import FIELDS, open_records
from facewarp.media.video.writer import VideoWriter
from facewarp.media.video.writer_options import WriterOptions
from facewarp.system.atomic_files import check_target
from tests.fixtures.profiles import PROPHOTO, rgb_profile

RAMP = np.linspace(0, 255, 48 * 64).reshape(48, 64)
IMAGE = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2).astype(np.uint8)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    PIL.Image.fromarray(IMAGE).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "faces"
    path.mkdir()
    for name in ("1.png", "2.jpg", "10.bmp"):
        PIL.Image.fromarray(IMAGE).save(path / name)
    return path


def run(source_path, out, change=lambda image: image, *, fail=None, after=0, **options):
    with open_source(source_path) as source, open_sink(out, like=source, **options) as sink:
        for frame in source:
            if fail and frame.index == after:
                raise fail
            sink.write(frame.with_image(change(frame.image)))
    return sink


def record_all(out, records, fail=None):
    with open_records(out) as writer:
        for record in records:
            writer.write(record)
        if fail:
            raise fail
    return writer


# What is opened for what


def test_the_sink_follows_the_suffix(make_clip, photo, folder, tmp_path):
    out = tmp_path / "out"
    with open_source(make_clip()) as clip:
        sink = open_sink(out / "a.mp4", like=clip)
        assert isinstance(sink, VideoWriter)
        sink.abort()
    sink = open_sink(out / "a.jpg", like=open_source(photo))
    assert isinstance(sink, ImageWriter)
    sink.abort()
    assert isinstance(open_sink(out / "faces", like=open_source(folder)), FolderWriter)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"quality": 500}, "0..100, not 500"),
        ({"quality": -3}, "0..100, not -3"),
        ({"fps": 0.0}, "0 frames a second"),
        ({"fps": float("nan")}, "nan frames a second"),
        ({"size": (0, 0)}, "no frames of 0x0 px"),
        ({"size": None}, "needs a size, or a source"),
        ({"audio": "maybe"}, "'maybe'.*copy, convert, none"),
        ({"codec": "h256"}, "no codec 'h256'.*h264"),
        ({"first": -1}, "no number -1"),
    ],
)
def test_what_no_output_can_be_asked_for_is_told(tmp_path, asked, said):
    with pytest.raises(FacewarpError, match=said):
        open_sink(tmp_path / "out.mp4", **{"size": (32, 32), **asked})
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "image", [np.zeros((32, 32)), np.zeros((32, 32, 3)), np.zeros((32, 32, 4), np.uint8)]
)
def test_a_frame_of_another_kind_is_told(tmp_path, image):
    sink = open_sink(tmp_path / "out.mp4", size=(32, 32))
    with pytest.raises(FacewarpError, match=r"is \(H, W, 3\) uint8, not"), sink:
        sink.write(Frame(image, 0.0, 0))
    assert not any(tmp_path.iterdir())


def test_a_folder_takes_the_name_of_the_source(make_clip, photo, folder, tmp_path):
    out = tmp_path / "out"
    assert target_for(f"{out}/", open_source(photo)) == out / "photo.png"
    assert target_for(f"{out}/", open_source(make_clip("a.mov"))) == out / "a.mov"
    assert target_for(f"{out}/", open_source(make_clip("a.avi"))) == out / "a.mp4"
    assert target_for(f"{out}/", open_source(folder)) == out
    assert target_for(tmp_path, open_source(photo)) == tmp_path / "photo.png"
    assert target_for(out / "x.png", open_source(photo)) == out / "x.png"


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("clip", "out.png", "a video does not fit into a picture"),
        ("folder", "out.png", "does not fit into one picture"),
        ("clip", "out.xyz", "no writer for '.xyz'"),
        ("photo", "out", "no suffix"),
    ],
)
def test_what_does_not_fit(request, make_clip, tmp_path, source, out, says):
    path = make_clip() if source == "clip" else request.getfixturevalue(source)
    with pytest.raises(FacewarpError, match=says) as caught:
        open_sink(tmp_path / out, like=open_source(path))
    assert out in str(caught.value)
    assert caught.value.fix


# Where nothing may be written


@pytest.mark.parametrize("kind", ["clip", "photo"])
def test_the_input_is_never_the_output(make_clip, photo, tmp_path, monkeypatch, kind):
    path = make_clip() if kind == "clip" else photo
    before = path.read_bytes()
    link = tmp_path / f"link{path.suffix}"
    link.symlink_to(path)
    hard = tmp_path / f"hard{path.suffix}"
    os.link(path, hard)
    monkeypatch.chdir(path.parent)
    for spelling in (path, path.name, path.parent / "." / path.name, link, hard, path.parent):
        with pytest.raises(FacewarpError, match="same file") as caught:
            open_sink(spelling, like=open_source(path))
        assert caught.value.fix
    assert path.read_bytes() == before


def test_the_input_folder_is_never_the_output(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder)
    for spelling in (folder, f"{folder}/", link):
        with pytest.raises(FacewarpError, match="same folder"):
            open_sink(spelling, like=open_source(folder))
    other = tmp_path / "other"
    other.mkdir()
    (other / "2.jpg").symlink_to(folder / "1.png")
    with pytest.raises(FacewarpError, match="same file"):
        open_sink(other, like=open_source(folder))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("out.mp4", lambda out: VideoWriter(out, options=WriterOptions(size=(32, 32)))),
        ("out.png", ImageWriter),
        ("out.jsonl", open_records),
    ],
)
@pytest.mark.parametrize("place", ["file", "null", "full"])
def test_places_that_can_not_be_written(tmp_path, place, name, make):
    if place == "file":
        (tmp_path / "file").touch()
        out = tmp_path / "file" / name
    elif place == "null":
        out = Path("/proc/nowhere") / name
    else:
        out = tmp_path / "x" / name
        out.mkdir(parents=True)
    with pytest.raises(FacewarpError) as caught:
        make(out)
    assert str(out) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_device_is_not_replaced():
    with pytest.raises(FacewarpError, match="not a file"):
        check_target(Path("/dev/null"))


def test_missing_folders_are_made(photo, tmp_path):
    run(photo, tmp_path / "a" / "b" / "out.png")
    assert (tmp_path / "a" / "b" / "out.png").exists()


def test_a_link_at_the_target_stays_a_link(photo, tmp_path):
    (tmp_path / "real.png").write_bytes(b"older")
    (tmp_path / "out.png").symlink_to(tmp_path / "real.png")
    run(photo, tmp_path / "out.png")
    assert (tmp_path / "out.png").is_symlink()
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "real.png")), IMAGE)


# Pictures


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "jpg", "webp"])
def test_picture(photo, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    sink = run(photo, out, lambda image: 255 - image)
    written = np.asarray(PIL.Image.open(out).convert("RGB")).astype(int)
    assert written.shape == IMAGE.shape
    tolerance = {"jpg": 6, "webp": 12}.get(suffix, 0)
    assert np.abs(written - (255 - IMAGE.astype(int))).max() <= tolerance
    assert sink.kept == 1
    assert [left.name for left in tmp_path.iterdir() if "partial" in left.name] == []


def test_picture_carries_its_color_profile(tmp_path):
    PIL.Image.fromarray(IMAGE).save(tmp_path / "a.png", icc_profile=b"a profile")
    run(tmp_path / "a.png", tmp_path / "b.png")
    with PIL.Image.open(tmp_path / "b.png") as written:
        assert written.info["icc_profile"] == b"a profile"


def test_picture_becomes_a_video_of_one_frame(photo, tmp_path, contents):
    run(photo, tmp_path / "out.mp4")
    assert contents(tmp_path / "out.mp4").times == [0.0]


@pytest.mark.parametrize("name", ["photo #2.png", "IMG_%04d.png", "a.####.tif"])
def test_the_name_of_a_picture_is_no_pattern(photo, tmp_path, name):
    neighbor = tmp_path / "out" / "photo 12.png"
    neighbor.parent.mkdir()
    neighbor.write_bytes(b"mine")
    with open_source(photo) as source, open_sink(neighbor.with_name(name), like=source) as sink:
        for frame in source:
            sink.write(frame)
    written = sorted(path.name for path in neighbor.parent.iterdir())
    assert written == sorted({name, neighbor.name})
    assert neighbor.read_bytes() == b"mine"
    assert numbered_output(tmp_path / name, "video") is not None
    assert numbered_output(tmp_path / "take #1.mp4", "video") is None


@pytest.mark.parametrize("kind", ["tga", "pcx", "sgi", "ico", "gif", "pgm", "dib"])
def test_pictures_of_other_programs_are_no_videos(tmp_path, kind):
    path = tmp_path / f"photo.{kind}"
    gray = np.repeat(np.arange(0, 256, 4, np.uint8)[None], 48, 0)
    PIL.Image.fromarray(gray).save(path, **({"sizes": [(64, 48)]} if kind == "ico" else {}))
    with open_source(path) as source:
        assert (source.kind, source.size) == ("image", (64, 48))
        assert target_for(tmp_path, source).suffix in (".jpg", ".png")
        with open_sink(tmp_path / "out.png", like=source) as sink:
            (frame,) = source
            sink.write(frame)
    assert (np.asarray(PIL.Image.open(tmp_path / "out.png"))[..., 0] == gray).all()


def test_a_moving_gif_is_a_video_and_numbered_tga_a_clip(tmp_path):
    pictures = [PIL.Image.new("RGB", (64, 48), (60 * number, 0, 0)) for number in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    assert open_source(tmp_path / "a.gif").kind == "video"
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"f_{number:04d}.tga")
    source = open_source(tmp_path / "f_%04d.tga")
    assert [frame.image[0, 0, 0] for frame in source] == [0, 60, 120]
    (tmp_path / "b.dds").write_bytes(b"DDS ")
    with pytest.raises(FacewarpError, match="which is not read"):
        open_source(tmp_path / "b.dds")


def test_picture_that_is_not_written(tmp_path):
    with pytest.raises(FacewarpError, match="no picture was written"):
        ImageWriter(tmp_path / "out.png").close()
    sink = ImageWriter(tmp_path / "out.png")
    sink.write(Frame(IMAGE, 0.0, 0))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_picture_holds_one(tmp_path):
    sink = ImageWriter(tmp_path / "out.png")
    sink.write(Frame(IMAGE, 0.0, 0))
    with pytest.raises(FacewarpError, match="holds one picture"):
        sink.write(Frame(IMAGE, 0.04, 1))
    sink.abort()


def test_folder(folder, tmp_path):
    out = tmp_path / "out"
    sink = run(folder, out, lambda image: 255 - image)
    assert sink.kept == 3
    assert sorted(path.name for path in out.iterdir()) == ["1.png", "10.bmp", "2.jpg"]
    assert np.array_equal(np.asarray(PIL.Image.open(out / "1.png")), 255 - IMAGE)
    assert np.array_equal(np.asarray(PIL.Image.open(folder / "1.png")), IMAGE)


def test_folder_keeps_what_is_finished(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path / "out", fail=KeyboardInterrupt, after=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.png", "2.jpg"]


def test_folder_becomes_a_video(folder, tmp_path, contents):
    run(folder, tmp_path / "out.mp4", fps=10)
    assert contents(tmp_path / "out.mp4").times == pytest.approx([0, 0.04, 0.08])


# Records


@pytest.fixture
def record():
    return {
        "frame": np.int64(7),
        "time_s": 0.28,
        "face": 1,
        "state": "tracking",
        "confidence": np.float32(0.5),
        "box": (1.0, 2.0, 30.126, 40.0),
        "landmarks": np.arange(136, dtype=np.float64).reshape(68, 2) / 3,
        "folds_percent": float("nan"),
    }


def test_json_lines(tmp_path, record):
    lost = {"frame": 8, "time_s": 0.32, "state": "lost"}
    assert record_all(tmp_path / "out.jsonl", [record, lost]).kept == 2
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert list(first) == list(FIELDS)
    assert (first["frame"], first["time_s"], first["confidence"]) == (7, 0.28, 0.5)
    assert first["box"] == [1.0, 2.0, 30.13, 40.0]
    assert np.shape(first["landmarks"]) == (68, 2)
    assert first["landmarks"][1] == [0.67, 1.0]
    assert first["folds_percent"] is None
    assert second["face"] is second["landmarks"] is None


def test_csv(tmp_path, record):
    record_all(tmp_path / "out.csv", [record, {"frame": 8, "time_s": 0.32, "state": "lost"}])
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    names = ["frame", "time_s", "face", "state", "confidence", "box_x0", "box_y0", "box_x1"]
    assert list(first)[:11] == [*names, "box_y1", "x0", "y0"]
    assert list(first)[-3:] == ["x67", "y67", "folds_percent"]
    assert (first["frame"], first["state"], first["x1"], first["y67"]) == (
        "7", "tracking", "0.67", "45.0",
    )  # fmt: skip
    assert (second["face"], second["box_x0"], second["y67"]) == ("", "", "")


def test_records_after_ctrl_c(tmp_path, record):
    with pytest.raises(KeyboardInterrupt):
        record_all(tmp_path / "out.jsonl", [record], KeyboardInterrupt)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1


def test_records_after_an_error(tmp_path, record):
    with pytest.raises(RuntimeError):
        record_all(tmp_path / "out.csv", [record], RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_no_records_is_a_result(tmp_path):
    open_records(tmp_path / "out.jsonl").close()
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_records_do_not_replace_an_input(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("older")
    with pytest.raises(FacewarpError, match="same file"):
        open_records(path, inputs=[path])
    with pytest.raises(FacewarpError, match=r"jsonl or \.csv"):
        open_records(tmp_path / "out.txt")
    assert [left.name for left in tmp_path.iterdir()] == ["in.csv"]


def test_records_know_their_fields(tmp_path):
    with pytest.raises(ValueError, match="age"):
        record_all(tmp_path / "out.csv", [{"age": 3}])
    with pytest.raises(ValueError, match="landmarks"):
        record_all(tmp_path / "out.csv", [{"landmarks": np.zeros((5, 2))}])
    assert list(tmp_path.iterdir()) == []


class TestColorProfiles:
    """Pictures of other colors than sRGB, such as those of phones."""

    PROFILE = rgb_profile(PROPHOTO, 1.8)

    @pytest.fixture
    def wide(self, tmp_path):
        PIL.Image.fromarray(IMAGE).save(tmp_path / "a.png", icc_profile=self.PROFILE)
        return tmp_path / "a.png"

    def passed(self, path, target, change=lambda frame: frame):
        with open_source(path) as source, open_sink(target, like=source) as sink:
            for frame in source:
                sink.write(change(frame))
        return None if target.is_dir() else PIL.Image.open(target)

    def test_codes_and_profile_stay(self, wide, tmp_path):
        for name in ("b.png", "b.tif"):
            done = self.passed(wide, tmp_path / name)
            assert done.info["icc_profile"] == self.PROFILE
            assert np.array_equal(np.asarray(done), IMAGE)
        self.passed(wide.parent, tmp_path / "out")
        done = PIL.Image.open(tmp_path / "out" / "a.png")
        assert np.array_equal(np.asarray(done), IMAGE)
        assert done.info["icc_profile"] == self.PROFILE

    def test_paint_has_its_own_color_there(self, wide, tmp_path):
        def painted(frame):
            red = np.full((2, 2, 3), (200, 40, 30), np.uint8)
            layer = EffectLayer((2, 2, 4, 4), red, np.full((2, 2), 255, np.uint8))
            return painted_deep(frame, frame.image, layer)

        done = self.passed(wide, tmp_path / "b.png", painted)
        stored = np.asarray(done)
        assert np.argwhere((stored != IMAGE).any(2)).tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]
        assert np.abs(stored[2, 2].astype(int) - (200, 40, 30)).max() > 20
        with open_source(tmp_path / "b.png") as again:
            shown = next(iter(again)).image
        assert np.abs(shown[2, 2].astype(int) - (200, 40, 30)).max() <= 2

    def test_other_pictures_in_their_place_are_srgb(self, wide, tmp_path):
        done = self.passed(wide, tmp_path / "b.png", lambda f: f.with_image(f.image.copy()))
        assert "icc_profile" not in done.info
        with open_source(wide) as source:
            assert np.array_equal(np.asarray(done), next(iter(source)).image)

    def test_what_holds_no_profile_is_srgb(self, wide, tmp_path):
        done = self.passed(wide, tmp_path / "b.bmp")
        with open_source(wide) as source:
            assert np.array_equal(np.asarray(done), next(iter(source)).image)
        assert not np.array_equal(np.asarray(done), IMAGE)
