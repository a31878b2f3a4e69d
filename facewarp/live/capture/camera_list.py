"""List the cameras of this machine and their modes, and find one by index or name."""

import logging
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.live.capture.camera import BACKENDS, Camera, Given, Mode
from facewarp.system.atomic_files import write_json
from facewarp.system.user_folders import cache_folder, read_json

_log = logging.getLogger(__name__)


COMMON_SIZES = ((640, 480), (800, 600), (1280, 720), (1920, 1080), (3840, 2160))
_GIVEN_FILE = "cameras.json"
_PROBED = 5  # cameras, where a platform does not list them

Opener = Callable[[int, str], Any]
"""(index, backend) -> what has the interface of `cv2.VideoCapture`."""


def remember_given(camera: Camera, given: Given) -> None:
    """Store what a camera delivered, for `facewarp cameras` and `facewarp doctor`."""
    folder = cache_folder()
    if folder is not None:
        kept = read_json(folder / _GIVEN_FILE)
        write_json(folder / _GIVEN_FILE, kept | {camera.name: asdict(given)})


def given_before(camera: Camera) -> Given | None:
    """Return what a camera of this name delivered when last opened; None if not known."""
    return all_given().get(camera.name)


def all_given() -> dict[str, Given]:
    """Return what every camera delivered when last opened, by its name."""
    folder, found = cache_folder(), {}
    for name, kept in (read_json(folder / _GIVEN_FILE) if folder else {}).items():
        try:
            found[name] = Given(**kept)
        except TypeError:  # of another version
            continue
    return found


def list_cameras(*, modes: bool = False, opener: Opener | None = None) -> list[Camera]:
    """List the cameras of this machine by index.

    Linux tells all without opening them. Windows and macOS tell the names if
    cv2-enumerate-cameras is installed; without it every index is tried.

    Args:
        modes: whether to find out what they can do; outside Linux each is opened for that.
        opener: opens a camera; OpenCV's by default.
    """
    if sys.platform == "linux":
        from facewarp.live.capture.v4l2 import list_devices

        return list_devices(modes=modes)
    backend = BACKENDS.get(sys.platform, ("ANY",))[0]
    open_camera = opener or open_capture
    found = _enumerated(backend)
    if found is None:
        found = _probed(backend, open_camera)
    if not modes:
        return found
    return [replace(camera, modes=_probe_modes(camera, open_camera)) for camera in found]


def find_camera(wanted: str, cameras: Sequence[Camera]) -> Camera:
    """Find a camera by its index or by a part of its name, in whatever case.

    A whole name comes before parts of others.

    Raises:
        FacewarpError: None is there, none is meant, or more than one.
    """
    if not cameras:
        raise FacewarpError(f"no camera was found: {_looked_for()}", fix=_what_to_try())
    text = wanted.strip()
    known = ", ".join(f"{camera.index} ({camera.name})" for camera in cameras)
    if text.isdecimal():
        for camera in cameras:
            if camera.index == int(text):
                return camera
        raise FacewarpError(f"there is no camera {text}", fix=f"Cameras here: {known}.")
    fits = [camera for camera in cameras if text.casefold() in camera.name.casefold()]
    whole = [camera for camera in fits if camera.name.casefold() == text.casefold()]
    meant = whole or fits
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise FacewarpError(f"no camera is called {wanted!r}", fix=f"Cameras here: {known}.")
    several = ", ".join(f"{camera.index} ({camera.name})" for camera in meant)
    raise FacewarpError(
        f"{len(meant)} cameras are called {wanted!r}", fix=f"Give the index of one: {several}."
    )


def choose_pixels(camera: Camera, size: tuple[int, int], fps: float) -> str | None:
    """Return the FOURCC of the pixel format to ask for; None to leave it to the camera.

    Raw images need no decoding, but a camera on USB can only send small ones fast enough.

    Args:
        camera: with its modes, where they are known.
        size: (width, height) px wanted.
        fps: frames a second wanted.
    """
    fitting = [mode for mode in camera.modes if (mode.width, mode.height) == size]
    if not fitting:
        offered = {mode.pixels for mode in camera.modes} - {""}
        can = not offered or "MJPG" in offered
        return "MJPG" if can and size[0] * size[1] > 640 * 480 else None
    fast = [mode for mode in fitting if not mode.rates or max(mode.rates) >= fps - 0.5]
    raw = [mode.pixels for mode in fast if mode.pixels in ("YUYV", "UYVY", "NV12")]
    if raw:
        return raw[0]
    return "MJPG" if any(mode.pixels == "MJPG" for mode in fitting) else None


def open_capture(index: int, backend: str) -> Any:
    """Open a camera with OpenCV, whose own messages are kept quiet meanwhile."""
    import cv2

    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(index, getattr(cv2, f"CAP_{backend}"))
    finally:
        logging.setLogLevel(level)


def ways_to(camera: Camera) -> list[tuple[int, str]]:
    """Return the (index, backend) pairs to try for a camera, its own backend first."""
    ways = [(camera.index, camera.backend)]
    group = next((names for names in BACKENDS.values() if camera.backend in names), ())
    for backend in group:
        if backend != camera.backend:
            listed = _enumerated(backend) or []
            same = [other.index for other in listed if other.name == camera.name]
            ways.append((same[0] if same else camera.index, backend))
    return ways


def _enumerated(backend: str) -> list[Camera] | None:
    """List cameras with cv2-enumerate-cameras; None where it is missing or does not work."""
    try:
        import cv2
        from cv2_enumerate_cameras import enumerate_cameras

        listed = enumerate_cameras(getattr(cv2, f"CAP_{backend}"))
    except (ImportError, OSError, NotImplementedError, AttributeError) as error:
        _log.debug("cameras can't be listed: %s", error)
        return None
    cameras = [Camera(info.index, info.name, backend, info.path) for info in listed]
    return sorted(cameras, key=lambda camera: camera.index)


def _probed(backend: str, opener: Opener) -> list[Camera]:
    found = []
    for index in range(_PROBED):
        capture = opener(index, backend)
        if capture.isOpened():
            found.append(Camera(index, f"camera {index}", backend))
        capture.release()
    return found


def _probe_modes(camera: Camera, opener: Opener) -> tuple[Mode, ...]:
    """Return which of the common sizes a camera accepts."""
    import cv2

    capture = opener(camera.index, camera.backend)
    found: dict[tuple[int, int], Mode] = {}
    for width, height in COMMON_SIZES:
        if not capture.isOpened():
            break
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        size = (
            round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        rate = capture.get(cv2.CAP_PROP_FPS)
        if min(size) > 0:
            found[size] = Mode(*size, rates=(rate,) if rate > 0 else ())
    capture.release()
    return tuple(found[size] for size in sorted(found))


def _looked_for() -> str:
    if sys.platform == "linux":
        return "looked for /dev/video* that can capture"
    backends = " and ".join(BACKENDS.get(sys.platform, ("ANY",)))
    return f"asked {backends} for cameras"


def _what_to_try() -> str:
    """Return what helps where no camera is found."""
    plug = "Plug one in, close programs that use it"
    own = {
        "linux": "in a container or virtual machine pass the device on (--device /dev/video0)",
        "darwin": "allow the terminal the camera in System Settings, Privacy & Security",
        "win32": "allow desktop apps the camera in Settings, Privacy & security",
    }.get(sys.platform, "see that this user may use it")
    return f"{plug}, {own}; or play a file: --source FILE; or use a browser's camera: --web."


def parse_size(text: str) -> tuple[int, int]:
    """Parse (width, height) of a text such as `1280x720`.

    Raises:
        FacewarpError: it is no size.
    """
    found = re.fullmatch(r"\s*(\d{2,5})\s*[xX×]\s*(\d{2,5})\s*", text)
    if found is None:
        raise FacewarpError(f"{text!r} is no size", fix="Write WIDTHxHEIGHT, such as 1280x720.")
    return int(found[1]), int(found[2])
