"""What visitors want behind their avatars: a word, a colour, or an image of their own."""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from mien.engine.types import Image, UsageError

IMAGES = 48
"""Images that are kept of all visitors together, one of each."""

PREFIX = "image:"


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """What is shown behind a person.

    Attributes:
        kind: the portrait's own, that blurred, a colour, or an image.
        colour: red, green and blue in 0..255.
        image: ``(H, W, 3) uint8`` RGB.
    """

    kind: Literal["keep", "blur", "colour", "image"] = "keep"
    colour: tuple[int, int, int] = (0, 0, 0)
    image: Image | None = None


class Backdrops:
    """The visitors' images, in memory alone."""

    def __init__(self) -> None:
        self._images: OrderedDict[str, tuple[str, Image]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    def add(self, image: Image, owner: str) -> str:
        """Keep a visitor's image instead of the one before; its id."""
        self._images.pop(owner, None)
        identity = secrets.token_urlsafe(12)
        self._images[owner] = identity, image
        while len(self._images) > IMAGES:
            self._images.popitem(last=False)
        return identity

    def find(self, text: object, visitor: str | None) -> Backdrop:
        """From ``keep``, ``blur``, ``#20242b`` or ``image:ID``.

        Raises:
            UsageError: something else, or an image that is not there any more.
        """
        if text == "keep":
            return Backdrop()
        if text == "blur":
            return Backdrop("blur")
        if isinstance(text, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            red, green, blue = bytes.fromhex(text[1:])
            return Backdrop("colour", (red, green, blue))
        if isinstance(text, str) and text.startswith(PREFIX):
            identity, image = self._images.get(visitor or "", ("", None))
            if image is None or not secrets.compare_digest(
                identity.encode(), text.removeprefix(PREFIX).encode()
            ):
                raise UsageError("This background is not on the server any more. Add it again.")
            return Backdrop("image", image=image)
        raise UsageError("A background is keep, blur, a colour such as #00ff00, or image:ID.")
