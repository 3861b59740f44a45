"""Portraits that the page shows to begin with: photographs and paintings in the public domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.engine.utils.assets import GALLERY, PORTRAIT


@dataclass(frozen=True)
class Exhibit:
    """One portrait that ships with Mien; NOTICE says where each comes from.

    Attributes:
        path: the image file.
        name: what its tile says.
        credit: who made it and when, and why it may be shown.
    """

    path: Path
    name: str
    credit: str


EXHIBITS = (
    Exhibit(PORTRAIT, "Eileen Collins", "photograph by NASA; public domain"),
    Exhibit(GALLERY / "grace-hopper.jpg", "Grace Hopper", "photograph by the US Navy, 1984; public domain"),
    Exhibit(
        GALLERY / "morisot-self-portrait.jpg", "Berthe Morisot", "self-portrait in oil, 1885; public domain"
    ),
    Exhibit(
        GALLERY / "morisot-young-woman-in-mauve.jpg",
        "Woman in Mauve",
        "Berthe Morisot, oil on canvas, 1880; public domain",
    ),
    Exhibit(
        GALLERY / "erik-wilhelm-dahlgren.jpg",
        "E. W. Dahlgren",
        "photograph, early 20th century; public domain",
    ),
    Exhibit(
        GALLERY / "aksel-andersson.jpg", "Aksel Andersson", "photograph, early 20th century; public domain"
    ),
    Exhibit(GALLERY / "man-in-a-fez.jpg", "Man in a Fez", "wood engraving, 19th century; public domain"),
)
"""The first is what a session begins with."""
