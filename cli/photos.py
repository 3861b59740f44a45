"""More photos of the avatar's person: read from a folder or a clip, and those kept that help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.enrolment.container import SUFFIX
from mien.engine.enrolment.selection import Selection, select
from mien.engine.enrolment.survey import Compare, Survey
from mien.engine.landmarks import Landmarker
from mien.engine.types import Floats, Image, MienError, UsageError
from mien.streams.factory import open_source
from mien.streams.images import IMAGE_SUFFIXES, list_images, load_image

LOOKED = 200
"""Photos of a folder that are looked at, evenly spread."""

SECONDS, SPACING_S = 300.0, 0.2
"""Seconds of a clip that are looked at, and seconds between the frames."""

SAME = 0.6
"""Euclidean distance of dlib's embeddings below which two faces are one person's (its own documentation)."""


def is_enrolled(path: Path) -> bool:
    """Whether a path names a file that ``mien enroll`` writes."""
    return path.suffix.lower() == SUFFIX


def with_photos(avatar: Avatar, place: Path, landmarker: Landmarker) -> Avatar:
    """The avatar with those photos of a folder or clip that help; what was taken is in its notes.

    Raises:
        MienError: no such folder or clip, or nothing in it that can be read.
    """
    found = gathered(avatar, place, landmarker)
    return replace(avatar, photos=found.photos, notes=(*avatar.notes, *found.notes))


def gathered(
    avatar: Avatar, place: Path, landmarker: Landmarker, advance: Callable[[], None] = lambda: None
) -> Selection:
    """The photos of a folder, a clip, or one image file, that help.

    Args:
        advance: called after each photo.

    Raises:
        MienError: no such folder or clip, or nothing in it that can be read.
    """
    survey = Survey(avatar)
    limit = None
    if place.is_dir() or place.suffix.lower() in IMAGE_SUFFIXES - {".gif"}:
        limit = _look_at_images(survey, place, landmarker, advance)
    else:
        limit = _look_at_clip(survey, place, landmarker, advance)
    found = select(survey, compare=_compare(avatar))
    return replace(found, notes=(*found.notes, *([limit] if limit else [])))


def _look_at_images(
    survey: Survey, place: Path, landmarker: Landmarker, advance: Callable[[], None]
) -> str | None:
    files = list_images(place) if place.is_dir() else [place]
    if not files:
        raise UsageError(f"{place} holds no images. --photos takes a folder of photos, or a clip.")
    looked = files
    if len(files) > LOOKED:
        looked = [files[int(i)] for i in np.linspace(0, len(files) - 1, LOOKED)]
    for file in looked:
        try:
            image = load_image(file)
        except MienError:
            if len(files) == 1:
                raise
            survey.looked += 1
            survey.refuse("an image that cannot be read", file.name)
            continue
        survey.look(image, landmarker.detect(image), file.name)
        advance()
    if looked is files:
        return None
    return f"photos: of the {len(files)} in {place}, {LOOKED} were looked at, evenly spread."


def _look_at_clip(
    survey: Survey, place: Path, landmarker: Landmarker, advance: Callable[[], None]
) -> str | None:
    landmarker.reset()
    following = 0.0
    with open_source(str(place)) as source:
        for frame in source:
            if frame.time > SECONDS:
                return f"photos: of {place.name} the first {SECONDS / 60:.0f} minutes were looked at."
            if frame.time < following:
                continue
            following = frame.time + SPACING_S
            face = landmarker.track(frame.image)
            survey.look(frame.image, [face] if face else [], f"{frame.time:.1f} s")
            advance()
    return None


def extended(avatar: Avatar, photos: Sequence[tuple[Image, str]], landmarker: Landmarker) -> Selection:
    """Those photos that help an avatar, of these and of the ones that it has.

    Args:
        photos: images and what messages call them.
    """
    survey = Survey(avatar, looked=len(avatar.photos), candidates=list(avatar.photos))
    for image, name in photos:
        survey.look(image, landmarker.detect(image), name)
    return select(survey, compare=_compare(avatar))


def _compare(avatar: Avatar) -> Compare | None:
    """Comparison by a face recognition network, where one is installed."""
    from mien.train.metrics.identity import FaceEmbedding

    try:
        embed = FaceEmbedding()
    except MienError:
        return None
    own = embed(avatar.image, avatar.face.landmarks)

    def compare(image: Image, landmarks: Floats) -> float:
        return float(np.linalg.norm(embed(image, landmarks) - own)) / SAME

    return compare
