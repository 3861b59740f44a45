"""First pass over a clip: every frame's motion, and the images that are measured later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mien.cli.batch.face_window import View
from mien.cli.batch.pairs import Pair
from mien.cli.build import MOTION_SUFFIX
from mien.cli.model_choice import check_recorded
from mien.cli.options.arguments import Options
from mien.engine.avatar.crop import crop_around
from mien.engine.face.geometry import FaceGeometry
from mien.engine.face.likeness import poor_view, reference_problem
from mien.engine.face.regions import REGIONS
from mien.engine.motion import Motion
from mien.engine.motion.phases import Phases, find_phases
from mien.engine.motion.recording import Recording, load_recording, nominal_fps
from mien.engine.presets import Preset
from mien.engine.tracking import Tracker
from mien.engine.tracking.file_driver import FileDriver, takeover_note
from mien.engine.tracking.offline import refined
from mien.engine.types import Face, Frame, Image, NoFaceError, SourceError, UsageError
from mien.streams.factory import open_source
from mien.streams.source import Source

MOST_MEASURED = 600
"""Most frames compared with the driver and shown in the report; the rest of a long clip is only rendered."""

_WITHOUT_LIDS = [i for i, name in enumerate(REGIONS) if "lid" not in name]


@dataclass
class Followed:
    """A driver, frame by frame.

    Attributes:
        motions, times: of every frame; times in seconds from 0.
        fps: the clip's own frame rate.
        sound: whether the clip has a sound track.
        reference: the frame that the motion is relative to; None for recorded motion.
        unit: pixels per face unit in the driver.
        images: window on the face, for the frames ``seen`` (those with a face, up to MOST_MEASURED).
        face: the face in the first of them.
    """

    fps: float
    sound: bool
    motions: list[Motion | None] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    reference: int | None = 0
    unit: float = 0.0
    images: list[Image] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    face: Face | None = None
    notes: list[str] = field(default_factory=list)

    def recording(self) -> Recording:
        return Recording(tuple(self.motions), tuple(self.times), nominal_fps(self.times))


def follow(pair: Pair, options: Options, model: Tracker, preset: Preset[Any]) -> Followed:
    """Track the clip of a pair.

    Args:
        preset: of the model that is driven.
        model: a tracker whose settings and networks are used (loading them takes as long as a short clip).

    Raises:
        MienError: unreadable, no face, a single frame, or frame numbers beyond the clip's end.
    """
    fps, bits = pair.fps or options.fps, options.bits
    if pair.driving.suffix.lower() == MOTION_SUFFIX:
        check_recorded(preset)
        return _recorded(pair)
    tracker = model.fresh()
    tracker.landmarker.reset()
    with open_source(str(pair.driving), fps=fps, bits=bits) as source:
        if pair.reference is not None:
            _set_reference(tracker, pair, pair.reference, options)
        found = Followed(float(source.info.fps), source.info.has_audio)
        _track_all(source, tracker, found)
        found.notes += source.notes
        found.notes += _remarks(tracker, found)
        if pair.fps is not None and pair.driving.is_file():
            found.notes.append("The fps of this line were not used: a video file has its own.")
    _check(pair, found)
    if pair.reference is not None:
        found.reference = pair.reference
    return found


def phases_of(pair: Pair, found: Followed) -> tuple[Phases, tuple[str, ...]]:
    """Onset, apex and offset as frames, and the names of those that were not given but found."""
    valid = [i for i, motion in enumerate(found.motions) if motion is not None]
    courses = np.stack([m.regions for m in found.motions if m is not None])[:, _WITHOUT_LIDS]
    apex = None if pair.apex is None else int(np.argmin(np.abs(np.array(valid) - pair.apex)))
    detected = find_phases([found.times[i] for i in valid], courses, apex)
    names = ("onset", "apex", "offset")
    given: Mapping[str, int | None] = {name: getattr(pair, name) for name in names}
    values = {
        name: given[name] if given[name] is not None else valid[getattr(detected, name)] for name in names
    }
    top = values["apex"] or 0
    phases = Phases(min(values["onset"] or 0, top), top, max(values["offset"] or 0, top))
    return phases, tuple(name for name in names if given[name] is None)


def _recorded(pair: Pair) -> Followed:
    """A motion file: everything is measured already, and there are no images of a driver."""
    if pair.reference is not None:
        raise UsageError("Recorded motion has its reference built in. Leave the column reference empty.")
    recording = load_recording(pair.driving)
    found = Followed(recording.fps, False, list(recording.motions), list(recording.times), reference=None)
    found.seen = [i for i, motion in enumerate(found.motions) if motion is not None][:MOST_MEASURED]
    if not found.seen:
        raise NoFaceError("The motion file shows no face at all. Record another.")
    _check_numbers(pair, len(found.motions))
    if pair.fps is not None:
        found.notes.append("The fps of this line were not used: a motion file has its own.")
    return found


def _set_reference(tracker: Tracker, pair: Pair, number: int, options: Options) -> None:
    count = 0
    with open_source(str(pair.driving), fps=pair.fps or options.fps, bits=options.bits) as source:
        for frame in source:
            count += 1
            if frame.index == number:
                if not tracker.set_reference(frame.image):
                    raise NoFaceError(f"Frame {number} shows no face to be the reference. Choose another.")
                tracker.landmarker.reset()
                return
    raise UsageError(_beyond("reference", number, count))


def _track_all(source: Source, tracker: Tracker, found: Followed) -> None:
    view: View | None = None
    driver = FileDriver(tracker)
    first: int | None = None
    for followed in driver.follow(source):
        frame, face, motion = followed.frame, followed.face, followed.motion
        found.motions.append(None if motion is None else replace(motion, captured_ns=0))
        found.times.append(frame.time)
        if motion is None or face is None:
            continue
        if view is None:
            view, first = _begin(found, tracker, face, frame), followed.person
        # The measures hold every frame against the first: another person's would be compared with this one's.
        if len(found.seen) < MOST_MEASURED and followed.person == first:
            found.images.append(view.cut(frame.image))
            found.seen.append(len(found.motions) - 1)
    found.notes += (f"{note[:1].upper()}{note[1:]}" for note in takeover_note("the clip", driver.takeovers))
    start = found.times[0] if found.times else 0.0
    found.times = [time - start for time in found.times]
    found.motions = refined(found.motions, found.times)


def _begin(found: Followed, tracker: Tracker, face: Face, frame: Frame) -> View:
    """The first face sets the window."""
    view = View.around(crop_around(face), frame.image)
    found.face, found.reference = view.face(face), len(found.motions) - 1
    found.unit = FaceGeometry.of(face).unit
    if tracker.landmarker.faces_seen > 1:
        found.notes.append(f"The clip shows {tracker.landmarker.faces_seen} faces; the largest drives.")
    found.notes += [f"The driver's face is {fault}." for fault in poor_view(frame.image, face)]
    return view


def _remarks(tracker: Tracker, found: Followed) -> list[str]:
    notes = []
    if tracker.reference is not None and (why := reference_problem(tracker.reference.face)):
        notes.append(f"In the reference frame {why}; the column reference names a better one.")
    missed = sum(motion is None for motion in found.motions)
    if 0 < missed < len(found.motions):
        notes.append(f"No face in {missed} of {len(found.motions)} frames; there the avatar rests.")
    measurable = len(found.motions) - missed
    if measurable > MOST_MEASURED:
        notes.append(f"Measured and shown are the first {MOST_MEASURED} of {measurable} frames.")
    return notes


def _check(pair: Pair, found: Followed) -> None:
    if len(found.motions) > 1 and found.face is None:
        raise NoFaceError(
            "No face was found in the clip. Give one in which the face is seen from the front, larger than "
            "40 pixels."
        )
    _check_numbers(pair, len(found.motions))


def _check_numbers(pair: Pair, count: int) -> None:
    if count == 1:
        raise SourceError("The clip has a single frame: there is no motion in it. Give at least two.")
    for name in ("onset", "apex", "offset"):
        number = getattr(pair, name)
        if number is not None and number >= count:
            raise UsageError(_beyond(name, number, count))


def _beyond(name: str, number: int, count: int) -> str:
    return (
        f"The {name} is frame {number}, but the clip has {count} frames, counted from 0 at its first image."
    )
