"""Groups of options: dataclasses whose fields are options of a command."""

import math
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.exceptions import TyperException
from typer.testing import CliRunner

from facewarp.cli.app import load_command
from facewarp.cli.option_groups import Panel, number_within, option_groups, plain_words


@dataclass(frozen=True)
class Size:
    """A group of two options, of which one has a default."""

    width: Annotated[int, typer.Option(min=1, help="How wide.")]
    height: Annotated[int, typer.Option(help="How high.")] = 7

    def __post_init__(self):
        if self.width > self.height:
            raise typer.BadParameter("wider than high.", param_hint="--width")


def run(command, *words):
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return CliRunner().invoke(app, words, env={"COLUMNS": "100", "NO_COLOR": "1"})


@option_groups
def draw(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Of what.")],
    *,
    size: Annotated[Size, Panel("How large")],
    deep: Annotated[bool, typer.Option("--deep"), Panel("How large")] = False,
    last: Annotated[str, typer.Option(help="The end.")] = "x",
) -> None:
    """Draw something."""
    typer.echo(f"{ctx.info_name} {name} {size} {deep} {last}")


def test_a_group_is_filled_with_its_options():
    result = run(draw, "it", "--width", "3", "--last", "z", "--deep")
    assert result.output == "draw it Size(width=3, height=7) True z\n"


def test_options_of_a_group_keep_their_checks():
    assert "Missing option '--width'" in run(draw, "it").output
    assert run(draw, "it", "--width", "0").exit_code == 2


def test_a_group_refuses_options_that_do_not_fit():
    result = run(draw, "it", "--width", "9")
    assert result.exit_code == 2
    assert "wider than high" in result.output


def test_help_lists_a_group_where_it_stands_and_under_its_panel():
    text = run(draw, "--help").output
    where = [text.index(word) for word in ("How large", "--width", "--height", "--deep")]
    assert where == sorted(where)
    assert text.index("Options") < text.index("--last") < text.index("How large")
    assert "[default: 7]" in text
    assert "Draw something." in text


def test_options_of_one_name_are_a_mistake():
    def twice(*, one: Size, width: int) -> None:
        pass

    with pytest.raises(ValueError, match="width"):
        option_groups(twice)


@pytest.mark.parametrize("text", ["x", "nan", "inf", "-0.1", "1.5"])
def test_numbers_outside_a_range_are_usage_errors(text):
    parse = number_within(0, 1)
    assert (parse("0"), parse(1.0), parse("0.25")) == (0.0, 1.0, 0.25)
    with pytest.raises(typer.BadParameter, match=r"no number|not in the range 0<=x<=1"):
        parse(text)


def test_a_range_without_end_says_only_its_begin():
    with pytest.raises(typer.BadParameter, match=r"0 is not in the range x>=0\.001$"):
        number_within(0.001, math.inf)("0")


NUMBERS = (int, float)


@pytest.mark.parametrize("name", ["track", "live", "bench", "cine", "page"])
def test_values_that_are_refused_are_told_with_the_range_of_the_option(name):
    command = load_command(name)
    refused = 0
    for option in command.params:
        kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
        if kind not in NUMBERS or not option.opts[0].startswith("--"):
            continue
        least, most = getattr(option, "min", None), getattr(option, "max", None)
        values = ["abc", *(str(least - 1) for _ in [0] if least is not None)]
        for value in (*values, *(str(most + 1) for _ in [0] if most is not None)):
            with pytest.raises(TyperException) as error:
                command.make_context(name, [f"{option.opts[0]}={value}"])
            words = plain_words(error.value)
            assert "Input" not in words
            assert value in words
            if value != "abc":
                assert f"{least if least is not None else most:g}" in words
            refused += 1
    assert refused > 1


def test_a_reason_of_ours_is_told_as_it_is():
    assert plain_words(typer.BadParameter("Value error, 'x' is no colour")) == "'x' is no colour"


MISSING = (
    "bench --landmarker gone.task",
    "bench --model gone.safetensors",
    "cine gone.nii.gz",
    "cine {here} --labels gone.nii.gz",
    "cine {here} --model gone.safetensors",
    "eval acdc --data gone",
    "eval celebamask --data gone",
    "eval helen --data gone",
    "eval helen --data {here} --landmarker gone.task",
    "eval mnms --data gone",
    "eval phantom --data gone",
    "export gone.safetensors",
    "export face --int8 --calibrate gone",
    "page site --template gone.npz",
    "page {here}/file.txt/site",
    "register gone.nii gone.nii.gz",
    "register {here}/file.txt {here}/file.txt --model gone.safetensors",
    "template build gone.jpg --name me",
    "template build {here}/file.txt --name me --base gone.npz",
    "template show gone.npz",
    "track gone.mp4",
    "track {here}/file.txt --model gone.safetensors",
    "live --source gone.mp4 --headless",
    "train acdc --data gone",
    "train acdc --data {here} --resume",
    "train baseline esr --data gone",
    "train baseline krebs --data {here} --resume",
    "train helen --data gone",
    "train helen --data {here} --celebamask gone",
    "train helen --data {here} --start-from gone.safetensors",
    "train occlusion --data {here} --screen gone.safetensors",
)
"""Command lines that name what is not there; {here} is a folder that is."""

_EACH_IN_TURN = """
import sys
from facewarp.cli.app import app
from typer.testing import CliRunner
for line in sys.stdin.read().splitlines():
    done = CliRunner().invoke(app, line.split())
    print(done.exit_code, "torch" in sys.modules, done.output.count("\\n"), line, sep="|")
"""


def test_what_is_not_there_is_told_before_torch_is_imported(tmp_path):
    (tmp_path / "file.txt").write_text("no picture")
    lines = [line.format(here=tmp_path) for line in MISSING]
    done = subprocess.run(
        [sys.executable, "-c", _EACH_IN_TURN],
        input="\n".join(lines), capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"1|False|1|{line}" for line in lines]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
