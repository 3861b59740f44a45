"""Models that ``--model`` can name: the built-in one, weights, or a folder of exported parts."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from mien.cli.options.arguments import Options
from mien.engine.presets import Preset, PresetRuntime, preset_in, preset_named
from mien.engine.runtime import Choice, Network, Precision, network_of
from mien.engine.runtime.failover import Notify
from mien.engine.runtime.selection import CpuSettings, Progress, RuntimeOptions, choose
from mien.engine.types import ModelError, UsageError

LIVE, FAST, EXACT, WARP = "live", "live-fast", "live-exact", "warp"
BUILT_IN = (LIVE, FAST, EXACT, WARP)
"""The built-in model: its network as often as leaves 30 fps, beside the frames, on every one, or never."""
WEIGHTS = ".safetensors"


def check_model(path: Path, options: Options, *, recorded: bool) -> None:
    """Refuse a model that does not exist, and what its preset cannot do, before anything is loaded.

    Raises:
        MienError: in one line.
    """
    if not path.exists():
        raise ModelError(
            f"--model {path} does not exist. Give live, a {WEIGHTS} file, or an exported folder."
        )
    _check_choice(path, options.runtime)
    preset = _preset_at(path)
    if preset is None:
        return
    if recorded:
        check_recorded(preset)
    parts = (options.head, options.turn, options.micro) != (1.0, 1.0, 1.0) or options.gains or options.only
    if parts and not preset.has_parts:
        raise UsageError(
            f"The {preset.name} preset cannot tell parts of the face apart: --expression is the only gain it "
            "supports, and scales all motion."
        )


def check_recorded(preset: Preset[Any]) -> None:
    """Refuse recorded motion for a preset whose network looks at the driver's frames.

    Raises:
        UsageError: in one line.
    """
    if preset.needs_frames:
        raise UsageError(
            f"The {preset.name} preset needs the driver's images, and recorded motion has none. "
            "Give the clip itself, or leave out --model."
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
) -> PresetRuntime:
    """The runtime of the model at ``path``; see :func:`mien.engine.runtime.selection.choose`.

    Args:
        alone: see :func:`mien.engine.runtime.chosen_runtime`.

    Raises:
        MienError: not a model, damaged, or needs torch, which is not installed.
    """
    preset = _preset_at(path)
    if path.is_dir():
        if preset is None:
            raise ModelError(f"--model {path} has no exported model in it; mien export writes one.")
        cpu = CpuSettings(threads, precision, network_of(choice, alone))
        options: RuntimeOptions[PresetRuntime] = preset.open_folder(path, cpu)
        return choose(choice, options, notify=notify, progress=progress)
    if preset is None:
        raise ModelError(
            f"--model {path} is not a model. Give live, a {WEIGHTS} file, or an exported folder."
        )
    _check_choice(path, choice)
    torch = _torch(path)
    if threads:
        torch.set_num_threads(threads)
    from mien.export.weights import open_weights

    weights = open_weights(path)
    options = preset.options(weights.runtime(), weights.parts, weights.reference)
    return choose(_for_weights(choice), options, notify=notify, progress=progress)


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


def _preset_at(path: Path) -> Preset[Any] | None:
    """The preset of a folder or weights file, as far as can be seen without loading it."""
    if path.is_dir():
        return preset_in(path)
    return preset_named(_header(path).get("model")) if path.suffix.lower() == WEIGHTS else None


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
