"""Bounds on what strangers may send, and on the work that it may cause."""

from __future__ import annotations

from mien.streams.webrtc.isolation import Bounds

SDP_BYTES = 64 * 1024

PORTRAIT_BYTES = 10 * 1024 * 1024
PORTRAIT_PIXELS = 40_000_000
PORTRAIT_SIDE = 20_000
"""Longest side, pixels."""

PORTRAIT_SCANS = 64
"""Scans of a progressive JPEG; encoders make about 10, and each costs a pass over the whole image."""

PORTRAIT_SEGMENTS = 2000
"""Marker segments of a JPEG, chunks of a PNG.

A photo with maps, thumbnails and profiles has some 50; a PNG of 10 MB in chunks of 8 KB has 1,300."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""Pillow's names of the formats that are taken as portraits."""

DECODE = Bounds(cpu_s=3, deadline_s=15.0, memory_mb=384)
"""For decoding a portrait; 0.4 s and 60 MB go for the process itself."""

RECORDING_BYTES = 256 * 1024 * 1024
"""What the page has signed in one piece: eight minutes at its 4 Mb/s."""

SIGN = Bounds(cpu_s=30, deadline_s=60.0, memory_mb=2048)
"""For signing a recording of :data:`RECORDING_BYTES`."""
