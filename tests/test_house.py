"""The house is in order: what is packaged, what is imported when, what is pinned."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib import metadata, resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import facewarp

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SOURCES = sorted((ROOT / "facewarp").rglob("*.py")) + sorted((ROOT / "training").rglob("*.py"))
PACKAGES = sorted(
    init.parent for top in ("facewarp", "training") for init in (ROOT / top).rglob("__init__.py")
)
BENCHMARKS = sorted({path.parent for path in (ROOT / "benchmarks").rglob("*.py")})
MOST_MODULES = 12
HEAVY = {
    "av",
    "cv2",
    "matplotlib",
    "mediapipe",
    "numpy",
    "onnxruntime",
    "openvino",
    "scipy",
    "torch",
}
LIGHT_MODULES = ("facewarp.face.effects.options", "facewarp.live.settings")
NETWORK = {"aiohttp", "http", "httpx", "requests", "smtplib", "socket", "ssl", "urllib3"}


def modules_after(code: str) -> set[str]:
    """The modules a fresh Python has loaded after running some code."""
    code += "\nimport json, sys; print(); print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The modules a file imports, by their full names."""
    tree = ast.parse(path.read_text("utf-8"))
    names = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_version_is_the_installed_one() -> None:
    assert facewarp.__version__ == metadata.version("facewarp")


def test_the_public_names_are_there() -> None:
    for name in facewarp.__all__:
        assert getattr(facewarp, name) is not None
    assert set(facewarp.__all__) <= set(dir(facewarp))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = facewarp.nonsense  # type: ignore[attr-defined]


def test_importing_facewarp_loads_nothing_heavy() -> None:
    assert not modules_after("import facewarp") & (HEAVY | NETWORK | {"typer", "rich"})


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nope"]])
def test_the_command_line_starts_without_anything_heavy(words: list[str]) -> None:
    code = f"import facewarp.cli.app as a\ntry: a.app({words!r})\nexcept SystemExit: pass"
    loaded = modules_after(code)
    assert not loaded & (HEAVY | NETWORK - {"socket"})  # the standard email package loads socket
    assert not {name for name in loaded if name.startswith(("facewarp.core", "facewarp.face."))}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "facewarp" / "cli").rglob("*.py")), ids=lambda p: p.name
)
def test_command_files_import_heavy_things_inside_functions(path: Path) -> None:
    top = imports_of(path, top_level_only=True)
    assert not {name.partition(".")[0] for name in top} & HEAVY
    own = {name for name in top if name.startswith("facewarp.")}
    light = ("facewarp.cli", "facewarp.errors", "facewarp.system", "facewarp.version")
    assert all(name.startswith((*light, *LIGHT_MODULES)) for name in own)


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_tables_that_commands_read_load_nothing_heavy(module: str) -> None:
    assert not modules_after(f"import {module}") & HEAVY


def test_nothing_speaks_to_the_network() -> None:
    for path in SOURCES:
        names = imports_of(path)
        if path.parent.name == "web":  # serves, when asked to
            assert "ClientSession" not in path.read_text("utf-8"), path
            continue
        if path.parts[-2:] == ("page", "server.py"):  # --serve, to this machine alone
            assert re.findall(r'"(\d+\.\d+\.\d+\.\d+)"', path.read_text("utf-8")) == ["127.0.0.1"]
            continue
        if path.name in ("landmark_sender.py", "display.py") and "live" in path.parts:
            continue  # --send, when asked to; a handshake with the X server of this machine
        assert not {name.partition(".")[0] for name in names} & NETWORK, path
        assert "urllib.request" not in names, path


def test_no_pickle_is_read() -> None:
    for path in SOURCES:
        assert not imports_of(path) & {"pickle", "dill", "joblib", "shelve"}, path


def test_every_package_is_listed() -> None:
    found = set()
    for folder, name in [
        ("facewarp", "facewarp"),
        ("training", "facewarp.training"),
        ("assets", "facewarp.assets"),
    ]:
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize(
    "folder", [*PACKAGES, *BENCHMARKS], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_package_has_more_than_twelve_modules(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if not path.name.startswith("__")]
    assert len(modules) <= MOST_MODULES, [path.name for path in modules]


def test_tests_mirror_the_tree() -> None:
    packages = {path.relative_to(ROOT) for path in PACKAGES}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = path.parent.relative_to(ROOT / "tests")
        top = ROOT if folder.parts[:1] == ("training",) else ROOT / "facewarp"
        assert (top / folder).relative_to(ROOT) in {*packages, Path("facewarp")}, path


def test_every_asset_is_packaged() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["facewarp.assets"]
    for path in (ROOT / "assets").rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            name = path.relative_to(ROOT / "assets").as_posix()
            assert any(fnmatch("/" + name, pattern.replace("**", "*")) for pattern in patterns), (
                name
            )


def test_assets_are_found_as_resources() -> None:
    assert resources.files("facewarp.assets").joinpath("__init__.py").is_file()
    assert resources.files("facewarp").joinpath("py.typed").is_file()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_dependency_is_pinned_within_its_range(python: str) -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line.partition(" #")[0]) for line in lines if line and line[0] != "#"]
    holding = [
        pin for pin in pins if not pin.marker or pin.marker.evaluate({"python_version": python})
    ]
    versions = {pin.name.lower(): next(iter(pin.specifier)).version for pin in holding}
    assert len(versions) == len(holding)  # no package twice
    extras = PROJECT["project"]["optional-dependencies"].values()
    for line in PROJECT["project"]["dependencies"] + [line for extra in extras for line in extra]:
        wanted = Requirement(line)
        if wanted.name != "facewarp":
            assert versions[wanted.name.lower()] in wanted.specifier, line
    assert "+" not in versions["torch"]


def test_an_install_leaves_any_mediapipe_as_it_is() -> None:
    """Other packages want releases that report their use, and every release brings Matplotlib."""
    names = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    assert not names & {"mediapipe", "matplotlib"}


def test_every_python_allowed_is_listed_and_no_upper_bound_set() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    listed = {line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"]}
    assert {"3.11", "3.12", "3.13", "3.14"} <= listed


@pytest.mark.slow
def test_the_wheel_holds_what_it_should(tmp_path: Path) -> None:
    for name in ("facewarp", "training", "assets"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."],
        cwd=tmp_path,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"facewarp"}
    assert {"facewarp/py.typed", "facewarp/training/__init__.py"} <= names
    for path in (ROOT / "assets").rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert f"facewarp/assets/{path.relative_to(ROOT / 'assets').as_posix()}" in names


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_what_make_runs_may_keep_its_bytecode() -> None:
    recipe = 'show:\n\t@echo "<$$PYTHONDONTWRITEBYTECODE>"\n'
    done = subprocess.run(
        ["make", "--file=Makefile", "--file=-", "show"],
        cwd=ROOT, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        input=recipe, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "<>" in done.stdout.splitlines()


def test_what_to_do_next_is_said_as_a_sentence() -> None:
    """`FacewarpError` prints it after a full stop."""
    for path in SOURCES:
        small = re.findall(r"[( ]fix=f?\"[a-z][^\"]*", path.read_text("utf-8"))
        assert not small, path
