"""Settings of the server, fixed when it starts."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from mien.engine.types import UsageError


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server that the user named: ``stun:host:3478``, ``turn:host:3478``."""

    url: str
    username: str | None = None
    credential: str | None = None

    @staticmethod
    def parse(text: str) -> IceServer:
        """From ``URL`` or ``URL,USER,PASSWORD``.

        Raises:
            UsageError: something else.
        """
        parts = text.split(",")
        known = re.match(r"(stun|turns?):[!-~]+$", parts[0]) and not re.search(r"[<>\"]", parts[0])
        if len(parts) not in (1, 3) or not known or not all(part.isprintable() for part in parts):
            raise UsageError(
                f"{text!r} is not a valid ICE server. Write stun:HOST:PORT or turn:HOST:PORT,USER,PASSWORD."
            )
        return IceServer(*parts)

    def link(self) -> str:
        """The ``Link`` header's value (RFC 9725, section 4.6)."""
        value = f'<{self.url}>; rel="ice-server"'
        if self.username is not None:
            value += f"; username={_quoted(self.username)}; credential={_quoted(self.credential or '')}"
            value += '; credential-type="password"'
        return value

    def described(self) -> dict[str, str]:
        """As browsers want it (``RTCIceServer``)."""
        named = {"urls": self.url, "username": self.username, "credential": self.credential}
        return {name: value for name, value in named.items() if value is not None}


def _quoted(text: str) -> str:
    """A quoted string of a header (RFC 9110, section 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class ServerSettings:
    """How the server listens and what it allows.

    Attributes:
        host, port: where it listens; port 0 takes a free one.
        token: what every request must carry (Bearer, or the page's cookie); None on loopback only.
        cert, key: PEM files for HTTPS.
        max_sessions: drivers at the same time (page visitors, WHIP, ``--whep-source``).
        max_viewers: WHEP players at the same time.
        background: what is behind the avatars at first, as the page names it; None: it has no name.
        panel: whether the page shows and controls the main avatar, which a camera of this machine drives.
        mark: whether every sent frame carries the word "synthetic".
        rate, burst: requests per second, and at once, from one address.
        silence_s: seconds without a packet after which a peer counts as gone.
        ice_servers: told to clients and used by us; none unless the user names them.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = None
    cert: Path | None = None
    key: Path | None = None
    max_sessions: int = 4
    max_viewers: int = 32
    background: str | None = "keep"
    panel: bool = False
    mark: bool = True
    rate: float = 50.0
    burst: int = 300
    silence_s: float = 5.0
    ice_servers: tuple[IceServer, ...] = ()

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.host)

    @property
    def secure(self) -> bool:
        """Whether it speaks HTTPS."""
        return self.cert is not None

    def checked(self) -> ServerSettings:
        """The settings, with a token made where one is required.

        Raises:
            UsageError: a certificate without its key, or files that are not there.
        """
        if (self.cert is None) != (self.key is None):
            raise UsageError("--cert and --key belong together: give both PEM files, or neither.")
        for path in (self.cert, self.key):
            if path is not None and not path.is_file():
                raise UsageError(
                    f"{path} does not exist. Give the PEM file of the certificate and of its key."
                )
        # In ASCII all that prints, but the space: what a header and a cookie carry.
        if self.token is not None and not re.fullmatch(r"[!-~]{8,}", self.token):
            raise UsageError("--token must have at least 8 characters, without spaces or accents.")
        if not self.loopback and self.token is None:
            return replace(self, token=secrets.token_urlsafe(24))
        return self


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine's loopback, by name or number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
