"""Compiled networks are kept for the next start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.engine.landmarks import networks
from mien.engine.landmarks.bundle import load_bundle
from mien.engine.landmarks.networks import BlendshapeNetwork
from mien.engine.utils.network_cache import network_cache, tidy


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    network_cache.cache_clear()
    yield tmp_path / "mien" / "networks"
    network_cache.cache_clear()


def blendshapes() -> np.ndarray:
    """What a newly loaded network makes of fixed points."""
    network = BlendshapeNetwork(load_bundle().blendshapes, 1)
    return network.run(np.linspace(0, 256, 292, dtype=np.float32).reshape(146, 2))


@pytest.mark.skipif(os.name == "nt", reason="the cache lies elsewhere there")
def test_a_damaged_file_of_the_cache_is_compiled_anew(cache: Path) -> None:
    first = blendshapes()
    (file,) = cache.glob("*.blob")
    assert np.array_equal(blendshapes(), first), "read back"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", os.urandom(len(whole))):
        file.chmod(0o600)
        file.write_bytes(damaged)
        assert np.array_equal(blendshapes(), first)
    assert len(list(cache.glob("*.blob"))) == 1


def test_a_network_is_converted_once_and_again_where_its_file_is_damaged(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = blendshapes()
    with monkeypatch.context() as patch:
        patch.setattr(networks, "_read", None)
        assert np.array_equal(blendshapes(), first), "from the kept file"
    for suffix in (".xml", ".bin"):
        (kept,) = cache.glob(f"*{suffix}")
        kept.write_bytes(kept.read_bytes()[:100])
        for file in cache.glob("*.blob"):
            file.unlink()
        assert np.array_equal(blendshapes(), first)
        assert np.array_equal(blendshapes(), first), "and kept anew"


def test_without_a_folder_to_write_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "mien").write_text("a file where the folder should be", encoding="utf-8")
    assert network_cache() is None
    assert len(blendshapes()) == 52


def test_the_oldest_files_make_way(tmp_path: Path) -> None:
    for age, kind in enumerate((".blob", ".xml", ".bin", ".blob")):
        path = tmp_path / f"{age}{kind}"
        path.write_bytes(bytes(2**20))
        os.utime(path, (1e9 - age, 1e9 - age))
    tidy(tmp_path, 2.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.blob", "1.xml"]
