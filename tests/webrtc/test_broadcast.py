"""Every viewer sees frames: after a loop that was held up, and whenever it came."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.web import Camera, Client, served, until

from mien.engine.types import Image, Rendered
from mien.streams.webrtc.broadcast import BEHIND, Broadcast, Subscription
from mien.streams.webrtc.watermark import Watermark

GREY = np.full((64, 64, 3), 90, np.uint8)


def rendered(index: int) -> Rendered:
    return Rendered(GREY.copy(), index, 0, index / 10, {})


def taking(viewer: Subscription) -> asyncio.Future[Any]:
    """A sender that waits for its next frame."""
    return asyncio.ensure_future(viewer.next())


async def next_while_frames_come(broadcast: Broadcast, taken: asyncio.Future[Any], first: int) -> Any:
    """What a viewer's sender takes; frames come until it does, 20 at most."""
    for index in range(first, first + 20):
        broadcast.deliver(rendered(index))
        if (await asyncio.wait({taken}, timeout=0.1))[0]:
            break
    assert taken.done(), "the viewer waits for ever"
    return taken.result()


def hold_up(broadcast: Broadcast, first: int) -> None:
    """The event loop does nothing until more frames are encoded than may wait for a sender."""
    end = time.monotonic() + 20
    for index in range(first, first + BEHIND + 1):
        before = broadcast.stats.frames
        broadcast.deliver(rendered(index))
        while broadcast.stats.frames == before:
            assert time.monotonic() < end, "nothing is encoded"
            time.sleep(0.005)


def whole(packet: Any) -> bool:
    """Whether a VP8 frame is a key frame (RFC 6386, section 9.1: the lowest bit is 0)."""
    return not bytes(packet)[0] & 1


def test_a_sender_that_waited_while_the_loop_was_held_up_gets_the_next_whole_frame() -> None:
    async def run() -> None:
        broadcast = Broadcast(asyncio.get_running_loop(), mark=False)
        viewer = broadcast.subscribe("vp8")
        assert whole(await next_while_frames_come(broadcast, taking(viewer), 0))
        waiting = taking(viewer)
        await asyncio.sleep(0)
        hold_up(broadcast, 20)
        await asyncio.sleep(0.05)
        assert viewer.dropped == BEHIND
        assert whole(await next_while_frames_come(broadcast, waiting, 40)), "what came before it is lost"
        broadcast.close()
        broadcast.join()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_viewer_who_comes_while_a_frame_is_encoded_begins_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    stamp, late = Watermark.stamp, list[Subscription]()

    async def run() -> None:
        broadcast = Broadcast(asyncio.get_running_loop())

        def come_meanwhile(self: Watermark, image: Image) -> None:
            if not late:
                late.append(broadcast.subscribe("vp8"))
            stamp(self, image)

        first = broadcast.subscribe("vp8")
        await next_while_frames_come(broadcast, taking(first), 0)
        await asyncio.sleep(0.5)
        monkeypatch.setattr(Watermark, "stamp", come_meanwhile)
        broadcast.deliver(rendered(20))
        await until(lambda: late, 5)
        assert whole(await next_while_frames_come(broadcast, taking(late[0]), 21))
        broadcast.close()
        broadcast.join()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_viewers_go_on_watching_after_the_server_was_held_up() -> None:
    async def run() -> None:
        async with served(TintEngine(), [(GREY, "grey")]) as server:
            sender, viewers = Client(server.url), [Client(server.url) for _ in range(2)]
            sender.send(Camera([GREY, GREY + 60]), "sendonly")
            await sender.connect("/whip")
            for viewer in viewers:
                viewer.receive("video")
                await viewer.connect("/whep")
            await until(lambda: all(len(viewer.frames) > 3 for viewer in viewers))
            broadcast = next(iter(server.hub.streams)).broadcast
            hold_up(broadcast, 0)
            await until(lambda: any(v.dropped for v in broadcast._viewers), 5)
            before = [len(viewer.frames) for viewer in viewers]
            await until(lambda: all(len(v.frames) > n + 5 for v, n in zip(viewers, before, strict=True)), 20)
            for client in (sender, *viewers):
                await client.close()

    asyncio.run(asyncio.wait_for(run(), 120))
