"""Live runs: a stand-in camera or a network stream drives the portrait, keys are obeyed, recordings kept."""

from __future__ import annotations

import http.server
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fakes.drivers import BLACK, difference, images_of, make_driver, talking
from fakes.face_camera import FaceCamera
from fakes.media import video_times
from PIL import Image as Pil

import run_live
from mien.cli.live.gallery import Gallery
from mien.cli.live.recorder import Recorder, fit_into
from mien.cli.live.window import ESCAPE, KEYS, with_inset
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.runtime import Runtime
from mien.engine.types import Image
from mien.streams.sink import Sink


class Window:
    """Stands in for the preview window: a user who presses keys at certain images.

    Attributes:
        script: what to do at which image (from 0): a key, or anything that is called.
        views: what was shown: status line, size, mirror, and the image itself.
    """

    script: dict[int, str | int | Callable[[], None]] = {}  # noqa: RUF012
    last = 40

    def __init__(self, *, mirror: bool = False, help_lines: tuple[str, ...] = ()) -> None:
        self.mirror, self.help_lines = mirror, help_lines
        self.status, self.closed = "", False
        self.views: list[tuple[str, bool, Image]] = []
        windows.append(self)

    def show(self, image: Image) -> int | None:
        act = self.script.get(len(self.views))
        self.views.append((self.status, self.mirror, image.copy()))
        if callable(act):
            act()
            return None
        if act is None:
            return ESCAPE if len(self.views) > self.last else None
        return act if isinstance(act, int) else ord(act)

    def poll(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed = True

    @property
    def told(self) -> list[str]:
        return [status for status, _, _ in self.views]


windows: list[Window] = []


@pytest.fixture(scope="module")
def frames(carphone: Path) -> list[np.ndarray]:
    return talking(carphone, 12)


@pytest.fixture
def camera(frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> FaceCamera:
    found = FaceCamera(images=frames)
    monkeypatch.setattr("mien.streams.camera.source.opencv_capture", lambda: found)
    return found


@pytest.fixture(autouse=True)
def stage(runtime: Runtime, landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("mien.cli.build.chosen_runtime", lambda *_, **__: runtime)
    monkeypatch.setattr("mien.cli.live.early.OpenVinoLandmarker", lambda live: nullcontext(landmarker))
    monkeypatch.setattr("mien.cli.live.run.PreviewSink", Window)
    monkeypatch.setattr("mien.cli.live.run.check_display", lambda: None)
    windows.clear()
    Window.script, Window.last = {}, 40
    yield
    windows.clear()


def mien(*words: object) -> int:
    return run_live.main([str(word) for word in words])


def test_a_camera_drives_the_portrait_until_esc(
    camera: FaceCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    Window.last = 8
    assert mien() == 0
    window = windows[0]
    assert len(window.views) == 9 and window.closed and camera.released == 1
    assert window.mirror, "as in a mirror, unless asked otherwise"
    assert window.views[0][2].shape == (512, 512, 3)
    said = capsys.readouterr()
    assert "live from Camera 0; Esc or Ctrl-C ends" in said.out and "track + render" in said.out
    assert said.err == ""


def test_closing_the_window_ends(camera: FaceCamera) -> None:
    def cross() -> None:
        windows[0].closed = True

    Window.script = {5: cross}
    assert mien("--no-mirror") == 0
    assert len(windows[0].views) == 6 and not windows[0].views[0][1]


def test_a_recording_starts_at_zero_with_every_shown_image(camera: FaceCamera, tmp_path: Path) -> None:
    Window.last = 12
    out = tmp_path / "out.mkv"
    assert mien("--output", out, "--lossless", "--crop", "--size", "256") == 0
    times, _ = video_times(out)
    assert len(times) >= 13 and times[0] == 0
    assert times == sorted(times) and times[-1] > 0.2
    # Recorded is the avatar alone: no camera image in the corner, no mirror, no text.
    shown, kept = windows[0].views[0][2], images_of(out)[0]
    assert np.array_equal(shown[100:], kept[100:]) and not np.array_equal(shown[:40], kept[:40])


def test_x_sets_the_reference(camera: FaceCamera) -> None:
    Window.script, Window.last = {4: "x", 9: "X"}, 12
    assert mien() == 0
    assert any("reference set" in status for status in windows[0].told)


def test_x_without_a_face_keeps_the_reference(camera: FaceCamera) -> None:
    def leave() -> None:
        camera.images = [BLACK]

    Window.script, Window.last = {3: leave, 14: "x"}, 18
    assert mien() == 0
    told = windows[0].told
    assert "no face" in told and "no face: the reference stays" in told


def test_f_looks_for_the_best_reference(camera: FaceCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.cli.live.window.SEARCH_S", 0.4)
    Window.script, Window.last = {2: "f"}, 45
    assert mien() == 0
    told = windows[0].told
    assert told.index("looking for the best reference: move a little, then rest") < told.index(
        "best reference set"
    )


def test_m_mirrors_and_c_hides_the_camera(camera: FaceCamera) -> None:
    Window.script, Window.last = {2: "m", 4: "c"}, 6
    assert mien() == 0
    views = windows[0].views
    assert [mirror for _, mirror, _ in views[:4]] == [True, True, True, False]
    corner = slice(0, 60), slice(-80, None)
    assert difference(views[4][2][corner], views[5][2][corner]) > 10


def test_p_changes_the_mouth(camera: FaceCamera) -> None:
    Window.script, Window.last = {2: "p", 6: "p"}, 12
    assert mien() == 0
    told = windows[0].told
    assert told.index("painted mouth") < told.index("your own mouth")


@pytest.fixture
def gallery(tmp_path: Path, astronaut: Image) -> Path:
    folder = tmp_path / "portraits"
    folder.mkdir()
    photo = Pil.fromarray(astronaut)
    photo.save(folder / "me2.png")
    photo.crop((60, 0, 400, 300)).save(folder / "me10.png")
    (folder / "me11.jpg").write_text("no image", encoding="utf-8")
    return folder


class Watched(Gallery):
    """A gallery that can be waited for."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        watched.append(self)

    @staticmethod
    def wait() -> None:
        pending = watched[-1]._pending
        if pending is not None:
            pending[1].exception(30)


watched: list[Watched] = []


def test_numbers_switch_portraits_and_the_recording_goes_on(
    camera: FaceCamera, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.cli.live.run.Gallery", Watched)
    Window.script = {2: "2", 3: Watched.wait, 8: "3", 9: Watched.wait, 14: "1", 16: "9"}
    Window.last = 20
    out = tmp_path / "out.mkv"
    assert mien("--avatars", gallery, "--output", out, "--lossless") == 0
    told = windows[0].told
    assert {"preparing me10.png", "me10.png", "me2.png"} <= set(told)
    assert any("me11.jpg is not an image" in status for status in told), "and the run goes on"
    assert "no portrait 9: there are 3" in told
    sizes = [view.shape[:2] for _, _, view in windows[0].views]
    assert {sizes[0], sizes[6], sizes[18]} == {(512, 512), (300, 340)} and sizes[0] == sizes[18]
    kept = images_of(out)
    assert len(kept) >= 21 and {image.shape for image in kept} == {(512, 512, 3)}
    assert any(image[:20].max() == 0 for image in kept), "the wider portrait lies whole in the recording"


def test_a_portrait_that_fails_for_no_known_reason_is_one_line_and_the_next_one_comes(
    gallery: Path, avatar: Avatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(path: Path, *_: object) -> Avatar:
        if path.name == "me2.png":
            raise ValueError("cannot reshape\narray")
        return avatar

    monkeypatch.setattr("mien.cli.live.gallery.load_avatar", prepare)
    shown: list[Avatar] = []
    renderer = SimpleNamespace(set_avatar=shown.append, runtime=None)
    found = Gallery([gallery / "me2.png", gallery / "me10.png"], None, None, renderer)  # type: ignore[arg-type]
    told = []
    for number in (1, 2):
        found.want(number)
        assert found._pending is not None
        found._pending[1].exception(60)
        told.append(found.poll())
    found.close()
    assert told == [
        "me2.png cannot be used (ValueError: cannot reshape array); please report this",
        "me10.png",
    ]
    assert shown == [avatar]


def test_numbers_without_a_gallery_say_so(camera: FaceCamera) -> None:
    Window.script, Window.last = {2: "1", 4: "0", 5: "q"}, 6
    assert mien() == 0
    assert any("--avatars DIR" in status for status in windows[0].told)


def test_a_camera_that_stays_away_is_one_line_and_the_recording_is_kept(
    camera: FaceCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.streams.camera.source.PATIENCE_S", 2.0)
    Window.script, Window.last = {10: camera.unplugged.set}, 10_000
    out = tmp_path / "out.mp4"
    assert mien("--output", out) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "Camera 0 stopped delivering frames" in said.err and "Check its cable" in said.err
    assert f"What was recorded until then is in {out}." in said.err
    assert len(video_times(out)[0]) >= 10
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_a_camera_that_fails_is_one_line(camera: FaceCamera, capsys: pytest.CaptureFixture[str]) -> None:
    def crash() -> None:
        camera.crash = RuntimeError("device gone")

    Window.script, Window.last = {3: crash}, 10_000
    assert mien() == 2
    assert capsys.readouterr().err.startswith("mien: Camera 0 failed (device gone)")


def test_a_busy_camera_is_one_line_with_a_way_out(
    camera: FaceCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera.opens = False
    assert mien("--output", tmp_path / "out.mp4") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--demo" in said
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_camera_hangs_keeps_the_recording(
    camera: FaceCamera, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hang() -> None:
        camera.stalled.set()
        threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()

    Window.script, Window.last = {6: hang}, 10_000
    out = tmp_path / "out.mp4"
    start = time.monotonic()
    assert mien("--output", out) == 0
    camera.resumed.set()
    assert time.monotonic() - start < 20
    assert len(video_times(out)[0]) >= 7
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_without_a_display_a_recording_needs_none(
    camera: FaceCamera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("mien.streams.camera.source.opencv_capture", lambda: camera)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("mien.streams.preview.check_display.__defaults__", ("linux", {}))
    camera.unplug_after = 60
    monkeypatch.setattr("mien.streams.camera.source.PATIENCE_S", 2.0)
    assert mien("--output", tmp_path / "out.mp4") == 2
    said = capsys.readouterr()
    assert "no display here; recording without" in said.out and "live from Camera 0; Ctrl-C ends" in said.out
    assert len(video_times(tmp_path / "out.mp4")[0]) > 3
    assert windows == []


@pytest.fixture
def address(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A clip of two seconds on a web server of this machine."""
    folder = tmp_path_factory.mktemp("web")
    make_driver(folder / "talk.mkv", [*frames, *frames[::-1]] * 2)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/talk.mkv"
    server.shutdown()
    server.server_close()


def test_a_network_stream_drives_until_it_ends(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Window.last = 10_000
    out = tmp_path / "out.mp4"
    assert mien("--driving", address, "--output", out) == 0
    times, _ = video_times(out)
    assert len(times) >= 5, "from its start on"
    # It plays at its own speed, whatever the machine can render.
    assert 0.3 < times[-1] < 2.1
    assert f"live from {address}" in capsys.readouterr().out


class Kept(Sink):
    """A sink that remembers."""

    def __init__(self) -> None:
        self.notes, self.taken = [], []

    def write(self, image: Image, time: float) -> None:
        self.taken.append((image, time))

    def close(self) -> None: ...

    def abort(self) -> None: ...


def test_the_recorder_counts_from_its_first_image() -> None:
    sink = Kept()
    recorder = Recorder(sink, (64, 48))
    for moment in (3.0, 3.04, 3.5):
        recorder.write(np.zeros((48, 64, 3), np.uint8), moment)
    assert [time for _, time in sink.taken] == pytest.approx([0, 0.04, 0.5])


class Disk(Sink):
    """A recording on a disk that stops answering, at an image or at the end, until ``answers`` is set."""

    def __init__(self, hangs_at: str) -> None:
        self.notes, self.hangs_at = [], hangs_at
        self.answers, self.hanging = threading.Event(), threading.Event()
        self.intruders: list[str] = []
        self.images = 0

    def _enter(self, what: str) -> None:
        if self.hanging.is_set():
            self.intruders.append(what)
        if what == self.hangs_at and self.images > 3:
            self.hanging.set()
            self.answers.wait(300)

    def write(self, image: Image, time: float) -> None:
        self._enter("write")
        self.images += 1

    def close(self) -> None:
        self._enter("close")

    def abort(self) -> None:
        self._enter("abort")


@pytest.mark.parametrize("hangs_at", ["write", "close"])
def test_a_disk_that_hangs_cannot_hold_up_the_end_and_what_is_lost_is_said(
    camera: FaceCamera, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], hangs_at: str
) -> None:
    disk = Disk(hangs_at)
    monkeypatch.setattr("mien.cli.live.recorder.open_sink", lambda *_, **__: disk)
    for name, seconds in (("window.FLUSH_S", 0.5), ("recorder.CLOSE_S", 0.5), ("recorder.GIVE_UP_S", 0.1)):
        monkeypatch.setattr(f"mien.cli.live.{name}", seconds)
    monkeypatch.setattr("mien.engine.pipeline.pipeline.STUCK_S", 0.5)
    Window.last = 12
    done: list[int] = []
    run = threading.Thread(target=lambda: done.append(mien("--output", "out.mp4")), daemon=True)
    run.start()
    run.join(120)
    assert done == [2], "it ends although the disk does not answer"
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "The disk of out.mp4 does not answer" in said
    assert f"{disk.images} images were given to it" in said
    assert disk.intruders == [], "nobody else touches a file that a thread is in"
    disk.answers.set()


def test_images_that_a_recording_could_not_take_are_counted_in_one_line(
    camera: FaceCamera, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = Disk("write")
    monkeypatch.setattr("mien.cli.live.recorder.open_sink", lambda *_, **__: disk)
    monkeypatch.setattr("mien.cli.live.recorder.MOST_WAITING", 4)
    Window.script, Window.last = {25: disk.answers.set}, 30
    assert mien("--output", "out.mp4") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "are missing in out.mp4" in line]
    assert len(lines) == 1
    lost, of = (int(word) for word in lines[0].split() if word.isdigit())
    assert lost >= 5 and of - lost == disk.images


@pytest.mark.parametrize("shape", [(48, 64), (100, 100), (10, 200), (200, 10), (7, 7)])
def test_images_of_any_shape_fit_whole_into_the_recording(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 200, np.uint8)
    fitted = fit_into(image, (64, 48))
    assert fitted.shape == (48, 64, 3)
    rows, columns = np.nonzero(fitted[..., 0])
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert height == 48 or width == 64
    assert abs(width * shape[0] - height * shape[1]) <= max(shape), "not distorted"


def test_the_corner_image_leaves_the_original_alone() -> None:
    image, small = np.zeros((200, 300, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)
    out = with_inset(image, small)
    assert image.max() == 0 and out[:40, -60:].min() == 255 and out[:, :200].max() == 0
    narrow = np.zeros((30, 300, 3), np.uint8)
    assert with_inset(narrow, cv2.resize(small, (48, 64))).shape == narrow.shape


def test_the_help_names_every_key() -> None:
    # What each does is tested above; here, that the help names no other and forgets none.
    named = {line.split()[0] for line in KEYS} | {"C", "Esc"}
    assert named == {"X", "F", "O", "1-9", "M", "P", "C", "?", "Esc"}
