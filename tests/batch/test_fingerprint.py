"""Whether files are the ones that a job was done with."""

import os

from facewarp.batch.fingerprint import fingerprint, fingerprint_of


def write(path, text="abc", time_ns=10**18):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(time_ns, time_ns))
    return path


def test_a_moved_folder_is_the_same_one(tmp_path):
    for name in ("1", "2"):
        write(tmp_path / "a" / "deep" / name)
    before = fingerprint(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert fingerprint(tmp_path / "b") == before
    write(tmp_path / "b" / "deep" / "2", "abcd")
    assert fingerprint(tmp_path / "b") != before


def test_files_that_change_names_or_come_back_older_are_others(tmp_path):
    for number in (1, 2, 3):
        write(tmp_path / f"phase{number}", time_ns=10**18 + number)
    before = fingerprint(tmp_path)
    (tmp_path / "phase1").rename(tmp_path / "phase9")  # now the last phase
    renamed = fingerprint(tmp_path)
    assert renamed[:3] == before[:3]
    assert renamed != before
    (tmp_path / "phase9").rename(tmp_path / "phase1")
    assert fingerprint(tmp_path) == before
    write(tmp_path / "phase2", "xyz", time_ns=10**17)  # copied back from elsewhere
    assert fingerprint(tmp_path)[:3] == before[:3]
    assert fingerprint(tmp_path) != before


def test_a_file_alone_none_and_any_order(tmp_path):
    one, two = write(tmp_path / "a"), write(tmp_path / "b")
    assert fingerprint(one) == fingerprint_of([one])
    assert fingerprint_of([one, two]) == fingerprint_of([two, one])
    assert fingerprint_of([])[:3] == [0, 0, 0]
