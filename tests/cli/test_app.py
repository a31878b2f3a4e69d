import contextlib
import errno
import itertools
import json
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from facewarp.cli import app as program
from facewarp.cli import doctor
from facewarp.cli.console import Output, cell, output_of
from facewarp.errors import FacewarpError
from facewarp.live.window.display import check_display
from facewarp.version import __version__

Body = Callable[[Output], None]
Trial = Callable[..., Result]


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Run ``facewarp trial ...``, a command that does what it is given."""

    def run(body: Body, *args: str) -> Result:
        def command(ctx: typer.Context, path: str = typer.Argument("-")) -> None:
            """Try things out."""
            body(output_of(ctx))

        module = ModuleType("facewarp.cli.trial")
        module.trial = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        row = program.Command("trial:trial", "Try things out.", program.MACHINE)
        monkeypatch.setitem(program.COMMANDS, "trial", row)
        return CliRunner().invoke(program.app, args or ["trial"])

    return run


def raising(error: BaseException) -> Body:
    def body(output: Output) -> None:
        raise error

    return body


def invoke(*args: str) -> Result:
    return CliRunner().invoke(program.app, args)


def test_version() -> None:
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"facewarp {__version__}\n")


def test_help_lists_every_command() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for name, command in program.COMMANDS.items():
        assert name in result.stdout
        assert command.panel in result.stdout


@pytest.mark.parametrize("name", program.COMMANDS)
def test_each_command_loads_and_is_listed_with_its_own_first_line(name: str) -> None:
    command = program.load_command(name)
    assert command.name == name
    assert (command.help or "").partition("\n")[0] == program.COMMANDS[name].summary
    assert invoke(name, "--help").exit_code == 0


def _commands() -> Iterator[tuple[str, ...]]:
    for name in program.COMMANDS:
        yield (name,)
        yield from ((name, one) for one in getattr(program.load_command(name), "commands", {}))


@pytest.mark.parametrize("words", [*_commands()], ids=" ".join)
def test_help_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = invoke(*words, "--help").stdout
    prose, options = text[: text.index("╭")], text[text.index("╭") :]
    shown = [line.rstrip() for line in prose.splitlines()]
    examples = shown[shown.index(" Examples:") + 1 :] if " Examples:" in shown else []
    for line in filter(None, examples):  # none is broken, each can be copied
        assert line.startswith(f"   facewarp {words[0]}")
    for line, following in itertools.pairwise(shown[2 : len(shown) - len(examples)]):
        if line and following:
            word = following.split()[0]
            assert len(f"{line} {word}") > 78, "a line ends before it is full"
    assert "…" not in options  # nothing is cut off


@pytest.mark.parametrize("args", [["nope"], ["doctor", "--nope"], ["doctor", "too", "much"]])
def test_wrong_usage_ends_with_2_and_a_message_on_stderr(args: list[str]) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr


def test_a_wrong_choice_is_told_without_names_of_libraries() -> None:
    message = " ".join(invoke("track", "x.mp4", "--audio", "loud").stderr.split())
    assert "Invalid value for '--audio': 'loud' is not one of 'copy', 'convert', 'none'" in message


def test_a_mistyped_command_is_guessed() -> None:
    assert "doctor" in invoke("docter").stderr


def test_a_command_that_returns_ends_with_0(trial: Trial) -> None:
    result = trial(lambda output: output.say("done"))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "done\n", "")


def test_facewarp_error_is_one_line_on_stderr(trial: Trial) -> None:
    long = "a rather long file name " * 8
    result = trial(raising(FacewarpError("no face was found [red]", long + ".png", "Try another.")))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"error: no face was found [red] ({long}.png). Try another.\n"


def test_verbose_adds_the_traceback(trial: Trial) -> None:
    result = trial(raising(FacewarpError("no face was found")), "trial", "-v")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("error: no face was found\n")


def test_a_bug_is_one_line_without_traceback(trial: Trial) -> None:
    result = trial(raising(KeyError("grid")))
    assert result.exit_code == 1
    assert result.stderr == (
        "error: internal error: KeyError: 'grid' (run with --verbose for the traceback)\n"
    )
    assert "Traceback" in trial(raising(KeyError("grid")), "--verbose", "trial").stderr


def test_an_os_error_names_its_file(trial: Trial) -> None:
    result = trial(raising(PermissionError(errno.EACCES, "Permission denied", "out.mp4")))
    assert (result.exit_code, result.stderr) == (1, "error: Permission denied (out.mp4)\n")


def test_a_full_disk_is_no_bug_wherever_it_is_met(trial: Trial) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    for error in (full, OSError(errno.ENOSPC, "No space left on device", "out.mp4")):
        result = trial(raising(error))
        assert result.exit_code == 1
        assert result.stderr.startswith("error: no space is left to write (")
        assert "internal" not in result.stderr
        assert result.stderr.endswith("Free some, or write elsewhere.\n")


def test_a_file_in_the_way_of_a_folder_is_told_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(OSError, match="file") as raised:
            target.mkdir(parents=True, exist_ok=True)
        told = program.describe(raised.value)
        assert told.startswith("part of the path is a file, not a folder")
        assert told.endswith("Choose another folder.")


def test_interrupted_says_what_was_kept(trial: Trial) -> None:
    stop = KeyboardInterrupt()
    stop.add_note("kept the first 120 frames in out.mp4")
    result = trial(raising(stop))
    assert result.exit_code == 130
    assert result.stderr == "interrupted: kept the first 120 frames in out.mp4\n"


def test_interrupted_without_a_note(trial: Trial) -> None:
    result = trial(raising(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr.count("\n")) == (130, 1)


@pytest.mark.parametrize(
    "args", [["--json", "trial"], ["trial", "--json"], ["trial", "x", "--json"]]
)
def test_json_owns_stdout_wherever_the_flag_stands(trial: Trial, args: list[str]) -> None:
    def body(output: Output) -> None:
        output.say("[bold]for people[/]")
        output.emit_json({"n": 1})

    result = trial(body, *args)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"n": 1}
    assert result.stderr == "for people\n"


def test_a_word_after_two_dashes_is_no_flag(trial: Trial) -> None:
    seen = []
    result = trial(lambda output: seen.append(output.json), "trial", "--", "--json")
    assert (result.exit_code, seen) == (0, [False])


def test_without_json_nothing_is_emitted(trial: Trial) -> None:
    assert trial(lambda output: output.emit_json({"n": 1})).stdout == ""


def test_json_holds_what_results_are_made_of(trial: Trial) -> None:
    class Part(IntEnum):
        NOSE = 6

    @dataclass(frozen=True)
    class Score:
        part: Part
        dice: float

    value = {
        "path": Path("a"),
        "scores": (Score(Part.NOSE, float("nan")),),
        "points": np.ones((1, 2), np.float32),
        "share": np.float32(0.5),
        "infinite": float("inf"),
        "count": np.int64(3),
        3: None,
    }
    result = trial(lambda output: output.emit_json(value), "trial", "--json")
    assert json.loads(result.stdout) == {
        "path": "a",
        "scores": [{"part": 6, "dice": None}],
        "points": [[1.0, 1.0]],
        "share": 0.5,
        "infinite": None,
        "count": 3,
        "3": None,
    }


@pytest.mark.parametrize(
    ("flag", "lines"),
    [
        ("-q", ["error: e"]),
        ("--json", ["note: i", "warning: w", "error: e"]),
        ("-v", ["debug: d", "note: i", "warning: w", "error: e"]),
    ],
)
def test_log_messages_are_lines_on_stderr(trial: Trial, flag: str, lines: list[str]) -> None:
    def body(output: Output) -> None:
        logger = logging.getLogger("facewarp.somewhere")
        logger.debug("%s", "d")
        logger.info("i")
        logger.warning("w")
        logger.error("e")

    result = trial(body, "trial", flag)
    assert result.stdout == ""
    assert result.stderr.splitlines() == lines


def test_quiet_leaves_errors_and_json(trial: Trial) -> None:
    def body(output: Output) -> None:
        output.say("hello")
        output.warn("careful")
        output.emit_json([])
        raise FacewarpError("broken")

    result = trial(body, "trial", "-q", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "[]\n", "error: broken\n")


def test_a_command_may_have_commands_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    group = typer.Typer(help="Try things out.")

    @group.command("one")
    def one(ctx: typer.Context, n: int = 1) -> None:
        """The only one."""
        output_of(ctx).emit_json({"n": n})

    module = ModuleType("facewarp.cli.trial")
    module.group = group  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    row = program.Command("trial:group", "Try things out.", program.MACHINE)
    monkeypatch.setitem(program.COMMANDS, "trial", row)
    result = invoke("trial", "one", "--n", "2", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"n": 2})
    assert "one" in invoke("trial", "--help").stdout
    assert "Usage: facewarp trial one" in invoke("trial", "one", "--help").stdout


def test_progress_counts_and_draws_nothing_in_a_pipe(trial: Trial) -> None:
    def body(output: Output) -> None:
        with output.progress("tracking [clip].mp4", total=3) as advance:
            for _ in range(3):
                advance()
            advance(0, description="writing")

    result = trial(body)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_closed_pipe_is_no_error() -> None:
    code = "import facewarp.cli.app as a; a.main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("states", "exit_code"), [(["ok", "absent"], 0), (["ok", "broken"], 1)])
def test_doctor_ends_as_its_findings_are(
    monkeypatch: pytest.MonkeyPatch, states: list[str], exit_code: int
) -> None:
    findings = [doctor.Finding(f"thing {s}", s, f"[{s}]", {"n": 1}) for s in states]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    result = invoke("doctor", "--json")
    assert result.exit_code == exit_code
    told = json.loads(result.stdout)
    assert told["ok"] == (exit_code == 0)
    assert told["findings"]["thing ok"] == {"state": "ok", "n": 1}
    assert "[ok]" in result.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere they get along")
def test_doctor_says_of_a_display_what_live_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":987")  # a name alone: nothing answers there
    finding = doctor._display("display")
    assert finding.state == "absent"
    assert "cannot be reached" in finding.text
    with pytest.raises(FacewarpError, match="cannot be reached"):
        check_display()


def test_doctor_says_where_the_cache_is_and_how_large(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = tmp_path / "facewarp" / "onnx" / "weights-code" / "parts.onnx"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(bytes(3_000_000))
    (tmp_path / "facewarp" / "engines.json").write_bytes(bytes(1_000_000))
    finding = doctor._cache("cache")
    assert finding.text == f"{tmp_path}/facewarp, 4 MB: 1 networks made ready, 3 MB"
    assert finding.facts["bytes"] == 4_000_000
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))
    assert doctor._cache("cache").state == "absent"


def test_doctor_looks_at_everything_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_video", lambda name: 1 / 0)
    findings = {finding.name: finding for finding in doctor.examine()}
    assert findings["video"].state == "broken"
    assert findings["video"].text == "ZeroDivisionError: division by zero"
    assert findings["facewarp"].facts["version"] == __version__
    assert "cpu" in findings["torch"].facts["devices"]


def test_doctor_imports_opencv_before_pyav_where_openvino_is_missing() -> None:
    code = (
        "import sys\n"
        "sys.modules['openvino'] = None\n"
        "from facewarp.cli import doctor\n"
        "doctor._engines('engines'), doctor._video('video')\n"
        "print([name for name in sys.modules if name in ('av', 'cv2')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['cv2', 'av']"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process")
def test_ctrl_c_while_the_program_loads_says_nothing() -> None:
    code = (
        "import builtins, os, signal\n"
        "real = builtins.__import__\n"
        "def loading(name, *rest):\n"
        "    if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from facewarp.__main__ import main\n"
        "builtins.__import__ = loading\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_names_do_not_steer_the_terminal(trial: Trial) -> None:
    name = "a\x1b[31m\udc80b.png"

    def body(output: Output) -> None:
        output.emit_json({"input": name})
        output.warn(name)
        output.say(f"[bold]{cell('[/x]' + name)}[/]")

    told = trial(body, "trial", "--json")
    assert json.loads(told.stdout) == {"input": name}
    assert "\x1b" not in told.output
    assert "a\\x1b[31m\\udc80b.png" in told.stderr
    assert "[/x]a" in told.stderr


@pytest.mark.parametrize("backend", ["openvino", "opencv"])
def test_doctor_names_what_finds_faces_here(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setattr("facewarp.face.detector.usual_backend", lambda: backend)
    found = doctor._detector("face detector")
    assert found.facts["backend"] == backend
    assert found.text.startswith(f"runs on {backend}")


def test_doctor_says_of_a_mediapipe_that_reports_that_it_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.2.3")
    found = doctor._detector("face detector")
    assert found.state == "ok"
    assert "--detector mediapipe would not: MediaPipe 1.2.3 reports its use" in found.text


@pytest.mark.parametrize("words", [*_commands()], ids=" ".join)
def test_every_command_has_examples_that_its_options_take(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command: Any = program.load_command(words[0])
    if len(words) == 1 and hasattr(command, "commands"):
        return  # its own commands have them
    for word in words[1:]:
        command = command.commands[word]
    lines = re.findall(r"^(?:  |Example: )facewarp (.+)$", command.help, re.MULTILINE)
    assert lines
    for line in lines:
        given = [word for word in shlex.split(line) if word != "--json"]
        assert tuple(given[: len(words)]) == words
        with contextlib.suppress(FacewarpError):  # there is no such file here
            command.make_context(words[-1], given[len(words) :])
