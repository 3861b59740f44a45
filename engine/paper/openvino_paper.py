"""The published network on the CPU by OpenVINO, from the ONNX parts that ``export`` writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from mien.engine.avatar.model_io import IMAGE_SIZE, AvatarCode, source_tensor
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.types import Floats, Image, ModelError, UsageError
from mien.engine.utils.openvino_core import compile_for_cpu, core, quick_precision

PARTS = ("detector", "encoder", "motion", "decoder")
_MODEL, _VERSION = "mien-paper", "1"
_REMEDY = "mien export WEIGHTS.safetensors --output DIR writes them"


def part_file(folder: Path, part: str) -> Path:
    """Where a part lies in an exported folder."""
    return folder / f"paper-{part}.onnx"


def is_paper_folder(folder: Path) -> bool:
    """Whether ``folder`` holds an exported paper model (or some of it)."""
    return any(part_file(folder, part).is_file() for part in PARTS)


class OpenVinoPaper(PaperRuntime):
    """OpenVINO on ``threads`` CPU threads.

    Only the decoder, which has nine tenths of the cost, may run in bfloat16: grids, heat maps and their
        softmax
    lose half a pixel in it.

    Args:
        folder: with the parts ``paper-*.onnx``.
        precision: ``"f32"``, ``"bf16"``, or ``"auto"``: the faster of the two on this CPU.

    Raises:
        MienError: a part is missing, damaged, or not exported together with the others.
    """

    name = "openvino"

    def __init__(self, folder: Path, *, threads: int | None = None, precision: str = "auto") -> None:
        threads = threads or max(2, (os.cpu_count() or 2) // 2)
        if precision == "auto":
            precision = quick_precision()
        elif precision == "int8":
            raise UsageError("The paper preset does not compute in int8. Choose f32, bf16 or auto.")
        models = {part: _read(part_file(folder, part)) for part in PARTS}
        metadata = {part: _metadata(model, part_file(folder, part), part) for part, model in models.items()}
        if len({facts["weights_sha256"] for facts in metadata.values()}) > 1:
            raise ModelError(f"{folder}: its parts were not exported together ({_REMEDY}).")
        config = json.loads(metadata["detector"]["config"])
        self.points, self.given_points = int(config["points"]), bool(config["given_points"])
        if config["image_size"] != IMAGE_SIZE:
            raise ModelError(f"{folder}: made for images of {config['image_size']} pixels, not {IMAGE_SIZE}.")
        low = {part: precision if part == "decoder" else "f32" for part in PARTS}
        self._requests = {
            part: compile_for_cpu(model, threads=threads, precision=low[part]).create_infer_request()
            for part, model in models.items()
        }
        self._detecting, self._encoding = Lock(), Lock()
        self._image = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)

    def encode(self, source: Image) -> AvatarCode:
        tensor = source_tensor(source)
        with self._encoding:
            return AvatarCode(tensor, np.array(self._requests["encoder"].infer({"source": tensor})[0]))

    def detect(self, image: Floats, points: Floats | None) -> Keys:
        inputs = {"image": image}
        if self.given_points:
            if points is None:
                raise ValueError("this model is given its points")
            inputs["points"] = points[None]
        with self._detecting:
            request = self._requests["detector"]
            request.infer(inputs)
            found = [np.array(request.get_tensor(name).data[0]) for name in ("key_points", "jacobians")]
        return Keys(found[0], found[1])

    def animate(self, code: AvatarCode, source: Keys, driving: Keys) -> Floats:
        motion, decoder = self._requests["motion"], self._requests["decoder"]
        motion.infer(
            {
                "source": code.source,
                "features": code.features,
                "source_points": source.points[None],
                "source_jacobians": source.jacobians[None],
                "driving_points": driving.points[None],
                "driving_jacobians": driving.jacobians[None],
            }
        )
        decoder.infer({"warped": motion.get_output_tensor(0)})
        np.copyto(self._image, decoder.get_output_tensor(0).data[0].transpose(1, 2, 0))
        return self._image


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"{path}: this part of the model is missing ({_REMEDY}).")
    try:
        return core().read_model(str(path))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: this part of the model is damaged ({_REMEDY}).") from error


def _metadata(model: Any, path: Path, part: str) -> dict[str, str]:
    keys = ("name", "version", "part", "weights_sha256", "config")
    try:
        facts = {key: str(model.get_rt_info(["framework", key]).astype(str)) for key in keys}
    except RuntimeError:
        facts = {}
    if (facts.get("name"), facts.get("version"), facts.get("part")) != (_MODEL, _VERSION, part):
        raise ModelError(f"{path}: not the {part} of {_MODEL} {_VERSION} ({_REMEDY}).")
    return facts
