"""Pairs handed to workers: one that fails, or whose process dies, affects no other."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mien.cli.background import is_file_name
from mien.cli.batch.arguments import GenerateOptions
from mien.cli.batch.pairs import Failure, Pair
from mien.cli.batch.worker import Worker
from mien.cli.model_choice import BUILT_IN
from mien.engine.types import MienError
from mien.engine.utils.cluster import Cluster
from mien.engine.utils.workers import Died, Processes

Outcome = dict[str, Any] | Failure
"""Marker of a finished pair, or the reason for its failure."""

Told = Callable[[Pair, Outcome], None]


@dataclass(frozen=True, slots=True)
class Task:
    """A pair to be made, and the request that its marker will record."""

    pair: Pair
    request: dict[str, Any]


def run_pairs(
    tasks: Sequence[Task], options: GenerateOptions, scratch: Path, told: Told, say: Callable[[str], None]
) -> None:
    """Make the pairs, in this process, in several, or on a cluster; ``told`` is called with each as it ends.

    Raises:
        MienError: the cluster cannot be used.
    """
    if options.cluster is None and min(options.jobs, len(tasks)) <= 1:
        _run_here(tasks, options, scratch, told)
        return

    def ended(task: Task, outcome: Outcome | Died) -> None:
        pair = task.pair
        told(pair, Failure(pair.name, pair.line, _died(options)) if isinstance(outcome, Died) else outcome)

    if options.cluster is None:
        workers = Processes(options.jobs, options.threads)
        workers.run(partial(_make, options, scratch), tasks, ended)
        return
    # Workers elsewhere have another working folder.
    make = partial(_make, _at_absolute_paths(options), scratch.absolute())
    Cluster(options.cluster, scratch, say).run(make, [_absolute(task) for task in tasks], ended)


def _run_here(tasks: Sequence[Task], options: GenerateOptions, scratch: Path, told: Told) -> None:
    worker = Worker(options, scratch)
    try:
        for task in tasks:
            told(task.pair, _outcome(worker, task))
    finally:
        worker.close()


def _died(options: GenerateOptions) -> str:
    more = "Try --jobs 1" if options.cluster is None else "Give the cluster's workers more memory"
    return f"Its process died, as it does when memory runs out. {more} or a smaller --size."


def _at_absolute_paths(options: GenerateOptions) -> GenerateOptions:
    engine = options.engine
    model = engine.model if engine.model in BUILT_IN else str(Path(engine.model).absolute())
    behind = engine.background
    return replace(
        options,
        output=options.output.absolute(),
        engine=replace(
            engine,
            model=model,
            background=str(Path(behind).absolute()) if is_file_name(behind) else behind,
        ),
    )


def _absolute(task: Task) -> Task:
    pair = task.pair
    return replace(task, pair=replace(pair, driving=pair.driving.absolute(), avatar=pair.avatar.absolute()))


class _Kept(threading.local):
    """The worker of a thread of a process that makes pairs, with what it was made for.

    A cluster's process may have several threads, and outlives a batch.
    """

    worker: Worker | None = None
    made_for: tuple[GenerateOptions, Path] | None = None


_kept = _Kept()


def _make(options: GenerateOptions, scratch: Path, task: Task) -> Outcome:
    """Make a pair in a process of its own; networks and portraits stay loaded for the next one."""
    if _kept.worker is None or _kept.made_for != (options, scratch):
        if _kept.worker is not None:
            _kept.worker.close()
            _kept.worker = None
        try:
            _kept.worker = Worker(options, scratch)
        except MienError as error:
            return Failure(task.pair.name, task.pair.line, str(error))
        _kept.made_for = options, scratch
    return _outcome(_kept.worker, task)


def _outcome(worker: Worker, task: Task) -> Outcome:
    pair = task.pair
    try:
        return worker.make(pair, task.request)
    except MienError as error:
        return Failure(pair.name, pair.line, str(error))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        return Failure(
            pair.name, pair.line, f"An error of Mien's own: {type(error).__name__}: {error} ({where})"
        )
