"""Each system's per-user folders; without a home folder Mien stores nothing and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.cli.live.reference import Calibration
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Network, default_runtime
from mien.engine.runtime.selection import describe_engines
from mien.engine.runtime.tensorrt.cache import EngineCache, EngineKey
from mien.engine.session.speed import settle_speed
from mien.engine.tracking import Tracker
from mien.engine.types import Image, SinkError
from mien.engine.utils.folders import user_folder
from mien.streams.provenance.signing_key import identity_path, load_identity


def test_every_system_has_its_folders() -> None:
    home = Path.home()
    assert user_folder("cache", "linux", {}) == home / ".cache/mien"
    assert user_folder("data", "linux", {}) == home / ".local/share/mien"
    assert user_folder("config", "linux", {"XDG_CONFIG_HOME": "/c"}) == Path("/c/mien")
    assert user_folder("config", "freebsd14", {}) == home / ".config/mien"
    assert user_folder("cache", "darwin", {"XDG_CACHE_HOME": "/c"}) == home / "Library/Caches/mien"
    assert user_folder("data", "darwin", {}) == home / "Library/Application Support/mien"
    assert user_folder("cache", "win32", {"LOCALAPPDATA": "/l"}) == Path("/l/mien")
    assert user_folder("data", "win32", {}) == home / "AppData/Roaming/mien"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of a user without an entry, in an empty environment."""
    pwd = pytest.importorskip("pwd", reason="Windows knows everybody")

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "MIEN_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_home_engines_are_built_and_not_kept(homeless: None) -> None:
    cache, key = EngineCache(), EngineKey("a", "b", "c", "d", "e", "f", "g", "h")
    with cache.building(key):
        assert cache.load(key) is None
        assert "no home folder" in str(cache.store(key, b"engine"))
    cache.discard(key)
    assert cache.entries() == [] and cache.load(key) is None
    assert describe_engines() == "not kept: there is no home folder (set HOME)"


def test_without_a_home_there_is_no_key_to_sign_with(homeless: None) -> None:
    assert identity_path() is None
    with pytest.raises(SinkError, match="there is no home folder"):
        load_identity(identity_path())


def test_without_a_home_a_profile_is_not_kept_which_is_reported_once(
    homeless: None, astronaut: Image, landmarker: Landmarker
) -> None:
    said: list[str] = []
    face = landmarker.track(astronaut)
    assert face is not None
    reference = Calibration(Tracker(landmarker=landmarker), said.append, profile="Mia", camera="Camera 0")
    for _ in range(2):
        reference.set(astronaut, face)
    assert [line for line in said if "home" in line] == [
        "the profile of Mia is not kept: there is no home folder (set HOME)"
    ]


def test_without_a_home_the_speed_is_measured_and_not_remembered(
    homeless: None, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.session.speed.measure_fps", lambda *_: 50.0)
    for _ in range(2):
        found = settle_speed(default_runtime(threads=1), avatar)
        assert found.measured and found.network is Network.EVERY_FRAME
        assert found.note == "not remembered: there is no home folder (set HOME)"
