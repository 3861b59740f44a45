"""How fast the page is: pictures per second, and the time from the camera to the screen.

``python -m pytest -m slow -s tests/test_webrtc_page_speed.py`` prints the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.browser import browser, fill, picture, player, write_camera
from fakes.drivers import talking
from fakes.page_server import PageServer
from fakes.watching import glass_to_glass, watch

pytestmark = pytest.mark.slow

JUMP = 16
"""Pixels of the camera's 640 by which the face jumps aside."""


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    with player() as found:
        yield found


def open_live(chromium: Any, url: str) -> Any:
    page = chromium.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(url)
    page.locator("#gallery img").first.wait_for()
    page.click("#start")
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=15_000)
    # The congestion controllers of both sides start low and need some seconds.
    page.wait_for_timeout(4000)
    return page


def used(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for known in found:
        found += [int(child) for child in Path(f"/proc/{known}/task/{known}/children").read_text().split()]
    return found


def browser_use() -> float:
    return sum(used(child) for child in family(os.getpid())[1:])


def test_twenty_pictures_a_second_for_twenty_seconds(
    playwright: Any, server: PageServer, carphone: Path, tmp_path: Path
) -> None:
    camera = write_camera(tmp_path / "talking.y4m", talking(carphone, 90))
    with browser(playwright, camera) as chromium:
        page = open_live(chromium, server.url)
        assert picture(page, "#avatar").shape[:2] == (512, 512)
        before, all_before = used(server.pid), browser_use()
        taken, shown = watch(page, 20)
        serving = used(server.pid) - before
        browsing = browser_use() - all_before - serving
        page.click(".meter summary")
        page.wait_for_timeout(600)
        stages = page.inner_text("#stages").replace("\n", " ")
        page.context.close()
    rate = len(shown.times) / 20
    gaps = np.diff(shown.times)
    print(
        f"\n512x512, 20 s: camera {len(taken.times) / 20:.1f}, avatar {rate:.1f} pictures per s; "
        f"gaps: median {np.median(gaps):.0f}, p95 {np.percentile(gaps, 95):.0f}, most {gaps.max():.0f} ms\n"
        f"processor seconds per second: server {serving / 20:.2f}, browser {browsing / 20:.2f}\n{stages}"
    )
    assert rate >= 20


def test_glass_to_glass_within_150_ms_and_flat_for_a_minute(
    playwright: Any, server: PageServer, carphone: Path, tmp_path: Path
) -> None:
    face = fill(talking(carphone, 1)[0])
    aside = np.ascontiguousarray(np.concatenate([face[:, :JUMP], face[:, :-JUMP]], axis=1))
    camera = write_camera(tmp_path / "jumping.y4m", [face] * 30 + [aside] * 30)
    with browser(playwright, camera) as chromium:
        page = open_live(chromium, server.url)
        found = glass_to_glass(*watch(page, 60))
        page.context.close()
    delays = found[:, 1]
    thirds = [float(np.median(part)) for part in np.array_split(delays, 3)]
    median, p95 = float(np.median(delays)), float(np.percentile(delays, 95))
    print(
        f"\nglass to glass, {len(delays)} jumps in 60 s: median {median:.0f} ms, p95 {p95:.0f} ms; "
        f"medians of the thirds {', '.join(f'{third:.0f}' for third in thirds)} ms"
    )
    assert len(delays) > 45
    assert median <= 150 and p95 <= 250
    assert max(thirds) - min(thirds) < 40
