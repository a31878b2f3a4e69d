"""Lists of inputs: one path a line."""

import pytest

from facewarp.batch.lists import listed
from facewarp.errors import FacewarpError


def test_paths_are_relative_to_the_list_and_comments_are_left_out(tmp_path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "list.txt"
    file.write_text("# those of May\nanna\n\n../berta  # twice\n")
    (tmp_path / "in" / "anna").mkdir()
    assert listed(file, "patient") == [tmp_path / "in/anna", tmp_path / "in/../berta"]


@pytest.mark.parametrize(
    "text",
    ["Patient was restless.\nRepeat the scan in June.", "long " * 200, "a,b\n1,2\n", "\0"],
)
def test_a_text_that_is_no_list_is_told_as_such(text, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text(text)
    with pytest.raises(FacewarpError) as caught:
        listed(notes, "patient")
    told = str(caught.value)
    assert str(notes) in told
    assert "read as a list of patients" in told
    assert "one path a line" in told
    assert "scans/patient001" in told


def test_one_input_that_is_there_makes_it_a_list(tmp_path):
    (tmp_path / "anna").mkdir()
    file = tmp_path / "list.csv"
    file.write_text("path,group\ngone,NOR\nanna,DCM\n")
    assert listed(file, "patient") == [tmp_path / "gone", tmp_path / "anna"]


def test_a_pattern_of_numbered_pictures_counts_as_there(tmp_path):
    file = tmp_path / "list.lst"
    file.write_text("shots/f_%04d.png\n")
    assert listed(file, "clip") == [tmp_path / "shots/f_%04d.png"]


@pytest.mark.parametrize("content", [b"", b"# nothing yet\n", b"\xff\xfe\0"])
def test_an_empty_list_or_no_text_is_refused(content, tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(FacewarpError, match="list"):
        listed(file, "patient")
