"""Read evaluations that ``facewarp eval ... --json`` printed."""

import json
from pathlib import Path
from typing import Any

from facewarp.errors import FacewarpError


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read an evaluation from a file.

    Raises:
        FacewarpError: it can't be read, or holds none.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FacewarpError(
            "this is not an evaluation", path, "Give what facewarp eval ... --json printed."
        ) from error
    return dict(found)


def number(value: float | None, digits: int) -> str:
    """Format a number of an evaluation, ``-`` where it has none."""
    return "-" if value is None else f"{value:.{digits}f}"
