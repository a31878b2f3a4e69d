"""Passes of a clip, frame by frame: one behind, since motion forward needs the next frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from facewarp.face.face import Face
from facewarp.face.passes.layers import FrameLayers, LayerRenderer, SeenFace

Tag = TypeVar("Tag")


@dataclass(frozen=True)
class ReadyFrame(Generic[Tag]):
    """A frame whose neighbors are known.

    Attributes:
        tag: what it was added with.
        faces: its own, by id.
        before: those of the frame before.
        after: those of the next frame.
    """

    tag: Tag
    faces: Mapping[int, SeenFace]
    before: Mapping[int, SeenFace]
    after: Mapping[int, SeenFace]

    def render(self, renderer: LayerRenderer) -> FrameLayers:
        """Render its layers; in any thread, and in any order."""
        return renderer(list(self.faces.values()), self.before, self.after)


@dataclass(frozen=True)
class _Moment(Generic[Tag]):
    tag: Tag
    faces: dict[int, SeenFace]


class PassStream(Generic[Tag]):
    """Gives frames back in order, each when the next is known.

    Args:
        follows: whether frames follow one another in time: pictures of a folder do not move.
    """

    def __init__(self, *, follows: bool = True) -> None:
        self._follows = follows
        self._before: dict[int, SeenFace] = {}
        self._held: _Moment[Tag] | None = None

    def add(self, tag: Tag, faces: Sequence[Face]) -> ReadyFrame[Tag] | None:
        """Take a frame's faces; return the frame that can be rendered now, if any."""
        there = {face.id: SeenFace(face) for face in faces if face.state != "lost"}
        return self._next(_Moment(tag, there), there if self._follows else {})

    def finish(self) -> ReadyFrame[Tag] | None:
        """Return the last frame, which is rendered without a next one."""
        return self._next(None, {})

    def _next(
        self, held: _Moment[Tag] | None, after: dict[int, SeenFace]
    ) -> ReadyFrame[Tag] | None:
        ready, self._held = self._held, held
        if ready is None:
            return None
        before, self._before = self._before, ready.faces if self._follows else {}
        return ReadyFrame(ready.tag, ready.faces, before, after)
