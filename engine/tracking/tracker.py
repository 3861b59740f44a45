"""The tracker: driving frames in, motion relative to the reference frame out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.engine.face.head_pose import Similarity, calm, parallax, turn_between
from mien.engine.face.layout import GRID, N_MESH, apply2
from mien.engine.landmarks import Landmarker, make_landmarker
from mien.engine.motion import Body, Motion
from mien.engine.mouth.view import view_mouth
from mien.engine.tracking import landmark_field
from mien.engine.tracking.alignment import FILE_SIDE, LIVE_SIDE, sample_layout
from mien.engine.tracking.head_motion import landmark_motion, split_head
from mien.engine.tracking.key_frames import EVERY, KeyFrames, face_mean
from mien.engine.tracking.measured_motion import Field, measured_motion
from mien.engine.tracking.one_euro import OneEuro
from mien.engine.tracking.pace import Carried, Pace
from mien.engine.tracking.reference import Reference
from mien.engine.tracking.shoulder_tracker import ShoulderTracker, expected_shift
from mien.engine.tracking.skin_light import Change
from mien.engine.tracking.steady_light import SteadyLight
from mien.engine.types import Face, Floats, Frame, Image
from mien.engine.utils.curves import ramp

SURE = (0.93, 0.98)
"""Files: mean trust on the face up to which a frame is aligned a second time, resampled by what was found
first, and from which on once is enough.  Where landmarks are pixels off, the first look sees a distorted face
and is hardly trusted: in 24 frames driven by others of their clips, eyes are 2 % nearer with it."""

REST, SPEED, SPEED_CUTOFF, STILL, NEAR = 2.0, 400.0, 2.0, 0.01, 5
"""Live: the field's One-Euro filter: cut-off at rest, Hz, and its increase with the speed; cut-off of the
speed, Hz; speed up to which a node rests, face units a second; box of nodes over which speed is averaged.

On eleven subtle passages the filtered field has 0.992 of the strength of the unfiltered one and a correlation
with it of 0.996, and noise of 2 grey levels moves a face at rest by 0.0125 px of 128 from frame to frame.
With 3 Hz at rest, opened node by node, late and little (60, 1 Hz), it was 0.961, 0.988 and 0.0163 px: a
twenty-fifth of every micro-expression was lost, most of it at the onset."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Settings of the tracker.

    Attributes:
        landmarks: ``"openvino"`` or ``"mediapipe"``.
        refine: measure by alignment (otherwise by landmark differences alone).
        live: smooth over time, and align at a resolution that leaves time for rendering.
        threads: CPU threads of the landmark networks.
        mouth: keep the driver's mouth and the light on their skin with every motion, for an avatar that is to
            show them.
        paced: leave the landmark network out of every second frame while it takes longer than the frames
            are apart: the head and the skin are measured in every frame, lids and lips in every second.
    """

    landmarks: str = "openvino"
    refine: bool = True
    live: bool = False
    threads: int = 1
    mouth: bool = False
    paced: bool = False


class Tracker:
    """Follows one driver: landmarks, then alignment with the reference frame, then the regions' fits.

    >>> with Tracker() as tracker:                    # doctest: +SKIP
    ...     for frame in frames:
    ...         motion = tracker.track(frame)         # None while no face is seen

    The first frame with a face becomes the reference unless :meth:`set_reference` was called.
    A tracker may be used by one thread at a time.

    Attributes:
        face: the face in the last frame, or None.
        frame: the last frame, resized to the reference's size, to which ``face``'s landmarks refer.
        reference: the reference, or None before the first face.
        reference_frame: the image that :meth:`set_reference` was given, and the face in it.
    """

    def __init__(self, settings: TrackerSettings | None = None, landmarker: Landmarker | None = None) -> None:
        self.settings = settings or TrackerSettings()
        self.landmarker = landmarker or make_landmarker(
            self.settings.landmarks, self.settings.threads, live=self.settings.live
        )
        self.face: Face | None = None
        self.frame: Frame | None = None
        self.reference: Reference | None = None
        self.reference_frame: tuple[Image, Face] | None = None
        self._turn = OneEuro(cutoff=1.5, speed=6.0)
        self._smooth = OneEuro(REST, SPEED, SPEED_CUTOFF, STILL, NEAR)
        self._light = SteadyLight(self.settings.live)
        self._keys: KeyFrames | None = None
        self._shoulders: ShoulderTracker | None = None
        self._size: tuple[int, int] | None = None
        self._pace = Pace()
        self._carried: Carried | None = None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.landmarker.close()

    def fresh(self) -> Tracker:
        """Another tracker with the same settings and networks, but without any state."""
        return Tracker(self.settings, self.landmarker)

    def set_reference(self, image: Image, face: Face | None = None, parted: float = 0.0) -> bool:
        """Make ``image`` the reference frame; returns False (and changes nothing) if no face is in it.

        Args:
            parted: see :meth:`mien.engine.tracking.reference.Reference.of`.
        """
        face = face or self.landmarker.track(image)
        if face is None:
            return False
        self._size = (image.shape[0], image.shape[1])
        self.reference_frame = image, face
        side = LIVE_SIDE if self.settings.live else FILE_SIDE
        self.reference = Reference.of(image, face, side, parted)
        self._turn.reset()
        self._smooth.reset()
        self._light.reset()
        self._keys = self._shoulders = self._carried = None
        return True

    def track(self, frame: Frame) -> Motion | None:
        """Measure the driver's motion in ``frame``; None if no face is found."""
        if self.settings.paced and self._pace.spares(frame.time):
            motion = self._without_network(frame)
            if motion is not None:
                return motion
        start = perf_counter()
        self.frame = self._at_reference_size(frame)
        face = self.face = self.landmarker.begin(self.frame.image)
        if face is None:
            self._carried = None
            return None
        if self.reference is None:
            face = self.face = self.landmarker.complete(face)
            self.set_reference(self.frame.image, face)
        motion = self.measure(self.frame, face)
        self._pace.took(perf_counter() - start)
        return motion

    def _without_network(self, frame: Frame) -> Motion | None:
        """The motion in a frame, with lids and lips as in the last one; None if that will not do."""
        face, carried, reference = self.face, self._carried, self.reference
        if face is None or carried is None or reference is None:
            return None
        head = carried.expected(reference.geometry.centre, reference.geometry.unit)
        if head is None:
            return None
        self.frame = self._at_reference_size(frame)
        return self._measured(self.frame, carried.moved(face, head), carried)

    def locate(self, frame: Frame) -> Face | None:
        """Find the face in ``frame``; :attr:`frame` is then the frame at the reference's size."""
        self.frame = self._at_reference_size(frame)
        self.face = self.landmarker.track(self.frame.image)
        return self.face

    def _at_reference_size(self, frame: Frame) -> Frame:
        """The frame at the reference frame's size: cameras change their size in mid-stream.

        It is scaled until it covers the reference's size and then cropped about its centre, which is how a
        camera shows the same scene at another aspect ratio.
        """
        if self._size is None or frame.image.shape[:2] == self._size:
            return frame
        height, width = self._size
        scale = max(height / frame.image.shape[0], width / frame.image.shape[1])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grown = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=how)
        top, left = max(0, (grown.shape[0] - height) // 2), max(0, (grown.shape[1] - width) // 2)
        cut = np.ascontiguousarray(grown[top : top + height, left : left + width])
        return replace(frame, image=np.asarray(cut, np.uint8))

    def measure(self, frame: Frame, face: Face) -> Motion:
        """The motion of an already found ``face`` in ``frame`` relative to the reference."""
        return self._measured(frame, face)

    def _measured(self, frame: Frame, face: Face, carried: Carried | None = None) -> Motion:
        """The same; ``carried`` is what a face that no network saw in this frame was carried from."""
        reference = self.reference
        if reference is None:
            raise ValueError("a tracker measures against a reference: call set_reference first")
        turn = self._turned(reference, face, frame.time)
        turned = reference.geometry.nodes + parallax(reference.geometry.solid, turn)
        head, moved = landmark_motion(reference, face, turned)
        live, points = self.settings.live, None
        grid = landmark_field.on_grid(moved, quick=live)
        trust, change = np.zeros((GRID, GRID), np.float32), None
        if self.settings.refine:
            grid, trust, change = self._aligned(frame, reference, head, turn, turned, grid)
            head, grid = split_head(reference, head, turned, grid, 4 if live else 1)
        else:
            points = landmark_field.at_points(moved)
        if carried is not None:
            face = self.face = carried.moved(face, head)
        elif face is self.face:
            face = self.face = self.landmarker.complete(face)  # computed beside the alignment
        if self.settings.paced:
            self._carried = Carried.of(face, head, self._carried, carried)
        grid = grid.reshape(GRID, GRID, 2)
        light, shading = (None, None) if change is None else self._light(change, turn, grid, frame.time)
        if live:
            grid = self._smooth(grid, frame.time)
        field = Field(grid, trust, points, 1 if live else 2)
        motion = measured_motion(frame, face, reference, head, turn, turned, field)
        motion = replace(motion, light=light, shading=shading, body=self._body(frame, reference, head, turn))
        if not self.settings.mouth:
            return motion
        unit = reference.geometry.unit * abs(head.a)
        return replace(motion, mouth=view_mouth(frame.image, face.landmarks, unit, face.confidence))

    def _body(
        self, frame: Frame, reference: Reference, head: Similarity, turn: tuple[float, float]
    ) -> Body | None:
        """The shoulders' motion; None where the reference shows too little of them."""
        if reference.shoulders is None:
            return None
        if self._shoulders is None:
            self._shoulders = ShoulderTracker(reference.shoulders)
        expected = expected_shift(reference.geometry, head, turn)
        return self._shoulders.track(frame.image, frame.time, expected)

    def _turned(self, reference: Reference, face: Face, time: float) -> tuple[float, float]:
        turn = np.array(turn_between(reference.face.pose, face.pose), np.float32)
        pitch, yaw = self._turn(turn, time)
        return calm((float(pitch), float(yaw)))

    def _aligned(
        self,
        frame: Frame,
        reference: Reference,
        head: Similarity,
        turn: tuple[float, float],
        turned: Floats,
        landmarks: Floats,
    ) -> tuple[Floats, Floats, Change | None]:
        """Displacement on the grid by alignment, falling back to the landmarks where it fails.

        Args:
            landmarks: ``(GRID * GRID, 2)`` displacements by the landmarks on the grid.

        Returns:
            ``(GRID * GRID, 2)`` displacements, the trust, and the light on the skin (None where it is not
            asked for).
        """
        if self._keys is None:
            self._keys = KeyFrames(reference.aligner, every=EVERY if self.settings.live else 1)
        keys = self._keys
        geometry = reference.geometry
        unit = geometry.unit * abs(head.a)

        def resampled(field: Floats) -> NDArray[np.uint8]:
            """The frame resampled into the layout by a displacement field ``(GRID * GRID, 2)``."""
            positions = head.apply(turned[N_MESH:] + apply2(geometry.axes[N_MESH:], field))
            return sample_layout(frame.image, positions, unit, reference.aligner.side)

        def looked(gray: NDArray[np.uint8], field: Floats) -> tuple[Floats, Floats]:
            beyond = (landmarks - field).reshape(GRID, GRID, 2)
            return keys.align(gray, turn, frame.time, beyond)

        start = landmark_field.without_noise(landmarks)
        gray = resampled(start)
        correction, trust = looked(gray, start)
        grid = start + correction.reshape(-1, 2)
        again = 0.0 if self.settings.live else 1.0 - ramp(face_mean(trust), SURE)
        if again > 0.0:
            gray = resampled(grid)
            correction, trust = looked(gray, grid)
            correction = np.float32(again) * correction
            grid = grid + correction.reshape(-1, 2)
        if keys.wanted(turn, trust):
            keys.add(resampled(grid), turn, frame.time)
        change = reference.skin.change(gray, correction, trust) if self.settings.mouth else None
        return grid, trust, change
