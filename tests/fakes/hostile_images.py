"""Images that cost a decoder far more time or memory than their bytes say, made when they are asked for."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image as Pil

MB = 2**20
ROOM = 10 * MB - 4096
"""Just below the bytes that the server takes."""

Make = Callable[[], bytes]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2, interlace: int = 0
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IEND", b"")


def zeros(size: int) -> bytes:
    """A deflate stream of so many zeros, without having them in memory."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(MB, size - start))) for start in range(0, size, MB)]
    return b"".join([*parts, packer.flush()])


def full_png(width: int, height: int, bytes_per_pixel: int = 3, **head: int) -> bytes:
    """A PNG that is as large as it says, all black."""
    rows = height * (1 + width * bytes_per_pixel)
    return png(width, height, chunk(b"IDAT", zeros(rows)), **head)


def jpeg(width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    Pil.new("RGB", (width, height)).save(out, "JPEG", **options)
    return out.getvalue()


def segments(data: bytes) -> tuple[bytes, bytes, bytes]:
    """A progressive JPEG up to its last scan, that scan, and its end."""
    start = data.rindex(b"\xff\xda")
    return data[:start], data[start:-2], data[-2:]


def repeated_scan(side: int, size: int) -> bytes:
    """A progressive JPEG whose last scan is there until the file is ``size`` bytes long."""
    head, scan, end = segments(jpeg(side, side, progressive=True))
    return head + scan * max(1, (size - len(head)) // len(scan)) + end


def marked(kind: int, body: bytes, times: int) -> bytes:
    """A JPEG with one segment many times."""
    data = jpeg(64, 64)
    segment = bytes([0xFF, kind]) + struct.pack(">H", len(body) + 2) + body
    return data[:2] + segment * times + data[2:]


def sized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header says another size than its data has."""
    for start in (b"\xff\xc0", b"\xff\xc2"):
        place = data.find(start)
        if place > 0:
            return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]
    raise ValueError("no frame header")


def gif(
    width: int,
    height: int,
    frame: tuple[int, int] = (1, 1),
    frames: int = 1,
    body: bytes = b"\x02\x4c\x01\x00",
) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02" + body
    return head + one * frames + b";"


def webp(width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    Pil.new("RGB", (width, height)).save(out, "WEBP", **options)
    return out.getvalue()


def webp_sized(width: int, height: int) -> bytes:
    """A lossy WebP whose frame header says another size."""
    data = bytearray(webp(16, 16, quality=50))
    place = data.index(b"\x9d\x01\x2a") + 3
    data[place : place + 4] = struct.pack("<HH", width, height)
    return bytes(data)


def animated_webp(side: int, frames: int) -> bytes:
    out = io.BytesIO()
    rng = np.random.default_rng(1)
    images = [Pil.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)) for _ in range(frames)]
    images[0].save(out, "WEBP", save_all=True, append_images=images[1:], quality=1)
    return out.getvalue()


def looping_exif() -> bytes:
    """An orientation tag in a directory that is its own next one, and its own EXIF and GPS part."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<HHII", 0x8825, 4, 1, 8)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entry + struct.pack("<I", 8)
    return marked(0xE1, b"Exif\0\0" + tiff, 1)


def counted_exif() -> bytes:
    """A directory that claims 65,535 entries of 4 GB each."""
    entry = struct.pack("<HHII", 0x0112, 2, 0xFFFFFFFF, 8)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0xFFFF) + entry * 5000
    return marked(0xE1, b"Exif\0\0" + tiff, 1)


def profile(size: int) -> bytes:
    """A PNG whose colour profile unpacks to ``size`` bytes."""
    body = b"x\0\0" + zeros(size)
    return png(64, 64, chunk(b"iCCP", body), chunk(b"IDAT", zeros(64 * 193)))


def texts(kind: bytes, head: bytes, size: int, times: int) -> bytes:
    body = chunk(kind, head + zeros(size))
    return png(64, 64, body * times, chunk(b"IDAT", zeros(64 * 193)))


def _few_scans(side: int, scans: int) -> bytes:
    head, scan, end = segments(jpeg(side, side, progressive=True))
    return (head + scan * (scans - head.count(b"\xff\xda")))[:-2] + end[:0]


def _tables(times: int) -> bytes:
    data = jpeg(64, 64)
    start = data.index(b"\xff\xc4")
    size = struct.unpack(">H", data[start + 2 : start + 4])[0]
    table = data[start : start + 2 + size]
    return data[:start] + table * min(times, (ROOM - len(data)) // len(table)) + data[start:]


def _cut(data: bytes) -> bytes:
    return data[: int(0.97 * len(data))]


def _lying() -> bytes:
    return sized(jpeg(64, 64, progressive=True), 6_300, 6_300)


def _metadata() -> bytes:
    return marked(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000), 150)


def _restarts() -> bytes:
    return jpeg(64, 64)[:-2] + b"\xff\xd0" * (ROOM // 2) + b"\xff\xd9"


def _behind(size: int) -> bytes:
    return png(64, 64, chunk(b"IDAT", zeros(size)))[:-40]


def _extensions() -> bytes:
    return gif(60, 60)[:19] + (b"!\xfe\xff" + bytes(255) + b"\0") * (ROOM // 259)


HOSTILE: dict[str, Make] = {
    "JPEG, progressive, last scan repeated, 323 KB": lambda: repeated_scan(2400, 323_000),
    "JPEG, progressive, last scan repeated, 1.5 MB": lambda: repeated_scan(3000, 1_500_000),
    "JPEG, progressive, last scan repeated, 10 MB": lambda: repeated_scan(6000, ROOM),
    "JPEG, progressive, 60 scans of 36 megapixels": lambda: _few_scans(6000, 60),
    "JPEG, 65,500 x 610": lambda: jpeg(65_500, 610),
    "JPEG, says 65,535 x 65,535": lambda: sized(jpeg(64, 64), 65_535, 65_535),
    "JPEG, says 6,300 x 6,300, has 64 x 64, progressive": lambda: sized(
        jpeg(64, 64, progressive=True), 6_300, 6_300
    ),
    "JPEG, 2,500,000 empty comments": lambda: marked(0xFE, b"", ROOM // 4),
    "JPEG, 150 full metadata segments": lambda: marked(
        0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bytes(65_000), 150
    ),
    "JPEG, 10 MB of restart markers": _restarts,
    "JPEG, 10 MB of 0xFF": lambda: jpeg(64, 64)[:2] + b"\xff" * ROOM,
    "JPEG, Huffman tables redefined 20,000 times": lambda: _tables(20_000),
    "JPEG, EXIF directory within itself": lambda: looping_exif()[:400],
    "JPEG, EXIF of 65,535 entries of 4 GB": lambda: counted_exif()[:-300],
    "PNG, 1 x 39,999,999": lambda: full_png(1, 39_999_999),
    "PNG, 39,999,999 x 1": lambda: full_png(39_999_999, 1),
    "PNG, 20,001 x 1,999": lambda: full_png(20_001, 1_999),
    "PNG, 20,000 x 20,000": lambda: png(20_000, 20_000, chunk(b"IDAT", zeros(MB))),
    "PNG, says 2^31 - 1 on a side": lambda: png(2**31 - 1, 2**31 - 1, chunk(b"IDAT", zeros(100))),
    "PNG, 39 megapixels, 16 bits, cut off": lambda: _cut(full_png(6_300, 6_300, 8, depth=16, colour=6)),
    "PNG, 39 megapixels, interlaced, cut off": lambda: _cut(full_png(6_300, 6_300, 4, colour=6, interlace=1)),
    "PNG, 870,000 empty chunks": lambda: png(64, 64, chunk(b"tEXt", b"") * (ROOM // 12)),
    "PNG, 2,000 texts of 1 MB": lambda: texts(b"zTXt", b"k\0\0", MB - 1, 2_000)[:-40],
    "PNG, text of 500 MB": lambda: texts(b"iTXt", b"k\0\1\0\0\0", 500 * MB, 1)[:-40],
    "PNG, colour profile of 500 MB": lambda: profile(500 * MB)[:-40],
    "PNG, 1 GB behind a small image": lambda: png(
        64, 64, chunk(b"IDAT", b"\x78\x01" + zeros(1_000 * MB)[2:])
    )[:-40],
    "GIF, 65,535 x 65,535": lambda: gif(65_535, 65_535),
    "GIF, frame beyond its 10 x 10 screen": lambda: gif(10, 10, (65_535, 65_535)),
    "GIF, 500,000 frames, none whole": lambda: gif(60, 60, (60, 60), 500_000, b"\x00"),
    "GIF, 10 MB of extensions": lambda: (
        gif(60, 60)[:19] + (b"!\xfe\xff" + bytes(255) + b"\0") * (ROOM // 259)
    ),
    "WebP, says 16,383 x 16,383": lambda: webp_sized(16_383, 16_383),
    "WebP, says 6,300 x 6,300, has 16 x 16": lambda: webp_sized(6_300, 6_300),
    "WebP, lossless, 16,383 x 2,441, cut off": lambda: _cut(webp(16_383, 2_441, lossless=True)),
}
"""Every one must be refused: none shows a face, and some show nothing at all."""
