"""The process in which a stranger's bytes are decoded or signed (:mod:`mien.streams.webrtc.isolation`).

It writes one byte when it is ready, reads a line of JSON and the bytes, and answers in the same form.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.engine.types import MienError, SourceError
from mien.streams.images import decode_image, fit_within
from mien.streams.webrtc.limits import (
    FORMATS,
    PORTRAIT_PIXELS,
    PORTRAIT_SCANS,
    PORTRAIT_SEGMENTS,
    PORTRAIT_SIDE,
)

MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""A JPEG marker: not a stuffed 0xFF00, not one of the restarts within a scan (ISO/IEC 10918-1, B.1.1.3)."""

START_OF_SCAN, END_OF_IMAGE, START_OF_IMAGE = 0xDA, 0xD9, 0xD8

PADDING = 4096
"""Bytes between two segments of a JPEG, or after the last one; Pillow steps over them one by one."""


def main() -> None:
    """Answer one request on the standard streams."""
    from PIL import Image as _  # noqa: F401  loaded before the clock starts

    out = sys.stdout.buffer
    out.write(b".")
    out.flush()
    header = json.loads(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read()
    _bound(header["memory_mb"], header["cpu_s"])
    try:
        fields, result = JOBS[header["job"]](data, header)
    except MienError as error:
        fields, result = {"error": str(error)}, b""
    except MemoryError:
        fields, result = {"error": "It takes too much memory."}, b""
    out.write(json.dumps(fields).encode() + b"\n" + result)
    out.flush()


def _bound(memory_mb: int, cpu_s: int) -> None:
    """Bound processor time and address space, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # Also because nobody else would end this process when the server itself has been killed.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    with contextlib.suppress(OSError):  # no /proc: macOS, which does not enforce it either
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        most = pages * resource.getpagesize() + (memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def decode(data: bytes, header: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """A portrait's pixels, at most ``side`` on its longer side."""
    side = header["side"]
    if data.startswith(b"\xff\xd8"):
        check_jpeg(data, header["name"])
    elif data.startswith(b"\x89PNG"):
        check_png(data, header["name"])

    def limit(picture: Any) -> Any:
        return _reduced(picture, side, header["name"])

    image = decode_image(
        header["name"], data, max_pixels=PORTRAIT_PIXELS, formats=FORMATS, limit=limit, opacity=True
    )
    image = fit_within(image, side)
    return {"shape": image.shape}, image.tobytes()


def check_jpeg(data: bytes, name: str) -> None:
    """Refuse a JPEG whose decoding would cost far more than its size says.

    Raises:
        SourceError: too many scans or segments, or padding instead of them.
    """
    scans = segments = 0
    place, in_scan = 2, False
    while (found := MARKER.search(data, place)) is not None:
        _check_padding(found.start() - place, in_scan, name)
        code = found[1][0]
        place, in_scan = found.end(), code == START_OF_SCAN
        if code == END_OF_IMAGE:
            return
        segments += 1
        scans += in_scan
        if scans > PORTRAIT_SCANS or segments > PORTRAIT_SEGMENTS:
            raise SourceError(
                f"{name} has more than {PORTRAIT_SCANS} scans or {PORTRAIT_SEGMENTS} segments. "
                "Export it as an ordinary JPEG."
            )
        if code not in (START_OF_IMAGE, 0x01):
            place += int.from_bytes(data[place : place + 2], "big")
    _check_padding(len(data) - place, in_scan, name)


def _check_padding(size: int, in_scan: bool, name: str) -> None:
    if size > PADDING and not in_scan:
        raise SourceError(f"{name} is damaged: it has padding instead of an image. Export it again.")


def check_png(data: bytes, name: str) -> None:
    """Refuse a PNG of thousands of chunks, each of which Pillow looks at.

    Raises:
        SourceError: too many.
    """
    place = 8
    for _ in range(PORTRAIT_SEGMENTS):
        if place + 12 > len(data) or data[place + 4 : place + 8] == b"IEND":
            return
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    raise SourceError(f"{name} has more than {PORTRAIT_SEGMENTS} chunks. Export it again.")


def _reduced(picture: Any, side: int, name: str) -> Any:
    """Pillow's image, decoded; one that is more than twice too large is reduced before anything else."""
    width, height = picture.size
    if max(width, height) > PORTRAIT_SIDE:
        raise SourceError(
            f"{name} is {width} x {height} pixels, over the limit of {PORTRAIT_SIDE} on a side. "
            "Scale it down."
        )
    factor = max(width, height) // side
    if factor < 2:
        return picture
    # A JPEG need not even be decoded at its full size.
    picture.draft(None, (max(1, width // factor), max(1, height // factor)))
    picture.load()
    factor = max(picture.size) // side
    if factor < 2:
        return picture
    if picture.mode in ("1", "P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    try:
        return picture.reduce(factor)
    except ValueError:  # a mode that Pillow does not average: 16 bits
        return picture.resize(tuple(max(1, size // factor) for size in picture.size), 0)


def sign(data: bytes, header: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The same file with content credentials in it."""
    from mien.streams.provenance.credentials import signed

    return {}, signed(data, header["kind"])


JOBS = {"decode": decode, "sign": sign}
