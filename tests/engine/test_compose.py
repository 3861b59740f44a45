"""Motion with known content: the file and the image show what was requested."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.engine.avatar import Avatar
from mien.engine.compose.__main__ import main, run
from mien.engine.compose.actions import FacialAction, Timing, source_timing
from mien.engine.compose.composition import compose, motion_at
from mien.engine.face.layout import apply2
from mien.engine.face.regions import REGIONS, region_indices, region_seeds
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Head, Motion
from mien.engine.motion.phases import find_phases
from mien.engine.motion.recording import Recording, load_recording, save_recording
from mien.engine.motion.region_fit import fit_regions
from mien.engine.runtime import Runtime
from mien.engine.session.renderer import Renderer
from mien.engine.types import Floats, Image, MienError
from mien.engine.utils.assets import ASSETS
from mien.engine.utils.sampling import sample

TIMING = Timing(0.2, 0.4, 0.7)
LONG = 300 * "x"


def pushed(region: str, move: tuple[float, float]) -> Motion:
    """A synthetic movement at its apex."""
    recording = compose([FacialAction(region_indices([region]), TIMING, move=move)], 1.0, 100.0)
    motion = recording.motions[40]
    assert motion is not None
    return motion


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Two expressions one after the other, with a moving head: brows at 0.4 s, a mouth corner at 1.3 s."""
    actions = [
        FacialAction(region_indices(["brow_inner"]), TIMING, move=(0.0, -0.02)),
        FacialAction(region_indices(["mouth_corner_left"]), Timing(1.1, 1.3, 1.6), move=(0.02, -0.01)),
    ]
    made = compose(actions, 2.0, 50.0)
    motions = []
    for motion in made.motions:
        assert motion is not None
        motions.append(
            Motion(**{**{f: getattr(motion, f) for f in motion.__slots__}, "head": Head((0.1, 0.0))})
        )
    return Recording(tuple(motions), made.times, made.fps)


@pytest.fixture(scope="module")
def recorded(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("motion") / "recorded.npz"
    save_recording(path, recording)
    return path


def test_the_envelope_is_smooth_and_ends_at_rest() -> None:
    times = np.linspace(0, 1, 1001)
    course = np.array([TIMING.envelope(t) for t in times])
    assert course[times <= 0.2].max() == 0 and course[times >= 0.7].max() == 0
    assert course[400] == pytest.approx(1.0)
    assert np.abs(np.diff(course)).max() < 0.011  # no jump
    assert np.all(np.diff(course[200:400]) >= 0) and np.all(np.diff(course[400:700]) <= 0)


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(MienError, match="follow each other"):
        Timing(0.5, 0.4, 0.7)


@pytest.mark.parametrize(
    "region", [*("brow_inner", "mouth_corner_left", "cheek", "chin", "nose_wing"), "lips"]
)
def test_a_push_moves_the_region_by_the_requested_amount(region: str) -> None:
    move = np.array((0.006, -0.01), np.float32)
    motion = pushed(region, (0.006, -0.01))
    chosen = list(region_indices([region]))
    assert np.abs(motion.regions[chosen] - move).max() < 0.03 * np.hypot(*move)
    far = [i for i, name in enumerate(REGIONS) if name.startswith(("forehead_right", "jaw_right"))]
    assert np.abs(motion.regions[far]).max() < 0.08 * np.hypot(*move)


def test_field_points_regions_and_affines_agree() -> None:
    motion = pushed("mouth_corner_left", (0.01, -0.01))
    regions, affines = fit_regions(motion.dense, motion.trust)
    np.testing.assert_array_equal(motion.regions, regions)
    np.testing.assert_array_equal(motion.affines, affines)
    # The landmarks of the region agree with the field there.
    seeds = list(region_seeds("mouth_corner_left"))
    assert np.median(motion.points[seeds], axis=0) == pytest.approx([0.012, -0.012], abs=0.004)
    assert motion.head == Head() and not motion.gaze.any()


def test_nothing_moves_before_the_onset_and_after_the_offset() -> None:
    made = compose([FacialAction(region_indices(["chin"]), TIMING, move=(0.0, 0.02))], 1.0, 100.0)
    strength = np.array([np.abs(m.dense).max() for m in made.motions if m is not None])
    assert strength[:21].max() == 0 and strength[70:].max() == 0 and strength.argmax() == 40


def test_a_recorded_expression_is_amplified_and_moved_in_time(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "edited.npz"
    run([str(recorded), "--region", "brow_inner", "--gain", "1.5", "--onset", "0.8", "--output", str(out)])
    edited = load_recording(out)
    brow, mouth = REGIONS.index("brow_inner_left"), REGIONS.index("mouth_corner_left")
    course = np.stack([m.regions for m in edited.motions if m is not None])
    assert course[:, brow, 1].min() == pytest.approx(-0.03, rel=0.05)
    apex = edited.times[int(course[:, brow, 1].argmin())]
    assert 0.9 < apex < 1.1  # as long after the onset as recorded
    assert np.abs(course[:, mouth]).max() < 1e-3  # the other expression is not in it
    assert all(m is not None and m.head == Head() for m in edited.motions)


def test_strength_keep_and_head(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "edited.npz"
    words = f"{recorded} --region brow_inner_left --strength 1% --apex 0.5 --keep mouth_corner --with-head"
    run([*words.split(), "--output", str(out)])
    edited = load_recording(out)
    brow, mouth = REGIONS.index("brow_inner_left"), REGIONS.index("mouth_corner_left")
    at_apex = edited.motions[25]
    assert at_apex is not None
    assert np.hypot(*at_apex.regions[brow]) == pytest.approx(0.01, rel=0.05)
    assert at_apex.head.shift[0] == pytest.approx(0.1)
    kept = np.stack([m.regions[mouth] for m in edited.motions if m is not None])
    assert kept[65] == pytest.approx([0.02, -0.01], rel=0.05)


def test_pixels_need_the_size_of_the_face(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "edited.npz"
    words = [str(recorded), "--region", "mouth_corner_left", "--strength", "2px", "--output", str(out)]
    with pytest.raises(MienError, match="--face-pixels"):
        run(words)
    run([*words, "--face-pixels", "200", "--smooth", "--apex", "0.5"])
    motion = motion_at(load_recording(out), 0.5)
    assert np.hypot(*motion.regions[REGIONS.index("mouth_corner_left")]) == pytest.approx(0.01, rel=0.05)


def test_the_source_passage_is_reported(recording: Recording) -> None:
    brow, mouth = region_indices(["brow_inner"]), region_indices(["mouth_corner_left"])
    assert source_timing(recording, brow, 0, 9).apex == pytest.approx(0.4, abs=0.021)
    found = source_timing(recording, mouth, 0, 9)
    assert found.apex == pytest.approx(1.3, abs=0.021)
    assert found.onset == pytest.approx(1.1, abs=0.06) and found.offset == pytest.approx(1.6, abs=0.08)


def test_phases_of_a_known_course() -> None:
    times = np.arange(100) / 100
    course = np.zeros((100, 2, 2), np.float32)
    course[:, 0, 1] = [TIMING.envelope(t) for t in times]
    found = find_phases(list(times), course)
    assert found.apex == pytest.approx(40, abs=1)
    assert TIMING.envelope(found.onset / 100) < 0.2 < TIMING.envelope((found.onset + 2) / 100)
    assert TIMING.envelope(found.offset / 100) < 0.2 < TIMING.envelope((found.offset - 2) / 100)
    assert find_phases([0.0, 1.0], np.zeros((2, 1, 2), np.float32)).apex == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--neutral", "Name one: --region"),
        ("--region chin --move 0,0.01", "--neutral"),
        ("--neutral --region elbow --move 0,0.01", "elbow"),
        ("--neutral --region chin", "--move"),
        ("--neutral --region chin --move 0,0.01 --gain 2", "Leave out"),
        ("--neutral --region chin --move 0,0.5", "tears"),
        ("--neutral --region chin --move 0;1", "two numbers"),
        ("--neutral --region chin --move 0,0.01 --onset 0.5 --apex 0.4", "follow each other"),
        ("--neutral --region chin --move 0,0.01 --onset 3 --seconds 1", "longer"),
        ("--neutral --region chin --strength 3", "unit"),
        ("nothere.npz --region chin", "nothere.npz"),
        (". --region chin", "not a readable motion file"),
        (f"{LONG}.npz --region chin", "not a readable motion file"),
        ("a\0b.npz --region chin", "NUL character"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(
    words: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    assert main([*words.split(), "--output", str(out)]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (f"{LONG}.npz", "too long"),
        (f"{__file__}/out.npz", "Not a directory"),
        ("nowhere/out.npz", "No such file"),
        ("a\0b.npz", "NUL"),
    ],
)
def test_an_unwritable_path_is_reported_in_one_line(
    place: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = "--neutral --seconds 1 --region chin --move 0,0.01 --output"
    assert main([*words.split(), place]) == 2
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_region_at_rest_cannot_be_amplified(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(MienError, match="hardly moves"):
        run([str(recorded), "--region", "jaw_right", "--gain", "2", "--output", str(tmp_path / "o.npz")])


def test_negative_moves_are_not_taken_for_options(tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    words = "--neutral --seconds 1 --region chin --move -0.01,0.02 --output"
    told = run([*words.split(), str(out)])
    assert "chin: -10.0 right, +20.0 down" in told


@pytest.fixture(scope="module")
def large(landmarker: Landmarker, runtime: Runtime) -> Avatar:
    """The built-in portrait at twice its size, so that pixels do not limit measurements."""
    image = cv2.cvtColor(cv2.imread(str(ASSETS / "portrait.jpg")), cv2.COLOR_BGR2RGB)
    double = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return Avatar.of(np.asarray(double, np.uint8), landmarker, runtime)


@pytest.mark.parametrize(
    ("region", "move"),
    [
        ("brow_inner", (0.0, -0.015)),
        ("mouth_corner_left", (0.01, -0.01)),
        ("cheek_left", (0.006, -0.01)),
        ("nose_wing", (0.0, -0.01)),
    ],
)
def test_the_image_shows_the_requested_motion(
    region: str, move: tuple[float, float], large: Avatar, runtime: Runtime
) -> None:
    """Optical flow between two images: the region's landmarks move as requested, distant ones do not."""
    motion = pushed(region, move)
    renderer = Renderer(large, runtime)
    flow = _flow(renderer.render(Motion.neutral()).image, renderer.render(motion).image)
    seeds = list(region_seeds(REGIONS[region_indices([region])[0]]))
    seen = _at(flow, large.geometry.points[seeds]).mean(axis=0)
    asked = apply2(large.geometry.axes[seeds], motion.points[seeds]).mean(axis=0)
    assert np.hypot(*(seen - asked)) < 0.2 * np.hypot(*asked)
    away = _at(
        flow,
        large.geometry.points[[i for name in ("forehead_right", "jaw_right") for i in region_seeds(name)]],
    )
    assert np.abs(away).mean() < 0.06 * np.hypot(*asked)


def _flow(first: Image, second: Image) -> Floats:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchStride(2)
    dis.setGradientDescentIterations(50)
    grey = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8) for image in (first, second)]
    nothing: object = None
    return np.asarray(dis.calc(grey[0], grey[1], nothing), np.float32)  # type: ignore[call-overload]


def _at(flow: Floats, points: Floats) -> Floats:
    return sample(flow, (points - 0.5).astype(np.float32).reshape(-1, 1, 2)).reshape(-1, 2)
