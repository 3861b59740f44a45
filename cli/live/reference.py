"""Reference frame of a live run: taken automatically, by key, offered to newcomers, kept as a profile."""

from __future__ import annotations

from collections.abc import Callable

from mien.engine.face.likeness import drawback, reference_problem
from mien.engine.session.session import Tracked
from mien.engine.tracking import Tracker
from mien.engine.tracking.auto_reference import AutoReference, Ghost, Newcomer
from mien.engine.tracking.neutral_profile import Profile, load_profile, profile_path, save_profile
from mien.engine.types import Face, Image, MienError
from mien.engine.utils.folders import NO_HOME

OFFER = "another face? press X to make it the reference"


class Calibration:
    """Watches every tracked frame.  Everything that changes it is called in the tracker's thread.

    Args:
        tracker: whose reference it keeps.
        tell: shows a line to the user; any thread.
        profile: name of the person, if their neutral face is to be remembered.
        camera: name of the camera.

    Attributes:
        ghost: the present reference, for its owner to look at; in memory only.
    """

    def __init__(
        self, tracker: Tracker, tell: Callable[[str], None], profile: str | None = None, camera: str = ""
    ) -> None:
        self._tracker, self._tell = tracker, tell
        self._name, self._camera = profile, camera
        self._path = profile_path(profile, camera) if profile else None
        self._saved = load_profile(self._path) if self._path else None
        self._auto, self._newcomer = AutoReference(self._saved), Newcomer()
        self._known: object = None
        self.ghost: Ghost | None = None

    @property
    def remembered(self) -> bool:
        """Whether the neutral face of this person is known from an earlier run."""
        return self._saved is not None

    def hold(self) -> None:
        """Stop taking references automatically; in the tracker's thread."""
        self._auto.done = True

    def set(self, image: Image, face: Face, told: str = "reference set") -> None:
        """Make this image the reference; in the tracker's thread."""
        self.hold()
        self._tracker.set_reference(image, face)
        self._known, self.ghost = self._tracker.reference, Ghost(image, face)
        why = drawback(image, face)
        self._tell(told + (f", but {why}" if why else ""))
        if reference_problem(face) is None:
            self._remember(face)

    def watch(self, tracked: Tracked) -> None:
        """Consider a tracked frame."""
        reference = self._tracker.reference
        if reference is not self._known and reference is not None and tracked.face is not None:
            # The tracker took its first face: good enough to move at once, until a better one comes.
            self._known, self.ghost = reference, Ghost(tracked.frame.image, reference.face)
        face, time = tracked.face, tracked.frame.time
        at_rest = reference.face if reference is not None else None
        if self._newcomer.look(face, time, at_rest):
            self._tell(OFFER)
        was_done = self._auto.done
        if self._auto.look(face, time, at_rest) and face is not None:
            self.set(tracked.frame.image, face, "neutral face found: reference set")
        elif self._auto.done and not was_done and at_rest is not None:
            self._remember(at_rest)
            if (shown := self._tracker.reference_frame) is not None and (why := drawback(*shown)):
                self._tell(f"reference set, but {why}")

    def _remember(self, face: Face) -> None:
        if self._name is None:
            return
        if self._path is None:
            self._tell(f"the profile of {self._name} is not kept: {NO_HOME}")
            self._name = None
            return
        try:
            save_profile(self._path, Profile.of(self._name, self._camera, face))
        except MienError as error:
            self._name = None
            self._tell(str(error))
