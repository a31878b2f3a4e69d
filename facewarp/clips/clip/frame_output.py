"""The outputs that take frames with their faces."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.face.face import Face
from facewarp.media.frames import Frame
from facewarp.media.outputs import Output


class FrameOutput(Output):
    """An output that takes frames with their faces."""

    @property
    def written(self) -> list[Path]:
        """Files and patterns that were written; empty where nothing was."""
        return [self.target] if self.kept else []

    @abstractmethod
    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """Take the next frame.

        Args:
            frame: as it was read.
            faces: in it.
            layer: what the effect drew; None where the effect replaces the frame.

        Raises:
            FacewarpError: it could not be written.
        """
