"""The page by the rules of WCAG 2.2 AA, as axe-core (npm) reads them, and in narrow windows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.page_server import PageServer

pytestmark = pytest.mark.slow

AXE = "axe-core@4.10.3"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (rules) => (await axe.run(document, { runOnly: rules })).violations
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`)"""
SECONDS = 1000


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker, by npm's ordinary client."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    words = ["npm", "pack", "--silent", AXE]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )
    if done.returncode:
        pytest.skip(f"npm cannot get {AXE}: {done.stderr[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        found = packed.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """This machine is asked for its virtual camera, and has none."""
    with PageServer("--virtual-camera", "--max-sessions", "2") as running:
        running.wait_until_ready()
        if running.get("api/state")["calls"]["camera"]:
            pytest.skip("this machine has a virtual camera")
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_no_state_of_the_page_breaks_a_rule(
    chromium: Any, server: PageServer, axe: str, width: int, scheme: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)
    page = context.new_page()
    page.goto(server.url)
    page.locator("#gallery img").first.wait_for()

    def check(state: str) -> None:
        page.evaluate(axe)
        assert page.evaluate(RUN, RULES) == [], state
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, state
        folder = os.environ.get("MIEN_SCREENSHOTS")
        if folder:
            page.screenshot(path=Path(folder) / f"axe-{state}-{width}-{scheme}.png", full_page=True)

    assert "irtual camera" in page.inner_text("#calls-help"), "what to do, in words, unasked"
    assert page.locator("#calls code").first.is_visible()
    for box in page.locator("details").all():
        box.evaluate("(box) => { box.open = true; }")
    check("off")
    page.click("#start")
    page.locator("html[data-lobby]").wait_for(state="attached")
    check("lobby")
    page.click("#start")
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=60 * SECONDS)
    page.locator("#lobby").wait_for(state="hidden", timeout=60 * SECONDS)
    check("live")
    context.close()
    server.wait_until_empty()
