"""Files below a folder: links followed, each folder once."""

import os

import pytest

from facewarp.system.user_folders import files_below

links = pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")


def told(folder):
    return sorted(path.relative_to(folder).as_posix() for path in files_below(folder))


@links
def test_linked_folders_are_searched_once_and_under_their_own_names(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (outside / "deep").mkdir(parents=True)
    (folder / "patient003").mkdir(parents=True)
    for path in (outside / "a.txt", outside / "deep" / "b.txt", folder / "patient003" / "c.txt"):
        path.touch()
    (folder / "linked").symlink_to(outside)
    (folder / "again").symlink_to(outside)
    (folder / "latest").symlink_to(folder / "patient003")
    (folder / "circle").symlink_to(tmp_path)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    assert told(folder) == ["again/a.txt", "again/deep/b.txt", "patient003/c.txt"]


def test_a_file_that_is_linked_counts(tmp_path):
    (tmp_path / "a.txt").touch()
    assert told(tmp_path) == ["a.txt"]


def test_hidden_folders_are_passed_over_unless_named(tmp_path):
    for place in (tmp_path / ".venv" / "tests", tmp_path / "patient001"):
        place.mkdir(parents=True)
        (place / "a.dcm").touch()
    assert told(tmp_path) == ["patient001/a.dcm"]
    assert told(tmp_path / ".venv") == ["tests/a.dcm"]
