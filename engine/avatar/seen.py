"""What of a portrait moves: what its bars leave free, the square around its head, person and background."""

from __future__ import annotations

from dataclasses import dataclass

from mien.engine.avatar.crop import Square
from mien.engine.avatar.head.tall import with_tall_head
from mien.engine.avatar.person.bars import Bars, Box
from mien.engine.avatar.person.layers import Layers
from mien.engine.avatar.person.looks import surest_look
from mien.engine.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A portrait as far as it moves.

    Attributes:
        image: ``(h, w, 3) uint8`` RGB, what bars leave free.
        box: where that is in the portrait.
        crop: the square that moves, in the portrait; ``inner`` the same in ``image``.
        layers: person and background of ``image``; None where they cannot be told apart.
        bars: the portrait's; None where it has none.
    """

    image: Image
    box: Box
    crop: Square
    inner: Square
    layers: Layers | None
    bars: Bars | None

    @staticmethod
    def of(portrait: Image, crop: Square, points: Floats, *, framed: bool) -> Seen:
        """Of a portrait.

        Args:
            portrait: ``(H, W, 3) uint8`` RGB.
            crop: the square around its face.
            points: ``(468+, 2)`` the face's landmarks, pixels.
            framed: whether it may have bars.
        """
        bars = Bars.of(portrait) if framed else None
        image, inner, box = portrait, crop, (0, 0, portrait.shape[1], portrait.shape[0])
        if bars is not None:
            image, inner, box, points = bars.inner, bars.within(crop), bars.box, bars.moved(points)
        look = surest_look(image, inner, points)
        tall = with_tall_head(inner, points, look.person) if look.sure else inner
        if tall != inner:
            crop = Square(tall.x + box[0], tall.y + box[1], tall.side)
            look, inner = surest_look(image, tall, points), tall
        return Seen(image, box, crop, inner, Layers.of(image, inner, points, look), bars)

    @property
    def person(self) -> Floats | None:
        """``(H, W) float32`` in 0..1 where the person is in the portrait; None if that is not known."""
        if self.layers is None:
            return None
        return self.layers.person if self.bars is None else self.bars.around(self.layers.person)
