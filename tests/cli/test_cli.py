"""The command line itself: words, help, contradictions, what the terminal shows, Ctrl-C."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

import run_live
from mien.cli.build import make_gains
from mien.cli.checks import Kind, kind_of
from mien.cli.interrupt import Stopper
from mien.cli.options.arguments import EXAMPLES, Options, parse
from mien.cli.terminal import StageTimes, print_summary, progress_bar, say
from mien.engine.types import MienError

ROOT = Path(run_live.__file__).parent


def test_help_fits_80_columns_and_names_every_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as done:
        run_live.main(["--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0
    assert max(len(line) for line in text.splitlines()) <= 80
    for group in ("who drives whom:", "result:", "how much of the motion", "machine:", "about:", "examples:"):
        assert group in text
    for name in Options.__dataclass_fields__:
        option = {"gains": "gain", "mirror": "no-mirror", "output_text": "output"}.get(name, name)
        assert f"--{option.replace('_', '-')}" in text


def test_every_example_of_the_help_is_understood() -> None:
    lines = [line.split() for line in EXAMPLES.splitlines() if line.startswith("  mien ")]
    assert len(lines) >= 6
    for line in lines:
        parse(line[1:])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_live.main(["--version"])
    assert capsys.readouterr().out.startswith("mien ")


def test_the_help_needs_no_heavy_import() -> None:
    code = (
        "import sys, run_live\n"
        "try: run_live.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert 'openvino' not in sys.modules and 'av' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "3"}, None)])
def test_linear_algebra_keeps_to_one_thread_unless_the_environment_decides(
    given: dict[str, str], threads: str | None
) -> None:
    code = (
        "import os, sys, run_live\n"
        "from mien.cli import main\n"
        "main._run = lambda words: print(os.environ.get('OPENBLAS_NUM_THREADS')) or 0\n"
        "main._missing_library = lambda: print('numpy' in sys.modules)\n"
        "run_live.main(['--demo'])"
    )
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | given,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.split() == ["False", str(threads)], "set before numpy is imported"


def test_no_run_imports_torch() -> None:
    code = (
        "import sys, mien.cli.file.run, mien.cli.live.run, mien.cli.doctor\n"
        "import mien.engine.session.renderer, mien.engine.tracking.tracker\n"
        "assert 'torch' not in sys.modules and 'mediapipe' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("", Kind.LIVE),
        ("--driving 1", Kind.LIVE),
        ("--driving /dev/video2", Kind.LIVE),
        ("--driving rtsp://host/stream", Kind.LIVE),
        ("--driving clip.mp4", Kind.CLIP),
        ("--driving frames/", Kind.CLIP),
        ("--driving talk.NPZ", Kind.MOTION),
        ("--demo", Kind.MOTION),
    ],
)
def test_what_drives_is_told_by_its_name(words: str, kind: Kind) -> None:
    assert kind_of(parse(words.split())) is kind


def test_sizes_depend_on_what_is_shown() -> None:
    whole, crop = parse([]), parse(["--crop"])
    assert (whole.portrait_side, whole.crop_side) == (1024, None)
    assert crop.crop_side == 512 < crop.portrait_side
    assert parse(["--size", "300"]).portrait_side == 300
    assert parse(["--size", "300", "--crop"]).crop_side == 300


def test_gains_come_from_the_words() -> None:
    gains = make_gains(
        parse(["--head", "0", "--turn", "-1", "--expression", "2", "--gain", "brows=3", "--gain", "chin=0"])
    )
    assert (gains.head, gains.turn, gains.expression) == (0, -1, 2)
    assert gains.regions == {"brows": 3, "chin": 0}
    only = make_gains(parse(["--only", "chin, brow_inner"]))
    assert {name for name, gain in only.regions.items() if gain} == {
        "chin",
        "brow_inner_left",
        "brow_inner_right",
    }


def test_times_are_told_per_stage_with_the_place_in_one_piece(tmp_path: Path) -> None:
    times = StageTimes()
    for _ in range(4):
        times.add({"read": 1.0, "track": 20.0, "carry": 1.0, "model": 28.0, "compose": 1.0, "write": 5.0})
    out = io.StringIO()
    place = "/a/very/long/path/" * 8 + "out.mp4"
    print_summary(Console(file=out, width=60), times, [place])
    lines = out.getvalue().splitlines()
    assert place in lines
    assert any(line.split() == ["track", "+", "render", "50.0", "20", "fps"] for line in lines)
    assert any(line.startswith("4 frames in ") for line in lines)


def test_a_long_live_run_does_not_grow() -> None:
    times = StageTimes()
    for _ in range(50_000):
        times.add({"track": 1.0})
    assert times.frames == 50_000
    assert len(times._times["track"]) < 25_000


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_on_a_terminal_only(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80)
    with progress_bar(console, "rendering", 10) as bar:
        for _ in range(10):
            bar.advance(25.0)
    assert ("rendering" in out.getvalue()) == terminal
    assert terminal or out.getvalue() == ""


def test_notes_show_brackets_as_they_are() -> None:
    out = io.StringIO()
    say(Console(file=out, width=30), "clip [red] shows 2 faces; the largest one of them drives.")
    assert out.getvalue() == "note: clip [red] shows 2 faces; the largest one of them drives.\n"


def numbers() -> Iterator[int]:
    yield from range(10)


def test_a_signal_while_working_ends_after_that_piece() -> None:
    done = []
    with Stopper() as stop:
        for number in stop.until(numbers()):
            if number == 3:
                signal.raise_signal(signal.SIGINT)
            done.append(number)
        assert stop.asked
    assert done == [0, 1, 2, 3]


def test_a_signal_while_waiting_ends_the_wait() -> None:
    def waiting() -> Iterator[int]:
        yield 0
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the wait went on")

    with Stopper() as stop:
        assert list(stop.until(waiting())) == [0]
        assert stop.asked


def test_finishing_stands_one_signal_and_gives_up_at_the_second() -> None:
    with Stopper() as stop:
        list(stop.until(numbers()))
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_before_the_first_image_a_signal_stops_at_once() -> None:
    with Stopper(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_signals_go_back_to_who_had_them() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stopper():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Stopper():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_bare_container_is_told_what_opencv_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import builtins

    real = builtins.__import__

    def without_gl(name: str, *rest: object, **named: object) -> object:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_gl)
    assert run_live.main(["--demo"]) == 2
    assert "apt-get install -y libgl1" in capsys.readouterr().err


def test_the_doctor_passes_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_live.main(["--doctor"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for part in ("python", "openvino", "processor", "runtime", "display", "camera", "self-test passed"):
        assert part in text
    assert "pip install 'mien'" not in text


def test_the_doctor_says_so_when_the_self_test_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("mien.cli.doctor.DEMO_MOTION", tmp_path / "gone.npz")
    assert run_live.main(["--doctor"]) == 2
    said = capsys.readouterr()
    assert "self-test" in said.out and "failed" in said.err


def test_cameras_are_listed_one_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mien.streams.camera.listing import CameraInfo

    cameras = [CameraInfo(0, "HD [Pro]", "/dev/video0", 640, 480), CameraInfo(2, "IR", "/dev/video2", 0, 0)]
    monkeypatch.setattr("mien.streams.camera.listing.list_cameras", lambda: cameras)
    assert run_live.main(["--list-cameras"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0: HD [Pro] (/dev/video0, 640x480)",
        "2: IR (/dev/video2)",
    ]


def test_no_camera_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mien.streams.camera.listing.list_cameras", lambda: [])
    assert run_live.main(["--list-cameras"]) == 0
    assert "--driving clip.mp4" in capsys.readouterr().out


def test_errors_in_words_keep_to_one_line() -> None:
    with pytest.raises(MienError) as error:
        parse(["--size", "huge"])
    assert "\n" not in str(error.value)
