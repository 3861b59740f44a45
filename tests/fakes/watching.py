"""When frames appear in a page, and how long a movement takes from the camera to the avatar.

The avatar's image has no pixel of the camera's, so a printed marker would not come through.  The marker is
a movement: the camera shows a face that jumps aside once a second (two stills in turn), and the avatar jumps
after it.  In one page, with one clock, the script notes when the camera delivered each frame
(``captureTime`` of the page's own view of it) and when each of the avatar's is due on the screen
(``expectedDisplayTime``), with a small copy of both.  What lies between is everything: the browser's encoder,
the network, tracking, rendering, the server's encoder, the browser's buffer and decoder, and the wait for the
screen.  Not in it: a real camera's exposure and a real screen's response.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.engine.types import Floats

SIDE = 24

WATCH = """async ([seconds, side]) => {
    const watch = (id, clock) => {
        const video = document.getElementById(id);
        const canvas = new OffscreenCanvas(side, side);
        const pen = canvas.getContext("2d", { willReadFrequently: true });
        const seen = { times: [], grey: [], on: true };
        const look = (now, about) => {
            pen.drawImage(video, 0, 0, side, side);
            const { data } = pen.getImageData(0, 0, side, side);
            for (let at = 0; at < data.length; at += 4)
                seen.grey.push((data[at] + 2 * data[at + 1] + data[at + 2]) >> 2);
            seen.times.push(about[clock] ?? about.expectedDisplayTime);
            if (seen.on) video.requestVideoFrameCallback(look);
        };
        video.requestVideoFrameCallback(look);
        return seen;
    };
    const both = [watch("self", "captureTime"), watch("avatar", "expectedDisplayTime")];
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    return both.map((seen) => {
        seen.on = false;
        let text = "";
        for (const value of seen.grey) text += String.fromCharCode(value);
        return { times: seen.times, grey: btoa(text) };
    });
}"""


@dataclass(frozen=True)
class Seen:
    """Frames of one video element.

    Attributes:
        times: ``(N,)`` milliseconds.
        grey: ``(N, SIDE * SIDE) float32``.
    """

    times: np.ndarray
    grey: Floats


def watch(page: Any, seconds: float) -> tuple[Seen, Seen]:
    """The page's camera and its avatar for some seconds."""
    camera, avatar = page.evaluate(WATCH, [seconds, SIDE])
    return _seen(camera), _seen(avatar)


def _seen(found: Any) -> Seen:
    times = np.array(found["times"], np.float64)
    grey = np.frombuffer(base64.b64decode(found["grey"]), np.uint8).astype(np.float32)
    return Seen(times, grey.reshape(len(times), -1))


def glass_to_glass(camera: Seen, avatar: Seen, longest: float = 700.0) -> np.ndarray:
    """``(N, 2)``: when the camera jumped and how much later the avatar did, in milliseconds.

    The avatar has jumped with the first frame that is more like its new rest than like its old one.
    """
    jumps = _jumps(camera)
    starts, delays = [], []
    for before, start, after in zip(jumps, jumps[1:], jumps[2:], strict=False):
        old = _rest(avatar, before + longest, start)
        new = _rest(avatar, start + longest, after)
        if old is None or new is None:
            continue
        inside = np.flatnonzero((avatar.times >= start) & (avatar.times < after))
        way = new - old
        share = (avatar.grey[inside] - old) @ way / (way @ way)
        starts.append(start)
        # Where it did not follow, the delay is the whole second: that counts, too.
        at = avatar.times[inside[np.argmax(share > 0.5)]] if (share > 0.5).any() else after
        delays.append(at - start)
    return np.column_stack([starts, delays])


def _jumps(camera: Seen) -> np.ndarray:
    """Times of the first frame after each jump: those that differ most from the one before."""
    change = np.abs(np.diff(camera.grey, axis=0)).mean(axis=1)
    return camera.times[1:][change > 0.5 * change.max()]


def _rest(avatar: Seen, start: float, end: float) -> Floats | None:
    """The mean image of a passage."""
    inside = (avatar.times >= start) & (avatar.times < end)
    return np.asarray(avatar.grey[inside].mean(axis=0), np.float32) if inside.any() else None
