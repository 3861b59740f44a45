"""The benchmark: consistent figures, clear messages, complete files."""

from __future__ import annotations

import errno
import json
import os
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from mien.engine.benchmark import compare as comparing
from mien.engine.benchmark.__main__ import main
from mien.engine.benchmark.arguments import parse
from mien.engine.benchmark.driving_images import read_portrait
from mien.engine.benchmark.plot import draw_latency
from mien.engine.benchmark.report import write_json
from mien.engine.benchmark.switching import longest_gaps, measure_switches
from mien.engine.session.live_pipeline import Shown
from mien.engine.session.throughput import Camera, Delivery, Spread
from mien.engine.types import Frame, MienError, Rendered, SinkError
from mien.engine.utils.assets import ASSETS
from mien.engine.utils.samples import Samples

LONG = 300 * "x"


def test_a_camera_keeps_its_frame_rate_and_never_returns_the_same_array() -> None:
    images = [np.full((4, 4, 3), n, np.uint8) for n in range(3)]
    frames = list(Camera(images, 50.0, 0.5))
    assert 20 <= len(frames) <= 26
    assert [int(frame.image[0, 0, 0]) for frame in frames[:6]] == [0, 1, 2, 1, 0, 1], "back and forth"
    assert all(frame.image is not images[0] for frame in frames)
    spans = np.diff([frame.captured_ns for frame in frames]) / 1e9
    assert np.median(spans) == pytest.approx(0.02, abs=0.006)


@pytest.mark.slow
def test_the_built_in_face_is_measured_stage_by_stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.engine.session.throughput.WARM_UP_S", 0.5)
    monkeypatch.setattr("mien.engine.benchmark.cpu.measure_switches", partial(measure_switches, times=2))
    out, plot = tmp_path / "out.json", tmp_path / "plot.png"
    words = ["--seconds", "3", "--size", "320x240", "--json", str(out), "--plot", str(plot)]
    assert main(words) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    runs, switches = result["runs"], result["switches"]
    assert len(runs) == 6
    assert switches["times"] == 2 and switches["prepare_ms"] > 10
    assert switches["gap_ms"] > 10 and switches["usual_ms"] > 10
    for figures in runs.values():
        assert figures["shown"] > 0
        stages = sum(stage["median"] for stage in figures["stages"].values())
        assert stages > 0 and figures["latency"]["median"] > 0.5 * stages
        assert figures["latency"]["median"] <= figures["latency"]["p95"] <= figures["latency"]["p99"]
        assert figures["peak_mb"] >= 50 and figures["cpu_ms"] > 1
    said = capsys.readouterr().out
    for word in (
        "camera rate",
        "full speed",
        "track",
        "deliver",
        "dropped",
        "live-fast",
        "avatar changed 2",
    ):
        assert word in said
    with Pil.open(plot) as image:
        assert image.size == (1200, 640)


@pytest.mark.slow
def test_the_soak_reports_the_change_of_latency_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mien.engine.session.throughput.WARM_UP_S", 0.5)
    assert main(["--live", "2", "--size", "320x240", "--fps", "10", "--json", "-"]) == 0
    said = capsys.readouterr()
    live = json.loads(said.out)["live"]
    assert live["first_ms"] > 0 and live["last_ms"] > 0 and abs(live["memory_growth_mb"]) < 200
    assert 0 < live["fastest_tenth"]["first_ms"] <= live["first_ms"]
    assert "fastest tenth" in " ".join(said.err.split())
    assert (tmp_path / "mien-benchmark.png").stat().st_size > 5000


def test_a_gap_counts_for_the_change_it_overlaps() -> None:
    at = np.array([0.0, 0.1, 0.2, 0.5, 0.6, 1.0, 1.1])
    assert longest_gaps(at, [(0.3, 0.4)]) == pytest.approx((0.3, 0.4)), "in the middle of a gap"
    assert longest_gaps(at, [(0.15, 0.55)]) == pytest.approx((0.3, 0.4)), "over several"
    assert longest_gaps(at, [(0.65, 0.9), (0.05, 0.06)]) == pytest.approx((0.4, 0.3))
    assert np.isnan(longest_gaps(at, [])[0])


def test_a_run_of_hours_keeps_its_first_minute_for_comparison() -> None:
    now = 0
    delivery = Delivery(remembered=3000, clock=lambda: now)
    image = np.zeros((2, 2, 3), np.uint8)
    for number in range(12_000):  # at 10 frames per second, 20 minutes
        late = 40.0 if number < 600 else 80.0
        now = number * 100_000_000
        rendered = Rendered(image, number, now - round(late * 1e6), number / 10)
        delivery(Shown(rendered, Frame(image, number, now, number / 10), None, False))
    times, latencies = np.array(delivery.track()).T
    assert (np.diff(times) > 0).all() and len(times) == 600 + 3000
    assert times[0] == 0 and times[599] == pytest.approx(59.9) and times[-1] == pytest.approx(1199.9)
    assert np.median(latencies[times < 60]) == 40.0 and np.median(latencies[times > 1140]) == 80.0


def test_a_short_run_keeps_every_frame_once() -> None:
    now = 0
    delivery = Delivery(clock=lambda: now)
    image = np.zeros((2, 2, 3), np.uint8)
    assert delivery.track() == []
    for number in range(900):
        now = number * 100_000_000
        rendered = Rendered(image, number, now, number / 10)
        delivery(Shown(rendered, Frame(image, number, now, number / 10), None, False))
    assert [time for time, _ in delivery.track()] == pytest.approx([n / 10 for n in range(900)])


def test_results_are_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, link = tmp_path / "old.json", tmp_path / "link.json"
    old.write_text("{}", encoding="utf-8")
    link.symlink_to(old)
    write_json(str(link), {"fps": 30.0})
    assert link.is_symlink() and json.loads(old.read_text(encoding="utf-8")) == {"fps": 30.0}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SinkError, match=r"The disk is full: .*link\.json was not written"):
        write_json(str(link), {"fps": 60.0})
    assert json.loads(old.read_text(encoding="utf-8")) == {"fps": 30.0}, "the older figures stay"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "old.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_receives_the_figures_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")), daemon=True)
    reader.start()
    write_json(str(pipe), {"fps": 30.0})
    reader.join(30)
    assert json.loads(read[0]) == {"fps": 30.0} and pipe.is_fifo()


def test_runtimes_are_interleaved_and_ratios_refer_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []

    def arm(name: str, milliseconds: float) -> comparing.Arm:
        import time

        def frame() -> None:
            turns.append(name)
            time.sleep(milliseconds / 1000)

        return comparing.Arm(name, frame, "")

    rows = comparing._take_turns([arm("quick", 2), arm("slow", 20)], 0.3)
    assert turns.count("quick") == turns.count("slow") >= 8
    assert rows[1].ratio == 1.0 and 4 < rows[0].ratio < 12
    assert rows[0].fps == pytest.approx(1000 / rows[0].frame_ms.median)


@pytest.mark.slow
def test_the_published_network_is_a_baseline_in_the_same_run(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(["--compare", "openvino,torch,paper", "--seconds", "2", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["compare"]
    assert rows["paper"]["ratio"] == 1.0 and rows["openvino"]["ratio"] > 5
    assert "source encoded for every frame" in rows["paper"]["note"]


@pytest.mark.slow
def test_sessions_are_added_until_the_machine_lags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sessions", "2", "--fps", "2", "--seconds", "3", "--json", "-"]) == 0
    counts = json.loads(capsys.readouterr().out)["sessions"]
    assert [count["sessions"] for count in counts] == [1, 2] and counts[0]["fps"] == pytest.approx(2, rel=0.4)
    assert all(count["dropped"] < 0.5 and count["p95_ms"] > 0 for count in counts)
    assert counts[1]["memory_mb"] - counts[0]["memory_mb"] < 60


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--clip", "nowhere.mp4"], "nowhere.mp4 is not a file"),
        (["--avatar", "nowhere.jpg"], "nowhere.jpg does not exist"),
        (["--avatar", "."], "is a folder"),
        (["--avatar", f"{LONG}.jpg"], "cannot be used (File name too long)"),
        (["--avatar", "a\0b.jpg"], "NUL character"),
        (["--avatar", f"{ASSETS}/portrait.jpg/b.jpg"], "cannot be read (Not a directory)"),
        (["--clip", "."], "is not a file"),
        (["--clip", __file__], "is not a video"),
        (["--clip", f"{LONG}.mp4"], "too long"),
        (["--json", "."], "cannot be written"),
        (["--json", f"{ASSETS}/portrait.jpg/x.json"], "cannot be written"),
        (["--json", LONG], "too long"),
        (["--live", "1", "--plot", LONG], "too long"),
        (["--compare", "abacus"], "'abacus' cannot be compared"),
        (["--size", "7"], "is not a valid size"),
        (["--seconds", "-1"], "is not a valid number"),
        (["--json", "/nowhere/x.json"], "cannot be written"),
        (["--sessions", "0"], "whole number from 1"),
        (["--mouth", "open"], "open"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_line(words: list[str], wanted: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capfd.readouterr()  # including output of libraries
    assert wanted in said.err and said.err.count("\n") == 1


def test_half_a_jpeg_is_not_accepted_as_portrait(tmp_path: Path) -> None:
    whole = (ASSETS / "portrait.jpg").read_bytes()
    half = tmp_path / "half.jpg"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MienError, match=r"half\.jpg is damaged or cut off"):
        read_portrait(half)
    assert np.array_equal(read_portrait(ASSETS / "portrait.jpg"), read_portrait(None))


def test_without_torch_a_comparison_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MienError, match=r"\[train\]"):
        comparing._import_torch("paper")


def test_percentiles_are_those_of_the_values() -> None:
    samples = Samples(1000)
    for value in range(101):
        samples.add(value)
    found = Spread.of(samples)
    assert (found.median, found.p95, found.p99) == (50.0, 95.0, 99.0)


def test_the_noise_of_a_run_is_the_spread_of_its_parts() -> None:
    steady, drifting, few = Samples(1000), Samples(1000), Samples(1000)
    for value in range(800):
        steady.add(10.0 + value % 2)
        drifting.add(10.0 + value / 100)
    few.add(1.0)
    assert Spread.of(steady).noise < 0.3
    assert Spread.of(drifting).noise > 2.0
    assert np.isnan(Spread.of(few).noise)


def test_the_plot_shows_what_it_was_given(tmp_path: Path) -> None:
    flat = [(n / 30, 40.0) for n in range(3000)]
    steep = [(n / 30, 40.0 + n / 30) for n in range(3000)]
    memory = [(float(n), 300.0) for n in range(100)]
    images = []
    for number, track in enumerate((flat, steep)):
        path = tmp_path / f"{number}.png"
        draw_latency(path, track, memory)
        with Pil.open(path) as image:
            images.append(np.asarray(image.convert("RGB")))
    blue = [np.argwhere((p[60:370, 95:1165] == (10, 70, 160)).all(axis=2)) for p in images]
    assert np.ptp(blue[0][:, 0]) < 6, "constant latency is a flat line"
    assert np.corrcoef(blue[1][:, 1], -blue[1][:, 0])[0, 1] > 0.95, "and growing latency a rising one"
    with pytest.raises(MienError, match="cannot be written"):
        draw_latency(tmp_path / "no" / "where.png", flat, memory)


@pytest.mark.slow
def test_the_network_works_for_a_painted_mouth_of_a_portrait_that_shows_no_teeth(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    shut = str(ASSETS / "gallery" / "grace-hopper.jpg")
    words = ["--avatar", shut, "--mouth", "painted", "--model", "live", "--live", "2", "--size", "320x240"]
    assert main([*words, "--json", str(out), "--plot", str(tmp_path / "plot.png")]) == 0
    stages = json.loads(out.read_text(encoding="utf-8"))["live"]["figures"]["stages"]
    # It rests while the lips are shut; where it paints, it takes more than all that is drawn.
    assert stages["model"]["p95"] > stages["compose"]["p95"]


def test_the_defaults_match_the_help() -> None:
    options = parse([])
    assert (options.size, options.fps, options.seconds) == ((640, 480), 30.0, 10.0)
