"""Access control: Host and Origin, tokens, cookies, request rates, response headers.

A page on any web site can make a visitor's browser send requests to 127.0.0.1, and with DNS rebinding even
read the answers.  So on loopback the Host header must name this machine, and a request that a browser made
for another site (its Origin header says so) needs the token.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import pbkdf2_hmac
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from aiohttp import web

from mien.streams.webrtc.connections import SERVER
from mien.streams.webrtc.logs import LOG
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.settings import ServerSettings, is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TOKEN_COOKIE, VISITOR_COOKIE, VIEW_COOKIE = "mien-token", "mien-visitor", "mien-view"
COOKIE_ROUNDS = 100_000
"""Of PBKDF2: whoever reads a cookie's value must not find out a short token by trying."""

OPEN_PATHS = ("/healthz", "/readyz")
CROSS_ORIGIN_PATHS = ("/whip", "/whep")
VIEW_PATHS = ("/view", "/api/view", "/static", "/whep")
"""What the key of the view opens."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), geolocation=()",
    "Cache-Control": "no-store",
    "Server": SERVER,
}

CORS_METHODS = "OPTIONS, POST, PATCH, DELETE"
CORS_HEADERS = "Authorization, Content-Type, If-Match"
CORS_EXPOSED = "Location, ETag, Link, Retry-After, Accept-Patch, Accept-Post, WWW-Authenticate"


class RateLimit:
    """A token bucket for each address, forgotten when it has not been heard of for long.

    Args:
        rate: requests per second in the long run.
        burst: requests at once.
        clock: seconds, monotonic.
    """

    REMEMBERED = 4096

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Take one request's worth; 0 when it may pass, else the seconds until it might."""
        now = self._clock()
        left, then = self._buckets.pop(address, (float(self._burst), now))
        left = min(float(self._burst), left + (now - then) * self._rate)
        passes = left >= 1
        self._buckets[address] = (left - 1 if passes else left, now)
        if len(self._buckets) > self.REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) / self._rate


class Guard:
    """The checks that every request passes before its handler sees it."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._limit = RateLimit(settings.rate, settings.burst)
        self._cookie = _derived(settings.token)
        self.view_key = None if self._cookie is None else _view_key(self._cookie)
        self.refused = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse, or hand on; every response gets the security headers."""
        try:
            self._check(request)
            response = await handler(request)
        except Problem as problem:
            self.refused += problem.status in (401, 403, 429)
            response = problem.response()
        except web.HTTPException as error:
            response = _as_problem(error).response()
        except Exception:
            LOG.exception("a request could not be answered")
            response = Problem(500, "Mien made a mistake; its log says which.").response()
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        self._allow_cross_origin(request, response)
        return response

    def _check(self, request: web.Request) -> None:
        # Who asks after the server's health asks often, perhaps behind the same proxy as everybody else.
        wait = 0.0 if request.path in OPEN_PATHS else self._limit.wait(request.remote or "")
        if wait:
            raise Problem(429, "Too many requests from this address.", retry_after=max(1, round(wait + 0.5)))
        self._check_host(request)
        if request.method == "OPTIONS" or request.path in OPEN_PATHS:
            return
        bearer = self._bearer(request)
        self._check_origin(request, bearer)
        if self._settings.token is not None and not bearer and not self._has_cookie(request):
            if request.path == "/" and "token" in request.query:
                return  # the page's handler looks at it, and trades it for the cookie
            if self._may_view(request):
                return
            raise Problem(
                401,
                "A token is needed: Authorization: Bearer TOKEN, or the address with ?token= that was "
                "printed when the server started.",
                headers={"WWW-Authenticate": 'Bearer realm="mien"'},
            )

    def _check_host(self, request: web.Request) -> None:
        if self._settings.loopback and not is_loopback(host_name(request.headers.get("Host", ""))):
            raise Problem(403, "This server answers to localhost and 127.0.0.1 alone.")

    def _check_origin(self, request: web.Request, bearer: bool) -> None:
        origin = request.headers.get("Origin")
        if origin is None and request.headers.get("Sec-Fetch-Site") != "cross-site":
            return
        if origin is not None and same_origin(origin, request):
            return
        if bearer and crosses(request.path):
            return
        if request.method in ("GET", "HEAD") and origin is None and request.path == "/":
            return  # a link on another site that leads here
        raise Problem(403, "Requests from other sites' pages need the server's token.")

    def _bearer(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.knows(given.strip())

    def _has_cookie(self, request: web.Request) -> bool:
        given = request.cookies.get(self.cookie_name(TOKEN_COOKIE, request), "")
        return self._cookie is not None and _same(given, self._cookie)

    def _may_view(self, request: web.Request) -> bool:
        """Whether the request is one of the view's, and has its key."""
        if not any(request.path == path or request.path.startswith(f"{path}/") for path in VIEW_PATHS):
            return False
        cookie = request.cookies.get(self.cookie_name(VIEW_COOKIE, request), "")
        given = request.query.get("key", "") if request.path == "/view" else ""
        return self.knows_view(given) or self.knows_view(cookie)

    def knows_view(self, given: str) -> bool:
        """Whether ``given`` is the view's key (compared in constant time)."""
        return self.view_key is not None and _same(given, self.view_key)

    def view_cookie(self, request: web.Request) -> str:
        """``Set-Cookie`` for who gave the view's key."""
        return self._set_cookie(self.cookie_name(VIEW_COOKIE, request), self.view_key or "")

    def knows(self, given: str) -> bool:
        """Whether ``given`` is the token (compared in constant time)."""
        token = self._settings.token
        return token is not None and _same(given, token)

    def cookie_name(self, name: str, request: web.Request) -> str:
        """The name of a cookie of this server alone: every port of a host gets all of the host's cookies."""
        prefix = "__Host-" if self._settings.secure else ""
        return f"{prefix}{name}-{request.url.port}"

    def token_cookie(self, request: web.Request) -> str:
        """``Set-Cookie`` for who gave the token: a value made from it, so that it is itself in no cookie."""
        return self._set_cookie(self.cookie_name(TOKEN_COOKIE, request), self._cookie or "")

    def visitor(self, request: web.Request) -> str | None:
        """Who the visitor is, by the cookie that the page gave them."""
        return request.cookies.get(self.cookie_name(VISITOR_COOKIE, request))

    def visitor_cookie(self, request: web.Request, visitor: str) -> str:
        """``Set-Cookie`` for a new visitor."""
        return self._set_cookie(self.cookie_name(VISITOR_COOKIE, request), visitor)

    def _set_cookie(self, name: str, value: str) -> str:
        """A cookie that scripts cannot read and other sites cannot send."""
        jar: SimpleCookie = SimpleCookie({name: value})
        morsel = jar[name]
        morsel["path"], morsel["httponly"], morsel["samesite"] = "/", True, "Strict"
        if self._settings.secure:
            morsel["secure"] = True
        return morsel.OutputString()

    def _allow_cross_origin(self, request: web.Request, response: web.StreamResponse) -> None:
        # Without a token any web site could watch the avatar, so then no other origin may read anything.
        if self._settings.token is None or "Origin" not in request.headers or not crosses(request.path):
            return
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
            response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS
            response.headers["Access-Control-Max-Age"] = "600"


def _derived(token: str | None) -> str | None:
    """What the cookie carries: the same after the server has been started again with the same token."""
    if token is None:
        return None
    return pbkdf2_hmac("sha256", token.encode(), b"mien page", COOKIE_ROUNDS).hex()


def _view_key(cookie: str) -> str:
    """What opens the view alone: the cookie's value does not follow from it."""
    return hmac.new(cookie.encode(), b"mien view", "sha256").hexdigest()[:32]


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())


def _as_problem(error: web.HTTPException) -> Problem:
    words = {404: "There is nothing at this address.", 405: "This method is not allowed here."}
    detail = words.get(error.status, error.text or error.reason)
    headers = {name: error.headers[name] for name in ("Allow", "Location") if name in error.headers}
    return Problem(error.status, detail, headers=headers)


def crosses(path: str) -> bool:
    """Whether pages of other origins may use ``path`` (with the token): WHIP and WHEP."""
    return any(path == known or path.startswith(f"{known}/") for known in CROSS_ORIGIN_PATHS)


def host_name(header: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def same_origin(origin: str, request: web.Request) -> bool:
    """Whether the Origin header names this server as the client addressed it."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    # Behind a proxy that ends TLS the scheme differs; the name and port are what an attacker cannot have.
    return found.scheme in ("http", "https") and found.netloc == request.headers.get("Host", "")
