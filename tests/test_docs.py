"""The pages of docs/: every command is understood as written, links and anchors lead on."""

import contextlib
import re
import shlex
from pathlib import Path

import pytest

from facewarp.cli.app import load_command
from facewarp.errors import FacewarpError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
GLOBAL = {"--json", "-q", "--quiet", "-v", "--verbose"}
"""Options that may stand anywhere on the line, and are taken off it before a command reads it."""


def commands() -> list[str]:
    """Every line of the pages' shell blocks that calls `facewarp`, from its name on."""
    found: dict[str, None] = {}
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                call = re.match(r"(?:\S+=\S+ |xvfb-run )*(?:\S*/)?facewarp (.+)", line)
                if call:
                    found[re.split(r" #| \| | && | > ", call[1])[0].strip()] = None
    return list(found)


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_pages_is_understood(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *words = [word for word in shlex.split(line) if word not in GLOBAL]
    command = load_command(name)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
    with contextlib.suppress(FacewarpError):  # there is no such file here
        command.make_context(name, words)


def anchors(page: Path) -> set[str]:
    """What links to headings of a page may say, by GitHub's rule."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    lost = []
    for target in re.findall(r"\]\(((?!https?:|mailto:)[^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        goal = page if not path else page.parent / path
        if not goal.exists() or (anchor and anchor not in anchors(goal)):
            lost.append(target)
    assert not lost
