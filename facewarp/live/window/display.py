"""Check whether a window can be opened.

OpenCV ends the whole process when it is asked for a window without a display, and nothing can catch
that. So the display is spoken to first: on Linux by the first message of the X protocol, with the
key that the user's session keeps for it.
"""

import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError

_TIMEOUT_S: Final = 3.0
_COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
_DISPLAY: Final = re.compile(r"^(?P<host>.*):(?P<number>\d+)(?:\.\d+)?$")
_FIX: Final = "Use --web to watch in a browser, or --headless for no picture at all."


def check_display() -> None:
    """Check that a window can be opened.

    Raises:
        FacewarpError: it can't; says why and what to do instead.
    """
    reason = why_no_window()
    if reason is not None:
        raise FacewarpError(f"no window can be opened: {reason}", fix=_FIX)


def why_no_window() -> str | None:
    """Return why no window can be opened here; None if one can be."""
    if _gui() == "NONE":
        return "this build of OpenCV has no windows (opencv-contrib-python has)"
    if not sys.platform.startswith("linux"):
        return None
    if _came_first("av", "cv2"):
        return "PyAV was imported before OpenCV, whose windows then hang (import facewarp first)"
    name = os.environ.get("DISPLAY", "")
    if name:
        return _why_not_x(name)
    if not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no display (DISPLAY is not set)"
    if _speaks_wayland():
        return None
    return "OpenCV's windows need X, and this Wayland session offers none (DISPLAY is not set)"


def _came_first(name: str, other: str) -> bool:
    """Return whether a module was imported before another, which has been imported too."""
    order = [module for module in sys.modules if module in (name, other)]
    return order[:2] == [name, other]


@lru_cache(maxsize=1)
def _gui() -> str:
    """Return what OpenCV opens windows with: QT5, GTK3, WIN32UI, COCOA, ..., or NONE."""
    import cv2

    found = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation(), re.MULTILINE)
    return found[1] if found else "NONE"


def _speaks_wayland() -> bool:
    """Return whether OpenCV can do without X: GTK or Wayland builds, not its wheels' Qt."""
    return _gui().startswith(("GTK", "WAYLAND"))


def _why_not_x(display: str) -> str | None:
    parts = _DISPLAY.match(display)
    if parts is None:
        return f"DISPLAY is {display!r}, which names no display"
    host, number = parts["host"], int(parts["number"])
    refusal = f"the display {display} cannot be reached"
    for cookie in [*_cookies(number), b""]:
        try:
            with _connect(host, number) as connection:
                if _greet(connection, cookie):
                    return None
        except OSError as error:
            return f"{refusal} ({error.strerror or error})"
        refusal = f"the display {display} refuses this user"
    return refusal


def _connect(host: str, number: int) -> socket.socket:
    """Connect to an X server: by a local socket, or by TCP where a host is named."""
    if host not in ("", "unix"):
        return socket.create_connection((host, 6000 + number), _TIMEOUT_S)
    path = f"/tmp/.X11-unix/X{number}"
    error: OSError | None = None
    for address in (path, f"\0{path}"):  # as a file, and in Linux's own namespace
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_TIMEOUT_S)
        try:
            connection.connect(address)
        except OSError as failure:
            connection.close()
            error = error or failure
        else:
            return connection
    assert error is not None
    raise error


def _greet(connection: socket.socket, cookie: bytes) -> bool:
    """Send an X server the first message (protocol 11.0, little endian)."""
    name = _COOKIE if cookie else b""
    head = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie))
    connection.sendall(head + _padded(name) + _padded(cookie))
    return connection.recv(1) == b"\x01"


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _cookies(number: int) -> Iterator[bytes]:
    """Return the keys that the user's Xauthority file has for a display number."""
    path = Path(os.environ.get("XAUTHORITY") or Path.home() / ".Xauthority")
    try:
        data = path.read_bytes()
    except OSError:
        return
    at = 0

    def field() -> bytes:
        nonlocal at
        (length,) = struct.unpack_from(">H", data, at)
        value = data[at + 2 : at + 2 + length]
        at += 2 + length
        return value

    try:
        while at < len(data):
            at += 2  # the family: keys of other hosts are refused, and harmless
            field()
            entry, name, key = field(), field(), field()
            if name == _COOKIE and entry in (b"", str(number).encode()):
                yield key
    except struct.error:  # a file cut short
        return
