"""Plots by matplotlib without a display."""

from typing import TYPE_CHECKING, Any

from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def matplotlib_figure() -> Any:
    """Return the class of figures that need no display.

    Raises:
        FacewarpError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        fix = f"Install it: {install_command('train')}"
        raise FacewarpError("plots need matplotlib", "--figures", fix) from error

    def figure(**settings: Any) -> "Figure":
        made = Figure(**settings)
        FigureCanvasAgg(made)
        return made

    return figure
