"""Temporary files: swept once their process is gone, never while it runs; folders kept whole."""

import errno
import logging
import os
import subprocess
import sys

import pytest

from facewarp.errors import FacewarpError
from facewarp.system import atomic_files
from facewarp.system.atomic_files import (
    OutputFile,
    check_apart,
    process_mark,
    write_error,
    written,
)
from facewarp.system.atomic_folder import OutputFolder, locked, restore_folder

posix = pytest.mark.skipif(os.name != "posix", reason="processes are not asked for elsewhere")


@pytest.fixture(scope="module")
def dead():
    """The mark of a process that has ended."""
    number = int(
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.getpid())"],
            capture_output=True,
            check=True,
        ).stdout
    )
    return process_mark().replace(f"-{os.getpid()}", f"-{number}")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@posix
def test_what_a_killed_process_left_goes_with_the_next_run(tmp_path, dead):
    (tmp_path / f".o.{dead}-0123abcd.partial.mp4").write_bytes(b"x")
    with written(tmp_path / "o.mp4") as temporary:
        assert names(tmp_path) == [temporary.name]
        temporary.write_bytes(b"whole")
    assert names(tmp_path) == ["o.mp4"]


@posix
def test_what_a_running_process_writes_stays(tmp_path, dead):
    other = dead.replace(dead.rpartition("-")[2], str(os.getppid()))
    kept = [
        f".o.{other}-0123abcd.partial.mp4",  # of a process that runs
        f".o.{'0' * 8}-1-0123abcd.partial.mp4",  # of another machine
        f".other.{dead}-0123abcd.partial.mp4",  # of another file
        f".o.{dead}-0123abcd.partial.jsonl",  # of another kind
        ".o.kept-0123abcd.partial.mp4",  # a recording
        ".o.notes.partial.mp4",
    ]
    for name in kept:
        (tmp_path / name).touch()
    with written(tmp_path / "o.mp4") as temporary:
        temporary.write_bytes(b"whole")
    assert names(tmp_path) == sorted([*kept, "o.mp4"])


@posix
def test_a_recording_is_never_swept(tmp_path):
    recording = OutputFile(tmp_path / "live.mp4", sweeps=False)
    assert process_mark() not in recording.temporary.name
    recording.discard()


def test_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(atomic_files.os, "fsync", lambda number: order.append(names(tmp_path)))
    with written(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert order == [[temporary.name]]


@posix
@pytest.mark.parametrize("name", ["a" * 251 + ".mp4", "\u00e9" * 124 + ".jsonl"])
def test_every_name_that_a_file_may_have_is_written(tmp_path, name):
    with written(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert os.listdir(tmp_path) == [temporary.name]
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(FacewarpError, match=r"the name is too long .*Give a shorter one"):
        OutputFile(tmp_path / f"{name}.mkv")
    assert os.listdir(tmp_path) == [name]


def test_a_file_that_a_library_makes_anew_is_readable_as_others_are(tmp_path):
    before = os.umask(0o027)
    try:
        (tmp_path / "other").touch()
        with written(tmp_path / "weights") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("other", "weights")}
    assert modes == {0o640}


def remade(folder, written_before=lambda folder: {}):
    with OutputFolder(folder, "mark", written_before) as place:
        (place / "mark").write_text("new")
        (place / "labels.nii.gz").write_text("new labels")
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def half_written(folder):
    with OutputFolder(folder, "mark") as place:
        (place / "mark").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_names_the_folder_and_leaves_the_one_before(tmp_path):
    folder = tmp_path / "page"
    before = remade(folder)
    with pytest.raises(FacewarpError, match=r"no space is left to write \(.*page\)"):
        half_written(folder)
    assert names(tmp_path) == ["page"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_an_error_in_a_folder_names_no_temporary_one(tmp_path):
    def write():
        with OutputFolder(tmp_path / "page", "mark") as place:
            raise write_error(OSError(errno.ENOSPC, "No space left"), place / "cine.nii.gz")

    with pytest.raises(FacewarpError) as raised:
        write()
    assert raised.value.where == str(tmp_path / "page")


def test_somebodys_own_files_are_carried_over(tmp_path, caplog):
    folder = tmp_path / "patient"
    (folder / "own").mkdir(parents=True)
    for name in ("mark", "labels.nii.gz", "old.csv", "notes.txt", "own/drawing.png"):
        (folder / name).write_text(name)
    listed = {"labels.nii.gz": len("labels.nii.gz"), "old.csv": len("old.csv")}
    with caplog.at_level(logging.WARNING):
        found = remade(folder, lambda place: listed)
    assert found == {"mark": "new", "labels.nii.gz": "new labels", "notes.txt": "notes.txt"}
    assert (folder / "own" / "drawing.png").exists()
    assert "notes.txt" in caplog.text


def test_a_file_that_somebody_has_changed_is_kept_beside_the_new_one(tmp_path):
    folder = tmp_path / "patient"
    folder.mkdir()
    (folder / "mark").touch()
    (folder / "labels.nii.gz").write_text("corrected by hand")
    found = remade(folder, lambda place: {"labels.nii.gz": 3})
    assert found["labels.nii.gz"] == "new labels"
    assert found["labels-kept.nii.gz"] == "corrected by hand"


@posix
def test_folders_of_killed_runs_are_swept_and_finished_ones_restored(tmp_path, dead):
    folder = tmp_path / "patient"
    (tmp_path / f".patient.{dead}-0123abcd.partial").mkdir()
    aside = tmp_path / f".patient.{dead}-0123abcd.old"
    aside.mkdir()
    (aside / "mark").write_text("finished")
    restore_folder(folder)
    assert (folder / "mark").read_text() == "finished"
    remade(folder)
    assert names(tmp_path) == ["patient"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "@x", "\tx", "-x"])
def test_no_text_of_a_table_is_a_formula(tmp_path, text):
    atomic_files.write_csv(tmp_path / "t.csv", [{"name": text, "value": -1.5}])
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == f"'{text},-1.5"


def test_names_that_are_no_utf_8_are_written_by_their_codes(tmp_path):
    atomic_files.write_text(tmp_path / "t.txt", "a\udc80b")
    assert (tmp_path / "t.txt").read_text() == "a\\udc80b"


@posix
def test_two_processes_never_write_into_one_folder(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(FacewarpError, match="another process is writing"),
        locked(tmp_path / "run"),
    ):
        pytest.fail("it is held")
    with locked(tmp_path / "run"):
        pass
    assert names(tmp_path) == []
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "log.csv").touch()
    assert names(tmp_path / "run") == ["log.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "I/O error: No space left on device (os error 28)",
        f'Failed to write pixel data to image file "a.exr". {os.strerror(errno.EFBIG)}.',
        'Error while serializing: IoError(Os { code: 28, kind: StorageFull, message: "No ..." })',
    ],
)
def test_a_full_disk_is_told_in_the_words_of_every_library(text):
    error = write_error(RuntimeError(text), "out.safetensors")
    assert str(error).startswith("no space is left to write (out.safetensors)")


def test_outputs_are_apart_from_each_other_and_from_inputs(tmp_path):
    clip, link, hard = (tmp_path / name for name in ("clip.mp4", "link.mp4", "hard.mp4"))
    clip.write_bytes(b"x")
    new = tmp_path / "new.mp4"
    check_apart([new, tmp_path / "new.csv"], [clip, tmp_path / "gone.txt"])
    link.symlink_to(clip)
    os.link(clip, hard)
    for name in (clip, link, hard, tmp_path / "x" / ".." / "clip.mp4"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(FacewarpError, match="output and input are the same file"):
            check_apart([new, name], [clip])
    with pytest.raises(FacewarpError, match="two outputs are the same file"):
        check_apart([new, tmp_path / "x" / ".." / "new.mp4"])
