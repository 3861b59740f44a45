"""Whose mouth is seen, the portrait's own or the driver's: one of them, with a short fade between the two."""

from __future__ import annotations

from mien.engine.utils.curves import ramp

OWN = (0.75, 0.95)
"""Shares of the portrait's own mouth: at the first and below the driver's is seen, from the second on the
portrait's; between them the one that was.  Blended by that share, a portrait's bright teeth lay grey over the
gap of a driver who went on speaking there: on 27 of 228 frames of one clip."""

FADE, GONE = 0.1, (0.35, 0.65)
"""Seconds from the one to the other; and shares of the portrait's own mouth below which, and up to which, the
driver's is seen at once: in lips that purse fast its teeth were squeezed to a tent for a frame."""


class Crossfade:
    """A switch with hysteresis; frame after frame of one portrait and one driver."""

    def __init__(self) -> None:
        self._driver: bool | None = None
        self._share = 0.0

    def __call__(self, own: float, step: float, seen: bool) -> float:
        """Share of the driver's mouth, 0..1.

        Args:
            own: how far the portrait's own open mouth would be seen, 0..1.
            step: seconds since the last frame.
            seen: whether anything between the lips is seen now; while nothing is, there is nothing to fade.
        """
        before = self._driver
        if before is None:
            self._driver = own < sum(OWN) / 2
        elif own <= OWN[0] or own >= OWN[1]:
            self._driver = own <= OWN[0]
        if before is None or not seen:
            self._share = float(bool(self._driver))
        else:
            change = step / FADE if self._driver else -step / FADE
            least = 1 - ramp(own, GONE) if self._driver else 0.0
            self._share = min(max(self._share + change, least), 1.0)
        return self._share
