"""Promises of a tracking thread: what is asked of it, and answered later."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from mien.engine.face.likeness import ReferenceSearch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the best reference in progress, with the future of its result."""

    frames: ReferenceSearch
    future: Future[str | None]


def fulfil(future: Future[T], work: Callable[[], T]) -> None:
    """Do the work for ``future``, unless it was cancelled: its result, or what it raised."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # whatever it was, someone waits for the future
        future.set_exception(error)
