"""A page's session in a process of its own, that can be killed: ``python web_client.py URL CYCLES``.

It connects, waits for a frame of the avatar, prints "connected", and says goodbye; with 0 cycles it stays
connected until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]


async def once(url: str) -> Any:
    from fakes.web import Camera, Clicks, Client, until

    frame = np.zeros((240, 320, 3), np.uint8)
    client = Client(url)
    client.send(Camera([frame, frame + 60]))
    client.send(Clicks())
    client.control()
    await client.connect("/session")
    await until(lambda: client.frames, 120)
    print("connected", flush=True)
    return client


async def main(url: str, cycles: int) -> None:
    for _ in range(cycles):
        client = await once(url)
        await client.delete()
        await client.close()
    if not cycles:
        client = await once(url)  # kept: what nobody holds is collected, and its connection with it
        await asyncio.Event().wait()
        await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
