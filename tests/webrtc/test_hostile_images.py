"""Uploads that are made to cost time or memory: refused, soon, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.hostile_images import HOSTILE, full_png, jpeg, repeated_scan
from fakes.web import served

from mien.engine.types import Image, MienError
from mien.streams.webrtc import isolation
from mien.streams.webrtc.engine_interface import Prepared
from mien.streams.webrtc.isolation import Bounds, Isolation, TimedOut

GREY = np.full((64, 64, 3), 128, np.uint8)
QUICK = ("JPEG, progressive, last scan repeated, 323 KB", "PNG, 1 x 39,999,999", "PNG, 870,000 empty chunks")
SECONDS, MEGABYTES = 3.0, 500.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures by /proc")


class Faceless(TintEngine):
    """Finds a face in no upload."""

    def prepare(self, image: Image, name: str, photos: tuple[Any, ...] = ()) -> Prepared:
        if name == "grey":
            return super().prepare(image, name, photos)
        raise MienError(f"No face was found in {name}.")


class Watched:
    """The processes that decode: their largest memory and their processor time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.peak_mb = 0.0
        start = isolation._start

        def watched() -> Any:
            process = start()
            threading.Thread(target=self._look, args=(process,), daemon=True).start()
            return process

        monkeypatch.setattr(isolation, "_start", watched)

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
            except OSError:
                return
            peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), "0")
            self.peak_mb = max(self.peak_mb, int(peak) / 1024)
            time.sleep(0.005)


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def refuse(name: str, data: bytes, watched: Watched) -> str:
    """Upload it; a line of the table."""

    async def upload() -> tuple[int, str]:
        async with (
            served(Faceless(), [(GREY, "grey")]) as server,
            aiohttp.ClientSession(server.url) as http,
            http.post("/api/portraits", data=data, headers={"Content-Type": "image/*"}) as response,
        ):
            return response.status, (await response.json())["detail"]

    watched.peak_mb, used, begun = 0.0, children_s(), time.monotonic()
    status, words = asyncio.run(asyncio.wait_for(upload(), 60))
    took, used = time.monotonic() - begun, children_s() - used
    assert status in (413, 422), (name, status, words)
    # Seconds of a processor: beside other programs the clock says nothing about the work.
    assert used < SECONDS + 0.3, (name, used)
    assert watched.peak_mb < MEGABYTES, (name, watched.peak_mb)
    return f"| {name} | {len(data):,} | {took:.1f} | {used:.1f} | {watched.peak_mb:.0f} | {status} |"


@pytest.mark.parametrize("name", QUICK)
def test_an_image_that_is_made_to_cost_time_or_memory_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(name, HOSTILE[name](), Watched(monkeypatch))


@pytest.mark.slow
def test_the_table_of_hostile_images(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    print("\n| image | bytes | seconds | of a processor | peak MB | status |\n|---|---|---|---|---|---|")
    for name, make in HOSTILE.items():
        print(refuse(name, make(), watched), flush=True)


def test_a_large_photo_is_still_taken() -> None:
    reply = Isolation().run("decode", jpeg(7_300, 5_400), Bounds(3, 30, 384), name="photo", side=2048)
    assert reply.fields["shape"] == [1515, 2048, 3]


def test_the_end_of_the_server_does_not_wait_for_a_decoder() -> None:
    bomb = repeated_scan(6000, 200_000)[:-2]  # without its end, so that the scans are not counted

    async def run() -> float:
        async with (
            served(Faceless(), [(GREY, "grey")]) as server,
            aiohttp.ClientSession(server.url) as http,
        ):
            upload = asyncio.ensure_future(
                http.post("/api/portraits", data=bomb, headers={"Content-Type": "image/jpeg"})
            )
            await asyncio.sleep(1.0)
            begun = time.monotonic()
        await asyncio.gather(upload, return_exceptions=True)
        return time.monotonic() - begun

    assert asyncio.run(run()) < 4


def test_what_takes_too_long_is_killed_and_says_so() -> None:
    def late(run: Callable[[], Any]) -> float:
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            run()
        return time.monotonic() - begun

    data = full_png(6_300, 6_300, 8, depth=16, colour=6)
    assert late(lambda: Isolation().run("decode", data, Bounds(60, 0.05, 384), name="x", side=2048)) < 15
