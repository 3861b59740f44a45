"""Options of the web server (``--webrtc``)."""

from __future__ import annotations

import argparse
from collections.abc import MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mien.engine.types import UsageError
from mien.engine.utils.command_line import whole_number


@dataclass(frozen=True)
class WebOptions:
    """Options of the server; each field is the option of that name."""

    webrtc: bool
    host: str
    port: int
    token: str | None
    cert: Path | None
    key: Path | None
    max_sessions: int
    mark: bool
    log_json: bool
    publish: str | None
    publish_token: str | None
    whep_source: str | None
    ice_servers: tuple[str, ...]

    @property
    def wanted(self) -> bool:
        """Whether the server is to run."""
        return self.webrtc or self.publish is not None or self.whep_source is not None


def take_web(found: MutableMapping[str, Any]) -> WebOptions:
    """The server's options, taken out of what argparse found.

    Raises:
        MienError: one of them without the server.
    """
    taken = {field.name: found.pop(field.name) for field in fields(WebOptions)}
    taken["ice_servers"] = tuple(taken["ice_servers"] or ())
    # --no-mark is for the files of every kind of run, too.
    given = [name for name, value in taken.items() if value != DEFAULTS.get(name) and name != "mark"]
    taken["host"] = taken["host"] or "127.0.0.1"
    taken["port"] = 8080 if taken["port"] is None else taken["port"]
    taken["max_sessions"] = taken["max_sessions"] or 4
    options = WebOptions(**taken)
    if given and not options.wanted:
        name = given[0].replace("_", "-").replace("ice-servers", "ice-server")
        raise UsageError(f"--{name} is for the web server. Add --webrtc.")
    return options


DEFAULTS: dict[str, Any] = {
    **{field.name: None for field in fields(WebOptions)},
    "webrtc": False,
    "mark": True,
    "log_json": False,
    "ice_servers": (),
}


def add_web(group: argparse._ArgumentGroup) -> None:
    """Declare the options."""
    group.add_argument(
        "--webrtc", action="store_true", help="serve a page with your avatar, WHIP and WHEP (extra: webrtc)"
    )
    group.add_argument(
        "--host", metavar="ADDRESS", help="address to listen on (127.0.0.1: this machine only)"
    )
    group.add_argument("--port", metavar="N", type=_port, help="port to listen on (8080; 0: a free one)")
    group.add_argument(
        "--token", metavar="T", help="access token for clients; generated if --host is not this machine"
    )
    group.add_argument("--cert", metavar="PEM", type=Path, help="certificate for HTTPS; needs --key")
    group.add_argument("--key", metavar="PEM", type=Path, help="private key of --cert")
    group.add_argument(
        "--max-sessions", metavar="N", type=_sessions, help="maximum number of simultaneous drivers (4)"
    )
    group.add_argument(
        "--no-mark",
        dest="mark",
        action="store_false",
        help="no 'synthetic' mark on the images sent, no content credentials in files",
    )
    group.add_argument("--log-json", action="store_true", help="log as JSON lines")
    group.add_argument("--publish", metavar="URL", help="send the avatar to this WHIP endpoint (an SFU)")
    group.add_argument("--publish-token", metavar="T", help="Bearer token for --publish (else --token)")
    group.add_argument(
        "--whep-source", metavar="URL", help="let the stream of this WHEP endpoint drive the avatar"
    )
    group.add_argument(
        "--ice-server",
        dest="ice_servers",
        metavar="URL",
        action="append",
        help="stun:HOST:PORT or turn:HOST:PORT,USER,PASSWORD; none is used unless given",
    )


def _port(text: str) -> int:
    return whole_number(text, "port", 0, 65535)


def _sessions(text: str) -> int:
    return whole_number(text, "number of sessions", 1, 256)
