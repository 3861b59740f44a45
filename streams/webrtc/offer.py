"""SDP offers and ICE fragments from strangers: parsed, bounded and judged before aiortc acts on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceCandidate
from aiortc.sdp import SessionDescription, candidate_from_sdp

from mien.streams.webrtc.addresses import is_address, usable
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.sections import (
    SOUND_CODECS,
    Changes,
    Description,
    Section,
    fit_h264,
    inactive_instead_of_off,
    tidy,
)

MAX_MEDIA = 4
MAX_CANDIDATES = 64
MAX_LINES = 1000
"""Browsers send some 200; aiortc's parser takes time by their square."""

VIDEO_CODECS = ("vp8", "h264")
UFRAG = re.compile(r"^a=ice-ufrag:(\S{4,256})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Offer:
    """An offer that can be answered.

    Attributes:
        sdp: its text as aiortc takes it, with the candidates that may be contacted.
        changes: what differs from the client's text, for :meth:`Changes.answer`.
        ufrag: the client's ICE user fragment.
        sends_video: whether the client will send images.
        takes_video, takes_audio: what it wants.
        data: whether it opens a data channel.
    """

    sdp: str
    changes: Changes
    ufrag: str
    sends_video: bool
    takes_video: bool
    takes_audio: bool
    data: bool


def read_offer(text: str, *, local_only: bool) -> Offer:
    """Parse and judge an offer.

    Args:
        text: the body of the POST.
        local_only: keep only candidates on this machine, because nothing else can be meant: a stranger's
            offer must not make us send packets, or look up names, anywhere else.

    Raises:
        Problem: 400 malformed, 406 well-formed but nothing that can be answered (no video, no common
            codec, several videos).
    """
    _check_bounds(text)
    description = Description.parse(text)
    for section in description.sections:
        tidy(section)
    refused = {i: s.refused() for i, s in enumerate(description.sections) if _is_refused(s)}
    description = description.without(set(refused))
    parsed = _parse(description.text())
    video = [media for media in parsed.media if media.kind == "video"]
    audio = [media for media in parsed.media if media.kind == "audio"]
    _check_sections(parsed.media, video, audio)
    found = UFRAG.search(text)
    if found is None:
        raise Problem(400, "The offer lacks ICE credentials or a DTLS fingerprint.")
    ways = video[0].direction or "sendrecv"
    sound = (audio[0].direction or "sendrecv") if audio else "inactive"
    formats = _choose_codecs(description, only_received=ways == "sendonly")
    return Offer(
        sdp=_with_candidates(description.text(), local_only),
        changes=Changes(refused, formats),
        ufrag=found[1],
        sends_video=ways in ("sendrecv", "sendonly"),
        takes_video=ways in ("sendrecv", "recvonly"),
        takes_audio=sound in ("sendrecv", "recvonly"),
        data=any(media.kind == "application" for media in parsed.media),
    )


def read_answer(text: str, offer: str, *, local_only: bool) -> str:
    """Another server's answer to our ``offer``, with the candidates that may be contacted.

    Raises:
        ValueError: it has too many lines or candidates, or takes nothing of the offer.
    """
    if len(text.splitlines()) > MAX_LINES or text.count("a=candidate:") > MAX_CANDIDATES:
        raise ValueError("too many lines or candidates")
    return _with_candidates(inactive_instead_of_off(text, offer), local_only)


def _is_refused(section: Section) -> bool:
    """Switched off by the client, or sound in no codec of ours: the answer says so, the rest goes on."""
    return section.off or (section.kind == "audio" and not SOUND_CODECS & _names(section))


def _names(section: Section) -> set[str]:
    # Payload types below 96 need no name (RFC 3551).
    static = {"0": "pcmu", "8": "pcma", "9": "g722"}
    return {*section.codecs().values(), *(static[p] for p in section.formats if p in static)}


def _check_sections(sections: list[Any], video: list[Any], audio: list[Any]) -> None:
    if not video:
        raise Problem(406, "The offer has no video section: Mien takes a camera and gives an avatar.")
    if len(video) > 1 or len(audio) > 1 or len(sections) > MAX_MEDIA:
        raise Problem(406, "The offer has several sections of one kind: one video and one audio at most.")
    if not all(_has_credentials(media) for media in sections):
        raise Problem(400, "The offer lacks ICE credentials or a DTLS fingerprint.")
    if not all(media.rtcp_mux for media in (*video, *audio)):
        raise Problem(
            406, "The offer keeps RTCP apart from RTP; WebRTC needs a=rtcp-mux in audio and video sections."
        )


def _choose_codecs(description: Description, *, only_received: bool) -> dict[str, str | None]:
    section = next(section for section in description.sections if section.kind == "video")
    formats, unusable = fit_h264(section, only_received=only_received)
    if set(VIDEO_CODECS) & set(section.codecs().values()):
        return formats
    wanted = "VP8 or H.264 constrained baseline with packetization-mode 1"
    if unusable:
        raise Problem(406, f"The avatar is not sent as {', '.join(sorted(set(unusable)))}; offer {wanted}.")
    raise Problem(406, f"None of the offer's video codecs can be used; offer {wanted}.")


def _has_credentials(media: Any) -> bool:
    known = media.ice.usernameFragment and media.ice.password
    return bool(known and media.dtls is not None and media.dtls.fingerprints)


def _check_bounds(text: str) -> None:
    if not text.startswith("v=0"):
        raise Problem(400, "The body is not SDP: it must begin with v=0.")
    if len(text.splitlines()) > MAX_LINES:
        raise Problem(400, f"The SDP has more than {MAX_LINES} lines.")
    if text.count("a=candidate:") > MAX_CANDIDATES:
        raise Problem(400, f"The offer has more than {MAX_CANDIDATES} ICE candidates.")
    if len(re.findall(r"^m=", text, re.MULTILINE)) > 2 * MAX_MEDIA:
        raise Problem(406, f"The offer has more than {MAX_MEDIA} media sections.")


def _parse(text: str) -> Any:
    try:
        parsed = SessionDescription.parse(text)
    except (
        Exception
    ) as error:  # aiortc's parser lets many kinds through: ValueError, KeyError, AssertionError
        raise Problem(400, "The SDP is malformed.") from error
    for media in parsed.media:
        if media.kind not in ("audio", "video", "application") or media.rtp.muxId in ("", None):
            raise Problem(400, "Every media section needs a kind that WebRTC knows and an a=mid line.")
    mids = {media.rtp.muxId for media in parsed.media}
    if len(mids) != len(parsed.media):
        raise Problem(400, "Two media sections have the same a=mid.")
    bundles = [group for group in parsed.group if group.semantic == "BUNDLE"]
    if len(bundles) > 1 or not all(mids >= set(group.items) for group in bundles):
        raise Problem(400, "The a=group:BUNDLE line names other media sections than there are.")
    return parsed


def _with_candidates(text: str, local_only: bool) -> str:
    kept = [_without_host_name(line) for line in text.splitlines() if _may_stay(line, local_only)]
    return "\r\n".join(kept) + "\r\n"


def _without_host_name(line: str) -> str:
    """A connection line as it is, or with no address where it has a name: aiortc cannot write those again."""
    host = line.split()[-1] if line.startswith("c=IN ") else ""
    return "c=IN IP4 0.0.0.0" if host and not is_address(host.partition("/")[0]) else line


def _may_stay(line: str, local_only: bool) -> bool:
    # Never "no more candidates": the client may reach us from an address that it did not name.
    if line.startswith("a=end-of-candidates"):
        return False
    # RTCP comes with RTP (a=rtcp-mux). Firefox names its host here, by its mDNS name.
    if line.startswith("a=rtcp:"):
        return False
    if not line.startswith("a=candidate:"):
        return True
    try:
        candidate = candidate_from_sdp(line.partition(":")[2])
    except (ValueError, AssertionError, IndexError):
        return False
    return usable(candidate, local_only)


@dataclass(frozen=True)
class Fragment:
    """A trickled ICE fragment (RFC 8840).

    Attributes:
        ufrag: the client's user fragment, None when it gave none.
        candidates: those that may be contacted, with their media section.
    """

    ufrag: str | None
    candidates: tuple[RTCIceCandidate, ...]


def read_fragment(text: str, *, local_only: bool) -> Fragment:
    """Parse a PATCH body of type ``application/trickle-ice-sdpfrag``.

    Raises:
        Problem: 400 malformed.
    """
    mid: str | None = None
    ufrag: str | None = None
    complete = False
    found: list[RTCIceCandidate] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "a=ice-ufrag":
            ufrag = value.strip()
        elif name == "a=mid":
            mid = value.strip()
        elif name == "a=end-of-candidates":
            complete = True
        elif name == "a=candidate":
            candidate = _candidate(value)
            candidate.sdpMid = mid
            found.append(candidate)
        elif line.strip() and not re.match(r"[am]=", line.strip()):
            raise Problem(400, "The body is not an ICE fragment: lines must begin with a= or m=.")
    if ufrag is None and not found and not complete:
        raise Problem(400, "The ICE fragment is empty.")
    if len(found) > MAX_CANDIDATES:
        raise Problem(400, f"The fragment has more than {MAX_CANDIDATES} ICE candidates.")
    if any(candidate.sdpMid is None for candidate in found):
        raise Problem(400, "A candidate in the fragment belongs to no media section (a=mid is missing).")
    return Fragment(ufrag, tuple(c for c in found if usable(c, local_only)))


def _candidate(value: str) -> RTCIceCandidate:
    try:
        return candidate_from_sdp(value)
    except (ValueError, AssertionError, IndexError) as error:
        raise Problem(400, "A candidate in the ICE fragment is malformed.") from error
