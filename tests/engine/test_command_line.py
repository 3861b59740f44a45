"""Command lines refuse values in one line that names the option and the accepted values."""

from __future__ import annotations

import pytest

from mien.engine.types import UsageError
from mien.engine.utils.command_line import Parser, image_size, listed, number, whole_number


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="mien test")
    parser.add_argument("--gain", type=lambda text: number(text, "gain", -8, 8))
    parser.add_argument("--jobs", type=lambda text: whole_number(text, "number of jobs", 1, 64))
    parser.add_argument("--size", type=lambda text: image_size(text, 16, 4096))
    parser.add_argument("--only", type=lambda text: listed(text, "region"))
    return parser


def test_values_within_their_limits_are_accepted(parser: Parser) -> None:
    found = parser.parse_args(["--gain", "-8", "--jobs", "64", "--size", "640X480", "--only", " a,, b "])
    assert (found.gain, found.jobs, found.size, found.only) == (-8.0, 64, (640, 480), ("a", "b"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--gain 9", "--gain: '9' is not a valid gain; give a number from -8 to 8. See: mien test"),
        (
            "--gain nan",
            "--gain: 'nan' is not a valid gain; give a number from -8 to 8. See: mien test --help",
        ),
        ("--jobs 2.5", "'2.5' is not a valid number of jobs; give a whole number from 1 to 64"),
        ("--jobs ²", "'²' is not a valid number of jobs; give a whole number from 1 to 64"),
        ("--jobs ٣", "'٣' is not a valid number of jobs"),
        ("--size 640", "'640' is not a valid size; write it as 640x480, each from 16 to 4096"),
        ("--size 8x640", "'8x640' is not a valid size"),
        ("--only ,", "name at least one region"),
        ("--none", "Unrecognized arguments: --none. See: mien test --help"),
    ],
)
def test_other_values_are_refused_in_one_line(parser: Parser, words: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parser.parse_args(words.split())
    assert line in str(caught.value) and "\n" not in str(caught.value)
