"""Batches and preparation on a Dask cluster: a real scheduler and worker processes of this machine."""

from __future__ import annotations

import operator
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import read_clip
from fakes.dask_cluster import DaskCluster
from fakes.media import make_video

from mien.cli.batch.pairs import Pair
from mien.cli.batch.pool import Outcome
from mien.cli.batch.run import _Batch
from mien.cli.batch.run import main as generate
from mien.engine.types import Image, MienError, UsageError
from mien.engine.utils.cluster import Cluster
from mien.engine.utils.workers import Died
from mien.train.__main__ import main as train

PAIRS = 4
FRAMES = 5
TIMES = re.compile(rb'"seconds": [\d.]+|\d+ \w+ \d{4}, \d\d:\d\d')
WAITING = "The cluster has no worker yet; waiting for one."


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    running = DaskCluster(folder)
    yield running
    running.close()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, carphone: Path, close_up: Image) -> Path:
    """Videos of one talking head, one of them without a face, and a portrait."""
    folder = tmp_path_factory.mktemp("clips")
    cv2.imwrite(str(folder / "face.png"), close_up[..., ::-1])
    images = [np.asarray(cv2.resize(f, None, fx=2, fy=2)) for f in read_clip(carphone, FRAMES * PAIRS)]
    images[-FRAMES:] = [np.full_like(images[0], 128)] * FRAMES
    for clip in range(PAIRS):
        (folder / "people" / f"p{clip}").mkdir(parents=True)
        make_video(folder / "people" / f"p{clip}" / "1.mp4", images[FRAMES * clip : FRAMES * (clip + 1)])
    rows = [f"people/p{clip}/1.mp4,face.png,p{clip}" for clip in range(PAIRS)]
    (folder / "pairs.csv").write_text("\n".join(["driving,avatar,name", *rows]), "utf-8")
    return folder


def media_of(video: bytes) -> bytes:
    """The coded media of an MP4 file: the credentials beside them are signed with the time."""
    place = 0
    while place < len(video):
        size, kind = int.from_bytes(video[place : place + 4], "big"), video[place + 4 : place + 8]
        if kind == b"mdat":
            return video[place : place + size]
        place += size
    raise AssertionError("no media in the file")


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a folder of results; when it was made, and how long it took, are no part of them."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return {
        name: media_of(data) if name.endswith(".mp4") else TIMES.sub(b"", data)
        for name, data in found.items()
    }


@pytest.mark.slow
def test_a_batch_on_a_cluster_makes_the_same_bytes_also_when_a_worker_is_killed(
    clips: Path, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(clips)
    words = ["pairs.csv", "--crop", "--size", "128", "--model", "warp", "--threads", "1"]
    assert generate([*words, "--output", "local", "--jobs", "1"]) == 1
    local = capsys.readouterr()
    victim, _ = cluster.add_worker(), cluster.add_worker()
    add = _Batch.add

    def killing(batch: _Batch, pair: Pair, outcome: Outcome) -> None:
        victim.kill()  # once the first pair is finished, in the middle of others
        add(batch, pair, outcome)

    monkeypatch.setattr(_Batch, "add", killing)
    assert generate([*words, "--output", "remote", "--cluster", cluster.file]) == 1
    assert victim.wait(1) < 0
    assert files_of(clips / "remote") == files_of(clips / "local")
    remote = capsys.readouterr()
    # Whether a worker is there before the first look is a matter of luck.
    assert said(remote.out.replace("remote", "local")) - {f"note: {WAITING}"} == said(local.out)
    assert generate([*words, "--output", "remote"]) == 1
    assert f"{PAIRS - 1} pairs finished already" in capsys.readouterr().out


def said(text: str) -> set[str]:
    """What was printed, in any order, without how long it took."""
    return {re.sub(r" in [\d.]+ s,", "", line) for line in text.splitlines()}


@pytest.mark.slow
def test_clips_packed_on_a_cluster_are_the_same_bytes(
    clips: Path, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(clips)
    words = ["prepare", "people", "--sources", "2", "--drivings", "2", "--output"]
    assert train([*words, "packed"]) == 0
    local = capsys.readouterr()
    cluster.add_worker(threads=2)
    assert train([*words, "packed-there", "--cluster", cluster.file]) == 0
    assert files_of(clips / "packed") == files_of(clips / "packed-there")
    remote = capsys.readouterr()
    assert remote.out == local.out == f"{PAIRS - 1} clips packed, 0 kept, 1 left out\n"
    assert "left out: " in remote.err and "left out: " in local.err


@pytest.mark.slow
def test_a_task_that_takes_every_worker_down_costs_only_itself(tmp_path: Path, cluster: DaskCluster) -> None:
    for _ in range(5):  # four die of it
        cluster.add_worker()
    ended: dict[int, int | Died] = {}
    Cluster(cluster.file, tmp_path, print).run(os._exit, [9], ended.__setitem__)
    Cluster(cluster.file, tmp_path, print).run(operator.neg, [1, 2], ended.__setitem__)
    assert ended == {9: Died(), 1: -1, 2: -2}


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_batch_with_a_line(tmp_path: Path, cluster: DaskCluster) -> None:
    cluster.add_worker()
    ended: list[float] = []

    def first_ended(seconds: float, _: object) -> None:
        ended.append(seconds)
        cluster.scheduler.kill()

    with pytest.raises(MienError, match="went away") as refusal:
        Cluster(cluster.file, tmp_path, print).run(time.sleep, [0.01, 30.0], first_ended)
    assert ended == [0.01] and "\n" not in str(refusal.value)


@pytest.mark.slow
def test_a_worker_of_another_version_is_named_whether_it_was_there_or_comes_later(
    tmp_path: Path, cluster: DaskCluster
) -> None:
    other = tmp_path / "mien-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: mien\nVersion: 9.9\n", "utf-8")
    cluster.add_worker(environment={"PYTHONPATH": str(tmp_path)})
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(UsageError, match=r"Worker tcp://\S+ has Mien 9\.9, this is Mien"):
            Cluster(cluster.file, tmp_path, said.append).run(operator.neg, [1], print)
    assert said == [WAITING]


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_files_is_named(tmp_path: Path, cluster: DaskCluster) -> None:
    cluster.add_worker()
    with pytest.raises(UsageError, match="does not see /no/such/disk"):
        Cluster(cluster.file, Path("/no/such/disk"), print).run(operator.neg, [1], print)


@pytest.mark.parametrize("address", ["nonsense", "foo://x:1", "", "tcp://127.0.0.1"])
def test_an_address_that_is_none_is_a_line(
    address: str, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(clips / "pairs.csv"), "--output", str(tmp_path / "out"), "--cluster", address]
    assert generate(words) == 2
    error = capsys.readouterr().err
    assert "No Dask scheduler answers" in error and error.count("\n") == 1


@pytest.mark.parametrize("content", ["nope", "[]", "{}", '{"address": "nonsense"}'])
def test_a_file_that_is_no_schedulers_is_a_line(content: str, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=r"scheduler\.json.*Check --cluster"):
        Cluster(str(file), tmp_path, print).run(operator.neg, [1], print)


def test_a_scheduler_that_is_not_there_is_a_line(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mien.engine.utils.cluster.PATIENCE", 0.2)
    words = ["prepare", str(clips / "people"), "--output", str(tmp_path / "out")]
    assert train([*words, "--cluster", "tcp://127.0.0.1:9"]) == 2
    error = capsys.readouterr().err
    assert "No Dask scheduler answers at 'tcp://127.0.0.1:9'" in error
    assert train([*words, "--cluster", "tcp://127.0.0.1:9", "--workers", "2"]) == 2
    assert "its scheduler decides" in capsys.readouterr().err
