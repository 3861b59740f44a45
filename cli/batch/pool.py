"""Process pool for pairs: a pair that fails, or whose process dies, affects no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.cli.batch.arguments import GenerateOptions
from mien.cli.batch.pairs import Failure, Pair
from mien.cli.batch.worker import Worker
from mien.engine.types import MienError

Outcome = dict[str, Any] | Failure
"""Marker of a finished pair, or the reason for its failure."""

Told = Callable[[Pair, Outcome], None]

_worker: Worker | None = None
_settings: tuple[GenerateOptions, Path] | None = None


def run_pairs(pairs: Sequence[Pair], options: GenerateOptions, scratch: Path, told: Told) -> None:
    """Make the pairs; ``told`` is called with each as it ends.

    One process works in this one.  More are started anew (spawned): libraries with threads do not
    survive a fork.
    """
    jobs = min(options.jobs, len(pairs))
    if jobs <= 1:
        worker = Worker(options, scratch)
        try:
            for pair in pairs:
                told(pair, _outcome(worker, pair))
        finally:
            worker.close()
        return
    left = _run_pool(pairs, jobs, options, scratch, told)
    for pair in left:
        # A process died, and it is unknown on which pair: each remaining pair gets a process of its own.
        if _run_pool([pair], 1, options, scratch, told):
            reason = "Its process died, as it does when memory runs out. Try --jobs 1 or a smaller --size."
            told(pair, Failure(pair.name, pair.line, reason))


def _run_pool(
    pairs: Sequence[Pair], jobs: int, options: GenerateOptions, scratch: Path, told: Told
) -> list[Pair]:
    """Run the pairs in processes; returns those left unfinished because a process died."""
    context = multiprocessing.get_context("spawn")
    left: list[Pair] = []
    with (
        _few_threads(options.threads),
        ProcessPoolExecutor(jobs, context, _begin, (options, scratch)) as pool,
    ):
        waiting: dict[Future[Outcome], Pair] = {}
        try:
            waiting.update({pool.submit(_in_process, pair): pair for pair in pairs})
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    pair = waiting.pop(future)
                    try:
                        told(pair, future.result())
                    except BrokenProcessPool:
                        left.append(pair)
        except BrokenProcessPool:
            left += waiting.values()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    return left


@contextmanager
def _few_threads(threads: int) -> Iterator[None]:
    """Limit the linear-algebra threads of processes started within."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(options: GenerateOptions, scratch: Path) -> None:
    """Initialise a new process."""
    global _settings
    # Ctrl-C reaches every process of a terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _settings = options, scratch


def _in_process(pair: Pair) -> Outcome:
    global _worker
    assert _settings is not None
    try:
        _worker = _worker or Worker(*_settings)
    except MienError as error:
        return Failure(pair.name, pair.line, str(error))
    return _outcome(_worker, pair)


def _outcome(worker: Worker, pair: Pair) -> Outcome:
    try:
        return worker.make(pair)
    except MienError as error:
        return Failure(pair.name, pair.line, str(error))
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        return Failure(
            pair.name, pair.line, f"An error of Mien's own: {type(error).__name__}: {error} ({where})"
        )
