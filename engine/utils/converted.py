"""Networks that are converted before they are compiled: converted once, then compiled from a kept file.

A file whose compiled form OpenVINO keeps as well is not even read.  The landmark network, whose TFLite file
is read, given another input and written anew, took 0.44 s of every start and takes 0.06.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.utils.network_cache import network_cache
from mien.engine.utils.openvino_core import compile_for_cpu, core, load_openvino


@dataclass(frozen=True, slots=True)
class NetworkText:
    """A network in OpenVINO's own form: its graph as XML, and ``(n,) uint8`` its weights."""

    graph: str
    weights: NDArray[np.uint8]

    @staticmethod
    def of(model: Any) -> NetworkText:
        """The text of an ``openvino.Model``."""
        with tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "network.xml"
            load_openvino().save_model(model, path, compress_to_fp16=False)
            return NetworkText(
                path.read_text(encoding="utf-8"), np.fromfile(path.with_suffix(".bin"), np.uint8)
            )

    def model(self) -> Any:
        """The ``openvino.Model``."""
        return core().read_model(self.graph.encode(), load_openvino().Tensor(self.weights))

    def write(self, path: Path) -> None:
        """Write it to ``path`` (``.xml``) and beside it (``.bin``), each in one piece, the graph last."""
        with tempfile.TemporaryDirectory(
            prefix="mien-", dir=path.parent, ignore_cleanup_errors=True
        ) as folder:
            part = Path(folder) / path.name
            self.weights.tofile(part.with_suffix(".bin"))
            part.write_text(self.graph, encoding="utf-8")
            for suffix in (".bin", ".xml"):
                part.with_suffix(suffix).replace(path.with_suffix(suffix))


def compile_converted(
    source: bytes, how: str, convert: Callable[[], NetworkText], *, threads: int, name: str
) -> Any:
    """Compile a network in FP32, and keep its converted and compiled form for the next start.

    Args:
        source: what it is converted from.
        how: whatever else the conversion depends on; another text converts anew.
        convert: makes it.
        threads, name: see :func:`~mien.engine.utils.openvino_core.compile_for_cpu`.
    """

    def compiled(model: Any) -> Any:
        return compile_for_cpu(model, threads=threads, precision="f32", name=name, kept=True)

    folder = network_cache()
    if folder is None:
        return compiled(convert().model())
    words = f"{how}, OpenVINO {load_openvino().__version__}"
    path = Path(folder) / f"{hashlib.sha256(source + words.encode()).hexdigest()[:24]}.xml"
    text = None
    with suppress(RuntimeError, OSError):  # a damaged file, a full disk
        if not path.exists():
            text = convert()
            text.write(path)
        return compiled(path)
    for suffix in (".xml", ".bin"):
        with suppress(OSError):
            path.with_suffix(suffix).unlink(missing_ok=True)
    return compiled((text or convert()).model())
