"""Memory of a server with two drivers, as its process has it: flat after the first minute.

``MIEN_SOAK=600 python -m pytest -m slow -s tests/webrtc/test_soak.py`` looks at ten minutes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from conftest import read_clip
from fakes.page_server import PageServer
from fakes.web import Camera, Client, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

SECONDS = int(os.environ.get("MIEN_SOAK", "150"))
WARM_S = 60
GROWTH = 0.03
"""Of what the process has after the first minute."""


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_two_drivers_take_no_more_memory_than_after_the_first_minute(carphone: Path) -> None:
    frames = read_clip(carphone, 60)

    async def drive(server: PageServer) -> list[float]:
        clients = [Client(server.url.rstrip("/")) for _ in range(2)]
        for client in clients:
            client.send(Camera([*frames, *frames[::-1]]))
            await client.connect("/session")
            await until(lambda: client.frames, 60)  # noqa: B023
        found = []
        for second in range(0, SECONDS + 1, 30):
            found.append(resident_mb(server.pid))
            shown = sum(len(client.times) for client in clients)
            print(f"after {second:3d} s: {found[-1]:.0f} MB, {shown} frames of the avatars shown")
            await asyncio.sleep(30)
        for client in clients:
            await client.close()
        return found

    with PageServer("--max-sessions", "2") as server:
        server.wait_until_ready()
        found = asyncio.run(asyncio.wait_for(drive(server), SECONDS + 180))
    warm = found[WARM_S // 30]
    assert max(found[WARM_S // 30 :]) < warm * (1 + GROWTH), found
