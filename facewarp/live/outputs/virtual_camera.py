"""Show the live image as a camera that other programs can open: OBS, Zoom, a browser.

A thread of its own hands the newest image over, no faster than the camera's rate and again where
no new one comes, so that neither a slow device holds up the session nor a paused session the
programs that watch. All images get the size that the camera was opened with.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame, Image
from facewarp.system.installation import install_command

_log = logging.getLogger(__name__)

_HINTS: Final = {
    "linux": "Install v4l2loopback (on Debian and Ubuntu: sudo apt install v4l2loopback-dkms), "
    "then: sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label=facewarp",
    "darwin": "Install OBS Studio 30 or newer from https://obsproject.com, start its virtual "
    "camera once, allow the extension where macOS asks, stop it again and quit OBS.",
    "win32": "Install OBS Studio from https://obsproject.com; it brings the virtual camera.",
}
_JOIN_S: Final = 3.0
_AGAIN: Final = 2.0  # periods without a new image, after which the last one is sent again
_SOONEST: Final = 0.9  # periods between images: uneven times even out


class Device(Protocol):
    """The part of `pyvirtualcam.Camera` that is used."""

    device: str

    def send(self, frame: NDArray[np.uint8]) -> None:
        """Send an image (height, width, 3) RGB."""

    def close(self) -> None:
        """Free the device."""


class VirtualCamera:
    """A presenter that sends every result to a virtual camera.

    Args:
        size: (width, height) px of the camera's images; made even, since devices store colour
            for pairs of pixels. Images of other proportions get black bars.
        fps: images a second, at most.
        name: of the device, such as `/dev/video10`; None for the first that is free.
        open_device: opens the device; pyvirtualcam does.

    Attributes:
        device: the name under which other programs find it.
        size: (width, height) px of its images.

    Raises:
        FacewarpError: pyvirtualcam or a device is missing.
    """

    def __init__(
        self,
        size: tuple[int, int],
        fps: float = 30.0,
        name: str | None = None,
        open_device: Callable[[tuple[int, int], float, str | None], Device] | None = None,
    ) -> None:
        width, height = (max(2, side - side % 2) for side in size)
        self.size = (width, height)
        self._period_s = 1.0 / min(max(fps, 1.0), 120.0)
        self._camera = (open_device or _open_device)(self.size, fps, name)
        self.device = str(self._camera.device)
        self._image: Image | None = None
        self._is_new = False
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="virtual camera", daemon=True)
        self._thread.start()

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `Presenter.present`; returns at once."""
        with self._changed:
            self._image, self._is_new = made.image, True
            self._changed.notify()

    def idle(self, stats: LiveStats) -> None:
        """See `Presenter.idle`: the last image stays."""

    def close(self) -> None:
        """See `Presenter.close`."""
        self._ended.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        due = 0.0
        fitted: Image | None = None
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(self._is_wanted, _AGAIN * self._period_s)
                if self._ended.wait(max(0.0, due - time.perf_counter())):
                    return
                with self._changed:
                    image, is_new, self._is_new = self._image, self._is_new, False
                if image is None:
                    continue
                if is_new or fitted is None:
                    fitted = letterboxed(image, self.size)
                due = time.perf_counter() + _SOONEST * self._period_s
                self._camera.send(fitted)
        except Exception as error:  # noqa: BLE001 - a driver's; the session goes on without it
            _log.warning("the virtual camera %s failed and is closed: %s", self.device, error)
        finally:
            self._camera.close()

    def _is_wanted(self) -> bool:
        return self._is_new or self._ended.is_set()


def letterboxed(image: Image, size: tuple[int, int]) -> Image:
    """Fit an image (H, W, 3) into a size (width, height) px, centered on black."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return np.ascontiguousarray(image)
    scale = min(size[0] / width, size[1] / height)
    inside = tuple(
        min(limit, max(1, round(scale * side)))
        for side, limit in zip((width, height), size, strict=True)
    )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = ((outer - inner) // 2 for outer, inner in zip(size, inside, strict=True))
    out = np.zeros((size[1], size[0], 3), np.uint8)
    out[top : top + inside[1], left : left + inside[0]] = cv2.resize(
        image, inside, interpolation=method
    )
    return out


def _open_device(size: tuple[int, int], fps: float, name: str | None) -> Device:
    try:
        library: Any = import_module("pyvirtualcam")
    except ImportError as error:
        raise FacewarpError(
            "the virtual camera needs the package pyvirtualcam",
            fix=f"Install it: {install_command('virtual-camera')}",
        ) from error
    try:
        camera: Device = library.Camera(*size, fps, fmt=library.PixelFormat.RGB, device=name)
    except (RuntimeError, ValueError, KeyError) as error:
        system = "linux" if sys.platform.startswith("linux") else sys.platform
        reason = str(error).split("backend: ")[-1].split(". ")[0].rstrip(".")
        raise FacewarpError(
            f"no virtual camera could be opened: {reason}", name, _HINTS.get(system)
        ) from error
    return camera
