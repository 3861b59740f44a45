"""H.264 formats in SDP: which profiles are decoded, and which ones the avatar can be sent as (RFC 6184)."""

from __future__ import annotations

import re
from dataclasses import dataclass

OURS = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
"""The format that aiortc knows and the encoder makes: constrained baseline, level 3.1, fragments allowed."""

PROFILES = {
    66: "Baseline",
    77: "Main",
    88: "Extended",
    100: "High",
    110: "High 10",
    122: "High 4:2:2",
    244: "High 4:4:4 Predictive",
    44: "CAVLC 4:4:4 Intra",
}
UNDECODABLE = {88}
"""Extended: FFmpeg's decoder has neither its data partitions nor its switching slices."""


@dataclass(frozen=True)
class Format:
    """One payload type's H.264.

    Attributes:
        profile: ``profile_idc``.
        constraints: the byte of constraint flags.
        fragments: packetization mode 1; mode 0, the default, allows one NAL unit a packet and nothing else.
    """

    profile: int
    constraints: int
    fragments: bool

    @staticmethod
    def parse(fmtp: str | None) -> Format:
        """From the parameters of an ``a=fmtp`` line; without any it is Baseline, mode 0.

        Raises:
            ValueError: malformed parameters.
        """
        found = dict(parameters(fmtp or ""))
        identifier = found.get("profile-level-id", "42000a")
        if not re.fullmatch(r"[0-9a-fA-F]{6}", identifier):
            raise ValueError(f"profile-level-id {identifier!r} is not 6 hexadecimal digits")
        return Format(
            int(identifier[:2], 16), int(identifier[2:4], 16), found.get("packetization-mode", "0") == "1"
        )

    @property
    def decodable(self) -> bool:
        """Whether the decoder reads it, in either mode."""
        return self.profile in PROFILES and self.profile not in UNDECODABLE

    @property
    def encodable(self) -> bool:
        """Whether the avatar can be sent as this: constrained baseline or baseline, in fragments."""
        constrained_main = self.profile == 77 and bool(self.constraints & 0x80)
        return self.fragments and (self.profile == 66 or constrained_main)

    def __str__(self) -> str:
        name = PROFILES.get(self.profile, f"profile {self.profile}")
        if self.profile == 66 and self.constraints & 0x40:
            name = "Constrained Baseline"
        return f"H.264 {name} with packetization-mode {int(self.fragments)}"


def parameters(fmtp: str) -> list[tuple[str, str]]:
    """The parameters of an ``a=fmtp`` line, blanks around them left out; a flag has an empty value."""
    pairs = [part.strip().partition("=") for part in fmtp.split(";")]
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs if name.strip()]
