"""Built engines on disk: one file each, named after everything that its validity depends on.

Writers lock, write a temporary file and rename it, so that neither a crash nor a second process leaves half
an engine; readers check a hash.  An unwritable folder costs another build at the next start, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from mien.engine.utils.files import replacing
from mien.engine.utils.folders import NO_HOME, user_folder

_SUFFIX, _LOCK = ".engine", ".lock"
_PARTS = "*.part*"
"""Unfinished files, including those named by earlier versions."""

_WRITING_S = 60.0
"""Seconds for which a recently written file is left to its writer, even if no lock is held (yet)."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that an engine depends on.

    Attributes:
        part: name of the network, such as ``"live-renderer"``.
        weights: hash of the graph and its weights.
        card, capability, driver: the GPU it was built on, its compute capability, its driver's version.
        backend: TensorRT's package and version.
        precision: ``"fp16"`` or ``"fp32"``.
        shapes: the profile, batch sizes included.
    """

    part: str
    weights: str
    card: str
    capability: str
    driver: str
    backend: str
    precision: str
    shapes: str

    @property
    def digest(self) -> str:
        """Hash of the whole key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def file_name(self) -> str:
        return f"{self.part}-{self.digest[:20]}{_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the cache, for ``--doctor``."""

    name: str
    size: int
    key: EngineKey | None  # None: damaged


def default_folder() -> Path | None:
    """``$MIEN_CACHE``, or the user's cache folder; None if they have no home folder."""
    chosen = os.environ.get("MIEN_CACHE")
    if chosen:
        return Path(chosen)
    folder = user_folder("cache")
    return folder / "engines" if folder else None


class EngineCache:
    """The engines in one folder (created when the first is stored); without a folder, nothing is stored.

    Attributes:
        folder: the folder, or None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def load(self, key: EngineKey) -> bytes | None:
        """Load the intact engine built for exactly this key, or None."""
        return _read(self.folder / key.file_name, key) if self.folder else None

    def store(self, key: EngineKey, blob: bytes) -> str | None:
        """Store an engine and drop those it supersedes; returns why it could not be stored, or None."""
        if self.folder is None:
            return f"the engine cannot be stored ({NO_HOME}); it will be rebuilt next time"
        header = json.dumps({"key": asdict(key), "sha256": hashlib.sha256(blob).hexdigest()}).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / key.file_name) as part, part.open("wb") as file:
                with contextlib.suppress(OSError):  # protects it from cleaning up, however long this takes
                    lock(file.fileno(), wait=False)
                file.write(header + b"\n" + blob)
        except OSError as error:
            reason = error.strerror or error
            return f"{self.folder}: the engine cannot be stored ({reason}); it will be rebuilt next time"
        _prune(self.folder, key)
        return None

    def discard(self, key: EngineKey) -> None:
        """Delete an engine that proved faulty."""
        if self.folder:
            with contextlib.suppress(OSError):
                (self.folder / key.file_name).unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """All entries, by name."""
        if self.folder is None:
            return []
        try:
            paths = sorted(self.folder.glob(f"*{_SUFFIX}"))
        except OSError:
            return []
        return [Entry(path.name, path.stat().st_size, _header(path)) for path in paths]

    @contextlib.contextmanager
    def building(self, key: EngineKey) -> Iterator[None]:
        """Hold this engine's lock, so that two processes do not build it at once; the second one waits.

        The lock is the operating system's: it ends with the process, however that ends; its file is removed
        with it, or by the next builder.  In an unwritable folder there is no lock, and both processes build.
        """
        if self.folder is None:
            yield
            return
        path = self.folder / f"{key.file_name}{_LOCK}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.folder)
            file = _locked(path)
        except OSError:  # some network file systems have no locks
            yield
            return
        try:
            yield
        finally:
            _remove(file, path)


def _prune(folder: Path, key: EngineKey) -> None:
    """Drop engines of the same part for other weights, drivers or versions; they are obsolete."""
    for path in folder.glob(f"{key.part}-*{_SUFFIX}"):
        found = _header(path)
        stale = found is None or (
            (found.card, found.precision, found.shapes) == (key.card, key.precision, key.shapes)
            and found != key
        )
        if stale:
            with contextlib.suppress(OSError):
                path.unlink()


def _sweep(folder: Path) -> None:
    """Remove leftovers of processes that died: locks and partial files that nobody holds."""
    for path in (*folder.glob(f"*{_LOCK}"), *folder.glob(_PARTS)):
        with contextlib.suppress(OSError):
            if path.suffix != _LOCK and time.time() - path.stat().st_mtime < _WRITING_S:
                continue
            file = path.open("r+b")
            try:
                free = lock(file.fileno(), wait=False)
            except OSError:
                free = False
            # Its holder may have removed it meanwhile, and another made one of that name, which is in use.
            if free and _is_at(path, file):
                _remove(file, path)
            else:
                file.close()


def _locked(path: Path) -> BinaryIO:
    """Open and lock the lock file, waiting for its holder."""
    while True:
        file = path.open("a+b")
        try:
            lock(file.fileno(), wait=True)
            # Its holder may have removed it meanwhile; then we have locked a file that nobody else sees.
            if _is_at(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove(file: BinaryIO, path: Path) -> None:
    """Remove a locked file and unlock it."""
    if sys.platform == "win32":
        # Windows does not remove a file that a waiting process has open; then that process keeps it.
        _unlock(file.fileno())
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        return
    with file, contextlib.suppress(OSError):
        path.unlink()
        _unlock(file.fileno())


if sys.platform == "win32":
    import msvcrt

    def lock(handle: int, *, wait: bool) -> bool:
        """Lock an open file; returns whether it is locked.  Raises ``OSError`` if locks are unsupported."""
        while True:
            try:
                os.lseek(handle, 0, os.SEEK_SET)
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.2)

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def lock(handle: int, *, wait: bool) -> bool:
        """Lock an open file; returns whether it is locked.  Raises ``OSError`` if locks are unsupported."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _split(path: Path) -> tuple[dict[str, object], bytes] | None:
    try:
        header, _, blob = path.read_bytes().partition(b"\n")
        found = json.loads(header)
    except (OSError, ValueError):
        return None
    return (found, blob) if isinstance(found, dict) else None


def _header(path: Path) -> EngineKey | None:
    """The key in a file's first line, or None."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.readline(1 << 16))
        return EngineKey(**found["key"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read(path: Path, key: EngineKey) -> bytes | None:
    found = _split(path)
    if found is None:
        return None
    header, blob = found
    if header.get("key") != asdict(key) or header.get("sha256") != hashlib.sha256(blob).hexdigest():
        return None
    return blob
