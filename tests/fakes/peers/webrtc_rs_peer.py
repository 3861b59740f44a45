"""webrtc-rs, the WebRTC stack of Rust programs, by way of ``tatolab-webrtc`` from PyPI.

``webrtc_rs_peer.py relay WHEP_URL WHIP_URL`` plays H.264 from one server and publishes it to the other.
The package's own nodes want a runtime that is not on PyPI alone; its native sessions stand by themselves.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from typing import Any


def native() -> Any:
    """The package's extension module, without the package around it."""
    for folder in sys.path:
        for path in Path(folder).glob("tatolab/webrtc/_native*.so"):
            spec = importlib.util.spec_from_file_location("_native", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise ImportError("tatolab-webrtc")


def relay(whep: str, whip: str) -> None:
    """Play from one server, publish to the other."""
    library = native()
    to, source = library.WhipSession(whip), library.WhepSession(whep)
    to.connect(video=True, audio=False)
    source.connect()
    count = 0
    while True:
        media = source.next_media(1000)
        if not isinstance(media, library.PlayedVideoAccessUnit):
            continue
        to.write_video_media_frame(media.media_frame, media.timestamp_ns)
        count += 1
        if count % 10 == 0:
            print("access units", count, media.codec, media.coded_width, flush=True)


if __name__ == "__main__":
    relay(*sys.argv[2:])
