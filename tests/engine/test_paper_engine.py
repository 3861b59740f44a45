"""The paper preset in the engine: points, motion of key points, rendering, `--model`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from narrow_paper import NARROW_PAPER

from mien.engine.avatar import Avatar
from mien.engine.avatar.model_io import AvatarCode, source_tensor
from mien.engine.landmarks import Landmarker
from mien.engine.landmarks import topology as topo
from mien.engine.motion import Gains, Motion, apply_gains
from mien.engine.motion.key_motion import KeyMotion, Keys, mixed
from mien.engine.paper.points import FLIP, N_POINTS, given_points
from mien.engine.paper.renderer import PaperRenderer
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.paper.tracker import PaperTracker, crop_points
from mien.engine.session.session import Session
from mien.engine.types import Floats, Frame, Image, MienError
from run_live import main


class Plain(PaperRuntime):
    """Its image is the portrait, brightened by the first key point's motion to the right."""

    name, points, given_points = "plain", N_POINTS, True

    def encode(self, source: Image) -> AvatarCode:
        self.encoded = getattr(self, "encoded", 0) + 1
        return AvatarCode(source_tensor(source), np.zeros((1, 1, 64, 64), np.float32))

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        assert image.shape == (1, 3, 256, 256)
        assert points is not None
        self.seen = points
        frames = np.tile(np.eye(2, dtype=np.float32), (N_POINTS, 1, 1))
        return Keys((points * 2 / 256 - 1).astype(np.float32), frames)

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        moved = float((driving.points - source.points)[:, 0].mean())
        return np.clip(code.source[0].transpose(1, 2, 0) + moved, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def plain() -> Plain:
    return Plain()


@pytest.fixture(scope="module")
def portrait(astronaut: Image, landmarker: Landmarker, plain: Plain) -> Avatar:
    return Avatar.of(astronaut, landmarker, plain)


def test_the_points_match_dlibs(astronaut: Image, landmarker: Landmarker) -> None:
    face = landmarker.detect(astronaut)[0].landmarks[:, :2]
    points = given_points(face)
    assert points.shape == (N_POINTS, 2)
    right_brow, left_brow, root = points[0], points[1], points[2]
    assert right_brow[0] < root[0] < left_brow[0]
    assert right_brow[1] < face[topo.RIGHT_EYE_OUTER_CORNER][1]
    assert points[7] == pytest.approx(face[topo.MOUTH_RIGHT_CORNER])
    inner = face[382] - face[155]
    cheeks = points[12:]
    assert cheeks[4] == pytest.approx(points[7] - [inner[0] / 2, 0], abs=1e-3)
    assert cheeks[2] == pytest.approx(points[4] + [0, inner[0] / 2], abs=1e-3)
    mirrored = (face * np.array([-1, 1], np.float32))[topo.FLIP]
    assert given_points(mirrored)[FLIP] == pytest.approx(points * [-1, 1], abs=1e-3)


def test_motion_adapts_to_the_size_of_the_face() -> None:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    frames = np.tile(np.array([[2, 0], [0, 1]], np.float32), (4, 1, 1))
    first, now = Keys(corners * 0.5, frames), Keys(corners * 0.5 + 0.1, 1.5 * frames)
    motion = KeyMotion.between(first, now)
    assert motion.size == pytest.approx(0.5)
    source = Keys(corners - 0.5, np.tile(np.eye(2, dtype=np.float32), (4, 1, 1)))
    moved = motion.applied(source)
    assert moved.points == pytest.approx(source.points + 0.2, abs=1e-6)
    assert moved.jacobians == pytest.approx(1.5 * source.jacobians)


def test_no_motion_mixes_in_as_rest() -> None:
    motion = KeyMotion(np.full((3, 2), 0.4, np.float32), np.full((3, 2, 2), 0.5, np.float32), 1.0)
    half = mixed(None, motion, 0.5)
    assert half is not None
    assert half.shifts == pytest.approx(0.2)
    assert half.affines[0] == pytest.approx(np.array([[0.75, 0.25], [0.25, 0.75]]))
    assert mixed(None, None, 0.5) is None
    doubled = apply_gains(replace(Motion.neutral(), keys=motion), Gains(expression=2.0)).keys
    assert doubled is not None
    assert doubled.shifts == pytest.approx(0.8)


def test_the_driver_moves_the_portrait(astronaut: Image, portrait: Avatar, plain: Plain) -> None:
    shifted = np.roll(astronaut, 12, axis=1)
    with PaperTracker(plain) as tracker:
        session = Session(tracker, PaperRenderer(portrait, plain))
        still = session.step(Frame(astronaut, 0, 0, 0.0)).image
        moved = session.step(Frame(shifted, 1, 0, 0.04)).image
    assert np.abs(still.astype(int) - astronaut).mean() < 2
    assert np.abs(still.astype(int) - astronaut)[:4].max() == 0
    x, y = (int(v) for v in portrait.geometry.centre)
    face = (slice(y - 20, y + 20), slice(x - 20, x + 20))
    # 12 of the crop's pixels to the right, as a share of half its side.
    wanted = 255 * 12 * 2 / portrait.crop.side
    dark = astronaut[face] < 200
    assert (moved[face].astype(int) - still[face])[dark].mean() == pytest.approx(wanted, rel=0.15)


def test_the_portrait_is_encoded_once(astronaut: Image, portrait: Avatar, plain: Plain) -> None:
    before = plain.encoded
    renderer = PaperRenderer(portrait, plain, crop=192)
    for k in range(3):
        assert renderer.render(Motion.neutral(k)).image.shape == (192, 192, 3)
    assert plain.encoded == before
    assert renderer.size == (192, 192)
    assert plain.seen == pytest.approx(crop_points(portrait.crop, portrait.face.landmarks[:, :2]))


def test_pasting_leaves_no_seam(astronaut: Image, portrait: Avatar, plain: Plain) -> None:
    renderer = PaperRenderer(portrait, plain)
    shifts = np.zeros((N_POINTS, 2), np.float32)
    shifts[:, 0] = 0.3
    keys = KeyMotion(shifts, np.tile(np.eye(2, dtype=np.float32), (N_POINTS, 1, 1)), renderer._source.size)
    image = renderer.render(replace(Motion.neutral(), keys=keys)).image.astype(int)
    change = (image - astronaut).mean(axis=2)
    left = int(portrait.crop.x)
    row = change[int(portrait.geometry.centre[1])]
    assert np.abs(row[: left + 3]).max() < 12  # its border is the portrait's own


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from mien.train.checkpoint import save_weights
    from mien.train.model.paper import PaperConfig, PaperModel
    from mien.train.model.paper.weights import facts_of

    torch.manual_seed(3)
    config = PaperConfig(**NARROW_PAPER)
    path = tmp_path_factory.mktemp("paper") / "paper.safetensors"
    save_weights(path, dict(PaperModel(config).state_dict()), config, facts_of(config))
    return path


def test_weights_run_as_a_model(weights: Path, tmp_path: Path, astronaut: Image) -> None:
    import cv2

    frames = tmp_path / "frames"
    frames.mkdir()
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    for k in range(3):
        cv2.imwrite(str(frames / f"{k}.png"), np.roll(small, k, axis=1)[..., ::-1])
    output = tmp_path / "out"
    arguments = ["--driving", str(frames), "--model", str(weights), "--size", "256", "--output", str(output)]
    assert main(arguments) == 0
    made = [cv2.imread(str(path)) for path in sorted(output.glob("*.png"))]
    assert len(made) == 3
    assert np.abs(made[0].astype(int) - made[2]).max() > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "nowhere"], "does not exist"),
        (["--model", "{weights}", "--demo"], "needs the driver's images"),
        (["--model", "{weights}", "--head", "0.5", "--driving", "x.mp4"], "--expression is the only gain"),
        (["--model", "{folder}", "--demo"], "has no exported model"),
        (["--model", "{text}", "--demo"], "is not a model"),
        (["--model", "{damaged}", "--demo"], "cannot read weights"),
    ],
)
def test_wrong_models(
    arguments: list[str], says: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("no model", encoding="utf-8")
    (tmp_path / "a.safetensors").write_bytes(b"no model")
    (tmp_path / "folder").mkdir()
    places = {
        "weights": weights,
        "folder": tmp_path / "folder",
        "text": tmp_path / "a.txt",
        "damaged": tmp_path / "a.safetensors",
    }
    output = tmp_path / "out.mp4"
    given = [each.format(**places) for each in arguments]
    assert main([*given, "--output", str(output)]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not output.exists()


@pytest.mark.slow
def test_exported_parts_compute_what_torch_computes(
    weights: Path, tmp_path: Path, astronaut: Image, landmarker: Landmarker
) -> None:
    pytest.importorskip("onnxscript")
    from mien.cli.model_choice import load_model
    from mien.engine.paper.openvino_paper import PARTS, OpenVinoPaper, part_file
    from mien.export.targets import write
    from mien.export.weights import exported_parts

    write({f"{name}.onnx": content for name, content in exported_parts(weights).items()}, tmp_path)
    fast, exact = load_model(tmp_path, 1, "f32"), load_model(weights, 1, "f32")
    assert isinstance(fast, OpenVinoPaper)
    assert isinstance(exact, PaperRuntime)
    images = []
    for runtime in (fast, exact):
        avatar = Avatar.of(astronaut, landmarker, runtime)
        points = crop_points(avatar.crop, avatar.face.landmarks[:, :2])
        source = runtime.detect(avatar.code.source, points)
        moved = Keys(source.points + np.float32(0.05), source.jacobians * np.float32(1.1))
        images.append(runtime.animate(avatar.code, source, moved).copy())
    assert np.abs(images[0] - images[1]).max() < 1e-3
    assert images[0].std() > 0.005
    damaged = part_file(tmp_path, PARTS[2])
    damaged.write_bytes(damaged.read_bytes()[:2000])
    with pytest.raises(MienError, match=r"paper-motion\.onnx: this part of the model is damaged"):
        load_model(tmp_path, 1, "f32")
    damaged.unlink()
    with pytest.raises(MienError, match=r"paper-motion\.onnx: this part of the model is missing"):
        load_model(tmp_path, 1, "f32")
