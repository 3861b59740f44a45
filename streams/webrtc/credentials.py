"""Signing service for the page: a recording is uploaded and comes back with content credentials."""

from __future__ import annotations

import asyncio

from aiohttp import web

from mien.engine.types import MienError, SinkError
from mien.streams.provenance.credentials import available
from mien.streams.webrtc.hub import Hub
from mien.streams.webrtc.limits import RECORDING_BYTES, SIGN
from mien.streams.webrtc.logs import log
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.resources import read_body

TYPES = ("video/mp4", "image/png")
UPLOAD_S = 120.0


class Credentials:
    """The handler of ``POST /api/credentials``; nothing is kept, and nothing touches the disk."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._busy = False
        self.offered = hub.settings.mark and available()

    async def post(self, request: web.Request) -> web.Response:
        """The body, signed.

        Raises:
            Problem: 404 not here, 413 too large, 415 no MP4 or PNG, 422 damaged, 503 another one is signed.
        """
        if not self.offered:
            raise Problem(404, "This server adds no content credentials.")
        if request.content_type not in TYPES:
            raise Problem(415, "Only MP4 and PNG take content credentials here.")
        if self._busy:
            raise Problem(503, "Another recording is being signed. Try again in a moment.", retry_after=2)
        self._busy = True
        try:
            data = await read_body(request, RECORDING_BYTES, UPLOAD_S)
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(None, self._sign, data, request.content_type)
        except MienError as error:
            # The reason may name a file of this machine's, which is not the visitor's to know.
            log("recording not signed", reason=str(error))
            raise Problem(
                422, "Content credentials could not be added; the server's log says why."
            ) from error
        finally:
            self._busy = False
        self._hub.metrics.count("signed_total")
        return web.Response(body=data, content_type=request.content_type)

    def _sign(self, data: bytes, kind: str) -> bytes:
        """The bytes with credentials, made by a process with a deadline: they are a stranger's.

        Raises:
            MienError: they cannot be signed, or not in time.
        """
        reply = self._hub.isolation.run("sign", data, SIGN, kind=kind)
        if "error" in reply.fields:
            raise SinkError(reply.fields["error"])
        return reply.data
