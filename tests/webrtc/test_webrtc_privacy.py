"""The server contacts nobody: all that a session over it sends is watched, system call by system call."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from aiortc import RTCSessionDescription
from fakes.web import Camera, Client, until
from network_watch import CALLS, ROOT, can_trace, leaks, untracked_environment
from test_command import wait_until_ready

pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="strace cannot run here"),
    pytest.mark.slow,
]


def test_a_session_of_the_web_server_stays_on_this_machine(tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(log), sys.executable, "-u"]
    process = subprocess.Popen(
        [*command, str(ROOT / "run_live.py"), "--webrtc", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=untracked_environment(),
        start_new_session=True,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        wait_until_ready(found[0])

        async def visit() -> None:
            client = Client(found[0])
            client.send(Camera([np.zeros((120, 160, 3), np.uint8)]))
            # As browsers do: an address that is not ours, and a name that only a look-up would resolve.
            sdp = await client.offer()
            strange = (
                "a=candidate:1 1 udp 2122260223 192.0.2.77 50000 typ host\r\n"
                "a=candidate:2 1 udp 2122260222 0f0f0f0f-1111-2222-3333-444444444444.local 50001 typ host\r\n"
            )
            sdp = sdp.replace("a=end-of-candidates", f"{strange}a=end-of-candidates", 1)
            status, answer = await client.post("/session", sdp)
            assert status == 201
            await client.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await until(lambda: client.frames, 90)
            await client.delete()
            await client.close()

        asyncio.run(visit())
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.communicate()
    lines = log.read_text(encoding="utf-8").splitlines()
    assert any("127.0.0.1" in line for line in lines), "the trace sees packets"
    assert leaks(lines) == []
