"""The models that ``--model`` can name: the built-in one, weights, or a folder of exported parts."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, TypeAlias

from mien.cli.options.arguments import Options
from mien.engine.paper.openvino_paper import OpenVinoPaper, is_paper_folder
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.paper.selection import paper_files, paper_options
from mien.engine.runtime import (
    ENCODER,
    RENDERER,
    Choice,
    Network,
    OpenVinoRuntime,
    Precision,
    Runtime,
    network_of,
)
from mien.engine.runtime.failover import Notify
from mien.engine.runtime.selection import Progress, RuntimeOptions, choose, live_files, live_options
from mien.engine.types import ModelError, UsageError

LIVE, FAST, EXACT, WARP = "live", "live-fast", "live-exact", "warp"
BUILT_IN = (LIVE, FAST, EXACT, WARP)
"""The built-in model: its network as often as leaves 30 fps, beside the frames, on every one, or never."""
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
        raise ModelError(
            f"--model {path} does not exist. Give live, a {WEIGHTS} file, or an exported folder."
        )
    _check_choice(path, options.runtime)
    if not _is_paper(path):
        return
    if recorded:
        raise UsageError(NEEDS_PICTURES)
    if (options.head, options.turn, options.micro) != (1.0, 1.0, 1.0) or options.gains or options.only:
        raise UsageError(
            "The paper preset knows no parts of the face: of the gains it has --expression alone, "
            "for all motion."
        )


def _check_choice(path: Path, choice: Choice) -> None:
    if choice == "openvino" and path.suffix.lower() == WEIGHTS:
        raise UsageError(
            f"--runtime openvino runs exported parts, and {path.name} is weights, which PyTorch runs. "
            f"mien export {path} --output DIR writes parts; then give --model DIR."
        )


def load_model(
    path: Path,
    threads: int | None,
    precision: Precision,
    choice: Choice = "auto",
    *,
    notify: Notify = lambda line: None,
    progress: Progress = lambda part, share: None,
    alone: Network = Network.EVERY_FRAME,
) -> AnyRuntime:
    """The runtime of the model at ``path``; see :func:`mien.engine.runtime.selection.choose`.

    Args:
        alone: see :func:`mien.engine.runtime.chosen_runtime`.

    Raises:
        MienError: it is no model, damaged, or needs torch, which is not installed.
    """
    if path.is_dir():
        if is_paper_folder(path):
            paper = OpenVinoPaper(path, threads=threads, precision=precision)
            return choose(choice, paper_files(paper, path), notify=notify, progress=progress)
        encoder, renderer = path / ENCODER.name, path / RENDERER.name
        if not encoder.is_file() and not renderer.is_file():
            raise ModelError(f"--model {path} holds no exported model; mien export makes one.")
        network = network_of(choice, alone)
        live = OpenVinoRuntime(encoder, renderer, threads=threads or 2, precision=precision, network=network)
        return choose(choice, live_files(live, encoder, renderer), notify=notify, progress=progress)
    if path.suffix.lower() != WEIGHTS:
        raise ModelError(f"--model {path} is no model. Give live, a {WEIGHTS} file, or an exported folder.")
    _check_choice(path, choice)
    if threads:
        _torch(path).set_num_threads(threads)
    if _is_paper(path):
        return choose(_for_weights(choice), _paper_weights(path), notify=notify, progress=progress)
    return choose(_for_weights(choice), _live_weights(path), notify=notify, progress=progress)


def _for_weights(choice: Choice) -> Choice:
    """Weights run in torch as they are: that is where they start, and what ``torch`` means."""
    return "openvino" if choice == "torch" else choice


def _torch(path: Path) -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ModelError(
            f"--model {path} needs PyTorch: pip install 'mien[train]'. Without it, give a folder that "
            "mien export made of these weights."
        ) from error


def _paper_weights(path: Path) -> RuntimeOptions[PaperRuntime]:
    torch = _torch(path)
    from mien.engine.paper.torch_paper import TorchPaper
    from mien.export.targets import exported_parts
    from mien.train.model.paper.weights import load_paper

    def contents() -> dict[str, bytes]:
        parts = exported_parts(path)
        return {name.removeprefix("paper-"): content for name, content in parts.items()}

    device = "cuda" if torch.cuda.is_available() else "cpu"
    here = TorchPaper(load_paper(path).to(device))
    return paper_options(here, contents, lambda: TorchPaper(load_paper(path)))


def _live_weights(path: Path) -> RuntimeOptions[Runtime]:
    _torch(path)
    from mien.engine.runtime.tensorrt.prepare import Model
    from mien.export.parity import reference_runtime
    from mien.export.targets import exported_parts

    def model() -> Model:
        parts = exported_parts(path)
        return Model(parts["live-encoder"], parts["live-renderer"])

    return live_options(reference_runtime(path), model, lambda: reference_runtime(path))


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
