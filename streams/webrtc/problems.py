"""Errors as RFC 9457 problem documents (``application/problem+json``)."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web

PROBLEM_JSON = "application/problem+json"


class Problem(Exception):
    """A request that cannot be fulfilled, and what the client can do about it.

    Args:
        status: HTTP status.
        detail: cause and remedy, in words that a person can read.
        retry_after: seconds after which it may be tried again.
        headers: more response headers.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def response(self) -> web.Response:
        """The HTTP response."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        return web.Response(
            status=self.status,
            body=json.dumps(body).encode(),
            content_type=PROBLEM_JSON,
            headers=self.headers,
        )
