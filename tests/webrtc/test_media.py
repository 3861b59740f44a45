"""Frames and sound through the server: newest first, in time, marked, encoded once, ended when silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from time import monotonic
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from aiohttp import web
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from fakes.avatar_engine import SIDE, TintEngine
from fakes.web import Camera, Clicks, Client, served, until

from mien.engine.types import Image, Rendered
from mien.streams.video.ffmpeg import av
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.broadcast import Broadcast
from mien.streams.webrtc.client import _read, play, publish
from mien.streams.webrtc.encoder import CLOCK, PACE, Encoder, Rates, to_frame
from mien.streams.webrtc.tracks import Sound
from mien.streams.webrtc.watermark import Watermark
from mien.streams.webrtc.whip import claim_main

GREY = np.full((64, 64, 3), 255, np.uint8)
RED = np.full((64, 64, 3), (255, 0, 0), np.uint8)
Talk = Callable[[Server], Awaitable[None]]


def halves(left: int = 60, right: int = 200) -> Image:
    """A frame whose left half is dark and whose right half is light."""
    frame = np.full((240, 320, 3), left, np.uint8)
    frame[:, 160:] = right
    return frame


def talk(with_server: Talk, engine: TintEngine | None = None, **settings: Any) -> None:
    async def run() -> None:
        portraits = [(GREY, "white"), (RED, "red")]
        async with served(engine or TintEngine(), portraits, **settings) as server:
            await with_server(server)

    asyncio.run(asyncio.wait_for(run(), 120))


def patiently(run: Callable[[], Any], times: int = 4) -> None:
    """What depends on tens of milliseconds may go wrong beside other programs, but not every time."""
    for left in reversed(range(times)):
        try:
            asyncio.run(run())
            return
        except AssertionError:
            if not left:
                raise


def newest(client: Client) -> Image:
    return np.asarray(client.frames[-1].to_ndarray(format="rgb24"), np.uint8)


async def page(server: Server, **more: Any) -> Client:
    """A page's session whose avatar has arrived."""
    client = Client(server.url, **more)
    client.send(Camera([halves()]))
    client.control()
    await client.connect("/session")
    await until(lambda: len(client.frames) > 3)
    await until(lambda: client.heard("hello"))
    return client


def test_the_avatar_comes_back_and_says_that_it_is_synthetic() -> None:
    async def with_server(server: Server) -> None:
        client = await page(server)
        frame = newest(client)
        assert frame.shape == (SIDE, SIDE, 3)
        assert abs(int(frame[100, 40, 0]) - 60) < 12
        assert abs(int(frame[100, 210, 0]) - 200) < 12
        corner = frame[-14:, :70].astype(int)
        assert corner.max() > 200, "light letters on the dark half"
        await client.close()

    talk(with_server)


def test_without_the_mark_nothing_is_written_on_the_frame() -> None:
    async def with_server(server: Server) -> None:
        client = await page(server)
        assert newest(client)[-14:, :70].max() < 90
        await client.close()

    talk(with_server, mark=False)


def test_the_mark_is_readable_on_any_ground_and_leaves_the_rest_alone() -> None:
    for ground in (0, 128, 255):
        frame = np.full((512, 512, 3), ground, np.uint8)
        Watermark().stamp(frame)
        corner = frame[460:, :120].astype(int)
        assert corner.max() - corner.min() > 100, ground
        assert (frame[:400] == ground).all()
        assert (frame[:, 200:] == ground).all()


def test_the_visitors_wishes_are_obeyed() -> None:
    engine = TintEngine()

    async def with_server(server: Server) -> None:
        client = await page(server)
        red = server.hub.portraits.seen_by(None)[1]
        assert client.heard("hello")[0]["portrait"] == server.hub.portraits.first.id
        client.say("portrait", id=red.id)
        client.say("gains", eyes=1.5, micro=3)
        client.say("mirror", on=True)
        client.say("mouth", own=False)
        engine.sessions[0].mouth_note = "it is dark"
        client.say("reference")
        client.say("ping", t=7)
        await until(lambda: client.heard("portrait") and client.heard("pong") and client.heard("reference"))
        assert client.heard("portrait")[0] == {
            "type": "portrait",
            "id": red.id,
            "notes": ["red is only a colour."],
        }
        assert client.heard("reference")[0]["ok"] is True
        assert client.heard("pong")[0]["t"] == 7
        assert client.heard("hello")[0]["own_mouth"] is True
        assert engine.sessions[0].own_mouth is False
        assert engine.sessions[0].gains == {"eyes": 1.5, "micro": 3.0}
        await until(lambda: newest(client)[100, 40, 0] > 150)
        assert newest(client)[100, 40, 1] < 60, "red now, and mirrored: the light half is on the left"
        await until(lambda: len(client.heard("stats")) > 1 and client.heard("hint"))
        assert client.heard("mouth") == [{"type": "mouth", "why": "it is dark"}]
        assert set(client.heard("stats")[0]) >= {
            "fps", "track_ms", "render_ms", "latency_ms", "dropped", "bitrate_kbps"
        }  # fmt: skip
        await client.close()

    talk(with_server, engine)


def test_nonsense_on_the_control_channel_is_answered_in_words() -> None:
    async def with_server(server: Server) -> None:
        client = await page(server)
        huge = '{"type":"gains","eyes":1%s}' % ("0" * 400)
        for text in ("no json", "[1]", "x" * 5000, '{"type":"dance"}', '{"type":"gains","eyes":99}', huge,
                     '{"type":"gains","eyes":"many"}', '{"type":"portrait","id":"../../etc"}'):  # fmt: skip
            client.channel.send(text)
        await until(lambda: len(client.heard("error")) == 8)
        client.channel.send('{"type":"ping","t":1e999}')
        await until(lambda: client.heard("pong"))
        assert client.heard("pong")[0]["t"] is None, "JSON has no infinity"
        before = len(client.times)
        await until(lambda: len(client.times) > before + 3)
        await client.close()

    talk(with_server)


def test_a_slow_engine_lowers_the_rate_and_not_the_timeliness() -> None:
    engine = TintEngine(work_s=0.15)

    async def with_server(server: Server) -> None:
        client = await page(server)
        await asyncio.sleep(2.5)
        stream = next(iter(server.hub.streams))
        stats = stream.broadcast.stats
        assert stats.fps() < 8
        assert stream.dropped > 15
        assert stats.latency_ms < 1000, "it would be seconds if frames queued up"
        await client.close()

    talk(with_server, engine)


def test_viewers_share_one_rendering_and_one_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Encoder] = []
    encode = Encoder.encode

    def counted(self: Encoder, *words: Any) -> Any:
        made.append(self)
        return encode(self, *words)

    monkeypatch.setattr(Encoder, "encode", counted)
    engine = TintEngine()

    async def with_server(server: Server) -> None:
        sender = Client(server.url)
        sender.send(Camera([halves()]), "sendonly")
        await sender.connect("/whip")
        viewers = []
        for _ in range(3):
            viewer = Client(server.url)
            viewer.receive("video")
            await viewer.connect("/whep")
            viewers.append(viewer)

        def state() -> Any:
            seen = [(viewer.connection.connectionState, len(viewer.frames)) for viewer in viewers]
            return {
                "viewers": seen,
                "sender": sender.connection.connectionState,
                "rendered": engine.sessions[0].made,
                "encoded": len(made),
            }

        await until(lambda: all(len(viewer.frames) > 10 for viewer in viewers), state=state)
        assert len(set(made)) == 1
        assert len(made) <= engine.sessions[0].made
        assert server.hub.main is not None
        assert server.hub.main.broadcast.viewers == 3
        assert await sender.delete() == 200
        await until(lambda: not server.hub.resources)
        assert engine.sessions[0].closed, "with its driver the avatar ends"
        for client in (sender, *viewers):
            await client.close()

    talk(with_server, engine)


def test_a_visitors_avatar_is_watched_by_an_id_that_ends_nothing() -> None:
    async def with_server(server: Server) -> None:
        visitor = await page(server)
        other = await page(server)
        viewer = Client(server.url)
        viewer.receive("video")
        assert (await viewer.post("/whep"))[0] == 409, "two avatars and no main one"
        session = visitor.heard("hello")[0]["session"]
        watch = Client(server.url)
        watch.receive("video")
        await watch.connect(f"/whep?session={session}")
        await until(lambda: len(watch.frames) > 3)
        async with watch.http.delete(f"{server.url}/session/{session}") as response:
            assert response.status == 404
        assert (await viewer.post("/whep?session=nobody"))[0] == 404
        for client in (visitor, other, viewer, watch):
            await client.close()

    talk(with_server)


def test_one_camera_drives_the_main_avatar_and_the_next_one_is_told_so() -> None:
    async def with_server(server: Server) -> None:
        viewer = Client(server.url)
        viewer.receive("video")
        status, _ = await viewer.post("/whep")
        assert (status, int(viewer.headers["Retry-After"])) == (409, 3)
        first, second = Client(server.url), Client(server.url)
        for client in (first, second):
            client.send(Camera([halves()]), "sendonly")
        await first.connect("/whip")
        assert (await second.post("/whip"))[0] == 409
        assert await first.delete() == 200
        assert (await second.post("/whip"))[0] == 201
        for client in (first, second, viewer):
            await client.close()

    talk(with_server)


def test_a_peer_that_falls_silent_is_closed() -> None:
    engine = TintEngine()

    async def with_server(server: Server) -> None:
        client = await page(server)
        # Killed, not closed: no goodbye goes out, no packet comes any more.
        for transceiver in client.connection.getTransceivers():
            for protocol in transceiver.receiver.transport.transport._connection._protocols:
                protocol.transport.abort()
        # aiortc itself notices after half a minute; a busy machine may take a few seconds.
        await until(lambda: not server.hub.resources, 15)
        await until(lambda: engine.sessions[0].closed, 15)
        await client.close()

    talk(with_server, engine, silence_s=1.5)


def test_a_peer_that_never_connects_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.streams.webrtc.peer.CONNECT_S", 1.0)

    async def with_server(server: Server) -> None:
        client = await page(server)
        (stream,) = server.hub.streams
        ghost, ghostly = Client(server.url), Client(server.url)
        ghost.send(Camera([halves()]))
        ghostly.receive("video")
        assert (await ghost.post("/session"))[0] == 201
        assert (await ghostly.post(f"/whep?session={stream.id}"))[0] == 201
        assert (len(server.hub.streams), stream.broadcast.viewers) == (2, 2)
        await until(lambda: len(server.hub.resources) == 1, 10)
        await until(lambda: len(server.hub.streams) == 1, 10)
        await until(lambda: stream.broadcast.viewers == 1, 10)
        for each in (client, ghost, ghostly):
            await each.close()

    talk(with_server)


def test_the_senders_sound_comes_back() -> None:
    async def with_server(server: Server) -> None:
        client = Client(server.url)
        client.send(Camera([halves()]))
        client.send(Clicks())
        await client.connect("/session")
        await until(lambda: [loud for _, loud in client.sounds if loud > 4000])
        await client.close()

    talk(with_server)


class Instants(MediaStreamTrack):
    """Sound whose every frame is there at once: the moment at which it was taken."""

    kind = "audio"

    def __init__(self, count: int, every: float) -> None:
        super().__init__()
        self._count, self._every = count, every

    async def recv(self) -> Any:
        if not self._count:
            raise MediaStreamError
        self._count -= 1
        await asyncio.sleep(self._every)
        return monotonic()


def test_sound_is_as_late_as_the_frame_and_follows_it_gently() -> None:
    async def run() -> None:
        delay = [0.2]
        sound = Sound(lambda: delay[0])
        listener = sound.listen()
        pump = asyncio.ensure_future(sound.run(Instants(60, 0.01)))
        lags = []
        for index in range(60):
            if index == 20:
                delay[0] = 0.3
            taken: Any = await listener.recv()
            lags.append(monotonic() - taken)
        await pump
        assert np.median(lags[:15]) == pytest.approx(0.2, abs=0.08)
        assert np.median(lags[-5:]) > np.median(lags[:15]) + 0.02
        listener.stop()
        assert sound._listeners == ()

    patiently(run)


def test_sound_that_nobody_took_in_time_is_skipped() -> None:
    async def run() -> None:
        sound = Sound(lambda: 0.0)
        listener = sound.listen()
        await sound.run(Instants(10, 0.0))
        await asyncio.sleep(0.3)
        await sound.run(Instants(1, 0.0))
        taken: Any = await listener.recv()
        assert monotonic() - taken < 0.2, "the newest, not the oldest"

    patiently(run)


def test_the_drain_ends_everything_and_takes_nobody_new() -> None:
    engine = TintEngine()

    async def with_server(server: Server) -> None:
        client = await page(server)
        await server.hub.drain()
        assert not server.hub.resources
        assert engine.sessions[0].closed
        late = Client(server.url)
        late.send(Camera([halves()]))
        assert (await late.post("/session"))[0] == 503
        await client.close()
        await late.close()

    talk(with_server, engine)


def test_mien_publishes_to_a_whip_server_and_plays_from_a_whep_server() -> None:
    """One Mien's frame goes to a second one over WHIP; a third takes the second's over WHEP."""
    engines = [TintEngine() for _ in range(3)]

    async def run() -> None:
        async with (
            served(engines[0], [(RED, "red")], mark=False) as first,
            served(engines[1], [(GREY, "white")], token="second-token", mark=False) as second,
            served(engines[2], [(GREY, "white")]) as third,
        ):
            camera = Client(first.url)
            camera.send(Camera([halves()]), "sendonly")
            await camera.connect("/whip")
            stream = await claim_main(third.hub, "a test")
            tasks = [
                asyncio.ensure_future(
                    publish(first.hub, lambda: first.hub.main, f"{second.url}/whip", "second-token")
                ),
            ]
            await until(lambda: second.hub.main is not None)
            tasks.append(asyncio.ensure_future(play(third.hub, stream, f"{second.url}/whep", "second-token")))
            viewer = Client(third.url)
            viewer.receive("video")
            await viewer.connect("/whep")
            await until(lambda: len(viewer.frames) > 5)
            red, green, _ = newest(viewer)[100, 210].astype(int)
            assert red > 120
            assert green < 70, "the first one's portrait is red"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: not second.hub.resources, 5)
            await viewer.close()
            await camera.close()

    asyncio.run(asyncio.wait_for(run(), 120))


def test_the_publisher_comes_back_after_a_loss() -> None:
    engines = [TintEngine(), TintEngine()]

    async def run() -> None:
        async with served(engines[0], [(RED, "red")]) as first, served(engines[1], [(GREY, "w")]) as second:
            camera = Client(first.url)
            camera.send(Camera([halves()]), "sendonly")
            await camera.connect("/whip")
            task = asyncio.ensure_future(
                publish(first.hub, lambda: first.hub.main, f"{second.url}/whip", None)
            )
            await until(lambda: second.hub.main is not None and engines[1].sessions[-1].made)
            before = next(iter(second.hub.resources.values()))
            await second.hub.close(before, "the test ends it")
            await until(lambda: second.hub.main is not None and engines[1].sessions[-1].made, 15)
            assert before not in second.hub.resources.values()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await camera.close()

    asyncio.run(asyncio.wait_for(run(), 120))


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_the_encoder_keeps_its_rate_and_gives_key_frames_on_request(codec: str) -> None:
    frame = np.random.default_rng(3).integers(0, 255, (256, 256, 3), np.uint8)
    encoder = Encoder(codec, hardware=False)
    rate = Rates.of(256, 256).start
    size, keys = 0, []
    for index in range(60):
        moved = np.roll(frame, index, axis=1)
        data, key = encoder.encode(to_frame(moved, index * 3000), rate, index == 30)
        size += len(data)
        keys += [index] if key else []
    assert keys == [0, 30]
    assert size * 8 / 2 < 3 * rate, "noise is the worst there is, and still it is held back"


@pytest.mark.parametrize("codec", ["vp8", "h264"])
@pytest.mark.parametrize("fps", [30, 60])
def test_the_bit_rate_does_not_depend_on_the_frame_rate(codec: str, fps: int) -> None:
    noise = np.random.default_rng(3)
    frame = cv2.GaussianBlur(noise.integers(0, 255, (256, 256, 3), np.uint8), (0, 0), 2)
    encoder = Encoder(codec, hardware=False)
    rate = Rates.of(256, 256).start
    size, keys = 0, []
    for index in range(4 * fps):
        shift = 20 * np.sin(5 * index / fps)
        moved = np.roll(frame, int(shift), axis=1).astype(int) + noise.normal(0, 4, frame.shape).astype(int)
        image = np.clip(moved, 0, 255).astype(np.uint8)
        data, key = encoder.encode(to_frame(image, index * CLOCK // fps), rate, False)
        size += len(data) if index >= fps else 0
        keys += [index] if key else []
    assert 0.8 < size * 8 / 3 / rate < 1.2
    assert keys == ([0] if fps == 30 else [0, PACE]), "told the true rate as soon as it is known"


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_half_a_pixel_of_movement_survives_the_encoding(codec: str, close_up: Image) -> None:
    """A real face, 512 x 512, moved to and fro by half a pixel, at the rate that the server sends.

    aiortc's own VP8 settings (its denoiser) give a correlation of 0.74 here.
    """
    face = cv2.resize(close_up, (512, 512), interpolation=cv2.INTER_CUBIC)
    encoder, decoder = Encoder(codec, hardware=False), av.CodecContext.create(codec, "r")
    true, seen = [], []
    for index in range(60):
        shift = np.array([[1, 0, 0.5 * np.sin(index / 4)], [0, 1, 0]], np.float32)
        moved = cv2.warpAffine(face, shift, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        frame = to_frame(np.asarray(moved, np.uint8), index * 3000)
        data, _ = encoder.encode(frame, Rates.of(512, 512).start, False)
        for shown in decoder.decode(av.Packet(data)):
            true.append(cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY).astype(np.float32))
            seen.append(shown.to_ndarray(format="gray").astype(np.float32))
    truth = np.stack([frame - true[30] for frame in true[31:]])
    found = np.stack([frame - seen[30] for frame in seen[31:]])
    assert float(np.corrcoef(truth.ravel(), found.ravel())[0, 1]) > 0.88


def test_time_stamps_increase_whatever_the_drivers_clocks_do() -> None:
    async def run() -> None:
        broadcast = Broadcast(asyncio.get_running_loop(), mark=False)
        stamps = [broadcast._pts(time) for time in (0.0, 0.033, 0.02, 5.0, 0.0, 0.033)]
        assert all(b > a for a, b in pairwise(stamps))
        assert abs(stamps[1] - stamps[0] - 2970) < 20
        broadcast.close()
        broadcast.join()

    asyncio.run(run())


def test_a_late_viewer_begins_with_a_key_frame() -> None:
    async def run() -> None:
        broadcast = Broadcast(asyncio.get_running_loop(), mark=False)
        frame = np.full((64, 64, 3), 90, np.uint8)
        first = broadcast.subscribe("vp8")
        seen: list[list[bool]] = []
        for viewer in (first, None):
            viewer = viewer or broadcast.subscribe("vp8")
            kinds: list[bool] = []
            for index in range(6):
                broadcast.deliver(Rendered(frame, index, 0, index / 10, {}))
                await asyncio.sleep(0.1)
                while viewer._packets:
                    # In VP8 the lowest bit of the first byte is 0 for key frames (RFC 6386, section 9.1).
                    kinds.append(not bytes(viewer._packets.popleft())[0] & 1)
                first._packets.clear()
            seen.append(kinds)
            await asyncio.sleep(0.3)
        assert seen[0][0] is True
        assert seen[1][0] is True
        assert not all(seen[1])
        broadcast.close()
        broadcast.join()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_frame_that_cannot_be_encoded_ends_nobodys_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([True, False, True])
    encode = Encoder.encode

    def sometimes(self: Encoder, *args: Any) -> tuple[bytes, bool]:
        if next(failures, False):
            raise OSError("the hardware is gone")
        return encode(self, *args)

    monkeypatch.setattr(Encoder, "encode", sometimes)

    async def run() -> None:
        broadcast = Broadcast(asyncio.get_running_loop(), mark=False)
        viewer = broadcast.subscribe("h264")
        for index in range(6):
            broadcast.deliver(Rendered(np.full((64, 64, 3), 90, np.uint8), index, 0, index / 10, {}))
            await asyncio.sleep(0.1)
            if viewer._packets:
                break
        assert await asyncio.wait_for(viewer.next(), 5)
        broadcast.close()
        assert broadcast.subscribe("h264")._closed, "a viewer who comes too late waits for nothing"
        broadcast.join()

    asyncio.run(run())


def test_the_bit_rate_is_taken_over_some_seconds_not_over_one_report() -> None:
    async def with_server(server: Server) -> None:
        client = await page(server)
        await until(lambda: len(client.heard("stats")) > 5)
        assert min(stats["bitrate_kbps"] for stats in client.heard("stats")[2:]) > 0
        await client.close()

    talk(with_server, TintEngine(work_s=0.7))


def test_the_drain_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.streams.webrtc.hub.LATE_S", 0.2)

    async def with_server(server: Server) -> None:
        server.hub.later(asyncio.Event().wait())
        await asyncio.wait_for(server.hub.drain(), 5)

    talk(with_server)


def test_a_session_that_opens_during_the_drain_is_closed_again() -> None:
    engine = TintEngine()
    open_session = engine.open_session

    async def with_server(server: Server) -> None:
        def late(*args: Any) -> Any:
            server.hub.draining = True
            return open_session(*args)

        engine.open_session = late  # type: ignore[method-assign]
        client = Client(server.url)
        client.send(Camera([halves()]))
        assert (await client.post("/session"))[0] == 503
        assert engine.sessions[0].closed and not server.hub.streams
        await client.close()

    talk(with_server, engine)


def test_an_answer_that_comes_in_parts_is_read_whole() -> None:
    async def run() -> None:
        async def slow(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=201)
            await response.prepare(request)
            for part in (b"v=0", b" and ", b"the rest"):
                await response.write(part)
                await asyncio.sleep(0.05)
            return response

        app = web.Application()
        app.router.add_post("/whip", slow)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/whip"
        async with aiohttp.ClientSession() as http, http.post(url) as response:
            assert await _read(response, "it") == b"v=0 and the rest"
        await runner.cleanup()

    asyncio.run(run())
