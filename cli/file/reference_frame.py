"""Search of a clip for the reference frame (``--reference``)."""

from __future__ import annotations

from rich.console import Console

from mien.cli.options.arguments import Options
from mien.cli.terminal import progress_bar
from mien.engine.face.likeness import ReferenceSearch
from mien.engine.tracking import Tracker
from mien.engine.tracking.clip_reference import ClipReference
from mien.engine.tracking.identity import Look
from mien.engine.types import Face, Frame, NoFaceError, UsageError
from mien.streams.factory import open_source


def choose_reference(
    options: Options, console: Console, tracker: Tracker, portrait: Face
) -> tuple[Look, ...]:
    """Set the tracker's reference as the options ask; "first" is its default behaviour.

    Returns:
        Looks of the driver that were seen in the search; none where it was not of one person.
    """
    if options.reference == "first":
        return ()
    if options.reference == "auto":
        return _suitable(options, console, tracker, portrait)
    if options.reference == "best":
        chosen = _most_like(options, console, tracker, portrait)
    else:
        chosen = _numbered(options, console, tracker, int(options.reference))
    _set(tracker, console, *chosen)
    return ()


def _set(
    tracker: Tracker, console: Console, frame: Frame, face: Face, told: str = "", parted: float = 0.0
) -> None:
    tracker.set_reference(frame.image, face, parted)
    tracker.landmarker.reset()
    console.print(f"reference: frame {frame.index}{told}", highlight=False)


def _suitable(options: Options, console: Console, tracker: Tracker, portrait: Face) -> tuple[Look, ...]:
    search = ClipReference(portrait, tracker.landmarker.track)
    with (
        open_source(options.driving or "", fps=options.fps, bits=options.bits) as source,
        progress_bar(console, "looking for the reference", source.info.frames) as bar,
    ):
        for frame in source:
            search.look(frame)
            bar.advance()
            if search.over:
                break
    if search.found is None:
        raise _no_face(options)
    _set(tracker, console, *search.found, search.told, search.parted)
    return search.looks


def _most_like(options: Options, console: Console, tracker: Tracker, portrait: Face) -> tuple[Frame, Face]:
    search = ReferenceSearch(portrait)
    with (
        open_source(options.driving or "", fps=options.fps, bits=options.bits) as source,
        progress_bar(console, "looking for the reference", source.info.frames) as bar,
    ):
        for frame in source:
            search.look(frame, tracker.landmarker.track(frame.image))
            bar.advance()
    if search.best is None:
        raise _no_face(options)
    return search.best


def _numbered(options: Options, console: Console, tracker: Tracker, number: int) -> tuple[Frame, Face]:
    count = 0
    with (
        open_source(options.driving or "", fps=options.fps, bits=options.bits) as source,
        progress_bar(console, "going to the reference", number + 1) as bar,
    ):
        for frame in source:
            count += 1
            bar.advance()
            if frame.index == number:
                # Found anew, not followed: the frames before it were not looked at.
                tracker.landmarker.reset()
                face = tracker.landmarker.track(frame.image)
                if face is None:
                    raise NoFaceError(
                        f"Frame {number} of {options.driving} shows no face to be the reference. "
                        "Choose another, or --reference best."
                    )
                return frame, face
    raise UsageError(f"{options.driving} has {count} frames, numbered from 0: there is no frame {number}.")


def _no_face(options: Options) -> NoFaceError:
    return NoFaceError(
        f"No face was found in {options.driving}. Give a clip in which the face is seen from the front, "
        "larger than 40 pixels."
    )
