"""A pair whose clip changes its person is marked, and measured on the first one alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from conftest import read_clip
from fakes.media import make_video

from mien.cli.batch.pairs import Pair
from mien.cli.batch.tracking import follow
from mien.cli.options.arguments import parse
from mien.engine.landmarks import Landmarker
from mien.engine.presets import PRESETS
from mien.engine.tracking import Tracker
from mien.engine.types import Image


def test_the_pair_is_marked(tmp_path: Path, carphone: Path, astronaut: Image, landmarker: Landmarker) -> None:
    man = [np.asarray(cv2.resize(image, (384, 288))) for image in read_clip(carphone, 10)]
    woman = np.asarray(cv2.resize(astronaut[:256, 60:400], (384, 288)))
    path = make_video(tmp_path / "two.mp4", [*man, *[woman] * 20])
    pair = Pair("two", 2, path, path)
    found = follow(pair, parse([]), Tracker(landmarker=landmarker), PRESETS[0])
    assert len(found.motions) == 30
    assert found.seen == list(range(10))
    assert any(note.startswith("In the clip another face takes over at ") for note in found.notes)
