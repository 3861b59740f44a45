"""The model's owner: several drivers, each with an avatar, from one rendering thread."""

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
from mien.engine.session.shared_renderer import SharedRenderer
from mien.engine.types import Frame, Image, MienError, Rendered
from mien.engine.utils.throttled_log import ThrottledLog


@pytest.fixture
def owner(runtime: Runtime) -> Iterator[SharedRenderer]:
    with SharedRenderer(runtime, make_landmarker, crop=128) as owner:
        yield owner


def frame(image: Image, index: int) -> Frame:
    return Frame(image, index, monotonic_ns(), index / 30)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.005)


def test_every_driver_gets_its_own_avatars_picture(
    owner: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    seen: list[list[Rendered]] = [[], []]
    threads: set[str] = set()

    def deliver(number: int) -> Callable[[Rendered], None]:
        def take(rendered: Rendered) -> None:
            threads.add(threading.current_thread().name)
            seen[number].append(rendered)

        return take

    sessions = [owner.open(avatar, deliver(number)) for number in range(2)]
    assert owner.sessions == 2
    for index in range(3):
        for session in sessions:
            session.put(lambda index=index: frame(close_up, index))
        until(lambda index=index: all(len(pictures) > index for pictures in seen))
    assert threads == {"model owner"}
    assert all(rendered.image.shape == (128, 128, 3) for pictures in seen for rendered in pictures)
    assert [rendered.index for rendered in seen[0]] == [0, 1, 2]
    assert {"track", "render", "model"} <= set(seen[0][0].stage_ms)
    assert owner.rendered == 6


def test_pictures_that_a_newer_one_overtook_are_never_made(
    owner: SharedRenderer, avatar: Avatar, close_up: Image
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

    session = owner.open(avatar, seen.append)
    session.put(make(0))
    until(lambda: made)
    for index in range(1, 6):
        session.put(make(index))
    gate.set()
    until(lambda: len(seen) == 2)
    assert made == [0, 5]
    assert session.dropped == 4


def test_what_the_user_asks_for_is_never_dropped(
    owner: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    seen: list[Rendered] = []
    session = owner.open(avatar, seen.append)
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


def test_the_best_reference_is_found_in_time(owner: SharedRenderer, avatar: Avatar, close_up: Image) -> None:
    session = owner.open(avatar, lambda _: None)
    found = session.search_reference(0.3)
    for index in range(200):
        session.put(lambda index=index: frame(close_up, index))
        if found.done():
            break
        sleep(0.05)
    assert found.result(1) is None


def test_whoever_waits_for_a_reference_is_told_when_there_will_be_none(
    owner: SharedRenderer, avatar: Avatar, close_up: Image
) -> None:
    session = owner.open(avatar, lambda _: None)
    first, second = session.search_reference(60), session.search_reference(60)
    until(first.cancelled)
    session.put(lambda: frame(close_up, 0))
    until(lambda: session.hint()[1] != "no face is seen")
    assert session.take_reference().result(20) is None
    assert second.cancelled(), "the reference by hand took its place"
    third = session.search_reference(60)
    session.close()
    assert third.cancelled() and session.take_reference().cancelled()

    busy = owner.open(avatar, lambda _: None)
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
    assert all(future.cancelled() for future in waiting), "what was asked for, and never begun"

    faceless = owner.open(avatar, lambda _: None)
    search = faceless.search_reference(0.0)
    faceless.put(lambda: frame(np.zeros_like(close_up), 0))
    with pytest.raises(MienError, match="No face was seen"):
        search.result(20)


def test_a_closed_owner_takes_no_driver(runtime: Runtime, avatar: Avatar) -> None:
    owner = SharedRenderer(runtime, make_landmarker, crop=128)
    owner.close()
    with pytest.raises(RuntimeError, match="closed"):
        owner.open(avatar, lambda _: None)


def test_a_new_avatar_is_drawn_from_the_next_picture_on(
    owner: SharedRenderer, avatar: Avatar, astronaut: Image, close_up: Image
) -> None:
    flipped = np.ascontiguousarray(astronaut[:, ::-1])
    with make_landmarker() as landmarker:
        other = Avatar.of(flipped, landmarker, owner.shared())
    seen: list[Rendered] = []
    session = owner.open(avatar, seen.append)
    session.put(lambda: frame(close_up, 0))
    until(lambda: seen)
    session.set_avatar(other)
    session.put(lambda: frame(close_up, 1))
    until(lambda: len(seen) == 2)
    first, second = (rendered.image.astype(np.int16) for rendered in seen)
    assert np.abs(first - second).mean() > 10
    assert np.abs(first - second[:, ::-1]).mean() < np.abs(first - second).mean() / 2


def test_one_bad_picture_ends_nobodys_stream(owner: SharedRenderer, avatar: Avatar, close_up: Image) -> None:
    seen: list[Rendered] = []
    session = owner.open(avatar, seen.append)

    def broken() -> Frame:
        raise ValueError("a picture that cannot be decoded")

    session.put(broken)
    sleep(0.1)
    session.put(lambda: frame(close_up, 1))
    until(lambda: seen)
    assert seen[0].index == 1


def test_what_fails_with_every_picture_is_told_now_and_then(
    owner: SharedRenderer, avatar: Avatar, caplog: pytest.LogCaptureFixture
) -> None:
    session = owner.open(avatar, lambda _: None)
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


def test_the_next_line_counts_what_was_kept_back(caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_closed_session_frees_its_thread_and_lends_its_landmarker_on(
    owner: SharedRenderer, avatar: Avatar
) -> None:
    before = threading.active_count()
    for _ in range(5):
        session = owner.open(avatar, lambda _: None)
        session.close()
        session.close()
    assert threading.active_count() == before
    assert owner.sessions == 0
    assert len(owner._spare) == 1


def test_work_for_a_closed_owner_is_refused(runtime: Runtime) -> None:
    owner = SharedRenderer(runtime, make_landmarker)
    owner.close()
    with pytest.raises(RuntimeError, match="closed"):
        owner.call(lambda: 1).result(1)
