"""Selection of the photos that together cover most, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees

import numpy as np

from mien.engine.avatar.avatar import Avatar
from mien.engine.enrolment.survey import Compare, Survey
from mien.engine.photos.album import fitted
from mien.engine.photos.choice import Faces
from mien.engine.photos.photo import Photo, Traits

MOST = 12
"""Photos that an avatar keeps."""

NEW = 1.2
"""Difference (:meth:`~mien.engine.photos.choice.Faces.difference`) from all others below which a photo adds
nothing."""

OPENED = 0.06
"""Gap of the lips above the portrait's, face units, from which a mouth counts as open."""

SHUT = 0.5
"""Share of the portrait's opening below which an eye counts as closed."""

ASIDE = np.radians(12.0)
"""Yaw beyond the portrait's from which a head counts as turned."""

NAMED = 4
"""Names that are told of photos that cannot be used."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What an avatar keeps of a survey.

    Attributes:
        photos: the photos.
        notes: what is said: what was taken, what was left out and why, what is missing; one line each.
        refused: those of the notes that say what was left out.
    """

    photos: tuple[Photo, ...]
    notes: tuple[str, ...]
    refused: tuple[str, ...] = ()


def select(survey: Survey, most: int = MOST, compare: Compare | None = None) -> Selection:
    """The photos that add most to the portrait.

    Args:
        survey: after all photos were looked at.
        most: how many are kept.
        compare: tells other people more surely than landmarks do, where such a network is installed.
    """
    avatar = survey.avatar
    own = Traits.of(avatar.face.landmarks[:, :2], avatar.pose, avatar.face.blendshapes)
    traits = [photo.traits for photo in survey.candidates]
    faces = Faces.of(traits)
    apart = faces.difference(own) if traits else np.zeros(0, np.float32)
    chosen: list[Photo] = []
    while len(apart) and len(chosen) < most:
        best = int(np.argmax(apart))
        if apart[best] < NEW:
            break
        photo, apart[best] = survey.candidates[best], -1.0
        if (why := _unfit(photo, avatar, compare)) is not None:
            survey.refuse(why, photo.name)
            continue
        chosen.append(photo)
        apart = np.minimum(apart, faces.difference(traits[best]))
    refused = _refused(survey)
    return Selection(tuple(chosen), tuple(_notes(survey, chosen, own, refused)), refused)


def _unfit(photo: Photo, avatar: Avatar, compare: Compare | None) -> str | None:
    if compare is not None and compare(photo.image, photo.landmarks) >= 1:
        return "somebody else"
    if fitted(photo, avatar.image, avatar.face.landmarks[:, :2]) is None:
        return "light that cannot be matched"
    return None


def _refused(survey: Survey) -> tuple[str, ...]:
    notes = []
    for why, names in survey.refused.items():
        told = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
        notes.append(f"photos: {why} in {len(names)} of them ({told}).")
    return tuple(notes)


def _notes(survey: Survey, chosen: Sequence[Photo], own: Traits, refused: Sequence[str]) -> list[str]:
    notes = []
    if chosen:
        shown = ", ".join(f"{photo.name} ({_shows(photo.traits, own)})" for photo in chosen)
        notes.append(f"photos: {len(chosen)} of {survey.looked} are used: {shown}.")
    elif survey.candidates:
        notes.append("photos: none shows anything that the portrait lacks; the portrait is used alone.")
    else:
        notes.append("photos: none can be used; the portrait is used alone.")
    notes.extend(refused)
    if chosen and (missing := _missing([photo.traits for photo in chosen], own)):
        notes.append(f"photos: none with {' or '.join(missing)}.")
    return notes


def _shows(traits: Traits, own: Traits) -> str:
    """What a photo adds, in words."""
    found = [words for words, shown in _kinds(traits, own) if shown]
    return ", ".join(found) if found else "another expression"


def _missing(traits: Sequence[Traits], own: Traits) -> list[str]:
    kinds = [_kinds(one, own) for one in (own, *traits)]
    names = ["an open mouth", "closed eyes", "the head turned to its left", "the head turned to its right"]
    return [name for i, name in enumerate(names) if not any(one[i][1] for one in kinds)]


def _kinds(traits: Traits, own: Traits) -> list[tuple[str, bool]]:
    yaw = traits.turn[1] - own.turn[1]
    return [
        ("mouth open", traits.gap > own.gap + OPENED),
        ("eyes closed", max(traits.eyes) < SHUT * max(sum(own.eyes) / 2, 1e-3)),
        (f"turned left by {degrees(abs(yaw)):.0f} degrees", yaw > ASIDE),
        (f"turned right by {degrees(abs(yaw)):.0f} degrees", yaw < -ASIDE),
    ]
