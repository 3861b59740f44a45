"""Palettes of 256 colours, one for each frame of a GIF."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from mien.engine.types import Image
from mien.streams.video.ffmpeg import av


class Palette:
    """Gives every frame its own 256 colours (FFmpeg's palettegen and paletteuse filters)."""

    def __init__(self, size: tuple[int, int], tick: Fraction) -> None:
        # The contexts hold no reference to their graph: without this attribute FFmpeg frees it under them.
        self._graph = graph = av.filter.Graph()
        self._tick = tick
        self._count = 0
        self._source = graph.add_buffer(
            width=size[0], height=size[1], format=av.VideoFormat("rgb24"), time_base=tick
        )
        split, self._sink = graph.add("split"), graph.add("buffersink")
        palette, apply = graph.add("palettegen", "stats_mode=single"), graph.add("paletteuse", "new=1")
        self._source.link_to(split)
        split.link_to(apply, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(apply, 0, 1)
        apply.link_to(self._sink)
        graph.configure()

    def convert(self, image: Image) -> Any:
        """A ``pal8`` PyAV frame of ``(H, W, 3) uint8`` RGB."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = self._count, self._tick
        self._count += 1
        self._source.push(frame)
        return self._sink.pull()
