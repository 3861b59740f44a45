"""The portraits that visitors choose from: the server's own and what each visitor uploads."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np

from mien.engine.types import Image, MienError, SourceError
from mien.streams.images import fit_within
from mien.streams.webrtc.engine_interface import AvatarEngine, Prepared
from mien.streams.webrtc.isolation import Ended, Isolation, Reply, TimedOut
from mien.streams.webrtc.limits import DECODE, PORTRAIT_BYTES
from mien.streams.webrtc.problems import Problem

TYPES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/*"})
SIDE = 2048
"""Longest side at which a portrait is kept, pixels: a face crop of 512 needs no more."""

PREVIEW_SIDE = 384
UPLOADS_EACH = 8
"""Uploads that are kept of one visitor; their own oldest that is not in use makes room."""

UPLOADS = 96
"""Uploads that are kept of all visitors together."""

AWAY_S = 3600.0
"""Uploads of a visitor who has not been heard of for so long may make room for others'."""


@dataclass(frozen=True)
class Portrait:
    """One portrait, ready to be driven.

    Attributes:
        id: unguessable, the only thing that a client ever names.
        name: for people.
        owner: the visitor who uploaded it; None for the server's own, which everybody sees.
        preview: a JPEG.
        prepared: the engine's avatar and its notes.
        credit: who made the image, where the page must say so.
    """

    id: str
    name: str
    owner: str | None
    preview: bytes
    prepared: Prepared
    credit: str = ""

    def described(self) -> dict[str, str | bool]:
        """The portrait as the API shows it."""
        image = f"/api/portraits/{self.id}.jpg"
        own = self.owner is not None
        return {"id": self.id, "name": self.name, "image": image, "own": own, "credit": self.credit}


class Portraits:
    """The store, in memory alone: nothing of a visitor's is ever written to the disk.

    Args:
        engine: prepares the avatars.
        isolation: where strangers' files are decoded.
        in_use: ids of the portraits that are being driven now.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        engine: AvatarEngine,
        isolation: Isolation,
        in_use: Callable[[], set[str]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._engine, self._isolation, self._in_use, self._clock = engine, isolation, in_use, clock
        self._kept: OrderedDict[str, Portrait] = OrderedDict()
        self._heard: dict[str, float] = {}
        # One at a time: decoding may take 500 MB for a moment.
        self.worker = ThreadPoolExecutor(1, "portrait")

    def add(
        self,
        image: Image,
        name: str,
        owner: str | None = None,
        *,
        photos: tuple[Any, ...] = (),
        credit: str = "",
    ) -> Portrait:
        """Prepare and keep an image (in a worker thread).

        Args:
            image: the portrait.
            name: what it is called.
            owner: the visitor whose it is; None: everybody's.
            photos: see :meth:`~mien.streams.webrtc.engine_interface.AvatarEngine.prepare`.
            credit: who made it, if the page must say so.

        Raises:
            MienError: no face in it.
        """
        image = fit_within(image, SIDE)
        prepared = self._engine.prepare(image, name, photos)
        portrait = Portrait(secrets.token_urlsafe(16), name, owner, _preview(image), prepared, credit)
        if owner is not None:
            self._make_room(owner)
            self._heard[owner] = self._clock()
        self._kept[portrait.id] = portrait
        return portrait

    def upload(self, data: bytes, name: str, owner: str) -> Portrait:
        """Decode, prepare and keep what a visitor sent (in the worker thread).

        Raises:
            Problem: 413 too many pixels, 422 not an image or no face in it, 503 no room.
        """
        image = self.decode(data, name)
        try:
            return self.add(image, name, owner)
        except MienError as error:
            raise Problem(422, str(error)) from error

    def add_photo(self, data: bytes, name: str, identity: str, visitor: str | None) -> Prepared:
        """Keep one more photo of a portrait's person, if it helps (in the worker thread).

        Args:
            data: the file.
            name: what it is called.
            identity: one of the visitor's own portraits.
            visitor: whose.

        Returns:
            what the engine says of the photos.

        Raises:
            Problem: 404 no such portrait of theirs, 413 too many pixels, 422 not an image.
        """
        self.own(identity, visitor)
        image = self.decode(data, name)
        portrait = self.own(identity, visitor)
        found = self._engine.add_photos(portrait.prepared.avatar, [(image[..., :3], name)])
        self._kept[identity] = replace(portrait, prepared=replace(portrait.prepared, avatar=found.avatar))
        return found

    def hear(self, visitor: str | None) -> None:
        """The visitor is there."""
        if visitor is not None and visitor in self._heard:
            self._heard[visitor] = self._clock()

    def find(self, identity: str, visitor: str | None) -> Portrait | None:
        """The portrait with this id, if the visitor may see it."""
        portrait = self._kept.get(identity)
        return portrait if portrait is not None and portrait.owner in (None, visitor) else None

    def own(self, identity: str, visitor: str | None) -> Portrait:
        """One of the visitor's own.

        Raises:
            Problem: 404 it is the server's, another's, or none.
        """
        portrait = self._kept.get(identity)
        if portrait is None or visitor is None or portrait.owner != visitor:
            raise Problem(404, "There is no such portrait of yours.")
        return portrait

    def rename(self, identity: str, visitor: str | None, name: str) -> Portrait:
        """Give one of the visitor's own another name.

        Raises:
            Problem: 404.
        """
        renamed = replace(self.own(identity, visitor), name=name)
        self._kept[identity] = renamed
        return renamed

    def remove(self, identity: str, visitor: str | None) -> None:
        """Forget one of the visitor's own; a session that shows it goes on.

        Raises:
            Problem: 404.
        """
        del self._kept[self.own(identity, visitor).id]

    def seen_by(self, visitor: str | None) -> list[Portrait]:
        """The server's portraits and the visitor's own."""
        return [p for p in list(self._kept.values()) if p.owner is None or p.owner == visitor]

    @property
    def first(self) -> Portrait:
        """The one that a session begins with."""
        return next(iter(self._kept.values()))

    def close(self) -> None:
        """End the worker thread, without waiting for what the engine prepares in it."""
        self.worker.shutdown(wait=False, cancel_futures=True)

    def decode(self, data: bytes, name: str) -> Image:
        """The pixels of a visitor's file, at most :data:`SIDE` on a side (in the worker thread).

        Raises:
            Problem: 413 too many pixels, 422 not an image.
        """
        check_signature(data)
        try:
            reply = self._isolation.run("decode", data, DECODE, name=name, side=SIDE)
        except TimedOut as error:
            raise Problem(
                422, f"{name} takes too long to decode. Export it as an ordinary JPEG or PNG."
            ) from error
        except Ended as error:
            raise Problem(422, f"{name} cannot be decoded. Export it as an ordinary JPEG or PNG.") from error
        return _pixels(reply)

    def _make_room(self, owner: str) -> None:
        uploads = [p for p in self._kept.values() if p.owner is not None]
        used = self._in_use()
        own = [p for p in uploads if p.owner == owner]
        for portrait in [p for p in own if p.id not in used][: max(0, len(own) + 1 - UPLOADS_EACH)]:
            del self._kept[portrait.id]
        if sum(p.owner is not None for p in self._kept.values()) < UPLOADS:
            return
        long_ago = self._clock() - AWAY_S
        for portrait in uploads:
            if portrait.id not in used and self._heard.get(str(portrait.owner), long_ago) <= long_ago:
                self._kept.pop(portrait.id, None)
                owners = {p.owner for p in self._kept.values()}
                self._heard = {owner: when for owner, when in self._heard.items() if owner in owners}
                return
        raise Problem(503, "The server keeps as many portraits as it can. Try again later.", retry_after=60)


def _pixels(reply: Reply) -> Image:
    error = reply.fields.get("error")
    if error is None:
        image: Image = np.frombuffer(reply.data, np.uint8).reshape(reply.fields["shape"])
        return image
    raise Problem(413 if "limit of" in error or "megapixels" in error else 422, error)


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
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(small[..., :3], cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    if not done:
        raise SourceError("The portrait's preview could not be made.")
    return bytes(data)
