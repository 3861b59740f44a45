"""The command ``mien``: arguments in, a session of source, engine and sinks out.

Errors the user can fix are reported as one line on stderr, with exit status 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mien.installation import install_command

if TYPE_CHECKING:
    from rich.console import Console

    from mien.cli.options.arguments import Options


BLAS_THREADS = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"
"""Environment variables by which numpy's linear algebra takes its threads, read when it is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Mien; the exit status (0 done, 2 one line said why not, 130 stopped before there was anything)."""
    calm_linear_algebra()
    missing = _missing_library()
    if missing:
        sys.stderr.write(f"mien: {missing}\n")
        return 2
    from mien.engine.utils.exit_status import status_of

    return status_of(lambda: _run(sys.argv[1:] if arguments is None else arguments))


def calm_linear_algebra() -> None:
    """Keep numpy's matrix products to the thread that asks for them, unless the user's environment decides.

    They are small, and its threads wait for the next one by spinning: with one per core, a live frame took 35
    ms of CPU time on two cores where it takes 21, and the slowest frames were later for it.
    """
    if not any(name in os.environ for name in BLAS_THREADS):
        os.environ[BLAS_THREADS[0]] = "1"


def _run(words: Sequence[str]) -> int:
    from rich.console import Console

    from mien.cli.commands import find_command, listed
    from mien.cli.options.arguments import parse

    command = find_command(words)
    if command is not None:
        return command.run(words[1:])
    options = parse(words, listed())
    # What goes through a pipe is frames: nothing else may be written there.
    console = Console(stderr=options.output_text == "-")
    if options.doctor:
        from mien.cli.doctor import run_doctor

        run_doctor(options, console)
    elif options.list_cameras:
        from mien.cli.doctor import list_cameras

        list_cameras(console)
    else:
        _animate(options, console)
    return 0


def _animate(options: Options, console: Console) -> None:
    from mien.cli.checks import Kind, check

    kind = check(options)
    if options.web.wanted:
        _serve(options, console)
        return
    if kind is Kind.LIVE:
        from mien.cli.live.early import Early

        with Early() as early:
            from mien.cli.live.run import run_live

            run_live(options, console, early)
        return
    from mien.cli.file.run import run_clip, run_demo, run_motion

    run = run_demo if options.demo else run_motion if kind is Kind.MOTION else run_clip
    run(options, console)


def _serve(options: Options, console: Console) -> None:
    from mien.engine.types import UsageError

    try:
        import aiohttp  # noqa: F401
        import aiortc  # noqa: F401
    except ImportError as error:
        raise UsageError('--webrtc needs: python -m pip install "mien[webrtc]"') from error
    from mien.cli.web.run import run_web

    run_web(options, console)


def _missing_library() -> str | None:
    """Why OpenCV cannot be imported, if so: its wheel needs system libraries that bare containers lack."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        library = str(error).partition(":")[0]
        if "libGL" in library or "libgthread" in library or "libglib" in library:
            return (
                f"OpenCV needs the system library {library}. On Debian or Ubuntu: "
                "apt-get install -y libgl1 libglib2.0-0"
            )
        return f"OpenCV cannot be imported ({error}). Install Mien again: {install_command()}"
    return None
