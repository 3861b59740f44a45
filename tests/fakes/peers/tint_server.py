"""A Mien server with the engine of the tests, alone in a process (see the arguments at its end).

Prints its address, then twice a second a line of JSON: frames that came in, viewers, what was logged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[3])]

GREY = np.full((64, 64, 3), 200, np.uint8)


class Kept(logging.Handler):
    """The last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        self.lines.append(f"{record.getMessage()} {fields}"[:300])
        del self.lines[:-6]
        if record.exc_info:
            traceback.print_exception(*record.exc_info, file=sys.stdout)


async def drive(stream: Any) -> None:
    from mien.engine.types import Frame

    index = 0
    while True:
        image = np.full((240, 320, 3), 40 + index % 150, np.uint8)
        frame = Frame(image, index, time.monotonic_ns(), index / 30)
        stream.session.put(lambda frame=frame: frame)
        index += 1
        await asyncio.sleep(1 / 30)


async def main(options: argparse.Namespace) -> None:
    from fakes.avatar_engine import TintEngine
    from fakes.web import served
    from mien.streams.webrtc.client import play, publish
    from mien.streams.webrtc.whip import claim_main

    kept = Kept()
    logger = logging.getLogger("mien")
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    engine = TintEngine(options.work)
    more = {} if options.rate is None else {"rate": options.rate, "burst": int(options.rate)}
    async with served(engine, [(GREY, "grey")], host=options.host, **more) as server:
        print(server.url, flush=True)
        work: list[Any] = []
        if options.drive or options.play:
            stream = await claim_main(server.hub, "the test")
            work.append(drive(stream) if options.drive else play(server.hub, stream, options.play, None))
        if options.publish:
            work.append(publish(server.hub, lambda: server.hub.main, options.publish, None))
        tasks = [asyncio.ensure_future(task) for task in work]
        while True:
            await asyncio.sleep(0.5)
            kinds = [resource.kind for resource in server.hub.resources.values()]
            made = sum(session.made for session in engine.sessions)
            print(json.dumps({"made": made, "kinds": kinds, "log": kept.lines}), flush=True)
            for task in tasks:
                if task.done():
                    task.result()


parser = argparse.ArgumentParser()
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--rate", type=float)
parser.add_argument("--work", type=float, default=0.0, help="seconds for a frame")
parser.add_argument("--drive", action="store_true")
parser.add_argument("--publish")
parser.add_argument("--play")
asyncio.run(main(parser.parse_args()))
