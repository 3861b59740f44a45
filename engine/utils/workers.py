"""Workers: processes, here or on a cluster, that many independent tasks are handed to."""

from __future__ import annotations

import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Died:
    """Outcome of a task whose process died whenever it was tried."""


class Workers(ABC):
    """Where tasks are worked on, through the interface of :mod:`concurrent.futures`."""

    @abstractmethod
    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        ended: Callable[[Task, Result | Died], None],
    ) -> None:
        """Work on all tasks; returns when the last one has ended.

        Args:
            function: what is done with a task, in another process: it and the tasks are pickled.
            tasks: independent of each other, and harmless to repeat.
            ended: called in this thread with each task as it ends, in any order.

        Raises:
            Exception: what ``function`` raised; tasks that have not begun are dropped then.
        """


class Processes(Workers):
    """Processes of this machine.

    Started anew (spawned): libraries with threads do not survive a fork.

    Args:
        count: how many work at a time.
        threads: of linear algebra, in each; otherwise every process starts one per core.
    """

    def __init__(self, count: int, threads: int) -> None:
        self._count = count
        self._threads = threads

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        ended: Callable[[Task, Result | Died], None],
    ) -> None:
        for task in self._run(self._count, function, tasks, ended):
            # A process died, and it is unknown on which task: each remaining one gets a process of its own.
            if self._run(1, function, [task], ended):
                ended(task, Died())

    def _run(
        self,
        count: int,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        ended: Callable[[Task, Result | Died], None],
    ) -> list[Task]:
        """Work on the tasks; returns those left because a process died."""
        left: list[Task] = []
        with self._pool(min(count, len(tasks))) as pool:
            futures: dict[Future[Result], Task] = {}
            try:
                for task in tasks:
                    futures[pool.submit(function, task)] = task
            except BrokenProcessPool:
                left += tasks[len(futures) :]
            for future in as_completed(futures):
                try:
                    result = future.result()
                except BrokenProcessPool:
                    left.append(futures[future])
                else:
                    ended(futures[future], result)
        return left

    @contextmanager
    def _pool(self, count: int) -> Iterator[ProcessPoolExecutor]:
        """The processes; they are ended at once when the block raises."""
        context = multiprocessing.get_context("spawn")
        with (
            _few_threads(self._threads),
            ProcessPoolExecutor(max(1, count), context, _leave_interrupts_to_the_first) as pool,
        ):
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
                raise


def _leave_interrupts_to_the_first() -> None:
    # Ctrl-C reaches every process of a terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
