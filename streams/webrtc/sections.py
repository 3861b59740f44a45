"""Media sections of an SDP description as text: taken apart, left out, and put back into the answer.

aiortc knows no section that either side has switched off (port 0, RFC 3264 section 6), no H.264 but
(constrained) baseline, and no blank in the parameters of a format; so an offer is rewritten for it, and its
answer for the client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mien.streams.webrtc import h264

NOTHING_CODED = frozenset({"rtx", "red", "ulpfec", "flexfec-03", "telephone-event", "cn"})
SOUND_CODECS = frozenset({"opus", "pcmu", "pcma", "g722"})


@dataclass
class Section:
    """One ``m=`` line and what belongs to it."""

    lines: list[str]

    @property
    def kind(self) -> str:
        """``audio``, ``video``, ``application``, ..."""
        return self.lines[0][2:].partition(" ")[0]

    @property
    def formats(self) -> list[str]:
        """Payload types, in the order of preference."""
        return self.lines[0].split()[3:]

    @property
    def off(self) -> bool:
        """Whether it is switched off; a port of 0 may also say that it exists within a bundle alone."""
        bits = self.lines[0].split()
        return len(bits) > 1 and bits[1] == "0" and "a=bundle-only" not in self.lines

    def value(self, name: str) -> str | None:
        """The value of the attribute ``a=name:value``."""
        start = f"a={name}:"
        return next((line[len(start) :].strip() for line in self.lines if line.startswith(start)), None)

    def codecs(self) -> dict[str, str]:
        """Codec names in small letters by payload type, those without data of their own left out."""
        found = (re.match(r"a=rtpmap:(\d+)\s+([^/\s]+)", line) for line in self.lines)
        named = {match[1]: match[2].lower() for match in found if match}
        return {payload: name for payload, name in named.items() if name not in NOTHING_CODED}

    def fmtp(self, payload: str) -> str | None:
        """The parameters of a payload type."""
        start = f"a=fmtp:{payload} "
        return next((line[len(start) :].strip() for line in self.lines if line.startswith(start)), None)

    def set_fmtp(self, payload: str, text: str | None) -> None:
        """Replace the parameters of a payload type; None takes them away."""
        start = f"a=fmtp:{payload} "
        self.lines = [line for line in self.lines if not line.startswith(start)]
        if text is not None:
            after = next(i for i, line in enumerate(self.lines) if line.startswith(f"a=rtpmap:{payload} "))
            self.lines.insert(after + 1, start + text)

    def drop(self, payloads: set[str]) -> None:
        """Take payload types away, and the retransmissions that belong to them."""
        apt = {f"apt={payload}" for payload in payloads}
        payloads = payloads | {p for p in self.formats if (self.fmtp(p) or "").replace(" ", "") in apt}
        attribute = re.compile(rf"a=(rtpmap|fmtp|rtcp-fb):({'|'.join(map(re.escape, payloads))})\s")
        head = [*self.lines[0].split()[:3], *(p for p in self.formats if p not in payloads)]
        self.lines = [" ".join(head), *(line for line in self.lines[1:] if not attribute.match(line))]

    def refused(self) -> Section:
        """How the answer says that this section is not wanted."""
        bits = self.lines[0].split()
        mid = [line for line in self.lines if line.startswith("a=mid:")]
        return Section([" ".join([bits[0], "0", *bits[2:]]), "c=IN IP4 0.0.0.0", *mid, "a=inactive"])


@dataclass
class Description:
    """An SDP description: the session's lines and the media sections."""

    head: list[str]
    sections: list[Section]

    @staticmethod
    def parse(text: str) -> Description:
        """Take it apart; nothing is judged."""
        head: list[str] = []
        sections: list[Section] = []
        for line in text.splitlines():
            if line.startswith("m="):
                sections.append(Section([line.rstrip()]))
            else:
                (sections[-1].lines if sections else head).append(line.rstrip())
        return Description(head, sections)

    def text(self) -> str:
        """Put it together."""
        lines = [*self.head, *(line for section in self.sections for line in section.lines)]
        return "\r\n".join(lines) + "\r\n"

    def without(self, indices: set[int]) -> Description:
        """Without these sections, which leave their bundle, too."""
        gone = {self.sections[index].value("mid") for index in indices}
        kept = [section for index, section in enumerate(self.sections) if index not in indices]
        head = [_unbundled(line, gone) if line.startswith("a=group:") else line for line in self.head]
        return Description(head, kept)


def _unbundled(line: str, gone: set[str | None]) -> str:
    return " ".join(bit for bit in line.split(" ") if bit not in gone)


@dataclass(frozen=True)
class Changes:
    """What was changed in an offer, to be changed back in its answer.

    Attributes:
        refused: sections of the answer by their place.
        formats: by payload type the parameters (or none) that the client offered for H.264.
    """

    refused: dict[int, Section]
    formats: dict[str, str | None]

    def answer(self, text: str) -> str:
        """The answer as the client must see it."""
        found = Description.parse(text)
        for section in found.sections:
            for payload, fmtp in self.formats.items():
                if section.kind == "video" and payload in section.formats:
                    section.set_fmtp(payload, fmtp)
        for index in sorted(self.refused):
            found.sections.insert(index, self.refused[index])
        return found.text()


_TRANSPORT = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:")
_NOT_INACTIVE = (
    *_TRANSPORT,
    *("a=candidate:", "a=end-of-candidates", "a=msid:", "a=ssrc:"),
    *("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"),
)


def inactive_instead_of_off(answer: str, offer: str) -> str:
    """An answer whose switched-off sections are inactive ones of the bundle, which means the same to aiortc.

    A server that takes no sound answers with port 0 and, as Pion does, with nothing else in the section;
    aiortc wants the credentials of ICE and a common codec in every section.

    Raises:
        ValueError: all sections are switched off.
    """
    found, offered = Description.parse(answer), Description.parse(offer).sections
    live = next((section for section in found.sections if not section.off), None)
    if live is None:
        raise ValueError("all sections are switched off")
    for index, (section, own) in enumerate(zip(found.sections, offered, strict=False)):
        if not section.off:
            continue
        kept = [line for line in own.lines if not line.startswith(_NOT_INACTIVE)]
        transport = [line for line in live.lines if line.startswith(_TRANSPORT)]
        found.sections[index] = Section([*kept, "a=inactive", *transport])
        mid = own.value("mid")
        found.head = [
            f"{line} {mid}" if line.startswith("a=group:BUNDLE") and mid not in line.split() else line
            for line in found.head
        ]
    return found.text()


def tidy(section: Section) -> None:
    """Take the blanks out of the parameters of formats, which aiortc would take for a part of their names."""
    for index, line in enumerate(section.lines):
        if line.startswith("a=fmtp:"):
            head, _, rest = line.partition(" ")
            section.lines[index] = head + " " + re.sub(r"\s*;\s*", ";", rest.strip().strip(";"))


def fit_h264(section: Section, *, only_received: bool) -> tuple[dict[str, str | None], list[str]]:
    """Make the H.264 formats of a video section ones that aiortc takes.

    Args:
        only_received: whether nothing is sent to the client, so that all that can be decoded will do.

    Returns:
        The parameters that were replaced, by payload type, and the names of the formats that cannot be used.
    """
    replaced: dict[str, str | None] = {}
    unusable: list[str] = []
    drop: set[str] = set()
    for payload, name in section.codecs().items():
        if name != "h264":
            continue
        fmtp = section.fmtp(payload)
        try:
            found = h264.Format.parse(fmtp)
            usable = found.decodable if only_received else found.encodable
            text = str(found)
        except ValueError as error:
            usable, text = False, f"H.264 whose {error}"
        if usable:
            replaced[payload] = fmtp
            section.set_fmtp(payload, h264.OURS)
        else:
            unusable.append(text)
            drop.add(payload)
    if drop:
        section.drop(drop)
    return replaced, unusable
