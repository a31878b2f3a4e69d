"""A multi-layer OpenEXR file for each frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.clips.clip.extra_outputs import ExtraOutputs
from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.face import Face
from facewarp.face.passes.layers import FACE_ID, FrameLayers, LayerRenderer
from facewarp.face.passes.st_maps import IntBox, TemplateCanvas
from facewarp.face.passes.stream import PassStream, ReadyFrame
from facewarp.face.template.template import Template
from facewarp.media.exr import cryptomatte
from facewarp.media.exr.layers_file import MOST_FRAME, LayersFile
from facewarp.media.exr.sequence import LayersSequence
from facewarp.media.frames import Frame, Source
from facewarp.media.images.sequence import number_of
from facewarp.media.prefetch import WritePool
from facewarp.system.machine import cores
from facewarp.version import __version__

Size = tuple[int, int]

_LAYERS_BYTES: Final = 1 << 30  # of the frames of passes that are in the making
_BYTES_A_PIXEL: Final = 200  # of a frame's layers, twice: OpenEXR copies them
_SRGB_KNEE: Final = 0.04045


@dataclass(frozen=True)
class _Held:
    number: int
    time: float
    timecode: str | None
    size: Size
    layer: EffectLayer | None


class PassOutput(FrameOutput):
    """A multi-layer OpenEXR file for each frame.

    Args:
        extras: names the files.
        source: of the frames.
        template: what faces are registered to.
    """

    def __init__(self, extras: ExtraOutputs, source: Source, template: Template) -> None:
        assert extras.passes is not None
        super().__init__(extras.passes)
        told = {**extras.made_from, "input": source.name, "version": __version__}
        self._sequence = LayersSequence(
            extras.passes, told, numbered=source.kind != "image", resume=extras.resume
        )
        self._source, self._template, self._first = source, template, extras.first
        self._aspect, self._is_clip = float(source.sample_aspect), source.is_clip
        self._size: Size | None = None
        self._stream: PassStream[_Held] | None = None
        self._renderer: LayerRenderer | None = None
        self._pool: WritePool[bool] | None = None

    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """See `FrameOutput.add`."""
        height, width = frame.image.shape[:2]
        size = width, height
        number = number_of(frame, self._source, self._first)
        is_counted = self._source.rate <= MOST_FRAME + 1  # else only some files would have one
        timecode = self._source.timecode_at(frame.index) if is_counted else None
        if self._stream is not None and size != self._size:
            self._flush()
            if self._is_clip:
                assert self._size is not None
                what = f"picture {number} has {width}x{height} pixels, the passes " + "{}x{}"
                fix = "Make all pictures of a clip one size."
                raise FacewarpError(what.format(*self._size), self.target, fix)
        if self._stream is None:
            self._renderer = LayerRenderer(self._template, TemplateCanvas(size, self._aspect))
            self._stream, self._size = PassStream(follows=self._is_clip), size
        self._write(self._stream.add(_Held(number, frame.time, timecode, size, layer), faces))

    def _flush(self) -> None:
        if self._stream is not None:
            self._write(self._stream.finish())
            self._stream = None

    def _write(self, ready: ReadyFrame[_Held] | None) -> None:
        """Render and write a frame in a thread, while the next ones are found and drawn."""
        if ready is None:
            return
        if self._pool is None:
            name = f"passes {self.target.name}"
            self._pool = WritePool(_threads(ready.tag.size), self._count, name)
        assert self._renderer is not None
        self._pool.put(partial(self._make, ready, self._renderer))

    def _make(self, ready: ReadyFrame[_Held], renderer: LayerRenderer) -> bool:
        """Make a frame's file; return whether it was there already."""
        held = ready.tag
        if self._sequence.has(held.number):
            return True
        self._sequence.write(held.number, self._file(held, ready.render(renderer)))
        return False

    def _count(self, resumed: bool) -> None:
        self._sequence.count(resumed=resumed)
        self.kept = self._sequence.kept

    def _file(self, held: _Held, layers: FrameLayers) -> LayersFile:
        x0, y0, x1, y1 = layers.box
        shape = y1 - y0, x1 - x0
        channels = dict(layers.channels)
        if held.layer is not None:
            channels |= _effect_channels(held.layer, layers.box)
        channels |= cryptomatte.channels(FACE_ID, layers.coverage, shape)
        attributes: dict[str, Any] = {
            **cryptomatte.attributes(FACE_ID, list(layers.coverage)),
            "software": f"facewarp {__version__}",
            "framesPerSecond": self._source.rate,
            "facewarp/time_s": f"{held.time:.6f}",
        }
        if held.timecode is not None:
            attributes["timeCode"] = held.timecode
        return LayersFile(layers.size, layers.box, channels, self._aspect, attributes)

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`.

        Of interrupted work the last frame is left out: what it lacks is the motion to the next one.
        """
        if not keep_partial:
            self._flush()
        if self._pool is not None:
            self._pool.finish()
        self._sequence.close(keep_partial=keep_partial)

    def abort(self) -> None:
        """Leave the files that are finished, and finish those that were begun."""
        if self._pool is not None:
            self._pool.abort()


def _threads(size: Size) -> int:
    """Return how many frames of a size (width, height) are written at a time."""
    most = _LAYERS_BYTES // (_BYTES_A_PIXEL * size[0] * size[1])
    return max(1, min(cores() - 1, most, 4))


def _effect_channels(layer: EffectLayer, box: IntBox) -> dict[str, NDArray[np.generic]]:
    """Return R, G, B, A of the effect over a box: linear light, premultiplied."""
    x0, y0, x1, y1 = box
    planes = np.zeros((4, y1 - y0, x1 - x0), np.float16)
    if not layer.is_empty:
        left, top, right, bottom = layer.box
        share = layer.alpha / np.float32(255)
        code = layer.color / np.float32(255)
        light = np.where(code <= _SRGB_KNEE, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
        window = np.s_[:, top - y0 : bottom - y0, left - x0 : right - x0]
        planes[window] = np.concatenate([light.transpose(2, 0, 1) * share, share[None]])
    return dict(zip("RGBA", planes, strict=True))
