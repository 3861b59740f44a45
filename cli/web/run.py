"""Web server runs: the avatar in a browser page, over WHIP and WHEP (``--webrtc``, ``--publish``, ...)."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
from rich.console import Console

from mien.cli.background import chosen_background
from mien.cli.options.arguments import Options
from mien.cli.photos import is_enrolled
from mien.cli.terminal import say
from mien.cli.web.engine import LocalEngine
from mien.cli.web.gallery import EXHIBITS
from mien.engine.avatar.person.background import BackgroundKind
from mien.engine.enrolment.container import load_enrolled
from mien.engine.photos.photo import Photo
from mien.engine.types import Frame, Image, MienError, NoFaceError, SourceError, UsageError
from mien.engine.utils.memory import share_arenas
from mien.streams.factory import open_source
from mien.streams.images import fit_within, list_portraits, load_image
from mien.streams.source import Source
from mien.streams.virtual_camera import VirtualCameraSink
from mien.streams.webrtc.app import Server
from mien.streams.webrtc.client import check_url, play, publish
from mien.streams.webrtc.feed import Feed
from mien.streams.webrtc.hub import AvatarStream, Hub
from mien.streams.webrtc.logs import log, set_up
from mien.streams.webrtc.portraits import SIDE
from mien.streams.webrtc.settings import IceServer, ServerSettings, is_loopback
from mien.streams.webrtc.whip import claim_main

END_S = 4.5
"""Seconds from the signal to the end of the process, at most."""

FPS = 30.0
"""Frame rate that the virtual camera tells programs, unless ``--fps`` gives another."""

SWITCH_S = 0.001
"""Interpreter switch interval in seconds (Python's default: 5 ms)."""


def run_web(options: Options, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        MienError: the port is taken, the camera is missing, the certificate is wrong.
    """
    settings = settings_of(options)
    share_arenas()
    with ExitStack() as stack:
        _share_the_cores(stack)
        handler = set_up(options.web.log_json)
        stack.callback(logging.getLogger("mien").removeHandler, handler)
        engine = LocalEngine(options)
        stack.callback(engine.close)
        asyncio.run(_serve(options, settings, engine, console))


def _share_the_cores(stack: ExitStack) -> None:
    """Keep each stage on one core until the stack's end: every stage already has a thread."""
    stack.callback(cv2.setNumThreads, cv2.getNumThreads())
    # As in a live run: OpenCV's own threads beside them cost a quarter more CPU and gain nothing.
    cv2.setNumThreads(1)
    # A frame changes threads seven times on its way, and at each may wait this long for the interpreter.
    stack.callback(sys.setswitchinterval, sys.getswitchinterval())
    sys.setswitchinterval(SWITCH_S)


def settings_of(options: Options) -> ServerSettings:
    """The server's settings.

    Raises:
        MienError: options that contradict each other.
    """
    web = options.web
    if web.publish is not None:
        check_url(web.publish, "--publish")
    if options.virtual_camera is not None and not is_loopback(web.host):
        raise UsageError(
            "--virtual-camera shows what the page on this machine shows, and --host lets others drive. "
            "Leave one of them out."
        )
    if web.whep_source is not None:
        check_url(web.whep_source, "--whep-source")
        if options.driving is not None:
            raise UsageError("--whep-source and --driving both drive the avatar. Leave one out.")
    return ServerSettings(
        host=web.host,
        port=web.port,
        token=web.token,
        cert=web.cert,
        key=web.key,
        max_sessions=web.max_sessions,
        background=_named(options.background),
        panel=options.driving is not None and is_loopback(web.host),
        mark=web.mark,
        ice_servers=tuple(IceServer.parse(text) for text in web.ice_servers),
    ).checked()


def _feed(options: Options, engine: LocalEngine, hub: Hub) -> Feed | None:
    """What the page shows, into this machine's virtual camera; where there is none yet, the page says why."""
    if options.virtual_camera is None:
        return None
    width, height = engine.size
    device = options.virtual_camera or None
    fps = options.fps or FPS
    camera = VirtualCameraSink(width=width, height=height, fps=fps, device=device, tell=log, wait=True)
    return Feed(camera, hub.shown)


def _named(text: str) -> str | None:
    """What the page calls a background: keep, blur or #rrggbb; None for an image of this machine."""
    background = chosen_background(text)
    if background.kind is BackgroundKind.COLOUR:
        return "#{:02x}{:02x}{:02x}".format(*background.colour)
    return None if background.kind is BackgroundKind.IMAGE else background.kind.value


async def _serve(options: Options, settings: ServerSettings, engine: LocalEngine, console: Console) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    hub = Hub(settings, engine)
    hub.feed = _feed(options, engine, hub)
    async with Server(hub) as server:
        _announce(console, settings, server.url)
        work = asyncio.ensure_future(_work(options, hub, engine))
        waiting = asyncio.ensure_future(stop.wait())
        done, _ = await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if work in done:
            work.result()
        hub.draining = True
        _end_by(END_S)
        log("stopping", sessions=len(hub.streams))
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    log("stopped")


def _end_by(seconds: float) -> None:
    """End the process after so many seconds, whatever native code still runs in its threads by then.

    Python waits for every thread of a pool at its end, and a model that is being compiled cannot be stopped.
    """

    def end() -> None:
        log("stopped", waited_for="native code")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def _announce(console: Console, settings: ServerSettings, url: str) -> None:
    page = url if settings.token is None else f"{url}/?token={quote(settings.token, safe='')}"
    console.print(f"Mien: {page}", highlight=False, soft_wrap=True)
    console.print(f"WHIP {url}/whip   WHEP {url}/whep   Ctrl-C ends", highlight=False, soft_wrap=True)
    if not settings.loopback and not settings.secure:
        say(
            console,
            "browsers give a page their camera over HTTPS or on this machine alone: for other machines "
            "add --cert and --key, or put a proxy with HTTPS before it.",
        )


async def _work(options: Options, hub: Hub, engine: LocalEngine) -> None:
    """Load the model, then run the driving source and the publishers; ends only with an error."""
    await asyncio.get_running_loop().run_in_executor(hub.portraits.worker, _load, options, hub, engine)
    engine.open_doors()
    log("ready")
    web = options.web
    tasks: list[Coroutine[Any, Any, Any]] = []
    if web.publish is not None:
        token = web.publish_token or web.token
        tasks.append(publish(hub, lambda: hub.main, web.publish, token))
    if web.whep_source is not None:
        stream = await claim_main(hub, "--whep-source")
        tasks.append(play(hub, stream, web.whep_source, web.publish_token or web.token))
    elif options.driving is not None or (web.publish is not None and not web.webrtc):
        stream = await claim_main(hub, "the camera")
        tasks.append(_drive(options, stream))
    tasks.append(asyncio.Event().wait())
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _load(options: Options, hub: Hub, engine: LocalEngine) -> None:
    engine.load()
    named: list[Path] = [options.avatar] if options.avatar else []
    named += list_portraits(options.avatars) if options.avatars else []
    for exhibit in EXHIBITS if not named else ():
        hub.portraits.add(load_image(exhibit.path, opacity=True), exhibit.name, credit=exhibit.credit)
    for index, path in enumerate(named):
        try:
            image, photos = _portrait(path, options, engine)
            hub.portraits.add(image, path.stem, photos=photos)
        except MienError as error:
            # A folder may hold other images too; the portrait that was asked for by name must work.
            if options.avatar and index == 0:
                raise
            log("portrait left out", reason=str(error))
    if not hub.portraits.seen_by(None):
        raise NoFaceError(f"{options.avatars} holds no image with a face that can be animated.")


def _portrait(path: Path, options: Options, engine: LocalEngine) -> tuple[Image, tuple[Photo, ...]]:
    """The portrait at ``path``, and the photos that help it: its own, or those of ``--photos``."""
    if is_enrolled(path):
        enrolled = load_enrolled(path)
        return enrolled.portrait, enrolled.photos
    image = load_image(path, opacity=True)
    if options.photos is None or path != options.avatar:
        return image, ()
    found = engine.gathered(fit_within(image, SIDE), options.photos)
    for note in found.notes:
        log("photos", note=note.removeprefix("photos: "))
    return image, found.photos


async def _drive(options: Options, stream: AvatarStream) -> None:
    """A camera of this machine (or a network stream) drives the main avatar."""
    loop = asyncio.get_running_loop()
    source = await loop.run_in_executor(None, _open, options)
    ended: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not ended.done():
            ended.set_exception(error or SourceError("The source that drives the avatar has ended."))

    def pump() -> None:
        error: BaseException | None = None
        try:
            for frame in source:
                stream.session.put(_giving(frame))
        except Exception as found:
            # Any failure must be reported, or the server would go on with a frozen avatar.
            error = found
        with suppress(RuntimeError):  # the loop has ended first
            loop.call_soon_threadsafe(settle, error)

    thread = threading.Thread(target=pump, name="drive", daemon=True)
    thread.start()
    try:
        await ended
    finally:
        source.close()
        await loop.run_in_executor(None, thread.join, 2.0)


def _giving(frame: Frame) -> Callable[[], Frame]:
    return lambda: frame


def _open(options: Options) -> Source:
    width, height = options.camera_size or (640, 480)
    return open_source(options.driving or "0", width=width, height=height, fps=options.fps)
