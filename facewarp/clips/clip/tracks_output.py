"""Tracks of a clip's faces, for other programs."""

import logging
from collections.abc import Sequence
from pathlib import Path

from facewarp.clips.clip.frame_output import FrameOutput
from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.face import Face
from facewarp.face.template.template import Template
from facewarp.face.track_export.formats import TracksTarget
from facewarp.face.track_export.shot import Shot
from facewarp.media.frames import Frame, Source
from facewarp.media.images.sequence import number_of
from facewarp.system.atomic_files import check_target, write_text, written

_log = logging.getLogger(__name__)


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
        aspect = float(source.sample_aspect)
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
