"""docs/architecture.md names files and definitions that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMED = re.findall(r"`((?:facewarp|training|tests)/[\w/]+\.py)`(?: \(((?:`\w+`(?:, )?)+)\))?", PAGE)
FOLDERS = re.findall(r"`((?:facewarp|training|tests|assets)(?:/[\w]+)*)`", PAGE)


def defined_in(path: Path) -> set[str]:
    """Names of the functions and classes of a file, and of its constants."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_the_page_names_every_stop() -> None:
    assert len(NAMED) > 50
    assert len(FOLDERS) > 10


@pytest.mark.parametrize(("file", "names"), sorted(set(NAMED)))
def test_every_named_file_defines_what_the_page_says(file: str, names: str) -> None:
    assert (ROOT / file).is_file()
    assert set(re.findall(r"\w+", names)) <= defined_in(ROOT / file)


@pytest.mark.parametrize("folder", sorted(set(FOLDERS)))
def test_every_named_folder_is_there(folder: str) -> None:
    assert (ROOT / folder).is_dir()


def test_every_package_stands_on_the_page() -> None:
    packages = {path.parent.name for path in (ROOT / "facewarp").rglob("__init__.py")}
    packages |= {path.parent.name for path in (ROOT / "training").rglob("__init__.py")}
    missing = {name for name in packages if name not in PAGE}
    assert not missing


def test_the_list_of_decisions_names_files_that_are_there() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^- \[(\d+)\]\(([\w-]+\.md)\): ", (folder / "README.md").read_text("utf-8"), re.M
    )
    assert len(listed) > 60
    assert len(set(listed)) == len(listed)
    assert all(int(file[:4]) == int(number) for number, file in listed)
    assert not [file for _, file in listed if not (folder / file).is_file()]
