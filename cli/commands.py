"""Subcommands of ``mien``; each one's code is loaded when it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mien.engine.types import UsageError


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand.

    Attributes:
        name: the first word after ``mien``.
        help: what it does, for ``mien --help``.
        run: takes the words after the name and returns the exit status.
    """

    name: str
    help: str
    run: Callable[[Sequence[str]], int]


def _generate(arguments: Sequence[str]) -> int:
    from mien.cli.batch.run import main

    return main(arguments)


def _enroll(arguments: Sequence[str]) -> int:
    from mien.cli.enrol import main

    return main(arguments)


def _compose(arguments: Sequence[str]) -> int:
    from mien.engine.compose.__main__ import main

    return main(arguments)


def _metrics(arguments: Sequence[str]) -> int:
    from mien.train.metrics.__main__ import main

    return main(arguments)


def _compare(arguments: Sequence[str]) -> int:
    from mien.cli.compare import main

    return main(arguments)


def _benchmark(arguments: Sequence[str]) -> int:
    from mien.engine.benchmark.__main__ import main

    return main(arguments)


def _train(arguments: Sequence[str]) -> int:
    from mien.train.__main__ import main

    return main(arguments)


def _export(arguments: Sequence[str]) -> int:
    from mien.export.__main__ import main

    return main(arguments)


COMMANDS = (
    Command("generate", "drive many portraits by many clips, with metrics and a report", _generate),
    Command("enroll", "a portrait and further photos of the same person, in one file", _enroll),
    Command("compose", "make a motion file with known content", _compose),
    Command("metrics", "measure how faithfully a clip's motion is rendered", _metrics),
    Command("compare", "hold existing results of any tool against their driver", _compare),
    Command("benchmark", "measure frames per second and latency on this machine", _benchmark),
    Command("train", "prepare | fit | evaluate | card | import", _train),
    Command("export", "convert trained weights into files for a runtime", _export),
)


def find_command(words: Sequence[str]) -> Command | None:
    """The subcommand that the first word names; None where the first word is an option.

    Raises:
        UsageError: the first word is neither.
    """
    if not words or words[0].startswith("-"):
        return None
    for command in COMMANDS:
        if command.name == words[0]:
            return command
    names = ", ".join(command.name for command in COMMANDS)
    raise UsageError(
        f"{words[0]!r} is not a command ({names}); a clip is given as --driving, a portrait as --avatar. "
        "See: mien --help"
    )


def listed() -> str:
    """The subcommands, a line each, for the end of ``mien --help``."""
    lines = "".join(f"  mien {command.name:<11}{command.help}\n" for command in COMMANDS)
    return f"commands (each has its own --help):\n{lines}\n"
