"""What `facewarp track` writes beside the picture: effect alone, passes, tracks, expressions."""

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.expressions.pose import FIELD_OF_VIEW_DEG
from facewarp.face.expressions.rows import COLUMNS, rows_of
from facewarp.face.face import Face, scaled_face
from facewarp.face.passes.layers import FACE_ID, FrameLayers, LayerRenderer
from facewarp.face.passes.st_maps import IntBox, TemplateCanvas
from facewarp.face.passes.stream import PassStream, ReadyFrame
from facewarp.face.template.template import Template
from facewarp.face.track_export.formats import TracksTarget
from facewarp.face.track_export.shot import Shot
from facewarp.media.exr import cryptomatte
from facewarp.media.exr.layers_file import LayersFile
from facewarp.media.exr.sequence import LayersSequence
from facewarp.media.frames import Frame, Source
from facewarp.media.images.sequence import FIRST, number_of
from facewarp.media.outputs import Output
from facewarp.media.prefetch import WritePool
from facewarp.media.sinks import open_sink
from facewarp.media.table_writer import TableWriter
from facewarp.media.video.frame_conversion import with_square_pixels
from facewarp.system.atomic_files import check_target, write_text, written
from facewarp.system.machine import cores
from facewarp.version import __version__

_log = logging.getLogger(__name__)

Size = tuple[int, int]

_LAYERS_BYTES: Final = 1 << 30  # of the frames of passes that are in the making
_BYTES_A_PIXEL: Final = 200  # of a frame's layers, twice: OpenEXR copies them


@dataclass(frozen=True)
class ExtraOutputs:
    """What else of one input is wanted.

    Attributes:
        alpha: file or numbered pictures of the effect alone.
        passes: numbered OpenEXR files.
        tracks: files for other programs.
        expressions: table of head pose, gaze and expression values.
        neutral: when, s, the faces of a clip are at rest; None to take a mean face for it.
        field_of_view: of the camera along the longer side, degrees; None for the usual.
        first: number of a clip's first frame.
        resume: keep files of passes that are whole and made from the same.
        made_from: settings that the passes depend on.
    """

    alpha: Path | None = None
    passes: Path | None = None
    tracks: tuple[TracksTarget, ...] = ()
    first: int = FIRST
    resume: bool = False
    made_from: Mapping[str, Any] = field(default_factory=dict)
    expressions: Path | None = None
    neutral: float | None = None
    field_of_view: float | None = None

    @property
    def paths(self) -> list[Path]:
        """All files and patterns."""
        single = self.alpha, self.passes, self.expressions
        named = [path for path in single if path is not None]
        return [*named, *(target.path for target in self.tracks)]

    @property
    def counts_frames(self) -> bool:
        """Whether something is written in which the number of a frame is its time."""
        return bool(self.passes) or any(target.counts_frames for target in self.tracks)

    @property
    def needs_layer(self) -> bool:
        """Whether the effect has to be taken off its frame."""
        return bool(self.alpha or self.passes)


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


@dataclass(frozen=True)
class _Held:
    number: int
    time: float
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
        is_clip = source.kind != "folder" or getattr(source, "is_clip", False)
        told = {**extras.made_from, "input": source.name, "version": __version__}
        self._sequence = LayersSequence(
            extras.passes, told, numbered=source.kind != "image", resume=extras.resume
        )
        self._source, self._template, self._first = source, template, extras.first
        self._aspect = float(getattr(source, "sample_aspect", 1))
        self._is_clip = is_clip
        self._size: Size | None = None
        self._stream: PassStream[_Held] | None = None
        self._renderer: LayerRenderer | None = None
        self._pool: WritePool[bool] | None = None

    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """See `FrameOutput.add`."""
        height, width = frame.image.shape[:2]
        size = width, height
        number = number_of(frame, self._source, self._first)
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
        self._write(self._stream.add(_Held(number, frame.time, size, layer), faces))

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


class TracksOutput(FrameOutput):
    """Tracks of a clip's faces, written when the clip is over.

    Args:
        target: the file.
        source: of the frames.
        template: whose mesh is tracked.
        first: number of the first frame.
    """

    def __init__(
        self, target: TracksTarget, source: Source, template: Template, first: int
    ) -> None:
        super().__init__(target.path)
        check_target(target.path, [source.path])
        self._tracks, self._source, self._first = target, source, first
        aspect = float(getattr(source, "sample_aspect", 1))
        self._shot = Shot(source.path, source.size, source.rate, template, aspect)
        self._files: list[Path] = []

    @property
    def written(self) -> list[Path]:
        """See `FrameOutput.written`: After Effects has a file for each face."""
        return self._files

    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """See `FrameOutput.add`."""
        height, width = frame.image.shape[:2]
        if (width, height) != self._shot.size:
            size = "{}x{}".format(*self._shot.size)
            what = f"picture {frame.index} has {width}x{height} pixels, the tracks {size}"
            raise FacewarpError(what, self.target, "Make all pictures of a clip one size.")
        self._shot.add(number_of(frame, self._source, self._first), faces, frame.time)
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`. Without a face nothing is written, which is said."""
        if not self._shot.faces:
            _log.warning("%s: not written, there is no face to track", self.target)
            return
        for path, data in self._tracks.files(self._shot).items():
            if isinstance(data, str):
                write_text(path, data)
            else:
                with written(path) as temporary:
                    temporary.write_bytes(data)
            self._files.append(path)

    def abort(self) -> None:
        """See `Output.abort`."""


class ExpressionsOutput(FrameOutput):
    """Head pose, gaze and expression values, a row a face and frame.

    Args:
        extras: names the file, and says how the camera sees.
        source: of the frames.
        template: what faces are registered to.
    """

    def __init__(self, extras: ExtraOutputs, source: Source, template: Template) -> None:
        assert extras.expressions is not None
        super().__init__(extras.expressions)
        self.measure = ExpressionTracker(template, extras.field_of_view or FIELD_OF_VIEW_DEG)
        self._is_clip = source.kind != "folder" or getattr(source, "is_clip", False)
        self._aspect = Fraction(getattr(source, "sample_aspect", 1))
        self._table = TableWriter(extras.expressions, COLUMNS, [source.path])

    def add(self, frame: Frame, faces: Sequence[Face], layer: EffectLayer | None) -> None:
        """See `FrameOutput.add`. Pictures of a folder have nothing to do with each other."""
        if not self._is_clip:
            self.measure.forget()
        image, scale = with_square_pixels(frame.image, self._aspect)
        square = [scaled_face(face, scale) for face in faces]
        for row in rows_of(frame, self.measure(image, square, frame.time)):
            self._table.write(row)
        self.kept = self._table.kept

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`."""
        self._table.close(keep_partial=keep_partial)

    def abort(self) -> None:
        """See `Output.abort`."""
        self._table.abort()


_SRGB_KNEE: Final = 0.04045


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


def open_extras(
    extras: ExtraOutputs, source: Source, template: Template, comment: str | None
) -> list[FrameOutput]:
    """Open what is wanted beside the picture.

    Args:
        extras: what is wanted.
        source: of the frames.
        template: what faces are registered to.
        comment: what the metadata of pictures says of them.

    Raises:
        FacewarpError: one can't be written.
    """
    opened: list[FrameOutput] = []
    try:
        if extras.alpha is not None:
            opened.append(AlphaOutput(extras.alpha, source, extras.first, comment))
        if extras.passes is not None:
            opened.append(PassOutput(extras, source, template))
        for target in extras.tracks:
            opened.append(TracksOutput(target, source, template, extras.first))
        if extras.expressions is not None:
            opened.append(ExpressionsOutput(extras, source, template))
    except BaseException:
        for output in opened:
            output.abort()
        raise
    return opened
