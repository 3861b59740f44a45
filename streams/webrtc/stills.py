"""Previews of the avatar at rest, a visitor's care for their portraits, and images behind the avatars."""

from __future__ import annotations

import asyncio
import secrets

import cv2
from aiohttp import web

from mien.engine.types import Image, MienError
from mien.streams.webrtc.hub import Hub
from mien.streams.webrtc.limits import PORTRAIT_BYTES
from mien.streams.webrtc.portraits import check_type, clean_name
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.resources import read_body
from mien.streams.webrtc.security import Guard

QUALITY = 88
"""JPEG quality of a preview."""


class Stills:
    """The handlers of previews and backgrounds.

    Args:
        hub: portraits and backgrounds.
        guard: knows the visitor.
    """

    def __init__(self, hub: Hub, guard: Guard) -> None:
        self._hub, self._guard = hub, guard

    async def still(self, request: web.Request) -> web.Response:
        """The avatar at rest before ``?background=``, as the live image shows it."""
        hub, visitor = self._hub, self._guard.visitor(request)
        hub.check_open()
        portrait = hub.portraits.find(request.match_info["id"], visitor)
        if portrait is None:
            raise Problem(404, "There is no such portrait.")
        wish = request.query.get("background")
        try:
            backdrop = None if wish is None else hub.backdrops.find(wish, visitor)
            avatar = portrait.prepared.avatar
            work = asyncio.get_running_loop().run_in_executor(
                hub.portraits.worker, lambda: _jpeg(hub.engine.still(avatar, backdrop))
            )
            data = await work
        except MienError as error:
            raise Problem(422, str(error)) from error
        return web.Response(body=data, content_type="image/jpeg")

    async def rename(self, request: web.Request) -> web.Response:
        """Another name for one of the visitor's own portraits."""
        name = clean_name(request.headers.get("X-Name", ""))
        portraits, visitor = self._hub.portraits, self._guard.visitor(request)
        return web.json_response(portraits.rename(request.match_info["id"], visitor, name).described())

    async def remove(self, request: web.Request) -> web.Response:
        """One of the visitor's own portraits is not wanted any more."""
        self._hub.portraits.remove(request.match_info["id"], self._guard.visitor(request))
        return web.Response(status=204)

    async def upload(self, request: web.Request) -> web.Response:
        """An image that the visitor wants behind their avatar; it replaces the one before."""
        hub = self._hub
        check_type(request.content_type if "Content-Type" in request.headers else "")
        hub.check_open()
        data = await read_body(request, PORTRAIT_BYTES)
        name = clean_name(request.headers.get("X-Name", "background"))
        visitor = self._guard.visitor(request) or secrets.token_urlsafe(16)
        loop = asyncio.get_running_loop()
        image = await loop.run_in_executor(hub.portraits.worker, hub.portraits.decode, data, name)
        identity = hub.backdrops.add(image[..., :3], visitor)
        response = web.json_response({"background": f"image:{identity}"}, status=201)
        if self._guard.visitor(request) is None:
            response.headers.add("Set-Cookie", self._guard.visitor_cookie(request, visitor))
        return response


def _jpeg(image: Image) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    if not done:
        raise Problem(500, "The preview could not be made.")
    return bytes(data)
