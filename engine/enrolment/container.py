"""The ``.mien`` container: a portrait and further photos of the same person in one file.

A ZIP file (PKWARE APPNOTE, methods stored and deflate) of::

    mien.json            {"format": "mien-avatar", "version": 1, "photos": N, "names": [N strings]}
    portrait.png         8-bit RGB or RGBA, at most 16 megapixels
    photos/000.png ...   8-bit RGB, at most 1 megapixel each, N of them (at most 64)
    faces.npy            (N, 478, 3) float32: landmarks in pixels of each photo
    poses.npy            (N, 4, 4) float32: head poses
    blendshapes.npy      (N, 52) float32

Everything is read within limits that are checked before anything is unpacked, and nothing is ever unpacked
to disk.  A reader refuses a later ``version``; members that it does not know it leaves alone.
"""

from __future__ import annotations

import errno
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.engine.photos.photo import Photo
from mien.engine.types import N_BLENDSHAPES, N_LANDMARKS, Floats, Image, SinkError, SourceError
from mien.engine.utils.files import DISK_FULL, disk_full, no_such_file, replacing
from mien.engine.utils.image_files import decode_image

SUFFIX = ".mien"
FORMAT, VERSION = "mien-avatar", 1
MOST_PHOTOS = 64
PORTRAIT_PIXELS, PHOTO_PIXELS = 16_000_000, 1_000_000
LIMITS = {"mien.json": 64_000, "portrait.png": 64_000_000}
"""Largest unpacked sizes, bytes; of other members :data:`MEMBER`."""
MEMBER, TOTAL = 4_000_000, 200_000_000

_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, TypeError, IndexError, OverflowError, SyntaxError, MemoryError),
)


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """The content of a container.

    Attributes:
        portrait: ``(H, W, 3) uint8`` RGB or ``(H, W, 4)`` RGBA.
        photos: further photos.
    """

    portrait: Image
    photos: tuple[Photo, ...]


def save_enrolled(path: Path, portrait: Image, photos: Sequence[Photo]) -> None:
    """Write a container; an older file of this name stays until it is complete.

    Raises:
        SinkError: it cannot be written.
    """
    about = {"format": FORMAT, "version": VERSION, "photos": len(photos)}
    about["names"] = [photo.name for photo in photos]
    try:
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
            file.writestr("mien.json", json.dumps(about, indent=1))
            file.writestr("portrait.png", _png(portrait))
            for index, photo in enumerate(photos):
                file.writestr(f"photos/{index:03}.png", _png(photo.image))
            file.writestr("faces.npy", _npy([photo.landmarks for photo in photos], (N_LANDMARKS, 3)))
            file.writestr("poses.npy", _npy([photo.pose for photo in photos], (4, 4)))
            file.writestr("blendshapes.npy", _npy([photo.blendshapes for photo in photos], (N_BLENDSHAPES,)))
    except OSError as error:
        if error.errno in DISK_FULL:
            raise SinkError(disk_full(str(path))) from error
        raise SinkError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error


def load_enrolled(path: Path) -> Enrolled:
    """Read a container.

    Raises:
        SourceError: missing, damaged, of a later version, too large, or something else.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as members:
            return _read(path, members)
    except FileNotFoundError as error:
        raise SourceError(no_such_file(path)) from error
    except IsADirectoryError as error:
        raise SourceError(f"{path} is a folder. Give a file that mien enroll has written.") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # an offset in the directory that lies before the file's beginning
            raise SourceError(f"{path} is damaged. Make it again with mien enroll.") from error
        raise SourceError(f"{path} cannot be read ({error.strerror or error}).") from error
    except zipfile.BadZipFile as error:
        raise SourceError(f"{path} is cut short, or no avatar file. Make one with mien enroll.") from error
    except _BROKEN as error:
        raise SourceError(f"{path} is damaged. Make it again with mien enroll.") from error


def _read(path: Path, members: zipfile.ZipFile) -> Enrolled:
    infos = {info.filename: info for info in members.infolist()}
    if "mien.json" not in infos:
        raise SourceError(f"{path} is no avatar file: it has no mien.json. Make one with mien enroll.")
    if sum(info.file_size for info in infos.values()) > TOTAL or len(infos) > 4 * MOST_PHOTOS:
        raise SourceError(f"{path} would unpack to more than an avatar file holds; it was not opened.")
    about = json.loads(_member(path, members, infos, "mien.json"))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise SourceError(f"{path} is no avatar file. Make one with mien enroll.")
    if not isinstance(about["version"], int) or about["version"] > VERSION:
        raise SourceError(f"{path} was written by a later Mien (version {about['version']!r}). Update Mien.")
    count = about["photos"]
    if not isinstance(count, int) or not 0 <= count <= MOST_PHOTOS:
        raise ValueError("number of photos")
    names = [str(name)[:200] for name in about["names"]]
    portrait = _image(path, members, infos, "portrait.png", PORTRAIT_PIXELS)
    arrays = [
        _array(_member(path, members, infos, name), (count, *shape))
        for name, shape in (
            ("faces.npy", (N_LANDMARKS, 3)),
            ("poses.npy", (4, 4)),
            ("blendshapes.npy", (N_BLENDSHAPES,)),
        )
    ]
    photos = []
    for index, (landmarks, pose, shapes) in enumerate(zip(*arrays, strict=True)):
        image = _image(path, members, infos, f"photos/{index:03}.png", PHOTO_PIXELS)
        _check_face(landmarks, image)
        photos.append(Photo(image, landmarks, pose, shapes, names[index]))
    return Enrolled(portrait, tuple(photos))


def _member(path: Path, members: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    info = infos.get(name)
    if info is None:
        raise SourceError(f"{path} is incomplete: it has no {name}. Make it again with mien enroll.")
    limit = LIMITS.get(name, MEMBER)
    with members.open(info) as file:
        # Sizes in a ZIP's directory can lie: no more than the limit is ever unpacked.
        data = file.read(limit + 1)
    if len(data) > limit:
        raise SourceError(f"{path} has a {name} of more than {limit // 1000} kB; it was not opened.")
    return data


def _image(
    path: Path, members: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], name: str, pixels: int
) -> Image:
    data = _member(path, members, infos, name)
    try:
        return decode_image(name, data, max_pixels=pixels, formats=("PNG",), opacity=name == "portrait.png")
    except SourceError as error:
        raise ValueError(str(error)) from error


def _array(data: bytes, shape: tuple[int, ...]) -> Floats:
    found: Any = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False, max_header_size=2000)
    if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
        raise ValueError("an array of another kind")
    return np.asarray(found, np.float32)


def _check_face(landmarks: Floats, image: Image) -> None:
    """Raise ValueError where a face does not lie in its photo."""
    height, width = image.shape[:2]
    points = landmarks[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    inside = low.min() > -width - height and high[0] < 2 * width and high[1] < 2 * height
    if not inside or (high - low).min() < 8:
        raise ValueError("a face outside its photo")


def _png(image: Image) -> bytes:
    order = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(".png", cv2.cvtColor(image, order))
    if not done:
        raise SinkError("A photo could not be encoded as PNG.")
    return bytes(data)


def _npy(rows: Sequence[Floats], shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    array = np.stack(rows).astype(np.float32) if rows else np.zeros((0, *shape), np.float32)
    np.lib.format.write_array(out, array, allow_pickle=False)
    return out.getvalue()
