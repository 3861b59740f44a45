"""This machine's virtual camera and its own camera beside the page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from fakes.avatar_engine import SIDE, TintEngine
from fakes.virtual_camera import Calls, plugged
from fakes.web import Camera, Client, served, until

from mien.cli.options.arguments import parse
from mien.cli.web.run import settings_of
from mien.engine.types import Frame, Image, UsageError
from mien.streams.virtual_camera import VirtualCameraSink
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.feed import Feed, described
from mien.streams.webrtc.whip import claim_main

WHITE = np.full((64, 64, 3), 255, np.uint8)


def talk(with_server: Callable[[Server], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        async with served(TintEngine(), [(WHITE, "white")], **settings) as server:
            await with_server(server)

    asyncio.run(asyncio.wait_for(run(), 120))


def plain(level: int) -> Image:
    return np.full((240, 320, 3), level, np.uint8)


async def page(server: Server, level: int) -> Client:
    client = Client(server.url)
    client.send(Camera([plain(level)]))
    client.control()
    await client.connect("/session")
    await until(lambda: len(client.frames) > 2)
    return client


def test_video_calls_see_what_the_first_page_shows_and_then_the_next() -> None:
    camera = Calls()

    async def with_server(server: Server) -> None:
        server.hub.feed = Feed(camera, server.hub.shown)
        first = await page(server, 60)
        await until(lambda: camera.levels)
        second = await page(server, 200)
        assert abs(camera.levels[-1] - 60) < 12
        await first.delete()
        await until(lambda: abs(camera.levels[-1] - 200) < 12)
        await second.close()

    talk(with_server, mark=False)
    assert camera.closed == 1, "freed at the end of the server"


def test_the_virtual_camera_takes_the_frames() -> None:
    async def with_server(server: Server) -> None:
        camera = VirtualCameraSink(width=SIDE, height=SIDE, fps=30, backend="fake")
        server.hub.feed = Feed(camera, server.hub.shown)
        client = await page(server, 60)
        await until(lambda: device.sent)
        await client.close()

    with plugged() as device:
        talk(with_server)
        assert device.closed == 1


def test_a_camera_that_fails_disturbs_nobody() -> None:
    class Broken(Calls):
        def write(self, image: Image, time: float) -> None:
            raise OSError("unplugged")

    camera = Broken()

    async def with_server(server: Server) -> None:
        server.hub.feed = Feed(camera, server.hub.shown)
        client = await page(server, 60)
        seen = len(client.frames)
        await until(lambda: len(client.frames) > seen + 5)
        await client.close()

    talk(with_server)
    assert camera.closed


def test_a_camera_that_is_not_there_yet_is_said_with_the_remedy_and_opened_when_it_is() -> None:
    async def with_server(server: Server) -> None:
        device.away = True
        camera = VirtualCameraSink(width=SIDE, height=SIDE, fps=30, backend="fake", wait=True)
        server.hub.feed = feed = Feed(camera, server.hub.shown)
        told = described(feed, here=True)
        assert told["camera"] is None and told["wanted"]
        assert "irtual camera" in str(told["help"])
        client = await page(server, 60)
        device.away = False
        await until(lambda: device.sent)
        assert described(feed, here=True) == {"camera": "Fake Camera", "help": "", "wanted": True}
        await client.close()

    with plugged() as device:
        talk(with_server)


def test_what_to_do_is_told_on_this_machine_alone() -> None:
    assert described(None, here=True)["help"]
    assert described(None, here=False) == {"camera": None, "help": "", "wanted": False}


def test_the_page_is_the_panel_of_this_machines_camera() -> None:
    async def with_server(server: Server) -> None:
        client = Client(server.url)
        client.receive("video")
        client.control()
        with pytest.raises(AssertionError, match="not there yet"):
            await client.connect("/session")
        await client.close()
        stream = await claim_main(server.hub, "the camera")
        driving = asyncio.ensure_future(drive(stream))
        client = Client(server.url)
        client.receive("video")
        client.control()
        await client.connect("/session")
        await until(lambda: client.frames and client.heard("hello"))
        assert client.heard("hello")[0]["session"] == stream.id
        client.say("gains", head=0.5)
        await until(lambda: stream.session.gains == {"head": 0.5})  # type: ignore[attr-defined]
        await client.delete()
        await client.close()
        await asyncio.sleep(0.2)
        assert server.hub.main is stream, "the avatar outlives the page"
        driving.cancel()

    talk(with_server, panel=True, mark=False)


async def drive(stream: Any) -> None:
    for index in range(10_000):
        stream.session.put(lambda: Frame(plain(90), index, 0, index / 30))  # noqa: B023
        await asyncio.sleep(1 / 30)


def test_others_cannot_drive_this_machines_camera() -> None:
    assert settings_of(parse(["--webrtc", "--virtual-camera"])).loopback
    with pytest.raises(UsageError, match="lets others drive"):
        settings_of(parse(["--webrtc", "--virtual-camera", "--host", "0.0.0.0"]))
    assert settings_of(parse(["--webrtc", "--driving", "0"])).panel
    assert not settings_of(parse(["--webrtc", "--driving", "0", "--host", "0.0.0.0"])).panel
    assert not settings_of(parse(["--webrtc"])).panel
