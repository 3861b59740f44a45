"""Recorded motion: a driver without a single pixel of them.

Format ``mien-motion``, version 1: a NumPy ``.npz`` archive (no pickles) of

==================  =====================  ==========================================================
name                shape, dtype           meaning
==================  =====================  ==========================================================
``format``          text                   ``"mien-motion"``
``version``         int                    1
``fps``             float                  nominal frame rate
``time``            (T,) float64           seconds, from 0
``valid``           (T,) bool              whether a face was measured in the frame
``head``            (T, 6) float32         shift x, y (face units), scale, roll, pitch, yaw (radians)
``points``          (T, 478, 2) int16      landmark displacements, 1/4096 face unit
``dense``           (T, 48, 48, 2) int16   field on the layout's grid, 1/4096 face unit; 0 off the face
``trust``           (T, 48, 48) uint8      0..255 for 0..1
``regions``         (T, K, 2) float32      regions' displacements, face units
``affines``         (T, K, 2, 2) float32   regions' local affines
``gaze``            (T, 2, 2) float32      irises' displacements within the lids, face units
``blink``           (T, 2) float32         eye closure 0..1 (right, left)
``blendshapes``     (T, 52) float32        MediaPipe's blendshapes of the frames themselves
``confidence``      (T,) float32           landmark network's presence score
``shape_nodes``     (N, 2) float32         driver's face: nodes relative to the head's centre, face units
``shape_maps``      (N, 2, 2) float32      driver's face: image displacement -> layout displacement
``more_nodes``      (S, N, 2) float32      of further drivers, or further references, where there are any
``more_maps``       (S, N, 2, 2) float32   likewise
``driver``          (T,) uint16            with them: whose shape a frame's is, 0 for the first
``body``            (T, 5) float32         shoulders: shift x, y (face units), scale, roll (radians), trust
``shading``         (T, 3) float32         light: log of its level, slopes right and down, per face unit
``region_names``    (K,) text              names of the regions
==================  =====================  ==========================================================

The ``N`` nodes are the 468 landmarks of the face mesh and the 48 x 48 grid nodes; the two ``shape``
arrays are absent if no face was measured, and a reader that does not know the three after them takes the
first driver's for all.  Older files have no ``body`` (shoulders are guessed from the head then) and no
``shading`` (the portrait keeps its light).  One face unit is the distance between the outer eye corners
(:mod:`mien.engine.face.layout`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.engine.face.layout import GRID, N_MESH
from mien.engine.face.regions import REGIONS
from mien.engine.motion.body import Body
from mien.engine.motion.motion import Head, Motion, Shape
from mien.engine.motion.recorder import FORMAT, STEP, VERSION, Recorder, nominal_fps
from mien.engine.motion.region_fit import RegionFits
from mien.engine.motion.shading import Shading
from mien.engine.types import N_BLENDSHAPES, N_LANDMARKS, Floats, SourceError
from mien.engine.utils.archives import DamagedArchiveError, read_archive
from mien.engine.utils.files import no_such_file

__all__ = ["FORMAT", "STEP", "VERSION", "Recording", "load_recording", "nominal_fps", "save_recording"]


@dataclass(frozen=True)
class Recording:
    """Recorded motion.

    Attributes:
        motions: one per frame; None where no face was seen.
        times: seconds, from 0, one per frame.
        fps: nominal frame rate.
    """

    motions: tuple[Motion | None, ...]
    times: tuple[float, ...]
    fps: float

    def __len__(self) -> int:
        return len(self.motions)

    def __iter__(self) -> Iterator[Motion | None]:
        return iter(self.motions)


def save_recording(path: str | Path, recording: Recording) -> None:
    """Write ``recording`` to ``path`` atomically.

    Raises:
        SinkError: nothing to write, or ``path`` cannot be written.
    """
    with Recorder(Path(path).parent) as recorder:
        for time, motion in zip(recording.times, recording, strict=True):
            recorder.add(motion, time)
        recorder.save(path, recording.fps)


def load_recording(path: str | Path) -> Recording:
    """Read a recording.

    Raises:
        SourceError: missing, damaged, another kind of file, or a newer version.
    """
    try:
        arrays = read_archive(Path(path))
    except FileNotFoundError as error:
        raise SourceError(no_such_file(Path(path))) from error
    except (OSError, DamagedArchiveError) as error:
        raise SourceError(f"{path} is not a readable motion file. Record one with --save-motion.") from error
    if str(arrays.get("format")) != FORMAT:
        raise SourceError(f"{path} contains no recorded motion. Record some with --save-motion.")
    try:
        if int(arrays["version"]) > VERSION:
            raise SourceError(
                f"{path} was written by a newer Mien (format {arrays['version']}). Update Mien."
            )
        _check(arrays)
        return _recording(arrays)
    except KeyError as error:
        raise SourceError(
            f"{path} is damaged: it has no {error}. Record it again with --save-motion."
        ) from error
    except (ValueError, TypeError, IndexError, ArithmeticError) as error:
        raise SourceError(f"{path} is damaged: {error}. Record it again with --save-motion.") from error


def _shapes(arrays: dict[str, np.ndarray]) -> list[Shape | None]:
    """The shape of each frame's driver."""
    count = arrays["time"].size
    if "shape_nodes" not in arrays:
        return [None] * count
    nodes, maps = arrays["shape_nodes"][None], arrays["shape_maps"][None]
    driver = np.zeros(count, int)
    if "driver" in arrays:
        nodes = np.concatenate([nodes, arrays["more_nodes"]])
        maps = np.concatenate([maps, arrays["more_maps"]])
        driver = arrays["driver"].astype(int)
    shapes = [Shape(_floats(one), _floats(map_)) for one, map_ in zip(nodes, maps, strict=True)]
    return [shapes[number] for number in driver.reshape(count)]


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Raise ValueError or KeyError unless the arrays conform to the format."""
    if tuple(str(name) for name in arrays["region_names"].ravel()) != REGIONS:
        raise ValueError("its regions are not this version's")
    count, regions = arrays["time"].size, len(REGIONS)
    shapes = {
        "time": (count,),
        "valid": (count,),
        "head": (count, 6),
        "points": (count, N_LANDMARKS, 2),
        "dense": (count, GRID, GRID, 2),
        "trust": (count, GRID, GRID),
        "regions": (count, regions, 2),
        "affines": (count, regions, 2, 2),
        "gaze": (count, 2, 2),
        "blink": (count, 2),
        "blendshapes": (count, N_BLENDSHAPES),
        "confidence": (count,),
        "fps": (),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds values that are not finite")
    nodes = N_MESH + GRID * GRID
    for name, last in (("shape_nodes", (nodes, 2)), ("shape_maps", (nodes, 2, 2))):
        if "shape_nodes" in arrays and arrays[name].shape != last:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {last}")
    if "body" in arrays:
        if arrays["body"].shape != (count, 5) or not np.isfinite(arrays["body"]).all():
            raise ValueError("its shoulders are not five finite numbers a frame")
        if (arrays["body"][:, 2] <= 0).any():
            raise ValueError("its shoulders have no size")
    if "shading" in arrays and (
        arrays["shading"].shape != (count, 3) or not np.isfinite(arrays["shading"]).all()
    ):
        raise ValueError("its light is not three finite numbers a frame")
    if count == 0 or arrays["time"][0] < 0 or (np.diff(arrays["time"]) <= 0).any():
        raise ValueError("its times do not increase from 0")
    if not 0 < arrays["fps"] <= 100_000:
        raise ValueError("its frame rate is out of range")


def _recording(arrays: dict[str, np.ndarray]) -> Recording:
    times = [float(t) for t in arrays["time"]]
    count = len(times)
    valid = arrays["valid"]
    shapes = _shapes(arrays)
    motions = [_motion(arrays, i, times[i], shapes[i]) if valid[i] else None for i in range(count)]
    return Recording(tuple(motions), tuple(times), float(arrays["fps"]))


def _motion(arrays: dict[str, np.ndarray], index: int, time: float, shape: Shape | None) -> Motion:
    x, y, scale, roll, pitch, yaw = (float(v) for v in arrays["head"][index])
    return Motion(
        index=index,
        captured_ns=0,
        time=time,
        head=Head((x, y), scale, roll, (pitch, yaw)),
        points=arrays["points"][index].astype(np.float32) * np.float32(STEP),
        dense=arrays["dense"][index].astype(np.float32) * np.float32(STEP),
        trust=arrays["trust"][index].astype(np.float32) / np.float32(255),
        confidence=float(arrays["confidence"][index]),
        shape=shape,
        fits=RegionFits.given(_floats(arrays["regions"][index]), _floats(arrays["affines"][index])),
        gaze=_floats(arrays["gaze"][index]),
        blink=_floats(arrays["blink"][index]),
        blendshapes=_floats(arrays["blendshapes"][index]),
        body=_body(arrays, index),
        shading=_shading(arrays, index),
    )


def _body(arrays: dict[str, np.ndarray], index: int) -> Body | None:
    """The shoulders' motion; None where it was not measured."""
    if "body" not in arrays:
        return None
    x, y, scale, roll, trust = (float(v) for v in arrays["body"][index])
    return Body((x, y), scale, roll, min(max(trust, 0.0), 1.0)) if trust > 0 else None


def _shading(arrays: dict[str, np.ndarray], index: int) -> Shading | None:
    """The light on the face; None where it was not measured."""
    if "shading" not in arrays:
        return None
    return Shading.of(arrays["shading"][index])


def _floats(values: np.ndarray) -> Floats:
    return np.asarray(values, np.float32)
