"""Tables of rows: whole files or none, in two kinds."""

import csv
import json

import pytest

from facewarp.errors import FacewarpError
from facewarp.media.table_writer import TableWriter

COLUMNS = ("frame", "value")


def test_rows_are_read_back(tmp_path):
    for name in ("a.csv", "a.jsonl"):
        with TableWriter(tmp_path / name, COLUMNS) as table:
            table.write([0, 0.5])
            table.write([1, None])
            assert not (tmp_path / name).exists()
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["frame", "value"], ["0", "0.5"], ["1", ""]]
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines == [{"frame": 0, "value": 0.5}, {"frame": 1, "value": None}]


def test_texts_are_no_formulas_and_may_be_no_utf_8(tmp_path):
    for name in ("a.csv", "a.jsonl"):
        with TableWriter(tmp_path / name, ("file", "value")) as table:
            table.write(["=1+2.mp4", -1.5])
            table.write(["clip\udcff.mp4", 2])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [["'=1+2.mp4", "-1.5"], ["clip\\udcff.mp4", "2"]]
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert [line["file"] for line in lines] == ["=1+2.mp4", "clip\udcff.mp4"]


def test_an_error_leaves_nothing_and_an_interruption_what_there_is(tmp_path):
    target = tmp_path / "a.csv"

    def broken_off_by(error):
        with TableWriter(target, COLUMNS) as table:
            table.write([0, 1])
            raise error

    with pytest.raises(RuntimeError):
        broken_off_by(RuntimeError())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        broken_off_by(KeyboardInterrupt())
    assert target.read_text() == "frame,value\n0,1\n"


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(FacewarpError, match=r"\.csv or \.jsonl"):
        TableWriter(tmp_path / "a.xlsx", COLUMNS)
