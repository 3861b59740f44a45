"""A pair that takes its process down costs no other pair."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.cli.batch import pool
from mien.cli.batch.arguments import parse
from mien.cli.batch.pairs import Failure, Pair
from mien.cli.batch.pool import Outcome, run_pairs


def dying(pair: Pair) -> Outcome:
    """Stands in for the work: the pair ``b`` ends its process at once."""
    if pair.name == "b":
        os._exit(9)
    return {"name": pair.name}


def test_a_dead_process_costs_only_its_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_in_process", dying)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pairs = [Pair(name, line, tmp_path, tmp_path) for line, name in enumerate("abcd", 2)]
    options = parse(["pairs.csv", "--output", str(tmp_path), "--jobs", "2"])
    ended: dict[str, Outcome] = {}
    run_pairs(pairs, options, tmp_path, lambda pair, outcome: ended.update({pair.name: outcome}))
    assert set(ended) == {"a", "b", "c", "d"}
    assert isinstance(ended["b"], Failure) and "process died" in ended["b"].reason
    assert [isinstance(ended[name], dict) for name in "acd"] == [True, True, True]
    assert "OMP_NUM_THREADS" not in os.environ
