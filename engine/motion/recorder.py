"""Recorder: motion goes to the disk frame by frame, so that hours of it need no more memory than seconds.

The format is :mod:`mien.engine.motion.recording`'s.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from mien.engine.face.layout import GRID, N_MESH, layout
from mien.engine.face.regions import REGIONS
from mien.engine.landmarks.topology import FACE_OVAL
from mien.engine.motion.body import Body
from mien.engine.motion.motion import Motion, Shape
from mien.engine.motion.shading import Shading
from mien.engine.types import SinkError
from mien.engine.utils.files import DISK_FULL, disk_full, replacing
from mien.engine.utils.images import depth_within

FORMAT, VERSION = "mien-motion", 1
STEP = 1.0 / 4096
"""Quantisation of displacements, face units; rounding errors are a hundredth of a pixel on a face 145 px
wide."""

_AS_THEY_ARE = ("regions", "affines", "gaze", "blink", "blendshapes")


class Recorder:
    """Takes motion frame by frame, and writes the file at the end.

    Args:
        folder: where the frames lie until then, in files without a name: a process that is killed leaves
            none.  Best where the result will be: a folder for temporary files may be memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._spools: dict[str, tuple[IO[bytes], np.ndarray]] = {}
        self._times: list[float] = []
        self._valid: list[bool] = []
        self._shapes: list[Shape] = []
        self._drivers: list[int] = []
        self._near_face = _near_face()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def __len__(self) -> int:
        return len(self._times)

    def add(self, motion: Motion | None, time: float) -> None:
        """Add a frame at ``time``, seconds; None: no face was measured in it.

        Raises:
            SinkError: the disk is full.
        """
        try:
            for name, value in self._row(motion or Motion.neutral()).items():
                if name not in self._spools:
                    self._spools[name] = self._files.enter_context(self._spool()), value
                self._spools[name][0].write(value.tobytes())
        except OSError as error:
            full = disk_full("the motion") if error.errno in DISK_FULL else ""
            raise SinkError(full or f"The motion cannot be kept ({error.strerror}).") from error
        self._times.append(time)
        self._valid.append(motion is not None)
        self._drivers.append(self._driver(motion))

    def save(self, path: str | Path, fps: float | None = None) -> None:
        """Write all frames to ``path``, atomically; times start at 0.

        Args:
            path: the file.
            fps: nominal frame rate; None: the median of the times'.

        Raises:
            SinkError: nothing to write, or ``path`` cannot be written.
        """
        if not self._times:
            raise SinkError(f"No motion was recorded, so {path} was not written.")
        try:
            with (
                replacing(Path(path)) as part,
                part.open("wb") as file,
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
            ):
                self._write(archive, fps)
        except OSError as error:
            raise SinkError(
                f"{path} could not be written ({error.strerror}). Choose another place."
            ) from error

    def _write(self, archive: zipfile.ZipFile, fps: float | None) -> None:
        times = np.asarray(self._times, np.float64) - self._times[0]
        whole: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "fps": nominal_fps(list(times)) if fps is None else fps,
            "time": times,
            "valid": np.array(self._valid),
            "region_names": np.array(REGIONS),
            **self._shape_arrays(),
        }
        for name, value in whole.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(value), allow_pickle=False)
        for name, (spool, row) in self._spools.items():
            header = {
                "descr": np.lib.format.dtype_to_descr(row.dtype),
                "fortran_order": False,
                "shape": (len(self._times), *row.shape),
            }
            spool.seek(0)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)
                shutil.copyfileobj(spool, entry, 1 << 20)

    def _spool(self) -> IO[bytes]:
        # Beside a device or a pipe there may be no room of our own.
        with suppress(OSError):
            return tempfile.TemporaryFile(dir=self._folder)
        return tempfile.TemporaryFile()

    def _row(self, motion: Motion) -> dict[str, np.ndarray]:
        head = motion.head
        return {
            "head": np.array((*head.shift, head.scale, head.roll, *head.turn), np.float32),
            "body": _body(motion.body or Body()),
            "shading": (motion.shading or Shading()).values,
            "points": _quantised(motion.points),
            "dense": _quantised(motion.dense) * self._near_face,
            "trust": np.round(255 * motion.trust).astype(np.uint8),
            "confidence": np.array(motion.confidence, np.float32),
            **{name: np.asarray(getattr(motion, name), np.float32) for name in _AS_THEY_ARE},
        }

    def _driver(self, motion: Motion | None) -> int:
        """The number of the driver's shape; each reference has one, which its motions share."""
        if motion is None or motion.shape is None:
            return 0
        for number, known in enumerate(self._shapes):
            if known is motion.shape:
                return number
        self._shapes.append(motion.shape)
        return len(self._shapes) - 1

    def _shape_arrays(self) -> dict[str, np.ndarray]:
        if not self._shapes:
            return {}
        first, *more = self._shapes
        arrays = {"shape_nodes": first.nodes, "shape_maps": first.to_layout}
        if more:
            arrays["more_nodes"] = np.stack([shape.nodes for shape in more])
            arrays["more_maps"] = np.stack([shape.to_layout for shape in more])
            arrays["driver"] = np.array(self._drivers, np.uint16)
        return arrays


def nominal_fps(times: Sequence[float]) -> float:
    """Frames per second of frame times (the median step's inverse; 25 for a single frame)."""
    if len(times) < 2:
        return 25.0
    step = float(np.median(np.diff(times)))
    return 1.0 / step if step > 0 else 25.0


def _near_face() -> np.ndarray:
    """``(GRID, GRID, 1)``: 1 where an avatar can use the field; the rest would only waste disk space."""
    within = depth_within(layout().nodes[N_MESH:], layout().points[list(FACE_OVAL)])
    return (within > -0.25).astype(np.int16).reshape(GRID, GRID, 1)


def _body(body: Body) -> np.ndarray:
    return np.array((*body.shift, body.scale, body.roll, body.trust), np.float32)


def _quantised(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values / STEP), -32768, 32767).astype(np.int16)
