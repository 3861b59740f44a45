"""Conversion of the exported ONNX parts to the files of a runtime.

``onnx`` at FP32 and batch 1 is the export itself; everything else is made from it by
:mod:`mien.engine.runtime.graphs`, so all targets contain the same weights.

``--size``: the ``live`` network works at 256 x 256 whatever the image's size, and detail comes from the
portrait's own pixels; a larger image costs one more ``GridSample``.  That last step is a separate part,
``live-picture``, which accepts any size up to 4096 x 4096; ``--size`` is the one that TensorRT optimises for.
``paper`` always draws 256 x 256.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.engine.types import SinkError, UsageError
from mien.engine.utils.files import replacing
from mien.export.arguments import Options

#: Ending of the parts that run once per portrait: at batch 1, whatever ``--batch`` is.
ONCE = "-encoder"

#: Part whose results are composed into images of any size, by one more network.
COMPOSED = "live-renderer"


def convert(parts: Mapping[str, bytes], options: Options) -> dict[str, bytes]:
    """File names and contents for the target.

    Raises:
        MienError: the target's package is missing, or it cannot build a part.
    """
    if options.size is not None and not options.target.startswith("tensorrt"):
        raise UsageError("--size is for TensorRT only; other runtimes accept images of any size.")
    if COMPOSED not in parts and options.size not in (None, 256):
        preset = next(iter(parts)).partition("-")[0]
        raise UsageError(f"The {preset} preset always draws 256 x 256 pixels. Leave out --size.")
    if options.target.startswith("tensorrt"):
        return _engines(parts, options)
    plain = options.precision == "fp32" and options.batch == 1
    contents = parts if plain else {name: _part(name, part, options).onnx for name, part in parts.items()}
    if options.target == "onnx":
        return {f"{name}.onnx": content for name, content in contents.items()}
    files: dict[str, bytes] = {}
    for name, content in contents.items():
        files |= _openvino(name, content)
    return files


def _part(name: str, content: bytes, options: Options) -> Any:
    from mien.engine.runtime.tensorrt.parts import network_part

    batch = 1 if name.endswith(ONCE) else options.batch
    pixels = name == "live-encoder" and options.target.startswith("tensorrt")
    return network_part(name, content, options.precision, batch, pixels=pixels)


def _openvino(name: str, content: bytes) -> dict[str, bytes]:
    """OpenVINO's own two files; it casts FP16 up on CPUs without it, so this only halves the file."""
    from mien.engine.utils.openvino_core import core, load_openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.xml"
        load_openvino().save_model(core().read_model(content, b""), str(path), compress_to_fp16=False)
        return {file.name: file.read_bytes() for file in (path, path.with_suffix(".bin"))}


def _engines(parts: Mapping[str, bytes], options: Options) -> dict[str, bytes]:
    from mien.engine.runtime.tensorrt.backend import EngineError, find_backend
    from mien.engine.runtime.tensorrt.parts import USUAL_SIDE, image_part

    wanted = [_part(name, content, options) for name, content in parts.items()]
    if COMPOSED in parts:
        wanted.append(image_part(options.size or USUAL_SIDE))
    ending = f"{options.precision}.engine"
    try:
        backend = find_backend((options.target.replace("-", "_"),))
    except EngineError:
        if options.target == "tensorrt-rtx":
            raise
        from mien.export.torch_tensorrt_target import build

        return {f"{part.name}.{ending}": build(part) for part in wanted}
    return {f"{part.name}.{ending}": backend.build(part.onnx, part.profile) for part in wanted}


def write(files: Mapping[str, bytes], output: Path) -> list[Path]:
    """Write all files into ``output``; returns their paths.

    All are written under temporary names first, so a failed export leaves older files untouched.
    """
    paths = [output / name for name in files]
    try:
        output.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            for path, content in zip(paths, files.values(), strict=True):
                stack.enter_context(replacing(path)).write_bytes(content)
    except OSError as error:
        raise SinkError(f"{output}: cannot write: {error.strerror or error}") from error
    return paths
