"""The server of --serve: headers, types, and nothing but the folder."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facewarp.errors import FacewarpError
from facewarp.page.server import HEADERS, PageServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    folder = tmp_path / "out"
    (folder / "pictures").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    for name in ("app.js", "runtime.wasm", "ort.mjs", "model.bin", "pictures/mask.webp"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("secret")
    served = PageServer(folder, 0)
    thread = threading.Thread(target=served.serve)
    thread.start()
    yield served
    served.close()
    thread.join()


def get(server: PageServer, path: str, host: str | None = None) -> http.client.HTTPResponse:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript"),
        ("/ort.mjs", "text/javascript"),
        ("/runtime.wasm", "application/wasm"),
        ("/model.bin", "application/octet-stream"),
        ("/pictures/mask.webp", "image/webp"),
    ],
)
def test_files_have_their_types_and_every_header(server: PageServer, path: str, kind: str) -> None:
    answer = get(server, path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize("path", ["/pictures/", "/../secret.txt", "/%2e%2e/secret.txt", "/none.js"])
def test_nothing_else_is_given_out(server: PageServer, path: str) -> None:
    assert get(server, path).status == 404


def test_another_name_for_this_machine_is_refused(server: PageServer) -> None:
    assert get(server, "/", "evil.example").status == 403
    assert get(server, "/", "localhost:1").status == 200


def test_a_taken_port_is_said(server: PageServer, tmp_path: Path) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(FacewarpError, match=f"taken.*{port}.*--port|{port}.*taken"):
        PageServer(tmp_path, port)
