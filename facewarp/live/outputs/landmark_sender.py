"""Send faces as they are found: to avatars and other programs by UDP, to a file or stdout.

The messages are described in `landmark_messages` and `facewarp.live.protocols`. Nothing here waits:
what can't be sent at once is dropped, and what keeps it from being sent is said once. No socket is
opened but for an address that was asked for.
"""

import errno
import logging
import os
import queue
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import SplitResult, urlsplit

from facewarp.errors import FacewarpError
from facewarp.face.expressions.expression_tracker import Expression
from facewarp.live.interfaces import ProcessedFrame, Record
from facewarp.live.outputs.avatar_messages import ENCODERS
from facewarp.live.outputs.landmark_messages import json_line
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.system.atomic_files import check_target, write_error

_log = logging.getLogger(__name__)

_WAITING: Final = 256  # lines that may wait for a slow reader
_JOIN_S: Final = 2.0
_FORMS: Final = (
    f"Give {', '.join(f'{scheme}://HOST:PORT' for scheme in ENCODERS)}, FILE.jsonl or - for "
    "standard output."
)


class Sender(ABC):
    """A presenter that sends the faces of every frame.

    Attributes:
        target: where to, as given.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self._said: set[str] = set()

    @abstractmethod
    def send(
        self, frame: Frame, records: Sequence[Record], expressions: Sequence[Expression] = ()
    ) -> None:
        """Send the faces of a frame without waiting.

        Args:
            frame: its index, time and size are sent, not its image.
            records: its faces; see `facewarp.media.track_records.FIELDS`.
            expressions: of these faces, where they are computed.
        """

    @abstractmethod
    def close(self) -> None:
        """See `Presenter.close`."""

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `Presenter.present`."""
        self.send(frame, made.records, made.expressions)

    def idle(self, stats: LiveStats) -> None:
        """See `Presenter.idle`: nothing is sent while nothing comes."""
        return

    def _say_once(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            _log.warning("%s: %s", self.target, what)


def open_sender(target: str) -> Sender:
    """Open the sender that a target names.

    Args:
        target: `SCHEME://HOST:PORT` with a scheme of `ENCODERS` (an IPv6 address in brackets),
            `FILE.jsonl`, or `-` for standard output.

    Raises:
        FacewarpError: it is none of these, the host is not known, or the file can't be written.
    """
    scheme = target.partition("://")[0] if "://" in target else ""
    if scheme in ENCODERS:
        return DatagramSender(target)
    if target == "-":
        return LineSender(target, sys.stdout)
    if scheme or Path(target).suffix.lower() != ".jsonl":
        raise FacewarpError("faces cannot be sent there", target, _FORMS)
    return LineSender(target)


def needs_expressions(target: str) -> bool:
    """Return whether what is sent to a target holds expressions, which take time to compute."""
    scheme = target.partition("://")[0] if "://" in target else ""
    return scheme in ENCODERS and ENCODERS[scheme].needs_expressions


class DatagramSender(Sender):
    """Send datagrams to one address; there is no connection, and nobody need listen.

    Args:
        target: a URL with host and port; its scheme says what the datagrams hold.

    Raises:
        FacewarpError: there is no host or port in it, or the host is not known.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        parts = _address(target)
        self._datagrams = ENCODERS[parts.scheme].of_query(parts.query, target)
        self._socket = _connected(target, parts)

    def send(
        self, frame: Frame, records: Sequence[Record], expressions: Sequence[Expression] = ()
    ) -> None:
        """See `Sender.send`."""
        for datagram in self._datagrams(frame, records, expressions):
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                self._say_once("the network is slower than the frames; some are not sent")
            except (ConnectionRefusedError, ConnectionResetError):  # an answer to an earlier one
                self._say_once("nobody listens there yet; sending goes on")
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    self._say_once(f"a face of {len(datagram)} bytes does not fit in a datagram")
                else:
                    self._say_once(f"cannot be reached: {error.strerror or error}")

    def close(self) -> None:
        """See `Presenter.close`."""
        self._socket.close()


class LineSender(Sender):
    """Write a line a frame at once, so that another program can follow the file.

    Args:
        target: the file, begun anew; or what `stream` is called.
        stream: written to instead of a file, and left open.

    Raises:
        FacewarpError: the file can't be written.
    """

    def __init__(self, target: str, stream: TextIO | None = None) -> None:
        super().__init__(target)
        self._owned: TextIO | None = None
        self._failure: FacewarpError | None = None
        if stream is None:
            check_target(Path(target))
            try:
                stream = Path(target).open("w", encoding="utf-8")  # noqa: SIM115 - closed by _run
            except OSError as error:
                raise write_error(error, target) from error
            self._owned = stream
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="send lines", daemon=True)
        self._thread.start()

    def send(
        self, frame: Frame, records: Sequence[Record], expressions: Sequence[Expression] = ()
    ) -> None:
        """See `Sender.send`; lines hold landmarks alone."""
        try:
            self._lines.put_nowait(json_line(frame, records) + "\n")
        except queue.Full:
            self._say_once("its reader is slower than the frames; some are not sent")

    def close(self) -> None:
        """See `Presenter.close`; waits a moment for what is still to be written.

        Raises:
            FacewarpError: the file could not be written to its end; it ends with a whole line.
        """
        try:
            self._lines.put(None, timeout=_JOIN_S)
        except queue.Full:
            return
        self._thread.join(_JOIN_S)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        whole, works = 0, True
        while (line := self._lines.get()) is not None:
            if not works:
                continue
            try:
                self._stream.write(line)
                self._stream.flush()
                whole += len(line.encode())
            except (OSError, ValueError) as error:  # a closed stream raises ValueError
                works = False
                self._fail(error)
        if self._owned is None:
            return
        try:
            self._owned.close()
        except OSError as error:
            self._fail(error)
        if self._failure is not None:
            with suppress(OSError):
                os.truncate(self.target, whole)  # half a line is none that a reader can parse

    def _fail(self, error: Exception) -> None:
        """Say that sending ends here; where the file is ours, `close` raises it too."""
        if self._owned is None:
            self._say_once(f"nothing more is sent: {error}")
        elif self._failure is None:
            self._failure = write_error(error, self.target)
            self._say_once(f"nothing more is written: {self._failure.what}")


def _address(target: str) -> SplitResult:
    """Return the parts of a URL that has a host and a port."""
    try:
        parts = urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is none, a bracket that is not closed
        raise FacewarpError(f"this is no address: {error}", target, _FORMS) from error
    if not host or not port or parts.path.strip("/"):
        raise FacewarpError("an address is a host and a port", target, _FORMS)
    return parts


def _connected(target: str, parts: SplitResult) -> socket.socket:
    """Return a non-blocking socket that sends to a URL's host and port."""
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        connection = socket.socket(family, kind, protocol)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FacewarpError(f"the host is not known: {reason}", target, _FORMS) from error
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        connection.connect(address)
    except OSError as error:
        connection.close()
        reason = error.strerror or str(error)
        what = f"the host cannot be reached: {reason}"
        raise FacewarpError(what, target, "Check its name, and the network.") from error
    return connection
