"""Dask cluster: tasks go to the workers of a scheduler that runs elsewhere."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, as_completed
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mien.engine.types import MienError, UsageError
from mien.engine.utils.versions import installed_version
from mien.engine.utils.workers import Died, Result, Task, Workers

PATIENCE = 10.0
"""Seconds in which a scheduler has to answer."""

_AGAIN = "What is finished is kept; the same command goes on."


class Cluster(Workers):
    """Workers of a Dask scheduler, wherever it started them (the extra ``cluster``).

    A worker that dies loses nothing: the scheduler gives its tasks to others, and gives one up whose workers
    died four times.  Workers may come and go.

    Args:
        address: of the scheduler (``tcp://host:8786``), or its scheduler file.
        shared: a folder that every worker must see: inputs and results are passed as paths.
        say: takes remarks, a line each.
    """

    def __init__(self, address: str, shared: Path, say: Callable[[str], None]) -> None:
        self._address = address
        self._shared = shared.absolute()
        self._say = say

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        ended: Callable[[Task, Result | Died], None],
    ) -> None:
        """Work on all tasks, as :meth:`Workers.run` says.

        Raises:
            UsageError: no scheduler there, or a worker with another version of Mien or without the folder.
            MienError: the scheduler went away.
        """
        with self._connected() as client:
            self._check_versions(client)
            # Not pure: results of an equal task of another client are not this one's.
            executor = client.get_executor(pure=False)
            try:
                futures = {
                    executor.submit(_on_worker, _own_version(), self._shared, function, task): task
                    for task in tasks
                }
                for future in as_completed(futures):
                    ended(futures[future], self._outcome(future, client))
            except BaseException:
                executor.shutdown(wait=False)
                raise

    def _outcome(self, future: Future[Result], client: Any) -> Result | Died:
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except KilledWorker:
            return Died()
        except CancelledError as error:
            raise MienError(f"The scheduler at {self._address} went away. {_AGAIN}") from error
        except MienError:
            raise
        except Exception:
            # A worker with another version may fail anyhow, from unpickling on.
            self._check_versions(client)
            raise

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        client = self._connect()
        try:
            yield client
        finally:
            client.close()

    def _connect(self) -> Any:
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise UsageError(f"--cluster needs {error.name}: pip install 'mien[cluster]'") from error
        # What goes wrong is said here, in a line; its own lines come as well, with tracebacks.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            address = _address_in(Path(self._address)) or self._address
            # A client of an address that cannot be stays for 20 s and ends with a traceback.
            distributed.comm.addressing.get_address_host_port(address, strict=True)
            with warnings.catch_warnings():
                # Of its libraries' versions; Mien's own are checked.
                warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
                make: Any = distributed.Client
                return make(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise UsageError(f"No Dask scheduler answers at {self._address!r}. Check --cluster.") from error

    def _check_versions(self, client: Any) -> None:
        """Refuse workers that are there with another version; those that come later are asked by each task.

        Raises:
            MienError: there is one, or the scheduler went away.
        """
        try:
            # A function of Python's own, which a worker without Mien has, too.
            found = client.run(version, "mien", on_error="return")
        except (OSError, CancelledError) as error:
            raise MienError(f"The scheduler at {self._address} went away. {_AGAIN}") from error
        for worker, answer in found.items():
            if answer != _own_version():
                raise _other_version(worker, answer if isinstance(answer, str) else None, _own_version())
        if not found:
            self._say("The cluster has no worker yet; waiting for one.")


def _address_in(file: Path) -> str | None:
    """The address that a scheduler wrote into ``file``; None where there is no such file.

    Raises:
        UsageError: it is no scheduler's file.
    """
    if not file.is_file():
        return None
    try:
        return str(json.loads(file.read_bytes())["address"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} is no file of a Dask scheduler (--scheduler-file). Check --cluster."
        ) from error


def _own_version() -> str:
    return installed_version("mien") or "(not installed)"


def _other_version(worker: str, found: str | None, wanted: str) -> UsageError:
    has = f"Mien {found}" if found else "no Mien"
    return UsageError(f"Worker {worker} has {has}, this is Mien {wanted}. Install this version there, too.")


def _on_worker(wanted: str, shared: Path, function: Callable[[Task], Result], task: Task) -> Result:
    """A task, in a worker's process.

    Raises:
        UsageError: the worker cannot do what is asked.
    """
    from distributed import get_worker

    here = get_worker().address
    if _own_version() != wanted:
        raise _other_version(here, _own_version(), wanted)
    if not shared.is_dir():
        raise UsageError(
            f"Worker {here} does not see {shared}. All workers need the files at the same paths."
        )
    return function(task)
