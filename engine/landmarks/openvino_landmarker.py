"""MediaPipe's Face Landmarker networks run by OpenVINO: no ``mediapipe`` package, nothing sent anywhere."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mien.engine.landmarks.base import MAX_FACES, Landmarker, check_image
from mien.engine.landmarks.bundle import BUNDLE_PATH, load_bundle
from mien.engine.landmarks.crops import crop_of_landmarks, cut, near, project
from mien.engine.landmarks.detector import Detector
from mien.engine.landmarks.networks import LANDMARK_SIDE, BlendshapeNetwork, LandmarkNetwork
from mien.engine.landmarks.pose import PoseSolver
from mien.engine.landmarks.topology import BLENDSHAPE_POINTS
from mien.engine.types import N_BLENDSHAPES, Face, FaceCrop, Floats, Image, UsageError

MIN_PRESENCE = 0.5

MAX_SETTLING_LOOKS = 6
SETTLED = 0.03
"""A newly found face has settled when its points move by less than this, in pixels of the 256 px crop."""


HELD_FRAMES = 2
"""Frames for which a live run reuses blendshapes: they take 1 ms, and no rendered frame depends on them."""

NOT_YET: Floats = np.zeros(N_BLENDSHAPES, np.float32)
"""Blendshapes of a face that has none yet."""


@dataclass(frozen=True, slots=True)
class _Networks:
    detector: Detector
    landmarks: LandmarkNetwork
    blendshapes: BlendshapeNetwork
    pose: PoseSolver

    def twin(self) -> _Networks:
        """The same networks for another thread."""
        return _Networks(self.detector.twin(), self.landmarks.twin(), self.blendshapes.twin(), self.pose)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Result of the landmark network for one crop."""

    landmarks: Floats
    presence: float
    crop: FaceCrop


class OpenVinoLandmarker(Landmarker):
    """The default landmarker.

    Args:
        threads: CPU threads for the networks.
        bundle: path of ``face_landmarker.task``.
        live: after a face was first found, spread the search for a lost one over several frames; compute
            the blendshapes of a followed face in every third frame and reuse them in between.

    Raises:
        MienError: the bundle is missing or damaged.
    """

    name = "openvino"

    def __init__(self, threads: int = 1, bundle: Path = BUNDLE_PATH, live: bool = False) -> None:
        files = load_bundle(bundle)
        self._begin(
            _Networks(
                Detector(files.detector, threads),
                LandmarkNetwork(files.landmarks, threads),
                BlendshapeNetwork(files.blendshapes, threads),
                PoseSolver(files.geometry),
            ),
            live,
        )

    def _begin(self, networks: _Networks, live: bool) -> None:
        self._open: _Networks | None = networks
        self._followed: FaceCrop | None = None
        self._live, self._ever, self._glances = live, False, 0
        self._held: Floats | None = None
        self._held_for, self._started = 0, False
        self.faces_seen = 0

    def twin(self, *, live: bool = False) -> OpenVinoLandmarker:
        """A stateless copy for another thread, without compiling anything again.

        The two take turns using each network, for a few milliseconds at a time.
        """
        other = copy(self)
        other._begin(self._networks().twin(), live)
        return other

    def track(self, image: Image) -> Face | None:
        face = self.begin(image)
        return None if face is None else self.complete(face)

    def begin(self, image: Image) -> Face | None:
        check_image(image)
        networks = self._networks()
        seen = self._look(image, self._followed) if self._followed is not None else None
        if seen is None:
            found = (
                self._glance(networks, image) if self._live and self._ever else self._find(networks, image)
            )
            largest = max(found, key=_size, default=None)
            seen = self._settle(image, largest) if largest else None
        followed, self._followed = self._followed, self._next_crop(seen) if seen else None
        self._ever = self._ever or seen is not None
        if seen is None:
            self._held = None
            return None
        # Rendering follows the landmarks; blendshapes serve recordings and the choice of a reference.
        held = self._held if self._live and followed is not None else None
        if held is None or self._held_for >= HELD_FRAMES:
            networks.blendshapes.start(seen.landmarks[BLENDSHAPE_POINTS, :2])
            self._started, self._held_for = True, 0
        else:
            self._held_for += 1
        return self._face(networks, seen, image, NOT_YET if held is None else held)

    def complete(self, face: Face) -> Face:
        if self._started:
            self._started = False
            self._held = self._networks().blendshapes.finish()
            return replace(face, blendshapes=self._held)
        return face

    def detect(self, image: Image) -> list[Face]:
        check_image(image)
        networks = self._networks()
        found = sorted(self._find(networks, image), key=_size, reverse=True)
        return [self._face(networks, seen, image) for seen in found[:MAX_FACES]]

    def follow(self, face: Face) -> None:
        self._followed, self._ever = crop_of_landmarks(face.landmarks), True
        self._held, self._started = None, False

    def reset(self) -> None:
        self._followed, self._ever = None, False
        self._held, self._started = None, False

    def close(self) -> None:
        self._open = None
        self._followed = None

    def _networks(self) -> _Networks:
        if self._open is None:
            raise UsageError("The landmarker is closed; make a new one.")
        return self._open

    def _next_crop(self, seen: _Seen) -> FaceCrop:
        """Crop for the next frame; in live use it stays in place as long as the face does."""
        crop = crop_of_landmarks(seen.landmarks)
        return seen.crop if self._live and near(crop, seen.crop) else crop

    def _find(self, networks: _Networks, image: Image) -> list[_Seen]:
        """The faces of the first search stage that has any."""
        self.faces_seen = 0
        for crops in networks.detector.search(image):
            found = [seen for seen in (self._look(image, crop) for crop in crops) if seen]
            if found:
                self.faces_seen = len(found)
                return found
        return []

    def _glance(self, networks: _Networks, image: Image) -> list[_Seen]:
        """The faces found by one part of the search; the other parts follow in the next frames."""
        crops = networks.detector.glance(image, self._glances)
        self._glances += 1
        found = [seen for seen in (self._look(image, crop) for crop in crops) if seen]
        self.faces_seen = len(found)
        return found

    def _settle(self, image: Image, seen: _Seen) -> _Seen:
        """Run the network repeatedly, each time in the crop derived from the previous landmarks.

        Crop and landmarks agree only after a few rounds (the points move by up to half a crop pixel), and
        the first frame is often the reference for all motion, so it must be cropped as if the face had
        been followed for a while.
        """
        for _ in range(MAX_SETTLING_LOOKS):
            crop = crop_of_landmarks(seen.landmarks)
            again = self._look(image, crop)
            if again is None:
                break
            moved = float(np.abs(again.landmarks - seen.landmarks).mean())
            seen = again
            if moved * LANDMARK_SIDE < SETTLED * crop.size:
                break
        return seen

    def _look(self, image: Image, crop: FaceCrop) -> _Seen | None:
        """The landmarks in ``crop``, or None when there is no face."""
        network = self._networks().landmarks
        cut(image, crop, network.image, cv2.BORDER_REPLICATE)
        points, presence = network.run()
        if not presence >= MIN_PRESENCE:
            return None
        return _Seen(project(points, crop, LANDMARK_SIDE), presence, crop)

    def _face(self, networks: _Networks, seen: _Seen, image: Image, held: Floats | None = None) -> Face:
        """Assemble the face, with the previous frame's blendshapes ``held`` if given."""
        height, width = image.shape[:2]
        if held is None:
            held = networks.blendshapes.run(seen.landmarks[BLENDSHAPE_POINTS, :2])
        return Face(
            landmarks=seen.landmarks,
            pose=networks.pose.solve(seen.landmarks, width, height),
            blendshapes=held,
            confidence=seen.presence,
            crop=seen.crop,
        )


def _size(seen: _Seen) -> float:
    """The face's area in square pixels."""
    width, height = np.ptp(seen.landmarks[:, :2], axis=0)
    return float(width * height)
