"""Setup of a benchmark: avatar, driver, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import cv2

from mien.engine.animator import Animator
from mien.engine.avatar import Avatar
from mien.engine.benchmark.arguments import Options
from mien.engine.benchmark.driving_images import driver_images, read_clip, read_portrait
from mien.engine.landmarks import make_landmarker
from mien.engine.mouth.mode import MouthMode
from mien.engine.runtime import Runtime, default_runtime
from mien.engine.runtime.openvino import Network, OpenVinoRuntime
from mien.engine.session.session import Session
from mien.engine.tracking import TrackerSettings
from mien.engine.types import Image
from mien.engine.utils.memory import release_freed


@dataclass(frozen=True, slots=True)
class Setup:
    """Objects shared by the parts of a benchmark.

    Attributes:
        runtime: the default one, with its network on every frame, trained or not.
        avatar: prepared for it.
        portrait: ``(H, W, 3) uint8`` RGB.
        images: the driver's, ``(H, W, 3) uint8`` RGB.
        ready_s: seconds to create the runtime and the avatar.
        mouth: what is between the avatar's lips.
    """

    runtime: OpenVinoRuntime
    avatar: Avatar
    portrait: Image
    images: list[Image]
    ready_s: float
    mouth: MouthMode

    @contextmanager
    def session(self, runtime: Runtime | None = None, avatar: Avatar | None = None) -> Iterator[Session]:
        """Create a session like a live run's, for one measurement."""
        cv2.setNumThreads(1)  # as in a live run
        # Nothing is skipped: all frames of a benchmark count.
        settings = TrackerSettings(live=True, paced=True)
        given = avatar or self.avatar
        with Animator(
            given, live=True, runtime=runtime or self.runtime, settings=settings, mouth=self.mouth
        ) as animator:
            animator.load()
            release_freed()  # as a live run does
            yield animator.session


def set_up(options: Options) -> Setup:
    """Load everything, the user's files first.

    Raises:
        MienError: portrait or clip cannot be read, or shows no face.
    """
    portrait = read_portrait(options.avatar)
    clip = None if options.clip is None else read_clip(options.clip)
    start = perf_counter()
    runtime = default_runtime(options.threads, options.precision)
    with make_landmarker() as landmarker:
        avatar = Avatar.of(portrait, landmarker, runtime, str(options.avatar or "the portrait"))
        ready = perf_counter() - start
        images = driver_images(clip, options.size, landmarker, runtime)
    # The figures are those of a trained network, even while the shipped one is not.
    runtime.network = Network.EVERY_FRAME
    return Setup(runtime, avatar, portrait, images, ready, options.mouth)
