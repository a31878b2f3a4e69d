"""The lower bounds of pyproject.toml are the releases that run: first of `make test-oldest`.

A bound that another package's own bound hides is of a release that nobody has run.
"""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
PROJECT = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINES = PROJECT["dependencies"] + [line for extra in EXTRAS for line in EXTRAS[extra]]
UNBOUND = {"torch"}  # pinned by the Makefile
TOOLS = {"import-linter", "mypy", "ruff", "itk-elastix"}  # of extras that are not installed


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_the_oldest_release_allowed_is_what_is_installed(line: str) -> None:
    wanted = Requirement(line)
    here = wanted.marker is None or wanted.marker.evaluate()
    if wanted.name in {"facewarp", *UNBOUND, *TOOLS} or not here:
        return
    (least,) = (part.version for part in wanted.specifier if part.operator == ">=")
    installed = Version(metadata.version(wanted.name)).release
    bound = Version(least).release
    assert installed[: len(bound)] == bound, f"{line}, but {wanted.name} {installed} was resolved"
