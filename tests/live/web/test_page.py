"""The live page as a browser's requests meet it: who is let in, and what can be asked for."""

import asyncio
import base64
import hashlib
import io
import json
import logging
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import PIL.Image
import pytest
from yarl import URL

from facewarp.errors import FacewarpError
from facewarp.live.timing import LiveStats
from facewarp.live.web import connection_limits, connections
from facewarp.live.web.page import Certificate, WebPage
from facewarp.media.images.decoding import MAX_BYTES

TOKEN = "a-token-for-the-tests"
CHOICES = {
    "effect": ["labels", "mesh"], "texture": ["mask", "makeup", "own"], "template": ["average"],
    "style": ["bronze"], "style_mode": ["full"],
}  # fmt: skip


class Controls:
    """Keeps what it is asked for."""

    def __init__(self) -> None:
        self.forgotten = False
        self.now: dict[str, Any] = {
            "effect": "labels", "texture": "mask", "opacity": 1.0, "smoothing": True,
            "mirror": False, "template": "average", "makeup": "", "style": "bronze",
            "style_mode": "full",
        }  # fmt: skip
        self.pictures: list[np.ndarray] = []

    def settings(self) -> dict[str, Any]:
        return dict(self.now)

    def choices(self) -> dict[str, list[str]]:
        return CHOICES

    def change(self, **settings: Any) -> None:
        self.now.update(settings)

    def snapshot_template(self) -> str:
        raise FacewarpError("no face has been seen", fix="Look into the camera.")

    def snapshot_neutral(self) -> str:
        return "this face is neutral"

    def forget(self) -> None:
        self.forgotten = True

    def want_layer(self, wanted: bool) -> None:
        """Nobody looks."""

    def upload_template(self, image: np.ndarray) -> str:
        self.pictures.append(image)
        return "the face in the picture is the template"

    def upload_style(self, image: np.ndarray) -> str:
        self.pictures.append(image)
        return "style taken"

    def upload_texture(self, rgba: np.ndarray) -> str:
        self.pictures.append(rgba)
        self.now["texture"] = "own"
        return "your texture is worn"


class Browser:
    """What a browser does for a page, without one."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.address = address

    async def ask(
        self, path: str, method: str = "GET", **options: Any
    ) -> tuple[int, bytes, aiohttp.ClientResponse]:
        headers = {"Origin": self.origin} if method == "POST" else {}
        headers |= options.pop("headers", {})
        headers = {name: value for name, value in headers.items() if value is not None}
        url = path if "://" in path else self.origin + path
        async with self.session.request(method, url, headers=headers, **options) as answer:
            return answer.status, await answer.read(), answer

    async def post(self, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        status, body, _ = await self.ask(path, "POST", **options)
        return status, json.loads(body)

    async def enter(self) -> "Browser":
        status, _, _ = await self.ask(self.address)
        assert status == 200
        return self


Scene = Callable[[Browser], Awaitable[None]]


@pytest.fixture
def controls() -> Controls:
    return Controls()


@pytest.fixture
def page(controls: Controls) -> Iterator[WebPage]:
    page = WebPage(controls, LiveStats(), port=0, token=TOKEN)
    yield page
    page.close()


def play(address: str, scene: Scene) -> None:
    """Runs a scene in a browser of its own."""

    async def run() -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of bare addresses
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            await asyncio.wait_for(scene(Browser(session, address)), 60)

    asyncio.run(run())


def jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG")
    return buffer.getvalue()


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


PATHS = ["/", "/view.js", "/app.js", "/style.css", "/api/state", "/api/live", "/api/view",
    "/api/texture/mask", "/nope"]  # fmt: skip


def test_nothing_is_served_without_the_token(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        for path in PATHS:
            assert (await browser.ask(path))[0] == 401
        for path in ("/api/settings", "/api/template", "/api/texture", "/api/template/snapshot"):
            assert (await browser.ask(path, "POST", json={"effect": "mesh"}))[0] == 401

    play(page.address, scene)


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\0", "ü" * 20])
def test_a_wrong_token_opens_nothing(page: WebPage, token: str) -> None:
    async def scene(browser: Browser) -> None:
        status, body, answer = await browser.ask("/", params={"token": token})
        assert status == 401
        assert b"printed" in body
        assert not answer.cookies
        assert TOKEN.encode() not in body

    play(page.address, scene)


def test_bytes_that_are_no_text_open_nothing_either(page: WebPage) -> None:
    port = urlsplit(page.address).port or 0
    for line in (b"Cookie: facewarp-%d=\xff\xfe" % port, b"Origin: \xff", b"X-Other: \xff"):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(
                b"GET /?token=%%ff%%c3 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n"
                b"Connection: close\r\n\r\n" % (port, line)
            )
            with raw.makefile("rb") as answer:
                assert answer.read().split()[1] in (b"400", b"401", b"403")


def test_the_refusal_is_a_page_that_is_styled(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        status, body, answer = await browser.ask("/")
        assert status == 401
        (style,) = re.findall(r"<style>(.*?)</style>", body.decode())
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'self' 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
        assert "ends with a token" in body.decode()

    play(page.address, scene)


def test_the_token_opens_the_page_and_the_cookie_the_rest(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        assert page.address == f"{browser.origin}/?token={TOKEN}"
        status, body, answer = await browser.ask(page.address)
        assert status == 200
        assert b"<title>facewarp live</title>" in body
        (cookie,) = answer.cookies.values()
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert not cookie["max-age"]
        assert cookie.value != TOKEN
        for path in ("/", "/app.js", "/style.css", "/icon.svg", "/api/state"):
            assert (await browser.ask(path))[0] == 200
        assert (await browser.ask("/nope"))[0] == 404

    play(page.address, scene)


def test_the_token_is_taken_by_the_page_alone(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        for path in PATHS[1:]:
            assert (await browser.ask(path, params={"token": TOKEN}))[0] == 401

    play(page.address, scene)


def test_tokens_differ_and_are_long() -> None:
    tokens = set()
    for _ in range(3):
        page = WebPage(Controls(), LiveStats(), port=0)
        page.close()
        tokens.add(page.address.partition("token=")[2])
    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize("token", ["", "short", "ü" * 20])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(FacewarpError, match="at least 16"):
        WebPage(Controls(), LiveStats(), port=0, token=token)


def test_every_answer_is_kept_from_other_sites(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        answers = [await browser.ask("/"), await browser.ask("/", headers={"Host": "evil.example"})]
        await browser.enter()
        for path in ("/", "/app.js", "/nope", "/api/state", "/api/texture/mask"):
            answers.append(await browser.ask(path))
        answers.append(await browser.ask("/api/settings", "POST", data=b"{"))
        assert [status for status, _, _ in answers] == [401, 403, 200, 200, 404, 200, 200, 415]
        for _, _, answer in answers:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Access-Control-Allow-Origin" not in answer.headers

    play(page.address, scene)


def test_the_page_itself_is_clean() -> None:
    folder = files("facewarp.assets").joinpath("web")
    for entry in folder.iterdir():
        text = entry.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\bimport\(|\beval\(|innerHTML", text), entry.name
        if entry.name.endswith(".html"):
            assert not re.search(
                r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text
            )
            references = re.findall(r'(?:src|href)="([^"#]+)"', text)
            assert references
            assert all(folder.joinpath(name).is_file() for name in references)
        for name in re.findall(r'(?:from|new Worker\() ?"\.?/?([\w.]+)"', text):
            assert folder.joinpath(name).is_file(), name


HOSTS = {
    "evil.example": False,
    "127.0.0.1.evil.example": False,
    "localhost.evil.example": False,
    "192.168.1.7": False,
    "[": False,
    "localhost": True,
    "LOCALHOST:9000": True,
    "127.0.0.1": True,
    "[::1]:8765": True,
}


@pytest.mark.parametrize(("host", "is_own"), HOSTS.items())
def test_only_names_of_this_machine_are_served(page: WebPage, host: str, is_own: bool) -> None:
    async def scene(browser: Browser) -> None:
        status, _, _ = await browser.ask(page.address, headers={"Host": host})
        assert status == (200 if is_own else 403)

    play(page.address, scene)


def test_only_the_page_itself_may_change_anything(page: WebPage, controls: Controls) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        port = urlsplit(page.address).port
        foreign = [
            *(None, "null", "http://evil.example", f"https://127.0.0.1:{port}"),
            *(f"http://localhost:{port}", "http://127.0.0.1:1", "http://127.0.0.1"),
        ]
        for origin in foreign:
            headers = {"Origin": origin}
            change = {"effect": "mesh"}
            status, _, _ = await browser.ask("/api/settings", "POST", json=change, headers=headers)
            assert status == 403
            sent = {} if origin is None else headers
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await browser.session.ws_connect(browser.origin + "/api/live", headers=sent)
            assert refused.value.status == 403
        assert controls.now["effect"] == "labels"
        status, _, _ = await browser.ask("/api/state", headers={"Origin": "http://evil.example"})
        assert status == 403

    play(page.address, scene)


def test_a_tunnel_may_change_the_port(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        headers = {"Host": "localhost:9000", "Origin": "http://localhost:9000"}
        cookie = browser.session.cookie_jar.filter_cookies(URL(browser.origin))
        headers["Cookie"] = cookie.output(header="", sep=";").strip()
        change = {"effect": "mesh"}
        assert (await browser.ask("/api/settings", "POST", json=change, headers=headers))[0] == 200

    play(page.address, scene)


def test_other_machines_only_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FacewarpError, match="--allow-remote"):
        WebPage(Controls(), LiveStats(), host="0.0.0.0", port=0)
    with caplog.at_level(logging.WARNING, "facewarp"):
        page = WebPage(Controls(), LiveStats(), host="0.0.0.0", port=0, allow_remote=True)
    try:
        assert "other machines can reach the page" in caplog.text
        assert "HTTPS" in caplog.text
        assert page.address.startswith(f"http://{socket.gethostname()}:")
        local = re.sub(r"//[^:]+:", "//127.0.0.1:", page.address)

        async def scene(browser: Browser) -> None:
            for host, status in {
                "192.168.1.7:8765": 200,
                socket.gethostname(): 200,
                "localhost": 200,
                "evil.example": 403,
            }.items():
                assert (await browser.ask(local, headers={"Host": host}))[0] == status

        play(local, scene)
    finally:
        page.close()


def test_a_taken_port_is_an_error_with_a_way_out(page: WebPage) -> None:
    port = urlsplit(page.address).port
    assert port
    with pytest.raises(FacewarpError, match="--port"):
        WebPage(Controls(), LiveStats(), port=port)
    with pytest.raises(FacewarpError, match="can't listen"):
        WebPage(Controls(), LiveStats(), host="203.0.113.1", port=0, allow_remote=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed one for localhost, with its key in the same file."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_https_with_a_certificate(certificate: Path) -> None:
    page = WebPage(Controls(), LiveStats(), port=0, certificate=Certificate(certificate))
    try:
        assert page.address.startswith("https://127.0.0.1:")

        async def scene(browser: Browser) -> None:
            trust = ssl.create_default_context()
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            status, _, answer = await browser.ask(page.address, ssl=trust)
            assert status == 200
            (cookie,) = answer.cookies.values()
            assert cookie["secure"]
            change = {"json": {"effect": "mesh"}, "ssl": trust}
            assert (await browser.ask("/api/settings", "POST", **change))[0] == 200

        play(page.address, scene)
    finally:
        page.close()


def test_bad_certificates_are_told(tmp_path: Path, certificate: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for chain, key in [(tmp_path / "none.pem", None), (certificate, empty), (empty, None)]:
        with pytest.raises(FacewarpError, match="certificate"):
            WebPage(Controls(), LiveStats(), port=0, certificate=Certificate(chain, key))


def test_settings_are_changed_and_told(page: WebPage, controls: Controls) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, answer = await browser.post(
            "/api/settings", json={"effect": "mesh", "opacity": 0.25, "mirror": True}
        )
        assert status == 200
        assert answer["settings"] == controls.now
        assert answer["choices"] == CHOICES
        assert answer["options"] == {"labels": ["opacity"], "mesh": ["opacity"]}
        assert controls.now["effect"] == "mesh"
        assert controls.now["opacity"] == 0.25
        assert controls.now["mirror"] is True
        assert json.loads((await browser.ask("/api/state"))[1])["settings"] == controls.now

    play(page.address, scene)


WRONG = [
    b"", b"{", b"[]", b"null", b"{}", b"3", b'"mesh"', b'{"effect": "nope"}', b'{"effect": 1}',
    b'{"effect": ["mesh"]}', b'{"effect": null}', b'{"texture": "../mask"}', b'{"template": ""}',
    b'{"opacity": 1.01}', b'{"opacity": -0.01}', b'{"opacity": NaN}', b'{"opacity": Infinity}',
    b'{"opacity": "1"}', b'{"opacity": true}', b'{"mirror": 1}', b'{"smoothing": "yes"}',
    b'{"opacity": 1' + b"0" * 4000 + b"}", b'{"opacity": -1' + b"0" * 4000 + b"}",
    b'{"colour": "red"}', b'{"makeup": 1}',
    b'{"style": "../x"}', b'{"style_mode": ""}',
    b'{"effect": "mesh", "mirror": null}', b"[" * 3000, b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG, ids=lambda body: body[:24].decode("latin1"))
def test_wrong_settings_change_nothing(page: WebPage, controls: Controls, body: bytes) -> None:
    before = controls.settings()

    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, answer = await browser.post(
            "/api/settings", data=body, headers={"Content-Type": "application/json"}
        )
        assert status == 400
        assert answer["error"]
        assert controls.settings() == before

    play(page.address, scene)


def test_what_fails_unforeseen_is_an_answer_with_all_headers(
    page: WebPage, controls: Controls, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**settings: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    controls.change = fail  # type: ignore[method-assign]

    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, _, answer = await browser.ask("/api/settings", "POST", json={"effect": "mesh"})
        assert status == 500
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")

    play(page.address, scene)
    assert "a request of the web page has failed" in caplog.text


def raw(page: WebPage) -> socket.socket:
    """A bare connection to the page's port."""
    parts = urlsplit(page.address)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\0", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 20 + b"?" * 500]
)
def test_what_is_no_http_leaves_no_trace(
    page: WebPage, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    with raw(page) as connection:
        connection.sendall(data + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert caplog.text == ""


def test_silent_strangers_do_not_lock_visitors_out(
    page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "MOST", 3)
    silent = [raw(page) for _ in range(8)]

    async def scene(browser: Browser) -> None:
        await browser.enter()
        assert (await browser.ask("/api/state"))[0] == 200

    play(page.address, scene)
    for connection in silent:
        connection.close()


def test_a_stranger_that_stays_is_cut_and_a_visitor_is_not(
    page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "STRANGER_S", 0.3)
    with raw(page) as silent:

        async def scene(browser: Browser) -> None:
            await browser.enter()
            headers = {"Origin": browser.origin}
            url = f"{browser.origin}/api/live?page=one"
            async with browser.session.ws_connect(url, headers=headers) as live:
                await asyncio.sleep(0.6)
                assert (await live.receive_json())["type"] == "stats"
                await live.send_json({"type": "ping", "id": 7})
                while (await live.receive_json()).get("id") != 7:
                    pass

        play(page.address, scene)
        assert silent.recv(10) == b""


def test_whoever_has_left_is_forgotten(page: WebPage, controls: Controls) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        url = f"{browser.origin}/api/live?page=one"
        async with browser.session.ws_connect(url, headers={"Origin": browser.origin}) as live:
            await live.receive_json()

    play(page.address, scene)
    page.close()
    assert controls.forgotten


def test_a_page_whose_connection_stalls_is_ended_in_time() -> None:
    class Stalling:
        async def close(self, **options: Any) -> None:
            await asyncio.sleep(60)

    class Transport:
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    async def run() -> Transport:
        transport = Transport()
        visit = connections._Visit("one", Stalling(), None, transport)  # type: ignore[arg-type]
        await asyncio.wait_for(visit.end(4002, b"taken"), 10)
        return transport

    assert asyncio.run(run()).aborted


def test_settings_come_as_json_and_are_short(page: WebPage, controls: Controls) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        form = {"data": b'{"effect": "mesh"}', "headers": {"Content-Type": "text/plain"}}
        assert (await browser.post("/api/settings", **form))[0] == 415
        long = b'{"effect": "mesh"' + b" " * 5000 + b"}"
        headers = {"Content-Type": "application/json"}
        assert (await browser.post("/api/settings", data=long, headers=headers))[0] == 413

        async def pieces() -> Any:  # without a Content-Length
            for _ in range(100):
                yield long

        assert (await browser.post("/api/settings", data=pieces(), headers=headers))[0] == 413
        assert controls.now["effect"] == "labels"

    play(page.address, scene)


def test_what_the_program_refuses_is_told(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, answer = await browser.post("/api/template/snapshot")
        assert status == 422
        assert answer["error"] == "no face has been seen. Look into the camera."

    play(page.address, scene)


def test_pictures_are_handed_on(
    page: WebPage, controls: Controls, rng: np.random.Generator
) -> None:
    photograph = np.full((48, 64, 3), (200, 30, 60), np.uint8)
    texture = rng.integers(0, 256, (64, 52, 4), np.uint8)

    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, answer = await browser.post("/api/template", data=jpeg(photograph))
        assert status == 200
        assert "template" in answer["line"]
        assert np.abs(controls.pictures[0].astype(int) - photograph).max() < 8
        status, answer = await browser.post("/api/texture", data=png(texture))
        assert status == 200
        assert answer["settings"]["texture"] == "own"
        np.testing.assert_array_equal(controls.pictures[1], texture)
        status, own, _ = await browser.ask("/api/texture/own")
        assert status == 200
        with PIL.Image.open(io.BytesIO(own)) as picture:
            assert picture.mode == "RGBA"
        status, answer = await browser.post("/api/texture", data=jpeg(photograph))
        assert status == 200
        assert controls.pictures[2].shape == (48, 64, 4)
        status, answer = await browser.post("/api/style", data=jpeg(photograph))
        assert (status, answer["line"]) == (200, "style taken")

    play(page.address, scene)


def test_what_is_no_picture_is_refused(page: WebPage, controls: Controls) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        for where in ("/api/template", "/api/texture", "/api/style"):
            for data in (b"", b"<svg onload='alert(1)'/>", png(np.zeros((9, 9, 3), np.uint8))):
                status, answer = await browser.post(where, data=data)
                assert status == 422
                assert answer["error"]
        status, _ = await browser.post("/api/template", data=bytes(MAX_BYTES + 1))
        assert status == 413
        assert not controls.pictures

    play(page.address, scene)


def test_shipped_textures_have_thumbnails(page: WebPage) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        status, body, answer = await browser.ask("/api/texture/mask")
        assert status == 200
        assert answer.content_type == "image/png"
        with PIL.Image.open(io.BytesIO(body)) as picture:
            assert picture.mode == "RGBA"
            assert 64 <= max(picture.size) <= 192
        for name in CHOICES["texture"][:2]:
            assert (await browser.ask(f"/api/texture/{name}"))[0] == 200
        assert (await browser.ask("/api/style/bronze"))[0] == 200
        assert (await browser.ask("/api/style/drawing"))[0] == 404  # not among the choices
        for name in ("own", "skull", "nope", "..", "%2e%2e%2fdemo%2fportrait", "mask.png"):
            assert (await browser.ask(f"/api/texture/{name}"))[0] in (401, 404)

    play(page.address, scene)


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "/..%2f__init__.py", "/index.html/",
     "/__init__.py", "//etc/passwd", "/api/", "/%00", "/web"],
)  # fmt: skip
def test_only_the_pages_files_are_served(page: WebPage, path: str) -> None:
    async def scene(browser: Browser) -> None:
        await browser.enter()
        async with browser.session.get(URL(browser.origin + path, encoded=True)) as answer:
            assert answer.status in (400, 404)

    play(page.address, scene)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("facewarp.live.web."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiortc", None)
    with pytest.raises(FacewarpError, match=r"needs aiortc.*\[web\]"):
        WebPage(Controls(), LiveStats(), port=0)


def test_the_module_needs_none_of_the_extra_libraries() -> None:
    code = "import sys, facewarp.live.web.page; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aiohttp", "aiortc"} & set(run.stdout.split())


def test_closing_leaves_nothing(controls: Controls) -> None:
    before = set(threading.enumerate())
    page = WebPage(controls, LiveStats(), port=0)
    assert {thread.name for thread in threading.enumerate()} >= {"web"}
    page.close()
    page.close()
    assert set(threading.enumerate()) <= before
    assert list(page) == []
    with socket.socket() as other:
        other.bind(("127.0.0.1", urlsplit(page.address).port or 0))
