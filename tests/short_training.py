"""Training on tiny data: a clip as packed by ``prepare``, and steps whose losses can be examined."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from mien.engine.types import Floats, Image
from mien.train.config import FitConfig
from mien.train.data.packing import FORMAT, FRONT
from mien.train.fit import Fit, Place

QUIET = Console(quiet=True)

PAIRS = ((0, 1), (0, 2), (2, 1), (2, 3))


def pack(folder: Path, image: Image, landmarks: Floats, pairs: tuple[tuple[int, int], ...] = PAIRS) -> None:
    """One clip as packed by ``prepare``: a face that sways, with its landmarks.

    Args:
        landmarks: ``(478, 3)`` of the 256 px image, pixels.
        pairs: source and driving frames, of four.
    """
    frames, points = [], []
    for k in range(4):
        matrix = cv2.getRotationMatrix2D((128, 110), 3.0 * np.sin(k), 1 + 0.03 * np.cos(k))
        matrix[:, 2] += (4 * np.sin(1.3 * k), 3 * np.cos(0.7 * k))
        frames.append(cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE))
        moved = landmarks.copy()
        moved[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        points.append(moved)
    count = len(pairs)
    normalised = np.stack(points)[:, :, :2].astype(np.float32) / 127.5 - 1
    sources, drivings = (normalised[[pair[side] for pair in pairs]] for side in (0, 1))
    arrays = {
        "frames": np.stack(frames),
        "landmarks": np.stack(points).astype(np.float32),
        "pairs": np.array(pairs, np.int32),
        "source_points": sources,
        "driving_points": drivings,
        "dense": np.zeros((count, 3, 64, 64), np.float16),
        "teacher": np.ones((count, 3, 64, 64), np.float16),
        "mesh": np.stack([frames[source] for source, _ in pairs]),
        "front": np.zeros((count, FRONT, FRONT, 4), np.uint8),
        "corner": np.full((count, 2), 64, np.int16),
    }
    folder.mkdir(parents=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    clip = {"id": folder.name, "path": f"{folder}.mp4", "subject": folder.name, "group": folder.name}
    clip |= {"collection": "tests", "licence": "CC0"}
    (folder / "meta.json").write_text(json.dumps({"format": FORMAT, "clip": clip}), encoding="utf-8")


def losses_of(fit: Fit, steps: int) -> list[float]:
    """The losses of the next steps."""
    found = []
    for _ in range(steps):
        place = Place.at(fit.step, fit.config.stages)
        batch = fit._batch(fit.step)
        assert place is not None
        assert batch is not None
        found.append(float(fit.train_step(place, batch).total.detach()))
        fit.step += 1
    return found


def check_interruption(config: FitConfig, losses: list[float], folder: Path, rel: float) -> None:
    """The run that gave ``losses`` gives them again when it is saved half-way and resumed."""
    middle = len(losses) // 2
    broken = replace(config, run=replace(config.run, output=str(folder)))
    first = Fit(broken, QUIET)
    assert losses_of(first, middle) == pytest.approx(losses[:middle], rel=rel)
    first.save()
    again = Fit(broken, QUIET)
    assert again.step == middle
    assert losses_of(again, len(losses) - middle) == pytest.approx(losses[middle:], rel=rel)
