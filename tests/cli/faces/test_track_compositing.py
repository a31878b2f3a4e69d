"""`facewarp track` for compositors: the effect alone, passes, tracks, numbered pictures."""

import csv
import json
import os
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import PIL.Image
import pygltflib
import pytest
from fixtures.clips import write_narrow
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.clips.clip import pass_output
from facewarp.clips.clip.even_pace import Pace
from facewarp.media.sources import open_source, read_video

TIGER = ("--effect", "texture", "--texture", "tiger")


def run(*words):
    return CliRunner().invoke(app, ["track", *map(str, words)])


def well(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def laid_over(rgba, below):
    share = rgba[..., 3:] / 255.0
    return below * (1 - share) + rgba[..., :3] * share


def picture_of(path):
    return np.array(PIL.Image.open(path))


@pytest.fixture
def oiio():
    pytest.importorskip("OpenEXR")
    return pytest.importorskip("OpenImageIO")


def plane(oiio, path, name):
    """(H, W) of the display window."""
    picture = oiio.ImageBuf(str(path))
    spec, pixels = picture.spec(), picture.get_pixels(oiio.FLOAT)
    out = np.zeros((spec.full_height, spec.full_width))
    rows, columns = slice(spec.y, spec.y + spec.height), slice(spec.x, spec.x + spec.width)
    out[rows, columns] = pixels[..., spec.channelnames.index(name)]
    return out


def test_passes_of_a_clip_tell_its_motion(talk, folder, oiio):
    result = well(talk, "--passes", "p/shot.####.exr", "--end", "0.12", "--json")
    assert sorted(os.listdir(folder)) == ["p"]  # no picture that nobody asked for
    names = sorted(os.listdir("p"))
    assert names == [f"shot.{number:04d}.exr" for number in range(1, 4)]
    assert json.loads(result.stdout)["passes"] == str(Path("p/shot.####.exr"))
    second = Path("p") / names[1]
    inside = plane(oiio, second, "matte.A") > 0.9
    assert inside.sum() > 1500
    assert np.median(plane(oiio, second, "forward.u")[inside]) == pytest.approx(5, abs=0.5)
    assert np.median(plane(oiio, second, "backward.u")[inside]) == pytest.approx(-5, abs=0.5)
    assert abs(np.median(plane(oiio, second, "forward.v")[inside])) < 0.5
    assert plane(oiio, second, "face_id00.G")[inside].min() > 0.85
    assert plane(oiio, second, "A").max() > 0.3  # the effect itself
    assert not plane(oiio, Path("p") / names[2], "forward.u").any()

    times = {name: (Path("p") / name).stat().st_mtime_ns for name in names}
    second.write_bytes(second.read_bytes()[:5000])
    well(talk, "--passes", "p/shot.####.exr", "--end", "0.12", "--resume")
    again = {name: (Path("p") / name).stat().st_mtime_ns for name in names}
    assert [name for name in names if again[name] != times[name]] == [names[1]]
    assert (plane(oiio, second, "forward.u") != 0).any()


@pytest.mark.slow
def test_ctrl_c_keeps_the_passes_that_were_begun_and_no_false_ones(talk, folder, oiio, monkeypatch):
    add, calls = pass_output.PassOutput.add, []

    def stopped(self, *arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        add(self, *arguments)

    words = (talk, "--passes", "p.#.exr", "--end", "0.16")
    monkeypatch.setattr(pass_output, "cores", lambda: 4)  # several frames in the making
    monkeypatch.setattr(pass_output.PassOutput, "add", stopped)
    assert run(*words).exit_code == 130
    assert sorted(os.listdir(folder)) == ["p.1.exr", "p.2.exr"]  # of the third no motion is known
    monkeypatch.setattr(pass_output.PassOutput, "add", add)
    well(*words, "--resume")
    for number in (1, 2, 3):
        inside = plane(oiio, f"p.{number}.exr", "matte.A") > 0.9
        moved = plane(oiio, f"p.{number}.exr", "forward.u")[inside]
        assert np.median(moved) == pytest.approx(5, abs=0.5)
    assert len(os.listdir(folder)) == 4


def test_passes_of_a_picture_need_no_number(photo, folder, oiio):
    well(photo, "--passes", "p.exr", "--first-frame", "0")
    assert plane(oiio, "p.exr", "matte_nose.A").max() > 0.9


def test_a_clip_without_a_face_has_empty_passes(write_clip, folder, oiio):
    grey = [np.full((48, 64, 3), 90, np.uint8)] * 2
    write_clip(folder / "none.mp4", grey)
    result = well("none.mp4", "--passes", "p.#.exr")
    assert "no face was found" in result.output
    assert not plane(oiio, "p.2.exr", "matte.A").any()


@pytest.mark.slow
def test_prores_with_alpha_over_the_clip_is_the_picture(talk, folder):
    well(talk, "--alpha", "effect.mov", "--out", "all/f_%04d.png", *TIGER, "--end", "0.12")
    with av.open("effect.mov") as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "prores"
        assert stream.codec_context.pix_fmt.startswith("yuva444p1")
        effects = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    frames = [frame.image for frame in read_video(talk, end=0.12)]
    assert len(effects) == len(frames) == 3
    for number, (effect, frame) in enumerate(zip(effects, frames, strict=True), start=1):
        whole = picture_of(f"all/f_{number:04d}.png")
        apart = np.abs(laid_over(effect, frame) - whole)
        assert (whole != frame).any()
        assert apart.mean() < 0.25
        assert np.percentile(apart, 99) <= 6


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_numbered_pictures_of_the_effect_alone_are_straight(talk, folder, suffix):
    words = ("--out", "all.##.png", "--alpha", f"e.##{suffix}", "--end", "0.08")
    well(talk, *words, *TIGER, "--first-frame", "9")
    frame = next(iter(read_video(talk))).image
    effect, whole = picture_of(f"e.09{suffix}"), picture_of("all.09.png")
    assert effect.shape == (*frame.shape[:2], 4)
    assert np.abs(laid_over(effect, frame) - whole).max() <= 1
    outside = effect[..., 3] == 0
    assert (whole[outside] == frame[outside]).all()


@pytest.mark.slow
def test_webm_holds_the_effect_alone(talk, folder):
    well(talk, "--alpha", "e.webm", "--end", "0.08", *TIGER)
    first = next(iter(read_video("e.webm")))
    assert first.alpha is not None
    assert 0.01 < (first.alpha > 128).mean() < 0.5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--alpha", "e.mp4"), "holds no alpha"),
        (("--alpha", "e.png"), "needs a number"),
        (("--alpha", "e.%03d.jpg"), "holds no alpha"),
        (("--passes", "p.exr"), "needs a number"),
        (("--passes", "p.##.png"), "written as OpenEXR"),
        (("--alpha", "e.mov", "--effect", "canonical"), "replaces the frame"),
    ],
)
def test_what_can_not_be_written_is_one_clear_line(talk, folder, words, told):
    result = run(talk, *words)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
    assert os.listdir(folder) == []


def test_two_inputs_have_no_passes_of_one_name(talk, folder):
    result = run(talk, talk, "--out", "o", "--passes", "p.##.exr")
    assert result.exit_code == 1
    assert "one input" in result.output


@pytest.mark.slow
def test_tracks_of_a_clip_are_written_for_each_program(talk, folder):
    words = [w for name in ("a.nk", "a.txt", "b/a.py") for w in ("--tracks", name)]
    result = well(talk, *words, "--end", "0.2", "--first-frame", "101", "--json")
    assert json.loads(result.stdout)["tracks"] == ["a.nk", "a.txt", str(Path("b/a.py"))]
    assert sorted(os.listdir(folder)) == ["a.nk", "a.txt", "b"]
    assert "name face0_landmarks" in Path("a.nk").read_text()
    assert "{curve x101 " in Path("a.nk").read_text()
    assert Path("a.txt").read_text().startswith("Adobe After Effects 8.0 Keyframe Data")
    compile(Path("b/a.py").read_text(), "a.py", "exec")


def test_tracks_without_a_face_are_said_to_be_missing(write_clip, folder):
    write_clip(folder / "none.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 2)
    result = well("none.mp4", "--tracks", "a.nk")
    assert "no face to track" in result.output
    assert not Path("a.nk").exists()


def test_numbers_of_a_cut_clip_say_where_they_begin(talk, folder):
    told = "their frame 1 is frame 4 of the whole clip; --first-frame 4 counts as that does"
    assert told in well(talk, "--tracks", "a.nk", "--start", "0.1", "--end", "0.2").output
    words = (talk, "--tracks", "a.nk", "--end", "0.2")
    assert "whole clip" not in well(*words).output
    assert "whole clip" not in well(*words, "--start", "0.1", "--first-frame", "4").output
    assert "{curve x4 " in Path("a.nk").read_text()


@pytest.mark.parametrize(
    ("ticks", "start", "told"),
    [
        ([*range(10)], 0.2, "is frame 6 of the whole clip; --first-frame 6 "),
        ([*range(25, 35)], 1.2, "is frame 6 of the whole clip; --first-frame 6 "),  # begins late
        ([*range(6), *range(10, 40, 5)], 0.4, "is the one at 0.4 s of the clip"),
        ([0, *range(30, 45)], 1.4, "is the one at 1.4 s of the clip"),
    ],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_where_a_cut_clip_begins_is_counted_from_its_first_picture(
    make_clip, ticks, start, told, name
):
    path = make_clip(name, ticks=ticks, sound="aac" if ticks[0] else None)
    with open_source(path, start) as source:
        Pace(source).add(next(iter(source)))
        (note,) = source.notes
    assert told in note


def test_a_format_of_tracks_that_is_not_known_is_said(talk, folder):
    result = run(talk, "--tracks", "a.mocha")
    assert result.exit_code == 1
    assert "no format of tracks" in result.output


@pytest.mark.slow
def test_numbered_exr_plates_are_tracked_and_painted_in_light(folder, moving, oiio):
    Path("plate").mkdir()
    for number, picture in enumerate(moving[:3], start=1001):
        code = picture / np.float32(255)
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
        light[:20] = 7.5  # a light above the face
        spec = oiio.ImageSpec(320, 240, 3, oiio.HALF)
        spec.attribute("PixelAspectRatio", 1.0)
        buffer = oiio.ImageBuf(spec)
        buffer.set_pixels(spec.roi, light.astype(np.float32))
        assert buffer.write(f"plate/p.{number}.exr")
    words = ("--fps", "24", "--out", "o/g.####.exr", "--data", "d.jsonl", *TIGER)
    well("plate/p.####.exr", *words)
    assert sorted(os.listdir("o")) == ["g.1001.exr", "g.1002.exr", "g.1003.exr"]
    before, after = (
        oiio.ImageBuf(name).get_pixels(oiio.FLOAT) for name in ("plate/p.1002.exr", "o/g.1002.exr")
    )
    changed = (before != after).any(-1)
    assert 0.02 < changed.mean() < 0.4
    assert (after[:20] == before[:20]).all()
    records = [json.loads(line) for line in Path("d.jsonl").read_text().splitlines()]
    assert [record["frame"] for record in records] == [1001, 1002, 1003]
    assert {record["face"] for record in records} == {0}  # one face, followed


@pytest.mark.slow
def test_prores_in_and_out_keeps_ten_bits_beside_the_face(folder, moving):
    with av.open("ten.mov", "w") as container:
        stream = container.add_stream("prores_ks", rate=25, width=320, height=240)
        stream.pix_fmt = "yuv422p10le"
        for picture in moving[:3]:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv422p10le")))
        container.mux(stream.encode(None))
    result = well("ten.mov", "--out", "out.mov", "--codec", "prores422", "--json")
    assert json.loads(result.stdout)["notes"] == []
    planes = []
    for name in ("ten.mov", "out.mov"):
        with av.open(name) as container:
            assert container.streams.video[0].codec_context.pix_fmt == "yuv422p10le"
            first = next(container.decode(video=0)).reformat(format="gbrp16le")
            planes.append(first.to_ndarray().astype(int))
    beside = np.abs(planes[0] - planes[1])[:, :40]  # rows above the head
    assert np.percentile(beside, 95) < 130
    assert "10 bits a channel: read and written with 8" in well("ten.mov", "--out", "b.mp4").stderr


def test_a_clip_whose_pictures_change_size_keeps_what_was_written(folder, portrait, oiio):
    for number, size in ((1, (160, 120)), (2, (160, 120)), (3, (200, 120))):
        picture = portrait.frame((80, 60), 0.5, size=size)
        PIL.Image.fromarray(picture).save(f"f.{number}.png")
    result = run("f.#.png", "--passes", "p.#.exr")
    assert result.exit_code == 1
    assert "picture 3 has 200x120 pixels, the passes 160x120" in result.output
    assert sorted(path.name for path in Path().glob("*.exr")) == ["p.1.exr", "p.2.exr"]
    assert plane(oiio, "p.2.exr", "matte.A").max() > 0.5


def test_pixels_that_are_not_square_change_neither_landmarks_nor_pose(folder, moving):
    told = {}
    for name, aspect in (("square.mp4", 1), ("wide.mp4", 2)):
        write_narrow(name, moving[:2], aspect, 8)
        words = "--expressions", "e.csv", "--data", "d.jsonl", "--tracks", "t.glb"
        well(name, *words, "--neutral", "0")
        rows = list(csv.DictReader(Path("e.csv").read_text().splitlines()))
        points = np.array(json.loads(Path("d.jsonl").read_text().splitlines()[-1])["landmarks"])
        mesh = pygltflib.GLTF2().load("t.glb")
        told[aspect] = rows[-1], (points + 0.5) * (aspect, 1) - 0.5, mesh
    (pose, points, mesh), (other_pose, other_points, other_mesh) = told[1], told[2]
    np.testing.assert_allclose(other_points, points, atol=1.5)
    for angle in ("head_pitch_deg", "head_yaw_deg", "head_roll_deg"):
        assert float(other_pose[angle]) == pytest.approx(float(pose[angle]), abs=4)
    assert float(other_pose["head_z_cm"]) == pytest.approx(float(pose["head_z_cm"]), rel=0.03)
    lens, other_lens = mesh.cameras[0].perspective, other_mesh.cameras[0].perspective
    assert other_lens.aspectRatio == pytest.approx(lens.aspectRatio) == pytest.approx(4 / 3)
    assert other_lens.yfov == pytest.approx(lens.yfov)
    for one in (mesh, other_mesh):
        place = one.accessors[one.meshes[0].primitives[0].attributes.POSITION]
        width, height, _ = np.subtract(place.max, place.min)
        assert 0.7 < width / height < 1.2


@pytest.mark.slow
def test_frames_that_do_not_come_evenly_are_said_where_frames_are_counted(folder, moving):
    with av.open("phone.mkv", "w") as container:
        stream = container.add_stream("libx264", rate=25, width=320, height=240)
        for number, picture in enumerate(moving[:4]):
            shown = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            shown.pts, shown.time_base = number + 4 * (number > 1), Fraction(1, 25)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    result = well("phone.mkv", "--tracks", "t.nk", "--json")
    (note,) = json.loads(result.stdout)["notes"]
    assert "frame 3 is 4.0 frames later" in note
    assert "fps_mode cfr" in note
    assert json.loads(well("phone.mkv", "--tracks", "t.glb", "--json").stdout)["notes"] == []
    file = pygltflib.GLTF2().load("t.glb")
    assert file.accessors[file.animations[0].samplers[0].input].max[0] == pytest.approx(7 / 25)


@pytest.mark.parametrize(
    ("steps_ms", "told"), [((20, 60), "0.5"), ((33, 34, 33), ""), ((35, 45), "")]
)
def test_steps_that_cancel_out_are_said_where_they_are_large(steps_ms, told):
    source = SimpleNamespace(fps=1000 / np.mean(steps_ms), notes=[], start=None, first_s=0.0)
    source.note = source.notes.append
    pace = Pace(source)
    times = np.cumsum([0, *(40 * steps_ms)])
    for time in times:
        pace.add(SimpleNamespace(time=float(time) / 1000))
    assert len(source.notes) == bool(told)
    assert all(f"comes {told} frames after the one before" in note for note in source.notes)


def test_one_lost_frame_is_said_though_the_average_rate_hides_it(folder):
    shade = np.full((48, 64, 3), 90, np.uint8)
    for name, numbers in (("whole.mp4", range(40)), ("lost.mp4", [*range(20), *range(21, 40)])):
        with av.open(name, "w") as container:
            stream = container.add_stream("libx264", rate=25, width=64, height=48)
            for number in numbers:
                shown = av.VideoFrame.from_ndarray(shade, format="rgb24")
                shown.pts, shown.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(shown.reformat(format="yuv420p")))
            container.mux(stream.encode(None))
    source = open_source("lost.mp4")
    pace = Pace(source)
    for frame in source:
        pace.add(frame)
    (note,) = source.notes
    assert "frame 21 comes 1.9 frames after the one before" in note
    even = open_source("whole.mp4")
    pace = Pace(even)
    for frame in even:
        pace.add(frame)
    assert even.notes == []


def test_a_neutral_second_that_is_not_there_is_said_of_its_option(folder, talk, photo):
    for path, told in (
        (talk, "--neutral is 99 s, but the video ends at 0.40 s"),
        (photo, "--neutral is a second of a clip, and pictures have none"),
    ):
        result = run(path, "--expressions", "e.csv", "--neutral", "99")
        assert result.exit_code == 1
        assert told in " ".join(result.output.split())
        assert "Start earlier" not in result.output
        assert not Path("e.csv").exists()


@pytest.mark.parametrize("kind", ["folder", "numbered", "animation"])
def test_a_neutral_second_of_pictures_goes_by_their_own_rate(folder, kind):
    pictures = [PIL.Image.fromarray(np.full((8, 8, 3), 20 * n, np.uint8)) for n in range(8)]
    if kind == "animation":
        pictures[0].save("a.gif", save_all=True, append_images=pictures[1:], duration=500)
        source = open_source("a.gif")
    else:
        for number, picture in enumerate(pictures):
            picture.save(f"p.{number}.png")
        source = open_source("." if kind == "folder" else "p.#.png", fps=2)
    frame = next(iter(source.opened_at(1.5)))
    assert frame.time == 1.5
    assert frame.image.mean() == pytest.approx(60, abs=2)


def test_all_files_that_are_written_beside_the_picture_are_named(talk, folder):
    words = ("--tracks", "a.nk", "--tracks", "b.txt", "--expressions", "c.csv")
    told = well(talk, *words, "--end", "0.1").output
    assert "a.nk: 3 frames" in told or "c.csv: 3 frames" in told
    for name in ("a.nk", "b.txt", "c.csv"):
        assert Path(name).is_file()
        assert name in told
    assert "beside it: " in told
