"""Command line of training: ``mien train prepare | fit | follow | evaluate | card | import``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser
from mien.engine.utils.exit_status import Extra, status_of

if TYPE_CHECKING:
    from rich.console import Console

    from mien.engine.utils.workers import Workers

NEEDED = Extra("training", "train", ("torch", "lightning_fabric", "safetensors", "tensorboard", "openpyxl"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    return status_of(
        lambda: _command(arguments),
        stopped="stopped; run the same command again to continue",
        extra=NEEDED,
    )


def _command(arguments: Sequence[str] | None) -> int:
    parser = Parser(prog="mien train", description="Train the models, and evaluate the results.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_prepare(commands)
    _add_fit(commands)
    _add_follow(commands)
    _add_evaluate(commands)
    _add_card(commands)
    _add_import(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))


def _add_prepare(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("prepare", help="cut, track and pack clips once")
    parser.add_argument("source", type=Path, help="folder of a data set")
    parser.add_argument("--output", type=Path, required=True, help="folder for the packed clips")
    parser.add_argument("--workers", type=int, help="processes (default 1)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="pack on the workers of this Dask scheduler")
    parser.add_argument("--validation", type=float, default=0.12, help="share of clips to validate on")
    parser.add_argument("--sources", type=int, default=14, help="maximum source frames per clip")
    parser.add_argument("--drivings", type=int, default=12, help="driving frames per source frame")
    parser.add_argument("--stills", type=int, default=0, help="stills to pack as extra people (default 0)")
    parser.add_argument(
        "--mouths", type=int, default=0, help="stills to look at for open mouths to close (default 0)"
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also what is packed, with the engine as it is now (no video is read)",
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="SUBJECT",
        help="validate on this subject instead of a share of the clips (repeatable)",
    )
    parser.set_defaults(run=_prepare)


def _prepare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.train.data.packing import PackConfig
    from mien.train.data.prepare import Additions, prepare

    config = PackConfig(sources=options.sources, drivings=options.drivings)
    console = Console(stderr=True)
    done = prepare(
        options.source,
        options.output,
        config,
        _workers(options, console),
        options.validation,
        console,
        Additions(options.stills, options.mouths, options.again),
        options.leave_out,
    )
    more = {"stills": done.stills, "closed mouths": done.mouths}
    also = "".join(f", {count} {name}" for name, count in more.items() if count)
    sys.stdout.write(f"{done.packed} clips packed, {done.kept} kept, {done.left_out} left out{also}\n")
    return 0


def _workers(options: argparse.Namespace, console: Console) -> Workers | None:
    from mien.engine.utils.cluster import Cluster
    from mien.engine.utils.workers import Processes

    if options.cluster is None:
        return Processes(options.workers, threads=1) if (options.workers or 1) > 1 else None
    if options.workers is not None:
        raise UsageError(
            "--workers is for processes here; how many work on a cluster, its scheduler decides."
        )

    def say(note: str) -> None:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)

    return Cluster(options.cluster, options.output, say)


def _add_fit(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("fit", help="start or resume training")
    parser.add_argument("--config", type=Path, help="TOML file")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="changes")
    parser.add_argument(
        "--leave-out",
        metavar="SUBJECT",
        help="validate on this subject, train on the others (data.leave_out)",
    )
    parser.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.train.config import load_config
    from mien.train.fit import Fit

    changes = options.changes
    if options.leave_out is not None:
        changes = [*changes, f"data.leave_out={json.dumps(options.leave_out)}"]
    config = load_config(options.config, changes)
    Fit(config, Console(stderr=True)).run()
    return 0


def _add_follow(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("follow", help="learn how far hair, neck and shoulders follow a head")
    parser.add_argument("--data", type=Path, required=True, help="output folder of prepare")
    parser.add_argument("--output", type=Path, required=True, help=".npz file to write")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of each source frame (default 6)")
    parser.add_argument("--steps", type=int, default=900, help="steps of 16 pairs (default 900)")
    parser.set_defaults(run=_follow)


def _follow(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.train.following import train_following

    if min(options.pairs, options.steps) < 1:
        raise UsageError("follow needs --pairs and --steps of 1 or more.")
    found = train_following(options.data, options.output, options.pairs, options.steps, Console(stderr=True))
    sys.stdout.write(
        f"{options.output}: on unseen people {found.learned:.4f} face units from where hair, neck and "
        f"shoulders went; without it {found.usual:.4f}, at rest {found.still:.4f}\n"
    )
    return 0


def _add_evaluate(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("evaluate", help="measure weights on people not trained on")
    parser.add_argument("weights", type=Path, help=".safetensors file, or a folder that export wrote")
    parser.add_argument("--data", type=Path, required=True, help="output folder of prepare")
    parser.add_argument("--output", type=Path, help="folder for the report (default: next to the weights)")
    parser.add_argument("--quick", action="store_true", help="a first look: few pairs and passages")
    parser.add_argument("--pairs", type=int, help="same-identity pairs, roughly (default 120; quick: 48)")
    parser.add_argument(
        "--clips", type=int, help="clips that drive other people (default 5; quick: 3; 0: none)"
    )
    parser.add_argument("--frames", type=int, help="frames of a driving passage (default 32; quick: 24)")
    parser.add_argument(
        "--focus", type=float, default=0.5, help="0: uniform choice of pairs; 1: important ones"
    )
    parser.add_argument("--part", choices=("validation", "train"), default="validation")
    parser.add_argument("--leave-out", metavar="SUBJECT", default="", help="the subject that fit left out")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.train.evaluation.command import QUICK, Extent, evaluate

    output = options.output or options.weights.parent / "evaluation"
    usual = QUICK if options.quick else Extent()
    extent = Extent(
        usual.pairs if options.pairs is None else options.pairs,
        usual.clips if options.clips is None else options.clips,
        usual.length if options.frames is None else options.frames,
    )
    if extent.pairs < 1 or extent.clips < 0 or extent.length < 3:
        raise UsageError("evaluate needs --pairs of 1 or more, --clips of 0 or more, --frames of 3 or more.")
    evaluate(
        options.weights,
        options.data,
        output,
        extent,
        options.focus,
        options.part,
        Console(),
        options.leave_out,
    )
    return 0


def _add_card(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("card", help="write a model card for weights")
    parser.add_argument("weights", type=Path, help=".safetensors file")
    parser.add_argument("--data", type=Path, required=True, help="output folder of prepare")
    parser.add_argument("--evaluation", type=Path, help="the .md file of evaluate")
    parser.add_argument("--hardware", default="unknown", help="what it was trained on")
    parser.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> int:
    from mien.train.model_card import card

    sys.stdout.write(card(options.weights, options.data, options.evaluation, options.hardware))
    return 0


def _add_import(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = commands.add_parser("import", help="read a published checkpoint (the paper's or FOMM's)")
    parser.add_argument("checkpoint", type=Path, help=".pth.tar file")
    parser.add_argument("--output", type=Path, required=True, help=".safetensors file to write")
    parser.add_argument(
        "--align-corners",
        action="store_true",
        help="sample as torch before 1.3 (default: as the published code does today)",
    )
    parser.set_defaults(run=_import)


def _import(options: argparse.Namespace) -> int:
    from mien.train.importing import import_weights

    model = import_weights(options.checkpoint, options.output, options.align_corners)
    count = sum(weight.numel() for weight in model.parameters()) / 1e6
    kind = "given" if model.config.given_points else "learned"
    sys.stdout.write(f"{options.output}: {model.config.points} {kind} points, {count:.2f} M parameters\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
