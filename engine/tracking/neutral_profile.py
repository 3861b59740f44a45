"""A person's neutral face at one camera, kept across days: numbers, not a single pixel.

Format ``mien-profile``, version 1: a NumPy ``.npz`` archive (no pickles) of ``format``, ``version``,
``name``, ``camera`` (as messages call it), ``landmarks`` ((478, 3) float32, pixels), ``pose`` ((4, 4)
float32) and ``blendshapes`` ((52,) float32).  A live run with ``--profile`` waits for a face like this one
before it takes its reference automatically.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.engine.types import N_BLENDSHAPES, N_LANDMARKS, Face, Floats, SinkError, SourceError, UsageError
from mien.engine.utils.archives import read_archive
from mien.engine.utils.files import replacing
from mien.engine.utils.folders import user_folder

FORMAT, VERSION = "mien-profile", 1


@dataclass(frozen=True, slots=True)
class Profile:
    """A neutral face.

    Attributes:
        name: the person, in the user's words.
        camera: the camera's name.
        landmarks: ``(478, 3) float32`` image pixels.
        pose: ``(4, 4) float32`` as in :class:`mien.engine.types.Face`.
        blendshapes: ``(52,) float32``.
    """

    name: str
    camera: str
    landmarks: Floats
    pose: Floats
    blendshapes: Floats

    @staticmethod
    def of(name: str, camera: str, face: Face) -> Profile:
        """Create the profile of the face in a reference frame."""
        return Profile(name, camera, face.landmarks, face.pose, face.blendshapes)


def profile_folder() -> Path | None:
    """The folder of this user's profiles; None if they have no home folder."""
    folder = user_folder("data")
    return folder / "profiles" if folder else None


def profile_path(name: str, camera: str, folder: Path | None = None) -> Path | None:
    """Path of a person's profile at a camera; None if there is no folder for it.

    Raises:
        UsageError: a name that cannot be a file name.
    """
    if re.fullmatch(r"[\w .-]{1,60}", name) is None or name.strip(" .") == "":
        raise UsageError(f"{name!r} is not a valid profile name. Use letters, digits, spaces, dots, dashes.")
    place = re.sub(r"\W+", "-", camera).strip("-").lower()
    folder = folder or profile_folder()
    return folder / f"{name}@{place}.npz" if folder else None


def save_profile(path: Path, profile: Profile) -> None:
    """Write a profile atomically.

    Raises:
        SinkError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.savez(
                file,
                format=FORMAT,
                version=VERSION,
                name=profile.name,
                camera=profile.camera,
                landmarks=profile.landmarks,
                pose=profile.pose,
                blendshapes=profile.blendshapes,
            )
    except OSError as error:
        raise SinkError(f"The profile {path} cannot be written ({error.strerror}).") from error


def load_profile(path: Path) -> Profile | None:
    """Read a profile; None when there is none yet.

    Raises:
        SourceError: the file is not a profile of this version.
    """
    if not path.exists():
        return None
    try:
        archive = read_archive(path)
        if str(archive["format"]) != FORMAT or int(archive["version"]) != VERSION:
            raise ValueError("another format")
        arrays = {name: archive[name] for name in ("landmarks", "pose", "blendshapes")}
        name, camera = str(archive["name"]), str(archive["camera"])
        shapes = {"landmarks": (N_LANDMARKS, 3), "pose": (4, 4), "blendshapes": (N_BLENDSHAPES,)}
        for key, shape in shapes.items():
            if arrays[key].shape != shape or not np.isfinite(arrays[key]).all():
                raise ValueError(f"{key} is damaged")
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise SourceError(f"{path} is not a profile of this version. Delete it to make a new one.") from error
    return Profile(name, camera, **{key: value.astype(np.float32) for key, value in arrays.items()})
