"""Sound for a stream: of a file, over and over, of an audio device, or silence."""

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from facewarp.errors import FacewarpError

_log = logging.getLogger(__name__)

RATE: Final = 48_000
LAYOUT: Final = "stereo"
SILENCE: Final = "silence"
DEVICES: Final = ("alsa", "pulse", "avfoundation", "dshow")
"""FFmpeg's names of systems of audio devices; which there are depends on its build."""

_WAITING: Final = 64  # pieces of sound, about 1.4 s
_JOIN_S: Final = 2.0


class StreamSound:
    """Sound as pieces of 48 kHz stereo, decoded in a thread of its own.

    Args:
        name: a file, ``"alsa:default"`` or another device as ``SYSTEM:NAME``, or ``"silence"``.

    Raises:
        FacewarpError: it can't be opened, or holds no sound.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        system, colon, device = name.partition(":")
        self.is_device = bool(colon) and system in DEVICES and not Path(name).exists()
        self._opened = None if name == SILENCE else _open(name, system, device, self.is_device)
        self._pieces: queue.Queue[AudioFrame] = queue.Queue(_WAITING)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream sound", daemon=True)
        self._thread.start()

    def take(self) -> AudioFrame | None:
        """Return the next piece of sound, without waiting; None where there is none yet."""
        with suppress(queue.Empty):
            return self._pieces.get_nowait()
        return None

    def close(self) -> None:
        """End the thread and free the device."""
        self._ended.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            for piece in self._read():
                while not self._ended.is_set():
                    try:
                        self._pieces.put(piece, timeout=0.2)
                        break
                    except queue.Full:
                        if self.is_device:  # nobody listens: what is old is not wanted any more
                            self.take()
                if self._ended.is_set():
                    return
        except (av.FFmpegError, OSError, ValueError) as error:
            _log.warning("the sound of %s has broken off: %s", self.name, error)
        finally:
            if self._opened is not None:
                self._opened.close()

    def _read(self) -> Iterator[AudioFrame]:
        if self._opened is None:
            still = np.zeros((2, 1024), np.float32)
            while True:
                piece = AudioFrame.from_ndarray(still, format="fltp", layout=LAYOUT)
                piece.sample_rate = RATE
                yield piece
        resampler = AudioResampler("fltp", LAYOUT, RATE)
        while True:
            for frame in self._opened.decode(audio=0):
                frame.pts = None  # counted by who sends it
                yield from resampler.resample(frame)
            if self.is_device:
                return
            self._opened.seek(0)


def _open(name: str, system: str, device: str, is_device: bool) -> "av.container.InputContainer":
    """Open a file or device that has sound."""
    kind = "device" if is_device else "file"
    try:
        opened = av.open(device, format=system) if is_device else av.open(name)
    except (av.FFmpegError, OSError, ValueError) as error:
        fix = f"Give a file, silence, or SYSTEM:NAME with a system of {', '.join(DEVICES)}."
        reason = getattr(error, "strerror", None) or error
        raise FacewarpError(f"this audio {kind} can't be opened: {reason}", name, fix) from error
    if not opened.streams.audio:
        opened.close()
        raise FacewarpError("there is no sound in it", name, "Give another --audio-source.")
    return opened
