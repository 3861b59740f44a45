"""Recordings say, signed, that they are synthetic; what prevents it costs nobody a recording."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run_live
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.types import Image
from mien.engine.utils.assets import DEMO_MOTION
from mien.streams.factory import open_source
from mien.streams.provenance import credentials as provenance
from mien.streams.provenance import signing_key
from mien.streams.provenance.credentials import add_credentials
from mien.streams.provenance.signing_key import identity_path, load_identity
from mien.streams.video import VideoFileSink

SIZE = (64, 48)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any key yet."""
    folder = tmp_path / "settings"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


def write(path: Path, *, credentials: bool = True, lossless: bool = False) -> tuple[Path, list[str]]:
    """A short clip, and the sink's notes."""
    with VideoFileSink(
        path, width=SIZE[0], height=SIZE[1], fps=25, credentials=credentials, lossless=lossless
    ) as sink:
        for index in range(5):
            sink.write(picture(index), index / 25)
    return path, sink.notes


def picture(index: int) -> Image:
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.stack([4 * columns, 5 * rows, 40 * index + 0 * rows], -1).astype(np.uint8)


def pictures(path: Path) -> list[tuple[float, bytes]]:
    with open_source(str(path)) as source:
        return [(frame.time, frame.image.tobytes()) for frame in source]


def read(path: Path) -> tuple[dict[str, Any], str]:
    """The credentials of a file, and what c2pa-python's own reader thinks of them."""
    c2pa = pytest.importorskip("c2pa")
    with c2pa.Reader(str(path)) as reader:
        return reader.get_active_manifest(), reader.get_validation_state()


needs_c2pa = pytest.mark.skipif(not provenance.available(), reason='needs pip install ".[provenance]"')


@needs_c2pa
@pytest.mark.parametrize("name", ["a.mp4", "a.m4v", "a.mov", "a.avi", "a.gif"])
def test_a_signed_file_says_who_made_it_and_that_it_is_synthetic(name: str, tmp_path: Path) -> None:
    path, notes = write(tmp_path / name)
    manifest, state = read(path)
    assert (notes, state) == ([], "Valid")
    maker = manifest["claim_generator_info"][0]
    assert (maker["name"], maker["version"]) == ("mien", version("mien"))
    actions = next(a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))["data"][
        "actions"
    ]
    assert [(a["action"], a["digitalSourceType"].rsplit("/", 1)[1]) for a in actions] == [
        ("c2pa.created", "compositeSynthetic")
    ]


@needs_c2pa
@pytest.mark.parametrize(
    ("name", "lossless"), [("a.mp4", False), ("a.mov", True), ("a.avi", True), ("a.gif", False)]
)
def test_signing_changes_no_picture_and_no_time(name: str, lossless: bool, tmp_path: Path) -> None:
    plain, _ = write(tmp_path / f"plain{Path(name).suffix}", credentials=False, lossless=lossless)
    signed, _ = write(tmp_path / name, lossless=lossless)
    assert signed.stat().st_size > plain.stat().st_size
    assert pictures(signed) == pictures(plain)


@needs_c2pa
def test_a_changed_picture_is_found_out(tmp_path: Path) -> None:
    path, _ = write(tmp_path / "a.mp4")
    data = bytearray(path.read_bytes())
    data[data.index(b"mdat") + 200] ^= 1
    path.write_bytes(data)
    assert read(path)[1] == "Invalid"


@needs_c2pa
def test_the_key_is_made_once_readable_by_the_user_alone_and_names_nobody(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4")
    place = identity_path()
    key = place.read_bytes()
    write(tmp_path / "b.mp4")
    assert place.read_bytes() == key
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    signers = [read(tmp_path / name)[0]["signature_info"] for name in ("a.mp4", "b.mp4")]
    assert signers[0]["cert_serial_number"] == signers[1]["cert_serial_number"]
    told = json.dumps(read(tmp_path / "a.mp4")[0])
    for secret in (os.environ.get("USER", "root-user"), socket.gethostname(), str(tmp_path)):
        assert secret not in told


@needs_c2pa
def test_a_key_of_ones_own_takes_its_place(tmp_path: Path, settings: Path) -> None:
    write(tmp_path / "first.mp4")
    own = identity_path().read_bytes()
    identity_path().unlink()
    write(tmp_path / "other.mp4")
    identity_path().write_bytes(own)
    write(tmp_path / "a.mp4")
    serial = [read(tmp_path / n)[0]["signature_info"]["cert_serial_number"] for n in ("first.mp4", "a.mp4")]
    assert serial[0] == serial[1] != read(tmp_path / "other.mp4")[0]["signature_info"]["cert_serial_number"]


@needs_c2pa
def test_a_key_that_has_run_out_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(signing_key, "VALID_DAYS", -0.5)
        signing_key._make(identity_path())
    old = identity_path().read_bytes()
    assert load_identity(identity_path()).key not in old
    with monkeypatch.context() as patch:
        patch.setattr(signing_key, "VALID_DAYS", -0.5)
        patch.setattr(signing_key, "MAKER", "A press agency")
        signing_key._make(identity_path())
    assert "has run out" in (add_credentials(write(tmp_path / "a.mp4", credentials=False)[0]) or "")


@needs_c2pa
@pytest.mark.parametrize("damage", ["garbage", "a folder", "no place"])
def test_what_prevents_signing_is_one_line_and_the_recording_stays(
    damage: str, tmp_path: Path, settings: Path
) -> None:
    if damage == "no place":
        settings.write_text("a file, where the folder should be", encoding="utf-8")
    else:
        identity_path().parent.mkdir(parents=True)
        place = identity_path()
        place.mkdir() if damage == "a folder" else place.write_text("-----BEGIN nothing", encoding="utf-8")
    path, notes = write(tmp_path / "a.mp4")
    assert len(notes) == 1
    assert notes[0].startswith("a.mp4 carries no content credentials (") and "\n" not in notes[0]
    assert str(identity_path()) in notes[0]
    plain, _ = write(tmp_path / "plain.mp4", credentials=False)
    assert path.read_bytes() == plain.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "plain.mp4", "settings"]


@needs_c2pa
def test_a_failing_library_loses_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import c2pa

    def sign(*_: object) -> None:
        raise c2pa.C2paError("Other: no\nroom")

    monkeypatch.setattr(c2pa.Builder, "sign", sign)
    path, notes = write(tmp_path / "a.mp4")
    assert notes == ["a.mp4 carries no content credentials (Other: no room)."]
    assert len(pictures(path)) == 5
    assert not list(tmp_path.glob(".*"))


@needs_c2pa
@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_a_format_without_a_place_for_credentials_is_named(name: str, tmp_path: Path) -> None:
    path, notes = write(tmp_path / name)
    assert len(notes) == 1 and ".mp4 has" in notes[0]
    assert len(pictures(path)) == 5


@needs_c2pa
def test_too_large_a_file_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "MOST_BYTES", 100)
    path, _ = write(tmp_path / "a.mp4", credentials=False)
    before = path.read_bytes()
    assert "larger than" in (add_credentials(path) or "")
    assert path.read_bytes() == before


def demo(output: Path, *words: str) -> None:
    """Three frames of the built-in motion move the built-in portrait."""
    motion = output.with_suffix(".npz")
    whole = load_recording(DEMO_MOTION)
    save_recording(motion, Recording(whole.motions[:3], whole.times[:3], whole.fps))
    command = ["--driving", str(motion), "--crop", "--size", "64", "--model", "warp", "--output", str(output)]
    assert run_live.main([*command, *words]) == 0


@needs_c2pa
def test_a_run_signs_its_file_unless_told_not_to(tmp_path: Path) -> None:
    demo(tmp_path / "marked.mp4")
    assert read(tmp_path / "marked.mp4")[1] == "Valid"
    demo(tmp_path / "unmarked.mp4", "--no-mark")
    assert b"c2pa" in (tmp_path / "marked.mp4").read_bytes()
    assert b"c2pa" not in (tmp_path / "unmarked.mp4").read_bytes()


def test_without_the_package_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo(tmp_path / "unmarked.mp4", "--no-mark")
    plain = capsys.readouterr().out
    # As the import system answers for a package that is not there.
    monkeypatch.setitem(sys.modules, "c2pa", None)
    monkeypatch.setattr(provenance, "find_spec", lambda name: None)
    demo(tmp_path / "bare.mp4")
    assert (tmp_path / "bare.mp4").read_bytes() == (tmp_path / "unmarked.mp4").read_bytes()
    assert "credentials" not in plain + capsys.readouterr().out
    assert not identity_path().exists()
    assert "mien[provenance]" in provenance.describe()


@needs_c2pa
def test_the_doctor_names_the_package_and_the_key(tmp_path: Path) -> None:
    assert f"key to be made in {identity_path()}" in provenance.describe()
    write(tmp_path / "a.mp4")
    assert f"{version('c2pa-python')}, key in {identity_path()}" in provenance.describe()


def test_every_system_has_a_place_for_the_key() -> None:
    home = Path.home()
    assert identity_path("linux", {}) == home / ".config/mien/content-credentials.pem"
    assert identity_path("linux", {"XDG_CONFIG_HOME": "/c"}) == Path("/c/mien/content-credentials.pem")
    assert identity_path("darwin", {}).parent == home / "Library/Application Support/mien"
    assert identity_path("win32", {"APPDATA": "/a"}) == Path("/a/mien/content-credentials.pem")


def test_certificates_are_valid_for_years() -> None:
    pytest.importorskip("cryptography")
    path = identity_path()
    load_identity(path)
    _, until, ours = signing_key._read(path.read_bytes())
    assert ours and until > datetime.now(timezone.utc) + timedelta(days=3000)
