"""Open a live source by what a user names: a camera, a file, images, or an address."""

from collections.abc import Callable
from typing import Final

from facewarp.live.capture.paced_source import PlayedSource
from facewarp.live.capture.stream_source import StreamSource, is_address, shown_address
from facewarp.media.frames import Source
from facewarp.media.sources import open_source
from facewarp.media.video.reader import VideoSource

_PACED_AHEAD: Final = 4  # frames: what a camera would have ready, and a little for the decoder


def find_camera_source(
    wanted: str | None,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    mjpg: bool | None = None,
) -> Callable[[], Source]:
    """Find a camera, and return a function that opens it, which may take seconds.

    Args:
        wanted: its index or a part of its name; None for the first.
        size: see `camera_source.open_camera`, as the others.
        fps: frames a second.
        mjpg: whether to ask for compressed images.

    Raises:
        FacewarpError: there is none, or not just one.
    """
    from facewarp.live.capture.camera_source import choose_camera, open_camera

    camera = choose_camera(wanted)
    return lambda: open_camera(camera, size=size, fps=fps, mjpg=mjpg)


def find_file_source(
    name: str, *, realtime: bool = False, repeat: bool = False, fps: float | None = None
) -> Callable[[], Source]:
    """Check a file or address, and return a function that opens it.

    Args:
        name: a video, an image, a folder, a pattern of images, or an address.
        realtime: whether a file is played at camera pace.
        repeat: whether a file begins anew at its end.
        fps: frames a second that images are played at.

    Raises:
        FacewarpError: there is nothing there, or nothing that can be read.
    """
    if is_address(name):
        shown_address(name)
        return lambda: _played(StreamSource(name), realtime, repeat)
    source = open_source(name, fps=fps)
    if isinstance(source, VideoSource):
        source.for_display()
    return lambda: _played(source, realtime, repeat)


def _played(source: Source, realtime: bool, repeat: bool) -> Source:
    if source.is_live:
        return source
    if realtime and isinstance(source, VideoSource):
        source.read_ahead(_PACED_AHEAD)
    return PlayedSource(source, paced=realtime, repeat=repeat)
