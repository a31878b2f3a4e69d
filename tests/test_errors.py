import ast
import os
import pickle
import re
import shlex
from pathlib import Path

import pytest

from facewarp.errors import FacewarpError, shell_word


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


def test_keeps_the_spaces_that_names_have() -> None:
    error = FacewarpError("what", "in/two  spaces.mov", "ffmpeg -i 'two  spaces.mov' out.mp4")
    assert str(error) == "what (in/two  spaces.mov). ffmpeg -i 'two  spaces.mov' out.mp4"


@pytest.mark.skipif(os.name == "nt", reason="words of POSIX shells")
@pytest.mark.parametrize("name", ["clip.mp4", "my clip.mov", "it's (1).mov", "a$b;c&d.mov", "~x"])
def test_a_name_is_one_word_of_a_command(name: str) -> None:
    assert shlex.split(f"ffmpeg -i {shell_word(name)} out.mp4") == ["ffmpeg", "-i", name, "out.mp4"]
    assert shell_word(Path(name)) == shell_word(name)


def test_a_plain_name_is_left_as_it_is() -> None:
    assert shell_word("in/clip_01.mp4") == "in/clip_01.mp4"


def test_names_in_commands_to_be_copied_are_words_of_a_shell() -> None:
    bare = re.compile(
        r"(ffmpeg\b[^{]*? -i|facewarp\b.*--(out|data|labels|source)) \{(?!shell_word)"
    )
    house = ROOT.parent
    files = [path for part in ("facewarp", "training") for path in (house / part).rglob("*.py")]
    lines = [(path, line) for path in files for line in path.read_text("utf-8").splitlines()]
    assert sum("{shell_word(" in line for _, line in lines) >= 8
    assert [str(path) for path, line in lines if bare.search(line)] == []


def test_keeps_its_parts() -> None:
    error = FacewarpError("what", Path("where"), "fix")
    assert (error.what, error.where, error.fix) == ("what", "where", "fix")


def test_survives_the_way_back_from_a_worker_process() -> None:
    error = FacewarpError("what", "where", "fix")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is FacewarpError
    assert str(copy) == str(error)


ROOT = Path(__file__).parents[1] / "facewarp"
WHAT_USERS_MEET = ("cli", "clips", "face/gallery", "live/capture", "live/outputs", "media")
ENDS_OF_OTHER_ERRORS = (
    "no frame was written",  # another error was told before
    "no picture was written",
    "error.strerror",  # the system's own words
    "camera.problem",  # holds what to do
    "_nothing_in(path)",  # likewise
    "what, self.path",  # told again by who asked
)


@pytest.mark.parametrize("package", WHAT_USERS_MEET)
def test_every_error_that_users_meet_names_the_next_step(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    bare = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "FacewarpError":
                continue
            has_fix = len(node.args) > 2 or any(word.arg == "fix" for word in node.keywords)
            text = ast.unparse(node)
            if not has_fix and not any(known in text for known in ENDS_OF_OTHER_ERRORS):
                bare.append(f"{file.relative_to(ROOT)}:{node.lineno} {text}")
    assert not bare
