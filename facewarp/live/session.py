"""What a viewer keeps of a live session: recordings, pictures, times; and how it is ended."""

import logging
import threading
from datetime import datetime
from functools import partial
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.loop import LiveLoop
from facewarp.live.outputs.recorder import Recorder
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.images.writer import ImageWriter
from facewarp.media.prefetch import WriteBehind
from facewarp.system.atomic_files import OutputFile

_log = logging.getLogger(__name__)


class Session:
    """A presenter that keeps what is shown, and the `roles.Actions` of windows and pages.

    Args:
        stats: Those of the loop.
        fps: Frames a second to be expected, for recordings.
        record: Where to record to from the start; without it recordings that are asked for later
            are named by the clock, in the working folder.
        screenshots: The folder of screenshots.
        wait: Whether a recording may hold up the session, so that no frame is missing in it.
        inputs: Files that must not be overwritten.
        comment: What the metadata of recordings and screenshots says of them.

    Attributes:
        recordings: Those made, in order.
        pictures: Files of screenshots.

    Raises:
        FacewarpError: The recording can't be written.
    """

    def __init__(
        self,
        stats: LiveStats,
        fps: float,
        *,
        record: Path | None = None,
        screenshots: Path | None = None,
        wait: bool = False,
        inputs: tuple[Path, ...] = (),
        comment: str | None = None,
    ) -> None:
        self._comment = comment
        self.recordings: list[Recorder] = []
        self.pictures: list[Path] = []
        self._stats, self._fps, self._wait, self._inputs = stats, fps, wait, inputs
        self._screenshots = screenshots or Path()
        self._loop: LiveLoop | None = None
        self._lock = threading.RLock()
        self._recorder: Recorder | None = None
        self._ending: list[threading.Thread] = []
        self._shown: tuple[Frame, ProcessedFrame] | None = None
        self._camera_roll: WriteBehind[tuple[Path, Frame]] | None = None
        self._error: FacewarpError | None = None
        if record is not None:
            self._begin(record)

    def attach(self, loop: LiveLoop) -> None:
        """Names the loop that `stop` and `pause` act on."""
        self._loop = loop

    def stop(self) -> None:
        """See `roles.Actions`."""
        if self._loop is not None:
            self._loop.stop()

    def pause(self) -> str:
        """See `roles.Actions`."""
        paused = not self._stats.paused
        if self._loop is not None:
            self._loop.pause(paused)
        return "paused" if paused else "going on"

    def record(self) -> str:
        """See `roles.Actions`."""
        with self._lock:
            if self._recorder is not None:
                return f"recorded {self._end().target.name}"
            return f"recording {self._begin(self._new_name(Path(), '.mp4')).target.name}"

    def screenshot(self) -> str:
        """See `roles.Actions`.

        Raises:
            FacewarpError: Nothing was shown yet, or the folder can't be written.
        """
        with self._lock:
            if self._shown is None:
                raise FacewarpError("there is no picture yet", fix="Wait for the first one.")
            frame, made = self._shown
            path = self._new_name(self._screenshots, ".png")
            OutputFile(path).discard()
            if self._camera_roll is None:
                self._camera_roll = WriteBehind(
                    partial(_write_picture, self._comment), lambda: None, 4, "screenshots"
                )
            if not self._camera_roll.offer((path, frame.with_image(made.image))):
                raise FacewarpError("the pictures before are still being written")
            self.pictures.append(path)
            return f"screenshot {path.name}"

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `roles.Presenter`."""
        with self._lock:
            self._shown = frame, made
            if self._recorder is None:
                return
            try:
                self._recorder.present(frame, made, stats)
            except FacewarpError as error:  # the show goes on, the command fails at its end
                self._error = self._error or error
                _log.error("recording stopped: %s", error)
                self._end()

    def idle(self, stats: LiveStats) -> None:
        """See `roles.Presenter`."""

    def close(self) -> None:
        """Finishes every file.

        Raises:
            FacewarpError: One could not be written.
        """
        with self._lock:
            if self._recorder is not None:
                self._end()
        try:
            for thread in self._ending:
                thread.join()
        finally:
            if self._camera_roll is not None:
                self._camera_roll.finish()
        if self._error is not None:
            raise self._error

    def _begin(self, target: Path) -> Recorder:
        self._recorder = Recorder(
            target, self._fps, wait=self._wait, inputs=self._inputs, comment=self._comment
        )
        self.recordings.append(self._recorder)
        self._stats.recording = target.name
        return self._recorder

    def _new_name(self, folder: Path, suffix: str) -> Path:
        """A file name made of the time of day, not taken yet."""
        stem = f"facewarp-{datetime.now():%Y%m%d-%H%M%S}"
        taken = {recorder.target for recorder in self.recordings} | set(self.pictures)
        path, number = folder / f"{stem}{suffix}", 1
        while path in taken or path.exists():
            number += 1
            path = folder / f"{stem}-{number}{suffix}"
        return path

    def _end(self) -> Recorder:
        """Finishes the recording in a thread: what waits for the encoder would hold up the show."""
        recorder = self._recorder
        assert recorder is not None
        self._recorder, self._stats.recording = None, None
        thread = threading.Thread(
            target=self._finish, args=(recorder,), name=f"finish {recorder.target.name}"
        )
        self._ending.append(thread)
        thread.start()
        return recorder

    def _finish(self, recorder: Recorder) -> None:
        try:
            recorder.close()
        except FacewarpError as error:
            self._error = self._error or error


def _write_picture(comment: str | None, shot: tuple[Path, Frame]) -> None:
    path, frame = shot
    try:
        with ImageWriter(path, comment=comment) as picture:
            picture.write(frame)
    except FacewarpError as error:
        _log.error("%s", error)
