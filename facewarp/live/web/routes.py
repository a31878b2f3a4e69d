"""HTTP requests of the page: its files, settings, and uploaded images."""

import asyncio
import json
from importlib.resources import files
from typing import Final

from aiohttp import web

from facewarp.errors import FacewarpError
from facewarp.face.effects.options import options_of
from facewarp.face.rendering.makeup import looks_of
from facewarp.live.interfaces import Controls
from facewarp.live.settings import checked_settings
from facewarp.live.web import thumbnails
from facewarp.live.web.access import PAGES, AccessPolicy
from facewarp.media.images.decoding import MAX_BYTES, read_photograph, read_texture
from facewarp.version import __version__

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_MAX_JSON = 4 << 10


class Routes:
    """Handlers of the page's requests, which `AccessPolicy` has admitted.

    Args:
        policy: gives the page its cookie.
        controls: what requests change.
    """

    def __init__(self, policy: AccessPolicy, controls: Controls) -> None:
        self._policy = policy
        self._controls = controls
        self._files = _page_files()
        self._own: dict[tuple[str, str], bytes] = {}  # thumbnails of uploads, by kind and name
        self._one_upload = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Add a route for every address but that of the visits."""
        for page in PAGES:
            app.router.add_get(page, self._page)
        app.router.add_get("/api/state", self._state)
        app.router.add_post("/api/settings", self._change)
        app.router.add_post("/api/template", self._upload_template)
        app.router.add_post("/api/template/snapshot", self._snapshot_template)
        app.router.add_post("/api/neutral", self._snapshot_neutral)
        app.router.add_post("/api/texture", self._upload_texture)
        app.router.add_post("/api/style", self._upload_style)
        app.router.add_get("/api/{kind:texture|style}/{name}", self._thumbnail)
        app.router.add_get("/{name}", self._file)

    async def _page(self, request: web.Request) -> web.Response:
        response = self._page_file("index.html" if request.path == "/" else "view.html")
        self._policy.remember(response)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        return self._page_file(request.match_info["name"])

    def _page_file(self, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound
        body, kind = self._files[name]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _state(self, request: web.Request) -> web.Response:
        return self._answer()

    async def _change(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise _refused(415, "settings are sent as JSON")
        body = await _body(request, _MAX_JSON)
        try:
            wanted = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _refused(400, "this is not JSON") from error
        try:
            changes = checked_settings(wanted, self._controls.choices())
        except ValueError as error:
            raise _refused(400, str(error)) from error
        await asyncio.to_thread(self._controls.change, **changes)
        return self._answer()

    async def _snapshot_template(self, request: web.Request) -> web.Response:
        async with self._one_upload:
            line = await asyncio.to_thread(self._controls.snapshot_template)
        return self._answer(line)

    async def _snapshot_neutral(self, request: web.Request) -> web.Response:
        return self._answer(await asyncio.to_thread(self._controls.snapshot_neutral))

    async def _upload_template(self, request: web.Request) -> web.Response:
        data = await _body(request, MAX_BYTES)
        async with self._one_upload:
            image = await asyncio.to_thread(read_photograph, data)
            line = await asyncio.to_thread(self._controls.upload_template, image)
        return self._answer(line)

    async def _upload_texture(self, request: web.Request) -> web.Response:
        data = await _body(request, MAX_BYTES)
        async with self._one_upload:
            rgba = await asyncio.to_thread(read_texture, data)
            line = await asyncio.to_thread(self._controls.upload_texture, rgba)
            thumbnail = await asyncio.to_thread(thumbnails.texture, rgba)
        self._own["texture", str(self._controls.settings().get("texture"))] = thumbnail
        return self._answer(line)

    async def _upload_style(self, request: web.Request) -> web.Response:
        data = await _body(request, MAX_BYTES)
        async with self._one_upload:
            image = await asyncio.to_thread(read_photograph, data)
            line = await asyncio.to_thread(self._controls.upload_style, image)
            thumbnail = await asyncio.to_thread(thumbnails.picture, image)
        self._own["style", str(self._controls.settings().get("style"))] = thumbnail
        return self._answer(line)

    async def _thumbnail(self, request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["name"]
        if name not in self._controls.choices().get(kind, ()):
            raise web.HTTPNotFound
        picture = self._own.get((kind, name))
        if picture is None:
            picture = await asyncio.to_thread(thumbnails.shipped, kind, name)
        if picture is None:
            raise web.HTTPNotFound
        return web.Response(body=picture, content_type="image/png")

    def _answer(self, line: str | None = None) -> web.Response:
        """Answer with all that the page shows, after any change."""
        choices = {name: list(of) for name, of in self._controls.choices().items()}
        return web.json_response(
            {
                "version": __version__,
                "settings": dict(self._controls.settings()),
                "choices": choices,
                "looks": looks_of(choices.get("texture", ())),
                "options": {effect: options_of(effect) for effect in choices.get("effect", ())},
                "max_bytes": MAX_BYTES,
                "line": line,
            }
        )


async def _body(request: web.Request, limit: int) -> bytes:
    """Read the body of a request, up to its limit."""
    if (request.content_length or 0) > limit:
        raise _refused(413, f"more than {limit >> 10} KB are not taken")
    body = bytearray()
    async for piece in request.content.iter_chunked(64 << 10):
        body += piece
        if len(body) > limit:
            raise _refused(413, f"more than {limit >> 10} KB are not taken")
    return bytes(body)


def _refused(status: int, what: str) -> web.HTTPException:
    body = json.dumps({"error": what})
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        415: web.HTTPUnsupportedMediaType,
    }
    if status == 413:
        return web.HTTPRequestEntityTooLarge(0, 0, text=body, content_type="application/json")
    return kinds[status](text=body, content_type="application/json")


def _page_files() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by name, with their types: no others can be requested."""
    folder = files("facewarp.assets").joinpath("web")
    found = {}
    for entry in folder.iterdir():
        kind = _TYPES.get(entry.name[entry.name.rfind(".") :])
        if kind is not None:
            found[entry.name] = entry.read_bytes(), kind
    if "index.html" not in found:
        raise FacewarpError("the page's files are missing", "assets/web", "Install facewarp anew.")
    return found
