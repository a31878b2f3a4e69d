"""Read frames from a camera, and reconnect after it was unplugged."""

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from facewarp.errors import FacewarpError
from facewarp.live.capture.camera import Camera, Given, four_letters
from facewarp.live.capture.camera_list import (
    Opener,
    choose_pixels,
    find_camera,
    list_cameras,
    open_capture,
    remember_given,
    ways_to,
)
from facewarp.live.interfaces import CapturedFrame
from facewarp.media.frames import Frame, Image, Source

_log = logging.getLogger(__name__)

_TRIES, _BETWEEN_S = 5, 0.05  # images that may be missing in a row before a camera counts as lost
_MOST_FPS = 1000.0
_AGAIN_S = 1.0  # between two attempts to find it again

_TO_RGB = {
    1: cv2.COLOR_GRAY2RGB, 2: cv2.COLOR_YUV2RGB_YUY2, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB,
}  # fmt: skip
"""By the channels of what a capture gives."""

Lister = Callable[[], Sequence[Camera]]


class CameraSource(Source):
    """A source of frames from a camera, which is open once this is made.

    A frame's time is when it was captured, in seconds after the first one, by this machine's clock.
    While the camera is lost, iterating waits for it to come back, under whatever index, and
    `notice` says so.

    Args:
        camera: as listed.
        size: (width, height) px to ask for.
        fps: frames a second to ask for.
        mjpg: whether to ask for compressed images; None for as fits size and rate.
        opener: opens a camera; OpenCV's by default.
        lister: lists the cameras when it is lost.

    Attributes:
        camera: the one that is open.
        asked: the size asked for; `size` is what is given.
        given: size, format and rate that came.

    Raises:
        FacewarpError: it can't be opened, or gives no image.
    """

    kind: Literal["camera"] = "camera"
    is_live = True

    def __init__(
        self,
        camera: Camera,
        *,
        size: tuple[int, int] = (1280, 720),
        fps: float = 30.0,
        mjpg: bool | None = None,
        opener: Opener = open_capture,
        lister: Lister = list_cameras,
    ) -> None:
        super().__init__(Path(camera.path or camera.name))
        self.camera, self.asked = camera, size
        self.rate = Fraction(fps).limit_denominator(1001)
        self._mjpg, self._opener, self._lister = mjpg, opener, lister
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._is_read = False
        self._pixels_asked: str | None = None
        self._capture, self.size = self._open()
        self._tell_what_came()

    @property
    def name(self) -> str:
        """Name of the camera."""
        return self.camera.name

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come, until the source is closed."""
        with self._lock:
            if self._closed.is_set():
                return
            self._is_read = True
        zero: float | None = None
        index = failed = 0
        try:
            while not self._closed.is_set():
                taken = self._capture.grab()
                stamp = time.perf_counter()
                good, picture = self._capture.retrieve() if taken else (False, None)
                image = _rgb_of(picture) if good else None
                if image is None:
                    failed += 1
                    if failed < _TRIES and self._capture.isOpened():
                        self._closed.wait(_BETWEEN_S)
                    else:
                        self._wait_for_it()
                        failed = 0
                    continue
                failed = 0
                zero = stamp if zero is None else zero
                yield CapturedFrame(image, stamp - zero, index, 0, stamp)
                index += 1
        finally:
            self._capture.release()

    def close(self) -> None:
        """End reading after the frame that is being captured, and free the camera."""
        with self._lock:
            self._closed.set()
            if not self._is_read:
                self._capture.release()

    def _open(self) -> tuple[Any, tuple[int, int]]:
        """Open the camera by the first backend that delivers a frame, and return its size."""
        if self.camera.problem is not None:
            raise FacewarpError(f"camera {self.camera} {self.camera.problem}")
        was_open = False
        for index, backend in ways_to(self.camera):
            capture = self._opener(index, backend)
            if capture.isOpened():
                was_open = True
                self._set_up(capture)
                good, picture = self._first(capture)
                if good:
                    self.given = self._look_at(capture, picture)
                    return capture, (self.given.width, self.given.height)
            capture.release()
        if was_open:
            what = f"camera {self.camera} gives no picture"
            fix = "Close programs that use it, or ask for another --size (see facewarp cameras)."
            raise FacewarpError(what, self.camera.path, fix)
        what = f"camera {self.camera} can't be opened"
        fix = "Close programs that use it, unplug it and plug it in again."
        raise FacewarpError(what, self.camera.path, fix)

    def _set_up(self, capture: Any) -> None:
        """Ask for format, size and rate; a camera delivers what it can.

        The format is asked for first, since with another one a size or rate may not be had, and
        again after the size where that has changed it: DirectShow takes the first format that
        has the size.
        """
        fps = float(self.rate)
        pixels = choose_pixels(self.camera, self.asked, fps)
        if self._mjpg is not None:
            pixels = "MJPG" if self._mjpg else None
        self._pixels_asked = pixels
        code = None if pixels is None else cv2.VideoWriter.fourcc(*pixels)
        if code is not None:
            capture.set(cv2.CAP_PROP_FOURCC, code)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.asked[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.asked[1])
        if code is not None and four_letters(capture.get(cv2.CAP_PROP_FOURCC)) != pixels:
            capture.set(cv2.CAP_PROP_FOURCC, code)
            sides = [capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
            if sides != list(self.asked):  # the backend knows only one of the two
                capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.asked[0])
                capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.asked[1])
        capture.set(cv2.CAP_PROP_FPS, fps)

    def _look_at(self, capture: Any, picture: Any) -> Given:
        """Return what the camera delivers; what it does not report is None."""
        rate = capture.get(cv2.CAP_PROP_FPS)
        return Given(
            picture.shape[1],
            picture.shape[0],
            four_letters(capture.get(cv2.CAP_PROP_FOURCC)),
            rate if math.isfinite(rate) and 0 < rate < _MOST_FPS else None,
        )

    def _tell_what_came(self) -> None:
        """Warn where format or rate differ from those asked for, and store them."""
        given, wanted = self.given, self._pixels_asked
        if wanted is not None and given.pixels not in (None, wanted):
            _log.warning("camera %s gives %s, not %s", self.camera, given.pixels, wanted)
        if given.fps is not None and given.fps < float(self.rate) - 0.5:
            _log.warning(
                "camera %s gives %g frames a second, not %g",
                *(self.camera, given.fps, float(self.rate)),
            )
        remember_given(self.camera, given)

    def _first(self, capture: Any) -> tuple[bool, Any]:
        for _ in range(_TRIES):
            good, picture = capture.read()
            if good and _rgb_of(picture) is not None:
                return True, picture
            time.sleep(_BETWEEN_S)
        return False, None

    def _wait_for_it(self) -> None:
        """Wait until the camera is open again, or the source is closed."""
        self._capture.release()
        self.notice = "camera lost, waiting"
        _log.warning("camera %s is lost; waiting for it to be plugged in again", self.camera)
        began = time.perf_counter()
        while not self._closed.wait(_AGAIN_S):
            try:
                self.camera = self._found_again()
                self._capture, self.size = self._open()
            except FacewarpError as error:
                _log.debug("%s", error)
                continue
            gone_s = time.perf_counter() - began
            _log.warning("camera %s is back after %.0f s", self.camera, gone_s)
            self.notice = None
            return

    def _found_again(self) -> Camera:
        """Find the camera in a new list: by name, and by index where several have it."""
        cameras = self._lister()
        same = [camera for camera in cameras if camera.name == self.camera.name]
        here = [camera for camera in same if camera.index == self.camera.index]
        if not same:
            what = f"camera {self.camera} is not there"
            raise FacewarpError(what, fix="Plug it in; facewarp cameras lists those that are.")
        return (here or same)[0]


def _rgb_of(picture: Any) -> Image | None:
    """Return what a capture gave as (H, W, 3) uint8 RGB; None where it is no picture.

    Most give BGR of 8 bits. Drivers that OpenCV does not convert for give gray (infrared), gray of
    16 bits, or YUY2; a transfer that was cut short is a picture without pixels.
    """
    if picture is None or not getattr(picture, "size", 0):
        return None
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        return None
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    code = _TO_RGB.get(channels)
    return None if code is None else np.asarray(cv2.cvtColor(picture, code))


def choose_camera(wanted: str | None = None) -> Camera:
    """Find a camera as `camera_list.find_camera`; without a wish the first usable one.

    Raises:
        FacewarpError: there is none, or not just one.
    """
    cameras = list_cameras(modes=sys.platform == "linux")  # elsewhere that opens them
    if wanted is None and cameras:
        return next((camera for camera in cameras if camera.problem is None), cameras[0])
    return find_camera(wanted or "0", cameras)


def open_camera(
    camera: Camera,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    mjpg: bool | None = None,
) -> CameraSource:
    """Open a camera.

    Args:
        camera: as listed.
        size: (width, height) px; 1280 x 720 without it. Another size than asked for is warned of.
        fps: frames a second; 30 without it.
        mjpg: see `CameraSource`.

    Raises:
        FacewarpError: it can't be used.
    """
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= _MOST_FPS):
        raise FacewarpError(f"no camera gives {fps:g} frames a second", "--fps", "Give 30 or 60.")
    source = CameraSource(camera, size=size or (1280, 720), fps=fps or 30.0, mjpg=mjpg)
    if size is not None and source.size != size:
        given = "x".join(str(side) for side in source.size)
        _log.warning("camera %s gives %s, not %dx%d", camera, given, *size)
    return source
