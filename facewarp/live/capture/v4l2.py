"""List cameras on Linux by Video4Linux, without starting them.

Structures and numbers are those of the kernel's videodev2.h.
"""

import logging
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from facewarp.live.capture.camera import Camera, Mode

_log = logging.getLogger(__name__)

Ioctl = Callable[[int, int, bytearray], int]

_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("=16s32s32s3I12x")
_ENUM_FMT, _FORMAT = 0xC0405602, struct.Struct("=3I32sI16x")
_ENUM_FRAMESIZES, _SIZE = 0xC02C564A, struct.Struct("=3I6I8x")
_ENUM_FRAMEINTERVALS, _INTERVAL = 0xC034564B, struct.Struct("=5I6I8x")

_CAPTURE, _CAPTURE_PLANES, _HAS_OWN = 0x1, 0x1000, 0x80000000
_KINDS = ((_CAPTURE, 1), (_CAPTURE_PLANES, 9))  # capability -> type of its buffers
_DISCRETE = 1
_MOST = 256  # answers of a driver that never says it is done


def list_devices(
    *,
    modes: bool = False,
    devices: Path = Path("/dev"),
    classes: Path = Path("/sys/class/video4linux"),
    ioctl: Ioctl | None = None,
) -> list[Camera]:
    """List the devices that can capture, by number.

    A device that may not be opened is listed with its problem; of such only a camera's first, as
    the others carry no images.

    Args:
        modes: whether to ask for sizes and rates.
        devices: where device files are.
        classes: where the system describes them.
        ioctl: asks a device; the system's own by default.
    """
    if ioctl is None:
        from fcntl import ioctl as system_ioctl

        ioctl = system_ioctl
    paths = [path for path in devices.glob("video*") if path.name[5:].isdecimal()]
    found = []
    for path in sorted(paths, key=lambda path: int(path.name[5:])):
        camera = Camera(int(path.name[5:]), _name(classes / path.name), "V4L2", str(path))
        try:
            number = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            if _is_first(classes / path.name):
                found.append(replace(camera, problem=_problem(error)))
            continue
        try:
            if kind := _kind(number, ioctl):
                listed = tuple(_modes(number, kind, ioctl)) if modes else ()
                found.append(replace(camera, modes=listed))
        except OSError as error:
            _log.debug("%s: %s", path, error)
        finally:
            os.close(number)
    return found


def _name(description: Path) -> str:
    try:
        return (description / "name").read_text("utf-8", errors="replace").strip()
    except OSError:
        return description.name


def _is_first(description: Path) -> bool:
    try:
        return (description / "index").read_text("ascii").strip() == "0"
    except OSError:
        return True


def _problem(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "may not be opened: add yourself to the group video (sudo usermod -aG video $USER)"
    return f"can't be opened: {error.strerror}"


def _kind(device: int, ioctl: Ioctl) -> int:
    """Return the type of buffers that a device captures into; 0 if it captures no frames."""
    answer = bytearray(_CAPABILITY.size)
    ioctl(device, _QUERYCAP, answer)
    *_, whole, own = _CAPABILITY.unpack(answer)
    can = own if whole & _HAS_OWN else whole
    return next((kind for capability, kind in _KINDS if can & capability), 0)


def _modes(device: int, kind: int, ioctl: Ioctl) -> Iterator[Mode]:
    for number in range(_MOST):
        query = bytearray(_FORMAT.pack(number, kind, 0, b"", 0))
        if not _answered(device, _ENUM_FMT, query, ioctl):
            return
        code = _FORMAT.unpack(query)[4]
        pixels = struct.pack("=I", code & 0x7FFFFFFF).decode("latin-1").strip()
        for width, height in _sizes(device, code, ioctl):
            yield Mode(width, height, pixels, _rates(device, code, width, height, ioctl))


def _sizes(device: int, code: int, ioctl: Ioctl) -> Iterator[tuple[int, int]]:
    for number in range(_MOST):
        query = bytearray(_SIZE.pack(number, code, *[0] * 7))
        if not _answered(device, _ENUM_FRAMESIZES, query, ioctl):
            return
        _, _, how, *numbers = _SIZE.unpack(query)
        if how == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        yield numbers[1], numbers[4]  # any from the least to the most: say the most
        return


def _rates(device: int, code: int, width: int, height: int, ioctl: Ioctl) -> tuple[float, ...]:
    """Return the frame rates, highest first."""
    rates = []
    for number in range(_MOST):
        query = bytearray(_INTERVAL.pack(number, code, width, height, *[0] * 7))
        if not _answered(device, _ENUM_FRAMEINTERVALS, query, ioctl):
            break
        *_, how, over, under = _INTERVAL.unpack(query)[:7]
        if over:
            rates.append(round(under / over, 2))
        if how != _DISCRETE:  # the shortest of a range came first
            break
    return tuple(sorted(set(rates), reverse=True))


def _answered(device: int, request: int, query: bytearray, ioctl: Ioctl) -> bool:
    """Return whether a request was answered, in place; an error ends an enumeration."""
    try:
        ioctl(device, request, query)
    except OSError:
        return False
    return True
