"""``facewarp track`` on what it can do nothing with."""

import os

import av
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app


def run(*words):
    return CliRunner().invoke(app, ["track", *map(str, words)])


# --- what can go wrong


def bad_template(place):
    np.savez(place / "bad.npz", image=np.zeros(3))


def bad_model(place):
    (place / "bad.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}" + bytes(64))


def no_moov(place, content):
    (place / "cut.mp4").write_bytes(content[: len(content) // 2])


def only_sound(place):
    with av.open(str(place / "sound.m4a"), "w") as container:
        audio = container.add_stream("aac", rate=48_000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), layout="mono")
        tone.sample_rate = 48_000
        container.mux([*audio.encode(tone), *audio.encode(None)])


@pytest.fixture
def spoiled(folder, talk, photo):
    """A working folder with a good clip, a good picture and much that is bad."""
    content = talk.read_bytes()
    (folder / "talk.mp4").write_bytes(content)
    no_moov(folder, content)
    only_sound(folder)
    bad_template(folder)
    bad_model(folder)
    (folder / "notes.txt").write_text("nothing to see")
    (folder / "notes.mp4").write_text("nothing to see")
    (folder / "bad.png").write_text("nothing to see")
    PIL.Image.new("RGBA", (260, 320), "red").save(folder / "skin.png")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "nothing").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "talk.mp4").write_bytes(content)
    return folder


BAD = {
    "no such file": (["gone.mp4"], "no such file or folder (gone.mp4)"),
    "an address": (
        ["https://host/talk.mp4", "--out", "out.mp4"],
        "this is an address, not a file (https://host/talk.mp4)",
    ),
    "standard input": (["-", "--out", "out.mp4"], "standard input is not read (-)"),
    "no moov": (["cut.mp4"], "the video is cut short"),
    "only sound": (["sound.m4a"], "there is only sound in this file (sound.m4a)"),
    "text": (["notes.txt"], "this is not a video, nor a picture (notes.txt)"),
    "text as a video": (["notes.mp4"], "this is not a video, nor a picture (notes.mp4)"),
    "text as a picture": (["bad.png"], "this is not a picture that can be read (bad.png)"),
    "empty": (["empty.mp4"], "the file is empty (empty.mp4)"),
    "empty folder": (["nothing"], "the folder holds no pictures (nothing)"),
    "one of several": (["photo.png", "cut.mp4", "--out", "new/"], "cut short"),
    "itself": (["talk.mp4", "--out", "talk.mp4"], "output and input are the same file"),
    "itself by its folder": (["talk.mp4", "--out", "."], "output and input are the same file"),
    "below a file": (["talk.mp4", "--out", "notes.txt/out.mp4"], "part of the path is a file"),
    "data below a file": (
        ["talk.mp4", "--out", "out.mp4", "--data", "notes.txt/out.csv"],
        "part of the path is a file",
    ),
    "unknown suffix": (["talk.mp4", "--out", "out.xyz"], "no writer for '.xyz' files (out.xyz)"),
    "no suffix": (["talk.mp4", "--out", "out"], "the output has no suffix (out)"),
    "video to picture": (["talk.mp4", "--out", "out.png"], "does not fit into a picture"),
    "data suffix": (
        ["talk.mp4", "--out", "out.mp4", "--data", "out.txt"],
        "data is written as .jsonl or .csv (out.txt)",
    ),
    "late start": (["talk.mp4", "--out", "out.mp4", "--start", "9"], "the video ends at 0.40 s"),
    "end before start": (
        ["talk.mp4", "--out", "out.mp4", "--start", "0.3", "--end", "0.2"],
        "not after the start",
    ),
    "part of a picture": (["photo.png", "--out", "out.png", "--end", "1"], "are for videos"),
    "several to one": (
        ["talk.mp4", "photo.png", "--out", "new.mp4"],
        "several inputs, but one output (new.mp4). Give --out FOLDER, or --out '{name}{suffix}'.",
    ),
    "a video to a pattern of pictures": (
        ["talk.mp4", "photo.png", "--out", "new/{name}.png"],
        "talk.mp4 does not fit into one picture (new/talk.png). Give --out 'new/{name}{suffix}'.",
    ),
    "several to nowhere": (["talk.mp4", "photo.png"], "Give --out FOLDER."),
    "several to one data file": (
        ["talk.mp4", "photo.png", "--out", "new/", "--data", "new.csv"],
        "need a folder for their data (new.csv)",
    ),
    "several of one name": (
        ["talk.mp4", "other/talk.mp4", "--out", "new/"],
        "2 outputs would have the same name (new/talk.mp4)",
    ),
    "data and expressions of one name": (
        ["talk.mp4", "--out", "out.mp4", "--data", "t.csv", "--expressions", "other/../t.csv"],
        "two outputs are the same file (other/../t.csv)",
    ),
    "tracks of one name": (
        ["talk.mp4", "--tracks", "t.nk", "--tracks", "nuke:t.nk"],
        "two outputs are the same file (t.nk)",
    ),
    "pictures of one name": (
        ["talk.mp4", "--out", "f_%03d.png", "--alpha", "f_###.png"],
        "two outputs are the same file (f_###.png)",
    ),
    "onto its texture": (
        ["photo.png", "--out", "skin.png", "--effect", "texture", "--texture", "skin.png"],
        "output and input are the same file (skin.png)",
    ),
    "onto a texture of a turn": (
        ["photo.png", "--out", "skin.png", "--each", "mesh,texture:skin.png"],
        "output and input are the same file (skin.png)",
    ),
    "texture": (
        ["talk.mp4", "--out", "out.mp4", "--effect", "texture", "--texture", "tigre"],
        "Did you mean tiger?",
    ),
    "template": (
        ["talk.mp4", "--out", "out.mp4", "--template", "gone.npz"],
        "there is no such template (gone.npz)",
    ),
    "template name": (["talk.mp4", "--template", "nobody"], "no template is called 'nobody'"),
    "bad template": (
        ["talk.mp4", "--out", "out.mp4", "--template", "bad.npz"],
        "the file is not a facewarp template (bad.npz)",
    ),
    "model": (
        ["talk.mp4", "--out", "out.mp4", "--model", "gone.safetensors"],
        "there is no such weights file (gone.safetensors)",
    ),
    "device": (["talk.mp4", "--device", "abacus"], "there is no device 'abacus' here"),
    "detector": (["talk.mp4", "--detector", "abacus"], "there is no detector 'abacus'"),
    "bad model": (["talk.mp4", "--out", "out.mp4", "--model", "bad.safetensors"], "weights"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_one_line_and_nothing_is_written(spoiled, case):
    words, expected = BAD[case]
    before = sorted(spoiled.rglob("*"))
    contents = {path: path.read_bytes() for path in before if path.is_file()}
    result = run(*words)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert expected in line
    assert "internal" not in line
    assert [path for path in sorted(spoiled.rglob("*")) if path.name != "new"] == before
    assert contents == {path: path.read_bytes() for path in contents}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(photo, folder):
    (folder / "locked").mkdir(mode=0o500)
    result = run(photo, "--out", "locked/out.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "writing is not allowed there" in result.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "INPUT"),
        (["a.mp4", "--effect", "sparkle"], "sparkle"),
        (["a.mp4", "--texture", "tiger"], "--effect labels wears no texture"),
        (["a.mp4", "--neutral", "1"], "this is for --expressions"),
        (["a.mp4", "--data", "a.csv", "--field-of-view", "40"], "for --expressions"),
        (["a.mp4", "--effect", "canonical", "--opacity", "0.5"], "has no opacity"),
        (["a.mp4", "--opacity", "1.5"], "--opacity"),
        (["a.mp4", "--faces", "0"], "--faces"),
        (["a.mp4", "--start", "soon"], "--start"),
        (["a.mp4", "--nope"], "--nope"),
    ],
)
def test_wrong_usage_ends_with_2(folder, words, expected):
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert expected in " ".join(result.stderr.split())
    assert os.listdir() == []
