"""Batch runs: a list of pairs in; videos, motion files, metrics and one report out."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from mien.cli.background import chosen_background, is_file_name
from mien.cli.batch.arguments import GenerateOptions, parse
from mien.cli.batch.metrics import METRICS
from mien.cli.batch.pairs import Failure, Pair, read_pairs
from mien.cli.batch.pool import Outcome, Task, run_pairs
from mien.cli.batch.report.page import write_report
from mien.cli.batch.report.wording import number
from mien.cli.batch.resume import HIDDEN, finished, request_of, results_of, settings_of, with_settings
from mien.cli.build import make_gains
from mien.cli.model_choice import BUILT_IN, check_model
from mien.cli.terminal import progress_bar, say
from mien.engine.types import MienError, SinkError, UsageError
from mien.engine.utils.exit_status import status_of
from mien.engine.utils.files import is_running, write_atomic
from mien.streams.sink import same_file

SCRATCH = ".unfinished-"

COLUMNS = (
    "name",
    "driving",
    "avatar",
    "frames",
    "fps",
    "face_pixels",
    "reference",
    "onset",
    "apex",
    "offset",
    "detected",
    *METRICS,
    "settings",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a batch; returns the exit status: 0 all made, 1 some failed, 2 refused, 130 stopped."""
    return status_of(lambda: run(parse(arguments), Console()))


def run(options: GenerateOptions, console: Console) -> int:
    """Make the unfinished pairs; returns the exit status.

    Raises:
        MienError: for a list or options that make no sense, before anything is done; or the cluster went
            away, and what was finished is kept.
    """
    make_gains(options.engine)
    found = read_pairs(options.pairs)
    _check_places(options, found.pairs)
    _check_backgrounds(options, found.pairs)
    if options.engine.model not in BUILT_IN:
        check_model(Path(options.engine.model), options.engine, recorded=False)
    _make_folder(options.output)
    say(console, *found.notes)
    batch = _Batch(options, found.pairs, list(found.failures), console)
    stopped = False
    todo = batch.unfinished()
    try:
        with _scratch(options.output) as scratch, progress_bar(console, "pairs", len(todo)) as bar:

            def told(pair: Pair, outcome: Outcome) -> None:
                batch.add(pair, outcome)
                bar.advance()

            if todo:
                run_pairs(todo, options, scratch, told, lambda note: say(console, note))
    except KeyboardInterrupt:
        stopped = True
    except MienError:
        batch.write()
        raise
    batch.write()
    batch.tell()
    if stopped:
        console.print("stopped; the same command goes on where this one ended", highlight=False)
        return 130
    return 1 if batch.failures else 0


class _Batch:
    """State of a batch: finished and failed pairs."""

    def __init__(
        self, options: GenerateOptions, pairs: Sequence[Pair], failures: list[Failure], console: Console
    ) -> None:
        self.options = options
        self.pairs = pairs
        self.failures = failures
        self.markers: dict[str, Mapping[str, Any]] = {}
        self._console = console

    def unfinished(self) -> list[Task]:
        """The pairs still to be made; reads the markers of finished ones."""
        left = []
        for pair in self.pairs:
            request = request_of(pair, self.options.engine, self.options.metrics)
            marker = None if self.options.force else finished(self.options.output, pair, request)
            if marker is None:
                left.append(Task(pair, request))
            else:
                self.markers[pair.name] = marker
        done = len(self.pairs) - len(left)
        if done:
            say(self._console, f"{_count(done)} finished already; --force makes them again.")
        return left

    def add(self, pair: Pair, outcome: Outcome) -> None:
        """Record a pair's outcome, on the screen and in the tables."""
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
            line = f"{pair.name}: failed: {outcome.reason}"
        else:
            self.markers[pair.name] = outcome
            line = f"{pair.name}: {outcome['frames']} frames in {outcome['seconds']:.1f} s"
            metrics = outcome.get("metrics")
            if metrics:
                reached, most = number(metrics["correlation"]), number(metrics.get("ceiling"))
                line += f", fidelity {reached} of {most}, strength {number(metrics['gain'])}"
                line += f", jitter {number(metrics['jitter'])}"
            self._write_tables()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def write(self) -> None:
        """Write the tables and the report."""
        self._write_tables()
        made = self._made()
        folder = self.options.output
        lossless = self.options.engine.lossless
        write_report(
            folder / "report.html",
            self.options.pairs.name,
            [self.markers[pair.name] for pair in made],
            [results_of(folder, pair.name, lossless)["report"] for pair in made],
            sorted(self.failures, key=lambda failure: failure.line),
            self.options.report_pairs,
        )

    def tell(self) -> None:
        """Print the failures, and where the results are."""
        for failure in sorted(self.failures, key=lambda failure: failure.line):
            self._console.print(
                f"not made: {failure.name} (line {failure.line}): {failure.reason}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        self._console.print(
            f"{_count(len(self.markers))} in {self.options.output}; open report.html there",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _made(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.name in self.markers]

    def _write_tables(self) -> None:
        folder = self.options.output
        rows = [_row(self.markers[pair.name]) for pair in self._made()]
        write_atomic(folder / "metrics.csv", _csv(COLUMNS, rows))
        failures = folder / "failures.csv"
        if self.failures:
            lines = [{"name": f.name, "line": f.line, "reason": f.reason} for f in self.failures]
            write_atomic(failures, _csv(("name", "line", "reason"), lines))
        else:
            failures.unlink(missing_ok=True)


def _row(marker: Mapping[str, Any]) -> dict[str, Any]:
    request, phases = marker["request"], marker["phases"]
    return {
        "name": marker["name"],
        "driving": request["driving"]["path"],
        "avatar": request["avatar"]["path"],
        "frames": marker["frames"],
        "fps": marker["fps"],
        "face_pixels": marker["face_pixels"],
        "reference": marker["reference"],
        "onset": phases["onset"],
        "apex": phases["apex"],
        "offset": phases["offset"],
        "detected": " ".join(phases["detected"]),
        **(marker.get("metrics") or {}),
        "settings": settings_of(request),
    }


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _count(pairs: int) -> str:
    return "1 pair" if pairs == 1 else f"{pairs} pairs"


def _check_places(options: GenerateOptions, pairs: Sequence[Pair]) -> None:
    """Refuse results that would overwrite their inputs."""
    inputs = {path for pair in pairs for path in (pair.driving, pair.avatar)}
    table = options.output / "metrics.csv"
    if same_file(table, options.pairs) or same_file(options.output / "failures.csv", options.pairs):
        raise UsageError(f"{options.pairs} would be overwritten by the results. Choose another --output.")
    near = {path for path in inputs if same_file(path.parent, options.output)}
    for pair in pairs:
        for place in results_of(options.output, pair.name, options.engine.lossless).values():
            if any(same_file(place, path) for path in near):
                raise UsageError(
                    f"{place} is a clip or portrait of the list and would be lost. Choose another --output."
                )


def _check_backgrounds(options: GenerateOptions, pairs: Sequence[Pair]) -> None:
    """Refuse a background that is none, and transparency that the results cannot hold."""
    chosen_background(options.engine.background)
    wanted = {with_settings(pair, options.engine).background for pair in pairs}
    if options.engine.lossless or not any(
        chosen_background(w).transparent for w in wanted if not is_file_name(w)
    ):
        return
    raise UsageError(
        "NAME.mp4 cannot be transparent. Add --lossless (NAME.mkv can), or give a colour: --background green."
    )


def _make_folder(folder: Path) -> None:
    try:
        (folder / HIDDEN).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SinkError(f"{folder} is a file. Give a folder for the results with --output.") from error
    except OSError as error:
        raise SinkError(f"{folder} cannot be made ({error.strerror}). Choose another --output.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"{folder} is not writable. Choose another --output.")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for unfinished results; folders left by killed runs are removed."""
    for old in folder.glob(f"{SCRATCH}*"):
        if not is_running(old.name.removeprefix(SCRATCH)):
            shutil.rmtree(old, ignore_errors=True)
    scratch = folder / f"{SCRATCH}{os.getpid()}"
    scratch.mkdir(exist_ok=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
