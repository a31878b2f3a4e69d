"""Access control of the web page: token, allowed host names, allowed origins.

Every answer, errors too, carries headers that let the page load nothing from elsewhere and nobody
else embed it; but what is no HTTP at all gets aiohttp's own bare 400.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from facewarp.errors import FacewarpError

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STYLE: Final = (
    ":root{color-scheme:dark;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',"
    "'DejaVu Sans',sans-serif}"
    "body{display:grid;min-height:100vh;margin:0;place-items:center;background:#0d1013;color:#9aa7b2}"
    "main{max-width:26em;margin:24px;padding:32px 36px;border:1px solid #262d35;border-radius:14px;"
    "background:#14181d}"
    "h1{margin:18px 0 8px;color:#eef2f4;font-size:26px;font-weight:650;letter-spacing:-.02em}"
    "p{margin:0}p:first-child{color:#79dfb4;font-weight:650}span{color:#9aa7b2;font-weight:450}"
)
"""Of the page that is shown to whom nothing else is given, the style sheet neither."""
_STYLE_HASH: Final = (
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; "
        f"style-src 'self' {_STYLE_HASH}; "
        "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

PAGES: Final = ("/", "/view")
"""What the token opens."""

_LEAST_TOKEN = 16
_DENIED = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    "<title>facewarp live</title><style>{style}</style></head>"
    "<body><main><p>facewarp <span>live</span></p><h1>{title}</h1><p>{text}</p></main></body>"
    "</html>"
)


class AccessPolicy:
    """Admit requests that carry the token and come by a name of this machine.

    The token opens the page once; from then on a cookie with a secret of its own does, which no
    script can read and no other site's request carries.

    Args:
        host: the address listened on.
        token: what the page's address carries; None for a new one.
        secure: whether the page is served by HTTPS.

    Raises:
        FacewarpError: the token is too short to keep anyone out.
    """

    def __init__(self, host: str, token: str | None, *, secure: bool) -> None:
        if token is not None and (len(token) < _LEAST_TOKEN or not token.isascii()):
            raise FacewarpError(
                f"a token has at least {_LEAST_TOKEN} letters, digits or signs of ASCII",
                fix="Leave it out: a good one is made.",
            )
        self.token = token or secrets.token_urlsafe(24)
        self.port = 0
        self._secret = secrets.token_urlsafe(32)
        self._secure = secure
        self._is_local = is_loopback(host)
        self.on_admitted: Callable[[web.Request], None] = lambda request: None
        self._names = {host.lower(), "localhost", socket.gethostname().lower()}

    @property
    def scheme(self) -> str:
        """Scheme of the page's address."""
        return "https" if self._secure else "http"

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer requests that are admitted, and tell the others why not."""
        try:
            self._check(request)
            self.on_admitted(request)
            response = await handler(request)
        except web.HTTPException as error:
            response = error
        except FacewarpError as error:
            response = web.json_response({"error": str(error)}, status=422)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - no fault of ours may be an answer without headers
            _log.exception("a request of the web page has failed")
            response = web.HTTPInternalServerError()
        if not response.prepared:
            self.add_headers(response)
        if isinstance(response, web.HTTPException):
            raise response
        return response

    def add_headers(self, response: web.StreamResponse) -> None:
        """Set `HEADERS` on an answer that has not been sent."""
        response.headers.update(HEADERS)

    def remember(self, response: web.StreamResponse) -> None:
        """Give the browser the cookie that admits it from now on."""
        response.set_cookie(
            self._cookie, self._secret, httponly=True, samesite="Strict", secure=self._secure
        )

    @property
    def _cookie(self) -> str:
        return f"facewarp-{self.port}"  # browsers share cookies among the ports of a host

    def _check(self, request: web.Request) -> None:
        if not self._is_own_name(request.host):
            raise _denied(web.HTTPForbidden, "Wrong name", "This page does not go by that name.")
        origin = request.headers.get("Origin")
        must_tell = request.method != "GET" or "Upgrade" in request.headers
        if origin is None and must_tell:
            raise _denied(web.HTTPForbidden, "No origin", "The request does not say its origin.")
        if origin is not None and not self._is_own_origin(origin, request.host):
            raise _denied(web.HTTPForbidden, "Wrong origin", "Only the page itself may ask this.")
        if not self._knows_secret(request):
            raise _denied(
                web.HTTPUnauthorized,
                "This address is not complete",
                "Open the one that facewarp printed when it started: it ends with a token.",
            )

    def _knows_secret(self, request: web.Request) -> bool:
        cookie = request.cookies.get(self._cookie, "")
        token = request.query.get("token", "") if request.path in PAGES else ""
        return _are_same(cookie, self._secret) or _are_same(token, self.token)

    def _is_own_name(self, host: str) -> bool:
        """Return whether a host name is this machine's, against DNS rebinding."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if self._is_local:
            return is_loopback(name)
        return name in self._names or _is_address(name)

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Return whether a page came from here; a tunnel may have changed both ports."""
        parts = urlsplit(origin)
        return parts.scheme == self.scheme and parts.netloc.lower() == host.lower()


def is_loopback(host: str) -> bool:
    """Return whether a host is reached from its own machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _are_same(given: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(errors="backslashreplace"), secret.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _denied(kind: type[web.HTTPError], title: str, text: str) -> web.HTTPError:
    body = _DENIED.format(style=_STYLE, title=title, text=text)
    return kind(text=body, content_type="text/html")
