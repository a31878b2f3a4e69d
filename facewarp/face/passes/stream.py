"""Passes of a clip, frame by frame: one behind, since motion forward needs the next frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from facewarp.face.face import Face
from facewarp.face.passes.layers import FrameLayers, LayerRenderer, SeenFace

Tag = TypeVar("Tag")


@dataclass(frozen=True)
class _Moment(Generic[Tag]):
    tag: Tag
    faces: dict[int, SeenFace]


class PassStream(Generic[Tag]):
    """Renders frames in order, each when the next is known.

    Args:
        renderer: of the clip's format.
        follows: whether frames follow one another in time: pictures of a folder do not move.
    """

    def __init__(self, renderer: LayerRenderer, *, follows: bool = True) -> None:
        self._renderer, self._follows = renderer, follows
        self._before: dict[int, SeenFace] = {}
        self._held: _Moment[Tag] | None = None

    def add(self, tag: Tag, faces: Sequence[Face]) -> Tag | None:
        """Take a frame's faces; return the tag of the frame that can be rendered now, if any.

        Call `render` for it, or `skip`.
        """
        there = {face.id: SeenFace(face) for face in faces if face.state != "lost"}
        self._ready, self._after = self._held, there if self._follows else {}
        self._held = _Moment(tag, there)
        return None if self._ready is None else self._ready.tag

    def finish(self) -> Tag | None:
        """Return the tag of the last frame, which is rendered without a next one."""
        self._ready, self._after, self._held = self._held, {}, None
        return None if self._ready is None else self._ready.tag

    def render(self) -> FrameLayers:
        """Render the frame whose tag was returned last."""
        assert self._ready is not None
        faces = self._ready.faces
        layers = self._renderer(list(faces.values()), self._before, self._after)
        self.skip()
        return layers

    def skip(self) -> None:
        """Leave out the frame whose tag was returned last."""
        assert self._ready is not None
        self._before = self._ready.faces if self._follows else {}
