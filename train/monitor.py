"""Display of a running training: progress, TensorBoard, samples."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from mien.train.config import FitConfig
from mien.train.sheet import write_sheet
from mien.train.validation import Validation

Report = Callable[[int, str, dict[str, Tensor]], None]


class Monitor:
    """Progress bar, scalars and images of a run.

    Args:
        output: the run's folder.
        active: False for all processes but the first, which show nothing.

    Attributes:
        skipped: number of updates skipped since the start because a gradient was not finite.
    """

    def __init__(self, output: Path, config: FitConfig, console: Console, active: bool) -> None:
        self.skipped = 0
        self._every = config.run.log_every
        self._console = console
        self._output = output
        self._active = active
        self._sums: dict[str, float] = {}
        self._since = time.monotonic()
        self._board: Any = None
        if active:
            (output / "samples").mkdir(parents=True, exist_ok=True)
            (output / "config.json").write_text(config.to_json() + "\n", encoding="utf-8")
            self._board = _board(output)

    @contextmanager
    def progress(self, total: int, start: int) -> Iterator[Report]:
        """Show a bar with the remaining time; yields the function that reports a step."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = self._active and sys.stderr.isatty()
        with Progress(*columns, console=self._console, disable=not shown) as bar:
            task = bar.add_task("fit", total=total, completed=start)

            def report(step: int, stage: str, parts: dict[str, Tensor]) -> None:
                text = f"{stage} {float(parts['total']):.4f}{self._left_out()}"
                bar.update(task, completed=step, description=text)
                self._count(step, stage, parts)

            yield report

    def _count(self, step: int, stage: str, parts: dict[str, Tensor]) -> None:
        for name, value in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value) / self._every
        if step % self._every:
            return
        now = time.monotonic()
        speed = self._every / (now - self._since)
        self._since = now
        if self._board:
            for name, mean in self._sums.items():
                self._board.add_scalar(f"loss/{name}", mean, step)
            self._board.add_scalar("speed/steps_per_second", speed, step)
            self._board.add_scalar("skipped", self.skipped, step)
        if self._active:
            text = "  ".join(f"{name} {mean:.4f}" for name, mean in self._sums.items())
            self._log(f"{stage} {step}  {text}  {speed:.2f} steps/s{self._left_out()}")
        self._sums = {}

    def _left_out(self) -> str:
        """What is said about updates that were left out; nothing while none was."""
        return f"  {self.skipped} updates skipped (gradient not finite)" if self.skipped else ""

    def validation(self, step: int, found: Validation) -> None:
        """Log a validation and write its contact sheet."""
        text = "  ".join(f"{n} {a:.4f} -> {b:.4f}" for n, (a, b) in found.scores.items())
        self._log(f"validation {step}  ratio {found.ratio:.4f}  {text}")
        write_sheet(str(self._output / "samples" / f"{step:06d}.png"), found.sheet)
        if self._board:
            for name, (plain, ours) in found.scores.items():
                self._board.add_scalar(f"validation/{name}", ours, step)
                self._board.add_scalar(f"validation/{name}_without", plain, step)
            self._board.add_scalar("validation/ratio", found.ratio, step)
            self._board.add_image("validation", found.sheet, step, dataformats="HWC")
            self._board.flush()

    def _log(self, line: str) -> None:
        if not sys.stderr.isatty():
            self._console.print(line, highlight=False, soft_wrap=True)
        with (self._output / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _board(output: Path) -> Any:
    """A TensorBoard writer, or None if the package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(output / "tensorboard"))
