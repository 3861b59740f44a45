"""A pair that takes its process down costs no other pair."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from mien.engine.utils.workers import Died, Processes

NUMBERS = list(range(4))


def deadly(folder: Path, number: int) -> int:
    """Work that ends its process at once for the number 1."""
    (folder / f"{number}-{os.getpid()}").touch()
    if number == 1:
        os._exit(9)
    return 10 * number


def test_a_dead_process_costs_only_its_task(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    ended: dict[int, int | Died] = {}
    Processes(2, threads=1).run(partial(deadly, tmp_path), NUMBERS, ended.__setitem__)
    assert ended == {0: 0, 1: Died(), 2: 20, 3: 30}
    assert "OMP_NUM_THREADS" not in os.environ
