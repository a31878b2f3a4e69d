"""Keys of the live window: what each does, and the help card that lists them.

Capitals count as small letters: half of the systems do not tell them apart, and Caps Lock should
not change what a key does.
"""

import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import Actions, Controls
from facewarp.live.window.help_card import Row, Section

_OPACITY_STEP: Final = 0.1
ESCAPE: Final = "\x1b"
_SAME: Final = {"=": "+", "_": "-", "c": "p", "?": "h"}
"""Keys that do what another one does: the same key without Shift, or what else one would try."""


@dataclass(frozen=True)
class Line:
    """A message to display for a moment: what was done, or why it could not be."""

    text: str
    is_error: bool = False


class Hotkeys:
    """Turn keys into changes of controls and actions.

    What a key asks for is done in a thread of its own, one after the other, so that no frame waits
    for a texture to be read or a template to be made.

    Args:
        controls: what effects, textures and the like are changed through.
        actions: what recording, screenshots and the like are asked of.

    Attributes:
        help_shown: whether the card of keys is to be shown.
        hud_shown: whether speed and faces are to be shown.
        fullscreen: whether the window is to fill the screen.
    """

    def __init__(self, controls: Controls, actions: Actions) -> None:
        self.help_shown = False
        self.hud_shown = True
        self.fullscreen = False
        self._controls = controls
        self._actions = actions
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._worker = ThreadPoolExecutor(1, "hotkeys")
        self._pending: list[Future[None]] = []
        self._does: Mapping[str, Callable[[], str | None]] = {
            "x": lambda: self._texture(1),
            "z": lambda: self._texture(-1),
            "+": lambda: self._opacity(_OPACITY_STEP),
            "-": lambda: self._opacity(-_OPACITY_STEP),
            "v": lambda: self._style("style"),
            "d": lambda: self._style("style_mode"),
            "s": lambda: self._switch("smoothing"),
            "m": lambda: self._switch("mirror"),
            "t": controls.snapshot_template,
            "b": self._first_template,
            "n": controls.snapshot_neutral,
            "r": actions.record,
            "p": actions.screenshot,
            " ": actions.pause,
        }

    def press(self, key: str) -> None:
        """Do what a key is for; other keys are ignored."""
        key = key.lower()
        key = _SAME.get(key, key)
        if key == ESCAPE and self.help_shown:
            self.help_shown = False
        elif key in ("q", ESCAPE):
            self._actions.stop()
        elif key == "h":
            self.help_shown = not self.help_shown
        elif key == "i":
            self.hud_shown = not self.hud_shown
        elif key == "f":
            self.fullscreen = not self.fullscreen
        elif key in "123456789":
            self._later(lambda: self._effect(int(key)))
        elif key in self._does:
            self._later(self._does[key])

    def lines(self) -> list[Line]:
        """Return the messages since the last call.

        Raises:
            Exception: whatever but a FacewarpError a key has met: a bug, not to be hidden.
        """
        done = [job for job in self._pending if job.done()]
        self._pending = [job for job in self._pending if not job.done()]
        for job in done:
            job.result()
        found = []
        while not self._lines.empty():
            found.append(self._lines.get())
        return found

    def sections(self) -> tuple[tuple[Section, ...], ...]:
        """Return the card's two columns, with what is set."""
        settings, choices = self._controls.settings(), self._controls.choices()
        effects = tuple(
            Row((str(number),), name, is_set=name == settings["effect"])
            for number, name in enumerate(choices["effect"][:9], start=1)
        )
        own = settings["template"] != choices["template"][0]
        look = (
            Row(("z", "x"), "texture", str(settings["texture"]), settings["effect"] == "texture"),
            Row(("v",), "style", str(settings["style"]), settings["effect"] == "style"),
            Row(("d",), "of the style", str(settings["style_mode"])),
            Row(("-", "+"), "opacity", f"{settings['opacity']:.0%}"),
            Row(("s",), "smoothing", *_switch_of(settings["smoothing"])),
            Row(("m",), "mirror this view", *_switch_of(settings["mirror"])),
        )
        template = (
            Row(("t",), "take this face", str(settings["template"]), own),
            Row(("b",), f"back to {choices['template'][0]}"),
            Row(("n",), "this face is neutral"),
        )
        session = (
            Row(("r",), "record"),
            Row(("p",), "screenshot"),
            Row(("space",), "pause"),
            Row(("i",), "numbers", *_switch_of(self.hud_shown)),
            Row(("f",), "full screen"),
            Row(("q",), "quit"),
        )
        return (
            (Section("EFFECT", effects), Section("TEMPLATE", template)),
            (Section("LOOK", look), Section("SESSION", session)),
        )

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _later(self, job: Callable[[], str | None]) -> None:
        self._pending.append(self._worker.submit(self._do, job))

    def _do(self, job: Callable[[], str | None]) -> None:
        try:
            text = job()
        except FacewarpError as error:
            self._lines.put(Line(str(error), is_error=True))
            return
        if text:
            self._lines.put(Line(text))

    def _effect(self, number: int) -> str | None:
        effects = self._controls.choices()["effect"]
        if number > len(effects):
            return None
        self._controls.change(effect=effects[number - 1])
        return effects[number - 1]

    def _texture(self, step: int) -> str | None:
        settings, textures = self._controls.settings(), self._controls.choices()["texture"]
        if not textures:
            return None
        name = settings["texture"]
        if settings["effect"] == "texture" or name not in textures:
            place = textures.index(name) if name in textures else -step
            name = textures[(place + step) % len(textures)]
        self._controls.change(effect="texture", texture=name)
        return f"texture {name}"

    def _style(self, name: str) -> str | None:
        """Show a style; where one is shown already, the next, or the next mode of it."""
        settings, possible = self._controls.settings(), self._controls.choices()[name]
        value = settings[name]
        if settings["effect"] == "style" and value in possible:
            value = possible[(possible.index(value) + 1) % len(possible)]
        self._controls.change(effect="style", **{name: value})
        return f"{name.replace('_', ' ')} {value}"

    def _opacity(self, step: float) -> str:
        opacity = min(1.0, max(0.0, round(self._controls.settings()["opacity"] + step, 2)))
        self._controls.change(opacity=opacity)
        return f"opacity {opacity:.0%}"

    def _switch(self, name: str) -> str:
        value = not self._controls.settings()[name]
        self._controls.change(**{name: value})
        return f"{name} {_switch_of(value)[0]}"

    def _first_template(self) -> str:
        name = self._controls.choices()["template"][0]
        self._controls.change(template=name)
        return f"template {name}"


def _switch_of(value: Any) -> tuple[str, bool]:
    return ("on", True) if value else ("off", False)
