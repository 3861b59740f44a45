"""Worker of ``fidelity_table``: renders results with the checkout whose Python runs it.

    python render_results.py CHECKOUT jobs.json

A file run is the command itself; a live one the session of a live run, frame after frame.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
from frame_times import named

CROP_SIDE = 256


def main() -> int:
    """Render every job of the list."""
    sys.path.insert(0, sys.argv[1])
    for job in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")):
        output = Path(job["output"])
        output.parent.mkdir(parents=True, exist_ok=True)
        part = output.with_name(f"part-{output.name}")
        (_file if job["tracking"] == "file" else _live)(job, part)
        part.rename(output)
    return 0


def _file(job: dict[str, Any], output: Path) -> None:
    crop = ["--crop", "--size", str(CROP_SIDE)] if job["drawn"] == "crop" else []
    status = import_module("run_live").main([
        "--driving", job["driver"], "--fps", str(job["fps"]), "--avatar", job["portrait"],
        "--reference", "first", "--threads", "1", "--output", str(output), "--lossless", *crop,
    ])  # fmt: skip
    if status != 0:
        raise SystemExit(f"{output}: status {status}")


def _live(job: dict[str, Any], output: Path) -> None:
    runtime, settings = named("default_runtime")(1), named("TrackerSettings")(live=True)
    runtime.network = named("Network").EVERY_FRAME
    with named("make_landmarker")() as landmarker:
        avatar = named("Avatar").of(_read(Path(job["portrait"])), landmarker, runtime)
    paths = sorted(Path(job["driver"]).glob("*.png"))
    renderer = named("Renderer")(avatar, runtime, CROP_SIDE if job["drawn"] == "crop" else None)
    results = []
    with named("Tracker")(settings) as tracker:
        session = named("Session")(tracker, renderer)
        for index, path in enumerate(paths):
            frame = named("Frame")(_read(path), index, 0, index / job["fps"])
            results.append(session.step(frame).image.copy())
    height, width = results[0].shape[:2]
    with named("open_sink")(output, width=width, height=height, fps=job["fps"], lossless=True) as sink:
        for index, image in enumerate(results):
            sink.write(image, index / job["fps"])


def _read(path: Path) -> Any:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    sys.exit(main())
