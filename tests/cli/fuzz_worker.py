"""A process that runs Mien on damaged files, one after another: ``fuzz_worker.py FOLDER < cases``.

A line of JSON in, a line of JSON out, so that a crash costs the case that it belongs to. The networks are
loaded once; everything else is the whole program.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer cases until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    import cv2

    from mien.cli import build
    from mien.cli.file import run as file_run
    from mien.engine.landmarks import make_landmarker
    from mien.engine.runtime import Network

    cv2.setNumThreads(1)
    landmarker = make_landmarker()
    warp = build.default_runtime(1, "auto", Network.OFF)
    build.default_runtime = lambda *_, **__: warp
    file_run.portrait_landmarker = lambda **_: contextlib.nullcontext(landmarker)
    file_run.make_animator = partial(build.make_animator, like=landmarker)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), file=answers, flush=True)


def _run(case: dict[str, Any]) -> dict[str, Any]:
    said = io.StringIO()
    status: int | None = None
    trace = ""
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            status = _act(case)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            trace = traceback.format_exc()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"status": status, "said": said.getvalue()[-400:], "trace": trace[-1500:], "peak_mb": peak}


def _act(case: dict[str, Any]) -> int:
    from mien.engine.types import MienError

    if case["kind"] == "csv":
        from mien.cli.batch.pairs import read_pairs

        try:
            read_pairs(Path(case["file"]))
        except MienError as error:
            sys.stderr.write(f"mien: {error}")
            return 2
        return 0
    from mien.cli.main import main as mien

    return mien(case["words"])


if __name__ == "__main__":
    main()
