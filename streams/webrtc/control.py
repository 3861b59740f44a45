"""Control channel of the page: the visitor's commands and the server's reports (a data channel)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import Any

from mien.engine.types import MienError, UsageError
from mien.streams.webrtc.hub import AvatarStream, Hub
from mien.streams.webrtc.security import RateLimit

LABEL = "control"
MESSAGE_BYTES = 4096
REPORT_S = 0.5
RATE_OVER = 4
"""Reports (2 s) over which the bit rate is taken: a slow machine sends no frame at all in half a second."""

UNREAD_BYTES = 64 * 1024
"""More is not kept for a visitor who does not take what is said."""

GAINS = ("expression", "head", "turn", "eyes", "mouth", "micro")


class Control:
    """One visitor's channel.

    Args:
        hub: knows the portraits.
        stream: the visitor's avatar.
        visitor: whose uploads may be worn.
    """

    def __init__(self, hub: Hub, stream: AvatarStream, visitor: str | None) -> None:
        self._hub, self._stream, self._visitor = hub, stream, visitor
        self._channel: Any = None
        self._backdrop: Any = None
        self._limit = RateLimit(30, 60)
        self._told_of_mouth = False
        self._sent = deque([(monotonic(), 0)], maxlen=RATE_OVER)

    def open(self, channel: Any) -> None:
        """The visitor's channel is there."""
        self._channel = channel
        channel.on("message", self._heard)
        own = self._stream.session.own_mouth
        self._say("hello", session=self._stream.id, portrait=self._stream.portrait.id, own_mouth=own)

    async def report(self) -> None:
        """Hints and statistics, twice a second, until cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            if self._channel is None or self._channel.readyState != "open":
                continue
            neutral, why = self._stream.session.hint()
            self._say("hint", neutral=neutral, why=why, resting=self._stream.session.resting)
            self._say("stats", **self._statistics())
            self._tell_of_mouth()

    def _tell_of_mouth(self) -> None:
        """Why the visitor's mouth is painted, once."""
        note = self._stream.session.mouth_note
        if note is not None and not self._told_of_mouth:
            self._told_of_mouth = True
            self._say("mouth", why=note)

    def say_goodbye(self, text: str) -> None:
        """Tell the visitor why it ends."""
        self._say("error", text=text)

    def _statistics(self) -> dict[str, float]:
        stats = self._stream.broadcast.stats
        then, before = self._sent[0]
        now, sent = monotonic(), stats.sent_bytes
        self._sent.append((now, sent))
        return {
            "fps": round(stats.fps(), 1),
            "track_ms": round(stats.stage_ms.get("track", 0.0), 1),
            "render_ms": round(stats.stage_ms.get("render", 0.0), 1),
            "encode_ms": round(stats.stage_ms.get("encode", 0.0), 1),
            "latency_ms": round(stats.latency_ms, 1),
            "dropped": self._stream.dropped,
            "bitrate_kbps": round((sent - before) * 8 / 1000 / max(now - then, 1e-3)),
        }

    def _heard(self, text: Any) -> None:
        if self._limit.wait(""):
            return
        if not isinstance(text, str) or len(text) > MESSAGE_BYTES:
            self._say("error", text="Messages are JSON texts of at most 4 KB.")
            return
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ValueError
        except (ValueError, RecursionError):
            self._say("error", text="The message is not a JSON object.")
            return
        try:
            self._obey(message)
        except MienError as error:
            self._say("error", text=str(error))

    def _obey(self, message: Mapping[str, Any]) -> None:
        kind = message.get("type")
        if kind == "portrait":
            self._set_portrait(message.get("id"))
        elif kind == "reference":
            self._follow(self._stream.session.take_reference())
        elif kind == "search":
            self._follow(self._stream.session.search_reference())
        elif kind == "gains":
            self._stream.session.set_gains(_gains(message))
        elif kind == "background":
            self._set_backdrop(message.get("to"))
        elif kind == "hold":
            self._hold(message)
        elif kind == "mirror":
            self._stream.broadcast.mirror = message.get("on") is True
        elif kind == "mouth":
            self._stream.session.set_mouth(message.get("own") is True)
        elif kind == "ping":
            time = message.get("t")
            # JSON has no infinity, and a browser takes no message that has one.
            self._say("pong", t=time if isinstance(time, int | float) and math.isfinite(time) else None)
        else:
            raise UsageError(f"There is no message of type {str(kind)[:40]!r}.")

    def _set_portrait(self, identity: Any) -> None:
        known = isinstance(identity, str)
        portrait = self._hub.portraits.find(identity, self._visitor) if known else None
        if portrait is None:
            raise UsageError("This portrait is not there any more. Choose another, or upload it again.")
        self._stream.session.set_avatar(portrait.prepared.avatar)
        self._stream.portrait = portrait
        if self._backdrop is not None:
            self._set_backdrop(self._backdrop)
        self._say("portrait", id=portrait.id, notes=list(portrait.prepared.notes))

    def _hold(self, message: Mapping[str, Any]) -> None:
        if "on" in message:
            self._stream.session.hold(message["on"] is True)
        if "when_lost" in message:
            self._stream.session.hold_when_lost(message["when_lost"] is True)

    def _set_backdrop(self, wish: Any) -> None:
        backdrop = self._hub.backdrops.find(wish, self._visitor)
        self._backdrop = wish
        shown = self._stream.session.set_backdrop(backdrop)

        async def wait() -> None:
            try:
                await asyncio.wrap_future(shown)
                self._say("background", ok=True, why="")
            except MienError as error:
                self._say("background", ok=False, why=str(error))
            except (asyncio.CancelledError, RuntimeError):  # the session has ended meanwhile
                pass

        self._hub.later(wait())

    def _follow(self, wish: Any) -> None:
        async def wait() -> None:
            try:
                odd = await asyncio.wrap_future(wish)
                self._say("reference", ok=True, why=odd or "")
            except MienError as error:
                self._say("reference", ok=False, why=str(error))
            except asyncio.CancelledError:
                pass

        self._hub.later(wait())

    def _say(self, kind: str, **fields: Any) -> None:
        if self._channel is None or self._channel.readyState != "open":
            return
        if self._channel.bufferedAmount > UNREAD_BYTES:
            return
        with contextlib.suppress(Exception):  # closed in between
            self._channel.send(json.dumps({"type": kind, **fields}))


def _gains(message: Mapping[str, Any]) -> dict[str, float]:
    gains: dict[str, float] = {}
    for name in GAINS:
        if name in message:
            value = message[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
                raise UsageError(f"The gain of {name} must be a number.")
            gains[name] = float(value)
    return gains
