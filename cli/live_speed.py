"""The choice of a live run's profile, and what the terminal says about it."""

from __future__ import annotations

from rich.console import Console

from cli.arguments import Options
from cli.models import EXACT, FAST, AnyRuntime
from engine.avatar import Avatar
from engine.runtime import Network, OpenVinoRuntime
from engine.speed import settle_speed


def choose_speed(runtime: AnyRuntime, avatar: Avatar, options: Options, console: Console) -> None:
    """Set how often the network runs: as the user wants, or as this machine can."""
    if not isinstance(runtime, OpenVinoRuntime) or runtime.network is Network.OFF:
        return
    if options.model in (EXACT, FAST):
        runtime.network = Network.EVERY_FRAME if options.model == EXACT else Network.BESIDE
        return
    speed = settle_speed(runtime, avatar)
    what = "on every frame" if speed.network is Network.EVERY_FRAME else "beside, as often as it can"
    line = f"this machine renders live at {speed.fps:.0f} fps: the network runs {what}"
    if speed.measured:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def share_speed(runtime: AnyRuntime, options: Options) -> None:
    """The same for a server: encoders and other people's frames want the processor too, so it runs beside."""
    if not isinstance(runtime, OpenVinoRuntime) or runtime.network is Network.OFF:
        return
    runtime.network = Network.EVERY_FRAME if options.model == EXACT else Network.BESIDE
