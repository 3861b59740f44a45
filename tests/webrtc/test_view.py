"""The view for OBS and the backgrounds, as HTTP and the control channel see them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
from fakes.avatar_engine import TintEngine
from fakes.web import Camera, Client, served, until
from PIL import Image as Pil

from mien.streams.webrtc.app import Server

TOKEN = "correct-horse"
NAME = "abcdefghijklmnop"


def talk(
    with_server: Callable[[Server, aiohttp.ClientSession], Awaitable[None]],
    engine: TintEngine | None = None,
    **settings: Any,
) -> None:
    async def run() -> None:
        grey = np.full((64, 64, 3), 128, np.uint8)
        async with (
            served(engine or TintEngine(), [(grey, "grey")], **settings) as server,
            aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        ):
            # The page's cookie says who the visitor is.
            async with http.get("/"):
                pass
            await with_server(server, http)

    asyncio.run(asyncio.wait_for(run(), 120))


async def colour_of(response: aiohttp.ClientResponse) -> list[int]:
    image = np.asarray(Pil.open(io.BytesIO(await response.read())))
    return [round(float(value)) for value in image.mean(axis=(0, 1))]


def png(colour: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Pil.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def test_the_view_is_a_page_without_a_control() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/view?session=anything") as response:
            text = await response.text()
            assert response.status == 200 and "<video" in text
        for control in ("<button", "<input", "<a ", "<select"):
            assert control not in text
        async with http.get("/api/view") as response:
            assert await response.json() == {"ice_servers": []}
        async with http.get("/api/state") as response:
            assert (await response.json())["view_key"] is None

    talk(with_server)


def test_with_a_token_the_views_key_opens_the_view_and_nothing_else() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        async with http.get("/api/state", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            key = (await response.json())["view_key"]
        async with http.get("/view") as response:
            assert response.status == 401
        async with http.get(f"/view?key={'0' * len(key)}") as response:
            assert response.status == 401
        async with http.get(f"/?key={key}") as response:
            assert response.status == 401
        async with aiohttp.ClientSession(server.url) as obs:
            async with obs.get(f"/view?key={key}") as response:
                assert response.status == 200
                cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
                assert TOKEN not in str(cookie)
            for path, status in [("/static/view.js", 200), ("/api/view", 200), ("/view", 200)]:
                async with obs.get(path, headers=cookie) as response:
                    assert response.status == status, path
            for path in ("/", "/api/state", "/metrics"):
                async with obs.get(path, headers=cookie) as response:
                    assert response.status == 401, path
            sdp = {"Content-Type": "application/sdp", **cookie}
            async with obs.post("/whep", data=b"v=0", headers=sdp) as response:
                assert response.status == 406, "it may watch"
            for path in ("/session", "/whip"):
                async with obs.post(path, data=b"v=0", headers=sdp) as response:
                    assert response.status == 401, "and not drive"

    talk(with_server, token=TOKEN)


def test_a_view_finds_its_page_by_a_name_that_stays() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        for _ in range(2):
            client = await driving(server, f"/session?view={NAME}")
            viewer = Client(server.url)
            viewer.receive("video")
            await viewer.connect(f"/whep?session={NAME}")
            await until(lambda: viewer.frames)  # noqa: B023
            await viewer.close()
            await client.delete()
            await client.close()
            await until(lambda: not server.hub.streams)
        sdp = {"Content-Type": "application/sdp"}
        async with http.post("/session?view=short", data=(await offer_of(server)), headers=sdp) as response:
            assert response.status == 400, "a name that could be guessed"

    talk(with_server)


def test_a_preview_shows_the_portrait_before_its_background() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        portrait = server.hub.portraits.first.id
        at = f"/api/portraits/{portrait}/still.jpg"
        async with http.get(at) as response:
            assert response.content_type == "image/jpeg"
            assert max(abs(value - 128) for value in await colour_of(response)) < 3
        async with http.get(at, params={"background": "#00ff00"}) as response:
            assert (await colour_of(response))[1] > 240
        async with http.get(at, params={"background": "blur"}) as response:
            assert response.status == 422
            assert "No outline" in (await response.json(content_type=None))["detail"]
        for wrong in ("", "gren", "#12", "image:nothing"):
            async with http.get(at, params={"background": wrong}) as response:
                assert response.status == 422
        async with http.get("/api/portraits/none/still.jpg") as response:
            assert response.status == 404

    talk(with_server)


def test_a_visitors_own_portraits_are_renamed_and_removed_and_nobody_elses() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        headers = {"Content-Type": "image/png", "X-Name": "Ann"}
        async with http.post("/api/portraits", data=png((9, 9, 200)), headers=headers) as response:
            mine = f"/api/portraits/{(await response.json())['id']}"
        servers = f"/api/portraits/{server.hub.portraits.first.id}"
        async with http.patch(mine, headers={"X-Name": "Anna"}) as response:
            assert (await response.json())["name"] == "Anna"
        async with http.patch(servers, headers={"X-Name": "Mine"}) as response:
            assert response.status == 404
        async with http.delete(servers) as response:
            assert response.status == 404
        async with aiohttp.ClientSession(server.url) as stranger, stranger.delete(mine) as response:
            assert response.status == 404
        async with http.delete(mine) as response:
            assert response.status == 204
        async with http.get("/api/state") as response:
            assert [one["name"] for one in (await response.json())["portraits"]] == ["grey"]

    talk(with_server)


def test_a_visitors_image_is_theirs_alone_and_the_next_one_replaces_it() -> None:
    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        at = f"/api/portraits/{server.hub.portraits.first.id}/still.jpg"
        names = []
        for colour in ((255, 0, 0), (0, 0, 255)):
            headers = {"Content-Type": "image/png"}
            async with http.post("/api/backgrounds", data=png(colour), headers=headers) as response:
                assert response.status == 201
                names.append((await response.json())["background"])
        async with http.get(at, params={"background": names[1]}) as response:
            assert response.status == 200
        async with http.get(at, params={"background": names[0]}) as response:
            assert response.status == 422, "replaced"
        async with (
            aiohttp.ClientSession(server.url) as stranger,
            stranger.get(at, params={"background": names[1]}) as response,
        ):
            assert response.status == 422
        async with http.post(
            "/api/backgrounds", data=b"%PDF-1.7", headers={"Content-Type": "image/png"}
        ) as response:
            assert response.status == 422
        assert len(server.hub.backdrops) == 1

    talk(with_server)


def test_the_background_is_there_from_the_first_frame_and_changes_on_the_channel() -> None:
    engine = TintEngine()

    async def with_server(server: Server, http: aiohttp.ClientSession) -> None:
        client = await driving(server, "/session?background=%23102030")
        (session,) = engine.sessions
        assert session.backdrop is not None and session.backdrop.colour == (16, 32, 48)
        client.say("background", to="#00ff00")
        await until(lambda: client.heard("background"))
        assert client.heard("background")[0]["ok"] is True
        assert session.backdrop.colour == (0, 255, 0)
        client.say("background", to="blur")
        await until(lambda: len(client.heard("background")) > 1)
        assert "No outline" in client.heard("background")[1]["why"]
        client.say("background", to=["keep"])
        await until(lambda: client.heard("error"))
        assert "keep, blur, a colour" in client.heard("error")[0]["text"]
        await client.close()

    talk(with_server, engine)


async def driving(server: Server, path: str) -> Any:
    client = Client(server.url)
    client.send(Camera([np.full((240, 320, 3), 90, np.uint8)]))
    client.control()
    await client.connect(path)
    await until(lambda: client.frames)
    await until(lambda: client.heard("hello"))
    return client


async def offer_of(server: Server) -> str:
    client = Client(server.url)
    client.send(Camera([np.full((240, 320, 3), 90, np.uint8)]))
    client.control()
    sdp = await client.offer()
    await client.close()
    return sdp
