"""Links pass items between threads: the newest wins or the producer waits, and an end has a reason."""

from __future__ import annotations

import threading
import time

import pytest

from mien.engine.utils.links import Closed, Link, Policy


def test_the_newest_item_wins_and_the_others_are_counted() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    for item in range(5):
        link.put(item)
    assert link.peek(0) == 4
    assert link.take(0) == 4
    assert link.dropped == 4
    assert link.take(0.01) is None


def test_a_waiting_taker_is_woken() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    threading.Timer(0.05, link.put, [7]).start()
    start = time.monotonic()
    assert link.take(5) == 7
    assert time.monotonic() - start < 1


def test_a_closed_link_gives_the_last_item_then_the_error_once_then_ends() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    link.put(1)
    link.close(ValueError("broken"))
    link.close()
    assert link.take(1) == 1
    with pytest.raises(ValueError, match="broken"):
        link.take(1)
    with pytest.raises(Closed):
        link.take(1)


def test_no_item_is_lost_or_doubled_between_threads() -> None:
    link: Link[int] = Link(Policy.NEWEST)
    taken: list[int] = []

    def give() -> None:
        for item in range(5000):
            link.put(item)
        link.close()

    thread = threading.Thread(target=give)
    thread.start()
    with pytest.raises(Closed):
        while True:
            item = link.take(1)
            assert item is not None
            taken.append(item)
    thread.join()
    assert taken == sorted(set(taken))
    assert taken[-1] == 4999
    assert len(taken) + link.dropped == 5000
