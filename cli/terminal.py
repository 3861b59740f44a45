"""Terminal output: notes, a progress bar, the summary table."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

STAGES = {
    "read": "read",
    "track": "track",
    "carry": "render: carry over",
    "model": "render: model",
    "compose": "render: compose",
    "mouth": "render: mouth",
    "write": "write",
    "latency": "camera to image",
}
REMEMBERED = 20_000
"""Most frames whose times are kept, so that a live run of days does not grow."""

ENGINE = ("track", "carry", "model", "compose", "mouth")


class StageTimes:
    """Milliseconds per stage, frame by frame, and the frames per second of the whole run."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._begun = perf_counter()
        self.frames = 0

    def add(self, times: Mapping[str, float]) -> None:
        """Add the milliseconds per stage of one frame."""
        self.frames += 1
        for stage, value in times.items():
            self._times[stage].append(value)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return perf_counter() - self._begun

    @property
    def rate(self) -> float:
        """Frames per second so far."""
        return self.frames / max(self.seconds, 1e-6)

    def engine_ms(self) -> float:
        """Median milliseconds of tracking and rendering together (stages' medians added up)."""
        return sum(median(self._times[stage]) for stage in ENGINE if self._times.get(stage))

    def table(self) -> Table:
        """Milliseconds per stage and the frame rate that they make."""
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        for heading in ("stage", "median ms", "95 % ms"):
            table.add_column(heading, justify="left" if heading == "stage" else "right")
        for stage, name in STAGES.items():
            if values := self._times.get(stage):
                table.add_row(name, f"{median(values):.1f}", f"{_percentile(values, 0.95):.1f}")
        table.add_section()
        if engine := self.engine_ms():
            name = "track + render" if self._times.get("model") else "track"
            name = name if self._times.get("track") else "render"
            table.add_row(name, f"{engine:.1f}", f"{1000 / engine:.0f} fps")
        table.add_row("everything", f"{1000 / self.rate:.1f}", f"{self.rate:.0f} fps")
        return table


def _percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_summary(console: Console, times: StageTimes, results: list[str], overtaken: int = 0) -> None:
    """Print the table, the number of frames, how many were dropped for newer ones, and the results' paths."""
    if not times.frames:
        return
    console.print(times.table())
    count = "1 frame" if times.frames == 1 else f"{times.frames} frames"
    late = f"; {overtaken} more were overtaken by newer ones" if overtaken else ""
    _line(console, f"{count} in {times.seconds:.1f} s{late}")
    for result in results:
        _line(console, result)


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, rate: float | None = None) -> None:
        """Count one more frame; ``rate`` in frames per second."""
        text = "" if rate is None else f"{rate:.0f} fps"
        self._progress.update(self._task, advance=1, rate=text)


@contextmanager
def progress_bar(console: Console, text: str, total: int | None) -> Iterator[Bar]:
    """A progress bar with frame rate and time left; nothing is shown without a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    # Without a terminal, rich would end the bar with an empty line.
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield Bar(progress, progress.add_task(text, total=total, rate=""))


def say(console: Console, *notes: str) -> None:
    """Notes, one line each, without markup."""
    for note in notes:
        _line(console, f"note: {note}")


def _line(console: Console, text: str) -> None:
    # A path must stay on one line in a narrow terminal, so that it can be copied.
    console.print(text, markup=False, highlight=False, soft_wrap=True)
