"""Find templates by name or file: shipped ones and the user's own."""

from importlib import resources
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.system.user_folders import own_templates


def shipped_templates() -> list[str]:
    """Return the names of the shipped templates."""
    return sorted(path.stem for path in _folder().glob("*.npz"))


def template_names() -> list[str]:
    """Return the names of the shipped templates, then of the user's own."""
    shipped = shipped_templates()
    own = sorted(path.stem for path in own_templates().glob("*.npz"))
    return shipped + [name for name in own if name not in shipped]


def _folder() -> Path:
    return Path(str(resources.files("facewarp.assets"))) / "templates"


def find_template(template: str | Path) -> Path:
    """Return the file of a template: shipped, the user's own by name, or a ``.npz`` file.

    Raises:
        FacewarpError: there is none.
    """
    path = Path(template)
    if path.suffix == ".npz":
        if not path.is_file():
            raise FacewarpError("there is no such template", path, "Check the path.")
        return path
    if path.name == str(template):
        for folder in (_folder(), own_templates()):
            found = folder / f"{template}.npz"
            if found.is_file():
                return found
    names = ", ".join(template_names()) or "none"
    raise FacewarpError(
        f"no template is called {str(template)!r}", fix=f"Use one of {names}, or a .npz file."
    )
