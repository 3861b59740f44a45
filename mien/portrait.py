"""Portraits prepared for animation."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from mien.engine.avatar import Avatar
from mien.engine.enrolment.container import SUFFIX, load_enrolled
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.photos.photo import Photo
from mien.engine.presets import PresetRuntime
from mien.engine.runtime import Network, default_runtime
from mien.engine.types import Image
from mien.engine.utils.images import over_white
from mien.streams.images import fit_within, load_image

SIDE = 1024
"""Default longest side of a portrait in pixels; larger ones are reduced."""


def load_avatar(
    portrait: str | PathLike[str] | Image,
    *,
    side: int | None = SIDE,
    runtime: PresetRuntime | None = None,
    landmarker: Landmarker | None = None,
) -> Avatar:
    """Prepare a portrait for animation.

    Args:
        portrait: an image file, a file of ``mien enroll``, or ``(H, W, 3) uint8`` RGB or ``(H, W, 4)`` RGBA:
            one face, upright, looking at the camera.
        side: longest side of the results in pixels, to which a larger portrait is reduced; None keeps it.
        runtime: of the model that is to draw it; the built-in model's when left out.
        landmarker: finds the face; one is made when left out.

    Raises:
        MienError: unreadable, no face, or one that is too small.
    """
    photos: tuple[Photo, ...] = ()
    if isinstance(portrait, np.ndarray):
        image, name = portrait, "the portrait"
        if image.shape[2] == 4:
            image = np.dstack([over_white(image), image[..., 3]])
    else:
        name = fspath(portrait)
        if Path(name).suffix.lower() == SUFFIX:
            enrolled = load_enrolled(Path(name))
            image, photos = enrolled.portrait, enrolled.photos
        else:
            image = load_image(name, opacity=True)
    with ExitStack() as stack:
        if runtime is None:
            # Encoding is the same in every mode, and without the network the renderer is not compiled.
            runtime = default_runtime(network=Network.OFF)
            stack.callback(runtime.close)
        if landmarker is None:
            landmarker = stack.enter_context(make_landmarker())
        fitted = image if side is None else fit_within(image, side)
        return replace(Avatar.of(fitted, landmarker, runtime, name), photos=photos)
