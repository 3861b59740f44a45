"""The model bundle ``face_landmarker.task``: three TFLite networks and the face geometry in a zip archive."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.engine.types import Floats, ModelError
from mien.engine.utils.assets import ASSETS

T = TypeVar("T")

BUNDLE_PATH = ASSETS / "face_landmarker.task"

N_MESH = 468
"""Points of the canonical mesh: the 478 landmarks without the ten iris points."""

_NETWORKS = "face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite"
_GEOMETRY = "geometry_pipeline_metadata_landmarks.binarypb"
_FLOATS_PER_VERTEX = 5  # position (3) and texture coordinates (2)


@dataclass(frozen=True, slots=True)
class FaceGeometry:
    """MediaPipe's canonical face.

    Attributes:
        mesh: ``(468, 3) float32`` cm; x towards the image's right, y up, z towards the viewer.
        triangles: ``(T, 3) int32`` indices into ``mesh``.
        weights: ``(468,) float32``, how much each point counts for the head pose (mostly 0).
    """

    mesh: Floats
    triangles: NDArray[np.int32]
    weights: Floats


@dataclass(frozen=True, slots=True)
class Bundle:
    """Contents of ``face_landmarker.task``: the networks as TFLite bytes, and the face geometry."""

    detector: bytes
    landmarks: bytes
    blendshapes: bytes
    geometry: FaceGeometry


def load_bundle(path: Path = BUNDLE_PATH) -> Bundle:
    """Read the bundle at ``path``.

    Raises:
        ModelError: the file is missing, not a bundle, or damaged.
    """

    def all_of(archive: zipfile.ZipFile) -> Bundle:
        detector, landmarks, blendshapes = (archive.read(name) for name in _NETWORKS)
        return Bundle(detector, landmarks, blendshapes, _geometry_in(archive))

    return _read(path, all_of)


@lru_cache(maxsize=1)
def face_geometry() -> FaceGeometry:
    """The canonical face of the bundle shipped with Mien; the networks beside it are not read.

    Raises:
        MienError: the bundle is missing or damaged.
    """
    return _read(BUNDLE_PATH, _geometry_in)


def _read(path: Path, take: Callable[[zipfile.ZipFile], T]) -> T:
    try:
        with zipfile.ZipFile(path) as archive:
            return take(archive)
    except FileNotFoundError as error:
        raise ModelError(f"The face landmark models are missing: {path}. Reinstall mien.") from error
    except (OSError, zipfile.BadZipFile, KeyError, EOFError, ValueError, IndexError, struct.error) as error:
        raise ModelError(
            f"The face landmark models in {path} are damaged ({error}). Reinstall mien."
        ) from error


def _geometry_in(archive: zipfile.ZipFile) -> FaceGeometry:
    return _parse_geometry(archive.read(_GEOMETRY))


def canonical_mesh() -> Floats:
    """The canonical face mesh: ``(468, 3) float32`` cm, x to the image's right, y up, z to the viewer.

    The array is a copy.

    Raises:
        MienError: the bundle is missing or damaged.
    """
    return np.array(face_geometry().mesh, np.float32)


def _parse_geometry(data: bytes) -> FaceGeometry:
    """Protocol buffer: 1 = mesh {3: vertex floats, 4: indices}, 2 = weighted point {1: index, 2: weight}."""
    vertices: list[float] = []
    indices: list[int] = []
    weights = np.zeros(N_MESH, np.float32)
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            for mesh_field, item in _fields(value):
                if mesh_field == 3:
                    vertices.extend(_floats(item))
                elif mesh_field == 4:
                    indices.extend(_varints(item))
        elif field == 2 and isinstance(value, bytes):
            point = dict(_fields(value))
            weights[int(point.get(1, 0))] = _floats(point[2])[0]
    mesh = np.asarray(vertices, np.float32).reshape(-1, _FLOATS_PER_VERTEX)[:, :3].copy()
    triangles = np.asarray(indices, np.int32).reshape(-1, 3)
    if mesh.shape[0] != N_MESH or triangles.size == 0 or triangles.max() >= N_MESH or weights.sum() <= 0:
        raise ValueError(f"{_GEOMETRY} does not describe a face of {N_MESH} points")
    for array in (mesh, triangles, weights):
        array.setflags(write=False)
    return FaceGeometry(mesh, triangles, weights)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of one protocol buffer message: numbers, and values as ints or raw bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == 0:
            number, at = _varint(data, at)
            yield field, number
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"unknown wire type {kind}")
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield field, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _varints(item: int | bytes) -> list[int]:
    """A repeated integer, packed or single."""
    if isinstance(item, int):
        return [item]
    numbers, at = [], 0
    while at < len(item):
        number, at = _varint(item, at)
        numbers.append(number)
    return numbers


def _floats(item: int | bytes) -> tuple[float, ...]:
    """A repeated float, packed or single."""
    if isinstance(item, int):
        raise ValueError("a number is not a float")
    return struct.unpack(f"<{len(item) // 4}f", item)
