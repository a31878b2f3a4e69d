"""``facewarp track`` on sequences, mixed folders and crowds: what is followed, and what is said."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face import detector
from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.media.sources import open_source


def run(*words):
    return CliRunner().invoke(app, ["track", *map(str, words)])


def well(*words):
    """Run, and see that all went well."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def crowd(portrait, columns=4, rows=2):
    image = np.full((rows * 160, columns * 180, 3), 108, np.uint8)
    for row in range(rows):
        for column in range(columns):
            portrait.draw(image, (90 + 180 * column, 80 + 160 * row), 0.8)
    return image


@pytest.fixture
def shots(folder, moving):
    """The moving head as numbered pictures, of which two are missing."""
    Path("shots").mkdir()
    for number, frame in enumerate(moving, start=20):
        if number not in (24, 25):
            PIL.Image.fromarray(frame).save(f"shots/f_{number:04d}.png")
    return "shots/f_%04d.png"


def records_of(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


# --- sequences


@pytest.mark.slow
def test_numbered_pictures_are_followed_as_one_clip(shots, folder):
    words = ("--fps", "10", "--out", "o.mp4", "--data", "o.jsonl")
    result = well("--json", shots, *words)
    told = json.loads(result.stdout)
    assert (told["frames"], told["faces"]) == (8, 1)
    assert "2 numbers are missing (24 to 25)" in result.stderr
    records = records_of("o.jsonl")
    numbers = [20, 21, 22, 23, 26, 27, 28, 29]
    assert [record["frame"] for record in records] == numbers
    assert [record["file"] for record in records] == [f"f_{number:04d}.png" for number in numbers]
    assert {record["face"] for record in records} == {0}
    times = [frame.time for frame in open_source("o.mp4")]
    assert times == pytest.approx([(number - 20) / 10 for number in numbers], abs=1e-3)


def test_pictures_of_a_folder_stay_apart_and_name_their_files(shots, folder):
    result = well("--json", "shots", "--out", "out", "--data", "o.csv")
    assert json.loads(result.stdout)["faces"] == 8
    with open("o.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(os.listdir("shots"))
    assert [row["frame"] for row in rows] == [str(number) for number in range(8)]


def test_a_folder_of_clips_and_pictures_goes_to_any_folder_that_is_no_file(talk, moving, folder):
    Path("in").mkdir()
    Path("in/talk.mp4").write_bytes(Path(talk).read_bytes())
    PIL.Image.fromarray(moving[0]).save("in/p.png")
    well("in", "--out", "results.v2", "--end", "0.1")
    assert sorted(os.listdir("results.v2")) == ["p.png", "talk.mp4"]
    result = run("in", "--out", "results.mp4")
    assert result.exit_code == 1
    assert "needs a folder to write to (results.mp4)" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "o.mp4"], True),
        (["--out", "o.mp4", "--fps", "25"], False),
        (["--out", "o"], False),
    ],
)
def test_a_video_of_pictures_that_are_not_followed_is_said(shots, folder, words, said):
    result = run("shots", *words)
    assert result.exit_code == 0, result.stderr
    assert ("give --fps if they are a clip" in result.stderr) == said


def test_pictures_of_several_sizes_become_one_video(portrait, folder):
    Path("in").mkdir()
    PIL.Image.fromarray(portrait.frame()).save("in/a.png")
    PIL.Image.fromarray(portrait.frame(size=(200, 300), at=(100, 150))).save("in/b.png")
    result = well("in", "--out", "o.mp4")
    assert "pictures of 2 sizes" in result.stderr
    assert open_source("o.mp4").size == (320, 300)


def test_an_animated_picture_is_followed_and_stays_one(moving, folder):
    first, *others = map(PIL.Image.fromarray, moving[:4])
    first.save("a.webp", save_all=True, append_images=others, duration=80, quality=95)
    well("a.webp", "--data", "o.jsonl")
    assert [record["face"] for record in records_of("o.jsonl")] == [0] * 4
    with PIL.Image.open("a-labels.webp") as written:
        assert written.n_frames == 4


def test_a_cut_out_keeps_its_alpha_and_hides_what_it_hid(portrait, folder):
    image = portrait.frame()
    alpha = np.zeros(image.shape[:2], np.uint8)
    alpha[40:200, 80:240] = 255
    PIL.Image.fromarray(np.dstack([image, alpha])).save("cut.png")
    well("cut.png", "--out", "o.png", "--effect", "texture", "--texture", "tiger")
    written = np.asarray(PIL.Image.open("o.png"))
    assert np.array_equal(written[..., 3], alpha)
    assert not written[:30].any()
    result = well("cut.png", "--out", "o.jpg")
    assert "transparency is not kept in .jpg" in result.stderr


# --- crowds


@pytest.mark.slow
def test_more_faces_than_are_followed_are_said_once_with_their_number(portrait, folder):
    PIL.Image.fromarray(crowd(portrait)).save("ten.png")
    result = well("--json", "ten.png", "--out", "o.png")
    told = json.loads(result.stdout)
    assert (told["faces"], told["faces_left_out"]) == (5, 3)
    assert result.stderr.count("8 faces were seen at once") == 1
    assert "--faces 8 or --faces all" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("faces", ["all", "8"])
def test_all_faces_can_be_followed(portrait, folder, faces):
    PIL.Image.fromarray(crowd(portrait)).save("ten.png")
    result = well("--json", "ten.png", "--out", "o.png", "--faces", faces)
    told = json.loads(result.stdout)
    assert (told["faces"], told["faces_left_out"]) == (8, 0)
    assert "seen at once" not in result.stderr


@pytest.mark.parametrize("faces", ["0", "-1", "some", "nan"])
def test_numbers_of_faces_that_are_none_are_usage_errors(photo, faces):
    result = run(photo, "--faces", faces)
    assert result.exit_code == 2
    assert "--faces" in result.stderr


# --- mixed folders


@pytest.mark.slow
def test_a_folder_of_all_kinds_of_files_tells_one_line_each(
    folder, moving, photo, write_clip, write_tiled
):
    place = Path("kinds")
    place.mkdir()
    write_clip(place / "clip.mp4", moving[:4])
    write_clip(place / "clip.mkv", moving[:4])
    frames = [PIL.Image.fromarray(frame) for frame in moving[:3]]
    frames[0].save(place / "anim.webp", save_all=True, append_images=frames[1:], duration=40)
    frames[0].save(place / "pages.tif", save_all=True, append_images=frames[1:])
    frames[0].save(place / "photo.jpg")
    frames[0].save(place / "photo.png")
    write_tiled(place / "photo.heic", moving[0], "HEIF")
    write_tiled(place / "tiles.avif", moving[0], "AVIF")
    (place / "broken.mov").write_bytes(b"\0\0\0\x18ftypqt  " + bytes(40))
    (place / "empty.png").touch()
    (place / "raw.nef").write_bytes(b"MM\0*" + bytes(20))
    (place / "notes.txt").write_text("x")
    result = run("--json", place, "--out", "out", "--data", "data")
    told = {Path(one["input"]).name: one for one in map(json.loads, result.stdout.splitlines())}
    assert sorted(told) == sorted(os.listdir(place))
    assert result.exit_code == 1
    assert {name for name, one in told.items() if "error" in one} == {
        "broken.mov", "empty.png", "raw.nef",
    }  # fmt: skip
    assert told["notes.txt"]["skipped"] == "no picture or video"
    good = {name: one for name, one in told.items() if "output" in one}
    assert {name: (one["frames"], one["faces"]) for name, one in good.items()} == {
        "clip.mp4": (4, 1), "clip.mkv": (4, 1), "anim.webp": (3, 1), "pages.tif": (3, 1),
        "photo.jpg": (1, 1), "photo.png": (1, 1), "photo.heic": (1, 1), "tiles.avif": (1, 1),
    }  # fmt: skip
    assert sorted(os.listdir("out")) == sorted(
        "photo.heic.jpg" if name == "photo.heic" else name for name in good
    )
    assert len(os.listdir("data")) == 8
    assert "3 of 11 files could not be tracked" in result.stderr


def test_a_mixed_folder_wants_a_folder_to_write_to(folder, moving, write_clip):
    Path("kinds").mkdir()
    write_clip(Path("kinds/clip.mp4"), moving[:2])
    for out in ("o.mp4", "kinds"):
        result = run("kinds", "--out", out)
        assert result.exit_code == 1
        assert "folder" in result.stderr


# --- values that are none


@pytest.mark.parametrize("name", ["--start", "--end"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_times_that_are_not_finite_are_refused(talk, folder, name, value):
    result = run(talk, name, value)
    assert result.exit_code == 1
    assert "internal" not in result.stderr
    assert os.listdir() == []


@pytest.mark.parametrize("asked", ["auto", "openvino", "opencv", "mediapipe"])
def test_every_detector_that_is_asked_for_finds_the_face(photo, asked, monkeypatch):
    made = []
    make = detector.make_network
    monkeypatch.setattr(
        detector, "make_network", lambda name, score: made.append(name) or make(name, score)
    )
    well(photo, "--out", "marked.png", "--data", "found.jsonl", "--detector", asked)
    assert set(made) == {asked}
    (face,) = map(json.loads, Path("found.jsonl").read_text().splitlines())
    assert face["state"] == "tracking"


def test_options_that_change_nothing_are_named(photo):
    options = ["--fps", 30, "--audio", "none", "--keep-hdr"]
    result = run(photo, "--out", "plain.png", *options)
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: --fps and --audio none and --keep-hdr: of no use here")
    assert run(photo, "--out", "plain.png").stderr == ""


@pytest.mark.parametrize(("more", "is_told"), [((), True), (("--tracks", "t.nk"), False)])
def test_a_first_number_that_nothing_counts_from_is_named(photo, more, is_told):
    result = run(photo, "--out", "plain.png", "--first-frame", 1001, *more)
    assert result.exit_code == 0
    assert ("--first-frame: of no use here" in result.stderr) == is_told


def test_the_rate_of_a_picture_is_of_use_to_a_video_of_it(photo):
    result = run(photo, "--out", "still.mp4", "--fps", 10)
    assert (result.exit_code, result.stderr) == (0, "")
    with open_source("still.mp4") as source:
        assert source.rate == 10


def test_names_with_a_nul_are_refused(photo):
    refused = run("a\0.mp4")
    assert refused.exit_code == 2
    assert "embedded null" in refused.stderr  # "... byte", and from Python 3.13 on "... character"
    result = run("photo.png", "--out", "b\0.png")
    assert result.exit_code == 1
    assert "no file has such a name" in result.stderr


# --- expressions


def test_expressions_have_a_row_a_frame_and_count_from_the_neutral(moving, folder, write_clip):
    write_clip(Path("clip.mp4"), moving[:6])
    well("clip.mp4", "--expressions", "plain.csv")
    told = json.loads(
        well("clip.mp4", "--expressions", "own.csv", "--neutral", "0", "--json").stdout
    )
    assert told["expressions"] == "own.csv"
    assert sorted(os.listdir()) == ["clip.mp4", "own.csv", "plain.csv"]
    tables = {}
    for name in ("plain.csv", "own.csv"):
        with Path(name).open(newline="") as file:
            tables[name] = list(csv.DictReader(file))
    assert [row["frame"] for row in tables["own.csv"]] == [str(n) for n in range(6)]
    assert {row["calibrated"] for row in tables["plain.csv"]} == {"0"}
    first = tables["own.csv"][0]
    assert first["calibrated"] == "1"
    assert max(float(first[name]) for name in EXPRESSIONS if not name.startswith("eyeLook")) < 0.1
    assert all(0 <= float(row["jawOpen"]) <= 1 for row in tables["plain.csv"])


def test_expressions_are_a_table_of_one_clip(moving, folder, write_clip):
    write_clip(Path("a.mp4"), moving[:2])
    write_clip(Path("b.mp4"), moving[:2])
    result = run("a.mp4", "--expressions", "a.xlsx")
    assert result.exit_code == 1
    assert ".csv or .jsonl" in result.stderr
    assert run("a.mp4", "b.mp4", "--out", "o", "--expressions", "x.csv").exit_code == 1
    result = run("a.mp4", "--expressions", "a.csv", "--neutral", "90")
    assert result.exit_code == 1
    assert "90" in result.stderr
    assert sorted(os.listdir()) == ["a.mp4", "b.mp4"]
