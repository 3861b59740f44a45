"""``python -m train evaluate WEIGHTS --data DIR``."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from engine.landmarks import make_landmarker
from engine.types import MienError
from train.data.dataset import PackedData, split_ids
from train.evaluation.reconstruction import Case, reconstruct
from train.evaluation.report import markdown, write_report
from train.model import LiveConfig, LiveModel


def load_model(path: Path) -> LiveModel:
    """A live model from ``.safetensors`` weights.

    Raises:
        MienError: unreadable, or weights of another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("config")
        model = LiveModel(LiveConfig.from_json(text) if text else None).eval()
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise MienError(f"{path}: cannot read weights: {error}. Give a .safetensors file of fit.") from error
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise MienError(f"{path}: not weights of the live model: {reason}") from error
    return model


def evaluate(
    weights: Path, data: Path, output: Path, pairs: int, focus: float, part: str, console: Console
) -> list[Case]:
    """Measure, print the table, and write report and contact sheets into ``output``."""
    model = load_model(weights)
    packed = PackedData(data, split_ids(data, part), None, 0)
    with make_landmarker() as landmarker, Progress(console=console, transient=True) as bar:
        task = bar.add_task("evaluate", total=-(-pairs // 3))
        with torch.inference_mode():
            cases = reconstruct(model, packed, pairs, focus, landmarker, lambda: bar.advance(task))
    title = f"{weights.name} on {part} people"
    write_report(cases, output, weights.stem, title)
    console.print(markdown(cases, title), highlight=False, soft_wrap=True)
    return cases
