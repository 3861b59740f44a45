"""The HTTP server: routes, health, metrics, start and end."""

from __future__ import annotations

import ssl
from typing import Any

from aiohttp import web

from mien.engine.types import UsageError
from mien.streams.webrtc.connections import KEPT_S, Runner
from mien.streams.webrtc.credentials import Credentials
from mien.streams.webrtc.hub import Hub
from mien.streams.webrtc.limits import PORTRAIT_BYTES
from mien.streams.webrtc.metrics import TYPE as METRICS_TYPE
from mien.streams.webrtc.page import Page
from mien.streams.webrtc.resources import Sessions, endpoint_options
from mien.streams.webrtc.security import Guard
from mien.streams.webrtc.settings import ServerSettings
from mien.streams.webrtc.stills import Stills
from mien.streams.webrtc.view import View
from mien.streams.webrtc.whep import Whep
from mien.streams.webrtc.whip import Whip

HEADER_BYTES = 8190
GRACE_S = 1.0
"""How long requests that are under way may take at the end; with the farewells it stays below 5 s."""

NAMES = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Under which address this machine finds a server that listens there; asyncio's "::" is IPv6 alone."""


def make_app(hub: Hub) -> web.Application:
    """The application; ending it drains the hub."""
    guard = Guard(hub.settings)
    app = web.Application(middlewares=[guard.middleware], client_max_size=PORTRAIT_BYTES + 1024)
    credentials = Credentials(hub)
    page = Page(hub, guard, credentials.offered)
    stills, view = Stills(hub, guard), View(hub, guard)
    add = app.router.add_route
    add("GET", "/", page.index)
    add("HEAD", "/", page.index)
    add("GET", "/static/{name:[A-Za-z0-9._/-]+}", page.static)
    add("GET", "/api/state", page.state)
    add("POST", "/api/portraits", page.upload)
    add("POST", "/api/portraits/{id:[A-Za-z0-9_-]+}/photos", page.add_photo)
    add("GET", "/api/portraits/{id:[A-Za-z0-9_-]+}.jpg", page.preview)
    add("GET", "/api/portraits/{id:[A-Za-z0-9_-]+}/still.jpg", stills.still)
    add("PATCH", "/api/portraits/{id:[A-Za-z0-9_-]+}", stills.rename)
    add("DELETE", "/api/portraits/{id:[A-Za-z0-9_-]+}", stills.remove)
    add("POST", "/api/backgrounds", stills.upload)
    add("GET", "/view", view.index)
    add("GET", "/api/view", view.state)
    add("POST", "/api/credentials", credentials.post)
    _add_endpoint(app, "/session", page.connect, Sessions(hub, "page", strict=False))
    _add_endpoint(app, "/whip", Whip(hub).post, Sessions(hub, "whip", strict=True))
    _add_endpoint(app, "/whep", Whep(hub).post, Sessions(hub, "whep", strict=False))
    _add_health(app, hub)

    async def drain(_: web.Application) -> None:
        await hub.drain()

    async def close(_: web.Application) -> None:
        await hub.close_all()

    app.on_shutdown.append(drain)
    # After the last answer: a request that was under way may have opened a session after the drain.
    app.on_cleanup.append(close)
    return app


def _add_endpoint(app: web.Application, path: str, post: Any, sessions: Sessions) -> None:
    add = app.router.add_route
    add("POST", path, post)
    add("OPTIONS", path, endpoint_options)
    session = path + "/{id:[A-Za-z0-9_-]+}"
    add("PATCH", session, sessions.patch)
    add("DELETE", session, sessions.delete)
    add("OPTIONS", session, sessions.options)


def _add_health(app: web.Application, hub: Hub) -> None:
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        if hub.engine.ready and not hub.draining:
            return web.json_response({"ready": True})
        reason = "draining" if hub.draining else hub.engine.reason
        return web.json_response({"ready": False, "reason": reason}, status=503, headers={"Retry-After": "2"})

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=hub.metrics.text().encode(), headers={"Content-Type": METRICS_TYPE})

    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)


class Server:
    """The running server.

    >>> async with Server(hub) as server:             # doctest: +SKIP
    ...     print(server.url)
    ...     await stop.wait()

    Raises:
        MienError: the port is taken, or the certificate cannot be used.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._runner = Runner(
            make_app(hub),
            access_log=None,
            # Unpacking happens before any handler can bound it; read_body refuses what is compressed.
            auto_decompress=False,
            keepalive_timeout=KEPT_S,
            shutdown_timeout=GRACE_S,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        self.port = hub.settings.port

    @property
    def url(self) -> str:
        """Where the page is."""
        settings = self.hub.settings
        host = NAMES.get(settings.host, settings.host)
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if settings.secure else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Server:
        settings = self.hub.settings
        context = _tls(settings)
        await self._runner.setup()
        site = web.TCPSite(self._runner, settings.host, settings.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}). "
                "Choose another with --port."
            ) from error
        except ValueError as error:  # a name that no resolver is asked for: a label too long, a NUL
            await self._runner.cleanup()
            raise UsageError(
                f"{settings.host!r} is not a valid host name. Choose another with --host."
            ) from error
        # "localhost" has two addresses, and with port 0 two ports: that of the address that we name.
        addresses = sorted(self._runner.addresses, key=lambda address: ":" in address[0])
        self.port = addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.cert is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.cert, settings.key)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"The certificate {settings.cert} and key {settings.key} cannot be used ({error})."
        ) from error
    return context
