"""Files of the ``live`` model for OpenVINO: reading, their metadata, the precision that suits them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.engine.runtime.quantisation import Bounds, bounds_of, int8_pays
from mien.engine.types import ModelError
from mien.engine.utils.openvino_core import core, quick_precision

REMEDY = "reinstall mien, or run: mien export"
_MODEL, _MODEL_VERSION = "mien-live", "1"


def read_model(path: Path) -> Any:
    """The ``openvino.Model`` in a file; raises ``ModelError`` if it is missing or damaged."""
    if not path.is_file():
        raise ModelError(f"{path}: model file is missing ({REMEDY})")
    try:
        return core().read_model(str(path))
    except (RuntimeError, UnicodeDecodeError) as error:  # damaged names are met by the bindings
        raise ModelError(f"{path}: model file is damaged ({REMEDY})") from error


def quickest(model: Any) -> str:
    """The precision in which this machine computes a renderer (``openvino.Model``) fastest."""
    return quickest_with(bounds_of(model))


def quickest_with(bounds: Bounds) -> str:
    """The same, by the renderer's bounds for integers (empty: it has none)."""
    return "int8" if int8_pays() and bounds else quick_precision()


def metadata_of(model: Any, path: Path, part: str) -> dict[str, str]:
    """The metadata written into the file by the export."""
    keys = ("name", "version", "part", "weights_sha256", "untrained")
    try:
        metadata = {key: str(model.get_rt_info(["framework", key]).astype(str)) for key in keys}
    except RuntimeError:
        metadata = {}
    if tuple(metadata.get(key) for key in keys[:3]) != (_MODEL, _MODEL_VERSION, part):
        raise ModelError(f"{path}: not the {part} of {_MODEL} {_MODEL_VERSION} ({REMEDY})")
    return metadata
