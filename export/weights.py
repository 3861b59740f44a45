"""Trained weights of any preset: exported to ONNX parts, or run by torch as they are.

torch and the models are imported when they are needed: what asks which weights a file holds needs neither.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from mien.engine.presets import preset_named


class Weights(ABC):
    """Weights of one preset.

    Args:
        path: ``.safetensors`` file, or a folder of exported files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def parts(self) -> dict[str, bytes]:
        """The ONNX parts by name (``"live-encoder"``, ...), checked against torch.

        Raises:
            MienError: the weights cannot be read, or a part does not compute what torch computes.
        """

    @abstractmethod
    def runtime(self) -> Any:
        """What runs them in torch at once, for this preset's renderer.

        Raises:
            MienError: the weights cannot be read.
        """

    @abstractmethod
    def reference(self) -> Any:
        """The same on the CPU, in FP32."""


class LiveWeights(Weights):
    """Weights of the ``live`` preset."""

    def parts(self) -> dict[str, bytes]:
        from mien.train.model.weights import load_live

        return _live_parts(load_live(self.path), untrained=False)

    def runtime(self) -> Any:
        from mien.export.parity import reference_runtime

        return reference_runtime(self.path)

    def reference(self) -> Any:
        return self.runtime()


class PaperWeights(Weights):
    """Weights of the ``paper`` preset."""

    def parts(self) -> dict[str, bytes]:
        from mien.export import paper_onnx
        from mien.train.model.paper.weights import load_paper

        paper = load_paper(self.path)
        built = paper_onnx.build(paper)
        paper_onnx.check(paper_onnx.measure(paper, built))
        return {f"paper-{name}": content for name, content in built.items()}

    def runtime(self) -> Any:
        import torch

        return self._in_torch("cuda" if torch.cuda.is_available() else "cpu")

    def reference(self) -> Any:
        return self._in_torch("cpu")

    def _in_torch(self, device: str) -> Any:
        from mien.engine.paper.torch_paper import TorchPaper
        from mien.train.model.paper.weights import load_paper

        return TorchPaper(load_paper(self.path).to(device))


WEIGHTS: dict[str, type[Weights]] = {"live": LiveWeights, "paper": PaperWeights}
"""By the preset's name."""


def open_weights(path: Path) -> Weights:
    """The weights at ``path``, which are read when they are used."""
    return WEIGHTS[preset_named(_model_name(path)).name](path)


def exported_parts(weights: Path | None) -> dict[str, bytes]:
    """The ONNX parts of weights; None for the untrained ``live`` model.  See :meth:`Weights.parts`."""
    if weights is not None:
        return open_weights(weights).parts()
    from mien.export.onnx_export import untrained_model

    return _live_parts(untrained_model(), untrained=True)


def _live_parts(source: Any, *, untrained: bool) -> dict[str, bytes]:
    from mien.export import onnx_export, parity
    from mien.export.calibration import with_bounds

    model = onnx_export.deployable(source)
    encoder, renderer = onnx_export.build(model, untrained=untrained)
    parity.measure(model, encoder, renderer).check()
    if not untrained:  # such a network is not run
        renderer = with_bounds(encoder, renderer)
    return {"live-encoder": encoder, "live-renderer": renderer}


def _model_name(weights: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            return (file.metadata() or {}).get("model")
    except (OSError, SafetensorError):
        return None  # the loader says what is wrong
