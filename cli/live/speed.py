"""Choice of how often the network runs live, and the line that tells it."""

from __future__ import annotations

import os

from rich.console import Console

from mien.cli.model_choice import EXACT, FAST
from mien.cli.options.arguments import Options
from mien.engine.avatar import Avatar
from mien.engine.presets import PresetRuntime
from mien.engine.runtime import Network, OpenVinoRuntime
from mien.engine.session.speed import USUAL_FPS, settle_speed

SERVER_CORES = 4
"""A server with fewer cores disables the network unless it is asked for."""


def choose_speed(runtime: PresetRuntime, avatar: Avatar, options: Options, console: Console) -> None:
    """Set how often the network runs: as the user asks, or as this machine allows."""
    if not isinstance(runtime, OpenVinoRuntime) or runtime.network is Network.OFF:
        return
    if options.model in (EXACT, FAST):
        runtime.network = Network.EVERY_FRAME if options.model == EXACT else Network.BACKGROUND
        return
    speed = settle_speed(runtime, avatar, camera_fps=options.fps or USUAL_FPS)
    what = "on every frame" if speed.network is Network.EVERY_FRAME else "beside, as often as it can"
    line = f"this machine renders live at {speed.fps:.0f} fps: the network runs {what}"
    line += f" ({speed.note})" if speed.note else ""
    if speed.measured:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def server_network(options: Options, cores: int | None = None) -> Network:
    """How often a server's network runs where the processor has all the work.

    Encoders, other people's frames and often a browser need it as well: with a browser on the same two cores,
    the network cut the rate from 18 to 7.5 fps.
    """
    wanted = {EXACT: Network.EVERY_FRAME, FAST: Network.BACKGROUND}
    spare = (cores or os.cpu_count() or 1) >= SERVER_CORES
    return wanted.get(options.model, Network.BACKGROUND if spare else Network.OFF)
