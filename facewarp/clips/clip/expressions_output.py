"""Head pose, gaze and expression values of a clip's faces."""

from collections.abc import Sequence

from facewarp.clips.clip.extra_outputs import ExtraOutputs
from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.drawing.effect_layer import EffectLayer
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.expressions.pose import FIELD_OF_VIEW_DEG
from facewarp.face.expressions.rows import COLUMNS, rows_of
from facewarp.face.face import Face, scaled_face
from facewarp.face.template.template import Template
from facewarp.media.frames import Frame, Source
from facewarp.media.table_writer import TableWriter
from facewarp.media.video.pixels.frame_conversion import with_square_pixels


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
        self._is_clip, self._aspect = source.is_clip, source.sample_aspect
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
