"""MediaPipe's own face detector and landmarker: a choice, and the reference of tests and figures.

The only module that imports MediaPipe. Following faces does not need it: see `blazeface`.
"""

import importlib
import itertools
import logging
import os
import platform
import re
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.blazeface import MODEL, SIZE, Sighting
from facewarp.system.installation import install_command

log = logging.getLogger(__name__)

_PACKAGE = "mediapipe>=0.10.30,<0.10.35"
_NEWEST = (0, 10, 33)  # later ones report to their makers: once a minute, and when they are closed
_UNASKED = ("matplotlib", "matplotlib.pyplot", "sounddevice")


class MediaPipeBlazeFace:
    """BlazeFace as a running MediaPipe graph; `look` may be called from any thread.

    Args:
        min_score: sightings that score less are not reported.

    Raises:
        FacewarpError: MediaPipe is missing or does not load on this machine.
    """

    def __init__(self, min_score: float) -> None:
        with without_native_chatter():
            self._image_class, self._native = _load_native(min_score)
            self._finalizer = weakref.finalize(self, _close_native, self._native)
            self.look([np.zeros((SIZE, SIZE, 3), np.uint8)])  # the graph starts, and chatters, here

    def look(self, pictures: Iterable[NDArray[np.uint8]]) -> list[list[Sighting]]:
        """Find the faces of each of some RGB pictures (128, 128, 3), best first."""
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: NDArray[np.uint8]) -> list[Sighting]:
        # It sees every other px of a picture of twice its size, and gives boxes in whole px.
        twice = picture.repeat(2, axis=0).repeat(2, axis=1)
        shown = self._image_class(image_format=1, data=np.ascontiguousarray(twice))
        sightings = []
        for found in self._native.detect(shown).detections:
            box = found.bounding_box
            sightings.append(
                Sighting.of_box(
                    [box.origin_x, box.origin_y],
                    [box.width, box.height],
                    float(found.categories[0].score),
                    np.array([(point.x, point.y) for point in found.keypoints]),
                )
            )
        return sightings

    def warm_up(self) -> None:
        """Do nothing: the graph was made ready when it was made."""

    def close(self) -> None:
        """Free the graph; it can't be used afterwards. Twice is harmless."""
        self._finalizer()


def refuse_reporting() -> None:
    """Refuse a MediaPipe that reports its use to its makers; one that is not installed is no such.

    Raises:
        FacewarpError: It is of such a release.
    """
    with suppress(metadata.PackageNotFoundError):
        told = metadata.version("mediapipe")
        release = tuple(map(int, re.findall(r"\d+", told)[:3]))
        if release > _NEWEST:
            what = f"MediaPipe {told} reports its use over the network, which facewarp never does"
            other = install_command(packages=[_PACKAGE])
            fix = "Do without: faces are found without MediaPipe, which may stay for whatever else "
            raise FacewarpError(what, fix=f"{fix}needs it. Or install one that does not: {other}.")


def _here() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _install() -> str:
    command = install_command(packages=[_PACKAGE])
    return f"Install it: {command}; it has wheels for Linux and Windows x86-64 and macOS arm64."


def _load_native(min_score: float) -> tuple[Any, Any]:
    """MediaPipe's image class and a running detector."""
    refuse_reporting()
    try:
        with _unasked_later():
            from mediapipe import Image
            from mediapipe.tasks.python import BaseOptions
            from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions
    except ImportError as error:
        raise FacewarpError(
            f"this needs MediaPipe 0.10.30 to 0.10.33, which can't be imported: {error}",
            where=_here(),
            fix=f"{_install()} Or leave --detector out: faces are found without it.",
        ) from error
    model = files("facewarp.assets").joinpath(MODEL)
    options = FaceDetectorOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        min_detection_confidence=min_score,
    )
    try:
        return Image, FaceDetector.create_from_options(options)
    except (OSError, RuntimeError, ValueError) as error:
        raise FacewarpError(
            f"MediaPipe's face detector does not start: {error}",
            where=MODEL,
            fix="Reinstall mediapipe, and any system library the message names.",
        ) from error


class _Later(ModuleType):
    """Stands for a module that is imported when something of it is wanted."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _unasked_later() -> Iterator[None]:
    """Import without what MediaPipe would import for drawings and sounds nobody asked for.

    Matplotlib and PortAudio are a third of a second of every start. Who uses them still gets them.
    """
    names = [name for name in _UNASKED if name.partition(".")[0] not in sys.modules]
    stand_ins = {name: _Later(name) for name in names}
    for name, module in stand_ins.items():
        package, _, inner = name.rpartition(".")
        if package:
            setattr(stand_ins[package], inner, module)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def load_landmarker(model: Path) -> Callable[[NDArray[np.uint8]], object]:
    """MediaPipe's own face landmarker, to be compared with: frames of a video, one call each.

    Args:
        model: its ``face_landmarker.task``.

    Raises:
        FacewarpError: MediaPipe is missing, or the file is not a landmarker's.
    """
    image_of, landmarker = _load_landmarker(model, video=True)
    clock_ms = itertools.count(0, 33)

    def find(frame: NDArray[np.uint8]) -> object:
        return landmarker.detect_for_video(image_of(frame), next(clock_ms))

    weakref.finalize(find, _close_native, landmarker)
    return find


def find_face_points(
    model: Path,
) -> Callable[[NDArray[np.uint8]], NDArray[np.float64] | None]:
    """MediaPipe's own face landmarker on single pictures, to be compared with.

    Args:
        model: its ``face_landmarker.task``.

    Returns:
        A function of an RGB picture to the ``(N, 2)`` (x, y) px of the points of the face in it,
        or None where there is none.

    Raises:
        FacewarpError: MediaPipe is missing, or the file is not a landmarker's.
    """
    image_of, landmarker = _load_landmarker(model, video=False)

    def find(picture: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        faces = landmarker.detect(image_of(picture)).face_landmarks
        if not faces:
            return None
        height, width = picture.shape[:2]
        points = np.array([(point.x, point.y) for point in faces[0]], dtype=np.float64)
        return points * (width, height) - 0.5

    weakref.finalize(find, _close_native, landmarker)
    return find


def _load_landmarker(model: Path, *, video: bool) -> tuple[Callable[..., Any], Any]:
    """Return what makes MediaPipe's images of pictures, and a running landmarker."""
    refuse_reporting()
    try:
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions, vision

        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)), running_mode=mode
        )
        with without_native_chatter():
            landmarker = vision.FaceLandmarker.create_from_options(options)
    except ImportError as error:
        what = f"MediaPipe's landmarker needs MediaPipe, which can't be imported: {error}"
        raise FacewarpError(what, _here(), _install()) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise FacewarpError("MediaPipe's landmarker can't be loaded", model, str(error)) from error

    def image_of(picture: NDArray[np.uint8]) -> Any:
        return Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(picture))

    return image_of, landmarker


def _close_native(native: Any) -> None:
    try:
        native.close()
    except RuntimeError:
        # The interpreter is exiting and MediaPipe's threads are gone: the system frees the graph.
        # Without its handle MediaPipe's own __del__ does not try, and complain, again.
        native._handle = None


_CHATTER = re.compile(rb"^(INFO: |WARNING: All log messages before absl|[IW]\d{4} )")


@contextmanager
def without_native_chatter() -> Iterator[None]:
    """Keep what native code says at start-up off the terminal, except its errors.

    MediaPipe and TensorFlow Lite write to file descriptor 2 directly and offer no switch. The
    chatter goes to this module's debug log; every other line still reaches standard error.
    """
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            captured.seek(0)
            for line in captured:
                if _CHATTER.match(line):
                    log.debug("%s", line.decode(errors="replace").rstrip())
                else:
                    os.write(2, line)
