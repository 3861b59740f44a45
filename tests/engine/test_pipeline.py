"""Links and pipelines: policies, commands, errors, and ends in any order; real threads throughout."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from mien.engine.pipeline.pipeline import Pipeline
from mien.engine.types import MienError
from mien.engine.utils.links import Closed, Link, Policy
from mien.engine.utils.samples import Samples


def slowly(count: int, seconds: float) -> Iterator[int]:
    for number in range(count):
        time.sleep(seconds)
        yield number


def test_the_newest_wins_and_what_it_replaced_is_counted() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    assert all(link.put(number) for number in range(5))
    assert link.take(0) == 4 and link.dropped == 4
    assert link.take(0.01) is None


def test_a_deeper_newest_link_forgets_the_oldest() -> None:
    link: Link[int] = Link(Policy.NEWEST, 3)
    for number in range(5):
        link.put(number)
    assert [link.take(0) for _ in range(3)] == [2, 3, 4] and link.dropped == 2


def test_a_waiting_link_loses_nothing_and_never_grows() -> None:
    link: Link[int] = Link(Policy.WAIT, 2)
    longest = 0

    def give() -> None:
        for number in range(500):
            link.put(number)
        link.close()

    threading.Thread(target=give).start()
    taken = []
    for number in link:
        longest = max(longest, len(link))
        taken.append(number)
    assert taken == list(range(500)) and longest <= 2 and link.dropped == 0


def test_a_closed_link_gives_what_it_holds_and_takes_no_more() -> None:
    link: Link[int] = Link(Policy.WAIT)
    link.put(1)
    link.close()
    link.close()
    assert not link.put(2)
    assert link.take(0) == 1
    with pytest.raises(Closed):
        link.take(0)


def test_a_producer_waiting_for_room_is_released_at_the_end() -> None:
    link: Link[int] = Link(Policy.WAIT)
    link.put(1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(link.put(2)))
    giver.start()
    link.abort()
    giver.join(5)
    assert answers == [False] and len(link) == 0


def test_a_link_reports_how_long_an_item_waited() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    link.put(1)
    time.sleep(0.05)
    link.take()
    assert 0.04 < link.waited < 1.0


def test_items_pass_through_every_stage_in_order() -> None:
    first: Link[int] = Link(Policy.WAIT)
    second: Link[int] = Link(Policy.WAIT)
    pipeline = Pipeline()
    pipeline.feed("count", range(100), [first])
    stage = pipeline.stage("double", lambda n: 2 * n, first, [second])
    with pipeline:
        assert list(second) == [2 * n for n in range(100)]
    assert stage.work_ms.count == 100 and not pipeline.running


def test_a_slow_stage_sees_only_the_newest_and_holds_nothing_up() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    seen: list[int] = []
    pipeline = Pipeline()
    pipeline.feed("count", slowly(60, 0.005), [link])
    pipeline.stage("sleep", lambda n: (time.sleep(0.05), seen.append(n))[1], link)
    start = time.monotonic()
    pipeline.start()
    assert pipeline.wait(10)
    assert time.monotonic() - start < 3
    assert seen[-1] == 59, "the last one arrives"
    assert len(seen) + link.dropped == 60 and link.dropped > 20


def test_a_slow_output_never_slows_the_others() -> None:
    first: Link[int] = Link(Policy.WAIT)
    quick: Link[int] = Link(Policy.NEWEST, 200)
    slow: Link[int] = Link(Policy.NEWEST)
    arrived: list[float] = []
    blocked = threading.Event()
    pipeline = Pipeline()
    pipeline.feed("count", slowly(60, 0.01), [first])
    pipeline.stage("copy", lambda n: n, first, [quick, slow])
    pipeline.stage("quick", lambda _: arrived.append(time.monotonic()), quick)
    pipeline.stage("slow", lambda _: blocked.wait(2.0) and None, slow)
    pipeline.start()
    end = time.monotonic() + 60
    while len(arrived) < 60:
        assert time.monotonic() < end, f"only {len(arrived)} arrived"
        time.sleep(0.01)
    blocked.set()
    assert pipeline.wait(10)
    assert max(b - a for a, b in itertools.pairwise(arrived)) < 0.5


def test_commands_are_never_dropped_and_run_in_order_in_the_stages_thread() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    pipeline, told = Pipeline(), threading.Event()
    images = itertools.takewhile(lambda _: not told.is_set(), slowly(10_000, 0.005))
    pipeline.feed("count", images, [link])
    stage = pipeline.stage("work", lambda _: time.sleep(0.02), link)
    ran: list[tuple[int, str]] = []
    with pipeline:
        for number in range(200):
            assert stage.tell(lambda number=number: ran.append((number, threading.current_thread().name)))
        told.set()
        pipeline.wait(10)
    assert ran == [(number, "work") for number in range(200)]
    assert not stage.tell(lambda: None), "an ended stage reports that it will do nothing"


def test_a_command_runs_even_without_a_frame() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    done, end = threading.Event(), threading.Event()
    pipeline = Pipeline()
    pipeline.feed("stalled", iter(lambda: end.wait(20) and None, 1), [link], end.set)
    stage = pipeline.stage("work", lambda _: None, link)
    with pipeline:
        stage.tell(done.set)
        assert done.wait(60)


def test_an_error_is_raised_once_in_words_after_the_pipeline_has_closed() -> None:
    first: Link[int] = Link(Policy.WAIT)
    second: Link[int] = Link(Policy.WAIT)
    pipeline = Pipeline()
    pipeline.feed("count", itertools.count(), [first])
    pipeline.stage("divide", lambda n: 1 // (3 - n), first, [second])
    pipeline.start()
    assert list(second) in ([], [0], [0, 0], [0, 0, 1]), "later stages end"
    with pytest.raises(MienError, match=r"The divide stage failed \(ZeroDivisionError"):
        pipeline.wait(5)
    assert not pipeline.running
    assert pipeline.wait(0)
    pipeline.stop()


def test_a_mien_error_keeps_its_text() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise MienError("The camera is gone. Plug it in.")

    link: Link[int] = Link(Policy.WAIT)
    pipeline = Pipeline()
    pipeline.feed("capture", broken(), [link])
    pipeline.stage("work", lambda _: None, link)
    with pytest.raises(MienError, match=r"^The camera is gone\. Plug it in\.$"), pipeline:
        pipeline.wait(5)


def test_an_optional_stage_fails_alone() -> None:
    first: Link[int] = Link(Policy.WAIT)
    one: Link[int] = Link(Policy.WAIT, 100)
    other: Link[int] = Link(Policy.NEWEST)
    told: list[str] = []
    kept: list[int] = []
    pipeline = Pipeline(on_fault=lambda stage: told.append(f"{stage.name}: {stage.fault}"))
    pipeline.feed("count", range(50), [first])
    pipeline.stage("copy", lambda n: n, first, [one, other])
    pipeline.stage("keep", kept.append, one)

    def fail(_: int) -> None:
        raise MienError("taken away")

    pipeline.stage("camera", fail, other, required=False)
    pipeline.start()
    assert pipeline.wait(5)
    assert kept == list(range(50)) and told == ["camera: taken away"]


def test_the_end_finishes_items_in_flight() -> None:
    link: Link[int] = Link(Policy.WAIT, 10)
    kept: list[int] = []
    finished: list[int] = []
    pipeline = Pipeline()
    pipeline.feed("count", slowly(10_000, 0.001), [link])
    pipeline.stage(
        "keep", lambda n: (time.sleep(0.01), kept.append(n))[1], link, finish=lambda: finished.append(1)
    )
    pipeline.start()
    time.sleep(0.1)
    pipeline.end()
    assert pipeline.wait(5)
    assert kept == list(range(len(kept))) and len(kept) >= 10 and finished == [1]


@pytest.mark.parametrize("order", ["never started", "stop first", "twice", "from a stage", "by two threads"])
def test_start_and_stop_in_any_order(order: str) -> None:
    link: Link[int] = Link(Policy.NEWEST)
    pipeline = Pipeline()
    pipeline.feed("count", slowly(10_000, 0.001), [link])
    stage = pipeline.stage("work", lambda _: None, link)
    if order == "stop first":
        pipeline.stop()
    if order != "never started":
        pipeline.start()
        pipeline.start()
    if order == "from a stage":
        stage.tell(pipeline.stop)
    elif order == "by two threads":
        stopper = threading.Thread(target=pipeline.stop)
        stopper.start()
        pipeline.stop()
        stopper.join()
    else:
        pipeline.stop()
        pipeline.stop()
    assert pipeline.wait(5) and not pipeline.running


def test_a_stop_during_the_start_reaches_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    link: Link[int] = Link(Policy.NEWEST)
    pipeline = Pipeline()
    pipeline.feed("count", slowly(10_000, 0.001), [link])
    pipeline.stage("work", lambda _: None, link)
    errors: list[Exception] = []
    start = threading.Thread.start

    def stop() -> None:
        try:
            pipeline.stop()
        except Exception as error:
            errors.append(error)

    stopper = threading.Thread(target=stop, name="stopper")

    def late(thread: threading.Thread) -> None:
        # Between creating and starting a stage's thread, somebody else stops everything.
        if thread.name == "work":
            start(stopper)
            stopper.join(0.2)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", late)
    pipeline.start()
    stopper.join(10)
    assert errors == [] and not stopper.is_alive()
    assert not pipeline.running, "after a stop has returned, nothing runs"
    assert not any(thread.name in ("count", "work") for thread in threading.enumerate())


def test_a_start_that_is_interrupted_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    link: Link[int] = Link(Policy.NEWEST)
    pipeline = Pipeline()
    pipeline.feed("count", slowly(10_000, 0.001), [link])
    pipeline.stage("work", lambda _: None, link)
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "count":
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), pipeline:
        pass
    assert not pipeline.running


@pytest.mark.parametrize("required", [True, False])
def test_the_first_error_takes_precedence_over_that_of_the_cleanup(required: bool) -> None:
    link: Link[int] = Link(Policy.WAIT)
    pipeline = Pipeline()
    pipeline.feed("count", range(3), [link])

    def full(_: int) -> None:
        raise MienError("The disk is full.")

    def close() -> None:
        raise ValueError("close() of a file that is broken")

    stage = pipeline.stage("recording", full, link, required=required, finish=close)
    pipeline.start()
    if required:
        with pytest.raises(MienError, match=r"^The disk is full\.$"):
            pipeline.wait(5)
    else:
        assert pipeline.wait(5)
    assert str(stage.fault) == "The disk is full."


def test_an_error_of_the_cleanup_alone_is_reported() -> None:
    link: Link[int] = Link(Policy.WAIT)
    pipeline = Pipeline()
    pipeline.feed("count", range(3), [link])

    def close() -> None:
        raise MienError("The disk is full.")

    pipeline.stage("recording", lambda _: None, link, finish=close)
    pipeline.start()
    with pytest.raises(MienError, match=r"^The disk is full\.$"):
        pipeline.wait(5)


def test_a_hanging_source_does_not_delay_the_end() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    release = threading.Event()
    pipeline = Pipeline()
    pipeline.feed("hangs", iter(lambda: release.wait(30), None), [link])
    pipeline.stage("work", lambda _: None, link)
    pipeline.start()
    start = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - start < 5
    release.set()


def test_samples_keep_the_newest_and_never_grow() -> None:
    samples = Samples(10)
    for number in range(95):
        samples.add(number)
    assert samples.values.tolist() == list(range(85, 95)) and samples.count == 95
    assert samples.percentile(50) == pytest.approx(89.5)
