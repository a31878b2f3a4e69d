"""The effect alone, with straight alpha."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.face import Face
from facewarp.media.frames import Frame, Source
from facewarp.media.sinks import open_sink


class AlphaOutput(FrameOutput):
    """The effect alone, with straight alpha."""

    def __init__(self, target: Path, source: Source, first: int, comment: str | None) -> None:
        super().__init__(target)
        self._sink = open_sink(
            target, like=source, audio="none", comment=comment, alpha=True, first=first
        )

    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """See `FrameOutput.add`."""
        if layer is None:
            what = "an effect that replaces the frame has no alpha"
            raise FacewarpError(what, "--alpha", "Choose another --effect than canonical.")
        height, width = frame.image.shape[:2]
        color, alpha = layer.spread((width, height))
        self._sink.write(replace(frame.with_image(color), alpha=alpha, hdr=None))

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        self._sink.close(keep_partial=keep_partial)
        self.kept = self._sink.kept

    def abort(self) -> None:
        """See `Output.abort`."""
        self._sink.abort()
