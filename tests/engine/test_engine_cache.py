"""The engine cache: atomic, for exactly this machine, and never two builds at once."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from mien.engine.runtime.tensorrt import cache as cache_module
from mien.engine.runtime.tensorrt.cache import EngineCache, EngineKey, default_folder

KEY = EngineKey(
    part="live-renderer",
    weights="abc",
    card="RTX 9090",
    capability="12.0",
    driver="580.1",
    backend="tensorrt 10.0",
    precision="fp16",
    shapes="x=1",
)


def test_what_was_stored_is_found(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "deep" / "engines")
    assert cache.load(KEY) is None
    assert cache.store(KEY, b"engine\nwith\0bytes") is None
    assert cache.load(KEY) == b"engine\nwith\0bytes"
    assert [entry.key for entry in cache.entries()] == [KEY]


@pytest.mark.parametrize(
    "field", ["weights", "card", "capability", "driver", "backend", "precision", "shapes"]
)
def test_an_engine_for_anything_else_is_not_used(field: str, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.store(KEY, b"engine")
    assert cache.load(replace(KEY, **{field: "other"})) is None


def test_a_driver_update_replaces_the_engine(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.store(KEY, b"old")
    updated = replace(KEY, driver="581.0")
    assert cache.load(updated) is None
    cache.store(updated, b"new")
    assert cache.load(updated) == b"new"
    assert len(cache.entries()) == 1  # the old driver's engine is obsolete


def test_engines_of_other_gpus_precisions_and_shapes_stay(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    keys = [KEY, *(replace(KEY, **{name: "other"}) for name in ("card", "precision", "shapes", "part"))]
    for key in keys:
        cache.store(key, b"engine")
    assert all(cache.load(key) == b"engine" for key in keys)


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "garbage"])
def test_a_damaged_file_is_treated_as_missing(damage: str, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.store(KEY, b"engine" * 100)
    path = tmp_path / KEY.file_name
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[:-10],
            "changed": content[:-1] + b"X",
            "empty": b"",
            "garbage": os.urandom(300),
        }[damage]
    )
    assert cache.load(KEY) is None
    assert cache.store(KEY, b"again") is None
    assert cache.load(KEY) == b"again"


def test_an_unwritable_folder_is_reported_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    cache = EngineCache(blocked / "engines")
    problem = cache.store(KEY, b"engine")
    assert problem is not None
    assert "cannot be stored" in problem
    assert "\n" not in problem
    assert cache.load(KEY) is None
    assert cache.entries() == []
    with cache.building(KEY):  # no lock is possible there: building continues without
        pass


@pytest.mark.skipif(os.name == "nt", reason="flock")
def test_engines_are_built_on_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, *, wait: bool) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(cache_module, "lock", no_locks)
    cache = EngineCache(tmp_path)
    with cache.building(KEY):
        assert cache.store(KEY, b"engine") is None
    assert cache.load(KEY) == b"engine"


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = EngineCache(tmp_path)
    cache.store(KEY, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    problem = cache.store(KEY, b"new")
    assert problem is not None
    assert "No space left" in problem
    assert cache.load(KEY) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [KEY.file_name]


def _build(folder: Path, log: Queue[str]) -> None:
    cache = EngineCache(folder)
    with cache.building(KEY):
        if cache.load(KEY) is None:
            time.sleep(0.5)
            cache.store(KEY, b"engine")
            log.put("built")
        else:
            log.put("found")


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_two_processes_build_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log: Queue[str] = context.Queue()
    processes = [context.Process(target=_build, args=(tmp_path, log)) for _ in range(2)]
    for process in processes:
        process.start()
    words = sorted(log.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert words == ["built", "found"]


def _hold_and_die(folder: Path, log: Queue[str]) -> None:
    with EngineCache(folder).building(KEY):
        log.put("locked")
        log.close()
        log.join_thread()
        os._exit(1)


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_a_builder_that_died_blocks_nobody(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log: Queue[str] = context.Queue()
    process = context.Process(target=_hold_and_die, args=(tmp_path, log))
    process.start()
    assert log.get(timeout=60) == "locked"
    process.join()
    assert len(list(tmp_path.glob("*.lock"))) == 1
    with EngineCache(tmp_path).building(replace(KEY, part="another")):
        pass
    assert list(tmp_path.iterdir()) == []  # its leftovers are removed, and so is the new lock
    with EngineCache(tmp_path).building(KEY):
        pass


def _hold(folder: Path, log: Queue[str], end: Event) -> None:
    with EngineCache(folder).building(KEY), (folder / "x.engine1.part").open("wb") as half:
        half.write(b"half")
        half.flush()
        cache_module.lock(half.fileno(), wait=False)
        log.put("working")
        end.wait(60)


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_files_in_use_by_another_process_are_left_alone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    log: Queue[str] = context.Queue()
    end = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, log, end))
    process.start()
    assert log.get(timeout=60) == "working"
    (tmp_path / "dead.engine2.part").write_bytes(b"half")
    (tmp_path / "young.engine3.part").write_bytes(b"half")
    for name in ("x.engine1.part", "dead.engine2.part"):
        os.utime(tmp_path / name, (0, 0))
    with EngineCache(tmp_path).building(replace(KEY, part="another")):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{KEY.file_name}.lock",
        "x.engine1.part",
        "young.engine3.part",
    }
    end.set()
    process.join(60)
    assert process.exitcode == 0


def _count(folder: Path, rounds: int) -> None:
    number = folder / "number"
    for _ in range(rounds):
        with EngineCache(folder).building(KEY):
            value = int(number.read_text(encoding="utf-8"))
            time.sleep(0.001)
            number.write_text(str(value + 1), encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_a_lock_that_is_removed_with_its_holder_still_excludes(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0", encoding="utf-8")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_count, args=(tmp_path, 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert (tmp_path / "number").read_text(encoding="utf-8") == "90"
    assert list(tmp_path.glob("*.lock")) == []


@pytest.mark.skipif(os.name == "nt", reason="an open file is not removed there")
def test_a_lock_that_was_made_anew_while_cleaning_up_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / f"{KEY.file_name}.lock"
    old.write_bytes(b"")
    lock = cache_module.lock

    def lock_after_its_holder_left(handle: int, *, wait: bool) -> bool:
        if not wait:
            old.unlink()
            old.write_bytes(b"the next builder's")
        return lock(handle, wait=wait)

    monkeypatch.setattr(cache_module, "lock", lock_after_its_holder_left)
    with EngineCache(tmp_path).building(replace(KEY, part="another")):
        assert old.read_bytes() == b"the next builder's"


def test_the_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("MIEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if os.name != "nt":
        assert tmp_path in default_folder().parents
