"""Serve the page to this machine alone, with the headers that it wants."""

import errno
import logging
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from facewarp.errors import FacewarpError
from facewarp.page.html import POLICY

_log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"

HEADERS: Final = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Sent with every file. The first opener and embedder policies are what threads need."""

TYPES: Final = {
    ".bin": "application/octet-stream",
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
}


class PageServer:
    """Give a folder out on this machine's loopback address.

    Args:
        folder: what `build_page` wrote.
        port: to listen on; 0 for any free one.

    Attributes:
        address: of the page.

    Raises:
        FacewarpError: the port is taken.
    """

    def __init__(self, folder: Path, port: int) -> None:
        handler = partial(_Files, directory=str(folder))
        try:
            self._server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise FacewarpError(
                "the port is taken" if taken else f"the port can't be used: {error.strerror}",
                f"{HOST}:{port}",
                "Choose another with --port, or 0 for any.",
            ) from error
        self.address = f"http://{HOST}:{self._server.server_address[1]}/"

    def serve(self) -> None:
        """Answer requests until `close`, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """End `serve`, which runs in another thread, and free the port."""
        self._server.shutdown()
        self._server.server_close()


class _Files(SimpleHTTPRequestHandler):
    """Files of a folder; no listings, no other names of this machine."""

    extensions_map = TYPES

    def send_head(self) -> Any:
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if host not in (HOST, "localhost"):  # a page elsewhere that has made its name point here
            self.send_error(403, "not this machine's name")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(404, "no such file")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *values: Any) -> None:
        _log.debug(format, *values)
