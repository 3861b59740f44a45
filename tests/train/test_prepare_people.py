"""A clip in which another person takes over is split there: no pair mixes two people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from conftest import read_clip
from fakes.media import make_video

from mien.engine.landmarks import Landmarker
from mien.engine.types import Image
from mien.train.data.clips import Clip
from mien.train.data.packing import PackConfig, pack_clip


def test_no_pair_mixes_two_people(
    tmp_path: Path, carphone: Path, astronaut: Image, landmarker: Landmarker
) -> None:
    man = [np.asarray(cv2.resize(image, (352, 288))) for image in read_clip(carphone, 16)]
    woman = []
    for index in range(16):
        matrix = np.array([[1.3, 0, -60 + index], [0, 1.3, -10]])
        woman.append(np.asarray(cv2.warpAffine(astronaut[:256, 60:400], matrix, (352, 288))))
    path = make_video(tmp_path / "cut.mp4", man + woman)
    config = PackConfig(frames_per_source=4, drivings=4)
    meta = pack_clip(Clip("cut", path, "s", "s", "c"), config, landmarker, tmp_path / "packed")
    assert meta["people"] == 2
    frames, pairs = (np.load(tmp_path / "packed" / f"{name}.npy") for name in ("frames", "pairs"))
    # The two backgrounds and faces tell at once who is on an image.
    truth = [np.asarray(cv2.resize(images[0], (256, 256)), float).mean() for images in (man, woman)]
    levels = frames.reshape(len(frames), -1).mean(axis=1)
    split = (levels > np.sort(levels)[[0, -1]].mean()).astype(int)
    assert abs(truth[0] - truth[1]) > 5
    assert set(split) == {0, 1}
    assert (split[pairs[:, 0]] == split[pairs[:, 1]]).all()
    assert set(split[pairs[:, 0]]) == {0, 1}
