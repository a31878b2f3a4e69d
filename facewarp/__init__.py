"""Semantically guided registration of faces and hearts.

The names below are the public API. Each is imported when it is first used, so
``import facewarp`` costs nothing and loads neither torch nor OpenCV.

Example:
    >>> import facewarp
    >>> tracker = facewarp.FaceTracker(template="average")
    >>> for frame in facewarp.read_video("clip.mp4"):
    ...     faces = tracker(frame.image, frame.time)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facewarp.errors import FacewarpError
from facewarp.system.privacy import silence_telemetry
from facewarp.version import __version__

if TYPE_CHECKING:
    from facewarp.cardiac.cine import analyse_cine
    from facewarp.cardiac.cine_result import CineResult
    from facewarp.core.model import Model, load
    from facewarp.core.registration import Registration
    from facewarp.face.effects.factory import make_effect
    from facewarp.face.effects.plugins import effect
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template
    from facewarp.face.tracking.tracker import FaceTracker
    from facewarp.media.frames import Frame
    from facewarp.media.sinks import open_sink
    from facewarp.media.sources import open_source, read_video

silence_telemetry()  # before anything that reports is imported

__all__ = [
    "CineResult",
    "Face",
    "FaceTracker",
    "FacewarpError",
    "Frame",
    "Model",
    "Registration",
    "Template",
    "__version__",
    "analyse_cine",
    "effect",
    "load",
    "make_effect",
    "open_sink",
    "open_source",
    "read_video",
]

_HOME = {
    "CineResult": "facewarp.cardiac.cine_result",
    "Face": "facewarp.face.face",
    "FaceTracker": "facewarp.face.tracking.tracker",
    "Frame": "facewarp.media.frames",
    "Model": "facewarp.core.model",
    "Registration": "facewarp.core.registration",
    "Template": "facewarp.face.template.template",
    "analyse_cine": "facewarp.cardiac.cine",
    "effect": "facewarp.face.effects.plugins",
    "load": "facewarp.core.model",
    "make_effect": "facewarp.face.effects.factory",
    "open_sink": "facewarp.media.sinks",
    "open_source": "facewarp.media.sources",
    "read_video": "facewarp.media.sources",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module the first time it is asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of the module and the public ones not imported yet."""
    return sorted({*globals(), *__all__})
