"""How fast the page is: pictures per second, and the time from the camera to the screen.

``python -m pytest -m slow -s tests/webrtc/test_page_speed.py`` prints the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.browser import browser, fill, shown_image, write_camera
from fakes.drivers import talking
from fakes.page_server import PageServer
from fakes.processor import DISTURBED, Use
from fakes.watching import glass_to_glass, watch

pytestmark = pytest.mark.slow

JUMP = 16
"""Pixels of the camera's 640 by which the face jumps aside."""


PICTURES = "mien_pictures_total"


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer() as running:
        running.wait_until_ready()
        yield running


def open_live(chromium: Any, url: str) -> Any:
    page = chromium.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(url)
    page.locator("#gallery img").first.wait_for()
    page.click("#start")
    page.get_by_text("Go live", exact=True).click()
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=60_000)
    # The congestion controllers of both sides start low and need some seconds.
    page.wait_for_timeout(4000)
    return page


def judge_only_if_alone(others: float, said: str) -> None:
    """What is slow because other programs run beside it says nothing about Mien."""
    if others > DISTURBED:
        pytest.skip(f"other programs used {others:.1f} cores meanwhile; measured beside them: {said}")


def test_pictures_flow_for_twenty_seconds(
    playwright: Any, server: PageServer, carphone: Path, tmp_path: Path
) -> None:
    camera = write_camera(tmp_path / "talking.y4m", talking(carphone, 90))
    with browser(playwright, camera) as chromium:
        page = open_live(chromium, server.url)
        assert shown_image(page, "#avatar").shape[:2] == (512, 512)
        before = Use.now(server.pid)
        pictures = rendered(server)
        taken, shown = watch(page, 20)
        pictures = rendered(server) - pictures
        serving, browsing, others = Use.now(server.pid).since(before)
        page.click(".meter summary")
        page.wait_for_timeout(600)
        stages = page.inner_text("#stages").replace("\n", " ")
        page.context.close()
    rate = len(shown.times) / 20
    gaps = np.diff([*shown.times, np.nan] if len(shown.times) < 2 else shown.times)
    said = (
        f"camera {len(taken.times) / 20:.1f}, avatar {rate:.1f} pictures per s; gaps: median "
        f"{np.median(gaps):.0f}, p95 {np.percentile(gaps, 95):.0f}, most {gaps.max():.0f} ms; "
        f"cores: server {serving:.2f}, browser {browsing:.2f}, others {others:.2f}"
    )
    print(f"\n512x512, 20 s: {said}\n{stages}")
    judge_only_if_alone(others, said)
    # Shown at once, two pictures that arrive within one refresh of the screen are one: up to a third is lost
    # so on two busy cores, and the delay is 60 ms less than with the browser's own pacing.
    assert len(shown.times) > 0.5 * pictures, "the page shows what the server draws"
    # The aim is 20 on two cores shared with the browser; machines differ, so half of it is demanded.
    assert rate >= 10


def rendered(server: PageServer) -> float:
    """Pictures that the server has drawn so far."""
    lines = server.text("metrics").splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(PICTURES))


def test_glass_to_glass_is_short_and_flat_for_a_minute(
    playwright: Any, server: PageServer, carphone: Path, tmp_path: Path
) -> None:
    face = fill(talking(carphone, 1)[0])
    aside = np.ascontiguousarray(np.concatenate([face[:, :JUMP], face[:, :-JUMP]], axis=1))
    camera = write_camera(tmp_path / "jumping.y4m", [face] * 30 + [aside] * 30)
    with browser(playwright, camera) as chromium:
        page = open_live(chromium, server.url)
        before = Use.now(server.pid)
        found = glass_to_glass(*watch(page, 60))
        _, _, others = Use.now(server.pid).since(before)
        page.context.close()
    delays = found[:, 1]
    if len(delays) <= 40:
        judge_only_if_alone(others, f"{len(delays)} of 60 jumps were seen")
    assert len(delays) > 40
    thirds = [float(np.median(part)) for part in np.array_split(delays, 3)]
    median, p95 = float(np.median(delays)), float(np.percentile(delays, 95))
    said = (
        f"median {median:.0f} ms, p95 {p95:.0f} ms; medians of the thirds of the minute "
        f"{', '.join(f'{third:.0f}' for third in thirds)} ms; others used {others:.2f} cores"
    )
    print(f"\nglass to glass, {len(delays)} jumps in 60 s: {said}")
    judge_only_if_alone(others, said)
    assert thirds[2] < 1.5 * thirds[0] + 100, "nothing may queue up"
    # The aim is 150 ms in the median and 250 ms at 95 %; machines differ, so twice that is demanded.
    assert median <= 300 and p95 <= 500
    assert max(thirds) - min(thirds) < 100
