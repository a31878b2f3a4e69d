"""User effects: a decorator makes an effect of a function that draws on one face.

Example:
    >>> import cv2, facewarp
    >>> @facewarp.effect
    ... def clown(picture, face, template):
    ...     "A red nose."
    ...     x, y = face.landmarks[30].astype(int).tolist()
    ...     cv2.circle(picture, (x, y), int(13 * face.crop.scale), (230, 20, 30), -1, cv2.LINE_AA)
    >>> draw = facewarp.make_effect("clown")
"""

import importlib.util
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.effects.base import FaceEffect, drawn_with_coverage, forget_past
from facewarp.face.effects.options import EFFECT_NAMES

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

Painter = Callable[[NDArray[np.uint8], Any, Any], NDArray[np.uint8] | None]
"""(picture HxWx3 uint8 RGB, `tracker.Face`,
`template.Template`): draws into the picture, or returns a new one."""

USER_EFFECTS: dict[str, Callable[[float, bool], "UserEffect"]] = {}
"""What makes each effect that was added, by name, from an opacity and whether to tag faces."""

_numbers = itertools.count()


class UserEffect(FaceEffect):
    """A painter as an effect: called for each face that is not lost, on a copy of the frame.

    Args:
        name: of the effect, for errors.
        painter: what draws.
        opacity: 0..1.
        annotate: see `base.FaceEffect`.
    """

    def __init__(
        self, name: str, painter: Painter, opacity: float = 1.0, annotate: bool = True
    ) -> None:
        super().__init__(opacity, annotate)
        self.name, self._painter = name, painter

    def _prepare(self, template: "Template") -> None:
        pass

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        picture = frame.copy()
        try:
            drawn = self._painter(picture, face, template)
        except FacewarpError:
            raise
        except Exception as error:
            raise FacewarpError(
                f"the effect {self.name!r} failed: {type(error).__name__}: {error}",
                _place_of(error),
                "This is the effect's own code.",
            ) from error
        drawn = picture if drawn is None else np.asarray(drawn)
        if drawn.shape != frame.shape or drawn.dtype != np.uint8:
            raise FacewarpError(
                f"the effect {self.name!r} returned {drawn.dtype} of shape {drawn.shape}, "
                f"not uint8 of {frame.shape}",
                fix="Draw into the picture, or return one like it.",
            )
        if self.opacity < 1:
            drawn = np.rint(frame + self.opacity * (drawn.astype(np.float32) - frame))
        if self.coverage is not None:  # what it is made of only its own code knows
            self.coverage[(frame != drawn).any(-1)] = 255
        frame[:] = drawn


@overload
def effect(painter: Painter) -> Painter: ...
@overload
def effect(*, name: str) -> Callable[[Painter], Painter]: ...
def effect(
    painter: Painter | None = None, *, name: str | None = None
) -> Painter | Callable[[Painter], Painter]:
    """Add a function to the effects, by its own name or another; a later one replaces it.

    Args:
        painter: the function; see `Painter`.
        name: what the effect is called, if not like the function.

    Raises:
        FacewarpError: an effect of facewarp itself is called that.

    Example:
        >>> @facewarp.effect
        ... def inverted(picture, face, template):
        ...     x0, y0, x1, y1 = (max(int(n), 0) for n in face.box)
        ...     picture[y0:y1, x0:x1] = 255 - picture[y0:y1, x0:x1]
        >>> draw = facewarp.make_effect("inverted")
    """

    def add(function: Painter) -> Painter:
        called = name or str(getattr(function, "__name__", "effect"))
        if called in EFFECT_NAMES:
            raise FacewarpError(
                f"there is an effect {called!r} already", fix="Call yours something else."
            )
        USER_EFFECTS[called] = lambda opacity, annotate: UserEffect(
            called, function, opacity, annotate
        )
        return function

    return add if painter is None else add(painter)


def load_effects(path: str | Path) -> list[str]:
    """Run a Python file that adds effects, and return their names.

    Raises:
        FacewarpError: there is no such file, it fails, or it adds none.
    """
    path = Path(path)
    spec = importlib.util.spec_from_file_location(f"facewarp_effects_{next(_numbers)}", path)
    if path.suffix != ".py" or not path.is_file() or spec is None or spec.loader is None:
        raise FacewarpError("there is no such Python file", path, "Give a .py file with effects.")
    before = dict(USER_EFFECTS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except FacewarpError:
        raise
    except Exception as error:
        raise FacewarpError(
            f"the file with effects fails: {type(error).__name__}: {error}",
            _place_of(error) or path,
            "Mend it there; --verbose shows the traceback.",
        ) from error
    added = [name for name, make in USER_EFFECTS.items() if before.get(name) is not make]
    if not added:
        raise FacewarpError(
            "the file adds no effect", path, "Put @facewarp.effect before a function in it."
        )
    return added


class Turns:
    """Several effects, one for each face: the face with id i gets effect i modulo their number.

    Args:
        effects: what faces get, the first face the first.

    Attributes:
        effects: what they get.
        note: of those effects that have one.
        coverage: see `FaceEffect`.
    """

    def __init__(self, effects: Sequence[Callable[..., NDArray[np.uint8]]]) -> None:
        if not effects:
            raise FacewarpError("faces by turns need an effect at least")
        self.effects = list(effects)
        self.coverage: NDArray[np.uint8] | None = None
        notes = [str(note) for e in effects if (note := getattr(e, "note", None)) is not None]
        self.note = " ".join(dict.fromkeys(notes)) or None

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """Return a copy of the frame, HxWx3 uint8 RGB, with each face's own effect."""
        out = frame
        for number, one in enumerate(self.effects):
            mine = [face for face in faces if face.id % len(self.effects) == number]
            out = drawn_with_coverage(one, out, mine, template, self.coverage)
            if out.shape != frame.shape:
                raise FacewarpError(
                    "an effect that replaces the frame can't go with others",
                    fix="Leave canonical out.",
                )
        return out

    def forget(self) -> None:
        """Make all effects start anew with the next frame."""
        for one in self.effects:
            forget_past(one)


def _place_of(error: BaseException) -> str | None:
    """File and line where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
