"""The page and what it talks to: static files, state, portraits, sessions."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import web

from mien.engine.types import MienError
from mien.streams.webrtc.backdrops import Backdrop
from mien.streams.webrtc.feed import described
from mien.streams.webrtc.hub import AvatarStream, Hub
from mien.streams.webrtc.limits import PORTRAIT_BYTES, PORTRAIT_PIXELS
from mien.streams.webrtc.offer import Offer
from mien.streams.webrtc.portraits import Portrait, check_type, clean_name
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.resources import created, read_body, receive_offer
from mien.streams.webrtc.security import Guard
from mien.streams.webrtc.visit import Visit

UPLOADS_AT_ONCE = 4
"""Bodies of 10 MB that are held in memory at the same time, at most."""

STATIC = Path(__file__).parent / "static"
TYPES: Mapping[str, str] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class StaticFiles:
    """The page's files, listed once: what a client asks for is looked up, never opened by its name."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in TYPES
        }

    def response(self, name: str) -> web.Response:
        """The file as it is now.

        Raises:
            Problem: 404.
        """
        path = self._files.get(name)
        if path is None:
            raise Problem(404, "There is nothing at this address.")
        kind = TYPES[path.suffix]
        charset = "utf-8" if kind.startswith("text/") else None
        return web.Response(body=path.read_bytes(), content_type=kind, charset=charset)


class Page:
    """The handlers of the page's requests.

    Args:
        hub: streams and limits.
        guard: makes cookies.
        credentials: whether recordings can be signed here.
    """

    def __init__(self, hub: Hub, guard: Guard, credentials: bool = False) -> None:
        self._hub, self._guard, self._credentials = hub, guard, credentials
        self._static = StaticFiles()
        self._uploading = 0

    async def index(self, request: web.Request) -> web.Response:
        """The page; ?token= is traded for a cookie, so that it does not stay in the history."""
        given = request.query.get("token")
        if given is not None and self._guard.knows(given):
            moved = web.Response(status=303, headers={"Location": "/"})
            moved.headers.add("Set-Cookie", self._guard.token_cookie(request))
            return moved
        if given is not None and self._hub.settings.token is not None:
            raise Problem(
                401, "The token in this address is wrong. Copy the address from the terminal again."
            )
        response = self._static.response("index.html")
        if self._guard.visitor(request) is None:
            response.headers.add("Set-Cookie", self._guard.visitor_cookie(request, secrets.token_urlsafe(16)))
        return response

    async def static(self, request: web.Request) -> web.Response:
        """One of the page's files."""
        return self._static.response(request.match_info["name"])

    async def state(self, request: web.Request) -> web.Response:
        """What the page must know before it connects."""
        hub, settings = self._hub, self._hub.settings
        ready = hub.engine.ready and not hub.draining
        reason = "the server is shutting down" if hub.draining else hub.engine.reason
        visitor = self._guard.visitor(request)
        hub.portraits.hear(visitor)
        return web.json_response(
            {
                "ready": ready,
                "reason": "" if ready else reason,
                "sessions": len(hub.streams),
                "max_sessions": settings.max_sessions,
                "portraits": [p.described() for p in hub.portraits.seen_by(visitor)],
                "limits": {"portrait_bytes": PORTRAIT_BYTES, "portrait_pixels": PORTRAIT_PIXELS},
                "background": settings.background,
                "panel": settings.panel,
                "calls": described(hub.feed, here=settings.loopback),
                "view_key": self._guard.view_key,
                "mark": settings.mark,
                "credentials": self._credentials,
                "ice_servers": [server.described() for server in settings.ice_servers],
            }
        )

    async def upload(self, request: web.Request) -> web.Response:
        """A portrait from the visitor."""
        hub = self._hub
        visitor = self._guard.visitor(request) or secrets.token_urlsafe(16)
        with self._looking():
            data, name = await self._image(request)
            loop = asyncio.get_running_loop()
            worker = hub.portraits.worker
            portrait = await loop.run_in_executor(worker, hub.portraits.upload, data, name, visitor)
        hub.metrics.count("portraits_total")
        described = portrait.described()
        notes = list(portrait.prepared.notes)
        response = web.json_response({**described, "notes": notes}, status=201)
        response.headers["Location"] = str(described["image"])
        if self._guard.visitor(request) is None:
            response.headers.add("Set-Cookie", self._guard.visitor_cookie(request, visitor))
        return response

    async def add_photo(self, request: web.Request) -> web.Response:
        """One more photo of the person of one of the visitor's own portraits."""
        portraits, visitor = self._hub.portraits, self._guard.visitor(request)
        identity = portraits.own(request.match_info["id"], visitor).id
        with self._looking():
            data, name = await self._image(request)
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                portraits.worker, portraits.add_photo, data, name, identity, visitor
            )
        notes = [note for note in found.notes if note not in found.refused]
        return web.json_response({"notes": notes, "refused": list(found.refused)}, status=201)

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        """While an image is looked at."""
        if self._uploading >= UPLOADS_AT_ONCE:
            raise Problem(503, "Other portraits are being looked at. Try again in a moment.", retry_after=2)
        self._uploading += 1
        try:
            yield
        finally:
            self._uploading -= 1

    async def _image(self, request: web.Request) -> tuple[bytes, str]:
        """What the visitor sends as an image, and what they call it."""
        check_type(request.content_type if "Content-Type" in request.headers else "")
        self._hub.check_open()
        return await read_body(request, PORTRAIT_BYTES), clean_name(request.headers.get("X-Name", ""))

    async def preview(self, request: web.Request) -> web.Response:
        """A portrait's small image."""
        portrait = self._hub.portraits.find(request.match_info["id"], self._guard.visitor(request))
        if portrait is None:
            raise Problem(404, "There is no such portrait.")
        headers = {"Cache-Control": "private, max-age=3600, immutable"}
        return web.Response(body=portrait.preview, content_type="image/jpeg", headers=headers)

    async def connect(self, request: web.Request) -> web.Response:
        """The visitor's camera comes up, the avatar goes down."""
        hub = self._hub
        hub.check_open()
        offer = await receive_offer(request, hub.settings)
        visitor = self._guard.visitor(request)
        if hub.settings.panel and offer.takes_video and not offer.sends_video:
            return await self._answer(request, offer, self._main(), visitor, ends=False)
        if not (offer.sends_video and offer.takes_video):
            raise Problem(406, "The page's session needs video both ways (sendrecv).")
        name = clean_view(request.query.get("view"))
        portrait = self._wished(request.query.get("portrait"), visitor)
        stream = await hub.open_stream(portrait, name, self._backdrop(request, visitor))
        return await self._answer(request, offer, stream, visitor, ends=True)

    def _main(self) -> AvatarStream:
        """The avatar that a camera of this machine drives.

        Raises:
            Problem: 503 the camera is not there yet.
        """
        if self._hub.main is None:
            raise Problem(503, "The camera of this machine is not there yet.", retry_after=1)
        return self._hub.main

    async def _answer(
        self, request: web.Request, offer: Offer, stream: AvatarStream, visitor: str | None, *, ends: bool
    ) -> web.Response:
        """Connect a visitor with an avatar, which ends with the visit if the visitor drives it."""
        hub = self._hub
        visit = Visit(hub, stream, visitor, ends=ends)
        try:
            answer = await visit.peer.answer(offer.sdp, visit.attach)
            visit.bind()
        except BaseException as error:
            await visit.peer.close()
            if ends:
                await hub.close_stream(stream)
            if isinstance(error, Exception):
                raise Problem(400, "The offer cannot be answered.") from error
            raise
        resource = visit.resource(offer.ufrag)
        hub.add(resource, request.remote or "")
        return created(resource, offer.changes.answer(answer), "/session", hub.settings)

    def _backdrop(self, request: web.Request, visitor: str | None) -> Backdrop | None:
        """What the session is to begin with behind the avatar; one that is not known is asked for again."""
        with contextlib.suppress(MienError):
            return self._hub.backdrops.find(request.query.get("background"), visitor)
        return None

    def _wished(self, identity: str | None, visitor: str | None) -> Portrait | None:
        """The portrait that the session is to begin with; never another one, not even for a moment.

        Raises:
            Problem: 410 it is not there any more.
        """
        if identity is None:
            return None
        portrait = self._hub.portraits.find(identity, visitor)
        if portrait is None:
            raise Problem(
                410, "This portrait is not on the server any more. Choose another, or add it again."
            )
        return portrait


def clean_view(given: str | None) -> str | None:
    """The name by which a page's viewers find it.

    Raises:
        Problem: 400 one that could be guessed.
    """
    if given is not None and not re.fullmatch(r"[A-Za-z0-9_-]{16,64}", given):
        raise Problem(400, "The name of a view has 16 to 64 letters, digits, - or _.")
    return given
