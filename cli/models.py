"""The models that ``--model`` can name: the built-in one, weights, or a folder of exported parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cli.arguments import Options
from engine.paper.openvino_paper import OpenVinoPaper, is_paper_folder
from engine.paper.runtime import PaperRuntime
from engine.runtime import ENCODER, RENDERER, OpenVinoRuntime, Runtime
from engine.types import MienError

LIVE, FAST, EXACT, WARP = "live", "live-fast", "live-exact", "warp"
BUILT_IN = (LIVE, FAST, EXACT, WARP)
"""The built-in model: its network as often as the machine can hold 30 fps with, beside, on every frame, never."""
WEIGHTS = ".safetensors"

NEEDS_PICTURES = (
    "The paper preset needs the driver's pictures, and recorded motion holds none. "
    "Give the clip itself, or leave out --model."
)

AnyRuntime: TypeAlias = Runtime | PaperRuntime


def check_model(path: Path, options: Options, *, recorded: bool) -> None:
    """Refuse a model that is not there, and what the paper preset cannot do, before anything is loaded.

    Raises:
        MienError: in one line.
    """
    if not path.exists():
        raise MienError(f"--model {path} does not exist. Give live, a {WEIGHTS} file, or an exported folder.")
    if not _is_paper(path):
        return
    if recorded:
        raise MienError(NEEDS_PICTURES)
    if (options.head, options.turn, options.micro) != (1.0, 1.0, 1.0) or options.gains or options.only:
        raise MienError(
            "The paper preset knows no parts of the face: of the gains it has --expression alone, "
            "for all motion."
        )


def load_model(path: Path, threads: int | None, precision: Literal["auto", "f32", "bf16"]) -> AnyRuntime:
    """The runtime of the model at ``path``.

    Raises:
        MienError: it is no model, damaged, or needs torch, which is not installed.
    """
    if path.is_dir():
        if is_paper_folder(path):
            return OpenVinoPaper(path, threads=threads, precision=precision)
        encoder, renderer = path / ENCODER.name, path / RENDERER.name
        if not encoder.is_file() and not renderer.is_file():
            raise MienError(f"--model {path} holds no exported model; python -m export makes one.")
        return OpenVinoRuntime(encoder, renderer, threads=threads or 2, precision=precision)
    if path.suffix.lower() != WEIGHTS:
        raise MienError(f"--model {path} is no model. Give live, a {WEIGHTS} file, or an exported folder.")
    return _by_torch(path, threads)


def _by_torch(path: Path, threads: int | None) -> AnyRuntime:
    try:
        import torch
    except ImportError as error:
        raise MienError(
            f"--model {path} needs PyTorch: pip install 'mien[train]'. Without it, give a folder that "
            "python -m export made of these weights."
        ) from error
    if threads:
        torch.set_num_threads(threads)
    if not _is_paper(path):
        from export.reference import reference_runtime

        return reference_runtime(path)
    from engine.paper.torch_paper import TorchPaper
    from train.model.paper.weights import load_paper

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return TorchPaper(load_paper(path).to(device))


def _is_paper(path: Path) -> bool:
    """Whether a folder or weights file is of the paper preset, as far as can be seen without loading it."""
    if path.is_dir():
        return is_paper_folder(path)
    return _header(path).get("model") == "mien-paper"


def _header(path: Path) -> dict[str, Any]:
    """The metadata of a ``.safetensors`` file (8 bytes of length, then JSON); empty if damaged."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length < 100_000_000:
                return {}
            found = json.loads(file.read(length)).get("__metadata__", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}
