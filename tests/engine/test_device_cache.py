"""Device-resident objects: everything in use stays, however much; the rest makes room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mien.engine.runtime.cuda import OutOfMemory
from mien.engine.runtime.device_cache import IDLE_S, DeviceCache


@dataclass(eq=False)
class Thing:
    name: str


class Device:
    """Counts the objects on it; full at ``room``."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.lying: list[Thing] = []
        self.made: list[str] = []
        self.now = 0.0

    def cache(self, limit: int) -> DeviceCache[Thing, Thing]:
        return DeviceCache(self._make, limit, self.lying.remove, lambda: self.now)

    def _make(self, thing: Thing) -> Thing:
        if len(self.lying) >= self.room:
            raise OutOfMemory("the GPU's memory is full")
        self.lying.append(thing)
        self.made.append(thing.name)
        return thing


def things(count: int) -> list[Thing]:
    return [Thing(str(k)) for k in range(count)]


def test_all_objects_in_use_stay_however_many_they_are() -> None:
    device = Device()
    kept = device.cache(4)
    drivers = things(20)
    for _ in range(5):
        device.now += 1 / 30
        for driver in drivers:
            assert kept.get(driver) is driver
    assert len(device.made) == 20


def test_unused_objects_make_room_the_longest_unused_first() -> None:
    device = Device()
    kept = device.cache(4)
    gone, here = things(6), things(3)
    kept.all(gone)
    device.now = 1.0
    kept.get(gone[1])
    device.now = IDLE_S + 0.5
    kept.all(here)
    # Six were in use, above the limit; all but the one used since then have made room.
    assert gone[1] in kept
    assert [thing in kept for thing in gone].count(True) == 1
    assert all(thing in kept for thing in here)
    assert len(kept) == 4
    kept.close()
    assert device.lying == []


def test_a_full_gpu_keeps_the_objects_requested_now() -> None:
    device = Device(room=3)
    kept = device.cache(16)
    old = things(3)
    kept.all(old)
    new = things(2)
    assert kept.all([old[0], *new]) == [old[0], *new]
    assert [thing in kept for thing in old] == [True, False, False]
    with pytest.raises(OutOfMemory):
        kept.all([*things(3), old[0]])


def test_a_released_key_is_not_mistaken_for_another() -> None:
    device = Device()
    kept = device.cache(2)
    for number in range(50):  # ids of released objects are reused
        device.now += IDLE_S + 1
        assert kept.get(Thing(str(number))).name == str(number)
    assert len(kept) == 2
