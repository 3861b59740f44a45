"""What stays on a card: everything in use, however much that is; the rest makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mien.engine.runtime.cuda import OutOfMemory
from mien.engine.runtime.device_cache import IDLE_S, DeviceCache


@dataclass(eq=False)
class Thing:
    name: str


class Card:
    """Counts what lies on it; full at ``room``."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.lying: list[Thing] = []
        self.made: list[str] = []
        self.now = 0.0

    def residents(self, limit: int) -> DeviceCache[Thing, Thing]:
        return DeviceCache(self._make, limit, self.lying.remove, lambda: self.now)

    def _make(self, thing: Thing) -> Thing:
        if len(self.lying) >= self.room:
            raise OutOfMemory("the GPU's memory is full")
        self.lying.append(thing)
        self.made.append(thing.name)
        return thing


def things(count: int) -> list[Thing]:
    return [Thing(str(k)) for k in range(count)]


def test_all_in_use_stay_however_many_they_are() -> None:
    card = Card()
    kept = card.residents(4)
    drivers = things(20)
    for _ in range(5):
        card.now += 1 / 30
        for driver in drivers:
            assert kept.get(driver) is driver
    assert len(card.made) == 20


def test_those_that_left_make_room_the_longest_unused_first() -> None:
    card = Card()
    kept = card.residents(4)
    gone, here = things(6), things(3)
    kept.all(gone)
    card.now = 1.0
    kept.get(gone[1])
    card.now = IDLE_S + 0.5
    kept.all(here)
    # Six were in use, above the limit; all but the one that was used since then have made room.
    assert gone[1] in kept
    assert [thing in kept for thing in gone].count(True) == 1
    assert all(thing in kept for thing in here)
    assert len(kept) == 4
    kept.close()
    assert card.lying == []


def test_a_full_card_keeps_what_is_wanted_now() -> None:
    card = Card(room=3)
    kept = card.residents(16)
    old = things(3)
    kept.all(old)
    new = things(2)
    assert kept.all([old[0], *new]) == [old[0], *new]
    assert [thing in kept for thing in old] == [True, False, False]
    with pytest.raises(OutOfMemory):
        kept.all([*things(3), old[0]])


def test_one_that_is_gone_is_not_mistaken_for_another() -> None:
    card = Card()
    kept = card.residents(2)
    for number in range(50):  # identities of objects that nobody holds are given out again
        card.now += IDLE_S + 1
        assert kept.get(Thing(str(number))).name == str(number)
    assert len(kept) == 2
