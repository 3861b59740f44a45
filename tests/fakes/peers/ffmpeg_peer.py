"""FFmpeg's WHIP muxer by way of PyAV: ``python ffmpeg_peer.py URL [CERT KEY]``; prints what goes wrong."""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import av
import numpy as np


def main(url: str, *pair: str) -> None:
    options = dict(zip(("cert_file", "key_file"), pair, strict=False))
    with av.open(url, "w", format="whip", options=options) as out:
        stream = out.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = Fraction(1, 30)
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0", "g": "30"}
        stream.profile = "High"
        for index in range(600):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), index % 200, np.uint8), format="rgb24")
            frame.pts = index
            out.mux(stream.encode(frame))
            print("frames", index + 1, flush=True)
            time.sleep(1 / 30)


if __name__ == "__main__":
    print("FFmpeg", av.library_versions["libavformat"], flush=True)
    main(*sys.argv[1:])
