"""Scripts beside the package: listed, saying their own command, importing what is there."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.py"))
SCRIPTS = [name for name in FILES if not Path(name).name.startswith("_")]
NAMED = re.compile(r"benchmarks/([\w/]+\.py)")
PROGRAMS = [FOLDER / name for name in FILES] + sorted((ROOT / "docs").glob("*.py"))
PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "assets/**/*.md", "facewarp/**/*.py", "benchmarks/**/*.py")
    for path in ROOT.glob(pattern)
]


def file_of(module: str) -> Path:
    """The file of a module of facewarp in this checkout."""
    _, *parts = module.split(".")
    top = ROOT if parts[:1] in (["training"], ["assets"]) else ROOT / "facewarp"
    place = top.joinpath(*parts)
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def test_the_table_lists_every_script() -> None:
    listed = re.findall(
        r"^\| \[([\w/.]+)\]\(([\w/.]+)\)", (FOLDER / "README.md").read_text("utf-8"), re.M
    )
    assert all(name == target for name, target in listed)
    assert sorted(name for name, _ in listed) == SCRIPTS


def test_make_bench_runs_scripts_that_are_there() -> None:
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^BENCHMARKS := (.*)$", text, re.M)
    assert len(line.split()) > 5
    assert set(line.split()) <= set(SCRIPTS)


def test_pages_name_scripts_that_are_there() -> None:
    named = {name for path in PAGES for name in NAMED.findall(path.read_text("utf-8"))}
    assert len(named) > 10
    assert named <= set(FILES)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_its_own_command(name: str) -> None:
    text = ast.get_docstring(ast.parse((FOLDER / name).read_text("utf-8")))
    assert f"python benchmarks/{name}" in (text or "")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_reads_its_options_first(name: str) -> None:
    """So that --help lists them, and a misspelled one is told, before anything is measured."""
    tree = ast.parse((FOLDER / name).read_text("utf-8"))
    (main,) = (node for node in tree.body if getattr(node, "name", "") == "main")
    calls = [node for node in ast.walk(main) if isinstance(node, ast.Call)]
    read = [call.lineno for call in calls if ast.unparse(call.func).endswith("parse_args")]
    printed = [call.lineno for call in calls if ast.unparse(call.func) == "print"]
    assert read
    assert min(read) < min(printed, default=10**6)


@pytest.mark.parametrize("name", FILES)
def test_a_script_finds_what_lies_beside_it(name: str) -> None:
    """In the folders that Python and the script itself look in, without PYTHONPATH."""
    text = (FOLDER / name).read_text("utf-8")
    beside = {path.stem for path in FOLDER.rglob("*") if path.is_dir() or path.suffix == ".py"}
    folder = (FOLDER / name).parent
    if all(path.name.startswith("_") for path in folder.glob("*.py")):
        folder = folder.parent  # helpers of the scripts there, in whose folder Python looks
    for node in ast.walk(ast.parse(text)):
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if module.partition(".")[0] in beside - set(sys.stdlib_module_names):
            places = [folder]
            if "Path(__file__).parents[1]))" in text:
                places.append(FOLDER)
            file = module.replace(".", "/") + ".py"
            assert any((place / file).is_file() for place in places), module


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_script_imports_names_that_facewarp_has(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facewarp"):
            text = file_of(node.module or "").read_text("utf-8")
            for name in (alias.name for alias in node.names):
                assert re.search(rf"\b{name}\b", text), (node.module, name)
