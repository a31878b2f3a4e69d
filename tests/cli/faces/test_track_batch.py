"""``facewarp track`` of many clips, from its options to what lies in the folder."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import av
import PIL.Image
import pytest
from fixtures.waiting import until
from typer.testing import CliRunner

from facewarp.cli.app import app


def run(*words):
    return CliRunner().invoke(app, ["track", *map(str, words)])


@pytest.fixture
def footage(talk, moving, folder):
    """A clip, a picture, a clip that is cut short and a note, one of them further down."""
    Path("in/sub").mkdir(parents=True)
    shutil.copy(talk, "in/talk.mp4")
    PIL.Image.fromarray(moving[0]).save("in/sub/photo.png")
    Path("in/broken.mp4").write_bytes(talk.read_bytes()[:3000])
    Path("in/notes.md").write_text("x")
    return Path("in")


@pytest.mark.slow
def test_one_broken_file_stops_nothing_and_nothing_is_done_twice(footage):
    words = (footage, "--out", "out", "--data", "out/{folder}/{name}.csv", "-r", "--effect", "mesh")
    result = run("--json", *words, "--workers", "2")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert {one["clip"]: one["status"] for one in told["clips"]} == {
        "talk.mp4": "done", "sub/photo.png": "done",
    }  # fmt: skip
    assert [one["clip"] for one in told["failed"]] == ["broken.mp4"]
    assert told["left_out"] == ["in/notes.md"]
    files = sorted(p.relative_to("out").as_posix() for p in Path("out").rglob("*") if p.is_file())
    assert files == [
        ".facewarp/sub/photo.png.json", ".facewarp/talk.mp4.json", "sub/photo.csv",
        "sub/photo.png", "summary.csv", "summary.json", "talk.csv", "talk.mp4",
    ]  # fmt: skip
    assert "cut short" in result.stderr
    assert "1 of 3 clips failed" in result.stderr
    with open("out/summary.csv", newline="") as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert [row["status"] for row in rows.values()] == ["failed", "done", "done"]
    assert (rows["talk.mp4"]["frames"], rows["talk.mp4"]["faces"]) == ("10", "1")
    assert json.loads(Path("out/summary.json").read_text())["clips"] == told["clips"]

    (footage / "broken.mp4").unlink()
    result = run(*words, "--resume")
    assert result.exit_code == 0, result.output
    assert "0 tracked, 2 finished before" in result.output
    assert "skipped" in result.output


@pytest.mark.slow
def test_clips_are_tracked_on_a_ray_cluster_and_resumed(footage, ray_home):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    words = (footage, "--out", "out", "-r", "--effect", "mesh", "--ray", "auto", "--json")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        result = run(*words)
        assert result.exit_code == 1
        told = json.loads(result.stdout)
        (footage / "broken.mp4").unlink()
        again = run(*words, "--resume")
    finally:
        ray.shutdown()
    done = {"talk.mp4": "done", "sub/photo.png": "done"}
    assert {one["clip"]: one["status"] for one in told["clips"]} == done
    assert [one["clip"] for one in told["failed"]] == ["broken.mp4"]
    with av.open("out/talk.mp4") as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 10
    assert again.exit_code == 0, again.output
    skipped = {one["clip"]: one["status"] for one in json.loads(again.stdout)["clips"]}
    assert skipped == dict.fromkeys(done, "skipped")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["in", "--workers", "2"], "need a folder to write to"),
        (["in", "--out", "o", "--workers", "2", "--ray", "auto"], "exclude each other"),
        (["in", "--out", "in", "--resume"], "output and input are the same"),
        (["in", "--out", "o", "--resume", "--texture", "gone.png", "--effect", "texture"], "gone"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_work(footage, words, told):
    result = run(*words)
    assert result.exit_code == 1
    assert told in " ".join(result.stderr.split())
    assert sorted(path.name for path in Path().iterdir()) == ["in"]


@pytest.mark.slow
def test_ctrl_c_keeps_finished_clips_and_no_half_ones(footage):
    (footage / "broken.mp4").unlink()
    shutil.move("in/sub/photo.png", "in/a.png")
    words = ["in", "--out", "out", "--resume", "--engine", "torch"]
    code = (
        "import sys, time\n"
        "from facewarp.media.video.reader import VideoSource\n"
        "if __name__ == '__main__':\n"
        "    from facewarp.batch import runner\n"
        "    from facewarp.cli.app import app\n"
        "    run = runner.run_in_processes\n"
        "    def run_and_note(jobs, count, heard, **options):\n"
        "        def note(event):\n"
        "            heard(event)\n"
        "            event.kind == 'ended' and open('one ended', 'w').close()\n"
        "        run(jobs, count, note, **options)\n"
        "    runner.run_in_processes = run_and_note\n"
        "    app(sys.argv[1:])\n"
        "else:\n"  # in a worker, whose main module this is: a clip that takes long
        "    read = VideoSource.__iter__\n"
        "    VideoSource.__iter__ = lambda self: (time.sleep(9) or f for f in read(self))\n"
    )
    Path("main.py").write_text(code)
    run = subprocess.Popen(
        [sys.executable, "main.py", "track", *words], stderr=subprocess.PIPE, text=True
    )
    until(lambda: Path("one ended").exists() or run.poll() is not None)
    run.send_signal(signal.SIGINT)
    told = run.communicate(timeout=120)[1]
    assert run.returncode == 130, told
    assert "kept 1 of 2 clips in out; the same command goes on" in told
    files = sorted(p.relative_to("out").as_posix() for p in Path("out").rglob("*") if p.is_file())
    assert files == [".facewarp/a.png.json", "a.png", "summary.csv", "summary.json"]


def test_one_file_and_overwrite_are_no_batch(moving, folder):
    PIL.Image.fromarray(moving[0]).save("a.png")
    for _ in range(2):
        result = run("a.png", "--out", "b.png", "--overwrite")
        assert result.exit_code == 0, result.stderr
        assert Path("b.png").is_file()


@pytest.mark.parametrize("out", ["all.mp4", "all.PNG", "all.exr"])
def test_many_clips_are_not_written_to_the_name_of_one(footage, out):
    result = run(footage, "--out", out, "--workers", "1")
    assert result.exit_code == 1
    assert "one output" in result.stderr
    assert "--out FOLDER" in result.stderr
    assert not Path(out).exists()


def test_a_list_needs_no_further_option(footage):
    """A text that names nothing there is no list, and no clip either."""
    (footage / "clips.txt").write_text("# chosen\nsub/photo.png\n")
    result = run(footage / "clips.txt", "--out", "out", "--effect", "mesh", "--json")
    assert result.exit_code == 0, result.stderr
    assert [one["status"] for one in json.loads(result.stdout)["clips"]] == ["done"]
    (footage / "clips.txt").write_text("nothing to see\n")
    result = run(footage / "clips.txt", "--out", "new")
    assert "this is not a video, nor a picture" in result.stderr


def test_what_is_to_be_known_of_clips_is_said_once_for_all(folder, moving):
    """What a file by itself is told of on standard error is told of many, too."""
    Path("in").mkdir()
    for name in ("a.png", "b.png"):
        gray = moving[0][..., 0].astype("uint16") * 257
        PIL.Image.fromarray(gray).save(Path("in", name))
    result = run("in", "--out", "out", "--effect", "mesh", "--workers", "1")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if "more than 8 bits" in line]
    assert lines == [
        "warning: a.png and 1 more: gray of more than 8 bits is read and written with 8"
    ]


def test_folders_that_are_not_searched_are_told(folder, moving):
    for path in (Path("in/a.png"), Path("in/sub/b.png"), Path("in/other/c.png")):
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(moving[0]).save(path)
    result = run("in", "--out", "in/out", "--effect", "mesh")
    assert result.exit_code == 0, result.output
    assert "not searched: the folder in/other and 1 more; --recursive does" in result.output
    again = run("in/sub", "--out", "in/out", "--effect", "mesh", "--overwrite")
    assert "not searched" not in again.output
