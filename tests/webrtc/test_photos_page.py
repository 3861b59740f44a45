"""Further photos of an avatar's person on the page and of a server: what they give, and what is said."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import read_clip
from fakes.browser import SKIP_LOBBY
from fakes.page_server import PageServer

import run_live

pytestmark = pytest.mark.slow

REST, SHOUTING, BLINKING = 8, 62, 92


@pytest.fixture(scope="module")
def place(carphone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``me.png``, and a folder of photos of the same person, one of which shows nobody."""
    clip = read_clip(carphone, BLINKING + 1)
    folder = tmp_path_factory.mktemp("photos")
    (folder / "photos").mkdir()
    for name, index in (("me", REST), ("photos/shouting", SHOUTING), ("photos/blinking", BLINKING)):
        cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(clip[index], None, fx=2, fy=2)[..., ::-1])
    cv2.imwrite(str(folder / "photos" / "wall.png"), np.full((200, 200, 3), 128, np.uint8))
    return folder


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_several_photos_of_one_person_are_added_at_once_and_kept_when_the_server_begins_anew(
    chromium: Any, place: Path
) -> None:
    with PageServer() as server:
        server.wait_until_ready()
        context = chromium.new_context(viewport={"width": 1280, "height": 1100})
        context.add_init_script(SKIP_LOBBY)
        page = context.new_page()
        page.goto(server.url)
        page.locator("#gallery img").first.wait_for()
        assert not page.locator("#portrait-photos").is_visible(), "the server's own portraits take none"
        page.set_input_files("#file", place / "me.png")
        page.locator("#portrait-photos").wait_for()
        with page.expect_file_chooser() as chooser:
            page.click("#portrait-photos")
        chooser.value.set_files(sorted((place / "photos").iterdir()))
        said = page.locator("#portrait-words")
        until(lambda: "are used" in said.inner_text(), "what was taken")
        words = said.inner_text()
        assert "shouting.png (mouth open" in words and "eyes closed" in words
        assert "No face in 1 of them (wall.png)" in words
        page.click("#start")
        page.locator("html[data-state=live]").wait_for(state="attached", timeout=60_000)
        if folder := os.environ.get("MIEN_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / "photos.png")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        server.kill()
        page.locator("html[data-state=trouble]").wait_for(state="attached", timeout=60_000)
        server.start_again()
        page.locator("html[data-state=live]").wait_for(state="attached", timeout=60_000)
        assert sum(url.endswith("/photos") for url in sent) == 3
        context.close()


@pytest.mark.parametrize("how", ["folder", "file"])
def test_a_server_begins_with_a_portrait_and_its_photos(
    place: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    avatar = ["--avatar", str(place / "me.png"), "--photos", str(place / "photos")]
    if how == "file":
        monkeypatch.chdir(place)
        assert run_live.main(["enroll", *avatar, "--output", "me.mien"]) == 0
        avatar = ["--avatar", str(place / "me.mien")]
    with PageServer(*avatar) as server:
        server.wait_until_ready()
        if how == "folder":
            assert "shouting.png (mouth open" in server.log() and "wall.png" in server.log()
