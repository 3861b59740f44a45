"""Cross-identity driving: other people's portraits driven by unseen clips, through the engine.

Tracking, transfer and composition are the engine's, with file settings; each passage is tracked once and
drawn by every method.  There is no ground truth, so motion is compared with the driver's
(:mod:`mien.train.metrics.fidelity`) and the face with the portrait's (:mod:`mien.train.metrics.identity`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.landmarks import Landmarker
from mien.engine.motion import Motion
from mien.engine.mouth.mode import PAINTED
from mien.engine.presets import PresetRuntime, preset_of
from mien.engine.tracking import Tracker
from mien.engine.types import Face, Floats, Frame, Image, MienError
from mien.train.evaluation.passages import Passage
from mien.train.metrics.fair_motion import ceiling, reliability
from mien.train.metrics.fidelity import compare, motion_of
from mien.train.metrics.identity import FaceEmbedding, cosine
from mien.train.metrics.image_tears import TearGauge, face_in

METHODS = ("still", "warp", "ours")
MEASURES = ("correlation", "gain", "jitter", "identity", "lost", "torn", "ceiling")
RATE = 25.0
LOOKS = 4
"""Number of frames of a result whose identity is measured."""

UNMOVED = {"correlation": 0.0, "gain": 0.0, "jitter": 0.0, "identity": 1.0, "lost": 0.0, "torn": 0.0}
"""Scores of the still image, by definition."""


@dataclass(frozen=True)
class Drive:
    """One passage driving one portrait, measured.

    Attributes:
        clip, portrait: ids of the driving clip and of the portrait's.
        kind: of the passage.
        scores: method -> measure -> value (NaN if it cannot be computed).
        images: portrait, driver, without the network, ours at the passage's strongest motion.
    """

    clip: str
    portrait: str
    kind: str
    scores: dict[str, dict[str, float]]
    images: tuple[Image, ...]


class Driving:
    """Drives portraits and measures the results.

    Args:
        runtimes: without the network and of the weights under test.  If the preset of one needs
            the driver's frames, its tracker measures what it needs as well, as in the engine.
        landmarker: finds faces in portraits and results.
        embed: the face embedding, or None: identity is NaN then.
    """

    def __init__(
        self, runtimes: Mapping[str, PresetRuntime], landmarker: Landmarker, embed: FaceEmbedding | None
    ) -> None:
        self._runtimes = runtimes
        self._seeing = next((r for r in runtimes.values() if preset_of(r).needs_frames), None)
        self._landmarker = landmarker
        self._embed = embed

    def run(
        self,
        passages: Sequence[Passage],
        portraits: Sequence[tuple[str, str, Image]],
        done: Callable[[], None] = lambda: None,
    ) -> list[Drive]:
        """Let each passage drive a portrait of another group of people, the portraits in turn.

        Args:
            portraits: id, group and image; a passage's own clip is found by its id.
        """
        groups = {name: group for name, group, _ in portraits}
        drives: list[Drive] = []
        turn = 0
        for passage in passages:
            for _ in portraits:  # the next portrait of another group with a usable face
                name, group, image = portraits[turn % len(portraits)]
                turn += 1
                if group != groups.get(passage.clip, passage.clip):
                    drive = self._drive(passage, name, image)
                    if drive is not None:
                        drives.append(drive)
                        break
            done()
        return drives

    def _drive(self, passage: Passage, name: str, portrait: Image) -> Drive | None:
        avatars = {}
        for method, runtime in self._runtimes.items():
            try:
                avatars[method] = Avatar.of(portrait, self._landmarker, runtime, name)
            except MienError:  # no face, or one too small
                return None
        motions = tracked(passage.frames, self._seeing)
        driver = motion_of(passage.frames, passage.face)
        strongest = int(np.argmax(driver.strength()))
        most = ceiling(reliability(passage.frames, passage.face, driver))
        scores, images = {"still": UNMOVED | {"ceiling": most}}, [portrait, passage.frames[strongest]]
        for method, runtime in self._runtimes.items():
            results = rendered(motions, avatars[method], runtime)
            found = compare(driver, motion_of(results, avatars[method].face))
            scores[method] = {
                "correlation": found.correlation,
                "gain": found.gain,
                "jitter": found.jitter,
                "ceiling": most,
                **self._identity(portrait, avatars[method].face, results),
            }
            images.append(results[strongest])
        return Drive(passage.clip, name, passage.kind, scores, tuple(images))

    def _identity(self, portrait: Image, face: Face, results: list[Image]) -> dict[str, float]:
        places = np.unique(np.linspace(1, len(results) - 1, LOOKS).round().astype(int))
        gauge = TearGauge(portrait, face, self._landmarker)
        seen: list[Floats] = []
        torn = 0
        for place in places:
            there = face_in(results[place], self._landmarker)
            torn += gauge(results[place], there).torn
            if there is not None and self._embed is not None:
                seen.append(self._embed(results[place], there.landmarks))
            elif there is not None:
                seen.append(np.zeros(0, np.float32))
        found = {"lost": 1.0 - len(seen) / len(places), "torn": torn / len(places)}
        if self._embed is None or not seen:
            return {"identity": float("nan"), **found}
        person = self._embed(portrait, face.landmarks)
        return {"identity": float(np.mean([cosine(one, person) for one in seen])), **found}


def tracked(frames: Sequence[Image], runtime: PresetRuntime | None = None) -> list[Motion | None]:
    """The motion of every frame relative to the first, with file settings.

    Args:
        runtime: if given, motions include what the renderer of its preset needs.
    """
    with Tracker() if runtime is None else preset_of(runtime).make_tracker(runtime, None, None) as tracker:
        return [tracker.track(Frame(image, k, 0, k / RATE)) for k, image in enumerate(frames)]


def rendered(motions: Sequence[Motion | None], avatar: Avatar, runtime: PresetRuntime) -> list[Image]:
    """Render the portrait with each of these motions."""
    animator = Animator(avatar, runtime=runtime, mouth=PAINTED)
    return [animator.play(motion, k / RATE).image for k, motion in enumerate(motions)]
