"""The shared renderer: several drivers, each with an avatar, in one render thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from time import monotonic, monotonic_ns, sleep

import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.landmarks import make_landmarker
from mien.engine.motion import Gains
from mien.engine.runtime import Runtime
from mien.engine.session import shared_renderer
from mien.engine.session.shared_renderer import SharedRenderer
from mien.engine.types import Frame, Image, MienError, Rendered
from mien.engine.utils.throttled_log import ThrottledLog


@pytest.fixture
def shared(runtime: Runtime) -> Iterator[SharedRenderer]:
    with SharedRenderer(runtime, make_landmarker, crop=128) as shared:
        yield shared


def frame(image: Image, index: int) -> Frame:
    return Frame(image, index, monotonic_ns(), index / 30)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "timed out"
        sleep(0.005)


def test_every_driver_gets_the_image_of_their_own_avatar(
    shared: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    seen: list[list[Rendered]] = [[], []]
    threads: set[str] = set()

    def deliver(number: int) -> Callable[[Rendered], None]:
        def take(rendered: Rendered) -> None:
            threads.add(threading.current_thread().name)
            seen[number].append(rendered)

        return take

    sessions = [shared.open(avatar, deliver(number)) for number in range(2)]
    assert shared.sessions == 2
    for index in range(3):
        for session in sessions:
            session.put(lambda index=index: frame(close_up, index))
        until(lambda index=index: all(len(images) > index for images in seen))
    assert threads == {"shared renderer"}
    assert all(rendered.image.shape == (128, 128, 3) for images in seen for rendered in images)
    assert [rendered.index for rendered in seen[0]] == [0, 1, 2]
    assert {"track", "render", "model"} <= set(seen[0][0].stage_ms)
    assert shared.rendered == 6


def test_frames_overtaken_by_newer_ones_are_never_rendered(
    shared: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    seen: list[Rendered] = []
    made: list[int] = []
    gate = threading.Event()

    def make(index: int) -> Callable[[], Frame]:
        def now() -> Frame:
            made.append(index)
            gate.wait(10)
            return frame(close_up, index)

        return now

    session = shared.open(avatar, seen.append)
    session.put(make(0))
    until(lambda: made)
    for index in range(1, 6):
        session.put(make(index))
    gate.set()
    until(lambda: len(seen) == 2)
    assert made == [0, 5]
    assert session.dropped == 4


def test_a_frame_waits_for_nobody_where_each_is_drawn_by_itself(
    shared: SharedRenderer, avatar: Avatar, close_up: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_renderer, "WAIT_S", 600.0)
    shared.turns.release()  # on any machine both are tracked at once
    seen: list[Rendered] = []
    gate = threading.Event()
    slow, quick = shared.open(avatar, seen.append), shared.open(avatar, seen.append)

    def tracked_later() -> Frame:
        gate.wait(60)
        return frame(close_up, 1)

    slow.put(tracked_later)
    until(lambda: slow.tracking)
    quick.put(lambda: frame(close_up, 0))
    until(lambda: seen)
    gate.set()
    assert seen[0].index == 0


def test_drivers_take_turns_in_being_tracked_and_then_show_their_newest_frame(
    runtime: Runtime, avatar: Avatar, close_up: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_renderer, "_trackers", lambda: 1)
    seen: list[Rendered] = []
    begun, gate = threading.Event(), threading.Event()

    def tracked_later() -> Frame:
        begun.set()
        gate.wait(60)
        return frame(close_up, 0)

    with SharedRenderer(runtime, make_landmarker, crop=128) as shared:
        first, second = shared.open(avatar, seen.append), shared.open(avatar, seen.append)
        first.put(tracked_later)
        assert begun.wait(60)
        for index in (1, 2, 3):
            second.put(lambda index=index: frame(close_up, index))
            sleep(0.02)
        assert not seen
        gate.set()
        until(lambda: len(seen) == 2)
    assert [rendered.index for rendered in seen] == [0, 3]
    assert second.dropped == 2


def test_no_frame_is_tracked_while_the_last_one_waits_to_be_rendered(
    shared: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    seen: list[Rendered] = []
    made: list[int] = []
    session = shared.open(avatar, seen.append)

    def make(index: int) -> Callable[[], Frame]:
        def now() -> Frame:
            made.append(index)
            return frame(close_up, index)

        return now

    busy, gate = threading.Event(), threading.Event()

    def occupy() -> None:
        busy.set()
        gate.wait(60)

    shared.call(occupy)
    assert busy.wait(60)
    session.put(make(0))
    until(lambda: made and not session.tracking)
    for index in range(1, 6):
        session.put(make(index))
        sleep(0.02)
    assert made == [0] and session.dropped == 4
    gate.set()
    until(lambda: len(seen) == 2)
    assert made == [0, 5] == [rendered.index for rendered in seen], "the newest comes next"


def test_user_commands_are_never_dropped(shared: SharedRenderer, avatar: Avatar, close_up: Image) -> None:
    seen: list[Rendered] = []
    session = shared.open(avatar, seen.append)
    early = session.take_reference()
    with pytest.raises(MienError, match="No face"):
        early.result(10)
    assert session.hint() == (False, "no face is seen")
    session.put(lambda: frame(close_up, 0))
    until(lambda: seen)
    wishes = [session.take_reference() for _ in range(20)]
    for index in range(10):
        session.put(lambda index=index: frame(close_up, 1 + index))
    assert [wish.result(20) for wish in wishes] == [None] * 20
    session.set_gains(Gains(expression=0.5))
    assert session.gains.expression == 0.5


def test_the_best_reference_is_found_in_time(shared: SharedRenderer, avatar: Avatar, close_up: Image) -> None:
    session = shared.open(avatar, lambda _: None)
    found = session.search_reference(0.3)
    for index in range(200):
        session.put(lambda index=index: frame(close_up, index))
        if found.done():
            break
        sleep(0.05)
    assert found.result(1) is None


def test_callers_waiting_for_a_reference_are_told_when_there_will_be_none(
    shared: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    session = shared.open(avatar, lambda _: None)
    first, second = session.search_reference(60), session.search_reference(60)
    until(first.cancelled)
    session.put(lambda: frame(close_up, 0))
    until(lambda: session.hint()[1] != "no face is seen")
    assert session.take_reference().result(20) is None
    assert second.cancelled(), "the manual reference replaced it"
    third = session.search_reference(60)
    session.close()
    assert third.cancelled() and session.take_reference().cancelled()

    busy = shared.open(avatar, lambda _: None)
    gate, begun = threading.Event(), threading.Event()

    def slow() -> Frame:
        begun.set()
        gate.wait(60)
        return frame(close_up, 0)

    busy.put(slow)
    begun.wait(60)
    waiting = busy.take_reference(), busy.search_reference(60)
    closing = threading.Thread(target=busy.close)
    closing.start()
    until(lambda: busy._ended)
    gate.set()
    closing.join(60)
    assert all(future.cancelled() for future in waiting), "those requested and never started"

    faceless = shared.open(avatar, lambda _: None)
    search = faceless.search_reference(0.0)
    faceless.put(lambda: frame(np.zeros_like(close_up), 0))
    with pytest.raises(MienError, match="No face was seen"):
        search.result(20)


def test_a_closed_renderer_accepts_no_driver(runtime: Runtime, avatar: Avatar) -> None:
    shared = SharedRenderer(runtime, make_landmarker, crop=128)
    shared.close()
    with pytest.raises(RuntimeError, match="closed"):
        shared.open(avatar, lambda _: None)


def test_a_new_avatar_is_drawn_from_the_next_frame_on(
    shared: SharedRenderer, avatar: Avatar, astronaut: Image, close_up: Image
) -> None:
    flipped = np.ascontiguousarray(astronaut[:, ::-1])
    with make_landmarker() as landmarker:
        other = Avatar.of(flipped, landmarker, shared.shared())
    seen: list[Rendered] = []
    session = shared.open(avatar, seen.append)
    session.put(lambda: frame(close_up, 0))
    until(lambda: seen)
    session.set_avatar(other)
    session.put(lambda: frame(close_up, 1))
    until(lambda: len(seen) == 2)
    first, second = (rendered.image.astype(np.int16) for rendered in seen)
    assert np.abs(first - second).mean() > 10
    assert np.abs(first - second[:, ::-1]).mean() < np.abs(first - second).mean() / 2


def test_one_bad_frame_ends_nobodys_stream(shared: SharedRenderer, avatar: Avatar, close_up: Image) -> None:
    seen: list[Rendered] = []
    session = shared.open(avatar, seen.append)

    def broken() -> Frame:
        raise ValueError("a picture that cannot be decoded")

    session.put(broken)
    sleep(0.1)
    session.put(lambda: frame(close_up, 1))
    until(lambda: seen)
    assert seen[0].index == 1


def test_an_error_repeated_in_every_frame_is_logged_now_and_then(
    shared: SharedRenderer, avatar: Avatar, caplog: pytest.LogCaptureFixture
) -> None:
    session = shared.open(avatar, lambda _: None)
    tried: list[int] = []

    def broken(index: int) -> Frame:
        tried.append(index)
        raise ValueError("a picture that cannot be decoded")

    for index in range(30):
        session.put(lambda index=index: broken(index))
        until(lambda index=index: len(tried) > index)
    session.close()
    told = [record for record in caplog.records if "could not be tracked" in record.message]
    assert len(told) == 1 and told[0].exc_info is not None


def test_the_next_line_counts_the_suppressed_ones(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    trouble = ThrottledLog(logging.getLogger("mien.engine"), lambda: now)
    for seconds in range(25):
        now = float(seconds)
        for event in ("drawing failed", "tracking failed"):
            try:
                raise ValueError(event)
            except ValueError:
                trouble.exception(event)
    assert [record.message for record in caplog.records if "drawing" in record.message] == [
        "drawing failed",
        "drawing failed (9 times more since the last such line)",
        "drawing failed (9 times more since the last such line)",
    ]
    assert len(caplog.records) == 6


def test_a_closed_session_frees_its_thread_and_passes_its_landmarker_on(
    shared: SharedRenderer, avatar: Avatar
) -> None:
    before = threading.active_count()
    for _ in range(5):
        session = shared.open(avatar, lambda _: None)
        session.close()
        session.close()
    assert threading.active_count() == before
    assert shared.sessions == 0
    assert len(shared._spare) == 1


def test_work_for_a_closed_renderer_is_refused(runtime: Runtime) -> None:
    shared = SharedRenderer(runtime, make_landmarker)
    shared.close()
    with pytest.raises(RuntimeError, match="closed"):
        shared.call(lambda: 1).result(1)
