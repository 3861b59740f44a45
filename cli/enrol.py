"""``mien enroll``: a portrait and the photos that help it, prepared once, in one file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser
from mien.engine.utils.exit_status import status_of

STORED_SIDE = 2048
"""Longest side of the stored portrait, pixels."""

COMPARED_SIDE = 1024
"""Longest side at which photos are held against it."""

EXAMPLES = """\
Mien picks the photos that show most of what the portrait lacks: the mouth open by steps, eyes closed, the
head turned each way. Blurred ones, other people, and light that cannot be matched are left out; what was
taken and what is missing is said.

  mien enroll --avatar me.jpg --photos holiday/ --output me.mien
  mien --avatar me.mien
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit status 2 with one line for what the user can mend."""
    parser = Parser(
        prog="mien enroll",
        description="A portrait and further photos of the same person, prepared once, in one file that is\n"
        "used wherever a portrait is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--avatar", metavar="PORTRAIT", type=Path, required=True, help="the portrait")
    parser.add_argument(
        "--photos", metavar="DIR|CLIP", type=Path, required=True, help="photos of the same person, or a clip"
    )
    parser.add_argument("--output", metavar="FILE.mien", type=Path, required=True, help="the file to write")
    return status_of(lambda: _run(parser.parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from mien.cli.photos import gathered, is_enrolled
    from mien.cli.terminal import progress_bar, say
    from mien.engine.avatar import Avatar
    from mien.engine.enrolment.container import save_enrolled
    from mien.engine.landmarks import make_landmarker
    from mien.engine.runtime import Network, default_runtime
    from mien.streams.images import fit_within, load_image
    from mien.streams.sink import check_writable_parent, same_file

    if not is_enrolled(options.output):
        raise UsageError(f"--output {options.output} must end in .mien.")
    if is_enrolled(options.avatar):
        raise UsageError("--avatar is the portrait itself here: a photo, not a .mien file.")
    for name in ("avatar", "photos"):
        if same_file(options.output, getattr(options, name)):
            raise UsageError(f"--output {options.output} is --{name} itself. Choose another name.")
    check_writable_parent(options.output)
    console = Console()
    portrait = fit_within(load_image(options.avatar, opacity=True), STORED_SIDE)
    runtime = default_runtime(network=Network.OFF)
    try:
        with make_landmarker() as landmarker:
            avatar = Avatar.of(fit_within(portrait, COMPARED_SIDE), landmarker, runtime, options.avatar.name)
            with progress_bar(console, "looking at the photos", None) as bar:
                found = gathered(avatar, options.photos, landmarker, bar.advance)
    finally:
        runtime.close()
    say(console, *avatar.notes, *found.notes)
    save_enrolled(options.output, portrait, found.photos)
    console.print(str(options.output), highlight=False)
    return 0
