"""Packets that are lost for good cost the driver's frames a moment, not many seconds."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket, is_rtcp
from fakes.avatar_engine import TintEngine
from fakes.web import Camera, Client, served, until

from mien.streams.webrtc.jitter_buffer import PATIENCE_S, ImmediateJitterBuffer

GREY = np.full((64, 64, 3), 90, np.uint8)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Receiver:
    """A buffer that is given frames of two packets each, 30 a second; some packets never come.

    Attributes:
        shown: numbers of the frames that came out.
        wishes: how often the buffer asked for a key frame.
    """

    def __init__(self, first: int = 65_500) -> None:
        self._clock = Clock()
        self._buffer = ImmediateJitterBuffer(512, clock=self._clock)
        self._first = first
        self.shown: list[int] = []
        self.wishes = 0

    def take(self, frame: int, part: int) -> None:
        packet = RtpPacket(
            payload_type=97,
            marker=part,
            sequence_number=(self._first + 2 * frame + part) & 0xFFFF,
            timestamp=3000 * frame,
        )
        packet._data = bytes([frame % 256, part])  # type: ignore[attr-defined]
        wish, frame = self._buffer.add(packet)
        self.wishes += wish
        if isinstance(frame, JitterFrame):
            assert frame.data == bytes([frame.timestamp // 3000 % 256, 0, frame.timestamp // 3000 % 256, 1])
            self.shown.append(frame.timestamp // 3000)

    def play(self, frames: range, lost: set[tuple[int, int]] = frozenset()) -> None:  # type: ignore[assignment]
        for frame in frames:
            for part in (0, 1):
                if (frame, part) not in lost:
                    self.take(frame, part)
            self._clock.now += 1 / 30


WAIT = round(30 * PATIENCE_S)


@pytest.mark.parametrize("lost", [{(5, 0)}, {(5, 1)}, {(5, 0), (5, 1)}, {(5, 1), (9, 0)}])
def test_a_packet_that_never_comes_is_given_up_and_a_whole_frame_asked_for(
    lost: set[tuple[int, int]],
) -> None:
    receiver = Receiver()
    receiver.play(range(60), lost)
    assert receiver.shown[:5] == [0, 1, 2, 3, 4]
    assert receiver.wishes == 1
    rest = receiver.shown[5:]
    assert 5 + WAIT <= rest[0] <= 5 + WAIT + 3
    assert rest == list(range(rest[0], 60)), "from then on every frame, with its last packet"


def test_a_packet_that_comes_late_costs_no_frame() -> None:
    receiver = Receiver()
    receiver.play(range(9), {(5, 1)})
    assert receiver.shown == [0, 1, 2, 3, 4]
    receiver.take(5, 1)
    receiver.play(range(9, 40))
    assert (receiver.shown, receiver.wishes) == (list(range(40)), 0)


def test_frames_that_come_seldom_are_no_loss() -> None:
    receiver = Receiver()
    for frame in range(5):
        receiver.take(frame, 0)
        receiver._clock.now += 2
        receiver.take(frame, 1)
    assert (receiver.shown, receiver.wishes) == (list(range(5)), 0)


def test_the_avatar_goes_on_after_a_packet_of_the_drivers_was_lost_for_good() -> None:
    """aiortc asks for a packet once; where that goes astray, it waits for half a thousand others."""

    async def run() -> None:
        engine = TintEngine()
        async with served(engine, [(GREY, "grey")]) as server:
            driver = Client(server.url)
            driver.send(Camera([GREY, GREY + 60]), "sendonly")
            await driver.connect("/whip")
            await until(lambda: engine.sessions and engine.sessions[0].made > 5)
            sender: Any = driver.connection.getSenders()[0]
            send, dropped = sender.transport._send_rtp, list[bytes]()

            async def send_but_one(data: bytes) -> None:
                if not is_rtcp(data) and not dropped:
                    dropped.append(data)
                    return
                await send(data)

            async def forget(_: int) -> None:
                pass

            sender._retransmit = forget
            sender.transport._send_rtp = send_but_one
            await until(lambda: dropped, 5)
            made = engine.sessions[0].made
            await until(lambda: engine.sessions[0].made > made + 20, 8)
            await driver.close()

    asyncio.run(asyncio.wait_for(run(), 60))
