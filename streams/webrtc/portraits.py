"""The portraits that visitors choose from: the server's own and what each visitor uploads."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mien.engine.types import Image, MienError
from mien.streams.images import decode_image, fit_within
from mien.streams.webrtc.engine_interface import AvatarEngine, Prepared
from mien.streams.webrtc.problems import Problem
from mien.streams.webrtc.settings import PORTRAIT_BYTES, PORTRAIT_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/*"})
SIDE = 2048
"""Longest side at which a portrait is kept, pixels: a face crop of 512 needs no more."""

PREVIEW_SIDE = 384
UPLOADS = 24
"""How many uploads are kept; the oldest that nobody uses makes room."""


@dataclass(frozen=True)
class Portrait:
    """One portrait, ready to be driven.

    Attributes:
        id: unguessable, the only thing that a client ever names.
        name: for people.
        owner: the visitor who uploaded it; None for the server's own, which everybody sees.
        preview: a JPEG.
        prepared: the engine's avatar and its notes.
    """

    id: str
    name: str
    owner: str | None
    preview: bytes
    prepared: Prepared

    def described(self) -> dict[str, str]:
        """The portrait as the API shows it."""
        return {"id": self.id, "name": self.name, "image": f"/api/portraits/{self.id}.jpg"}


class Portraits:
    """The store, in memory alone: nothing of a visitor's is ever written to the disk."""

    def __init__(self, engine: AvatarEngine) -> None:
        self._engine = engine
        self._kept: OrderedDict[str, Portrait] = OrderedDict()
        # One at a time: an image of 40 megapixels takes 200 MB for a moment.
        self.worker = ThreadPoolExecutor(1, "portrait")

    def add(self, image: Image, name: str, owner: str | None = None) -> Portrait:
        """Prepare and keep an image (in a worker thread).

        Raises:
            MienError: no face in it.
        """
        image = fit_within(image, SIDE)
        prepared = self._engine.prepare(image, name)
        portrait = Portrait(secrets.token_urlsafe(16), name, owner, _preview(image), prepared)
        self._kept[portrait.id] = portrait
        self._make_room()
        return portrait

    def upload(self, data: bytes, name: str, owner: str) -> Portrait:
        """Decode, prepare and keep what a visitor sent (in the worker thread).

        Raises:
            Problem: 413 too many pixels, 422 not an image or no face in it.
        """
        check_signature(data)
        try:
            return self.add(
                decode_image(name, data, max_pixels=PORTRAIT_PIXELS, formats=FORMATS), name, owner
            )
        except MienError as error:
            status = 413 if "megapixels" in str(error) else 422
            raise Problem(status, str(error)) from error

    def find(self, identity: str) -> Portrait | None:
        """The portrait with this id."""
        return self._kept.get(identity)

    def seen_by(self, visitor: str | None) -> list[Portrait]:
        """The server's portraits and the visitor's own."""
        return [p for p in list(self._kept.values()) if p.owner is None or p.owner == visitor]

    @property
    def first(self) -> Portrait:
        """The one that a session begins with."""
        return next(iter(self._kept.values()))

    def close(self) -> None:
        """End the worker thread."""
        self.worker.shutdown(wait=True, cancel_futures=True)

    def _make_room(self) -> None:
        uploads = [p for p in self._kept.values() if p.owner is not None]
        for portrait in uploads[: max(0, len(uploads) - UPLOADS)]:
            # Sessions that wear it keep it alive; it only leaves the gallery.
            del self._kept[portrait.id]


def check_type(content_type: str) -> None:
    """Refuse what does not even claim to be an image that is taken.

    Raises:
        Problem: 415.
    """
    if content_type not in TYPES:
        raise Problem(
            415,
            f"{content_type or 'No content type'} is not taken as a portrait. Send a JPEG, PNG, WebP or GIF.",
        )


def check_signature(data: bytes) -> None:
    """Refuse files that are not one of the four image formats, whatever they are called.

    Raises:
        Problem: 413 too large, 422 empty or something else.
    """
    if len(data) > PORTRAIT_BYTES:
        raise Problem(413, f"The portrait is larger than {PORTRAIT_BYTES // 2**20} MB. Export it smaller.")
    known = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
    if not (data.startswith(known) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")):
        raise Problem(422, "This is not a JPEG, PNG, WebP or GIF image. Export the portrait as one of them.")


def clean_name(given: str) -> str:
    """A visitor's name for an image as it may be shown: printable, short, never empty."""
    kept = "".join(c for c in given if c.isprintable()).strip()
    return kept[:60] or "portrait"


def _preview(image: Image) -> bytes:
    import cv2

    small = fit_within(image, PREVIEW_SIDE)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise MienError("The portrait's preview could not be made.")
    return bytes(data)
