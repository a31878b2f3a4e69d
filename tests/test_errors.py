import pickle
from pathlib import Path

import pytest

from facewarp.errors import FacewarpError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FacewarpError("no face was found"), "no face was found"),
        (FacewarpError("no face was found", "a.png"), "no face was found (a.png)"),
        (
            FacewarpError("no face was found", fix="Try --faces 1."),
            "no face was found. Try --faces 1.",
        ),
        (
            FacewarpError("the file is cut short", Path("in/clip.mp4"), "Copy it again."),
            f"the file is cut short ({Path('in/clip.mp4')}). Copy it again.",
        ),
    ],
)
def test_reads_as_what_where_fix(error: FacewarpError, line: str) -> None:
    assert str(error) == line


def test_is_always_one_line() -> None:
    error = FacewarpError("ffmpeg said:\n  invalid data\n", fix="Look\nagain.")
    assert str(error) == "ffmpeg said: invalid data. Look again."


def test_keeps_its_parts() -> None:
    error = FacewarpError("what", Path("where"), "fix")
    assert (error.what, error.where, error.fix) == ("what", "where", "fix")


def test_survives_the_way_back_from_a_worker_process() -> None:
    error = FacewarpError("what", "where", "fix")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is FacewarpError
    assert str(copy) == str(error)
