"""``facewarp track`` from its arguments to what lies in the folder afterwards."""

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from fixtures.clips import write_narrow
from typer.testing import CliRunner

from facewarp.cli.app import app, load_command
from facewarp.cli.faces.track import track
from facewarp.clips.clip import track_video
from facewarp.face.effects.canonical import CANONICAL_SHAPE
from facewarp.face.effects.options import EFFECT_NAMES
from facewarp.face.image_formats import to_rgb
from facewarp.face.tracking.track import OFFLINE
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.media.sources import read_video

EXAMPLES = [line.strip() for line in (track.__doc__ or "").splitlines() if "facewarp track" in line]


def run(*words):
    return CliRunner().invoke(app, ["track", *map(str, words)])


def well(*words):
    """Run, and see that all went well."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def decoded(path):
    """Times, stored turns and upright pictures of a video."""
    frames = list(read_video(path))
    return [f.time for f in frames], {f.rotation for f in frames}, [f.image for f in frames]


def sound_of(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio) if p.size]


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int)).mean(axis=-1)


def picture_of(path):
    return np.array(PIL.Image.open(path).convert("RGB"))


# --- videos


def test_a_video_keeps_its_frames_times_and_sound(talk, folder):
    result = well(talk, "--out", "tracked.mp4", "--data", "track.jsonl")
    assert sorted(os.listdir(folder)) == ["track.jsonl", "tracked.mp4"]
    assert "tracked.mp4: 10 frames" in result.stdout
    assert "1 face, mean confidence 0." in result.stdout
    assert result.stderr == ""
    (times, _, pictures), (old_times, _, old_pictures) = map(decoded, ("tracked.mp4", talk))
    assert times == pytest.approx(old_times, abs=1e-5)
    assert sound_of("tracked.mp4") == sound_of(talk)
    records = [json.loads(line) for line in Path("track.jsonl").read_text().splitlines()]
    assert [(r["frame"], r["face"], r["state"]) for r in records] == [
        (frame, 0, "tracking") for frame in range(10)
    ]
    assert [r["time_s"] for r in records] == pytest.approx(times, abs=1e-5)
    for record, before, after in zip(records, old_pictures, pictures, strict=True):
        assert np.shape(record["landmarks"]) == (68, 2)
        x0, y0, x1, y1 = map(round, record["box"])
        changed = difference(before, after)
        assert changed[y0:y1, x0:x1].mean() > 8
        assert changed[:, :40].mean() < 2  # the background
    moved = np.diff([np.mean(record["landmarks"], 0) for record in records], axis=0)
    np.testing.assert_allclose(moved.mean(0), (5, 0), atol=0.6)


def test_what_no_effect_touches_is_kept_bit_for_bit(talk, folder):
    well(talk, "--out", "same.mp4", "--quality", "100", "--end", "0.1")
    _, _, pictures = decoded("same.mp4")
    _, _, before = decoded(talk)
    for old, new in zip(before, pictures, strict=False):
        changed = difference(old, new) > 0
        assert 0.02 < changed.mean() < 0.35
        assert not changed[:, :40].any()


@pytest.mark.parametrize(
    "options",
    [
        {"rate": Fraction(30_000, 1001)},
        {"ticks": [0, 1, 2, 5, 6, 12, 13, 14, 20, 31], "time_base": Fraction(1, 30)},
        {"turn": 90},
        {"turn": 270},
    ],
    ids=["29.97", "variable rate", "90 degrees", "270 degrees"],
)
def test_times_and_turns_of_any_video_are_kept(write_clip, moving, folder, options):
    clip = write_clip(folder / "clip.mp4", moving, **options)
    well("clip.mp4", "--out", "out.mp4", "--data", "track.jsonl")
    (times, turns, pictures), (old_times, old_turns, old_pictures) = map(decoded, ("out.mp4", clip))
    assert times == pytest.approx(old_times, abs=1e-5)
    assert turns == old_turns == {options.get("turn", 0)}
    assert pictures[0].shape == old_pictures[0].shape == (240, 320, 3)
    records = [json.loads(line) for line in Path("track.jsonl").read_text().splitlines()]
    assert [record["state"] for record in records] == ["tracking"] * 10
    assert [record["frame"] for record in records] == list(range(10))
    assert [record["time_s"] for record in records] == pytest.approx(old_times, abs=1e-3)


def test_a_part_of_a_video_can_be_tracked(talk, folder):
    result = well("--json", talk, "--out", "part.mp4", "--start", "0.1", "--end", "0.25")
    assert json.loads(result.stdout)["frames"] == 4  # at 0.12, 0.16, 0.20 and 0.24 s
    assert decoded("part.mp4")[0] == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-5)


def test_what_is_said_as_json_is_one_value(talk, folder):
    result = well("--json", talk, "--out", "out.mp4", "--data", "out.csv", "--faces", "1")
    told = json.loads(result.stdout)
    assert told.pop("seconds") > 0
    assert told.pop("fps") > 0
    assert 0.7 < told.pop("mean_confidence") <= 1
    assert told == {
        "input": str(talk),
        "output": "out.mp4",
        "data": "out.csv",
        "alpha": None,
        "passes": None,
        "tracks": [],
        "expressions": None,
        "frames": 10,
        "frames_without_face": 0,
        "faces": 1,
        "faces_left_out": 0,
        "states": {"tracking": 10, "uncertain": 0, "lost": 0},
        "truncated": False,
        "notes": [],
    }
    assert "out.mp4" in result.stderr
    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert [int(row["frame"]) for row in rows] == list(range(10))
    assert float(rows[0]["x0"]) < float(rows[0]["x16"])


@pytest.mark.slow
def test_a_video_that_ends_early_is_tracked_as_far_as_it_goes(write_clip, moving, folder):
    write_clip("whole.ts", moving * 4, codec="mpeg2video")
    content = Path("whole.ts").read_bytes()
    middle = len(content) // 2
    Path("cut.ts").write_bytes(content[:middle] + bytes(4000) + content[middle + 4000 :])
    result = well("--json", "cut.ts", "--out", "out.mp4")
    told = json.loads(result.stdout)
    assert told["truncated"]
    assert told["frames"] == len(decoded("out.mp4")[0])
    assert "warning: cut.ts is damaged or cut short" in result.stderr


def test_the_canonical_view_has_a_size_of_its_own(talk, photo, folder):
    well(talk, "--out", "canonical.mp4", "--effect", "canonical")
    times, _, pictures = decoded("canonical.mp4")
    assert len(times) == 10
    assert pictures[0].shape[:2] == CANONICAL_SHAPE
    well(photo, "--out", "canonical.png", "--effect", "canonical")
    assert picture_of("canonical.png").shape[:2] == CANONICAL_SHAPE


# --- pictures


@pytest.mark.parametrize("effect", EFFECT_NAMES)
def test_every_effect_draws_something(photo, folder, effect):
    well(photo, "--out", "out.png", "--effect", effect)
    after = picture_of("out.png")
    before = picture_of(photo)
    assert after.shape != before.shape or difference(before, after)[90:160, 130:190].mean() > 3


def test_eyes_and_mouths_are_not_looked_at_closely_where_that_is_off(photo, folder):
    for name in ("on", "off"):
        well(photo, "-o", f"{name}.png", "--data", f"{name}.jsonl", "--details", name)
    told = {}
    for name in ("on", "off"):
        (line,) = Path(f"{name}.jsonl").read_text().splitlines()
        told[name] = np.array(json.loads(line)["landmarks"])
    with FaceTracker(config=OFFLINE, details=False) as tracker:
        (face,) = tracker(picture_of(photo))
    np.testing.assert_allclose(told["off"], face.landmarks, atol=0.01)
    apart = np.linalg.norm(told["on"] - told["off"], axis=1)
    assert apart[36:].max() > 0.1  # eyes and mouth
    assert apart[:17].max() < 0.01 * np.ptp(face.landmarks[:, 0])  # the jaw


def test_textures_opacity_and_tags(photo, folder):
    well(photo, "-o", "faint.png", "--effect", "texture", "--texture", "tiger", "--opacity", "0.1")
    well(photo, "-o", "full.png", "--effect", "texture", "--texture", "tiger")
    well(photo, "-o", "tagged.png", "--opacity", "0", "--tags")
    plain = picture_of(photo)
    faint, full = (
        difference(plain, picture_of(f"{name}.png")).mean() for name in ("faint", "full")
    )
    assert 0.02 * full < faint < 0.3 * full
    changed = difference(plain, picture_of("tagged.png"))
    assert changed[:90].max() > 20
    assert changed[100:].max() == 0


def test_how_a_texture_meets_the_frame_can_be_said(photo, folder):
    tiger = ("--effect", "texture", "--texture", "tiger")
    for blend in ("paint", "mask"):
        well(photo, "-o", f"{blend}.png", *tiger, "--blend", blend)
    well(photo, "-o", "usual.png", *tiger)
    usual, paint, mask = (picture_of(f"{name}.png") for name in ("usual", "paint", "mask"))
    assert difference(usual, paint).max() == 0
    assert difference(usual, mask).max() > 20
    assert run("track", photo, "--blend", "glow").exit_code == 2  # labels have no blend


def stored_as(kind, image, path):
    """Write a picture, and say how it comes out upright and in 8-bit RGB."""
    gray = PIL.Image.fromarray(image).convert("L")
    if kind == "grey":
        gray.save(path)
    elif kind == "grey 16 bit":
        PIL.Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(path)
    elif kind == "rgba":
        alpha = np.full(image.shape[:2], 120, np.uint8)
        PIL.Image.fromarray(np.dstack([image, alpha])).save(path)
    elif kind == "exif":
        exif = PIL.Image.Exif()
        exif[274] = 6  # to be turned clockwise
        PIL.Image.fromarray(np.rot90(image).copy()).save(path, exif=exif)
    return to_rgb(np.asarray(gray)) if "grey" in kind else image


@pytest.mark.parametrize("kind", ["grey", "grey 16 bit", "rgba", "exif"])
def test_pictures_of_every_kind_are_read_upright_in_color(portrait, folder, kind):
    upright = stored_as(kind, portrait.frame(), folder / "in.png")
    result = well("--json", "in.png", "--out", "out.png", "--effect", "mesh")
    assert json.loads(result.stdout)["states"]["tracking"] == 1
    after = picture_of("out.png")
    assert after.shape == upright.shape
    changed = difference(upright, after)
    assert changed[100:150, 140:180].mean() > 1
    assert changed[:, :40].max() == 0


def test_a_folder_becomes_a_folder(portrait, folder):
    (folder / "holiday").mkdir()
    for name, at in [("2.png", (100, 120)), ("10.png", (220, 120))]:
        PIL.Image.fromarray(portrait.frame(at)).save(folder / "holiday" / name)
    result = well("--json", "holiday/", "--out", "overlays/", "--data", "overlays.jsonl")
    told = json.loads(result.stdout)
    assert (told["frames"], told["faces"], told["states"]["lost"]) == (2, 2, 0)
    assert sorted(os.listdir("overlays")) == ["10.png", "2.png"]
    records = [json.loads(line) for line in Path("overlays.jsonl").read_text().splitlines()]
    assert [(record["frame"], record["face"]) for record in records] == [(0, 0), (1, 0)]
    assert [np.mean(r["landmarks"], 0)[0] for r in records] == pytest.approx([100, 220], abs=12)


@pytest.mark.slow
def test_a_picture_of_4k_is_tracked(portrait, folder):
    frame = portrait.frame((2900, 900), 2.0, size=(3840, 2160))
    PIL.Image.fromarray(frame).save("large.png", compress_level=1)
    told = json.loads(well("--json", "large.png", "--out", "out.png").stdout)
    assert told["states"]["tracking"] == 1
    assert picture_of("out.png").shape == (2160, 3840, 3)


def test_no_face_is_a_result(folder):
    gray = np.full((120, 160, 3), 99, np.uint8)
    PIL.Image.fromarray(gray).save("wall.png")
    result = well("wall.png", "--out", "out.png", "--data", "out.jsonl")
    assert result.stderr == "warning: no face was found in wall.png\n"
    assert "no face" in result.stdout
    np.testing.assert_array_equal(picture_of("out.png"), gray)
    (line,) = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (line.pop("frame"), line.pop("time_s"), line.pop("file")) == (0, 0.0, "wall.png")
    assert line  # the keys of a face
    assert set(line.values()) == {None}
    told = json.loads(well("--json", "wall.png", "--out", "out.png").stdout)
    assert (told["faces"], told["mean_confidence"], told["frames_without_face"]) == (0, None, 1)


# --- where it goes


@pytest.mark.slow
def test_without_out_the_result_is_named_after_input_and_effect(write_clip, moving, photo, folder):
    write_clip("old.avi", moving[:3], codec="mpeg4")
    (folder / "holiday").mkdir()
    PIL.Image.fromarray(moving[0]).save("holiday/a.png")
    well("photo.png", "--effect", "mesh")
    well("old.avi")
    well("holiday")
    assert sorted(os.listdir()) == [
        "holiday", "holiday-labels", "old-labels.mp4", "old.avi", "photo-mesh.png", "photo.png"
    ]  # fmt: skip


@pytest.mark.parametrize("out", ["results", "results/"])
def test_several_inputs_go_to_a_folder_with_their_data(talk, photo, folder, out):
    (folder / "holiday").mkdir()
    PIL.Image.fromarray(picture_of(photo)).save("holiday/a.png")
    result = well("--json", talk, photo, "holiday", "--out", out, "--data", out)
    assert [Path(told["output"]) for told in json.loads(result.stdout)] == [
        Path("results/talk.mp4"), Path("results/photo.png"), Path("results/holiday")
    ]  # fmt: skip
    assert sorted(os.listdir("results")) == [
        "holiday", "holiday.jsonl", "photo.jsonl", "photo.png", "talk.jsonl", "talk.mp4"
    ]  # fmt: skip


def test_one_input_goes_into_a_folder_if_the_name_is_one(photo, folder):
    well(photo, "--out", "new/", "--data", "new/")
    assert sorted(os.listdir("new")) == ["photo.jsonl", "photo.png"]


def test_a_name_like_markup_is_printed_as_it_is(photo, folder):
    assert "[red]x.png" in well(photo, "--out", "[red]x.png").stdout


# --- help


def test_help_shows_each_example_on_a_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    assert len(EXAMPLES) >= 5
    assert all(example in lines for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_understood(example):
    _, name, *words = shlex.split(example)
    command = load_command(name)
    assert command.make_context(name, words).params["inputs"]


# --- Ctrl-C


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for one process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_what_ends_it_leaves_a_video_that_plays_and_whole_records(write_clip, moving, folder, name):
    if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as under nohup, and so is it by what is started")
    write_clip("long.mp4", moving * 100)
    words = ["track", "long.mp4", "--out", "out.mp4", "--data", "out.jsonl", "--faces", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", "from facewarp.cli.app import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 120
        while not any(path.stat().st_size for path in folder.glob(".out.*.partial.jsonl")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    times, _, _ = decoded("out.mp4")
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert err == (
        f"interrupted: kept the first {len(times)} frames in out.mp4 and their data in out.jsonl\n"
    )
    assert 2 < len(times) < 1000
    assert len(times) - len(records) in (0, 1)
    assert [record["frame"] for record in records] == list(range(len(records)))
    assert sorted(os.listdir()) == ["long.mp4", "out.jsonl", "out.mp4"]


def test_ctrl_c_between_inputs_tells_what_is_finished(photo, folder, monkeypatch):
    PIL.Image.fromarray(picture_of(photo)).save("second.png")
    run_pass, calls = track_video.run_pass, []

    def once(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return run_pass(*arguments)

    monkeypatch.setattr(track_video, "run_pass", once)
    result = run("photo.png", "second.png", "--out", "new")
    assert result.exit_code == 130
    assert result.stderr == "interrupted: finished before: 1 of 2 inputs\n"
    assert Path("new/photo.png").exists()


# --- what becomes of sound and of HDR


def test_sound_can_be_left_out_or_converted(talk, folder):
    well(talk, "--out", "silent.mp4", "--audio", "none")
    with av.open("silent.mp4") as container:
        assert len(container.streams.audio) == 0
    well(talk, "--out", "opus.webm", "--audio", "convert")
    with av.open("opus.webm") as container:
        assert container.streams.audio[0].codec_context.name == "opus"
    assert run(talk, "--out", "out.mp4", "--audio", "loud").exit_code == 2


def test_hdr_can_be_kept_and_what_was_done_is_told(write_clip, moving, folder):
    write_clip("sdr.mp4", moving[:3])
    with av.open("sdr.mp4") as before, av.open("hlg.mov", "w") as container:
        stream = container.add_stream(
            "libx265", rate=25, width=320, height=240, pix_fmt="yuv420p10le",
            options={"x265-params": "log-level=none"},
        )  # fmt: skip
        codec = stream.codec_context
        codec.colorspace, codec.color_primaries, codec.color_trc = 9, 9, 18
        for number, picture in enumerate(before.decode(video=0)):
            picture = picture.reformat(format="yuv420p10le")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    told = json.loads(well("--json", "hlg.mov", "--out", "sdr.mov").stdout)
    assert "tone-mapped" in told["notes"][0]
    told = json.loads(well("--json", "hlg.mov", "--out", "hdr.mov", "--keep-hdr").stdout)
    assert "in its own colors" in told["notes"][0]
    for name, tags in (("sdr.mov", (1, 1, 1)), ("hdr.mov", (9, 9, 18))):
        with av.open(name) as container:
            picture = next(container.decode(video=0))
        assert (picture.colorspace, picture.color_primaries, picture.color_trc) == tags


def test_tags_are_lettered_in_proportion_on_pixels_that_are_not_square(moving, folder):
    widths = {}
    for name, aspect in (("square.mp4", 1), ("narrow.mp4", 2)):
        write_narrow(name, moving[:2], aspect, 10)
        well(name, "--out", f"tagged-{name}", "--tags", "--opacity", "0")
        (*_, before), (*_, after) = decoded(name)[2], decoded(f"tagged-{name}")[2]
        tag = np.flatnonzero((difference(before, after) > 30).any(axis=0))
        widths[aspect] = (tag[-1] - tag[0]) * aspect
    assert widths[2] == pytest.approx(widths[1], rel=0.15)


def test_faces_are_found_where_they_are_seen_on_pixels_that_are_not_square(portrait, folder):
    picture = np.full((240, 960, 3), 108, np.uint8)
    portrait.draw(picture, (700, 120), 0.5)  # small: found by thorough searches only
    places = {}
    for aspect in (1, 2):
        name = f"{aspect}.mp4"
        write_narrow(name, [picture] * 3, aspect, 10)
        well(name, "--out", f"out-{name}", "--data", f"{aspect}.jsonl")
        records = map(json.loads, (folder / f"{aspect}.jsonl").read_text().splitlines())
        places[aspect] = [record["landmarks"] for record in records]
    assert [len(found) for found in places.values()] == [3, 3]
    np.testing.assert_allclose(np.array(places[2]) * (2, 1), places[1], atol=3)


@pytest.mark.slow
def test_of_a_folder_of_odd_clips_each_has_its_line_and_its_notes(make_flashes, folder):
    clips = folder / "clips"
    clips.mkdir()
    pcm, aac = ({"codec": "pcm_s16le"},), ({"codec": "aac"},)
    made = [
        (make_flashes("pcm.avi", codec="mpeg4", sounds=pcm), "becomes AAC"),
        (make_flashes("wma.wmv", codec="wmv2", sounds=({"codec": "wmav2"},)), "becomes AAC"),
        (make_flashes("late.flv", first_second=3600), None),
        (make_flashes("wide.mp4", aspect=Fraction(2)), None),
        (make_flashes("deep.mkv", pix_fmt="yuv420p10le"), "10 bits a channel"),
        (make_flashes("two.mp4", sounds=aac * 2), None),
        (make_flashes("one.ts", sounds=aac), None),
    ]
    for path, _ in made:
        path.rename(clips / path.name)
    whole = (clips / "one.ts").read_bytes()
    (clips / "joined.ts").write_bytes(whole + whole)
    said = {path.name: note for path, note in made} | {"joined.ts": "the clock jumps"}
    lines = well("--json", "clips", "--out", "results").stdout.splitlines()
    told = {Path(line["input"]).name: line for line in map(json.loads, lines)}
    assert set(told) == set(said)
    for name, note in said.items():
        assert told[name]["frames"] == (100 if name == "joined.ts" else 50)
        assert not told[name]["truncated"]
        notes = told[name]["notes"]
        assert notes == [] if note is None else note in notes[0]
        assert len(decoded(told[name]["output"])[0]) == told[name]["frames"]
