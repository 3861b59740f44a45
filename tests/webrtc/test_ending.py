"""SIGTERM at any moment ends the server within five seconds: 20 moments, chosen at random.

``MIEN_SEED=N python -m pytest -m slow -s tests/webrtc/test_ending.py`` chooses the same ones again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
from fakes.hostile_images import HOSTILE, full_png
from fakes.page_server import ROOT, PageServer

pytestmark = pytest.mark.slow

MOMENTS, WITHIN_S = 20, 5.0
COSTLY = "JPEG, progressive, 60 scans of 36 megapixels"


@contextmanager
def visitor(url: str, cycles: int) -> Iterator[None]:
    """A page that comes and goes so often; with 0 it stays."""
    client = str(ROOT / "tests" / "fakes" / "web_client.py")
    process = subprocess.Popen(
        [sys.executable, client, url.rstrip("/"), str(cycles)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    try:
        if not cycles:
            assert process.stdout.readline().strip() == "connected"
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def poster(url: str, path: str, kind: str, make: Callable[[], bytes]) -> Iterator[None]:
    """One who sends the same thing again and again, each in small pieces."""
    body, over = make(), threading.Event()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 1 + len(body) // 10):
            yield body[start : start + 1 + len(body) // 10]
            over.wait(0.02)

    def post() -> None:
        while not over.is_set():
            headers = {"Content-Type": kind, "Content-Length": str(len(body))}
            request = urllib.request.Request(url + path, pieces(), headers)
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(request, timeout=20).read()
            over.wait(0.02)

    thread = threading.Thread(target=post, daemon=True)
    thread.start()
    yield
    over.set()


def uploading(url: str) -> AbstractContextManager[None]:
    return poster(url, "api/portraits", "image/png", lambda: full_png(1200, 1200))


def decoding(url: str) -> AbstractContextManager[None]:
    return poster(url, "api/portraits", "image/jpeg", HOSTILE[COSTLY])


def signing(url: str) -> AbstractContextManager[None]:
    return poster(url, "api/credentials", "image/png", lambda: full_png(600, 600))


MEANWHILE: dict[str, Callable[[str], AbstractContextManager[None]] | None] = {
    "starting": None,
    "connecting": lambda url: visitor(url, 1000),
    "live": lambda url: visitor(url, 0),
    "uploading": uploading,
    "decoding a costly image": decoding,
    "signing a recording": signing,
}


def test_sigterm_at_any_moment_ends_the_server_within_five_seconds() -> None:
    seed = int(os.environ.get("MIEN_SEED", random.SystemRandom().randrange(2**32)))
    rng = random.Random(seed)
    print(f"\nseed {seed}")
    names = list(MEANWHILE)
    moments = [(names[index % len(names)], rng.uniform(0, 4)) for index in range(MOMENTS)]
    found = [(name, after, *ended(name, after)) for name, after in moments]
    for name, after, took, status, said in found:
        print(f"{name}, after {after:.1f} s: ended in {took:.1f} s, status {status} {said}")
    assert all(took < WITHIN_S and status == 0 and not said for _, _, took, status, said in found)


def ended(name: str, after: float) -> tuple[float, int, str]:
    """Seconds to the end, the exit status, and what was said that should not be."""
    doing = MEANWHILE[name]
    with PageServer() as server:
        if doing is None:
            while server.url not in server.log():
                time.sleep(0.05)
            return stopped(server, after)
        server.wait_until_ready()
        with doing(server.url):
            return stopped(server, after)


def stopped(server: PageServer, after: float) -> tuple[float, int, str]:
    time.sleep(after)
    begun = time.monotonic()
    status = server.stop(signal.SIGTERM, 30)
    said = server.log()
    return time.monotonic() - begun, status, said[said.index("Traceback") :] if "Traceback" in said else ""
