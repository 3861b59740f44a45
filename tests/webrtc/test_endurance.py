"""The server's long run: nothing is left over, and one visitor's flood is nobody else's trouble.

``MIEN_ENDURANCE=100 python -m pytest -m slow -s tests/test_webrtc_endurance.py`` lets a hundred visitors come
and go, every fifth of them killed without a goodbye; without the variable there are 20.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import aiohttp
import numpy as np
import pytest
from fakes.web import Camera, Client, served, until

from mien.cli.options.arguments import parse
from mien.cli.web.engine import LocalEngine
from mien.engine.types import Image
from mien.streams.webrtc.app import Server

pytestmark = pytest.mark.slow

VISITORS = int(os.environ.get("MIEN_ENDURANCE", "20"))
KILLED_AT_ONCE = 4
ROUNDS = 3
BLOCKS = 5000
"""Of Python's own memory, which the C library does not count; some tens of bytes each, 512 at most."""
PATIENCE_S = 60.0
"""For what takes 5 s on an idle machine: how fast it is, is not the question here."""

CLIENT = Path(__file__).parents[1] / "fakes" / "web_client.py"


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine(parse(["--webrtc"]))
    engine.load()
    engine.open_doors()
    yield engine
    engine.close()


def memory_mb() -> float:
    """Resident memory of this process after everything that can be freed has been."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return (
        int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        * os.sysconf("SC_PAGE_SIZE")
        / 2**20
    )


class _Mallinfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def allocated_mb() -> float:
    """What is allocated from the C library and not freed: resident memory without the holes between.

    A visitor's threads leave pages behind in which hardly anything lies, and the next ones fill them: over 16
    rounds of 20 visitors resident memory went up and down by 30 MB and was where it began.
    """
    gc.collect()
    mallinfo2 = ctypes.CDLL("libc.so.6").mallinfo2
    mallinfo2.restype = _Mallinfo
    found = mallinfo2()
    return float(found.uordblks + found.hblkhd) / 2**20


def sockets() -> int:
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


async def cycles(server: Server, count: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CLIENT), server.url, str(count), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert out.decode().count("connected") == count


async def killed(server: Server, count: int) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(CLIENT), server.url, "0", stdout=asyncio.subprocess.PIPE
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode().strip() == "connected"
    for process in processes:
        process.kill()
        await process.wait()


def kinds(names: Iterable[str]) -> set[str]:
    """Threads by what they do: how many an executor has made until now is by chance."""
    return {name.rstrip("0123456789_-") for name in names if not name.startswith("asyncio")}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_visitors_leave_nothing_behind(engine: LocalEngine, astronaut: Image) -> None:
    lost: list[str] = []

    async def gone(server: Server) -> None:
        await until(lambda: not server.hub.resources and not server.hub.streams, PATIENCE_S)

    async def left() -> tuple[int, set[str], int]:
        names = kinds(thread.name for thread in threading.enumerate())
        return len(asyncio.all_tasks()), names, sockets()

    async def settled(server: Server, wanted: tuple[int, set[str], int] | None = None) -> Any:
        """What is left when nothing changes any more, or is as it should be."""
        await gone(server)
        end = monotonic() + PATIENCE_S
        found = await left()
        while monotonic() < end and found != wanted:
            await asyncio.sleep(1)
            previous, found = found, await left()
            if wanted is None and found == previous:
                break
        return found

    async def warm(server: Server) -> None:
        """Until what is made once and kept is there: executors' threads, landmarkers, pools.

        Each of four landmarkers grows with its own first frames, and which one a visitor gets is by chance.
        """
        await killed(server, KILLED_AT_ONCE)
        quiet = 0
        for _ in range(10):
            await gone(server)
            memory = memory_mb()
            await asyncio.gather(*(cycles(server, 1) for _ in range(KILLED_AT_ONCE)))
            await gone(server)
            quiet = quiet + 1 if memory_mb() - memory < 3 else 0
            if quiet == 2:
                break

    async def visitors(server: Server) -> None:
        killings = max(1, VISITORS // 5 // KILLED_AT_ONCE)
        goodbyes = VISITORS - killings * KILLED_AT_ONCE
        await asyncio.gather(cycles(server, goodbyes // 2), cycles(server, goodbyes - goodbyes // 2))
        for _ in range(killings):
            await killed(server, KILLED_AT_ONCE)
            await gone(server)

    async def run() -> None:
        # A task that ends with an error which nobody looks at is reported here, and nowhere else.
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(str(context)))
        async with served(engine, [(astronaut, "Eileen Collins")], rate=1000) as server:
            await warm(server)
            before = await settled(server)
            for _ in range(ROUNDS):
                memory, allocated, began = memory_mb(), allocated_mb(), monotonic()
                blocks = sys.getallocatedblocks()
                await visitors(server)
                after, grown = await settled(server, before), allocated_mb() - allocated
                more = sys.getallocatedblocks() - blocks
                print(
                    f"{VISITORS} visitors in {monotonic() - began:.0f} s: {grown:+.2f} MB allocated, "
                    f"{memory_mb() - memory:+.1f} MB resident, {more:+d} Python objects, {after}"
                )
                assert after == before
                if grown < 10 and more < BLOCKS:
                    break
            # What leaks grows every time; a pool that fills does not.
            assert grown < 10
            assert more < BLOCKS
            assert lost == []

    # Four seconds are plenty for a visitor on an idle machine.
    asyncio.run(asyncio.wait_for(run(), 300 + 15 * ROUNDS * VISITORS))


def test_a_flood_from_one_address_does_not_disturb_a_session(
    engine: LocalEngine, astronaut: Image, close_up: Image
) -> None:
    """A thousand requests in a second: most are turned away, and the avatar goes on at nearly its rate."""

    async def flood(server: Server) -> list[int]:
        async with aiohttp.ClientSession(server.url) as http:

            async def ask() -> int:
                async with http.post("/session", data=b"v=0") as response:
                    await response.read()
                    return response.status

            return await asyncio.gather(*(ask() for _ in range(1000)))

    async def run() -> None:
        async with served(engine, [(astronaut, "Eileen Collins")]) as server:
            client = Client(server.url)
            client.send(Camera([np.ascontiguousarray(close_up)]))
            await client.connect("/session")
            await until(lambda: len(client.times) > 3, PATIENCE_S)
            began = monotonic()
            statuses = await flood(server)
            allowed = server.hub.settings.burst + server.hub.settings.rate * (monotonic() - began)
            assert set(statuses) == {415, 429}
            assert statuses.count(415) <= allowed + 1
            seen = len(client.times)
            await until(lambda: len(client.times) > seen + 3, PATIENCE_S)
            assert client.connection.connectionState == "connected"
            assert len(server.hub.resources) == 1
            await client.close()

    asyncio.run(asyncio.wait_for(run(), 300))
