"""``/view``: the avatar alone, filling a page, for OBS and other programs that show web pages.

A page with a token gives its address out with a key that opens this view and nothing else.
"""

from __future__ import annotations

from aiohttp import web

from mien.streams.webrtc.hub import Hub
from mien.streams.webrtc.page import StaticFiles
from mien.streams.webrtc.security import Guard


class View:
    """The handlers of the view.

    Args:
        hub: settings.
        guard: knows the key.
    """

    def __init__(self, hub: Hub, guard: Guard) -> None:
        self._hub, self._guard = hub, guard
        self._static = StaticFiles()

    async def index(self, request: web.Request) -> web.Response:
        """The page; ``?key=`` is traded for a cookie that opens the view alone."""
        response = self._static.response("view.html")
        if self._guard.knows_view(request.query.get("key", "")):
            response.headers.add("Set-Cookie", self._guard.view_cookie(request))
        return response

    async def state(self, _: web.Request) -> web.Response:
        """What the view must know before it connects."""
        servers = [server.described() for server in self._hub.settings.ice_servers]
        return web.json_response({"ice_servers": servers})
