"""Record what is displayed, without delaying it."""

import logging
from pathlib import Path

import av
from av.container import OutputContainer

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.orientation import fit_within
from facewarp.media.video.encoders import CONTAINER_OPTIONS, FORMATS
from facewarp.media.video.pixels.color_conversion import Color
from facewarp.media.video.writer import VideoWriter
from facewarp.media.video.writer_options import WriterOptions
from facewarp.system.atomic_files import OutputFile, write_error, written

_log = logging.getLogger(__name__)


class Recorder:
    """A presenter that writes a video: no sound, every frame at its own time from 0 on.

    Images of another size than the first are fitted into it with black borders. Where the
    encoder lags behind, images are left out of the recording rather than shown late.

    A recording that is ended in any way plays. Should the process be killed, its images but
    for the last 256 KB, which are seconds of small ones, are in the hidden file beside the target,
    `.NAME.*.partial.SUFFIX`.

    Args:
        target: the file, of a suffix in `encoders.FORMATS`.
        fps: frames a second to be expected.
        wait: wait for the encoder instead of leaving images out.
        inputs: files that must not be overwritten.
        comment: what the file's metadata says of it.
        color: color tags of the images; BT.709 by default.

    Attributes:
        kept: images written, known once it is closed.
        missed: images left out.

    Raises:
        FacewarpError: the file can't be written, or its suffix is no video's.
    """

    def __init__(
        self,
        target: Path,
        fps: float,
        *,
        wait: bool = False,
        inputs: tuple[Path, ...] = (),
        comment: str | None = None,
        color: Color | None = None,
    ) -> None:
        if target.suffix.lower() not in FORMATS:
            what = f"a recording is written as {', '.join(FORMATS)}"
            raise FacewarpError(what, target, "Give the file one of these suffixes.")
        OutputFile(target, inputs).discard()  # an error is known before the session starts
        self.target = target
        self.kept = self.missed = 0
        self._fps, self._wait, self._comment, self._color = fps, wait, comment, color or Color()
        self._writer: VideoWriter | None = None
        self._size, self._zero = (0, 0), 0.0
        self._has_begun, self._is_said = False, True

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `interfaces.Presenter`."""
        if not self._has_begun:
            self._has_begun, self._zero = True, frame.time
            size = made.image.shape[1], made.image.shape[0]
            if self._writer is not None and size != self._size:  # an effect can change it
                self._writer.abort()
                self._writer = None
            if self._writer is None:
                self.open(size)
        assert self._writer is not None
        image = fit_within(made.image, self._size)
        shot = Frame(image, frame.time - self._zero, frame.index)
        if self._wait:
            self._writer.write(shot)
        elif not self._writer.offer(shot):
            self.missed += 1

    def open(self, size: tuple[int, int]) -> None:
        """Open the encoder, so that the first image need not wait for it; twice is harmless.

        Args:
            size: (width, height) px that images are expected to have.

        Raises:
            FacewarpError: the file can't be written.
        """
        if self._writer is not None:
            return
        self._size, self._is_said = size, True
        options = WriterOptions(
            size, self._fps, live=True, comment=self._comment, color=self._color
        )
        self._writer = VideoWriter(self.target, options=options)

    def idle(self, stats: LiveStats) -> None:
        """See `interfaces.Presenter`."""

    def add_comment(self, comment: str | None) -> None:
        """Have the metadata say something more that has become true while it is recorded."""
        if comment is None or comment in (self._comment or ""):
            return
        self._comment = " ".join(filter(None, [self._comment, comment]))
        self._is_said = self._writer is None  # written with the first image

    def close(self) -> None:
        """Finish the file; a second Ctrl-C gives it up."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.close(keep_partial=True)
        except KeyboardInterrupt:
            writer.close(keep_partial=True)
            raise
        finally:
            self.kept = writer.kept
            if self.kept and not self._is_said and self._comment is not None:
                rewrite_comment(self.target, self._comment)
            if self.missed:
                _log.warning(
                    "%s: %d of %d pictures were left out, the encoder was too slow",
                    *(self.target, self.missed, self.missed + self.kept),
                )


def rewrite_comment(path: Path, comment: str) -> None:
    """Copy a video's packets into a file with another comment, which takes its place.

    Raises:
        FacewarpError: it could not be written; the video is as it was.
    """
    name = FORMATS[path.suffix.lower()]
    try:
        with (
            written(path) as temporary,
            av.open(str(path)) as before,
            av.open(str(temporary), "w", format=name, options=CONTAINER_OPTIONS.get(name)) as after,
        ):
            assert isinstance(after, OutputContainer)
            stream = before.streams.video[0]
            copied = after.add_stream_from_template(stream)
            after.metadata.update({**before.metadata, "comment": comment})
            for packet in before.demux(stream):
                if packet.dts is not None:
                    packet.stream = copied
                    after.mux(packet)
    except (av.FFmpegError, ValueError) as error:
        raise write_error(error, path) from error
