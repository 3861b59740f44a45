"""The page asks its camera for 60 frames a second where the server has time for them, in a real browser."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.browser import SKIP_LOBBY, browser, write_camera
from fakes.peers.network import HERE, Process

pytestmark = pytest.mark.slow

LIVE = "html[data-state=live]"
ASKED = "() => document.getElementById('self').srcObject.getVideoTracks()[0].getSettings().frameRate"
SHOWN = (
    "() => document.getElementById('fps').textContent + ' ' + document.getElementById('fps-of').textContent"
)


@contextmanager
def visit(playwright: Any, folder: Path, fps: int, work: float = 0.0) -> Iterator[Any]:
    """The page, live, of a server that works so many seconds on a frame."""
    images = [np.full((480, 640, 3), shade, np.uint8) for shade in range(60, 180, 4)]
    camera = write_camera(folder / "camera.y4m", images, fps)
    server = Process([sys.executable, str(HERE / "tint_server.py"), "--work", str(work)])
    try:
        url = server.until(lambda line: line.startswith("http"))
        with browser(playwright, camera) as opened:
            page = opened.new_page()
            page.add_init_script(SKIP_LOBBY)
            page.goto(url)
            page.click("#start")
            page.locator(LIVE).wait_for(state="attached", timeout=60_000)
            page.locator("#statistics").evaluate("(details) => (details.open = true)")
            yield page
    finally:
        server.end()


def asked_within(page: Any, rate: int, seconds: float) -> bool:
    """Whether the camera is asked for this rate before the time is over."""
    end = time.monotonic() + seconds
    while page.evaluate(ASKED) != rate:
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(100)
    return True


def test_a_camera_that_offers_60_gives_them_to_a_server_that_keeps_up(
    playwright: Any, tmp_path: Path
) -> None:
    with visit(playwright, tmp_path, 60) as page:
        assert page.evaluate(ASKED) == 30
        assert asked_within(page, 60, 60), page.evaluate(SHOWN)
        page.wait_for_timeout(2500)
        print(f"\nframes shown: {page.evaluate(SHOWN)}")
        assert "of" in page.evaluate(SHOWN)


def test_a_server_that_does_not_keep_up_gets_30_again_and_is_not_asked_twice(
    playwright: Any, tmp_path: Path
) -> None:
    with visit(playwright, tmp_path, 60, work=0.028) as page:
        assert asked_within(page, 60, 60), page.evaluate(SHOWN)
        assert asked_within(page, 30, 60), page.evaluate(SHOWN)
        assert not asked_within(page, 60, 8)


def test_a_camera_of_30_is_left_alone(playwright: Any, tmp_path: Path) -> None:
    with visit(playwright, tmp_path, 30) as page:
        assert not asked_within(page, 60, 8)
