"""Renderer of the ``paper`` preset: motion of the key points in, the next image out."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.avatar.canvas.avatar_mouth import AvatarMouth
from mien.engine.avatar.canvas.canvas import Canvas, make_canvas
from mien.engine.avatar.transfer import carry_over
from mien.engine.motion import Motion
from mien.engine.motion.key_motion import Keys
from mien.engine.paper.runtime import PaperRuntime
from mien.engine.paper.tracker import crop_points
from mien.engine.types import Floats, Image, Rendered
from mien.engine.utils.sampling import stretch


class PaperRenderer:
    """Draws one avatar with the published network.  One renderer belongs to one thread at a time.

    The network's 256 x 256 image of the face crop is pasted back into the portrait behind a soft border.

    Args:
        avatar: whom to draw (made with the same runtime).
        runtime: what computes.
        crop: side of the square face crop to give back, in pixels; None gives the whole portrait.
    """

    def __init__(self, avatar: Avatar, runtime: PaperRuntime, crop: int | None = None) -> None:
        self.runtime = runtime
        self._crop = crop
        self._show(avatar)
        self.mouth = AvatarMouth(avatar, self._canvas)

    stale = False
    """Always False: the network runs on every frame."""

    def set_avatar(self, avatar: Avatar) -> None:
        """Draw another avatar from the next frame on."""
        self._show(avatar)
        self.mouth.set_avatar(avatar, self._canvas)

    def _show(self, avatar: Avatar) -> None:
        points = crop_points(avatar.crop, avatar.face.landmarks[:, :2])
        self._source: Keys = self.runtime.detect(avatar.code.source, points)
        self._canvas = make_canvas(avatar, self._crop)
        self._cover = _cover(self._canvas)
        self.avatar = avatar

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the results."""
        return self._canvas.size(self._crop)

    @property
    def unsettled(self) -> bool:
        """Whether the next image differs from the last although no landmark moves: a tongue does."""
        return self.mouth.shows

    def render(self, motion: Motion) -> Rendered:
        """The avatar with this motion; ``image`` is ``(H, W, 3) uint8`` RGB, a new array every time.

        A motion without key points draws the portrait at rest.
        """
        start = perf_counter()
        driving = self._source if motion.keys is None else motion.keys.applied(self._source)
        drawn = self.runtime.animate(self.avatar.code, self._source, driving)
        modelled = perf_counter()
        image = _pasted(self._canvas, self._cover, drawn)
        composed = perf_counter()
        if self.mouth.own:
            # The network moves the lips as the landmarks do.
            self.mouth.draw(image, self.mouth.place(motion, carry_over(motion, self.avatar).mesh))
        times = {
            "model": modelled - start,
            "compose": composed - modelled,
            "mouth": perf_counter() - composed,
        }
        return Rendered(
            self._canvas.finished(image),
            motion.index,
            motion.captured_ns,
            motion.time,
            {name: 1000 * seconds for name, seconds in times.items()},
        )


def _cover(canvas: Canvas) -> Floats:
    """``(h, w, 1)`` how much of the network's image is shown."""
    return stretch(canvas.fade, canvas.part, canvas.to_grid)[..., None]


def _pasted(canvas: Canvas, cover: Floats, face: Floats) -> Image:
    drawn = stretch(face, canvas.part, canvas.to_image, cubic=True)
    if not canvas.pasted:
        return np.asarray(np.clip(255.0 * drawn + 0.5, 0, 255), np.uint8)
    image: Image = canvas.still.copy()
    region = image[canvas.top : canvas.bottom, canvas.left : canvas.right]
    drawn *= 255.0
    drawn -= region
    drawn *= cover
    drawn += region
    drawn += 0.5
    np.copyto(region, np.clip(drawn, 0, 255, out=drawn), casting="unsafe")
    return image
