"""Portraits behind the keys 1-9."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mien.cli.build import load_avatar
from mien.cli.options.arguments import Options
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.session.renderer import AvatarRenderer
from mien.engine.types import MienError


class Gallery:
    """Portraits, prepared in the background when first chosen, and swapped in when ready.

    Args:
        paths: the portraits' files, in the order of the keys.
        options: how portraits are read.
        landmarker: finds the faces in them; from now on used by the gallery's own thread.
        renderer: that shows them.
        ready: portraits that are prepared already.

    Attributes:
        show: puts an avatar before the renderer; a pipeline has a way of its own.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        options: Options,
        landmarker: Landmarker,
        renderer: AvatarRenderer,
        ready: dict[Path, Avatar] | None = None,
    ) -> None:
        self.paths = tuple(paths)
        self._options, self._landmarker, self._renderer = options, landmarker, renderer
        self._ready: dict[Path, Avatar] = dict(ready or {})
        self.show: Callable[[Avatar], object] = renderer.set_avatar
        self._worker = ThreadPoolExecutor(1, "portrait")
        self._pending: tuple[Path, Future[Avatar]] | None = None

    def want(self, number: int) -> str:
        """Switch to portrait ``number`` (from 1) as soon as it is ready; returns a message for the user."""
        if not self.paths:
            return "no further portraits: give a folder with --avatars DIR"
        if not 1 <= number <= len(self.paths):
            return f"no portrait {number}: there are {len(self.paths)}"
        self._forget_pending()
        path = self.paths[number - 1]
        if path in self._ready:
            self.show(self._ready[path])
            return path.name
        self._pending = path, self._worker.submit(self._prepare, path)
        return f"preparing {path.name}"

    def _prepare(self, path: Path) -> Avatar:
        # In the background: the runtime's encoder is separate from what renders.
        return load_avatar(path, self._options, self._landmarker, self._renderer.runtime)

    def _forget_pending(self) -> None:
        # The last key counts, also where an earlier wish is ready later.
        if self._pending is not None:
            self._pending[1].cancel()
            self._pending = None

    def poll(self) -> str | None:
        """Swap in a portrait that has become ready; returns a message for the user, or None."""
        if self._pending is None or not self._pending[1].done():
            return None
        path, future = self._pending
        self._pending = None
        try:
            avatar = future.result()
        except MienError as error:
            return str(error)
        except Exception as error:
            # One portrait is not worth the run, whatever is wrong with it or with us.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return f"{path.name} cannot be used ({reason}); please report this"
        self._ready[path] = avatar
        self.show(avatar)
        return path.name

    def close(self) -> None:
        """Stop the background thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)
