"""What visitors upload: who sees it, who keeps it, whom it makes room for."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.avatar_engine import TintEngine

from mien.streams.webrtc.isolation import Isolation
from mien.streams.webrtc.portraits import AWAY_S, UPLOADS, UPLOADS_EACH, Portrait, Portraits
from mien.streams.webrtc.problems import Problem

GREY = np.full((32, 32, 3), 128, np.uint8)


class Store:
    """The portraits of a server, with a clock and a list of what is in use that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.in_use: set[str] = set()
        self.portraits = Portraits(TintEngine(), Isolation(), lambda: self.in_use, lambda: self.now)
        self.portraits.add(GREY, "the server's")

    def upload(self, owner: str, times: int = 1) -> list[Portrait]:
        return [self.portraits.add(GREY, f"{owner} {index}", owner) for index in range(times)]

    def own(self, owner: str) -> list[str]:
        return [p.id for p in self.portraits.seen_by(owner) if p.owner is not None]


def test_a_visitors_own_oldest_upload_makes_room_and_nobody_elses() -> None:
    store = Store()
    ann = store.upload("ann", 2)
    bob = store.upload("bob", UPLOADS_EACH + 3)
    assert store.own("ann") == [p.id for p in ann]
    assert store.own("bob") == [p.id for p in bob[3:]]


def test_what_is_live_is_kept_however_many_follow() -> None:
    store = Store()
    first = store.upload("ann")[0]
    store.in_use = {first.id}
    store.upload("ann", 3 * UPLOADS_EACH)
    assert first.id in store.own("ann")
    assert len(store.own("ann")) == UPLOADS_EACH


def test_a_full_store_refuses_the_next_visitor_until_somebody_has_long_been_gone() -> None:
    store = Store()
    for visitor in range(UPLOADS // UPLOADS_EACH):
        store.upload(f"visitor {visitor}", UPLOADS_EACH)
    with pytest.raises(Problem) as refused:
        store.upload("late")
    assert refused.value.status == 503
    assert all(len(store.own(f"visitor {v}")) == UPLOADS_EACH for v in range(UPLOADS // UPLOADS_EACH))
    store.now = AWAY_S + 1
    for visitor in range(1, UPLOADS // UPLOADS_EACH):
        store.portraits.hear(f"visitor {visitor}")
    store.upload("late", 2)
    assert len(store.own("late")) == 2
    assert len(store.own("visitor 0")) == UPLOADS_EACH - 2, "gone for an hour"
    assert all(len(store.own(f"visitor {v}")) == UPLOADS_EACH for v in range(1, UPLOADS // UPLOADS_EACH))
