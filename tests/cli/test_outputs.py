"""Outputs of a live run: any kind in the table is opened, fed, checked and reported."""

from __future__ import annotations

import io
from contextlib import ExitStack
from fractions import Fraction

import pytest
from rich.console import Console

from mien.cli.checks import check
from mien.cli.live import outputs as module
from mien.cli.live.output import Live, Output
from mien.cli.live.outputs import OUTPUTS, open_outputs, wanted_outputs
from mien.cli.options.arguments import Options, parse
from mien.engine.types import Image, UsageError

LIVE = Live((64, 48), Fraction(30), lambda line: None)


class Wall(Output):
    """A made-up output, wanted in every run that has a profile."""

    name = "wall"
    doing = "projecting"
    with_file = "The wall is for live use."

    def __init__(self) -> None:
        self.ended = False

    @classmethod
    def wanted(cls, options: Options) -> bool:
        return options.profile is not None

    @classmethod
    def open(cls, options: Options, live: Live) -> Wall:
        return cls()

    @classmethod
    def status(cls) -> str:
        return "white and flat"

    def write(self, image: Image, time: float) -> None:
        pass

    def abort(self) -> None:
        self.ended = True


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    monkeypatch.setattr(module, "OUTPUTS", (*OUTPUTS, Wall))
    monkeypatch.setattr("mien.cli.doctor.OUTPUTS", (*OUTPUTS, Wall))
    return Wall


def test_options_choose_the_outputs() -> None:
    names = {kind.name for kind in wanted_outputs(parse(["--output", "a.mp4", "--virtual-camera"]))}
    assert names == {"recording", "virtual camera"}
    assert wanted_outputs(parse([])) == []


def test_an_output_of_the_table_is_opened_and_let_go_with_the_run(wall: type[Wall]) -> None:
    with ExitStack() as stack:
        (output,) = open_outputs(parse(["--profile", "ann"]), stack, LIVE)
        assert isinstance(output, wall)
    assert output.ended


def test_an_output_says_itself_what_it_cannot_be_combined_with(wall: type[Wall]) -> None:
    with pytest.raises(UsageError, match="The wall is for live use"):
        check(parse(["--profile", "ann", "--driving", "clip.mp4"]))
    with pytest.raises(UsageError, match="--virtual-camera is for live use"):
        check(parse(["--virtual-camera", "--driving", "clip.mp4"]))
    check(parse(["--virtual-camera", "--webrtc"]))


def test_the_doctor_asks_every_output(wall: type[Wall]) -> None:
    from mien.cli.doctor import run_doctor

    text = io.StringIO()
    run_doctor(parse(["--doctor", "--model", "warp"]), Console(file=text, width=200))
    assert "white and flat" in text.getvalue()
    assert "virtual camera" in text.getvalue()


def test_only_what_must_not_be_lost_ends_the_run_unless_it_is_all_that_is_seen() -> None:
    seen: dict[str, bool] = {}

    class Pipeline:
        def send(self, name: str, work: object, *, required: bool, **_: object) -> None:
            seen[name] = required

    walls = [Wall()]
    module.connect(Pipeline(), walls, window=True)  # type: ignore[arg-type]
    assert seen == {"wall": False}
    module.connect(Pipeline(), walls, window=False)  # type: ignore[arg-type]
    assert seen == {"wall": True}
