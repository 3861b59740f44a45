"""Command line of ``mien generate``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mien.cli.options import values
from mien.cli.options.arguments import Options
from mien.cli.options.arguments import parse as parse_mien
from mien.cli.options.shared import add_amounts, add_background, add_machine, add_mouth
from mien.engine.mouth.mode import PAINTED
from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser, whole_number

EXAMPLES = """\
PAIRS.csv has one line per pair below a line of column names:
  driving, avatar    a clip (video file, folder of frames, or motion file .npz) and a portrait;
                     paths start at the CSV's own folder
  name               name of the results (default: clip__portrait)
  reference          frame that motion is relative to (default: the first with a face)
  onset, apex, offset   frames of the expression (default: found from the motion)
  fps                frame rate of a folder
  mouth              own or painted (default: --mouth)
  background         keep, blur, a colour or an image file (default: --background)
Frames are counted from 0, the first frame of the clip.

Results in DIR: NAME.mp4 (the portrait, moving), NAME.npz (the motion), NAME.json (provenance),
metrics.csv, failures.csv and report.html, which explains itself.
"""


@dataclass(frozen=True)
class GenerateOptions:
    """A batch.

    Attributes:
        pairs: the list, a CSV file.
        output: folder of the results.
        jobs: processes.
        threads: CPU threads of each process.
        cluster: address of a Dask scheduler whose workers make the pairs; None: processes here.
        force: make finished pairs again.
        metrics: compare each result with its driver.
        report_pairs: how many pairs the report shows in full.
        engine: the options that a batch shares with a single run.
    """

    pairs: Path
    output: Path
    jobs: int
    threads: int
    cluster: str | None
    force: bool
    metrics: bool
    report_pairs: int
    engine: Options


def parse(arguments: Sequence[str] | None = None) -> GenerateOptions:
    """Parse the options of a batch.

    Raises:
        UsageError: invalid options.
    """
    found = vars(_parser().parse_args(arguments))
    shared = {f.name: found[f.name] for f in fields(Options) if f.name in found and f.name != "output"}
    shared["gains"] = tuple(shared["gains"] or ())
    if found["cluster"] and found["jobs"]:
        raise UsageError("--jobs is for processes here; how many work on a cluster, its scheduler decides.")
    cores = os.cpu_count() or 1
    jobs = found["jobs"] or max(1, cores // 2)
    threads = found["threads"] or (1 if found["cluster"] else max(1, cores // jobs))
    engine = replace(parse_mien([]), **shared | {"threads": threads, "reference": "first"})
    return GenerateOptions(
        pairs=found["pairs"],
        output=found["folder"],
        jobs=jobs,
        threads=threads,
        cluster=found["cluster"],
        force=found["force"],
        metrics=found["metrics"],
        report_pairs=found["report_pairs"],
        engine=engine,
    )


def _parser() -> Parser:
    parser = Parser(
        prog="mien generate",
        description="Drive many portraits by many clips: a list of pairs in, videos, motion files, metrics\n"
        "and one report out. Finished pairs are not made again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("pairs", metavar="PAIRS.csv", type=Path, help="list of pairs")
    parser.add_argument("--output", dest="folder", metavar="DIR", type=Path, required=True, help="results")
    parser.add_argument("--jobs", metavar="N", type=_count, help="processes (half of the cores)")
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="make the pairs on the workers of this Dask scheduler (tcp://HOST:8786)",
    )
    parser.add_argument("--force", action="store_true", help="make finished pairs again")
    _results(parser.add_argument_group("results"))
    add_amounts(parser.add_argument_group("how much of the motion (1 is as measured, 0 is none)"))
    add_machine(parser.add_argument_group("machine"))
    return parser


def _results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--size", metavar="N", type=values.pixels, help="longest side in pixels (1024; with --crop: 512)"
    )
    group.add_argument(
        "--crop", action="store_true", help="only the moving face, as a square, not the whole portrait"
    )
    add_mouth(group, PAINTED)
    add_background(group, "transparent (with --lossless)")
    group.add_argument("--lossless", action="store_true", help="keep every pixel exactly (NAME.mkv)")
    group.add_argument(
        "--bits", metavar="N", type=values.bits, help="depth of the values in 16-bit files (told from them)"
    )
    group.add_argument(
        "--fps", metavar="F", type=values.rate, help="frame rate of folders whose line gives none (25)"
    )
    group.add_argument(
        "--no-metrics",
        dest="metrics",
        action="store_false",
        help="do not compare the results with the drivers",
    )
    group.add_argument(
        "--report-pairs",
        metavar="N",
        type=_count,
        default=60,
        help="pairs shown in full in report.html, about 1 MB each (60)",
    )


def _count(text: str) -> int:
    return whole_number(text, "number", 1, 1000)
