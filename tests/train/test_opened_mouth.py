"""The painter learns on what the engine draws, and what its paint becomes there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")

from short_training import pack  # noqa: E402

from mien.engine.avatar.canvas.canvas import make_canvas  # noqa: E402
from mien.engine.avatar.canvas.composition import compose, show_cavity  # noqa: E402
from mien.engine.avatar.canvas.mesh_canvas import Warp  # noqa: E402
from mien.engine.avatar.model_io import Field  # noqa: E402
from mien.engine.face.lips import mouth_gap  # noqa: E402
from mien.engine.landmarks import Landmarker  # noqa: E402
from mien.engine.types import Face, Image, MienError  # noqa: E402
from mien.train.config import LossConfig, StageConfig  # noqa: E402
from mien.train.data.augment import AugmentConfig, Change  # noqa: E402
from mien.train.data.clips import Clip  # noqa: E402
from mien.train.data.closed_mouths import ClosedConfig, _closed, closed_points, pack_closed  # noqa: E402
from mien.train.data.dataset import PackedData  # noqa: E402
from mien.train.data.packed_clip import PackedClip  # noqa: E402
from mien.train.data.packing import ARRAYS, FORMAT, PackConfig  # noqa: E402
from mien.train.data.repacking import can_repack, repack_clip  # noqa: E402
from mien.train.data.tracking import SourceView, front_of  # noqa: E402
from mien.train.losses.kept import KeptPaintings  # noqa: E402
from mien.train.losses.objective import Objective  # noqa: E402
from mien.train.losses.perceptual import LitePerceptual  # noqa: E402
from mien.train.model import LiveConfig, LiveModel  # noqa: E402
from mien.train.model.opened_mouth import with_mouth  # noqa: E402

SMALL = LiveConfig(
    features=16,
    encoder_channels=(16, 16, 16),
    correction_channels=(16, 16, 16, 16, 16),
    painter_channels=(16, 16, 16),
    painter_detail=8,
)


@pytest.fixture(scope="module")
def face(close_up: Image, landmarker: Landmarker) -> Face:
    landmarker.reset()
    found = landmarker.track(close_up)
    assert found is not None
    return found


@pytest.fixture
def folder(tmp_path: Path, close_up: Image, face: Face) -> Path:
    """A packed clip in which a round mouth opens in the middle of the lips."""
    clip = tmp_path / "clips" / "a"
    pack(clip, close_up, face.landmarks)
    front = np.load(clip / "front.npy")
    y, x = np.mgrid[: front.shape[1], : front.shape[2]]
    front[:, np.hypot(x - 64, y - 64) < 9] = (40, 10, 12, 255)
    np.save(clip / "front.npy", front)
    middle = face.landmarks[[13, 14], :2].mean(axis=0)
    np.save(clip / "corner.npy", np.tile((middle[::-1] - 64).round().astype(np.int16), (len(front), 1)))
    (tmp_path / "split.json").write_text(json.dumps({"train": ["a"], "validation": ["a"]}), encoding="utf-8")
    return tmp_path


def test_the_loss_sees_what_the_engine_shows(close_up: Image, face: Face) -> None:
    rng = np.random.default_rng(0)
    canvas = make_canvas(SourceView(close_up, face).avatar, 256)
    mouth = slice(150, 190), slice(100, 160)
    cover = np.round(rng.random((40, 60), np.float32) * 255) / np.float32(255)
    inside = np.full((40, 60, 3), (60, 20, 10), np.float32)
    warp = Warp(np.zeros((2, 256, 256), np.float32), mouth, cover, inside)
    paint = (0.2 * rng.standard_normal((256, 256, 3))).astype(np.float32)
    field = Field(np.zeros((64, 64, 2), np.float32), np.ones((64, 64), np.float32), paint)
    wanted = compose(canvas, field, warp)

    def planes(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 255

    front = warp.device_inputs()["front"][0]
    plain = compose(canvas, None, warp)
    found = with_mouth(planes(plain), planes(front), planes(close_up), planes(255 * paint))
    apart = np.abs(found.clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255 - wanted)
    assert apart[mouth].max() < 2.0
    assert np.abs(plain[mouth].astype(int) - wanted[mouth]).mean() > 5


def test_the_loss_sees_the_cavity_where_the_engine_puts_it_over_the_paint(
    close_up: Image, face: Face
) -> None:
    rng = np.random.default_rng(1)
    darker = (0.6 * close_up).astype(np.uint8)  # nothing is to reach white
    canvas = make_canvas(SourceView(darker, face).avatar, 256)
    mouth = slice(150, 190), slice(100, 160)
    inside = np.full((40, 60, 3), (60, 20, 10), np.float32)
    calm = np.round(np.linspace(0, 1, 40, dtype=np.float32)[:, None].repeat(60, axis=1) * 255) / np.float32(
        255
    )
    shift = np.zeros((2, 256, 256), np.float32)
    warp = Warp(shift, mouth, np.ones((40, 60), np.float32), inside, calm)
    paint = (0.12 + 0.05 * rng.random((256, 256, 3))).astype(np.float32)
    wanted = compose(
        canvas, Field(np.zeros((64, 64, 2), np.float32), np.ones((64, 64), np.float32), paint), warp
    )
    show_cavity(canvas, wanted, warp, whole=False)

    def planes(image: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 255

    plain = compose(canvas, None, warp)
    found = with_mouth(planes(plain), planes(front_of(warp)), planes(darker), planes(255 * paint))
    apart = np.abs(found.clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255 - wanted)
    assert apart[mouth].max() < 2.5
    assert np.abs(wanted[189, 100:160] - inside[-1]).max() < 1


def test_a_pair_is_packed_as_the_engine_draws_it(close_up: Image, face: Face) -> None:
    still = SourceView(close_up, face).drive(close_up, face)
    assert still is not None
    assert np.abs(still.mesh.astype(int) - close_up).mean() < 1.0, "at rest the portrait"


def test_a_closed_mouth_opens_onto_the_still(tmp_path: Path, close_up: Image, landmarker: Landmarker) -> None:
    path = tmp_path / "open.png"
    cv2.imwrite(str(path), close_up[..., ::-1])
    clip = Clip("open", path, "p", "p", "c")
    pack_closed(clip, ClosedConfig(wholly=1.0), landmarker, tmp_path / "packed")
    packed = PackedClip.open(tmp_path / "packed")
    (closed, still), marks = packed.arrays["pairs"][0], packed.arrays["landmarks"]
    assert np.abs(packed.arrays["frames"][still].astype(int) - close_up).max() == 0
    assert mouth_gap(marks[closed, :, :2]) < 0.4 * mouth_gap(marks[still, :, :2])
    assert packed.opened.all()


def test_lips_meet_and_the_eyes_stay(face: Face) -> None:
    points = face.landmarks[:, :2].astype(np.float32)
    shut = closed_points(points, 1.0)
    assert mouth_gap(shut) < 0.1 * mouth_gap(points)
    assert mouth_gap(closed_points(points, 0.5)) == pytest.approx(0.5 * mouth_gap(points), rel=0.1)
    eyes = [33, 133, 159, 145, 362, 263, 386, 374]
    np.testing.assert_array_equal(shut[eyes], points[eyes])


def test_a_shut_mouth_is_refused(tmp_path: Path, close_up: Image, face: Face, landmarker: Landmarker) -> None:
    view = SourceView(close_up, face)
    path = tmp_path / "shut.png"
    cv2.imwrite(str(path), _shut(view, landmarker)[..., ::-1])
    with pytest.raises(MienError, match="the mouth is not open"):
        pack_closed(Clip("shut", path, "p", "p", "c"), ClosedConfig(), landmarker, tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def _shut(view: SourceView, landmarker: Landmarker) -> Image:
    made = _closed(view, 1.0, landmarker)
    assert made is not None
    return made[0]


def test_an_older_packing_is_driven_again(folder: Path, landmarker: Landmarker) -> None:
    clip, config = folder / "clips" / "a", PackConfig(sources=1, drivings=2)
    meta = json.loads((clip / "meta.json").read_text(encoding="utf-8"))
    before = {name: np.load(clip / f"{name}.npy") for name in ("frames", "pairs")}
    whole = {"frames": 360, "sources": 14, "frames_per_source": 12, "drivings": 12, "seed": 4}
    (clip / "meta.json").write_text(json.dumps({**meta, "format": 1, "config": whole}), encoding="utf-8")
    for name in ("mesh", "front", "corner"):
        (clip / f"{name}.npy").unlink()
    assert can_repack(clip, config)
    assert not can_repack(clip, replace(config, sources=20)), "it has fewer"
    assert repack_clip(clip, config, landmarker)["format"] == FORMAT
    packed = PackedClip.open(clip)
    assert set(packed.arrays) == set(ARRAYS)
    assert len(packed.sources) == 1 and 1 <= len(packed.sources[0]) <= 2
    source = packed.arrays["frames"][packed.arrays["pairs"][0, 0]]
    assert any(np.array_equal(source, frame) for frame in before["frames"])
    assert not can_repack(folder, config)


def objective() -> Objective:
    torch.manual_seed(0)
    model = LiveModel(SMALL)
    torch.nn.init.normal_(model.painter.leave.weight, std=0.01)
    torch.nn.init.constant_(model.painter.leave.bias, 0.5)
    model.encoder.requires_grad_(False)
    model.correction.requires_grad_(False)
    made = Objective(model, LitePerceptual())
    made.weights = LossConfig(flow=0, occlusion=0, smooth=0, pyramid=1.0, perceptual=1.0, crop=24)
    return made


def test_kept_inputs_give_the_losses_of_new_ones(folder: Path) -> None:
    data, judged = PackedData(folder, ["a"], AugmentConfig(), 3), objective()
    batch = data.batch(0, 2, 2, 0.5, opened=True)
    with torch.no_grad():
        whole, parts = judged(batch, 5), judged(judged.painting(batch, 5, 24), 5)
    for name, value in parts.parts.items():
        assert float(value) == pytest.approx(float(whole.parts[name]), rel=1e-4)
    assert float(parts.parts["pyramid"]) > 0
    stage = StageConfig(train=("painter",), loss=judged.weights)
    first, again = (KeptPaintings(data, judged, 5, 3) for _ in range(2))
    given, same = first.batch(7, 3, stage, 0), again.batch(7, 3, stage, 0)
    assert torch.equal(given.truth, same.truth) and given.mesh.shape == (3, 3, 96, 96)
    losses = judged(given, 0)
    losses.total.backward()
    assert float(judged.model.painter.leave.weight.grad.abs().max()) > 0
    assert len({id(x) for x in first._kept.values()}) <= 3, "each sample is computed once"


def test_paint_counts_within_the_mouth_alone(folder: Path) -> None:
    data, judged = PackedData(folder, ["a"], None, 3), objective()
    batch = data.batch(0, 1, 2, 0.0, opened=True)
    covered = batch.front[:, 3:] > 0
    with torch.no_grad():
        given = judged.painting(batch, 0, 24)
        image = judged(given, 0).image
    beside = given.front[:, 3:].expand_as(image) == 0
    assert torch.equal(image[beside], given.mesh[beside])
    assert bool(covered.any()) and not torch.equal(image, given.mesh)


def test_a_monochrome_change_gives_monochrome_images_and_sharp_layers(close_up: Image) -> None:
    tinted = Change(tint=(0.3, 0.08, -0.27), blur=1.0, quality=40, zoom=0.9)
    layer = np.dstack([close_up, np.full(close_up.shape[:2], 255, np.uint8)])
    colours = tinted.layer(layer)[..., :3].astype(int)
    assert (colours[..., 0] >= colours[..., 2]).all()
    grey = Change(tint=(0.0, 0.0, 0.0)).image(close_up).astype(int)
    assert np.ptp(grey, axis=2).max() <= 1
    grainy = Change(grain=6.0, grain_seed=1)
    assert not np.array_equal(grainy.portrait(close_up), grainy.image(close_up))
    np.testing.assert_array_equal(grainy.portrait(close_up), grainy.portrait(close_up))
