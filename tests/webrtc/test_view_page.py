"""The streamer's evening in a real browser: lobby, backgrounds, the clean feed for OBS, the control panel."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from fakes.avatar_engine import TintEngine
from fakes.browser import SKIP_LOBBY, alike, browser, shown_image
from fakes.page_server import PageServer
from fakes.virtual_camera import Calls
from fakes.web import served

from mien.cli.web.gallery import EXHIBITS
from mien.engine.types import Frame, Image
from mien.streams.webrtc.feed import Feed
from mien.streams.webrtc.whip import claim_main

pytestmark = pytest.mark.slow

SECONDS = 1000
WIDE = {"width": 1280, "height": 860}


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer("--max-sessions", "2") as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def obs(playwright: Any) -> Iterator[Any]:
    """A browser without a camera, which may not use one either."""
    with browser(playwright, None, allow=False) as opened:
        yield opened


@pytest.fixture
def page(chromium: Any, server: PageServer) -> Iterator[Any]:
    context = chromium.new_context(viewport=WIDE, permissions=["clipboard-read", "clipboard-write"])
    context.add_init_script(SKIP_LOBBY)
    opened = context.new_page()
    mistakes: list[str] = []
    opened.on("pageerror", lambda error: mistakes.append(str(error)))
    opened.goto(server.url)
    opened.locator("#gallery img").first.wait_for()
    yield opened
    assert mistakes == []
    context.close()
    server.wait_until_empty()


def start(page: Any) -> None:
    page.click("#start")
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=60 * SECONDS)


def until(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def shoot(page: Any, name: str) -> None:
    folder = os.environ.get("MIEN_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def shows(page: Any) -> bool:
    return bool(page.locator("#avatar").evaluate("(video) => video.videoWidth > 0 && !video.paused"))


def green(image: Image) -> float:
    """Share of pixels of a green screen."""
    red, good, blue = (image[..., channel].astype(int) for channel in range(3))
    return float(((good > 150) & (red < 90) & (blue < 90)).mean())


def test_the_view_shows_the_avatar_within_three_seconds_and_survives_a_new_server(
    page: Any, obs: Any, server: PageServer
) -> None:
    start(page)
    page.click("#obs")
    until(lambda: "Copied" in page.inner_text("#obs-words"), "a word on the link")
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{server.url}view?session=")
    assert page.get_attribute("#obs-link", "hidden") is not None
    view = obs.new_page(viewport={"width": 640, "height": 640})
    asked: list[str] = []
    view.on("request", lambda request: asked.append(urlsplit(request.url).path))
    begun = time.monotonic()
    view.goto(link)
    until(lambda: shows(view), "the avatar in the view", 30)
    taken = time.monotonic() - begun
    print(f"\nfrom the view's address to the avatar: {taken:.2f} s")
    assert taken < 3 or os.getloadavg()[0] > 3
    box = view.locator("#avatar").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 640, 640)
    assert view.locator("button, input, select, a").count() == 0
    assert "/session" not in asked, "it sends nothing"
    assert view.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    view.wait_for_timeout(500)
    assert alike(shown_image(view, "#avatar"), shown_image(page, "#avatar")) > 0.5
    shoot(view, "view")
    server.kill()
    server.start_again()
    server.wait_until_ready()
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=90 * SECONDS)

    def time_of() -> float:
        return float(
            view.locator("#avatar").evaluate("(video) => video.srcObject.active ? video.currentTime : -1")
        )

    def moves() -> bool:
        before = time_of()
        view.wait_for_timeout(400)
        return time_of() > before >= 0

    until(moves, "the view again, at the same address", 60)
    view.close()


def test_views_that_come_and_go_leave_nothing(page: Any, obs: Any, server: PageServer) -> None:
    start(page)
    for count in (6, 6):
        for _ in range(count):
            view = obs.new_page()
            view.goto(f"{server.url}view")
            until(lambda: shows(view), "the avatar", 30)  # noqa: B023
            view.close()
        until(lambda: "mien_viewers 0" in server.text("metrics"), "no viewer left")
    threads = len(list(Path(f"/proc/{server.pid}/task").iterdir()))
    for _ in range(1000):
        while True:
            try:
                assert "<video" in server.text("view")
                break
            except OSError:  # 50 requests a second are taken from one address
                time.sleep(0.2)
    assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) <= threads + 2
    time.sleep(2)  # until so many are taken again as the next page asks for


def test_the_background_is_chosen_with_a_preview_and_remembered(
    page: Any, chromium: Any, server: PageServer, tmp_path: Path
) -> None:
    def still() -> Image:
        until(
            lambda: page.locator("#still").evaluate(
                "(img) => img.src.startsWith('blob:') && img.complete && img.naturalWidth > 0"
            ),
            "the preview",
        )
        size = page.locator("#still").bounding_box()
        assert abs(size["width"] - size["height"]) < 2
        data = page.locator("#frame").screenshot()
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)

    still()
    page.click("text=Green screen")
    until(lambda: green(still()) > 0.15, "the preview before green")
    shoot(page, "background-green")
    start(page)
    until(lambda: green(shown_image(page, "#avatar")) > 0.2, "the avatar before green")
    shoot(page, "live-green")
    page.click("text=Blurred")
    until(lambda: green(shown_image(page, "#avatar")) < 0.01, "no green")
    face = tmp_path / "room.png"
    cv2.imwrite(str(face), np.full((300, 500, 3), (200, 40, 20), np.uint8))
    page.set_input_files("#background-file", face)
    until(lambda: bluish(shown_image(page, "#avatar")) > 0.2, "the image")
    assert page.locator("#backgrounds label").last.locator("input").is_checked()
    page.locator("#background-green").focus()
    page.keyboard.press("Space")
    until(lambda: green(shown_image(page, "#avatar")) > 0.2, "green, by the keyboard")
    page.set_input_files("#background-file", __file__)
    until(lambda: "not an image" in page.inner_text("#background-words"), "a refusal in words")
    page.click("#stop")
    page.reload()
    page.locator("#gallery img").first.wait_for()
    assert page.locator("#background-green").is_checked()
    until(lambda: green(still()) > 0.15, "remembered")


def test_the_lobby_leads_to_a_call_in_two_clicks_and_is_remembered(chromium: Any, server: PageServer) -> None:
    context = chromium.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(server.url)
    page.locator("#gallery img").first.wait_for()
    assert page.locator("#lobby-skip").is_hidden()
    page.click("#start")
    page.locator("html[data-lobby]").wait_for(state="attached")
    until(lambda: bool(page.locator("#lobby-self").evaluate("(v) => v.videoWidth > 0")), "the person")
    assert page.locator("#lobby-self").evaluate("(v) => getComputedStyle(v).scale") == "-1 1", (
        "as in a mirror"
    )
    assert server.get("api/state")["sessions"] == 0, "nothing is sent yet"
    shoot(page, "lobby")
    page.click("#self-mirror")
    assert page.locator("#lobby-self").evaluate("(v) => getComputedStyle(v).scale") == "none"
    page.click("#microphone")
    until(lambda: page.locator("#level").is_visible(), "the level")
    until(lambda: float(page.locator("#level").evaluate("(m) => m.value")) > 0, "a sound")
    page.check("#lobby-skip")
    assert page.inner_text("#start") == "Go live"
    page.click("#start")
    until(lambda: page.inner_text("#count") in "321", "the countdown")
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=60 * SECONDS)
    until(lambda: page.inner_text("#reference-words").startswith("Reference set"), "the rested face")
    assert page.locator("#lobby").is_hidden()
    page.focus("#gain-head")
    page.keyboard.press("End")
    page.wait_for_timeout(200)
    page.click("#stop")
    page.reload()
    page.locator("#gallery img").first.wait_for()
    assert page.locator("#gain-head").input_value() == "2"
    assert page.get_attribute("#self-mirror", "aria-pressed") == "false"
    page.click("#start")
    page.locator("html[data-state=live]").wait_for(state="attached", timeout=60 * SECONDS)
    assert page.get_attribute("html", "data-lobby") is None, "at once, as was wished"
    context.close()
    server.wait_until_empty()


def test_on_a_phone_the_words_leave_the_heads_outline_in_view(chromium: Any, server: PageServer) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    page.locator("#gallery img").first.wait_for()
    page.click("#start")
    page.locator("html[data-lobby]").wait_for(state="attached")
    outline, words = (page.locator(what).bounding_box() for what in (".outline", "#words"))
    head = outline["y"] + 0.65 * outline["height"]
    shoot(page, "lobby-phone")
    context.close()
    assert words["y"] > head, (outline, words)


def test_a_lobby_that_is_left_sends_nothing(chromium: Any, server: PageServer) -> None:
    context = chromium.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(server.url)
    page.locator("#gallery img").first.wait_for()
    page.click("#start")
    page.locator("html[data-lobby]").wait_for(state="attached")
    page.click("#stop")
    assert page.inner_text("#state") == "Off"
    assert page.locator("#lobby").is_hidden()
    assert page.locator("#self").evaluate("(video) => video.srcObject") is None
    page.click("#start")
    page.locator("html[data-lobby]").wait_for(state="attached")
    context.close()
    assert server.get("api/state")["sessions"] == 0


def test_a_recording_is_not_stopped_unasked(page: Any) -> None:
    start(page)
    page.click("#record")
    until(lambda: page.inner_text("#recording").startswith("Recording 0:0"), "the time at the top")
    asked: list[str] = []

    def refuse(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.click("#stop")
    assert asked == ["You are recording. Stop, and keep what is recorded?"]
    assert page.inner_text("#state") == "Live"
    kinds: list[str] = []
    page.once("dialog", lambda dialog: (kinds.append(dialog.type), dialog.dismiss()))
    page.close(run_before_unload=True)
    until(lambda: page.evaluate("() => 1") == 1 and kinds == ["beforeunload"], "asked before it is left")
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_download():
        page.click("#stop")
    assert page.inner_text("#state") == "Off"


def test_on_a_phone_the_avatar_stays_in_view_while_sliders_are_pulled(
    chromium: Any, server: PageServer
) -> None:
    context = chromium.new_context(viewport={"width": 375, "height": 812}, has_touch=True)
    context.add_init_script(SKIP_LOBBY)
    page = context.new_page()
    page.goto(server.url)
    page.locator("#gallery img").first.wait_for()
    start(page)
    page.locator("#gain-micro").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    shoot(page, "phone-sliders")
    video, slider = (page.locator(at).bounding_box() for at in ("#avatar", "#gain-micro"))
    assert video["y"] >= 0 and video["y"] + video["height"] < slider["y"] < 812
    assert page.locator("#stop").bounding_box()["y"] + 24 < slider["y"]
    reference, numbers = (page.locator(at).bounding_box()["y"] for at in ("#reference", "#statistics"))
    assert reference < numbers
    assert page.locator("#plot").is_hidden()
    for width in (320, 375):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    context.close()
    server.wait_until_empty()


def test_presets_keep_the_look_and_keys_bring_it_back(page: Any) -> None:
    page.locator("text=Green screen").click()
    page.focus("#gain-head")
    page.keyboard.press("End")
    page.fill("#preset-name", "On air")
    page.keyboard.press("Enter")
    until(lambda: "On air is saved" in page.inner_text("#preset-words"), "saved")
    page.click("#reset")
    page.locator("text=Its own").click()
    page.fill("#preset-name", "Calm")
    page.locator("#preset-form button").click()
    page.locator("#presets button").first.focus()
    page.keyboard.press("1")
    assert page.locator("#gain-head").input_value() == "2"
    assert page.locator("#background-green").is_checked()
    page.keyboard.press("2")
    assert page.locator("#gain-head").input_value() == "1"
    assert page.locator("#background-its").is_checked()
    shoot(page, "presets")
    page.reload()
    page.locator("#gallery img").first.wait_for()
    assert page.locator("#presets li").count() == 2
    page.get_by_label("Remove the preset On air").click()
    assert "Calm" in page.inner_text("#presets")
    page.locator("#preset-form button").click()
    assert "Give the preset a name" in page.inner_text("#preset-words")


def test_portraits_are_tiles_with_names_that_are_added_renamed_and_removed(
    page: Any, tmp_path: Path, close_up: Image
) -> None:
    files = []
    for name in ("Ann", "Bob"):
        files.append(tmp_path / f"{name}.png")
        cv2.imwrite(str(files[-1]), cv2.cvtColor(close_up, cv2.COLOR_RGB2BGR))
    assert page.locator("#portrait-own").is_hidden(), "the server's own stays"
    nobody = tmp_path / "wall.png"
    cv2.imwrite(str(nobody), np.full((300, 300, 3), 120, np.uint8))
    page.set_input_files("#file", [files[0], nobody, files[1]])
    until(lambda: "2 of 3 portraits are ready." in page.inner_text("#portrait-words"), "both")
    assert "wall.png: No face was found" in page.inner_text("#portrait-words")
    assert shown_name(page) == "Bob"
    assert page.locator("#gallery span").all_inner_texts()[len(EXHIBITS) :] == ["Ann", "Bob"]
    page.once("dialog", lambda dialog: dialog.accept("Robert"))
    page.click("#portrait-rename")
    until(lambda: page.locator("#gallery span").last.inner_text() == "Robert", "another name")
    shoot(page, "tiles")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#portrait-remove")
    until(lambda: page.locator("#gallery img").count() == len(EXHIBITS) + 1, "removed")
    assert page.locator("#gallery input").first.is_checked()
    page.reload()
    page.locator("#gallery img").first.wait_for()
    assert page.locator("#gallery span").all_inner_texts()[len(EXHIBITS) :] == ["Ann"]


def test_the_still_is_never_the_whole_portrait(page: Any) -> None:
    """From its first moment on it is what the live image will show: there is no jump."""
    page.add_init_script("""
        window.stills = [];
        new MutationObserver((changes) => changes.forEach(({ target }) =>
            target.id === "still" && window.stills.push(target.src))).observe(
            document, { subtree: true, attributes: true, attributeFilter: ["src"] });
    """)
    page.reload()
    until(
        lambda: bool(page.locator("#still").evaluate("(img) => !img.hidden && img.naturalWidth")), "the still"
    )
    assert page.evaluate("() => window.stills.every((src) => src.startsWith('blob:'))")


def test_the_gallery_is_gone_through_by_keys_and_says_whose_each_portrait_is(page: Any) -> None:
    assert page.locator("#gallery span").all_inner_texts() == [exhibit.name for exhibit in EXHIBITS]
    page.locator("#gallery input").first.focus()
    for exhibit in EXHIBITS[1:]:
        page.keyboard.press("ArrowRight")
        until(lambda: page.inner_text("#portrait-credit").startswith(exhibit.name), "credited")  # noqa: B023
        assert exhibit.credit in page.inner_text("#portrait-credit")
    start(page)
    until(lambda: shown_name(page) == EXHIBITS[-1].name, "the one that was chosen is live")
    shoot(page, "gallery")


def shown_name(page: Any) -> str:
    return str(page.locator("#gallery label", has=page.locator("input:checked")).inner_text())


def test_hold_lets_the_avatar_rest_and_go_on(page: Any) -> None:
    start(page)
    page.keyboard.press("h")
    assert page.get_attribute("#hold", "aria-pressed") == "true"
    until(lambda: "rests until you press" in page.inner_text("#hold-words"), "the word that it rests")
    page.wait_for_timeout(1500)
    held = [shown_image(page, "#avatar") for _ in range(4) if not page.wait_for_timeout(500)]
    assert all(alike(held[0], image) > 0.9 for image in held[1:]), "it does not follow the driver"
    page.keyboard.press("h")
    until(lambda: page.inner_text("#hold-words") == "", "it goes on")


def bluish(image: Image) -> float:
    return float(((image[..., 2] > 140) & (image[..., 0] < 90)).mean())


def test_the_page_is_the_control_panel_of_this_machines_camera(obs: Any) -> None:
    """Without a camera in the browser: the server's own drives the avatar."""
    with panel_server() as (url, camera):
        page = obs.new_page(viewport=WIDE)
        page.goto(url)
        page.locator("#gallery img").first.wait_for()
        assert page.inner_text("#start") == "Show the avatar"
        assert page.locator("#microphone").is_hidden()
        assert "“Fake Camera”" in page.inner_text("#calls-words")
        start(page)
        until(lambda: shown_image(page, "#avatar").mean() > 60, "the avatar")
        assert camera.levels, "and video calls see it"
        page.locator("#gallery input").nth(1).check(force=True)
        until(lambda: shown_image(page, "#avatar")[..., 1].mean() < 40, "the red portrait")
        shoot(page, "panel")
        page.click("#stop")
        page.click("#start")
        page.locator("html[data-state=live]").wait_for(state="attached", timeout=20 * SECONDS)
        until(lambda: shown_image(page, "#avatar")[..., 1].mean() < 40, "still the red portrait")
        page.close()


@contextmanager
def panel_server() -> Iterator[tuple[str, Calls]]:
    """A server whose main avatar is driven on its own machine, in a thread with a loop of its own."""
    camera, began, end = Calls(), threading.Event(), threading.Event()
    found: list[str] = []

    async def run() -> None:
        white, red = (np.full((64, 64, 3), colour, np.uint8) for colour in (255, (255, 20, 20)))
        async with served(TintEngine(), [(white, "white"), (red, "red")], panel=True, mark=False) as server:
            server.hub.feed = Feed(camera, server.hub.shown)
            stream = await claim_main(server.hub, "the camera")
            found.append(server.url)
            began.set()
            while not end.is_set():
                image = np.full((240, 320, 3), 90, np.uint8)
                frame = Frame(image, 0, time.monotonic_ns(), time.monotonic())
                stream.session.put(lambda frame=frame: frame)  # type: ignore[misc]
                await asyncio.sleep(1 / 30)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert began.wait(20)
    yield found[0], camera
    end.set()
    thread.join(10)
