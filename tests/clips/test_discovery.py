"""Which files of folders and lists are clips, and what they are called."""

import os
from pathlib import Path

import PIL.Image
import pytest

from facewarp.clips.discovery import find_clips
from facewarp.errors import FacewarpError


def touch(*names):
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg"):
            PIL.Image.new("RGB", (8, 8)).save(path)
        else:
            path.write_bytes(b"x")


def names_of(found):
    return [(clip.name, clip.kind) for clip in found.clips]


def test_videos_and_pictures_of_a_folder_are_clips_in_natural_order(folder):
    touch("in/b10.mp4", "in/b2.mov", "in/a.png", "in/notes.md", "in/.hidden.mp4", "in/sub/c.mkv")
    found = find_clips([Path("in")])
    assert names_of(found) == [("a.png", "image"), ("b2.mov", "video"), ("b10.mp4", "video")]
    assert found.left_out == (Path("in/notes.md"),)
    assert found.folders == (Path("in/sub"),)
    found = find_clips([Path("in")], recursive=True)
    assert found.folders == ()
    assert names_of(found)[-1] == ("sub/c.mkv", "video")


def test_links_that_lead_to_nothing_are_clips_that_fail(folder):
    touch("in/a.mp4", "in/notes.md")
    Path("in/lost.mov").symlink_to("drive/lost.mov")
    Path("in/lost.md").symlink_to("drive/lost.md")
    os.mkfifo("in/pipe.mp4")
    found = find_clips([Path("in")])
    assert names_of(found) == [("a.mp4", "video"), ("lost.mov", "video")]
    assert {path.name for path in found.left_out} == {"notes.md", "lost.md", "pipe.mp4"}


def test_links_that_lead_back_are_followed_once(folder):
    touch("in/a.mp4", "in/sub/b.mp4", "in/notes.md")
    for name in ("one", "two", "sub/three"):
        Path("in", name).symlink_to(Path("in").resolve())
    found = find_clips([Path("in")], recursive=True)
    assert names_of(found) == [("a.mp4", "video"), ("sub/b.mp4", "video")]
    assert found.left_out == (Path("in/notes.md"),)


def test_what_is_written_to_is_not_searched(folder):
    touch("in/a.mp4", "in/out/a.mp4")
    found = find_clips([Path("in")], recursive=True, leave_out=[Path("in/out")])
    assert names_of(found) == [("a.mp4", "video")]


def test_clips_of_several_folders_carry_the_folders_name_and_come_once(folder):
    touch("x/a.mp4", "y/a.mp4", "z/x/a.mp4")
    found = find_clips([Path("x"), Path("y"), Path("x/a.mp4")])
    assert names_of(found) == [("x/a.mp4", "video"), ("y/a.mp4", "video")]
    found = find_clips([Path("x"), Path("z/x")])
    assert len({clip.name for clip in found.clips}) == 2


def test_patterns_and_folders_at_a_rate_are_one_clip(folder):
    touch("shots/f_0001.png", "shots/f_0002.png")
    found = find_clips([Path("shots/f_%04d.png"), Path("gone.mp4")])
    assert names_of(found) == [("shots", "images"), ("gone.mp4", "video")]
    assert names_of(find_clips([Path("shots")], as_clips=True)) == [("shots", "images")]
    assert len(find_clips([Path("shots")]).clips) == 2


def test_lists_name_clips_and_emptiness_is_an_error(folder):
    touch("in/a.mp4", "in/b.png")
    Path("in/list.txt").write_text("a.mp4\n# none\nb.png\n")
    assert names_of(find_clips([Path("in/list.txt")])) == [("a.mp4", "video"), ("b.png", "image")]
    Path("empty").mkdir()
    with pytest.raises(FacewarpError, match="no picture or video"):
        find_clips([Path("empty")])
