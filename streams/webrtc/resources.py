"""HTTP resources that WHIP, WHEP and the page share: bodies, 201, PATCH, DELETE, OPTIONS (RFC 9725)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from mien.streams.webrtc.hub import Hub, Resource
from mien.streams.webrtc.limits import SDP_BYTES
from mien.streams.webrtc.offer import Fragment, Offer, read_fragment, read_offer
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.settings import ServerSettings

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

BODY_S = 30.0
"""Seconds within which a body must have come."""


MAX_TRICKLED = 256
"""ICE candidates that a session takes after its offer; each one is checked against every address of ours."""


async def read_body(request: web.Request, limit: int, seconds: float = BODY_S) -> bytes:
    """The body, at most ``limit`` bytes of it, within ``seconds``.

    Raises:
        Problem: 408 too slow, 413 too large, 415 compressed.
    """
    # The server is told to unpack nothing (see app.py): a few KB may hold gigabytes.
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "Send the body as it is, not compressed.", headers={"Accept-Encoding": "identity"})
    too_large = Problem(413, f"The body is larger than {limit // 1024} KB.")
    if (request.content_length or 0) > limit:
        raise too_large

    async def read() -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in request.content.iter_chunked(64 * 1024):
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
        return b"".join(parts)

    try:
        return await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError as error:
        raise Problem(408, f"The body did not come within {seconds:g} s.") from error


async def read_text(request: web.Request, content_type: str) -> str:
    """The body as text, if it is of this type.

    Raises:
        Problem: 400 not UTF-8, 413 too large, 415 another type.
    """
    if request.content_type != content_type:
        name = "Accept-Post" if request.method == "POST" else "Accept-Patch"
        raise Problem(415, f"The body must be {content_type}.", headers={name: content_type})
    try:
        return (await read_body(request, SDP_BYTES)).decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "The body is not UTF-8.") from error


async def receive_offer(request: web.Request, settings: ServerSettings) -> Offer:
    """The offer in a POST.

    Raises:
        Problem: 400, 406, 413, 415.
    """
    accepted = request.headers.get("Accept", "*/*")
    if not any(kind in accepted for kind in (SDP, "application/*", "*/*")):
        raise Problem(406, f"The answer is {SDP}, which the Accept header rules out.")
    return read_offer(await read_text(request, SDP), local_only=settings.loopback)


def created(resource: Resource, answer: str, prefix: str, settings: ServerSettings) -> web.Response:
    """201 with the answer, and where the session lives."""
    response = web.Response(status=201, body=answer.encode(), content_type=SDP)
    response.headers["Location"] = f"{prefix}/{resource.id}"
    response.headers["ETag"] = resource.etag
    response.headers["Accept-Patch"] = FRAGMENT
    for server in settings.ice_servers:
        response.headers.add("Link", server.link())
    return response


class Sessions:
    """The session URLs below one endpoint.

    Args:
        hub: where the sessions are kept.
        kind: the kind that lives here.
        strict: whether a PATCH must name the entity tag.  WHEP's widely used JavaScript client does not.
    """

    def __init__(self, hub: Hub, kind: str, *, strict: bool) -> None:
        self._hub, self._kind, self._strict = hub, kind, strict

    def find(self, request: web.Request) -> Resource:
        """The session in the address.

        Raises:
            Problem: 404.
        """
        resource = self._hub.resources.get(request.match_info["id"])
        if resource is None or resource.kind != self._kind:
            raise Problem(404, "There is no such session; it may have ended.")
        return resource

    async def patch(self, request: web.Request) -> web.Response:
        """More candidates of the client's (trickle ICE)."""
        resource = self.find(request)
        text = await read_text(request, FRAGMENT)
        fragment = read_fragment(text, local_only=self._hub.settings.loopback)
        self._check_match(request, resource, fragment)
        resource.trickled += len(fragment.candidates)
        if resource.trickled > MAX_TRICKLED:
            raise Problem(400, f"The session has had more than {MAX_TRICKLED} ICE candidates.")
        for candidate in fragment.candidates:
            await resource.peer.connection.addIceCandidate(candidate)
        return web.Response(status=204)

    def _check_match(self, request: web.Request, resource: Resource, fragment: Fragment) -> None:
        match = request.headers.get("If-Match")
        restart = fragment.ufrag is not None and fragment.ufrag != resource.ufrag
        if restart and match in (None, "*", '"*"'):
            raise Problem(422, "ICE restarts are not supported: end this session and begin another.")
        if match is None and self._strict:
            raise Problem(428, "A PATCH must carry If-Match with the session's ETag.")
        if match not in (None, "*", '"*"') and resource.etag not in [tag.strip() for tag in match.split(",")]:
            raise Problem(412, "If-Match names another ICE session than this one.")
        if restart:
            raise Problem(422, "The ICE user fragment is not that of this session.")

    async def delete(self, request: web.Request) -> web.Response:
        """The client ends the session."""
        await self._hub.close(self.find(request), "ended by the client")
        return web.Response(status=200)

    async def options(self, request: web.Request) -> web.Response:
        """What may be done with a session; the same whether it exists or not."""
        return web.Response(headers={"Allow": "OPTIONS, PATCH, DELETE", "Accept-Patch": FRAGMENT})


async def endpoint_options(_: web.Request) -> web.Response:
    """What may be posted to an endpoint."""
    return web.Response(headers={"Allow": "OPTIONS, POST", "Accept-Post": SDP})
